/**
 * One numbered database: which key has which record. All changes of records go through here, because three things hang
 * on each: the index, the second index of keys that expire, and the snapshot walk, which must see a record as it was
 * before the change (`#before`). Keys are given with their hash (`hashBytes`), so that it is computed once a command.
 */
import { hashBytes } from '../bytes/siphash.ts'
import { KeyIndex } from './key-index.ts'
import {
  FLAG_EXPIRES,
  FLAG_HANDLE,
  FLAG_LONG_KEY,
  HEADER_BYTES,
  MAX_KEY_IN_RECORD,
  NO_EXPIRE,
  TYPE_STRING,
  valueOffset,
} from './record.ts'
import { chunkBytes, MAX_CHUNK_BYTES, SEGMENT_SHIFT, UNIT_MASK, UNIT_SHIFT } from './slab.ts'
import type { Store, Structure } from './store.ts'

const HANDLE_BYTES = 4
const MAX_VALUE_BYTES = MAX_CHUNK_BYTES - HEADER_BYTES - 8 - MAX_KEY_IN_RECORD

export class Keyspace {
  id: number
  index = new KeyIndex()
  /** The same references, of keys that have an expire time only. */
  expires = new KeyIndex()
  /** Clock value for new records (LRU or LFU), kept up by the engine. */
  static newClock = 0

  #store: Store

  constructor(store: Store, id: number) {
    this.#store = store
    this.id = id
  }

  get size(): number {
    return this.index.size
  }

  get indexBytes(): number {
    return this.index.bytes + this.expires.bytes
  }

  /** The record of a key, 0 if there is none. Knows nothing of time: see Call.lookup*. */
  find(hash: number, key: Uint8Array, start: number, end: number): number {
    const store = this.#store
    let ref = this.index.first(hash)
    while (ref !== 0 && !store.keyEquals(ref, key, start, end)) ref = this.index.next(hash)
    return ref
  }

  findKey(key: Uint8Array): number {
    return this.find(hashBytes(key, 0, key.length), key, 0, key.length)
  }

  /**
   * Stores the value bytes of a string or packed value under the key. `ref` is what find() gave for it (0: new key).
   * `expireAt` is NO_EXPIRE or milliseconds. Returns the record's new reference.
   */
  putBytes(
    hash: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    ref: number,
    type: number,
    encoding: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    expireAt: number,
  ): number {
    const length = end - start
    if (length > MAX_VALUE_BYTES)
      return this.#putLarge(hash, key, keyStart, keyEnd, ref, type, encoding, bytes, start, end, expireAt)
    const target = this.#makeRoom(hash, key, keyStart, keyEnd, ref, length, expireAt)
    const segment = this.#store.segment(target)
    const at = (target & UNIT_MASK) << UNIT_SHIFT
    segment[at] = type | (encoding << 4)
    segment[at + 1]! &= ~FLAG_HANDLE
    segment[at + 6] = length & 0xff
    segment[at + 7] = length >> 8
    copyBytes(bytes, start, length, segment, valueOffset(segment, at, segment[at + 1]!))
    return target
  }

