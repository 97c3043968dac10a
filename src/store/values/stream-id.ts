/**
 * The id of a stream entry: 64 bits of milliseconds and 64 bits of sequence, both unsigned. Kept as four numbers of 32 bits,
 * which is exact over the whole range, compares without BigInt and writes straight to the 16 big endian bytes of RDB:
 *
 *    msHigh * 2^32 + msLow  -  seqHigh * 2^32 + seqLow
 *
 * Ids are mutable and owned by who has them (a stream's lastId, a pending entry's id): copy() or assign() what is kept.
 */
import { writeInteger } from '../../bytes/integers.ts'

const WORD = 0x100000000
const MAX_WORD = 0xffffffff
/** Upper words below this make a safe integer with any lower word. */
const SAFE_HIGH = 0x200000
export const STREAM_ID_BYTES = 16
/** "18446744073709551615-18446744073709551615" */
export const STREAM_ID_MAX_TEXT = 41

const text = Buffer.alloc(STREAM_ID_MAX_TEXT)

export class StreamId {
  msHigh: number
  msLow: number
  seqHigh: number
  seqLow: number

  constructor(msHigh = 0, msLow = 0, seqHigh = 0, seqLow = 0) {
    this.msHigh = msHigh
    this.msLow = msLow
    this.seqHigh = seqHigh
    this.seqLow = seqLow
  }

  /** 18446744073709551615-18446744073709551615, the "+" of ranges. */
  static max(): StreamId {
    return new StreamId(MAX_WORD, MAX_WORD, MAX_WORD, MAX_WORD)
  }

  /** Of numbers that are safe integers. */
  static of(ms: number, seq: number): StreamId {
    const id = new StreamId()
    id.setMs(ms)
    id.setSeq(seq)
    return id
  }

  copy(): StreamId {
    return new StreamId(this.msHigh, this.msLow, this.seqHigh, this.seqLow)
  }

  assign(other: StreamId): void {
    this.msHigh = other.msHigh
    this.msLow = other.msLow
    this.seqHigh = other.seqHigh
    this.seqLow = other.seqLow
  }

  clear(): void {
    this.msHigh = 0
    this.msLow = 0
    this.seqHigh = 0
    this.seqLow = 0
  }

  /** A safe integer >= 0. */
  setMs(ms: number): void {
    this.msHigh = Math.floor(ms / WORD)
    this.msLow = ms % WORD
  }

  setSeq(seq: number): void {
    this.seqHigh = Math.floor(seq / WORD)
    this.seqLow = seq % WORD
  }

  setMaxSeq(): void {
    this.seqHigh = MAX_WORD
    this.seqLow = MAX_WORD
  }

  /** Rounded beyond 2^53. */
  get ms(): number {
    return this.msHigh * WORD + this.msLow
  }

  /** Rounded beyond 2^53. */
  get seq(): number {
    return this.seqHigh * WORD + this.seqLow
  }

  get isZero(): boolean {
    return (this.msHigh | this.msLow | this.seqHigh | this.seqLow) === 0
  }

  get isMax(): boolean {
    return this.msHigh === MAX_WORD && this.msLow === MAX_WORD && this.isMaxSeq
  }

  get isMaxSeq(): boolean {
    return this.seqHigh === MAX_WORD && this.seqLow === MAX_WORD
  }

  isSameMs(other: StreamId): boolean {
    return this.msLow === other.msLow && this.msHigh === other.msHigh
  }

  equals(other: StreamId): boolean {
    return this.isSameMs(other) && this.seqLow === other.seqLow && this.seqHigh === other.seqHigh
  }

  /** Less than (-1), equal to (0) or greater than (1) another. redis 7.0.15 t_stream.c streamCompareID */
  compare(other: StreamId): number {
    if (this.msHigh !== other.msHigh) return this.msHigh < other.msHigh ? -1 : 1
    if (this.msLow !== other.msLow) return this.msLow < other.msLow ? -1 : 1
    if (this.seqHigh !== other.seqHigh) return this.seqHigh < other.seqHigh ? -1 : 1
    if (this.seqLow !== other.seqLow) return this.seqLow < other.seqLow ? -1 : 1
    return 0
  }

  /** The next id. The greatest becomes 0-0 and gives false. redis 7.0.15 t_stream.c streamIncrID */
  increment(): boolean {
    if (this.seqLow !== MAX_WORD) {
      this.seqLow++
      return true
    }
    this.seqLow = 0
    if (this.seqHigh !== MAX_WORD) {
      this.seqHigh++
      return true
    }
    this.seqHigh = 0
    if (this.msLow !== MAX_WORD) {
      this.msLow++
      return true
    }
    this.msLow = 0
    if (this.msHigh !== MAX_WORD) {
      this.msHigh++
      return true
    }
    this.msHigh = 0
    return false
  }

  /** The id before. 0-0 becomes the greatest and gives false. redis 7.0.15 t_stream.c streamDecrID */
  decrement(): boolean {
    if (this.seqLow !== 0) {
      this.seqLow--
      return true
    }
    this.seqLow = MAX_WORD
    if (this.seqHigh !== 0) {
      this.seqHigh--
      return true
    }
    this.seqHigh = MAX_WORD
    if (this.msLow !== 0) {
      this.msLow--
      return true
    }
    this.msLow = MAX_WORD
    if (this.msHigh !== 0) {
      this.msHigh--
      return true
    }
    this.msHigh = MAX_WORD
    return false
  }

  /** Reads 16 bytes, big endian. */
  read(bytes: Buffer, pos: number): void {
    this.msHigh = bytes.readUInt32BE(pos)
    this.msLow = bytes.readUInt32BE(pos + 4)
    this.seqHigh = bytes.readUInt32BE(pos + 8)
    this.seqLow = bytes.readUInt32BE(pos + 12)
  }

  write(bytes: Buffer, pos: number): void {
    bytes.writeUInt32BE(this.msHigh, pos)
    bytes.writeUInt32BE(this.msLow, pos + 4)
    bytes.writeUInt32BE(this.seqHigh, pos + 8)
    bytes.writeUInt32BE(this.seqLow, pos + 12)
  }

  /** Writes "ms-seq" at pos and returns the position behind it; it takes up to STREAM_ID_MAX_TEXT bytes. */
  writeText(bytes: Buffer, pos: number): number {
    const at = writeWords(bytes, pos, this.msHigh, this.msLow)
    bytes[at] = 0x2d
    return writeWords(bytes, at + 1, this.seqHigh, this.seqLow)
  }

  /** "ms-seq" */
  toString(): string {
    return text.latin1Slice(0, this.writeText(text, 0))
  }
}

function writeWords(bytes: Buffer, pos: number, high: number, low: number): number {
  if (high < SAFE_HIGH) return writeInteger(bytes, pos, high * WORD + low)
  return pos + bytes.latin1Write(((BigInt(high) << 32n) | BigInt(low)).toString(), pos)
}
