/**
 * Doubles as Redis reads and prints them. Reading follows strtod (redis 7.0.15 util.c string2d): the whole text, no space, hexadecimal
 * and "inf" allowed, nan, overflow and underflow to zero refused. Printing follows printf("%.17g"): 17 significant digits
 * with exact ties to even, where JavaScript's toPrecision rounds them up. Long doubles, which INCRBYFLOAT needs, are here
 * by the same names' side (long-double.ts).
 */
import {
  type BinaryFormat,
  exactFloat,
  floatKind,
  HEX,
  INFINITE,
  INVALID,
  isNegative,
  roundBinary,
} from './float-text.ts'

export {
  addLongDouble,
  doubleToLongDouble,
  formatLongDoubleHuman,
  LongDouble,
  parseLongDouble,
} from './long-double.ts'

const DOUBLE: BinaryFormat = { bits: 53, minExponent: -1074, maxPower: 1024 }

/** Up to this many digits a decimal is exact as an integer, and so is its power of ten: one division rounds correctly. */
const EXACT_DIGITS = 15
const POWERS_OF_TEN = Array.from({ length: EXACT_DIGITS + 1 }, (_, power) => 10 ** power)

/** redis 7.0.15 util.c double2ll: beyond ±LLONG_MAX/2 a score is printed as a double. */
const MAX_INTEGER_SCORE = 2 ** 62

/** The number that the whole text spells; NaN when it is none. */
export function parseDouble(buf: Uint8Array, start: number, end: number): number {
  const simple = parseSimple(buf, start, end)
  if (!Number.isNaN(simple)) return simple
  const kind = floatKind(buf, start, end)
  if (kind === INVALID) return Number.NaN
  const negative = isNegative(buf, start)
  if (kind === INFINITE) return negative ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  if (kind === HEX) return parseHex(buf, start, end, negative)
  const value = Number(Buffer.from(buf.buffer, buf.byteOffset + start, end - start).toString('latin1'))
  if (value === 0) return hasNonZeroDigit(buf, start, end) ? Number.NaN : value
  return Number.isFinite(value) ? value : Number.NaN
}

/** Digits with at most one point, few enough to be exact; NaN for anything else. */
function parseSimple(buf: Uint8Array, start: number, end: number): number {
  let pos = start
  const negative = pos < end && buf[pos] === 0x2d
  if (negative) pos++
  if (end - pos > EXACT_DIGITS + 1) return Number.NaN
  let value = 0
  let digits = 0
  let point = -1
  for (; pos < end; pos++) {
    const digit = buf[pos]! - 0x30
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit
      digits++
    } else if (digit === -2 && point < 0) {
      point = digits
    } else {
      return Number.NaN
    }
  }
  if (digits === 0 || digits > EXACT_DIGITS) return Number.NaN
  if (point >= 0 && digits > point) value /= POWERS_OF_TEN[digits - point]!
  return negative ? -value : value
}

function parseHex(buf: Uint8Array, start: number, end: number, negative: boolean): number {
  const exact = exactFloat(buf, start, end, HEX)
  if (exact.mantissa === 0n) return negative ? -0 : 0
  const rounded = roundBinary(exact.mantissa, exact.exponent, DOUBLE)
  if (rounded === undefined || rounded.mantissa === 0n) return Number.NaN
  const value = Number(rounded.mantissa) * 2 ** rounded.exponent
  return negative ? -value : value
}

/** Whether a digit before the exponent is not zero. */
function hasNonZeroDigit(buf: Uint8Array, start: number, end: number): boolean {
  for (let pos = start; pos < end; pos++) {
    const byte = buf[pos]!
    if ((byte | 0x20) === 0x65) return false
    if (byte > 0x30 && byte <= 0x39) return true
  }
  return false
}

/** printf("%.17g", x), with "inf" and "-inf" (redis 7.0.15 networking.c addReplyDouble). */
export function formatDouble17(x: number): string {
  if (Number.isSafeInteger(x)) return x === 0 && 1 / x < 0 ? '-0' : String(x)
  if (Number.isNaN(x)) return 'nan'
  if (x === Number.POSITIVE_INFINITY) return 'inf'
  if (x === Number.NEGATIVE_INFINITY) return '-inf'
  const text = isTieAt17(x) ? tieToEven(x) : x.toExponential(16)
  const mark = text.indexOf('e')
  const exponent = Number(text.slice(mark + 1))
  const sign = x < 0 ? '-' : ''
  const from = sign.length
  const digits = trimZeros(text[from]! + text.slice(from + 2, mark))
  if (exponent < -4 || exponent >= 17) {
    const magnitude = Math.abs(exponent)
    const point = digits.length > 1 ? `.${digits.slice(1)}` : ''
    return `${sign}${digits[0]}${point}e${exponent < 0 ? '-' : '+'}${magnitude < 10 ? '0' : ''}${magnitude}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, '0')
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
}

/**
 * Whether the exact decimal expansion has 18 significant digits, the last of them 5. Then x has j binary places, 1 to 25,
 * since 18 digits hold no multiple of 5^26; the product is the cheap test that nearly all doubles fail.
 */
function isTieAt17(x: number): boolean {
  return Number.isInteger(x * 2 ** 25) && /^-?\d\.\d{16}50{20}e/.test(x.toExponential(37))
}

/** x with 17 digits, of the two nearest the one whose last digit is even. */
function tieToEven(x: number): string {
  const exact = x.toExponential(17)
  const mark = exact.indexOf('e')
  const below = exact.slice(0, mark - 1)
  const last = below.charCodeAt(below.length - 1)
  return (last & 1) === 0 ? below + exact.slice(mark) : x.toExponential(16)
}

function trimZeros(digits: string): string {
  let end = digits.length
  while (end > 1 && digits.charCodeAt(end - 1) === 0x30) end--
  return digits.slice(0, end)
}

/** A score as a sorted set prints it (redis 7.0.15 util.c d2string): an integer where it is one, otherwise 17 digits. */
export function formatScore(x: number): string {
  if (x >= -MAX_INTEGER_SCORE && x <= MAX_INTEGER_SCORE && Number.isInteger(x) && !Number.isSafeInteger(x)) {
    return BigInt(x).toString()
  }
  return formatDouble17(x)
}
