/**
 * Numbers as the C code of Redis's script libraries sees them: printf("%.14g") and strtod, which JSON is written and
 * read with, and the casts between double and 64-bit integers that cmsgpack and struct rely on. JavaScript's own
 * conversions round ties up and know neither hexadecimal floats nor "inf". A strtod reads until its number ends; the
 * text it is given must end with a byte that is in no number, as a Lua string does with its zero.
 */
import { exactFloat, HEX, roundBinary } from '../../bytes/float-text.ts'

const DOUBLE = { bits: 53, minExponent: -1074, maxPower: 1024 }

const TWO_32 = 2 ** 32
const TWO_63 = 2 ** 63

/** Up to this many digits a decimal is an exact integer, and up to 10^22 a power of ten is an exact double. */
const EXACT_DIGITS = 15
const POWERS_OF_TEN = Array.from({ length: 23 }, (_, power) => Number(`1e${power}`))

/** Digits that are looked at behind the last one to tell an exact tie; see isTie. */
const TIE_ZEROS = '0'.repeat(20)

/** printf("%.*g", precision, x) for a precision of 1 to 17. */
export function formatG(x: number, precision: number): string {
  const magnitude = Math.abs(x)
  const limit = POWERS_OF_TEN[precision]!
  if (magnitude < limit && Number.isInteger(x)) return x === 0 && 1 / x < 0 ? '-0' : String(x)
  if (magnitude < limit && magnitude >= 1e-4) {
    // The shortest text that reads back as x is also its rounding to `precision` digits when it has no more of them.
    const text = String(x)
    const digits = text.length - (x < 0 ? 2 : 1) - (magnitude < 1 ? leadingZeros(text) : 0)
    if (digits <= precision && precision <= EXACT_DIGITS) return text
  }
  if (Number.isNaN(x)) return 'nan'
  if (magnitude === Number.POSITIVE_INFINITY) return x < 0 ? '-inf' : 'inf'
  return roundedG(x, precision)
}

/** The zeros of "0.00ddd" before its first other digit. */
function leadingZeros(text: string): number {
  let pos = text.charCodeAt(0) === 0x2d ? 1 : 0
  const from = pos
  for (; text.charCodeAt(pos) === 0x30 || text.charCodeAt(pos) === 0x2e; pos++);
  return pos - from - 1
}

function roundedG(x: number, precision: number): string {
  const text = isTie(x, precision) ? tieToEven(x, precision) : x.toExponential(precision - 1)
  const sign = x < 0 ? '-' : ''
  const mark = text.indexOf('e')
  const exponent = Number(text.slice(mark + 1))
  const from = sign.length
  const digits = (text[from]! + text.slice(from + 2, mark)).replace(/(?<=.)0+$/, '')
  if (exponent < -4 || exponent >= precision) {
    const power = Math.abs(exponent)
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${power < 10 ? '0' : ''}${power}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, '0')
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
}

/**
 * Whether x lies exactly between two decimals of that many digits: its expansion has one digit more, a 5. Such an x has
 * at most 25 binary places, since 18 digits hold no multiple of 5^26; nearly all doubles fail that cheap test.
 */
function isTie(x: number, precision: number): boolean {
  if (!Number.isInteger(x * 2 ** 25)) return false
  const text = x.toExponential(precision + TIE_ZEROS.length)
  const mark = text.indexOf('e')
  return text.slice(mark - TIE_ZEROS.length - 1, mark) === `5${TIE_ZEROS}`
}

/** toExponential rounds a tie away from zero; C takes the neighbour whose last digit is even. */
function tieToEven(x: number, precision: number): string {
  const exact = x.toExponential(precision)
  const mark = exact.indexOf('e')
  const below = exact.slice(0, precision === 1 ? mark - 2 : mark - 1)
  return (below.charCodeAt(below.length - 1) & 1) === 0 ? below + exact.slice(mark) : x.toExponential(precision - 1)
}

/** strtod: scan() leaves the number and where it ends; end equals the start when there is none. */
export class NumberScanner {
  value = 0
  end = 0

  scan(bytes: Uint8Array, start: number): void {
    const first = bytes[start]!
    const negative = first === 0x2d
    const from = negative || first === 0x2b ? start + 1 : start
    const digit = bytes[from]!
    if (digit === 0x30 && (bytes[from + 1]! | 0x20) === 0x78 && this.#scanHex(bytes, from + 2)) {
      if (negative) this.value = -this.value
      return
    }
    if (isDigit(digit) || digit === 0x2e) this.#scanDecimal(bytes, start, from)
    else this.#scanWord(bytes, start, from)
    if (negative) this.value = -this.value
  }

