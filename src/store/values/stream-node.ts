/**
 * A node of a stream: some hundred entries in one listpack, ids relative to the node's own, and the field names of the
 * first entry said once. Bytes are those of Redis's nodes, which RDB and DUMP copy; the two counts in front change their
 * width as they grow, so they are kept as numbers and written when a listpack is asked for. redis 7.0.15 t_stream.c
 * streamAppendItem
 *
 *    listpack   count | deleted | BODY                       (all of them listpack entries)
 *    BODY       num-fields | field ... | 0 | ENTRY ENTRY ...
 *    ENTRY      flags | ms - id.ms | seq - id.seq | value ... | lp-count                             with SAME_FIELDS
 *               flags | ms - id.ms | seq - id.seq | num-fields | field value field value ... | lp-count
 *
 * lp-count is how many listpack entries are before it in its ENTRY, to go backwards. Flags are one byte and its backlen, so
 * that an entry is marked as deleted in place. A deleted entry stays until its node goes.
 */
import type { Request } from '../../resp/request.ts'
import {
  countEntries,
  EntryMatcher,
  frameListpack,
  integerAt,
  LISTPACK_FRAME,
  LISTPACK_HEADER,
  nextEntry,
  previousEntry,
  validateListpack,
  writeEntry,
  writeIntegerEntry,
} from '../encodings/listpack.ts'
import { StreamId } from './stream-id.ts'

export const ENTRY_DELETED = 1
export const ENTRY_SAME_FIELDS = 2

const WORD = 0x100000000
const INT64 = 0xf4
/** Most bytes of an integer as entry, and of a string besides its own. */
const INTEGER_ROOM = 10
const STRING_ROOM = 10
const MAX_PREALLOCATED = 4096
const FIRST_BYTES = 256
/** flags, ms, seq */
const FIXED = 3

const matcher = new EntryMatcher()
const scratch = Buffer.alloc(2 * INTEGER_ROOM)

/** Where fields and values are: arguments of a request. */
export type FieldSource = Pick<Request, 'buf' | 'start' | 'end'>

export class StreamNode {
  /** Its place among the nodes; no entry has a smaller id, as a rule (see Stream.append). */
  readonly id: StreamId
  /** Entries that are not deleted, and those that are. */
  count = 0
  deleted = 0
  /** The body is [0, length). */
  bytes: Buffer
  length = 0
  fieldCount = 0
  /** Where the field names begin, and where the entries do. */
  fieldsAt = 0
  entriesAt = 0

  constructor(id: StreamId, capacity: number) {
    this.id = id
    this.bytes = Buffer.allocUnsafeSlow(capacity)
  }

  /** An empty node with the names of fields that are every second argument from `first` on. */
  static create(id: StreamId, source: FieldSource, first: number, pairs: number, maxBytes: number): StreamNode {
    let names = 0
    for (let i = 0; i < pairs; i++) names += source.end(first + 2 * i) - source.start(first + 2 * i) + STRING_ROOM
    const usual = maxBytes > 0 && maxBytes < FIRST_BYTES ? maxBytes : FIRST_BYTES
    const node = new StreamNode(id.copy(), Math.max(usual, names + 2 * INTEGER_ROOM))
    const { bytes } = node
    let at = writeIntegerEntry(bytes, 0, pairs)
    node.fieldsAt = at
    for (let i = 0; i < pairs; i++) {
      at = writeEntry(bytes, at, source.buf, source.start(first + 2 * i), source.end(first + 2 * i))
    }
    at = writeIntegerEntry(bytes, at, 0)
    node.entriesAt = at
    node.length = at
    node.fieldCount = pairs
    return node
  }

  /**
   * The node that RDB has as this listpack, of which the body is copied; undefined unless all of it is what a Redis
   * would have written. redis 7.0.15 t_stream.c streamValidateListpackIntegrity
   */
  static load(id: StreamId, listpack: Buffer): StreamNode | undefined {
    if (!validateListpack(listpack, 0, listpack.length)) return undefined
    const eof = listpack.length - 1
    if (eof === LISTPACK_HEADER) return undefined
    const count = integerAt(listpack, LISTPACK_HEADER)
    const deletedAt = nextEntry(listpack, LISTPACK_HEADER)
    if (deletedAt >= eof) return undefined
    const deleted = integerAt(listpack, deletedAt)
    const body = nextEntry(listpack, deletedAt)
    if (!(count >= 0 && deleted >= 0) || count + deleted === 0 || body >= eof) return undefined
    const node = new StreamNode(id.copy(), eof - body)
    node.length = listpack.copy(node.bytes, 0, body, eof)
    node.count = count
    node.deleted = deleted
    return node.#isValid() ? node : undefined
  }

