/**
 * Changes to packed values. A listpack is copied out of its record, changed, and written back: two short copies and no
 * object. Whoever changes one value at a time shares the one buffer here; nothing is kept in it from one command to the next.
 */
import {
  entryBytes,
  findEntry,
  frameListpack,
  LISTPACK_HEADER,
  listpackLength,
  nextEntry,
  writeEntry,
} from '../encodings/listpack.ts'
import type { Keyspace } from '../keyspace.ts'
import { ENCODING_LISTPACK } from '../record.ts'
import type { LargeString, Store } from '../store.ts'

/** One that was too long for its record goes back into it when it is this short. */
const BACK_IN_RECORD_BYTES = 4096
const FIRST_BYTES = 16 * 1024
/** Buffers that a large value left behind are not kept. */
const KEPT_BYTES = 128 * 1024

let scratch = Buffer.allocUnsafeSlow(FIRST_BYTES)

function grow(length: number, kept: number): void {
  const grown = Buffer.allocUnsafeSlow(Math.max(length, scratch.length * 2))
  scratch.copy(grown, 0, 0, kept)
  scratch = grown
}

/**
 * One listpack that is being changed. Positions are indexes into `bytes`, which one that is too long for its record has
 * for itself: that is changed where it is, and must be saved once it is.
 */
export class ListpackEditor {
  bytes: Buffer = scratch
  /** Position of the end mark. */
  eof = LISTPACK_HEADER
  count = 0

  readonly first = LISTPACK_HEADER

  #large: LargeString | null = null
  #db: Keyspace | null = null
  #hash = 0
  #ref = 0
  #isNoted = false

  /** Begins with an empty one. */
  create(): void {
    this.bytes = scratch
    this.eof = LISTPACK_HEADER
    this.count = 0
    this.#large = null
  }

  /** Begins with that of a record. */
  open(store: Store, db: Keyspace, hash: number, ref: number): void {
    store.read(ref)
    const { bytes, start } = store
    const length = store.end - start
    this.count = listpackLength(bytes, start, store.end)
    this.eof = length - 1
    this.#large = store.largeString(ref) ?? null
    if (this.#large !== null) {
      this.bytes = bytes
      this.#db = db
      this.#hash = hash
      this.#ref = ref
      this.#isNoted = false
      return
    }
    if (scratch.length < length) grow(length, 0)
    if (length <= 128) for (let i = 0; i < length; i++) scratch[i] = bytes[start + i]!
    else bytes.copy(scratch, 0, start, start + length)
    this.bytes = scratch
  }

  /** Bytes of the whole listpack. */
  get length(): number {
    return this.eof + 1
  }

  /** The first entry from `from` on that equals the element, passing over `skip` after each; -1 if there is none. */
  find(element: Uint8Array, start: number, end: number, skip: number, from: number = this.first): number {
    return findEntry(this.bytes, from, this.eof, element, start, end, skip)
  }

  next(at: number): number {
    return nextEntry(this.bytes, at)
  }

  /** Puts an element before the entry at `at`, or at the end. Returns the position behind it. */
  insert(at: number, element: Uint8Array, start: number, end: number): number {
    return this.#splice(at, at, 0, element, start, end)
  }

  append(element: Uint8Array, start: number, end: number): void {
    this.#splice(this.eof, this.eof, 0, element, start, end)
  }

  /** Puts an element in the place of the entry at `at`. Returns the position behind it. */
  replace(at: number, element: Uint8Array, start: number, end: number): number {
    return this.#splice(at, nextEntry(this.bytes, at), 1, element, start, end)
  }

  /** Removes the entries of [at, next), which are so many. */
  remove(at: number, next: number, count: number): void {
    if (this.#large !== null) this.#makeRoom(this.#large, 0)
    this.bytes.copyWithin(at, next, this.eof)
    this.eof -= next - at
    this.count -= count
  }

  #splice(at: number, next: number, removed: number, element: Uint8Array, start: number, end: number): number {
    const size = entryBytes(element, start, end)
    const eof = this.eof + size - (next - at)
    if (this.#large !== null) {
      this.#makeRoom(this.#large, eof + 1)
    } else if (eof + 1 > scratch.length) {
      grow(eof + 1, this.eof)
      this.bytes = scratch
    }
    const { bytes } = this
    if (next < this.eof && at + size !== next) bytes.copyWithin(at + size, next, this.eof)
    writeEntry(bytes, at, element, start, end)
    this.eof = eof
    this.count += 1 - removed
    return at + size
  }

  /** For a change of a long one: the snapshot has its copy, and there is room for so many bytes. */
  #makeRoom(large: LargeString, length: number): void {
    const db = this.#db!
    if (length > large.bytes.length) {
      large.length = this.eof + 1
      db.writableString(this.#hash, this.#ref, length, ENCODING_LISTPACK)
      this.bytes = large.bytes
    } else if (!this.#isNoted) {
      db.beforeChange(this.#hash, this.#ref)
    }
    this.#isNoted = true
  }

  /** Writes it back to its record. Returns the reference of that, which may have changed. */
  save(db: Keyspace, hash: number, ref: number): number {
    const { length } = this
    const large = this.#large
    frameListpack(this.bytes, 0, length, this.count)
    this.#large = null
    if (large !== null) {
      large.length = length
      if (length > BACK_IN_RECORD_BYTES) return ref
    }
    const target = db.replaceBytes(hash, ref, ENCODING_LISTPACK, this.bytes, 0, length)
    this.#release()
    return target
  }

  /** Makes it the value of a new key. Returns its reference. */
  put(db: Keyspace, hash: number, key: Uint8Array, start: number, end: number, type: number, expireAt: number): number {
    frameListpack(this.bytes, 0, this.length, this.count)
    const ref = db.putBytes(hash, key, start, end, 0, type, ENCODING_LISTPACK, this.bytes, 0, this.length, expireAt)
    this.#release()
    return ref
  }

  #release(): void {
    if (scratch.length > KEPT_BYTES) scratch = Buffer.allocUnsafeSlow(FIRST_BYTES)
  }
}

/** The one that commands use for the value that they change. */
export const editor = new ListpackEditor()
