/**
 * For the tests of RDB: whole snapshots in memory, what a store holds in a form that is equal whatever the encodings are,
 * and RDB bytes put together by hand, for what no server of today writes.
 */

import { Crc64 } from '../../src/bytes/crc64.ts'
import { hashBytes } from '../../src/bytes/siphash.ts'
import { Config } from '../../src/config/config.ts'
import { RdbLoader } from '../../src/rdb/loader.ts'
import { Snapshot } from '../../src/rdb/snapshot.ts'
import { intsetValues } from '../../src/store/encodings/intset.ts'
import { listpackEntries } from '../../src/store/encodings/listpack.ts'
import {
  ENCODING_AUTO,
  ENCODING_INTSET,
  ENCODING_LISTPACK,
  NO_EXPIRE,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_NAMES,
  TYPE_SET,
  TYPE_STRING,
  TYPE_ZSET,
} from '../../src/store/record.ts'
import { Store } from '../../src/store/store.ts'
import { storeHash, storeList, storeSet, storeSortedSet } from '../../src/store/values/build.ts'
import type { HashValue } from '../../src/store/values/hash.ts'
import { encodingLimits } from '../../src/store/values/limits.ts'
import type { ListValue } from '../../src/store/values/list.ts'
import type { SetValue } from '../../src/store/values/set.ts'
import type { SortedSetValue } from '../../src/store/values/sorted-set.ts'

export const NOW = 1_700_000_000_000

export type Content =
  | { type: 'string'; value: string }
  | { type: 'list'; value: readonly string[] }
  | { type: 'set'; value: readonly string[] }
  | { type: 'hash'; value: readonly (readonly [string, string])[] }
  | { type: 'zset'; value: readonly (readonly [string, number])[] }

