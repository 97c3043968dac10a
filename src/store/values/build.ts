/**
 * Whole values made of their elements, packed or not as Redis would keep them, under a key that may exist already (RDB
 * loading, RESTORE, SORT ... STORE and other results that are stored). Elements are expected to be different where the
 * type wants them so.
 */
import { formatScore } from '../../bytes/doubles.ts'
import { INTSET_HEADER, IntsetMember, intsetInsert, intsetSearch, writeEmptyIntset } from '../encodings/intset.ts'
import { ListpackWriter } from '../encodings/listpack.ts'
import type { Keyspace } from '../keyspace.ts'
import {
  ENCODING_HASHTABLE,
  ENCODING_INTSET,
  ENCODING_LISTPACK,
  ENCODING_SKIPLIST,
  TYPE_HASH,
  TYPE_SET,
  TYPE_ZSET,
} from '../record.ts'
import type { Structure } from '../store.ts'
import { HashValue } from './hash.ts'
import type { EncodingLimits } from './limits.ts'
import { isPackedSet, SetValue } from './set.ts'
import { SortedSetValue } from './sorted-set.ts'

export { storeList } from './list.ts'

const writer = new ListpackWriter(1024)

function putPacked(
  db: Keyspace,
  hash: number,
  key: Uint8Array,
  type: number,
  encoding: number,
  bytes: Uint8Array,
  length: number,
  expireAt: number,
): number {
  const ref = db.find(hash, key, 0, key.length)
  return db.putBytes(hash, key, 0, key.length, ref, type, encoding, bytes, 0, length, expireAt)
}

function putStructure(
  db: Keyspace,
  hash: number,
  key: Uint8Array,
  type: number,
  encoding: number,
  structure: Structure,
  expireAt: number,
): number {
  const ref = db.find(hash, key, 0, key.length)
  return db.putStructure(hash, key, 0, key.length, ref, type, encoding, structure, expireAt)
}

function putWritten(db: Keyspace, hash: number, key: Uint8Array, type: number, expireAt: number): number {
  writer.frame()
  return putPacked(db, hash, key, type, ENCODING_LISTPACK, writer.bytes, writer.length, expireAt)
}

/** `pairs`: fields and values in turn. */
export function storeHash(
  db: Keyspace,
  hash: number,
  key: Uint8Array,
  pairs: readonly Uint8Array[],
  expireAt: number,
  limits: EncodingLimits,
): number {
  const longest = limits.hashMaxListpackValue
  const isSmall = pairs.length / 2 <= limits.hashMaxListpackEntries && pairs.every((part) => part.length <= longest)
  if (isSmall) {
    writer.reset()
    for (const part of pairs) writer.append(part)
    return putWritten(db, hash, key, TYPE_HASH, expireAt)
  }
  const value = new HashValue()
  for (let i = 0; i < pairs.length; i += 2) value.set(pairs[i]!, pairs[i + 1]!)
  return putStructure(db, hash, key, TYPE_HASH, ENCODING_HASHTABLE, value, expireAt)
}

export function storeSet(
  db: Keyspace,
  hash: number,
  key: Uint8Array,
  members: readonly Uint8Array[],
  expireAt: number,
  limits: EncodingLimits,
): number {
  const intset = members.length <= limits.setMaxIntsetEntries ? intsetOf(members) : undefined
  if (intset !== undefined) {
    return putPacked(db, hash, key, TYPE_SET, ENCODING_INTSET, intset, intset.length, expireAt)
  }
  const value = new SetValue()
  for (const member of members) value.add(member)
  if (isPackedSet(value.size, longestOf(members))) {
    writer.reset()
    for (const member of value.members()) writer.append(member)
    return putWritten(db, hash, key, TYPE_SET, expireAt)
  }
  return putStructure(db, hash, key, TYPE_SET, ENCODING_HASHTABLE, value, expireAt)
}

function longestOf(elements: readonly Uint8Array[]): number {
  let longest = 0
  for (const element of elements) longest = Math.max(longest, element.length)
  return longest
}

/** Undefined if not all members are integers. */
function intsetOf(members: readonly Uint8Array[]): Buffer | undefined {
  let bytes = Buffer.allocUnsafe(INTSET_HEADER + members.length * 8)
  let spare = Buffer.allocUnsafe(bytes.length)
  let length = writeEmptyIntset(bytes)
  const member = new IntsetMember()
  for (const text of members) {
    if (!member.parse(text, 0, text.length)) return undefined
    const found = intsetSearch(bytes, 0, member)
    if (found >= 0) continue
    length = intsetInsert(bytes, 0, member, -1 - found, spare)
    const full = spare
    spare = bytes
    bytes = full
  }
  return bytes.subarray(0, length)
}

/** scores[i] is that of members[i]. */
export function storeSortedSet(
  db: Keyspace,
  hash: number,
  key: Uint8Array,
  members: readonly Uint8Array[],
  scores: readonly number[],
  expireAt: number,
  limits: EncodingLimits,
): number {
  const longest = limits.zsetMaxListpackValue
  const isSmall = members.length <= limits.zsetMaxListpackEntries && members.every((member) => member.length <= longest)
  if (isSmall) {
    const order = members.map((_, i) => i)
    order.sort((a, b) => scores[a]! - scores[b]! || Buffer.compare(members[a]!, members[b]!))
    writer.reset()
    for (const i of order) {
      writer.append(members[i]!)
      appendScore(writer, scores[i]!)
    }
    return putWritten(db, hash, key, TYPE_ZSET, expireAt)
  }
  const value = new SortedSetValue()
  for (let i = 0; i < members.length; i++) value.add(members[i]!, scores[i]!)
  return putStructure(db, hash, key, TYPE_ZSET, ENCODING_SKIPLIST, value, expireAt)
}

/** A score as packed sorted sets have it; minus zero loses its sign. redis 7.0.15 t_zset.c zzlInsertAt */
export function appendScore(to: ListpackWriter, score: number): void {
  if (Number.isSafeInteger(score)) to.appendInteger(score === 0 ? 0 : score)
  else to.append(Buffer.from(formatScore(score), 'latin1'))
}
