/**
 * A hash table of byte strings, each with a value or without: what large sets, hashes and sorted sets are made of. Like
 * the keyspace it keeps nothing in the JavaScript heap but a few objects: an index by hash (key-index.ts), and entries
 * written one behind the other into chunks.
 *
 *    entry   [length u8, or 0xff and u32][value's length, the same; only where values vary][bytes][value]
 *    ref     1 + (chunk << 14 | offset / 4), so entries begin at multiples of 4
 *
 * The first chunk doubles up to 64 KiB, then there are more of that size; an entry of more than a quarter of that has a
 * chunk of its own. What is removed stays as garbage until less than half of its chunk is in use, then the rest is moved.
 * So a reference is valid until the next change, and so is what read() and readValue() point at.
 */
import { hashBytes } from '../../bytes/siphash.ts'
import { KeyIndex } from '../key-index.ts'

const CHUNK_SHIFT = 14
const OFFSET_MASK = (1 << CHUNK_SHIFT) - 1
const CHUNK_BYTES = 64 * 1024
const OWN_CHUNK_BYTES = CHUNK_BYTES / 4
const FIRST_CHUNK_BYTES = 128
/** An empty table keeps a chunk of this size for what may come. */
const KEPT_CHUNK_BYTES = 1024
const MAX_CHUNKS = 1 << 18
/** Up to so many entries a random one is found by counting. */
const COUNTED_SIZE = 128
const LONG = 0xff
const OBJECT_BYTES = 400
const CHUNK_OVERHEAD_BYTES = 120

/** Length of values: fixed, or told by each entry. */
export const VALUES_VARY = -1
const EMPTY = Buffer.alloc(0)

/** Told that an entry is at another place from now on. The old place can still be read. */
export type Moved = (from: number, to: number) => void

export class ElementTable {
  /** Set by read() and readValue(). */
  bytes: Buffer = EMPTY
  start = 0
  end = 0
  onMoved: Moved | null = null

  #valueBytes: number
  #index = new KeyIndex()
  #chunks: Buffer[] = []
  #used: number[] = []
  #live: number[] = []
  #freeChunks: number[] = []
  #current = -1
  #chunkBytes = 0

  /** `valueBytes`: length of each entry's value, or VALUES_VARY. */
  constructor(valueBytes: number) {
    this.#valueBytes = valueBytes
  }

  get size(): number {
    return this.#index.size
  }

  get memoryBytes(): number {
    return OBJECT_BYTES + this.#index.bytes + this.#chunkBytes
  }

  /** Slots of the hash index. */
  get slots(): number {
    return this.#index.slots
  }

  /** The entry of a key, 0 if there is none. */
  find(hash: number, key: Uint8Array, start: number, end: number): number {
    const index = this.#index
    let ref = index.first(hash)
    while (ref !== 0 && !this.#equals(ref, key, start, end)) ref = index.next(hash)
    return ref
  }

  /** Reads where a key's slot is, and then where its entry is, to have them at hand: see look-ahead.ts. */
  touchSlot(hash: number): number {
    return this.#index.touch(hash)
  }

  touchEntry(hash: number): number {
    const ref = this.#index.first(hash)
    return ref === 0 ? 0 : this.#chunks[(ref - 1) >>> CHUNK_SHIFT]![((ref - 1) & OFFSET_MASK) << 2]!
  }

  #equals(ref: number, key: Uint8Array, start: number, end: number): boolean {
    this.read(ref)
    const length = end - start
    if (this.end - this.start !== length) return false
    const own = this.start
    const { bytes } = this
    for (let i = 0; i < length; i++) if (bytes[own + i] !== key[start + i]) return false
    return true
  }

