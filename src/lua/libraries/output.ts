/**
 * The growing buffer that a JSON text, a MessagePack stream or a packed structure is written to before it becomes one
 * Lua string. One is kept per library and used again by every call; what one huge value made it grow to is given back.
 */

const INITIAL_BYTES = 4096
const KEPT_BYTES = 1 << 20

/** Up to this length bytes are copied one by one, which is faster than the call that copies many. */
const SHORT_BYTES = 32

/** The NaN that x86-64 computes has its sign set; which one JavaScript writes is not defined. */
const NAN_FLOAT = 0xffc00000
const NAN_DOUBLE_UPPER = 0xfff80000

export class Output {
  /** Public for loops that write many bytes after reserve(): they advance `length` themselves. */
  bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  length = 0

  reset(): void {
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
    this.length = 0
  }

  /** Makes room for that many bytes more. */
  reserve(count: number): void {
    const needed = this.length + count
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.reserve(1)
    this.bytes[this.length++] = value
  }

  /** ASCII only. */
  text(text: string): void {
    this.reserve(text.length)
    for (let at = 0; at < text.length; at++) this.bytes[this.length++] = text.charCodeAt(at)
  }

  copy(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start)
    if (end - start <= SHORT_BYTES) {
      for (let at = start; at < end; at++) this.bytes[this.length++] = source[at]!
    } else {
      this.bytes.set(source.subarray(start, end), this.length)
      this.length += end - start
    }
  }

  zeros(count: number): void {
    this.reserve(count)
    this.bytes.fill(0, this.length, this.length + count)
    this.length += count
  }

  uint16(value: number): void {
    this.reserve(2)
    this.bytes[this.length++] = value >>> 8
    this.bytes[this.length++] = value
  }

  uint32(value: number): void {
    this.reserve(4)
    this.length = this.bytes.writeUInt32BE(value >>> 0, this.length)
  }

  float(value: number, littleEndian: boolean): void {
    this.reserve(4)
    if (Number.isNaN(value)) this.#integer(NAN_FLOAT, littleEndian)
    else if (littleEndian) this.length = this.bytes.writeFloatLE(value, this.length)
    else this.length = this.bytes.writeFloatBE(value, this.length)
  }

  double(value: number, littleEndian: boolean): void {
    this.reserve(8)
    if (Number.isNaN(value)) {
      this.#integer(littleEndian ? 0 : NAN_DOUBLE_UPPER, littleEndian)
      this.#integer(littleEndian ? NAN_DOUBLE_UPPER : 0, littleEndian)
    } else if (littleEndian) this.length = this.bytes.writeDoubleLE(value, this.length)
    else this.length = this.bytes.writeDoubleBE(value, this.length)
  }

  #integer(value: number, littleEndian: boolean): void {
    if (littleEndian) this.length = this.bytes.writeUInt32LE(value, this.length)
    else this.length = this.bytes.writeUInt32BE(value, this.length)
  }
}