  /** Goes through the body, which is a run of listpack entries; sets what is known of the fields. */
  #isValid(): boolean {
    const { bytes, length } = this
    const fieldCount = integerAt(bytes, 0)
    if (!(fieldCount >= 0)) return false
    this.fieldCount = fieldCount
    this.fieldsAt = nextEntry(bytes, 0)
    const zeroAt = skip(bytes, this.fieldsAt, length, fieldCount)
    if (zeroAt >= length || integerAt(bytes, zeroAt) !== 0) return false
    this.entriesAt = nextEntry(bytes, zeroAt)
    const previous = new StreamId()
    const id = new StreamId()
    let live = 0
    let deleted = 0
    let at = this.entriesAt
    while (at < length) {
      const flags = bytes[at]!
      const end = this.#validEntryEnd(at)
      if (end < 0) return false
      if ((flags & ENTRY_DELETED) !== 0) {
        deleted++
      } else {
        this.readId(at, id)
        // Tombstones may be out of order, after XSETID to an id before them.
        if (live > 0 && id.compare(previous) <= 0) return false
        previous.assign(id)
        live++
      }
      at = end
    }
    return live === this.count && deleted === this.deleted
  }

  /** Where the entry at `at` ends; -1 if it is none. */
  #validEntryEnd(start: number): number {
    const { bytes, length } = this
    const flags = bytes[start]!
    if (flags > 127) return -1
    let at = start
    for (let i = 0; i < FIXED; i++) {
      if (at >= length || Number.isNaN(integerAt(bytes, at))) return -1
      at = nextEntry(bytes, at)
    }
    let elements = this.fieldCount
    if ((flags & ENTRY_SAME_FIELDS) === 0) {
      if (at >= length) return -1
      elements = integerAt(bytes, at) * 2
      if (!(elements >= 0)) return -1
      at = nextEntry(bytes, at)
    }
    at = skip(bytes, at, length, elements)
    const expected = elements + FIXED + ((flags & ENTRY_SAME_FIELDS) === 0 ? 1 : 0)
    if (at >= length || integerAt(bytes, at) !== expected) return -1
    return nextEntry(bytes, at)
  }

  /** Bytes of its listpack. */
  get listpackBytes(): number {
    const head = writeIntegerEntry(scratch, writeIntegerEntry(scratch, 0, this.count), this.deleted)
    return LISTPACK_FRAME + head + this.length
  }

  /** As RDB has it. */
  toListpack(): Buffer {
    const listpack = Buffer.allocUnsafe(this.listpackBytes)
    let at = writeIntegerEntry(listpack, LISTPACK_HEADER, this.count)
    at = writeIntegerEntry(listpack, at, this.deleted)
    this.bytes.copy(listpack, at, 0, this.length)
    frameListpack(listpack, 0, listpack.length, 2 + countEntries(this.bytes, 0, this.length))
    return listpack
  }

  clone(): StreamNode {
    const copy = new StreamNode(this.id.copy(), this.length)
    this.bytes.copy(copy.bytes, 0, 0, this.length)
    copy.length = this.length
    copy.count = this.count
    copy.deleted = this.deleted
    copy.fieldCount = this.fieldCount
    copy.fieldsAt = this.fieldsAt
    copy.entriesAt = this.entriesAt
    return copy
  }

  /** No entry will be added any more. */
  shrink(): void {
    if (this.bytes.length === this.length) return
    const exact = Buffer.allocUnsafeSlow(this.length)
    this.bytes.copy(exact, 0, 0, this.length)
    this.bytes = exact
  }

  /** Adds an entry whose `pairs` of field and value are the arguments from `first` on. */
  append(id: StreamId, source: FieldSource, first: number, pairs: number): void {
    const sameFields = this.#hasFields(source, first, pairs)
    let room = 6 * INTEGER_ROOM
    for (let i = first; i < first + 2 * pairs; i++) room += source.end(i) - source.start(i) + STRING_ROOM
    this.#reserve(room)
    const { bytes } = this
    const master = this.id
    let at = writeIntegerEntry(bytes, this.length, sameFields ? ENTRY_SAME_FIELDS : 0)
    at = writeDifference(bytes, at, id.msHigh, id.msLow, master.msHigh, master.msLow)
    at = writeDifference(bytes, at, id.seqHigh, id.seqLow, master.seqHigh, master.seqLow)
    if (!sameFields) at = writeIntegerEntry(bytes, at, pairs)
    for (let i = first; i < first + 2 * pairs; i += 2) {
      if (!sameFields) at = writeEntry(bytes, at, source.buf, source.start(i), source.end(i))
      at = writeEntry(bytes, at, source.buf, source.start(i + 1), source.end(i + 1))
    }
    this.length = writeIntegerEntry(bytes, at, FIXED + pairs + (sameFields ? 0 : pairs + 1))
    this.count++
  }

  #hasFields(source: FieldSource, first: number, pairs: number): boolean {
    if (pairs !== this.fieldCount) return false
    let at = this.fieldsAt
    for (let i = first; i < first + 2 * pairs; i += 2) {
      matcher.set(source.buf, source.start(i), source.end(i))
      if (!matcher.matches(this.bytes, at)) return false
      at = nextEntry(this.bytes, at)
    }
    return true
  }

  #reserve(room: number): void {
    const wanted = this.length + room
    const old = this.bytes.length
    if (wanted <= old) return
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, old < MAX_PREALLOCATED ? old * 2 : old + (old >> 2)))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  /** Sets `id` to that of the entry at `at`. */
  readId(at: number, id: StreamId): void {
    const { bytes } = this
    const master = this.id
    const msAt = at + 2
    const seqAt = nextEntry(bytes, msAt)
    const msLow = master.msLow + lowWord(bytes, msAt)
    const seqLow = master.seqLow + lowWord(bytes, seqAt)
    id.msHigh = (master.msHigh + highWord(bytes, msAt) + (msLow >= WORD ? 1 : 0)) >>> 0
    id.msLow = msLow >>> 0
    id.seqHigh = (master.seqHigh + highWord(bytes, seqAt) + (seqLow >= WORD ? 1 : 0)) >>> 0
    id.seqLow = seqLow >>> 0
  }

  /** Where the entry at `at` goes on behind its id: at num-fields, or at its first value. */
  behindId(at: number): number {
    return nextEntry(this.bytes, nextEntry(this.bytes, at + 2))
  }

  /** The position behind the entry at `at`. */
  entryEnd(at: number): number {
    const { bytes } = this
    let pos = this.behindId(at)
    let elements = this.fieldCount
    if ((bytes[at]! & ENTRY_SAME_FIELDS) === 0) {
      elements = integerAt(bytes, pos) * 2
      pos = nextEntry(bytes, pos)
    }
    // The values, and lp-count.
    for (let i = elements; i >= 0; i--) pos = nextEntry(bytes, pos)
    return pos
  }

  /** Where the entry that ends at `end` begins. */
  entryBefore(end: number): number {
    const { bytes } = this
    let at = previousEntry(bytes, end)
    for (let left = integerAt(bytes, at); left > 0; left--) at = previousEntry(bytes, at)
    return at
  }

  isDeleted(at: number): boolean {
    return (this.bytes[at]! & ENTRY_DELETED) !== 0
  }

  /** Marks the entry at `at`, which is not deleted yet. */
  markDeleted(at: number): void {
    this.bytes[at]! |= ENTRY_DELETED
    this.count--
    this.deleted++
  }
}

