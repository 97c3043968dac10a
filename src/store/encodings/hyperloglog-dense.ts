/**
 * The dense representation of a HyperLogLog: 16384 registers of 6 bits, each from the lowest free bit of its byte on.
 *
 *    +--------+--------+--------+---
 *    |11000000|22221111|33333322|     register 1 has two bits of byte 0 and four of byte 1
 *    +--------+--------+--------+---
 *
 * `at` is always where the registers begin, behind the header. redis 7.0.15 hyperloglog.c HLL_DENSE_GET_REGISTER
 */
import { HLL_REGISTERS } from './hyperloglog-format.ts'

const REGISTER_MAX = 63

export function denseRegister(bytes: Uint8Array, at: number, index: number): number {
  const bit = index * 6
  const byte = at + (bit >>> 3)
  const shift = bit & 7
  const low = bytes[byte]! >> shift
  // The last register ends with the last byte, behind which nothing may be read.
  if (shift <= 2) return low & REGISTER_MAX
  return (low | (bytes[byte + 1]! << (8 - shift))) & REGISTER_MAX
}

export function setDenseRegister(bytes: Uint8Array, at: number, index: number, value: number): void {
  const bit = index * 6
  const byte = at + (bit >>> 3)
  const shift = bit & 7
  bytes[byte] = (bytes[byte]! & ~(REGISTER_MAX << shift)) | (value << shift)
  if (shift <= 2) return
  const rest = 8 - shift
  bytes[byte + 1] = (bytes[byte + 1]! & ~(REGISTER_MAX >> rest)) | (value >> rest)
}

/** Counts how many registers have each value. redis 7.0.15 hyperloglog.c hllDenseRegHisto */
export function denseHistogram(bytes: Uint8Array, at: number, histogram: Int32Array): void {
  const end = at + (HLL_REGISTERS * 6) / 8
  for (let i = at; i < end; i += 3) {
    const four = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16)
    histogram[four & REGISTER_MAX]!++
    histogram[(four >> 6) & REGISTER_MAX]!++
    histogram[(four >> 12) & REGISTER_MAX]!++
    histogram[four >> 18]!++
  }
}

/** Raises each of 16384 registers of a byte to that of the dense ones where it is less. */
export function mergeDense(bytes: Uint8Array, at: number, registers: Uint8Array): void {
  for (let i = 0, from = at; i < HLL_REGISTERS; i += 4, from += 3) {
    const four = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16)
    raise(registers, i, four & REGISTER_MAX)
    raise(registers, i + 1, (four >> 6) & REGISTER_MAX)
    raise(registers, i + 2, (four >> 12) & REGISTER_MAX)
    raise(registers, i + 3, four >> 18)
  }
}

function raise(registers: Uint8Array, index: number, value: number): void {
  if (registers[index]! < value) registers[index] = value
}

/** The opposite: registers of a byte each, none above 63, as dense ones. */
export function writeDense(registers: Uint8Array, bytes: Uint8Array, at: number): void {
  for (let i = 0, to = at; i < HLL_REGISTERS; i += 4, to += 3) {
    const four = registers[i]! | (registers[i + 1]! << 6) | (registers[i + 2]! << 12) | (registers[i + 3]! << 18)
    bytes[to] = four
    bytes[to + 1] = four >> 8
    bytes[to + 2] = four >> 16
  }
}
