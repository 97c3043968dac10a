/**
 * HalfSipHash-1-3: a keyed 32-bit hash, so that nobody outside can choose keys that collide, and made of 32-bit
 * operations only, which is what JavaScript does fast (SipHash-1-2, as in redis siphash.c, needs 64 bits).
 * Source: Aumasson and Bernstein, SipHash reference code, halfsiphash.c.
 */
import { randomBytes } from 'node:crypto'

const seed = randomBytes(8)
const K0 = seed.readInt32LE(0)
const K1 = seed.readInt32LE(4)

/** Hash of buf[start, end) under this process's key, as an unsigned 32-bit number. */
export function hashBytes(buf: Uint8Array, start: number, end: number): number {
  let v0 = K0
  let v1 = K1
  let v2 = 0x6c796765 ^ K0
  let v3 = 0x74656462 ^ K1
  let pos = start
  const last = end - 3
  let rounds = 0
  let m = 0
  // Rounds: one a word, one for the tail with the length, three to finish.
  for (;;) {
    if (pos < last) {
      m = buf[pos]! | (buf[pos + 1]! << 8) | (buf[pos + 2]! << 16) | (buf[pos + 3]! << 24)
      pos += 4
    } else if (rounds === 0) {
      m = (end - start) << 24
      if (pos < end) m |= buf[pos]!
      if (pos + 1 < end) m |= buf[pos + 1]! << 8
      if (pos + 2 < end) m |= buf[pos + 2]! << 16
      rounds = 1
    } else {
      if (rounds === 4) return (v1 ^ v3) >>> 0
      if (rounds++ === 1) v2 ^= 0xff
      m = 0
    }
    v3 ^= m
    v0 = (v0 + v1) | 0
    v1 = (v1 << 5) | (v1 >>> 27)
    v1 ^= v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = (v3 << 8) | (v3 >>> 24)
    v3 ^= v2
    v0 = (v0 + v3) | 0
    v3 = (v3 << 7) | (v3 >>> 25)
    v3 ^= v0
    v2 = (v2 + v1) | 0
    v1 = (v1 << 13) | (v1 >>> 19)
    v1 ^= v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= m
  }
}
