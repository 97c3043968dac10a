/**
 * The store: numbered databases over one slab, and the values that do not fit into a record. No clock, no commands and
 * no sockets here; who calls brings the time. `read(ref)` and `readKey(ref)` set the store's own fields instead of
 * returning an object, so that looking at a value allocates nothing.
 */
import { Keyspace } from './keyspace.ts'
import {
  FLAG_EXPIRES,
  FLAG_HANDLE,
  FLAG_LONG_KEY,
  HEADER_BYTES,
  NO_EXPIRE,
  TYPE_STRING,
  valueOffset,
} from './record.ts'
import { SEGMENT_SHIFT, Slab, UNIT_MASK, UNIT_SHIFT } from './slab.ts'
import type { ElementTable } from './values/element-table.ts'
import type { Walk } from './walk.ts'

/** A string too long for a record. `shared`: some reply still refers to `bytes`, so they must be copied to be changed. */
export interface LargeString {
  bytes: Buffer
  length: number
  shared: boolean
}

/** A list, hash, set, sorted set or stream too large for a packed encoding. */
export interface Structure {
  /** Estimate of what it takes outside the slab. */
  readonly memoryBytes: number
  /** Where its elements are found by their bytes, if they are. */
  readonly table?: ElementTable
}

/** Function libraries: a part of the data set, though of no database. Snapshots save their code. */
export interface LibrarySource {
  codes(): Iterable<Buffer>
  /** Throws when the code is refused. */
  loadCode(code: Buffer, replaces: boolean): void
  flush(): void
}

const NO_LIBRARIES: LibrarySource = {
  codes: () => [],
  loadCode: () => {},
  flush: () => {},
}

const OBJECT_OVERHEAD_BYTES = 160
const EMPTY = Buffer.alloc(0)

export class Store {
  slab = new Slab()
  databases: Keyspace[]
  /** Set by who runs them. */
  libraries: LibrarySource = NO_LIBRARIES
  /** The snapshot walk under way; every change asks it first. */
  walk: Walk | null = null

  /** Set by read(): the bytes of a string or packed value. */
  bytes: Buffer = EMPTY
  start = 0
  end = 0
  /** Set by readKey(). */
  keyBytes: Buffer = EMPTY
  keyStart = 0
  keyEnd = 0

  #objects: (LargeString | Structure | Buffer | undefined)[] = []
  #freeHandles: number[] = []
  #largeBytes = 0
  /** What each structure was last counted with, by handle. */
  #counted: number[] = []
  #structureBytes = 0

  constructor(databases: number) {
    this.databases = Array.from({ length: databases }, (_, id) => new Keyspace(this, id))
  }

  segment(ref: number): Buffer {
    return this.slab.segments[ref >>> SEGMENT_SHIFT]!
  }

  type(ref: number): number {
    return this.segment(ref)[(ref & UNIT_MASK) << UNIT_SHIFT]! & 15
  }

  encoding(ref: number): number {
    return this.segment(ref)[(ref & UNIT_MASK) << UNIT_SHIFT]! >> 4
  }

  /** Unix time in milliseconds, NO_EXPIRE when it has none. */
  expireAt(ref: number): number {
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    if ((this.segment(ref)[at + 1]! & FLAG_EXPIRES) === 0) return NO_EXPIRE
    return this.slab.doubles[ref >>> SEGMENT_SHIFT]![(at + 8) >> 3]!
  }

  /** Its time was over at this Unix millisecond. */
  isExpired(ref: number, unixMs: number): boolean {
    const expireAt = this.expireAt(ref)
    return expireAt !== NO_EXPIRE && expireAt < unixMs
  }

  clock(ref: number): number {
    const segment = this.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    return segment[at + 2]! | (segment[at + 3]! << 8) | (segment[at + 4]! << 16)
  }

  setClock(ref: number, clock: number): void {
    const segment = this.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    segment[at + 2] = clock & 0xff
    segment[at + 3] = (clock >> 8) & 0xff
    segment[at + 4] = (clock >> 16) & 0xff
  }

  /** Points bytes/start/end at the value, which must be a string or packed. Valid until the next change. */
  read(ref: number): void {
    const segment = this.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    const flags = segment[at + 1]!
    const value = valueOffset(segment, at, flags)
    if ((flags & FLAG_HANDLE) !== 0) {
      const large = this.#objects[segment.readUInt32LE(value)] as LargeString
      this.bytes = large.bytes
      this.start = 0
      this.end = large.length
      return
    }
    this.bytes = segment
    this.start = value
    this.end = value + (segment[at + 6]! | (segment[at + 7]! << 8))
  }

  readKey(ref: number): void {
    const segment = this.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    const flags = segment[at + 1]!
    const key = at + HEADER_BYTES + ((flags & FLAG_EXPIRES) << 3)
    if ((flags & FLAG_LONG_KEY) !== 0) {
      this.keyBytes = this.#objects[segment.readUInt32LE(key)] as Buffer
      this.keyStart = 0
      this.keyEnd = this.keyBytes.length
      return
    }
    this.keyBytes = segment
    this.keyStart = key
    this.keyEnd = key + segment[at + 5]!
  }

  /** A copy of the key, to keep. */
  key(ref: number): Buffer {
    this.readKey(ref)
    return Buffer.from(this.keyBytes.subarray(this.keyStart, this.keyEnd))
  }

