/**
 * C's long double as it is on x86-64: a sign, 64 bits of mantissa and 15 bits of exponent, rounded to nearest even. INCRBYFLOAT
 * and HINCRBYFLOAT add in this type and print with 17 decimals, so a double would give other digits than Redis does (0.1 + 0.2
 * is 0.3 here). A finite value is mantissa × 2^exponent held exactly in a BigInt; addition is exact and then rounded once.
 * redis 7.0.15 util.c string2ld, ld2string (LD_STR_HUMAN).
 */
import {
  type BinaryFormat,
  bitLength,
  type ExactFloat,
  exactFloat,
  floatKind,
  HEX,
  INFINITE,
  INVALID,
  isNegative,
  roundBinary,
  shiftRightRounded,
} from './float-text.ts'

const EXTENDED: BinaryFormat = { bits: 64, minExponent: -16445, maxPower: 16384 }

/** redis 7.0.15 util.h MAX_LONG_DOUBLE_CHARS, with its terminating zero: a longer text is not a number. */
const MAX_TEXT = 5 * 1024

/** Decimal powers outside ±this are out of range for any text that MAX_TEXT lets through. */
const MAX_DECIMAL_POWER = 5000

/** Bits of a quotient that make it enough for rounding once a sticky bit is added. */
const QUOTIENT_BITS = 66

const DECIMALS = 17
const TEN_TO_DECIMALS = 10n ** BigInt(DECIMALS)

type Kind = 'finite' | 'infinite' | 'nan'

export class LongDouble {
  readonly #kind: Kind
  readonly negative: boolean
  /** Of a finite value: magnitude = mantissa × 2^exponent. */
  readonly mantissa: bigint
  readonly exponent: number

  constructor(kind: Kind, negative: boolean, mantissa = 0n, exponent = 0) {
    this.#kind = kind
    this.negative = negative
    this.mantissa = mantissa
    this.exponent = exponent
  }

  isFinite(): boolean {
    return this.#kind === 'finite'
  }

  isNaN(): boolean {
    return this.#kind === 'nan'
  }
}

const NAN = new LongDouble('nan', false)

function rounded(negative: boolean, mantissa: bigint, exponent: number): LongDouble {
  const value = roundBinary(mantissa, exponent, EXTENDED)
  if (value === undefined) return new LongDouble('infinite', negative)
  return new LongDouble('finite', negative, value.mantissa, value.exponent)
}

/** The number that the whole text spells, or undefined: not a number, too long, or out of range. "inf" is a number. */
export function parseLongDouble(buf: Uint8Array, start: number, end: number): LongDouble | undefined {
  if (end - start >= MAX_TEXT) return undefined
  const kind = floatKind(buf, start, end)
  if (kind === INVALID) return undefined
  const negative = isNegative(buf, start)
  if (kind === INFINITE) return new LongDouble('infinite', negative)
  const exact = exactFloat(buf, start, end, kind)
  if (exact.mantissa === 0n) return new LongDouble('finite', negative)
  const binary = kind === HEX ? exact : decimalToBinary(exact)
  if (binary === undefined) return undefined
  const value = rounded(negative, binary.mantissa, binary.exponent)
  return value.isFinite() && value.mantissa !== 0n ? value : undefined
}

/** A decimal as a binary value that rounds the same: exact, or at least 66 bits and a last bit that says "and more". */
function decimalToBinary(decimal: ExactFloat): ExactFloat | undefined {
  const { mantissa, exponent } = decimal
  const magnitude = mantissa.toString().length + exponent
  if (magnitude > MAX_DECIMAL_POWER || magnitude < -MAX_DECIMAL_POWER) return undefined
  if (exponent >= 0) return { mantissa: mantissa * 10n ** BigInt(exponent), exponent: 0 }
  const divisor = 10n ** BigInt(-exponent)
  const shift = Math.max(0, QUOTIENT_BITS + bitLength(divisor) - bitLength(mantissa))
  const dividend = mantissa << BigInt(shift)
  const quotient = dividend / divisor
  const sticky = quotient * divisor === dividend ? 0n : 1n
  return { mantissa: (quotient << 1n) | sticky, exponent: -shift - 1 }
}

const DOUBLE = new DataView(new ArrayBuffer(8))

/** The same value; every double is a long double. */
export function doubleToLongDouble(x: number): LongDouble {
  if (Number.isNaN(x)) return NAN
  DOUBLE.setFloat64(0, x)
  const bits = DOUBLE.getBigUint64(0)
  const negative = bits >> 63n === 1n
  if (x === Number.POSITIVE_INFINITY || x === Number.NEGATIVE_INFINITY) return new LongDouble('infinite', negative)
  const power = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & 0xf_ffff_ffff_ffffn
  if (power === 0) return new LongDouble('finite', negative, fraction, -1074)
  return new LongDouble('finite', negative, fraction | (1n << 52n), power - 1075)
}

export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble {
  if (a.isNaN() || b.isNaN()) return NAN
  if (!a.isFinite()) return b.isFinite() || a.negative === b.negative ? a : NAN
  if (!b.isFinite()) return b
  if (a.mantissa === 0n && b.mantissa === 0n) return new LongDouble('finite', a.negative && b.negative)
  const exponent = Math.min(a.exponent, b.exponent)
  const sum = aligned(a, exponent) + aligned(b, exponent)
  return sum < 0n ? rounded(true, -sum, exponent) : rounded(false, sum, exponent)
}

function aligned(x: LongDouble, exponent: number): bigint {
  const mantissa = x.mantissa << BigInt(x.exponent - exponent)
  return x.negative ? -mantissa : mantissa
}

/** As printf("%.17Lf") without trailing zeros and without a bare point; "inf", "-inf"; minus zero is "0". */
export function formatLongDoubleHuman(x: LongDouble): string {
  if (x.isNaN()) return 'nan'
  if (!x.isFinite()) return x.negative ? '-inf' : 'inf'
  const text = formatMagnitude(x)
  return x.negative && text !== '0' ? `-${text}` : text
}

function formatMagnitude(x: LongDouble): string {
  if (x.exponent >= 0) return (x.mantissa << BigInt(x.exponent)).toString()
  const scaled = shiftRightRounded(x.mantissa * TEN_TO_DECIMALS, -x.exponent)
  const digits = scaled.toString().padStart(DECIMALS + 1, '0')
  const point = digits.length - DECIMALS
  let end = digits.length
  while (end > point && digits.charCodeAt(end - 1) === 0x30) end--
  return end === point ? digits.slice(0, point) : `${digits.slice(0, point)}.${digits.slice(point, end)}`
}