  #putLarge(
    hash: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    ref: number,
    type: number,
    encoding: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    expireAt: number,
  ): number {
    const length = end - start
    if (ref !== 0 && this.#overwriteLarge(hash, ref, type, encoding, bytes, start, end, expireAt)) return ref
    const copy = Buffer.allocUnsafeSlow(length)
    copy.set(bytes.subarray(start, end))
    const value = { bytes: copy, length, shared: false }
    return this.#putHandle(hash, key, keyStart, keyEnd, ref, type, encoding, this.#store.hold(value), expireAt)
  }

  /** Reuses the buffer of a large value that nobody else refers to, when the new one fits and half fills it. */
  #overwriteLarge(
    hash: number,
    ref: number,
    type: number,
    encoding: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    expireAt: number,
  ): boolean {
    const store = this.#store
    if (store.type(ref) !== TYPE_STRING || type !== TYPE_STRING || store.expireAt(ref) !== expireAt) return false
    const large = store.largeString(ref)
    const length = end - start
    if (large === undefined || large.shared || length > large.bytes.length || length * 2 < large.bytes.length)
      return false
    this.beforeChange(hash, ref)
    // Asked again: the snapshot walk may have handed the bytes on.
    if (large.shared) return false
    large.bytes.set(bytes.subarray(start, end))
    large.length = length
    setEncoding(store.segment(ref), ref, encoding)
    return true
  }

  /** A string that the caller hands over without a copy. */
  putOwned(hash: number, key: Uint8Array, ref: number, encoding: number, bytes: Buffer, expireAt: number): number {
    if (bytes.length <= MAX_VALUE_BYTES) {
      return this.putBytes(hash, key, 0, key.length, ref, TYPE_STRING, encoding, bytes, 0, bytes.length, expireAt)
    }
    const handle = this.#store.hold({ bytes, length: bytes.length, shared: false })
    return this.#putHandle(hash, key, 0, key.length, ref, TYPE_STRING, encoding, handle, expireAt)
  }

  /** Stores a structure under the key. */
  putStructure(
    hash: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    ref: number,
    type: number,
    encoding: number,
    structure: Structure,
    expireAt: number,
  ): number {
    const handle = this.#store.hold(structure)
    return this.#putHandle(hash, key, keyStart, keyEnd, ref, type, encoding, handle, expireAt)
  }

  #putHandle(
    hash: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    ref: number,
    type: number,
    encoding: number,
    handle: number,
    expireAt: number,
  ): number {
    const target = this.#makeRoom(hash, key, keyStart, keyEnd, ref, HANDLE_BYTES, expireAt)
    const segment = this.#store.segment(target)
    const at = (target & UNIT_MASK) << UNIT_SHIFT
    segment[at] = type | (encoding << 4)
    segment[at + 1]! |= FLAG_HANDLE
    segment[at + 6] = HANDLE_BYTES
    segment[at + 7] = 0
    segment.writeUInt32LE(handle, valueOffset(segment, at, segment[at + 1]!))
    return target
  }

  /** Replaces a packed value or string of an existing record by other bytes, keeping its expire time. */
  replaceBytes(hash: number, ref: number, encoding: number, bytes: Uint8Array, start: number, end: number): number {
    const store = this.#store
    const type = store.type(ref)
    const expireAt = store.expireAt(ref)
    store.readKey(ref)
    return this.putBytes(
      hash,
      store.keyBytes,
      store.keyStart,
      store.keyEnd,
      ref,
      type,
      encoding,
      bytes,
      start,
      end,
      expireAt,
    )
  }

  /** Replaces the value of an existing record by a structure, keeping its expire time. */
  replaceStructure(hash: number, ref: number, encoding: number, structure: Structure): number {
    const store = this.#store
    const type = store.type(ref)
    const expireAt = store.expireAt(ref)
    store.readKey(ref)
    return this.putStructure(
      hash,
      store.keyBytes,
      store.keyStart,
      store.keyEnd,
      ref,
      type,
      encoding,
      structure,
      expireAt,
    )
  }

  /**
   * Must be called before a value is changed in place (a structure, or bytes through store.read). The snapshot walk
   * then has its copy.
   */
  beforeChange(hash: number, ref: number): void {
    if (this.#store.walk !== null) this.#store.walk.beforeChange(this, hash, ref)
  }

  /**
   * The bytes of a string, to be changed in place up to `length`: grown with zeros when shorter. Sets store.bytes,
   * start and end, and returns the record's reference, which changes when it moves.
   */
  writableString(hash: number, ref: number, length: number, encoding: number): number {
    const store = this.#store
    this.beforeChange(hash, ref)
    const large = store.largeString(ref)
    if (large !== undefined) {
      this.#growLarge(large, length)
      setEncoding(store.segment(ref), ref, encoding)
      store.read(ref)
      return ref
    }
    store.read(ref)
    const old = store.end - store.start
    if (length <= old) {
      setEncoding(store.segment(ref), ref, encoding)
      return ref
    }
    // While the value stays in a record it grows by moving; once outside, by doubling.
    const bytes = Buffer.alloc(length > MAX_VALUE_BYTES ? Math.max(length, old * 2) : length)
    bytes.set(store.bytes.subarray(store.start, store.end))
    const moved = this.replaceBytes(hash, ref, encoding, bytes, 0, length)
    store.read(moved)
    return moved
  }

  #growLarge(large: { bytes: Buffer; length: number; shared: boolean }, length: number): void {
    if (length > large.bytes.length || large.shared) {
      // Redis doubles up to 1 MiB and adds 1 MiB above that (sds.c sdsMakeRoomFor).
      const spare = length > large.length ? Math.min(length, 1024 * 1024) : 0
      const grown = Buffer.alloc(Math.max(length, large.length) + spare)
      grown.set(large.bytes.subarray(0, large.length))
      this.#store.resized(grown.length - large.bytes.length)
      large.bytes = grown
      large.shared = false
    } else if (length > large.length) {
      large.bytes.fill(0, large.length, length)
    }
    large.length = Math.max(large.length, length)
  }

  /** Sets (milliseconds) or clears (NO_EXPIRE) the expire time. Returns the reference, which may have changed. */
  setExpire(hash: number, ref: number, expireAt: number): number {
    const store = this.#store
    const segment = store.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    const had = (segment[at + 1]! & FLAG_EXPIRES) !== 0
    if (!had && expireAt === NO_EXPIRE) return ref
    this.beforeChange(hash, ref)
    if (had && expireAt !== NO_EXPIRE) {
      store.slab.doubles[ref >>> SEGMENT_SHIFT]![(at + 8) >> 3] = expireAt
      return ref
    }
    const size = recordBytes(segment, at)
    const head = HEADER_BYTES + (had ? 8 : 0)
    const target = store.slab.alloc(size + (had ? -8 : 8))
    const to = store.segment(target)
    const toAt = (target & UNIT_MASK) << UNIT_SHIFT
    segment.copy(to, toAt, at, at + HEADER_BYTES)
    segment.copy(to, toAt + HEADER_BYTES + (had ? 0 : 8), at + head, at + size)
    if (had) {
      to[toAt + 1]! &= ~FLAG_EXPIRES
      this.expires.remove(hash, ref)
    } else {
      to[toAt + 1]! |= FLAG_EXPIRES
      store.slab.doubles[target >>> SEGMENT_SHIFT]![(toAt + 8) >> 3] = expireAt
      this.expires.insert(hash, target)
    }
    this.index.replace(hash, ref, target)
    store.slab.free(ref, size)
    return target
  }

  /** Removes the key and frees its value. */
  remove(hash: number, ref: number): void {
    const store = this.#store
    this.beforeChange(hash, ref)
    const segment = store.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    const flags = segment[at + 1]!
    if ((flags & FLAG_HANDLE) !== 0) store.release(segment.readUInt32LE(valueOffset(segment, at, flags)))
    this.#unlink(hash, ref, segment, at, flags)
  }

  #unlink(hash: number, ref: number, segment: Buffer, at: number, flags: number): void {
    this.index.remove(hash, ref)
    if ((flags & FLAG_EXPIRES) !== 0) this.expires.remove(hash, ref)
    if ((flags & FLAG_LONG_KEY) !== 0) {
      this.#store.release(segment.readUInt32LE(at + HEADER_BYTES + ((flags & FLAG_EXPIRES) << 3)))
    }
    this.#store.slab.free(ref, recordBytes(segment, at))
  }

  /** Hands the value over to another key (of this or another database), which must not exist. Returns its reference. */
  transfer(hash: number, ref: number, to: Keyspace, toHash: number, key: Uint8Array): number {
    const store = this.#store
    this.beforeChange(hash, ref)
    const expireAt = store.expireAt(ref)
    const clock = store.clock(ref)
    const type = store.type(ref)
    const encoding = store.encoding(ref)
    let moved: number
    if (store.hasHandle(ref)) {
      const segment = store.segment(ref)
      const at = (ref & UNIT_MASK) << UNIT_SHIFT
      const handle = segment.readUInt32LE(valueOffset(segment, at, segment[at + 1]!))
      this.#unlink(hash, ref, segment, at, segment[at + 1]!)
      moved = to.#putHandle(toHash, key, 0, key.length, 0, type, encoding, handle, expireAt)
    } else {
      store.read(ref)
      const bytes = Buffer.from(store.bytes.subarray(store.start, store.end))
      this.remove(hash, ref)
      moved = to.putBytes(toHash, key, 0, key.length, 0, type, encoding, bytes, 0, bytes.length, expireAt)
    }
    store.setClock(moved, clock)
    return moved
  }

  /** Removes every key. */
  clear(): void {
    const store = this.#store
    const size = this.index.size
    if (size === 0) return
    const refs: number[] = []
    const hashes: number[] = []
    this.index.visit(0, size, (ref, hash) => {
      refs.push(ref)
      hashes.push(hash)
    })
    this.index.clear()
    this.expires.clear()
    for (let i = 0; i < refs.length; i++) {
      const ref = refs[i]!
      if (store.walk !== null) store.walk.beforeChange(this, hashes[i]!, ref)
      const segment = store.segment(ref)
      const at = (ref & UNIT_MASK) << UNIT_SHIFT
      const flags = segment[at + 1]!
      if ((flags & FLAG_HANDLE) !== 0) store.release(segment.readUInt32LE(valueOffset(segment, at, flags)))
      if ((flags & FLAG_LONG_KEY) !== 0) {
        store.release(segment.readUInt32LE(at + HEADER_BYTES + ((flags & FLAG_EXPIRES) << 3)))
      }
      store.slab.free(ref, recordBytes(segment, at))
    }
  }

  /** Puts a record of this database into another chunk. False if the record is not of this database. */
  move(ref: number): boolean {
    const store = this.#store
    store.readKey(ref)
    const hash = hashBytes(store.keyBytes, store.keyStart, store.keyEnd)
    const segment = store.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    const size = recordBytes(segment, at)
    const target = store.slab.alloc(size)
    if (!this.index.replace(hash, ref, target)) {
      store.slab.free(target, size)
      return false
    }
    if ((segment[at + 1]! & FLAG_EXPIRES) !== 0) this.expires.replace(hash, ref, target)
    segment.copy(store.segment(target), (target & UNIT_MASK) << UNIT_SHIFT, at, at + size)
    store.slab.free(ref, size)
    return true
  }

  /** Bytes of chunk and index slot that the key takes, without what lives outside the slab. */
  recordMemory(ref: number): number {
    return chunkBytes(recordBytes(this.#store.segment(ref), (ref & UNIT_MASK) << UNIT_SHIFT)) + 8
  }

  /**
   * A record for the key with room for `length` value bytes and its expire time set: the old one when the size class
   * stays, else a new one in its place. What the old value held outside the slab is released.
   */
  #makeRoom(
    hash: number,
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    ref: number,
    length: number,
    expireAt: number,
  ): number {
    const store = this.#store
    const keyLength = keyEnd - keyStart
    const longKey = keyLength > MAX_KEY_IN_RECORD
    const expires = expireAt !== NO_EXPIRE
    const size = HEADER_BYTES + (expires ? 8 : 0) + (longKey ? 4 : keyLength) + length
    if (ref === 0) return this.#insert(hash, key, keyStart, keyEnd, size, expireAt)
    if (store.walk !== null) store.walk.beforeChange(this, hash, ref)
    const segment = store.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    const flags = segment[at + 1]!
    if ((flags & FLAG_HANDLE) !== 0) store.release(segment.readUInt32LE(valueOffset(segment, at, flags)))
    const oldSize = recordBytes(segment, at)
    const had = (flags & FLAG_EXPIRES) !== 0
    if (had === expires && chunkBytes(size) === chunkBytes(oldSize)) {
      if (expires) store.slab.doubles[ref >>> SEGMENT_SHIFT]![(at + 8) >> 3] = expireAt
      return ref
    }
    const target = store.slab.alloc(size)
    const to = store.segment(target)
    const toAt = (target & UNIT_MASK) << UNIT_SHIFT
    for (let i = 0; i < HEADER_BYTES; i++) to[toAt + i] = segment[at + i]!
    const oldKey = at + HEADER_BYTES + (had ? 8 : 0)
    const newKey = toAt + HEADER_BYTES + (expires ? 8 : 0)
    copyBytes(segment, oldKey, longKey ? 4 : keyLength, to, newKey)
    if (expires) {
      to[toAt + 1]! |= FLAG_EXPIRES
      store.slab.doubles[target >>> SEGMENT_SHIFT]![(toAt + 8) >> 3] = expireAt
    } else {
      to[toAt + 1]! &= ~FLAG_EXPIRES
    }
    this.index.replace(hash, ref, target)
    if (had && expires) this.expires.replace(hash, ref, target)
    else if (had) this.expires.remove(hash, ref)
    else if (expires) this.expires.insert(hash, target)
    store.slab.free(ref, oldSize)
    return target
  }

  #insert(hash: number, key: Uint8Array, keyStart: number, keyEnd: number, size: number, expireAt: number): number {
    const store = this.#store
    const target = store.slab.alloc(size)
    const segment = store.segment(target)
    const at = (target & UNIT_MASK) << UNIT_SHIFT
    const keyLength = keyEnd - keyStart
    const clock = Keyspace.newClock
    let flags = 0
    let keyAt = at + HEADER_BYTES
    if (expireAt !== NO_EXPIRE) {
      flags |= FLAG_EXPIRES
      store.slab.doubles[target >>> SEGMENT_SHIFT]![(at + 8) >> 3] = expireAt
      keyAt += 8
    }
    if (keyLength > MAX_KEY_IN_RECORD) {
      flags |= FLAG_LONG_KEY
      segment[at + 5] = 0
      segment.writeUInt32LE(store.hold(Buffer.from(key.subarray(keyStart, keyEnd))), keyAt)
    } else {
      segment[at + 5] = keyLength
      copyBytes(key, keyStart, keyLength, segment, keyAt)
    }
    segment[at + 1] = flags
    segment[at + 2] = clock & 0xff
    segment[at + 3] = (clock >> 8) & 0xff
    segment[at + 4] = (clock >> 16) & 0xff
    this.index.insert(hash, target)
    if (expireAt !== NO_EXPIRE) this.expires.insert(hash, target)
    if (store.walk !== null) store.walk.inserted(this, hash, target)
    return target
  }
}

function recordBytes(segment: Uint8Array, at: number): number {
  return valueOffset(segment, at, segment[at + 1]!) - at + (segment[at + 6]! | (segment[at + 7]! << 8))
}

function setEncoding(segment: Uint8Array, ref: number, encoding: number): void {
  const at = (ref & UNIT_MASK) << UNIT_SHIFT
  segment[at] = (segment[at]! & 15) | (encoding << 4)
}

/** A loop beats a view for what most values are. */
function copyBytes(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length <= 64) {
    for (let i = 0; i < length; i++) to[at + i] = from[start + i]!
    return
  }
  to.set(from.subarray(start, start + length), at)
}
