/**
 * Decimal integers read from and written to bytes in place, without strings. The rules are Redis's strict ones, under which
 * text and number are one to one: no sign +, no leading zero, no space, no "-0" (redis 7.0.15 util.c string2ll). Numbers are
 * JavaScript numbers while they are safe integers; the rest of the int64 range is BigInt, which only callers that meet
 * such values pay for.
 */
const ZERO = 0x30
const MINUS = 0x2d
const MAX_INT64 = 9223372036854775807n

/** Digits that an int32 always holds, so that the loop below stays in integer arithmetic. */
const SMALL_DIGITS = 9
const MAX_SAFE_DIGITS = 16
const MAX_UNSIGNED64_DIGITS = 20

/** The integer that the bytes spell when it is a safe integer, otherwise NaN. */
export function parseInteger(buf: Uint8Array, start: number, end: number): number {
  let pos = start
  const negative = pos < end && buf[pos] === MINUS
  if (negative) pos++
  const digits = end - pos
  if (digits <= 0 || digits > MAX_SAFE_DIGITS) return Number.NaN
  let small = buf[pos++]! - ZERO
  if (small === 0) return digits === 1 && !negative ? 0 : Number.NaN
  if (small < 0 || small > 9) return Number.NaN
  const smallEnd = digits > SMALL_DIGITS ? pos + SMALL_DIGITS - 1 : end
  for (; pos < smallEnd; pos++) {
    const digit = buf[pos]! - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    small = small * 10 + digit
  }
  if (pos === end) return negative ? -small : small
  let value = small
  for (; pos < end; pos++) {
    const digit = buf[pos]! - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  if (value > Number.MAX_SAFE_INTEGER) return Number.NaN
  return negative ? -value : value
}

/** The integer that the bytes spell when it fits int64, otherwise undefined. */
export function parseInt64(buf: Uint8Array, start: number, end: number): bigint | undefined {
  const value = parseInteger(buf, start, end)
  if (!Number.isNaN(value)) return BigInt(value)
  const negative = start < end && buf[start] === MINUS
  const magnitude = parseUnsigned64(buf, negative ? start + 1 : start, end)
  if (magnitude === undefined) return undefined
  if (negative) return magnitude === 0n || magnitude > MAX_INT64 + 1n ? undefined : -magnitude
  return magnitude > MAX_INT64 ? undefined : magnitude
}

/** The integer that the bytes spell when it fits uint64, otherwise undefined (redis 7.0.15 util.c string2ull). */
export function parseUnsigned64(buf: Uint8Array, start: number, end: number): bigint | undefined {
  const digits = end - start
  if (digits <= 0 || digits > MAX_UNSIGNED64_DIGITS) return undefined
  if (buf[start] === ZERO) return digits === 1 ? 0n : undefined
  // Two halves of at most ten digits, each exact as a number.
  const middle = digits > 10 ? end - 10 : start
  const high = digitsValue(buf, start, middle)
  const low = digitsValue(buf, middle, end)
  if (high < 0 || low < 0) return undefined
  const value = BigInt(high) * 10_000_000_000n + BigInt(low)
  return value > 0xffff_ffff_ffff_ffffn ? undefined : value
}

function digitsValue(buf: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let pos = start; pos < end; pos++) {
    const digit = buf[pos]! - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** Writes the decimal digits of a safe integer at pos and returns the position after them. */
export function writeInteger(buf: Uint8Array, pos: number, n: number): number {
  let rest = n
  if (rest < 0) {
    buf[pos++] = MINUS
    rest = -rest
  }
  if (rest < 10) {
    buf[pos] = ZERO + rest
    return pos + 1
  }
  const end = pos + digitCount(rest)
  let at = end
  while (rest > 0x7fffffff) {
    const quotient = Math.floor(rest / 10)
    buf[--at] = ZERO + (rest - quotient * 10)
    rest = quotient
  }
  let small = rest | 0
  while (small >= 10) {
    const quotient = (small / 10) | 0
    buf[--at] = ZERO + (small - quotient * 10)
    small = quotient
  }
  buf[--at] = ZERO + small
  return end
}

/** How many bytes writeInteger writes for n. */
export function integerLength(n: number): number {
  return n < 0 ? 1 + digitCount(-n) : digitCount(n)
}

function digitCount(n: number): number {
  if (n < 100_000) {
    if (n < 100) return n < 10 ? 1 : 2
    if (n < 10_000) return n < 1_000 ? 3 : 4
    return 5
  }
  if (n < 10_000_000_000) {
    if (n < 10_000_000) return n < 1_000_000 ? 6 : 7
    if (n < 1_000_000_000) return n < 100_000_000 ? 8 : 9
    return 10
  }
  let count = 10
  for (let limit = 10_000_000_000; n >= limit; limit *= 10) count++
  return count
}
