/** Whether two payloads of DUMP are the same value: other servers, and other settings, encode the same value otherwise. */

import { hashBytes } from '../bytes/siphash.ts'
import { valueDigest } from '../commands/server/digest.ts'
import { restoreValue, storeRestored } from '../rdb/dump-payload.ts'
import { NO_EXPIRE } from '../store/record.ts'
import { Store } from '../store/store.ts'
import type { Dumped } from './peer.ts'

/** Two looks at a time to live are so far apart at most. */
const TTL_TOLERANCE_MS = 2000
const KEY = Buffer.from('value')

export function isSame(a: Dumped, b: Dumped): boolean {
  if (a.payload === null || b.payload === null) return a.payload === b.payload
  if (a.ttlMs < 0 !== b.ttlMs < 0) return false
  if (a.ttlMs >= 0 && Math.abs(a.ttlMs - b.ttlMs) > TTL_TOLERANCE_MS) return false
  return a.payload.equals(b.payload) || digestOf(a.payload) === digestOf(b.payload)
}

/** Throws RdbError if it is no value that is known here. */
function digestOf(payload: Buffer): string {
  const store = new Store(1)
  const value = restoreValue(payload, true)
  if (value === undefined) return ''
  const ref = storeRestored(store.databases[0]!, hashBytes(KEY, 0, KEY.length), KEY, value, NO_EXPIRE)
  return valueDigest(store, ref)
}
