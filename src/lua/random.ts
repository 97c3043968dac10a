/**
 * The generator behind math.random: drand48's, written out so that a seed gives the same numbers everywhere
 * (redis 7.0.15 rand.c). State and multiplier are 48 bits: x = (x * 0x5deece66d + 11) mod 2^48; the result is the upper 31.
 */
const MULTIPLIER_LOW = 0xece66d
const MULTIPLIER_HIGH = 0x5de
const TWO_24 = 2 ** 24
const INITIAL_HIGH = 0x1234ab
const INITIAL_LOW = 0xcd330e
const SEED_LOW = 0x330e

/** One more than the largest number of next(). */
export const RANDOM_MAX = 0x7fffffff

export class Lrand48 {
  // Two halves of 24 bits, so that products stay exact.
  #high = INITIAL_HIGH
  #low = INITIAL_LOW

  /** 32 bits, signed or not. */
  seed(value: number): void {
    const bits = value >>> 0
    this.#high = bits >>> 8
    this.#low = ((bits & 0xff) << 16) | SEED_LOW
  }

  next(): number {
    const low = this.#low * MULTIPLIER_LOW + 0xb
    const carry = Math.floor(low / TWO_24)
    const high = this.#low * MULTIPLIER_HIGH + this.#high * MULTIPLIER_LOW + carry
    this.#low = low % TWO_24
    this.#high = high % TWO_24
    return this.#high * 128 + (this.#low >>> 17)
  }
}