  /** Points bytes, start and end at the entry's key. */
  read(ref: number): void {
    const chunk = this.#chunks[(ref - 1) >>> CHUNK_SHIFT]!
    let at = ((ref - 1) & OFFSET_MASK) << 2
    let length = chunk[at++]!
    if (length === LONG) {
      length = chunk.readUInt32LE(at)
      at += 4
    }
    if (this.#valueBytes === VALUES_VARY) at += chunk[at] === LONG ? 5 : 1
    this.bytes = chunk
    this.start = at
    this.end = at + length
  }

  /** Points bytes, start and end at the entry's value. */
  readValue(ref: number): void {
    const chunk = this.#chunks[(ref - 1) >>> CHUNK_SHIFT]!
    let at = ((ref - 1) & OFFSET_MASK) << 2
    let length = chunk[at++]!
    if (length === LONG) {
      length = chunk.readUInt32LE(at)
      at += 4
    }
    let valueLength = this.#valueBytes
    if (valueLength === VALUES_VARY) {
      valueLength = chunk[at++]!
      if (valueLength === LONG) {
        valueLength = chunk.readUInt32LE(at)
        at += 4
      }
    }
    this.bytes = chunk
    this.start = at + length
    this.end = this.start + valueLength
  }

  /** Adds a key that is not there. Returns its reference. */
  insert(
    hash: number,
    key: Uint8Array,
    start: number,
    end: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): number {
    const ref = this.#write(key, start, end, value, valueStart, valueEnd)
    this.#index.insert(hash, ref)
    return ref
  }

  /** Gives an entry another value. Returns its reference, which may have changed. */
  setValue(hash: number, ref: number, value: Uint8Array, start: number, end: number): number {
    this.readValue(ref)
    if (this.end - this.start === end - start) {
      copyBytes(value, start, end - start, this.bytes, this.start)
      return ref
    }
    this.read(ref)
    const { bytes: key, start: keyStart, end: keyEnd } = this
    const moved = this.#write(key, keyStart, keyEnd, value, start, end)
    // Making room may have moved the old entry.
    const old = this.#isReferred(hash, ref) ? ref : this.find(hash, key, keyStart, keyEnd)
    this.#index.replace(hash, old, moved)
    this.#discard(old)
    return moved
  }

  remove(hash: number, ref: number): void {
    this.#index.remove(hash, ref)
    this.#discard(ref)
  }

  /** A random entry, 0 if there is none. */
  random(random: () => number): number {
    const { size } = this
    if (size > COUNTED_SIZE) return this.#index.random(random)
    // Where a few slots decide, drawing slots would not be fair.
    let drawn = 0
    this.#index.visit(0, Math.floor(random() * size) + 1, (ref) => {
      drawn = ref
    })
    return drawn
  }

  /** Entries by ascending hash: see KeyIndex.visit. Nothing may be changed meanwhile. */
  visit(from: number, count: number, visitor: (ref: number, hash: number) => void): number {
    return this.#index.visit(from, count, visitor)
  }

  /** All entries, in the order of visit(). */
  refs(): Uint32Array {
    const refs = new Uint32Array(this.size)
    let at = 0
    this.#index.visit(0, this.size, (ref) => {
      refs[at++] = ref
    })
    return refs
  }

  #write(key: Uint8Array, start: number, end: number, value: Uint8Array, valueStart: number, valueEnd: number): number {
    const length = end - start
    const valueLength = valueEnd - valueStart
    const varies = this.#valueBytes === VALUES_VARY
    let size = length + valueLength + (length < LONG ? 1 : 5)
    if (varies) size += valueLength < LONG ? 1 : 5
    const ref = this.#allocate(size)
    const chunk = this.#chunks[(ref - 1) >>> CHUNK_SHIFT]!
    let at = writeLength(chunk, ((ref - 1) & OFFSET_MASK) << 2, length)
    if (varies) at = writeLength(chunk, at, valueLength)
    copyBytes(key, start, length, chunk, at)
    copyBytes(value, valueStart, valueLength, chunk, at + length)
    return ref
  }

  /** Room for an entry: its reference. */
  #allocate(size: number): number {
    const aligned = (size + 3) & ~3
    if (aligned > OWN_CHUNK_BYTES) {
      const own = this.#addChunk(aligned)
      this.#used[own] = aligned
      this.#live[own] = aligned
      return 1 + own * (OFFSET_MASK + 1)
    }
    let chunk = this.#current
    if (chunk < 0 || this.#used[chunk]! + aligned > this.#chunks[chunk]!.length) chunk = this.#makeRoom(aligned)
    const at = this.#used[chunk]!
    this.#used[chunk] = at + aligned
    this.#live[chunk]! += aligned
    return 1 + chunk * (OFFSET_MASK + 1) + (at >> 2)
  }

  /** The current chunk is full: a larger or another one, after its garbage if half of it is. */
  #makeRoom(size: number): number {
    const full = this.#current
    if (full < 0) {
      this.#current = this.#addChunk(Math.max(FIRST_CHUNK_BYTES, roundUp(size)))
      return this.#current
    }
    const old = this.#chunks[full]!
    if (this.#live[full]! * 2 <= this.#used[full]! && this.#live[full]! + size <= old.length) {
      this.#current = this.#addChunk(old.length)
      this.#evacuate(full)
    } else if (old.length < CHUNK_BYTES) {
      const grown = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(old.length * 2, roundUp(old.length + size))))
      grown.set(old.subarray(0, this.#used[full]!))
      this.#chunkBytes += grown.length - old.length
      this.#chunks[full] = grown
    } else {
      this.#current = this.#addChunk(CHUNK_BYTES)
    }
    return this.#used[this.#current]! + size <= this.#chunks[this.#current]!.length
      ? this.#current
      : this.#makeRoom(size)
  }

  #addChunk(bytes: number): number {
    const index = this.#freeChunks.pop() ?? this.#chunks.length
    if (index >= MAX_CHUNKS) throw new Error('a value is full: its elements take 16 GiB')
    this.#chunks[index] = Buffer.allocUnsafeSlow(bytes)
    this.#used[index] = 0
    this.#live[index] = 0
    this.#chunkBytes += bytes + CHUNK_OVERHEAD_BYTES
    return index
  }

  #dropChunk(index: number): void {
    this.#chunkBytes -= this.#chunks[index]!.length + CHUNK_OVERHEAD_BYTES
    this.#chunks[index] = EMPTY
    this.#freeChunks.push(index)
  }

  /** The entry is no longer referred to. */
  #discard(ref: number): void {
    const chunk = (ref - 1) >>> CHUNK_SHIFT
    const at = ((ref - 1) & OFFSET_MASK) << 2
    const live = this.#live[chunk]! - this.#entryBytes(this.#chunks[chunk]!, at)
    this.#live[chunk] = live
    if (live === 0) {
      if (chunk === this.#current && this.#chunks[chunk]!.length <= KEPT_CHUNK_BYTES) {
        this.#used[chunk] = 0
        return
      }
      if (chunk === this.#current) this.#current = -1
      this.#dropChunk(chunk)
    } else if (chunk !== this.#current && live * 2 < this.#used[chunk]!) {
      this.#evacuate(chunk)
    }
  }

  #entryBytes(chunk: Buffer, at: number): number {
    let size = chunk[at]! === LONG ? 5 + chunk.readUInt32LE(at + 1) : 1 + chunk[at]!
    if (this.#valueBytes !== VALUES_VARY) {
      size += this.#valueBytes
    } else {
      const second = at + (chunk[at]! === LONG ? 5 : 1)
      size += chunk[second]! === LONG ? 5 + chunk.readUInt32LE(second + 1) : 1 + chunk[second]!
    }
    return (size + 3) & ~3
  }

  /** Moves what is in use of a chunk, which is not the current one, and lets go of it. */
  #evacuate(index: number): void {
    const chunk = this.#chunks[index]!
    const used = this.#used[index]!
    for (let at = 0; at < used; ) {
      const size = this.#entryBytes(chunk, at)
      const ref = 1 + index * (OFFSET_MASK + 1) + (at >> 2)
      this.read(ref)
      const hash = hashBytes(chunk, this.start, this.end)
      if (this.#isReferred(hash, ref)) {
        const to = this.#allocate(size)
        const target = this.#chunks[(to - 1) >>> CHUNK_SHIFT]!
        chunk.copy(target, ((to - 1) & OFFSET_MASK) << 2, at, at + size)
        this.#index.replace(hash, ref, to)
        if (this.onMoved !== null) this.onMoved(ref, to)
      }
      at += size
    }
    this.#dropChunk(index)
  }

  #isReferred(hash: number, ref: number): boolean {
    let found = this.#index.first(hash)
    while (found !== 0 && found !== ref) found = this.#index.next(hash)
    return found === ref
  }
}

function writeLength(chunk: Buffer, at: number, length: number): number {
  if (length < LONG) {
    chunk[at] = length
    return at + 1
  }
  chunk[at] = LONG
  return chunk.writeUInt32LE(length, at + 1)
}

function copyBytes(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length <= 128) for (let i = 0; i < length; i++) to[at + i] = from[start + i]!
  else to.set(from.subarray(start, start + length), at)
}

function roundUp(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes))
}
