/**
 * Glob patterns over bytes: KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET, ACL key and channel patterns. Follows
 * redis 7.0.15 util.c stringmatchlen_impl in every corner: an empty text matches only an empty pattern (not "*"), an unclosed
 * class ends with the pattern, bytes in ranges are signed chars, and an escaped byte inside a class ignores `ignoreCase`.
 *
 * Redis recurses at a star and stops all earlier stars once a later one has run out of text (skipLongerMatches). That is the
 * same as remembering only the last star, so this is a loop: at worst pattern × text steps, and no stack for a hostile pattern.
 */
const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const BACKSLASH = 0x5c
const CARET = 0x5e
const DASH = 0x2d

/** Where the class that matchClass looked at ends: its last byte in the pattern. */
let classEnd = 0

export function globMatch(
  pattern: Uint8Array,
  text: Uint8Array,
  start: number,
  end: number,
  ignoreCase = false,
): boolean {
  const length = pattern.length
  let at = 0
  let pos = start
  let afterStar = -1
  let starPos = 0
  for (;;) {
    if (at < length && pos < end) {
      const byte = pattern[at]!
      if (byte === STAR) {
        while (at + 1 < length && pattern[at + 1] === STAR) at++
        if (at + 1 === length) return true
        afterStar = ++at
        starPos = pos
        continue
      }
      if (matchOne(pattern, at, byte, text[pos]!, ignoreCase)) {
        at = classEnd + 1
        pos++
        if (pos === end) while (at < length && pattern[at] === STAR) at++
        continue
      }
    } else if (at === length && pos === end) {
      return true
    }
    if (afterStar < 0 || ++starPos >= end) return false
    at = afterStar
    pos = starPos
  }
}

/** Whether the pattern element at `at` takes the byte; sets classEnd to the element's last byte. */
function matchOne(pattern: Uint8Array, at: number, byte: number, char: number, ignoreCase: boolean): boolean {
  classEnd = at
  let literal = byte
  switch (byte) {
    case QUESTION:
      return true
    case OPEN:
      return matchClass(pattern, at + 1, char, ignoreCase)
    case BACKSLASH:
      if (at + 1 < pattern.length) {
        classEnd = at + 1
        literal = pattern[at + 1]!
      }
  }
  return literal === char || (ignoreCase && lower(literal) === lower(char))
}

function matchClass(pattern: Uint8Array, from: number, char: number, ignoreCase: boolean): boolean {
  const length = pattern.length
  let at = from
  const negated = at < length && pattern[at] === CARET
  if (negated) at++
  let found = false
  for (; ; at++) {
    if (at >= length) {
      classEnd = length - 1
      break
    }
    const byte = pattern[at]!
    if (byte === BACKSLASH && length - at >= 2) {
      if (pattern[++at] === char) found = true
    } else if (byte === CLOSE) {
      classEnd = at
      break
    } else if (length - at >= 3 && pattern[at + 1] === DASH) {
      if (inRange(byte, pattern[at + 2]!, char, ignoreCase)) found = true
      at += 2
    } else if (byte === char || (ignoreCase && lower(byte) === lower(char))) {
      found = true
    }
  }
  return found !== negated
}

function inRange(first: number, last: number, char: number, ignoreCase: boolean): boolean {
  let low = signed(first)
  let high = signed(last)
  let value = signed(char)
  if (low > high) {
    const swap = low
    low = high
    high = swap
  }
  if (ignoreCase) {
    low = lower(low)
    high = lower(high)
    value = lower(value)
  }
  return value >= low && value <= high
}

function signed(byte: number): number {
  return (byte << 24) >> 24
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte
}

/** Whether the pattern has no special byte, so that it matches exactly the text equal to it. */
export function isPlain(pattern: Uint8Array): boolean {
  for (let at = 0; at < pattern.length; at++) {
    const byte = pattern[at]
    if (byte === STAR || byte === QUESTION || byte === OPEN || byte === BACKSLASH) return false
  }
  return true
}
