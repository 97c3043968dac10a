/**
 * How many different elements a HyperLogLog has seen, by how many of its registers have which value. The formula is that
 * of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284, computed in the order
 * in which Redis does, so that the results are equal. redis 7.0.15 hyperloglog.c hllCount, hllSigma, hllTau
 */
import { HLL_RANK_BITS, HLL_REGISTERS } from './hyperloglog-format.ts'

const ALPHA_INFINITE = 0.7213475204444817
const LONG_LIMIT = 2 ** 63

/** An array for histograms: registers have values up to 63, though no hash gives one above 51. */
export function newHistogram(): Int32Array {
  return new Int32Array(64)
}

/** The histogram of registers of a byte each. */
export function rawHistogram(registers: Uint8Array, histogram: Int32Array): void {
  for (let i = 0; i < HLL_REGISTERS; i++) histogram[registers[i]!]!++
}

/** An integer; -2^63, as C converts it, if the registers are such as no elements make. */
export function estimate(histogram: Int32Array): number {
  const m = HLL_REGISTERS
  let z = m * tau((m - histogram[HLL_RANK_BITS + 1]!) / m)
  for (let rank = HLL_RANK_BITS; rank >= 1; rank--) {
    z += histogram[rank]!
    z *= 0.5
  }
  z += m * sigma(histogram[0]! / m)
  const cardinality = Math.round((ALPHA_INFINITE * m * m) / z)
  return cardinality < LONG_LIMIT ? cardinality : -LONG_LIMIT
}

function sigma(fraction: number): number {
  if (fraction === 1) return Number.POSITIVE_INFINITY
  let x = fraction
  let y = 1
  let z = x
  let before: number
  do {
    x *= x
    before = z
    z += x * y
    y += y
  } while (before !== z)
  return z
}

function tau(fraction: number): number {
  if (fraction === 0 || fraction === 1) return 0
  let x = fraction
  let y = 1
  let z = 1 - x
  let before: number
  do {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) * (1 - x) * y
  } while (before !== z)
  return z / 3
}
