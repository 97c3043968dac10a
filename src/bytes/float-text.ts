/**
 * The texts that C's strtod and strtold take, recognised in place, and correct rounding of exact binary values. JavaScript's Number()
 * knows neither hexadecimal floats nor "inf", and takes spaces and "0b1", which Redis does not; so the grammar is checked here
 * first and only then is a decimal given to Number(). Used by doubles.ts (53 bits) and long-double.ts (64 bits).
 *
 *   [+-] ( digits [. digits] [e [+-] digits] | 0x hex [. hex] [p [+-] digits] | inf | infinity )      any case, "nan" refused
 */
export const INVALID = 0
export const DECIMAL = 1
export const HEX = 2
export const INFINITE = 3
export type FloatKind = typeof INVALID | typeof DECIMAL | typeof HEX | typeof INFINITE

const PLUS = 0x2b
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const LETTER_E = 0x65
const LETTER_P = 0x70
const LETTER_X = 0x78

/** Written exponents beyond this are out of range in every format, whatever the digits. */
const MAX_EXPONENT = 2 ** 40

export function isNegative(buf: Uint8Array, start: number): boolean {
  return buf[start] === MINUS
}

/** Where the text goes on after an optional sign. */
export function afterSign(buf: Uint8Array, start: number, end: number): number {
  return start < end && (buf[start] === MINUS || buf[start] === PLUS) ? start + 1 : start
}

export function floatKind(buf: Uint8Array, start: number, end: number): FloatKind {
  const from = afterSign(buf, start, end)
  if (from >= end) return INVALID
  const first = buf[from]!
  if (first === ZERO && end - from > 2 && (buf[from + 1]! | 0x20) === LETTER_X) {
    return isNumber(buf, from + 2, end, 16, LETTER_P) ? HEX : INVALID
  }
  if (digitValue(first) < 10 || first === DOT) return isNumber(buf, from, end, 10, LETTER_E) ? DECIMAL : INVALID
  return isWord(buf, from, end, 'inf') || isWord(buf, from, end, 'infinity') ? INFINITE : INVALID
}

function isNumber(buf: Uint8Array, start: number, end: number, radix: number, exponentLetter: number): boolean {
  let pos = skipDigits(buf, start, end, radix)
  let digits = pos - start
  if (pos < end && buf[pos] === DOT) {
    const fraction = pos + 1
    pos = skipDigits(buf, fraction, end, radix)
    digits += pos - fraction
  }
  if (digits === 0) return false
  if (pos === end) return true
  if ((buf[pos]! | 0x20) !== exponentLetter) return false
  const exponent = afterSign(buf, pos + 1, end)
  return exponent < end && skipDigits(buf, exponent, end, 10) === end
}

function skipDigits(buf: Uint8Array, start: number, end: number, radix: number): number {
  let pos = start
  while (pos < end && digitValue(buf[pos]!) < radix) pos++
  return pos
}

function digitValue(byte: number): number {
  if (byte >= ZERO && byte <= ZERO + 9) return byte - ZERO
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 99
}

function isWord(buf: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false
  for (let at = 0; at < word.length; at++) if ((buf[start + at]! | 0x20) !== word.charCodeAt(at)) return false
  return true
}

/** mantissa × 10^exponent or mantissa × 2^exponent, not negative. */
export interface ExactFloat {
  mantissa: bigint
  exponent: number
}

/** The value of a text of kind DECIMAL (as mantissa × 10^exponent) or HEX (as mantissa × 2^exponent), without its sign. */
export function exactFloat(buf: Uint8Array, start: number, end: number, kind: FloatKind): ExactFloat {
  const hex = kind === HEX
  const from = afterSign(buf, start, end) + (hex ? 2 : 0)
  const text = Buffer.from(buf.buffer, buf.byteOffset + from, end - from)
    .toString('latin1')
    .toLowerCase()
  const mark = text.indexOf(hex ? 'p' : 'e')
  const number = mark < 0 ? text : text.slice(0, mark)
  const written = mark < 0 ? 0 : Number(text.slice(mark + 1))
  const dot = number.indexOf('.')
  const digits = dot < 0 ? number : number.slice(0, dot) + number.slice(dot + 1)
  const places = dot < 0 ? 0 : number.length - dot - 1
  const exponent = written - places * (hex ? 4 : 1)
  return {
    mantissa: BigInt((hex ? '0x' : '') + digits),
    exponent: Math.max(-MAX_EXPONENT, Math.min(MAX_EXPONENT, exponent)),
  }
}

/** A binary floating-point format: bits of mantissa, the exponent of its smallest value, and the power of two it stays below. */
export interface BinaryFormat {
  bits: number
  minExponent: number
  maxPower: number
}

/** mantissa × 2^exponent rounded to the nearest value of the format, ties to even; undefined when that is out of its range. */
export function roundBinary(mantissa: bigint, exponent: number, format: BinaryFormat): ExactFloat | undefined {
  const length = bitLength(mantissa)
  if (length + exponent > format.maxPower) return undefined
  const drop = Math.max(length - format.bits, format.minExponent - exponent)
  if (drop <= 0 || mantissa === 0n) return { mantissa, exponent }
  if (drop > length + 1) return { mantissa: 0n, exponent: format.minExponent }
  const rounded = shiftRightRounded(mantissa, drop)
  if (bitLength(rounded) + exponent + drop > format.maxPower) return undefined
  return { mantissa: rounded, exponent: exponent + drop }
}

/** value / 2^count, rounded to the nearest integer, ties to even. */
export function shiftRightRounded(value: bigint, count: number): bigint {
  const quotient = value >> BigInt(count)
  const rest = value - (quotient << BigInt(count))
  const half = 1n << BigInt(count - 1)
  if (rest < half || (rest === half && (quotient & 1n) === 0n)) return quotient
  return quotient + 1n
}

export function bitLength(value: bigint): number {
  if (value === 0n) return 0
  const hex = value.toString(16)
  return hex.length * 4 - Math.clz32(Number.parseInt(hex[0]!, 16)) + 28
}
