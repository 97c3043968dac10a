/**
 * Where RDB bytes are written: fills one chunk after the other and hands each full one to a sink, which owns it from then
 * on. Bytes are copied into the chunk, because what they come from (a record in the slab) may change before the chunk is
 * on disk. The checksum is computed over whole chunks when they are handed over.
 */
import { Crc64 } from '../bytes/crc64.ts'
import { integerLength, parseInteger, writeInteger } from '../bytes/integers.ts'
import { lzfCompress } from '../bytes/lzf.ts'
import {
  LENGTH_14BIT,
  LENGTH_32BIT,
  LENGTH_64BIT,
  LENGTH_ENCODED,
  STRING_INT8,
  STRING_INT16,
  STRING_INT32,
  STRING_LZF,
} from './format.ts'

export const CHUNK_BYTES = 64 * 1024
/** Room that the small writes below want in the chunk. */
const SMALL = 16
const ENCODED = LENGTH_ENCODED << 6
/** redis 7.0.15 rdb.c rdbSaveRawString: longer ones cannot be a 32-bit integer, shorter ones are not compressed. */
const MAX_INTEGER_TEXT = 11
const MIN_COMPRESSIBLE = 20

export type ChunkSink = (chunk: Buffer) => void

export class RdbOutput {
  /** LZF for strings of more than 20 bytes (rdbcompression). */
  compress: boolean
  #sink: ChunkSink
  /** Size of the next chunk; small ones grow. */
  #chunkBytes: number
  #chunk: Buffer
  #pos = 0
  #handedOver = 0
  #checksum: Crc64 | null
  #summed = 0
  #digits = new Uint8Array(24)

  constructor(sink: ChunkSink, compress: boolean, checksum: boolean, chunkBytes = CHUNK_BYTES) {
    this.#sink = sink
    this.compress = compress
    this.#chunkBytes = chunkBytes
    this.#chunk = Buffer.allocUnsafeSlow(chunkBytes)
    this.#checksum = checksum ? new Crc64() : null
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#handedOver + this.#pos
  }

  byte(value: number): void {
    if (this.#pos === this.#chunk.length) this.#next()
    this.#chunk[this.#pos++] = value
  }

  /** redis 7.0.15 rdb.c rdbSaveLen */
  length(value: number): void {
    this.#room()
    const chunk = this.#chunk
    if (value < 64) {
      chunk[this.#pos++] = value
    } else if (value < 16384) {
      chunk[this.#pos++] = (value >> 8) | (LENGTH_14BIT << 6)
      chunk[this.#pos++] = value
    } else if (value <= 0xffffffff) {
      chunk[this.#pos++] = LENGTH_32BIT
      this.#pos = chunk.writeUInt32BE(value, this.#pos)
    } else {
      chunk[this.#pos++] = LENGTH_64BIT
      this.#pos = chunk.writeUInt32BE(Math.floor(value / 0x100000000), this.#pos)
      this.#pos = chunk.writeUInt32BE(value % 0x100000000, this.#pos)
    }
  }

  /** A length of up to 64 bits as two words of 32. */
  words(high: number, low: number): void {
    if (high === 0) {
      this.length(low)
      return
    }
    this.#room()
    this.#chunk[this.#pos++] = LENGTH_64BIT
    this.#pos = this.#chunk.writeUInt32BE(high, this.#pos)
    this.#pos = this.#chunk.writeUInt32BE(low, this.#pos)
  }

  /** As an integer if it is the text of one of 32 bits, compressed if that helps, else as it is. */
  string(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    if (length <= MAX_INTEGER_TEXT && this.#integer(parseInteger(bytes, start, end))) return
    if (this.compress && length > MIN_COMPRESSIBLE) {
      const compressed = lzfCompress(bytes, start, end)
      if (compressed !== undefined) {
        this.byte(ENCODED | STRING_LZF)
        this.length(compressed.length)
        this.length(length)
        this.raw(compressed, 0, compressed.length)
        return
      }
    }
    this.length(length)
    this.raw(bytes, start, end)
  }

  text(value: string): void {
    const bytes = Buffer.from(value, 'latin1')
    this.string(bytes, 0, bytes.length)
  }

  /** A safe integer as a string of its digits. */
  integerText(value: number): void {
    if (this.#integer(value)) return
    const length = integerLength(value)
    writeInteger(this.#digits, 0, value)
    this.length(length)
    this.raw(this.#digits, 0, length)
  }

  /** redis 7.0.15 rdb.c rdbEncodeInteger */
  #integer(value: number): boolean {
    if (!(value >= -0x80000000 && value <= 0x7fffffff)) return false
    this.#room()
    const chunk = this.#chunk
    if (value >= -128 && value <= 127) {
      chunk[this.#pos++] = ENCODED | STRING_INT8
      chunk[this.#pos++] = value
    } else if (value >= -32768 && value <= 32767) {
      chunk[this.#pos++] = ENCODED | STRING_INT16
      this.#pos = chunk.writeInt16LE(value, this.#pos)
    } else {
      chunk[this.#pos++] = ENCODED | STRING_INT32
      this.#pos = chunk.writeInt32LE(value, this.#pos)
    }
    return true
  }

  double(value: number): void {
    this.#room()
    this.#pos = this.#chunk.writeDoubleLE(value, this.#pos)
  }

  /** Milliseconds as a signed 64-bit integer. */
  milliseconds(value: number): void {
    this.#room()
    const high = Math.floor(value / 0x100000000)
    this.#pos = this.#chunk.writeUInt32LE(value - high * 0x100000000, this.#pos)
    this.#pos = this.#chunk.writeInt32LE(high | 0, this.#pos)
  }

  raw(bytes: Uint8Array, start: number, end: number): void {
    let from = start
    while (from < end) {
      if (this.#pos === this.#chunk.length) this.#next()
      const count = Math.min(end - from, this.#chunk.length - this.#pos)
      if (count <= 32) for (let i = 0; i < count; i++) this.#chunk[this.#pos + i] = bytes[from + i]!
      else this.#chunk.set(bytes.subarray(from, from + count), this.#pos)
      this.#pos += count
      from += count
    }
  }

  /** The CRC64 of all bytes so far, eight zeros when checksums are off (redis 7.0.15 rdb.c rdbSaveRio). */
  checksum(): void {
    this.#room()
    const chunk = this.#chunk
    const pos = this.#pos
    if (this.#checksum === null) {
      chunk.fill(0, pos, pos + 8)
    } else {
      this.#sum()
      this.#checksum.writeLE(chunk, pos)
    }
    this.#pos += 8
  }

  /** Hands over what is left. */
  flush(): void {
    if (this.#pos === 0) return
    this.#sum()
    const chunk = this.#chunk.subarray(0, this.#pos)
    this.#handedOver += this.#pos
    this.#chunk = EMPTY
    this.#pos = 0
    this.#summed = 0
    this.#sink(chunk)
  }

  #room(): void {
    if (this.#pos + SMALL > this.#chunk.length) this.#next()
  }

  #next(): void {
    this.flush()
    this.#chunk = Buffer.allocUnsafeSlow(this.#chunkBytes)
    this.#chunkBytes = Math.min(this.#chunkBytes * 2, CHUNK_BYTES)
  }

  #sum(): void {
    this.#checksum?.update(this.#chunk, this.#summed, this.#pos)
    this.#summed = this.#pos
  }
}

const EMPTY = Buffer.alloc(0)
