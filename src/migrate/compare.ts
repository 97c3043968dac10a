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
const HASH = hashBytes(KEY, 0, KEY.length)

export function isSame(a: Dumped, b: Dumped): boolean {
  // What is about to expire may be gone at one of them.
  if (a.payload === null) return b.payload === null || isEnding(b)
  if (b.payload === null) return isEnding(a)
  if (a.ttlMs < 0 !== b.ttlMs < 0) return false
  if (a.ttlMs >= 0 && Math.abs(a.ttlMs - b.ttlMs) > TTL_TOLERANCE_MS) return false
  return a.payload.equals(b.payload) || digestOf(a.payload) === digestOf(b.payload)
}

function isEnding({ ttlMs }: Dumped): boolean {
  return ttlMs >= 0 && ttlMs <= TTL_TOLERANCE_MS
}

/** Holds one value at a time: a store of its own for each would be a slab for each. */
let scratch: Store | null = null

/** Throws RdbError if it is no value that is known here. */
function digestOf(payload: Buffer): string {
  const value = restoreValue(payload, true)
  if (value === undefined) return ''
  scratch ??= new Store(1)
  const database = scratch.databases[0]!
  const ref = storeRestored(database, HASH, KEY, value, NO_EXPIRE)
  const digest = valueDigest(scratch, ref)
  database.remove(HASH, ref)
  return digest
}