export interface Entry {
  database: number
  key: string
  content: Content
  expireAt: number
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

export function put(store: Store, database: number, name: string, content: Content, expireAt = NO_EXPIRE): void {
  const db = store.databases[database]!
  const key = latin1(name)
  const hash = hashBytes(key, 0, key.length)
  const existing = db.find(hash, key, 0, key.length)
  if (existing !== 0) db.remove(hash, existing)
  switch (content.type) {
    case 'string': {
      const bytes = latin1(content.value)
      db.putBytes(hash, key, 0, key.length, 0, TYPE_STRING, ENCODING_AUTO, bytes, 0, bytes.length, expireAt)
      return
    }
    case 'list':
      storeList(db, hash, key, content.value.map(latin1), expireAt, encodingLimits)
      return
    case 'set':
      storeSet(db, hash, key, content.value.map(latin1), expireAt, encodingLimits)
      return
    case 'hash':
      storeHash(db, hash, key, content.value.flat().map(latin1), expireAt, encodingLimits)
      return
    default: {
      const members = content.value.map(([member]) => latin1(member))
      const scores = content.value.map(([, score]) => score)
      storeSortedSet(db, hash, key, members, scores, expireAt, encodingLimits)
    }
  }
}

export function remove(store: Store, database: number, name: string): void {
  const db = store.databases[database]!
  const key = latin1(name)
  const hash = hashBytes(key, 0, key.length)
  const ref = db.find(hash, key, 0, key.length)
  if (ref !== 0) db.remove(hash, ref)
}

function packed(store: Store): string[] {
  return Array.from(listpackEntries(store.bytes, store.start, store.end), (entry) => entry.toString('latin1'))
}

function pairs<T>(flat: readonly string[], second: (text: string) => T): [string, T][] {
  const out: [string, T][] = []
  for (let i = 0; i < flat.length; i += 2) out.push([flat[i]!, second(flat[i + 1]!)])
  return out
}

function byName<T>(items: (readonly [string, T])[]): (readonly [string, T])[] {
  return items.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

function score(text: string): number {
  if (text === 'inf' || text === '-inf') return text === 'inf' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  return Number(text)
}

/** What a record holds; unordered types are sorted. */
export function contentOf(store: Store, ref: number): Content {
  const encoding = store.encoding(ref)
  const isPacked = encoding === ENCODING_LISTPACK
  const type = store.type(ref)
  if (isPacked || encoding === ENCODING_INTSET || type === TYPE_STRING) store.read(ref)
  const text = (bytes: Buffer) => bytes.toString('latin1')
  if (type === TYPE_STRING) return { type: 'string', value: store.bytes.toString('latin1', store.start, store.end) }
  if (type === TYPE_LIST) {
    return {
      type: 'list',
      value: isPacked ? packed(store) : Array.from(store.structure<ListValue>(ref).elements(), text),
    }
  }
  if (type === TYPE_HASH) {
    const fields: [string, string][] = isPacked
      ? pairs(packed(store), (value) => value)
      : Array.from(store.structure<HashValue>(ref).entries(), ([field, value]) => [text(field), text(value)])
    return { type: 'hash', value: byName(fields) }
  }
  if (type === TYPE_ZSET) {
    const members: [string, number][] = isPacked
      ? pairs(packed(store), score)
      : Array.from(store.structure<SortedSetValue>(ref).entries(), ([member, value]) => [text(member), value])
    return { type: 'zset', value: byName(members) }
  }
  if (type !== TYPE_SET) throw new Error(`unexpected ${TYPE_NAMES[type]}`)
  const members =
    encoding === ENCODING_INTSET
      ? Array.from(intsetValues(store.bytes, store.start, store.end), String)
      : isPacked
        ? packed(store)
        : Array.from(store.structure<SetValue>(ref).members(), text)
  return { type: 'set', value: members.sort() }
}

export function contents(store: Store): Entry[] {
  const entries: Entry[] = []
  for (const db of store.databases) {
    const refs: number[] = []
    db.index.visit(0, db.size, (ref) => refs.push(ref))
    for (const ref of refs) {
      const key = store.key(ref).toString('latin1')
      entries.push({ database: db.id, key, content: contentOf(store, ref), expireAt: store.expireAt(ref) })
    }
  }
  return entries.sort((a, b) => a.database - b.database || (a.key < b.key ? -1 : 1))
}

/** Values of every type in every encoding. */
export function sampleStore(): Store {
  const store = new Store(16)
  const many = Array.from({ length: 2000 }, (_, i) => `element-${i}`)
  put(store, 0, 'empty', { type: 'string', value: '' })
  put(store, 0, 'text', { type: 'string', value: 'hello' })
  for (const n of [
    '0',
    '-1',
    '127',
    '-128',
    '128',
    '32767',
    '-32768',
    '32768',
    '2147483647',
    '-2147483648',
    '2147483648',
  ]) {
    put(store, 0, `int${n}`, { type: 'string', value: n })
  }
  put(store, 0, 'not-an-int', { type: 'string', value: '007' })
  put(store, 0, 'compressible', { type: 'string', value: 'a'.repeat(200) })
  put(store, 0, 'large', { type: 'string', value: many.join(',').repeat(20) })
  put(store, 0, 'k'.repeat(300), { type: 'string', value: 'long key' })
  put(store, 0, '12345', { type: 'string', value: 'integer key' }, NOW + 60_000)
  put(store, 1, 'list', { type: 'list', value: ['a', '1', '', '-70000', 'a'] })
  put(store, 1, 'long-list', { type: 'list', value: many })
  put(store, 1, 'list-of-large', { type: 'list', value: ['x'.repeat(20_000), 'y', 'z'.repeat(100_000)] })
  put(store, 2, 'ints', { type: 'set', value: ['1', '-5', '70000', '5000000000', '-9223372036854775808'] })
  put(store, 2, 'set', { type: 'set', value: ['a', 'b', '1'] })
  put(store, 2, 'large-set', { type: 'set', value: many }, NOW + 1)
  put(store, 2, 'many-ints', { type: 'set', value: many.map((_, i) => String(i * 3)) })
  put(store, 9, 'hash', {
    type: 'hash',
    value: [
      ['f', 'v'],
      ['n', '12'],
      ['', 'empty field'],
    ],
  })
  put(store, 9, 'large-hash', { type: 'hash', value: many.map((name, i) => [name, String(i)]) })
  const zset: [string, number][] = [
    ['a', 1],
    ['b', 1.5],
    ['c', Number.NEGATIVE_INFINITY],
    ['d', 3e300],
    ['e', 0.1],
  ]
  put(store, 15, 'zset', { type: 'zset', value: zset })
  put(store, 15, 'large-zset', { type: 'zset', value: many.map((name, i) => [name, i / 7]) })
  return store
}

export function configWith(settings: string): Config {
  const config = new Config()
  if (settings !== '') config.loadText(settings)
  return config
}

/** A snapshot in one piece. */
export function snapshotBytes(store: Store, settings = ''): Buffer {
  const chunks: Buffer[] = []
  const snapshot = new Snapshot(store, {
    config: configWith(settings),
    now: NOW,
    onChunk: (chunk) => chunks.push(chunk),
  })
  snapshot.finish()
  return Buffer.concat(chunks)
}

export interface LoadOptions {
  chunkBytes?: number
  keepExpired?: boolean
  checksum?: boolean
  databases?: number
}

export interface Loaded {
  /** Code of function libraries. */
  libraries: string[]
  store: Store
  loader: RdbLoader
  log: string[]
}

export function loadBytes(bytes: Buffer, options: LoadOptions = {}): Loaded {
  const store = new Store(options.databases ?? 16)
  const log: string[] = []
  const libraries: string[] = []
  store.libraries = { codes: () => [], loadCode: (code) => libraries.push(code.toString('latin1')), flush: () => {} }
  const loader = new RdbLoader(store, {
    unixMs: NOW,
    keepExpired: options.keepExpired ?? false,
    checksum: options.checksum ?? true,
    access: 'lru',
    log: (level, text) => log.push(`${level} ${text}`),
  })
  const size = options.chunkBytes ?? Math.max(1, bytes.length)
  for (let at = 0; at < bytes.length; at += size) loader.feed(Buffer.from(bytes.subarray(at, at + size)))
  loader.finish()
  return { store, loader, log, libraries }
}

/** A string of less than 64 bytes as RDB has it. */
export function rdbString(bytes: Buffer | string): Buffer {
  const raw = typeof bytes === 'string' ? latin1(bytes) : bytes
  if (raw.length < 64) return Buffer.concat([Buffer.from([raw.length]), raw])
  const head = Buffer.alloc(5)
  head[0] = 0x80
  head.writeUInt32BE(raw.length, 1)
  return Buffer.concat([head, raw])
}

/** A stream with these parts between the header and the end. */
export function rdbStream(version: number, ...parts: (Buffer | number)[]): Buffer {
  const body = Buffer.concat([
    latin1(`REDIS${String(version).padStart(4, '0')}`),
    ...parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : part)),
    Buffer.from([255]),
  ])
  if (version < 5) return body
  const footer = Buffer.alloc(8)
  const crc = new Crc64()
  crc.update(body, 0, body.length)
  crc.writeLE(footer, 0)
  return Buffer.concat([body, footer])
}