/** The position `count` entries on; `eof` if there are not so many. */
function skip(bytes: Buffer, from: number, eof: number, count: number): number {
  let at = from
  for (let left = count; left > 0 && at < eof; left--) at = nextEntry(bytes, at)
  return at
}

/** The words of the 64-bit integer at `at`: the upper one signed. */
function lowWord(bytes: Buffer, at: number): number {
  return bytes[at] === INT64 ? bytes.readUInt32LE(at + 1) : integerAt(bytes, at) >>> 0
}

function highWord(bytes: Buffer, at: number): number {
  if (bytes[at] === INT64) return bytes.readInt32LE(at + 5)
  return integerAt(bytes, at) < 0 ? -1 : 0
}

/** Writes a - b, modulo 2^64 and then taken as signed, as an entry. */
function writeDifference(to: Buffer, pos: number, aHigh: number, aLow: number, bHigh: number, bLow: number): number {
  const low = aLow - bLow
  const high = (aHigh - bHigh - (low < 0 ? 1 : 0)) | 0
  const value = high * WORD + (low >>> 0)
  if (Number.isSafeInteger(value)) return writeIntegerEntry(to, pos, value)
  to[pos] = INT64
  to.writeUInt32LE(low >>> 0, pos + 1)
  to.writeInt32LE(high, pos + 5)
  to[pos + 9] = 9
  return pos + 10
}