  keyEquals(ref: number, key: Uint8Array, start: number, end: number): boolean {
    const segment = this.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    const flags = segment[at + 1]!
    const length = end - start
    if ((flags & FLAG_LONG_KEY) !== 0) {
      this.readKey(ref)
      return length === this.keyEnd && this.keyBytes.compare(key, start, end) === 0
    }
    if (segment[at + 5] !== length) return false
    const own = at + HEADER_BYTES + ((flags & FLAG_EXPIRES) << 3)
    for (let i = 0; i < length; i++) if (segment[own + i] !== key[start + i]) return false
    return true
  }

  /** What structures take outside the slab. */
  get structureBytes(): number {
    return this.#structureBytes
  }

  /** The table of a large hash, set or sorted set, undefined for any other value. */
  elementTable(ref: number): ElementTable | undefined {
    return this.hasHandle(ref) ? (this.#object(ref) as Structure).table : undefined
  }

  hasHandle(ref: number): boolean {
    return (this.segment(ref)[((ref & UNIT_MASK) << UNIT_SHIFT) + 1]! & FLAG_HANDLE) !== 0
  }

  /** The large string behind a string record, undefined when its bytes are in the record. */
  largeString(ref: number): LargeString | undefined {
    return this.hasHandle(ref) ? (this.#object(ref) as LargeString) : undefined
  }

  /** The structure behind a record whose encoding is not packed. */
  structure<T extends Structure>(ref: number): T {
    return this.#object(ref) as T
  }

  #object(ref: number): LargeString | Structure | Buffer | undefined {
    const segment = this.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    return this.#objects[segment.readUInt32LE(valueOffset(segment, at, segment[at + 1]!))]
  }

  /** Keeps an object outside the slab; the handle goes into the record. */
  hold(object: LargeString | Structure | Buffer): number {
    const handle = this.#freeHandles.pop() ?? this.#objects.length
    this.#objects[handle] = object
    if (Buffer.isBuffer(object)) this.#largeBytes += object.length + OBJECT_OVERHEAD_BYTES
    else if ('bytes' in object) this.#largeBytes += object.bytes.length + OBJECT_OVERHEAD_BYTES
    else this.#count(handle, object.memoryBytes)
    return handle
  }

  release(handle: number): void {
    const object = this.#objects[handle]!
    if (Buffer.isBuffer(object)) this.#largeBytes -= object.length + OBJECT_OVERHEAD_BYTES
    else if ('bytes' in object) this.#largeBytes -= object.bytes.length + OBJECT_OVERHEAD_BYTES
    else this.#count(handle, 0)
    this.#objects[handle] = undefined
    this.#freeHandles.push(handle)
  }

  #count(handle: number, bytes: number): void {
    this.#structureBytes += bytes - (this.#counted[handle] ?? 0)
    this.#counted[handle] = bytes
  }

  /** Counts a record's structure anew after it changed. */
  recount(ref: number): void {
    if (!this.hasHandle(ref) || this.type(ref) === TYPE_STRING) return
    const segment = this.segment(ref)
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    const handle = segment.readUInt32LE(valueOffset(segment, at, segment[at + 1]!))
    const object = this.#objects[handle] as Structure | LargeString
    // A packed value too long for a record is kept as bytes, which hold() has counted.
    if (!('bytes' in object)) this.#count(handle, object.memoryBytes)
  }

  /** Empties all databases at once: the memory is handed back, nothing is visited. A walk must have been aborted. */
  clear(): void {
    for (const keyspace of this.databases) {
      keyspace.index.clear()
      keyspace.expires.clear()
    }
    this.slab = new Slab(this.slab)
    this.#objects = []
    this.#freeHandles = []
    this.#counted = []
    this.#largeBytes = 0
    this.#structureBytes = 0
  }

  /** Takes the place of all data here; the other store must not be used any more. Function libraries stay. */
  adopt(other: Store): void {
    this.databases.forEach((keyspace, id) => {
      keyspace.index = other.databases[id]!.index
      keyspace.expires = other.databases[id]!.expires
    })
    this.slab = other.slab
    this.#objects = other.#objects
    this.#freeHandles = other.#freeHandles
    this.#counted = other.#counted
    this.#largeBytes = other.#largeBytes
    this.#structureBytes = other.#structureBytes
  }

  /** Called when a large string's buffer was exchanged. */
  resized(deltaBytes: number): void {
    this.#largeBytes += deltaBytes
  }

  /** Bytes that the data set takes: records, index, and what lives outside the slab. */
  get dataBytes(): number {
    let bytes = this.slab.usedBytes + this.#largeBytes + this.#structureBytes
    for (const keyspace of this.databases) bytes += keyspace.indexBytes
    return bytes
  }

  /** Bytes outside the slab of one value. */
  externalBytes(ref: number): number {
    if (!this.hasHandle(ref)) return 0
    const object = this.#object(ref) as LargeString | Structure
    return 'bytes' in object ? object.bytes.length + OBJECT_OVERHEAD_BYTES : object.memoryBytes
  }

  get keys(): number {
    let keys = 0
    for (const keyspace of this.databases) keys += keyspace.size
    return keys
  }

  /**
   * Moves records out of sparse pages until `budget` records are moved. Returns false when nothing is left to do.
   * Only the index refers to records, so a move is a copy and one slot.
   */
  compact(budget: number): boolean {
    let moved = 0
    while (moved < budget) {
      const page = this.slab.sparsePage()
      if (page < 0) return false
      const refs = this.slab.evacuate(page)
      for (const ref of refs) {
        for (const keyspace of this.databases) if (keyspace.move(ref)) break
        moved++
      }
    }
    return true
  }
}
