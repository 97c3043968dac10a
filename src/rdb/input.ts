/**
 * The bytes of an RDB stream that have arrived, and the primitives to read them. "Not enough bytes yet" is a value: -1
 * or undefined, with `pos` where it was and `needed` saying how many bytes from there on it takes at least, so that the
 * caller tries again only then. Nothing is allocated by what a length claims: strings are views of what has arrived.
 */
import { writeInteger } from '../bytes/integers.ts'
import { lzfDecompress } from '../bytes/lzf.ts'
import {
  LENGTH_14BIT,
  LENGTH_32BIT,
  LENGTH_64BIT,
  LENGTH_ENCODED,
  RdbError,
  STRING_INT8,
  STRING_INT16,
  STRING_INT32,
  STRING_LZF,
} from './format.ts'

export const SHORT = -1
/** What one Buffer can hold; a longer string cannot be meant. */
const MAX_STRING_BYTES = 0xffffffff
/** LZF gives at most 264 bytes for three, so a longer original is a lie that must not be allocated. */
const LZF_MAX_RATIO = 88
const LZF_SLACK = 264

const EMPTY = Buffer.alloc(0)
const digits = Buffer.alloc(16)

export class RdbInput {
  bytes: Buffer = EMPTY
  pos = 0
  end = 0
  /** Offset of bytes[0] in the stream. */
  base = 0
  /** After a read that came to nothing: bytes from `pos` on that it takes at least. */
  needed = 0
  /** What is being read and of which key, for errors; kept by the callers. */
  reading = ''
  key: Buffer | undefined
  type: number | undefined

  /** Set by words(). */
  high = 0
  low = 0

  /** Set by length(): the value is a string encoding, not a length. */
  #encoded = false
  #headerBytes = 0

  get offset(): number {
    return this.base + this.pos
  }

  set(bytes: Buffer, base: number): void {
    this.bytes = bytes
    this.pos = 0
    this.end = bytes.length
    this.base = base
  }

  corrupt(reason: string): RdbError {
    return this.error('RDB_CORRUPT', reason)
  }

  error(code: RdbError['code'], reason: string): RdbError {
    const { key } = this
    return new RdbError(code, reason, this.offset, this.reading, key && Buffer.from(key), this.type)
  }

  /** Goes back to `start`, where an item began of which the last read found too little. */
  rewind(start: number): void {
    this.needed += this.pos - start
    this.pos = start
  }

  byte(): number {
    if (this.pos >= this.end) {
      this.needed = 1
      return SHORT
    }
    return this.bytes[this.pos++]!
  }

  /** True when `count` bytes are there. */
  has(count: number): boolean {
    if (this.end - this.pos >= count) return true
    this.needed = count
    return false
  }

  /** A length where no encoded string may be. redis 7.0.15 rdb.c rdbLoadLenByRef */
  length(): number {
    const value = this.#length()
    if (value >= 0) {
      if (this.#encoded) throw this.corrupt('Unexpected string encoding instead of a length')
      this.pos += this.#headerBytes
    }
    return value
  }

  /** A length of up to 64 bits, which length() would round, as two words of 32. False when it is not all there. */
  words(): boolean {
    const start = this.pos
    const value = this.length()
    if (value < 0) return false
    const isWide = this.bytes[start] === LENGTH_64BIT
    this.high = isWide ? this.bytes.readUInt32BE(start + 1) : 0
    this.low = isWide ? this.bytes.readUInt32BE(start + 5) : value
    return true
  }

  /** The length at pos, without passing over it: headerBytes says how far it reaches. */
  #length(): number {
    const { bytes, pos } = this
    this.#encoded = false
    if (!this.has(1)) return SHORT
    const first = bytes[pos]!
    const kind = first >> 6
    if (kind === 0) {
      this.#headerBytes = 1
      return first
    }
    if (kind === LENGTH_ENCODED) {
      this.#headerBytes = 1
      this.#encoded = true
      return first & 63
    }
    if (kind === LENGTH_14BIT) {
      if (!this.has(2)) return SHORT
      this.#headerBytes = 2
      return ((first & 63) << 8) | bytes[pos + 1]!
    }
    if (first === LENGTH_32BIT) {
      if (!this.has(5)) return SHORT
      this.#headerBytes = 5
      return bytes.readUInt32BE(pos + 1)
    }
    if (first !== LENGTH_64BIT) throw this.corrupt(`Unknown length encoding ${first} in rdbLoadLen()`)
    if (!this.has(9)) return SHORT
    this.#headerBytes = 9
    return bytes.readUInt32BE(pos + 1) * 0x100000000 + bytes.readUInt32BE(pos + 5)
  }

  /** A view of the stream's bytes, or a new buffer where they are encoded. */
  string(): Buffer | undefined {
    const length = this.#length()
    if (length < 0) return undefined
    if (this.#encoded) return this.#encodedString(length)
    if (length > MAX_STRING_BYTES) throw this.corrupt(`String of ${length} bytes`)
    const head = this.#headerBytes
    if (!this.has(head + length)) return undefined
    const start = this.pos + head
    this.pos = start + length
    return this.bytes.subarray(start, this.pos)
  }

  /** redis 7.0.15 rdb.c rdbLoadIntegerObject */
  #encodedString(encoding: number): Buffer | undefined {
    const at = this.pos + 1
    if (encoding === STRING_LZF) return this.#compressed()
    let value: number
    if (encoding === STRING_INT8) {
      if (!this.has(2)) return undefined
      value = this.bytes.readInt8(at)
    } else if (encoding === STRING_INT16) {
      if (!this.has(3)) return undefined
      value = this.bytes.readInt16LE(at)
    } else if (encoding === STRING_INT32) {
      if (!this.has(5)) return undefined
      value = this.bytes.readInt32LE(at)
    } else {
      throw this.corrupt(`Unknown RDB string encoding type ${encoding}`)
    }
    this.pos = at + (1 << encoding)
    return Buffer.from(digits.subarray(0, writeInteger(digits, 0, value)))
  }

  #compressed(): Buffer | undefined {
    const start = this.pos
    this.pos++
    const compressed = this.length()
    const original = compressed < 0 ? SHORT : this.length()
    if (original < 0) {
      this.rewind(start)
      return undefined
    }
    if (compressed > MAX_STRING_BYTES || original > compressed * LZF_MAX_RATIO + LZF_SLACK) {
      throw this.corrupt('Invalid LZF compressed string')
    }
    if (!this.has(compressed)) {
      this.rewind(start)
      return undefined
    }
    const out = lzfDecompress(this.bytes, this.pos, this.pos + compressed, original)
    if (out === undefined) throw this.corrupt('Invalid LZF compressed string')
    this.pos += compressed
    return out
  }

  /** A double of eight bytes, NaN included; check has(8) first. */
  double(): number {
    const value = this.bytes.readDoubleLE(this.pos)
    this.pos += 8
    return value
  }

  /** A signed 64-bit integer as a number; check has(8) first. */
  int64(): number {
    const low = this.bytes.readUInt32LE(this.pos)
    const high = this.bytes.readInt32LE(this.pos + 4)
    this.pos += 8
    return high * 0x100000000 + low
  }
}