  #scanDecimal(bytes: Uint8Array, start: number, from: number): void {
    let pos = from
    let mantissa = 0
    let exponent = 0
    for (; isDigit(bytes[pos]!); pos++) mantissa = mantissa * 10 + bytes[pos]! - 0x30
    let digits = pos - from
    if (bytes[pos] === 0x2e) {
      const fraction = ++pos
      for (; isDigit(bytes[pos]!); pos++) mantissa = mantissa * 10 + bytes[pos]! - 0x30
      exponent = fraction - pos
      digits -= exponent
      if (digits === 0) {
        this.value = 0
        this.end = start
        return
      }
    }
    if ((bytes[pos]! | 0x20) === 0x65) {
      const sign = bytes[pos + 1]! === 0x2d ? -1 : 1
      let at = sign < 0 || bytes[pos + 1] === 0x2b ? pos + 2 : pos + 1
      if (isDigit(bytes[at]!)) {
        let written = 0
        for (; isDigit(bytes[at]!); at++) written = written * 10 + bytes[at]! - 0x30
        exponent += sign * written
        pos = at
      }
    }
    this.end = pos
    if (digits > EXACT_DIGITS || exponent > 22 || exponent < -22) {
      this.value = Number(Buffer.from(bytes.buffer, bytes.byteOffset + from, pos - from).latin1Slice())
    } else if (exponent === 0) this.value = mantissa
    else this.value = exponent < 0 ? mantissa / POWERS_OF_TEN[-exponent]! : mantissa * POWERS_OF_TEN[exponent]!
  }

  /** The number behind "0x"; false when no digit follows, and the number is the zero before the x. */
  #scanHex(bytes: Uint8Array, from: number): boolean {
    let pos = from
    let digits = 0
    for (; hexDigit(bytes[pos]!) >= 0; pos++) digits++
    if (bytes[pos] === 0x2e) {
      pos++
      for (; hexDigit(bytes[pos]!) >= 0; pos++) digits++
    }
    if (digits === 0) return false
    if ((bytes[pos]! | 0x20) === 0x70) {
      const at = bytes[pos + 1] === 0x2d || bytes[pos + 1] === 0x2b ? pos + 2 : pos + 1
      if (isDigit(bytes[at]!)) for (pos = at; isDigit(bytes[pos]!); pos++);
    }
    this.end = pos
    const { mantissa, exponent } = exactFloat(bytes, from - 2, pos, HEX)
    const rounded = mantissa === 0n ? undefined : roundBinary(mantissa, exponent, DOUBLE)
    if (rounded !== undefined) this.value = Number(rounded.mantissa) * 2 ** rounded.exponent
    else this.value = mantissa === 0n ? 0 : Number.POSITIVE_INFINITY
    return true
  }

  #scanWord(bytes: Uint8Array, start: number, from: number): void {
    this.value = 0
    this.end = start
    if (startsWith(bytes, from, 'inf')) {
      this.value = Number.POSITIVE_INFINITY
      this.end = from + (startsWith(bytes, from, 'infinity') ? 8 : 3)
    } else if (startsWith(bytes, from, 'nan')) {
      this.value = Number.NaN
      this.end = from + 3
      if (bytes[from + 3] !== 0x28) return
      let pos = from + 4
      for (; isWordByte(bytes[pos]!); pos++);
      if (bytes[pos] === 0x29) this.end = pos + 1
    }
  }
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

/** The value of a hexadecimal digit, or -1. */
export function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function isWordByte(byte: number): boolean {
  return isDigit(byte) || byte === 0x5f || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a)
}

/** Whether these bytes begin with the word, which is lower case, in any case. */
export function startsWith(bytes: Uint8Array, start: number, word: string): boolean {
  for (let at = 0; at < word.length; at++) if ((bytes[start + at]! | 0x20) !== word.charCodeAt(at)) return false
  return true
}

/** (int64_t)x as x86-64 computes it, as a double: -2^63 for what is out of range and for NaN. */
export function toInt64(x: number): number {
  return x >= -TWO_63 && x < TWO_63 ? Math.trunc(x) : -TWO_63
}

/** (int)(int64_t)x. */
export function toInt32(x: number): number {
  return toInt64(x) | 0
}

/** The upper and lower half of an integer-valued double in [-2^63, 2^64), in two's complement. */
export function upperHalf(x: number): number {
  return Math.floor(x / TWO_32) | 0
}

export function lowerHalf(x: number): number {
  return x | 0
}

/** The double nearest to an int64 or, with an upper half that is not negative, an uint64 that is given in halves. */
export function fromHalves(upper: number, lower: number): number {
  return upper * TWO_32 + (lower >>> 0)
}
