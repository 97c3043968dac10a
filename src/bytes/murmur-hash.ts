/**
 * MurmurHash64A in halves of 32 bits, which HyperLogLogs are made with: 64 bits do not fit a number, and a BigInt for
 * each element would cost more than the hash. A product of 64 bits is three products of 32, of which only the lowest
 * needs its upper half, put together from four products of 16 bits. redis 7.0.15 hyperloglog.c MurmurHash64A
 */
const M_HIGH = 0xc6a4a793
const M_LOW = 0x5bd1e995
const M_LOW_1 = 0x5bd1
const M_LOW_0 = 0xe995

export class MurmurHash64 {
  /** Set by hash(): the halves, as signed 32-bit integers. */
  high = 0
  low = 0

  hash(bytes: Uint8Array, start: number, end: number, seed: number): void {
    const length = end - start
    const tail = end - (length & 7)
    this.#multiply(0, length)
    this.low ^= seed
    let high = this.high
    let low = this.low
    for (let at = start; at < tail; at += 8) {
      this.#multiply(word(bytes, at + 4), word(bytes, at))
      this.#multiply(this.high, this.low ^ (this.high >>> 15))
      this.#multiply(high ^ this.high, low ^ this.low)
      high = this.high
      low = this.low
    }
    if (tail < end) {
      for (let at = tail; at < end; at++) {
        const shift = (at - tail) * 8
        if (shift < 32) low ^= bytes[at]! << shift
        else high ^= bytes[at]! << (shift - 32)
      }
      this.#multiply(high, low)
      high = this.high
      low = this.low
    }
    this.#multiply(high, low ^ (high >>> 15))
    this.low ^= this.high >>> 15
  }

  /** Sets both halves to those of the product with M, modulo 2^64. */
  #multiply(high: number, low: number): void {
    const low1 = low >>> 16
    const low0 = low & 0xffff
    const middle = low0 * M_LOW_1 + ((low0 * M_LOW_0) >>> 16)
    const middle2 = low1 * M_LOW_0 + (middle & 0xffff)
    const carry = low1 * M_LOW_1 + (middle >>> 16) + (middle2 >>> 16)
    this.high = (carry + Math.imul(high, M_LOW) + Math.imul(low, M_HIGH)) | 0
    this.low = Math.imul(low, M_LOW)
  }
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}
