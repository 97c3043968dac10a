/**
 * Bits of byte strings, bit 0 being the highest of the first byte: counting, searching, combining, and integers of any
 * width at any offset. Whole words where the bytes allow it. redis 7.0.15 bitops.c
 */
const POPCOUNT = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length)

/** Bits set in bytes[start, end). */
export function countBits(bytes: Uint8Array, start: number, end: number): number {
  let count = 0
  let at = start
  while (at < end && ((bytes.byteOffset + at) & 3) !== 0) count += POPCOUNT[bytes[at++]!]!
  const words = (end - at) >> 2
  if (words > 0) {
    const view = new Uint32Array(bytes.buffer, bytes.byteOffset + at, words)
    for (let i = 0; i < words; i++) {
      let word = view[i]!
      word -= (word >>> 1) & 0x55555555
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333)
      count += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
    }
    at += words * 4
  }
  while (at < end) count += POPCOUNT[bytes[at++]!]!
  return count
}

/** First bit of this value among bits [from, to) of bytes that begin at `start`; -1 if there is none. */
export function findBit(bytes: Uint8Array, start: number, from: number, to: number, bit: number): number {
  const skip = bit === 1 ? 0x00 : 0xff
  let at = from
  while (at < to) {
    const byte = bytes[start + Math.floor(at / 8)]!
    if (at % 8 === 0 && byte === skip) {
      at = skipBytes(bytes, start, at / 8, Math.floor((to + 7) / 8), skip) * 8
      continue
    }
    if (((byte >> (7 - (at % 8))) & 1) === bit) return at
    at++
  }
  return -1
}

/** Index of the first byte from `index` on that is not `skip`, at most `end`. */
function skipBytes(bytes: Uint8Array, start: number, index: number, end: number, skip: number): number {
  let at = index
  while (at < end && bytes[start + at] === skip && ((bytes.byteOffset + start + at) & 3) !== 0) at++
  const words = (end - at) >> 2
  if (words > 0 && bytes[start + at] === skip) {
    const word = skip === 0 ? 0 : 0xffffffff
    const view = new Uint32Array(bytes.buffer, bytes.byteOffset + start + at, words)
    let i = 0
    while (i < words && view[i] === word) i++
    at += i * 4
  }
  while (at < end && bytes[start + at] === skip) at++
  return at
}

/** The unsigned integer of `width` bits at bit `offset`, where bytes end at `end` and zeros follow. */
export function readBits(bytes: Uint8Array, start: number, end: number, offset: number, width: number): bigint {
  let value = 0n
  const first = Math.floor(offset / 8)
  const last = Math.floor((offset + width - 1) / 8)
  for (let i = first; i <= last; i++) {
    const at = start + i
    value = (value << 8n) | BigInt(at < end ? bytes[at]! : 0)
  }
  value >>= BigInt(7 - ((offset + width - 1) % 8))
  return BigInt.asUintN(width, value)
}

/** Writes the low `width` bits of `value` at bit `offset`; the bytes must be there. */
export function writeBits(bytes: Uint8Array, start: number, offset: number, width: number, value: bigint): void {
  const bits = BigInt.asUintN(width, value)
  for (let i = 0; i < width; i++) {
    const at = offset + i
    const index = start + Math.floor(at / 8)
    const mask = 1 << (7 - (at % 8))
    if (((bits >> BigInt(width - 1 - i)) & 1n) === 1n) bytes[index]! |= mask
    else bytes[index]! &= ~mask
  }
}
