/**
 * What DUMP answers and RESTORE takes: one value, its RDB version and a checksum of both (redis 7.0.15 cluster.c
 * createDumpPayload, verifyDumpPayload).
 *
 *   [type][value] [version u16le] [crc64le]
 */
import { Crc64 } from '../bytes/crc64.ts'
import type { Keyspace } from '../store/keyspace.ts'
import type { Store } from '../store/store.ts'
import { describeType, RDB_VERSION, RDB_VERSION_NEWEST, RDB_VERSION_VALKEY, RdbError } from './format.ts'
import { RdbInput } from './input.ts'
import { RdbOutput } from './output.ts'
import { type RdbValue, ValueDecoder } from './value-decoder.ts'
import { saveValue, storeValue, valueType } from './values.ts'

export const FOOTER_BYTES = 10
/** Most values are small. */
const CHUNK_BYTES = 1024

export type RestoredValue = RdbValue

/** `compress` is rdbcompression. */
export function dumpValue(store: Store, ref: number, compress = true): Buffer {
  const chunks: Buffer[] = []
  const output = new RdbOutput((chunk) => chunks.push(chunk), compress, true, CHUNK_BYTES)
  output.byte(valueType(store, ref))
  saveValue(store, ref, output)
  output.byte(RDB_VERSION & 0xff)
  output.byte(RDB_VERSION >> 8)
  output.checksum()
  output.flush()
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

/**
 * Whether version and checksum are good: "DUMP payload version or checksum are wrong" if not. `skipsChecksum` is DEBUG
 * SET-SKIP-CHECKSUM-VALIDATION.
 */
export function verifyPayload(payload: Uint8Array, skipsChecksum = false): boolean {
  const footer = payload.length - FOOTER_BYTES
  if (footer < 0) return false
  const version = payload[footer]! | (payload[footer + 1]! << 8)
  if (version > RDB_VERSION_NEWEST && version !== RDB_VERSION_VALKEY) return false
  if (skipsChecksum) return true
  const crc = new Crc64()
  crc.update(payload, 0, footer + 2)
  return crc.matchesLE(payload, footer + 2)
}

/**
 * The value of a payload; undefined if its version or checksum is wrong. Throws RdbError if the value is none ("Bad data
 * format"). The value has views of the payload: store it before the payload's bytes change.
 */
export function restoreValue(payload: Buffer, skipsChecksum = false): RestoredValue | undefined {
  if (!verifyPayload(payload, skipsChecksum)) return undefined
  const input = new RdbInput()
  input.set(payload.subarray(0, payload.length - FOOTER_BYTES), 0)
  const type = input.byte()
  if (type < 0) throw new RdbError('RDB_TRUNCATED', 'Payload without a value', 0, 'a type')
  input.type = type
  input.reading = `a value (${describeType(type)})`
  const decoder = new ValueDecoder(true)
  if (!decoder.begin(type)) throw input.error('RDB_UNSUPPORTED', 'Value of a type that this server does not have')
  if (!decoder.step(input)) throw input.error('RDB_TRUNCATED', 'Unexpected end of the payload')
  // Redis refuses empty values as well, and ignores what follows a value.
  if (decoder.value === undefined) throw input.corrupt('Empty value')
  return decoder.value
}

/** Stores it under a key that does not exist. Returns the reference of its record. */
export function storeRestored(db: Keyspace, hash: number, key: Buffer, value: RestoredValue, expireAt: number): number {
  return storeValue(db, hash, key, value, expireAt)
}