/** Entries that are numbers become integers of the smallest size. */
export function ziplist(entries: readonly (string | number | bigint)[]): Buffer {
  const parts: Buffer[] = []
  let before = 0
  for (const entry of entries) {
    const previous = before < 254 ? Buffer.from([before]) : Buffer.from([254, ...u32(before)])
    const part = Buffer.concat([previous, typeof entry === 'string' ? ziplistText(entry) : ziplistInteger(entry)])
    parts.push(part)
    before = part.length
  }
  const body = Buffer.concat(parts)
  const total = 10 + body.length + 1
  const tail = entries.length === 0 ? 10 : total - 1 - before
  return Buffer.concat([
    u32(total),
    u32(tail),
    Buffer.from([entries.length & 255, entries.length >> 8]),
    body,
    Buffer.from([255]),
  ])
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4)
  out.writeUInt32LE(value)
  return out
}

function ziplistText(text: string): Buffer {
  const bytes = latin1(text)
  if (bytes.length < 64) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  if (bytes.length < 16384) return Buffer.concat([Buffer.from([0x40 | (bytes.length >> 8), bytes.length & 255]), bytes])
  const head = Buffer.alloc(5)
  head[0] = 0x80
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

function ziplistInteger(value: number | bigint): Buffer {
  if (typeof value === 'bigint') {
    const out = Buffer.alloc(9)
    out[0] = 0xe0
    out.writeBigInt64LE(value, 1)
    return out
  }
  if (value >= 0 && value <= 12) return Buffer.from([0xf1 + value])
  const [encoding, bytes] =
    value >= -128 && value < 128
      ? [0xfe, 1]
      : value >= -32768 && value < 32768
        ? [0xc0, 2]
        : value >= -8388608 && value < 8388608
          ? [0xf0, 3]
          : [0xd0, 4]
  const out = Buffer.alloc(1 + bytes!)
  out[0] = encoding!
  out.writeIntLE(value, 1, bytes!)
  return out
}

/** Fields and values in turn; each value with `unused` bytes behind it. */
export function zipmap(entries: readonly string[], unused = 0): Buffer {
  const parts = entries.map((entry, i) => {
    const bytes = latin1(entry)
    const head = bytes.length < 254 ? Buffer.from([bytes.length]) : Buffer.from([254, ...u32(bytes.length)])
    return i % 2 === 0
      ? Buffer.concat([head, bytes])
      : Buffer.concat([head, Buffer.from([unused]), bytes, Buffer.alloc(unused)])
  })
  return Buffer.concat([Buffer.from([entries.length / 2]), ...parts, Buffer.from([255])])
}
