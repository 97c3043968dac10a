/**
 * One record → RDB bytes, and one decoded value → a record. Packed encodings are Redis's own, so they are copied; the
 * rest is written element by element. A list is always LIST_QUICKLIST_2: a packed one is its only node.
 * redis 7.0.15 rdb.c rdbSaveObjectType, rdbSaveObject
 */

import { listpackEntries, listpackLength } from '../store/encodings/listpack.ts'
import type { Keyspace } from '../store/keyspace.ts'
import {
  ENCODING_INTSET,
  ENCODING_LISTPACK,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_NAMES,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { storeHash, storeList, storeSet, storeSortedSet } from '../store/values/build.ts'
import type { ElementTable } from '../store/values/element-table.ts'
import type { HashValue } from '../store/values/hash.ts'
import { encodingLimits } from '../store/values/limits.ts'
import type { ListValue } from '../store/values/list.ts'
import type { SetValue } from '../store/values/set.ts'
import type { SortedSetValue } from '../store/values/sorted-set.ts'
import type { StreamValue } from '../store/values/stream.ts'
import {
  NODE_PACKED,
  RDB_HASH,
  RDB_HASH_LISTPACK,
  RDB_LIST_QUICKLIST_2,
  RDB_SET,
  RDB_SET_INTSET,
  RDB_STREAM_2,
  RDB_STRING,
  RDB_ZSET_2,
  RDB_ZSET_LISTPACK,
} from './format.ts'
import type { RdbOutput } from './output.ts'
import { saveStream } from './stream-encoder.ts'
import type { RdbValue } from './value-decoder.ts'

/** The type byte of a record's value. */
export function valueType(store: Store, ref: number): number {
  const packed = store.encoding(ref) === ENCODING_LISTPACK
  switch (store.type(ref)) {
    case TYPE_STRING:
      return RDB_STRING
    case TYPE_LIST:
      return RDB_LIST_QUICKLIST_2
    case TYPE_SET:
      return store.encoding(ref) === ENCODING_INTSET ? RDB_SET_INTSET : RDB_SET
    case TYPE_ZSET:
      return packed ? RDB_ZSET_LISTPACK : RDB_ZSET_2
    case TYPE_HASH:
      return packed ? RDB_HASH_LISTPACK : RDB_HASH
    case TYPE_STREAM:
      return RDB_STREAM_2
    default:
      throw new Error(`a ${TYPE_NAMES[store.type(ref)]} has no RDB type`)
  }
}

/** What follows the type byte (and, in a stream, the key). */
export function saveValue(store: Store, ref: number, out: RdbOutput): void {
  const type = store.type(ref)
  const encoding = store.encoding(ref)
  if (type === TYPE_SET && encoding === ENCODING_LISTPACK) {
    savePackedSet(store, ref, out)
  } else if (type === TYPE_STRING || encoding === ENCODING_LISTPACK || encoding === ENCODING_INTSET) {
    if (type === TYPE_LIST) {
      out.length(1)
      out.length(NODE_PACKED)
    }
    store.read(ref)
    out.string(store.bytes, store.start, store.end)
  } else if (type === TYPE_LIST) {
    saveList(store.structure<ListValue>(ref), out)
  } else if (type === TYPE_SET) {
    saveTable(store.structure<SetValue>(ref).table, out, false, false)
  } else if (type === TYPE_HASH) {
    saveTable(store.structure<HashValue>(ref).table, out, true, false)
  } else if (type === TYPE_STREAM) {
    saveStream(store.structure<StreamValue>(ref), out)
  } else {
    saveTable(store.structure<SortedSetValue>(ref).table, out, true, true)
  }
}

/** RDB 10 has no packed sets of strings: one by one, as of a hash table. */
function savePackedSet(store: Store, ref: number, out: RdbOutput): void {
  store.read(ref)
  const { bytes, start, end } = store
  out.length(listpackLength(bytes, start, end))
  for (const member of listpackEntries(bytes, start, end)) out.string(member, 0, member.length)
}

function saveList(list: ListValue, out: RdbOutput): void {
  let nodes = 0
  for (const _ of list.listpacks()) nodes++
  out.length(nodes)
  for (const listpack of list.listpacks()) {
    out.length(NODE_PACKED)
    out.string(listpack, 0, listpack.length)
  }
}

/**
 * Elements, and the value of each, in the table's order: RDB wants none. What the table points at stays, because a
 * snapshot may come here from inside a command that has just looked something up.
 */
function saveTable(table: ElementTable, out: RdbOutput, hasValues: boolean, areScores: boolean): void {
  const { bytes, start, end } = table
  out.length(table.size)
  table.visit(0, table.size, (entry) => {
    table.read(entry)
    out.string(table.bytes, table.start, table.end)
    if (!hasValues) return
    table.readValue(entry)
    // A score is a double of eight bytes, little endian, here and there.
    if (areScores) out.raw(table.bytes, table.start, table.end)
    else out.string(table.bytes, table.start, table.end)
  })
  table.bytes = bytes
  table.start = start
  table.end = end
}

/** Stores a decoded value, of which everything is copied, under a key that does not exist. Returns its reference. */
export function storeValue(db: Keyspace, hash: number, key: Buffer, value: RdbValue, expireAt: number): number {
  const { type, encoding, bytes, structure, elements } = value
  if (bytes !== undefined) {
    return db.putBytes(hash, key, 0, key.length, 0, type, encoding, bytes, 0, bytes.length, expireAt)
  }
  if (structure !== undefined) {
    return db.putStructure(hash, key, 0, key.length, 0, type, encoding, structure, expireAt)
  }
  switch (type) {
    case TYPE_LIST:
      return storeList(db, hash, key, elements, expireAt, encodingLimits)
    case TYPE_SET:
      return storeSet(db, hash, key, elements, expireAt, encodingLimits)
    case TYPE_HASH:
      return storeHash(db, hash, key, elements, expireAt, encodingLimits)
    default:
      return storeSortedSet(db, hash, key, elements, value.scores, expireAt, encodingLimits)
  }
}
