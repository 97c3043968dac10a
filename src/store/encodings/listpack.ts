/**
 * Redis's listpack: entries one behind the other in one run of bytes, read from either end. Small values are kept in
 * records exactly so, and so RDB transfer of them is a copy. redis 7.0.15 listpack.c
 *
 *    listpack  [total bytes u32][entries u16, 65535 = count them] entry entry ... [0xff]
 *    entry     [encoding and data][backlen: the length of that, 7 bits a byte, to be read backwards]
 *
 *    0xxxxxxx  integer 0..127              11110001 + 2   integer of 16 bits
 *    10xxxxxx  string of up to 63 bytes    11110010 + 3   integer of 24 bits
 *    110xxxxx + 1  integer of 13 bits      11110011 + 4   integer of 32 bits
 *    1110xxxx + 1  string of up to 4095    11110100 + 8   integer of 64 bits
 *    11110000 + 4  longer string           (integers little endian, those of 13 bits and lengths of 12 big endian)
 *
 * Whatever is the text of a 64-bit integer is kept as one. Positions are indexes into the bytes; a whole listpack
 * is given as [start, end), a run of entries alone as [first, eof).
 */
import { integerLength, parseInt64, parseInteger, writeInteger } from '../../bytes/integers.ts'

export const LISTPACK_HEADER = 6
/** Header and end mark. */
export const LISTPACK_FRAME = 7
const EOF = 0xff
const UNCOUNTED = 65535
const MAX_INTEGER_TEXT = 20
const EMPTY = Buffer.alloc(0)
/** Up to so many bytes a loop beats a view. */
const SMALL_COPY = 128

/** One entry as bytes: those of the listpack itself, or the digits of an integer. Valid until it reads the next. */
export class ListpackEntry {
  bytes: Buffer = EMPTY
  start = 0
  end = 0
  #digits = Buffer.allocUnsafeSlow(24)

  /** The entry at `at`. */
  read(bytes: Buffer, at: number): void {
    const first = bytes[at]!
    if ((first & 0xc0) === 0x80) {
      this.bytes = bytes
      this.start = at + 1
      this.end = this.start + (first & 0x3f)
    } else if ((first & 0xf0) === 0xe0) {
      this.bytes = bytes
      this.start = at + 2
      this.end = this.start + (((first & 15) << 8) | bytes[at + 1]!)
    } else if (first === 0xf0) {
      this.bytes = bytes
      this.start = at + 5
      this.end = this.start + bytes.readUInt32LE(at + 1)
    } else {
      this.#integer(bytes, at, first)
    }
  }

  #integer(bytes: Buffer, at: number, first: number): void {
    this.bytes = this.#digits
    this.start = 0
    if (first === 0xf4) {
      const value = integerAt(bytes, at)
      if (!Number.isSafeInteger(value)) {
        this.end = this.#digits.latin1Write(bytes.readBigInt64LE(at + 1).toString(), 0)
        return
      }
      this.end = writeInteger(this.#digits, 0, value)
      return
    }
    this.end = writeInteger(this.#digits, 0, integerAt(bytes, at))
  }

  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(this.start, this.end))
  }
}

/** The integer at `at`, rounded if it is no safe one; NaN if the entry is a string. */
export function integerAt(bytes: Buffer, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return first
  if ((first & 0xe0) === 0xc0) return ((((first & 0x1f) << 8) | bytes[at + 1]!) << 19) >> 19
  switch (first) {
    case 0xf1:
      return ((bytes[at + 1]! | (bytes[at + 2]! << 8)) << 16) >> 16
    case 0xf2:
      return ((bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16)) << 8) >> 8
    case 0xf3:
      return bytes.readInt32LE(at + 1)
    case 0xf4:
      return bytes.readInt32LE(at + 5) * 0x100000000 + bytes.readUInt32LE(at + 1)
    default:
      return Number.NaN
  }
}

/** Bytes of encoding and data, without backlen. */
function contentBytes(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return 1
  if (first < 0xc0) return 1 + (first & 0x3f)
  if (first < 0xe0) return 2
  if (first < 0xf0) return 2 + (((first & 15) << 8) | bytes[at + 1]!)
  if (first === 0xf0) return 5 + uint32(bytes, at + 1)
  if (first === 0xf4) return 9
  return first - 0xf1 + 3
}

function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

function backlenBytes(length: number): number {
  if (length <= 127) return 1
  if (length < 16383) return 2
  if (length < 2097151) return 3
  return length < 268435455 ? 4 : 5
}

/** The position behind the entry at `at`. */
export function nextEntry(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first < 0x80) return at + 2
  if (first < 0xc0) return at + (first & 0x3f) + 2
  const length = contentBytes(bytes, at)
  return at + length + (length <= 127 ? 1 : backlenBytes(length))
}

/** The entry that ends before `at`. */
export function previousEntry(bytes: Uint8Array, at: number): number {
  let pos = at - 1
  let byte = bytes[pos]!
  let length = byte & 127
  let scale = 128
  while (byte >= 128) {
    byte = bytes[--pos]!
    length += (byte & 127) * scale
    scale *= 128
  }
  return pos - length
}

/** The entry number `index` of a run of entries, `eof` if there are not so many. */
export function seekEntry(bytes: Uint8Array, first: number, eof: number, index: number): number {
  let at = first
  for (let left = index; left > 0 && at < eof; left--) at = nextEntry(bytes, at)
  return at
}

/** Bytes that the element takes as an entry. */
export function entryBytes(element: Uint8Array, start: number, end: number): number {
  const length = end - start
  const integer = integerEncoding(element, start, end)
  if (integer > 0) return integer + 1
  const content = length + (length < 64 ? 1 : length < 4096 ? 2 : 5)
  return content + backlenBytes(content)
}

/** Bytes of the integer encoding of an element, 0 if it is no integer. */
function integerEncoding(element: Uint8Array, start: number, end: number): number {
  if (!mayBeInteger(element, start, end)) return 0
  const value = parseInteger(element, start, end)
  if (!Number.isNaN(value)) return integerBytes(value)
  return end - start > 15 && parseInt64(element, start, end) !== undefined ? 9 : 0
}

function mayBeInteger(element: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > MAX_INTEGER_TEXT) return false
  const first = element[start]!
  return first <= 0x39 && (first >= 0x30 || first === 0x2d)
}

function integerBytes(value: number): number {
  if (value >= 0 && value <= 127) return 1
  if (value >= -4096 && value <= 4095) return 2
  if (value >= -32768 && value <= 32767) return 3
  if (value >= -8388608 && value <= 8388607) return 4
  return value >= -2147483648 && value <= 2147483647 ? 5 : 9
}

/** Writes the element as an entry at `pos` and returns the position behind it. There must be room for entryBytes(). */
export function writeEntry(to: Buffer, pos: number, element: Uint8Array, start: number, end: number): number {
  if (mayBeInteger(element, start, end)) {
    const value = parseInteger(element, start, end)
    if (!Number.isNaN(value)) return writeIntegerEntry(to, pos, value)
    const wide = end - start > 15 ? parseInt64(element, start, end) : undefined
    if (wide !== undefined) {
      to[pos] = 0xf4
      to.writeBigInt64LE(wide, pos + 1)
      to[pos + 9] = 9
      return pos + 10
    }
  }
  const length = end - start
  let at = writeStringHead(to, pos, length)
  if (length <= SMALL_COPY) for (let i = 0; i < length; i++) to[at + i] = element[start + i]!
  else to.set(element.subarray(start, end), at)
  at += length
  return writeBacklen(to, at, at - pos)
}

/** Writes what comes before the bytes of a string and returns the position behind it. */
function writeStringHead(to: Buffer, pos: number, length: number): number {
  if (length < 64) {
    to[pos] = length | 0x80
    return pos + 1
  }
  if (length < 4096) {
    to[pos] = (length >> 8) | 0xe0
    to[pos + 1] = length
    return pos + 2
  }
  to[pos] = 0xf0
  return to.writeUInt32LE(length, pos + 1)
}

/** The same for a safe integer. */
export function writeIntegerEntry(to: Buffer, pos: number, value: number): number {
  const size = integerBytes(value)
  switch (size) {
    case 1:
      to[pos] = value
      break
    case 2:
      to[pos] = ((value >> 8) & 0x1f) | 0xc0
      to[pos + 1] = value
      break
    case 9: {
      const high = Math.floor(value / 0x100000000)
      to[pos] = 0xf4
      to.writeUInt32LE(value - high * 0x100000000, pos + 1)
      to.writeInt32LE(high, pos + 5)
      break
    }
    default:
      to[pos] = 0xf1 + size - 3
      for (let i = 1; i < size; i++) to[pos + i] = value >> ((i - 1) * 8)
  }
  to[pos + size] = size
  return pos + size + 1
}

function writeBacklen(to: Uint8Array, pos: number, length: number): number {
  const size = backlenBytes(length)
  let rest = length
  for (let at = pos + size - 1; at >= pos; at--) {
    to[at] = (rest & 127) | (at === pos ? 0 : 128)
    rest = Math.floor(rest / 128)
  }
  return pos + size
}

/**
 * Compares entries with one element, whose encoding it works out once: nearly all entries that differ do so in their
 * first byte. An integer may also be there as its text, which Redis reads but does not write.
 */
export class EntryMatcher {
  /** First byte of an entry that may be equal, and that of an integer's text. */
  first = 0
  text = 0
  /** The encoding; of strings without the data. */
  #head = Buffer.alloc(16)
  #headLength = 0
  #element: Uint8Array = EMPTY
  #start = 0
  #end = 0

  set(element: Uint8Array, start: number, end: number): void {
    this.#element = element
    this.#start = start
    this.#end = end
    const length = end - start
    const integer = integerEncoding(element, start, end)
    if (integer > 0) {
      writeEntry(this.#head, 0, element, start, end)
      this.#headLength = integer
      this.text = length | 0x80
    } else {
      this.#headLength = writeStringHead(this.#head, 0, length)
      this.text = this.#head[0]!
    }
    this.first = this.#head[0]!
  }

  matches(bytes: Buffer, at: number): boolean {
    const first = bytes[at]!
    if (first === this.text) return this.#matchesText(bytes, at, first === this.first ? this.#headLength : 1)
    if (first !== this.first) return false
    const head = this.#head
    for (let i = 1; i < this.#headLength; i++) if (bytes[at + i] !== head[i]) return false
    return true
  }

  #matchesText(bytes: Buffer, at: number, headLength: number): boolean {
    for (let i = 1; i < headLength; i++) if (bytes[at + i] !== this.#head[i]) return false
    const element = this.#element
    const start = this.#start
    // Backwards: names of one kind begin alike.
    for (let i = this.#end - 1, own = at + headLength + i - start; i >= start; i--, own--) {
      if (bytes[own] !== element[i]) return false
    }
    return true
  }
}

const matcher = new EntryMatcher()

/**
 * The first entry of [first, eof) that equals the element, looking at each entry and then passing over `skip`; -1
 * if there is none.
 */
export function findEntry(
  bytes: Buffer,
  first: number,
  eof: number,
  element: Uint8Array,
  start: number,
  end: number,
  skip: number,
): number {
  matcher.set(element, start, end)
  const wanted = matcher.first
  const text = matcher.text
  let left = 0
  let at = first
  while (at < eof) {
    const byte = bytes[at]!
    if (left === 0) {
      if ((byte === wanted || byte === text) && matcher.matches(bytes, at)) return at
      left = skip
    } else {
      left--
    }
    // Short strings and small integers, and the byte of their length behind them.
    if (byte < 0x80) at += 2
    else if (byte < 0xc0) at += (byte & 0x3f) + 2
    else if (byte < 0xe0) at += 3
    else at = nextEntry(bytes, at)
  }
  return -1
}

/** How many entries a listpack has. */
export function listpackLength(bytes: Uint8Array, start: number, end: number): number {
  const count = bytes[start + 4]! | (bytes[start + 5]! << 8)
  return count === UNCOUNTED ? countEntries(bytes, start + LISTPACK_HEADER, end - 1) : count
}

export function countEntries(bytes: Uint8Array, first: number, eof: number): number {
  let count = 0
  for (let at = first; at < eof; at = nextEntry(bytes, at)) count++
  return count
}

/** The entries in order: strings as views of `bytes`, integers as their digits in buffers of their own. */
export function* listpackEntries(bytes: Uint8Array, start: number, end: number): Iterable<Buffer> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const entry = new ListpackEntry()
  for (let at = start + LISTPACK_HEADER; at < end - 1; at = nextEntry(buffer, at)) {
    entry.read(buffer, at)
    yield entry.bytes === buffer ? buffer.subarray(entry.start, entry.end) : entry.copy()
  }
}

/** Whether [start, end) is a listpack, each entry of it. Never reads outside. redis 7.0.15 listpack.c lpValidateIntegrity */
export function validateListpack(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < LISTPACK_FRAME || end > bytes.length) return false
  if (uint32(bytes, start) !== end - start || bytes[end - 1] !== EOF) return false
  const eof = end - 1
  let at = start + LISTPACK_HEADER
  let count = 0
  while (at < eof) {
    const first = bytes[at]!
    if (first > 0xf4) return false
    const head = first === 0xf0 ? 5 : first >= 0xe0 && first < 0xf0 ? 2 : 1
    if (at + head > eof) return false
    const content = contentBytes(bytes, at)
    const next = at + content + backlenBytes(content)
    if (next > eof || backlenBefore(bytes, at, next) !== content) return false
    at = next
    count++
  }
  const counted = bytes[start + 4]! | (bytes[start + 5]! << 8)
  return counted === UNCOUNTED || counted === count
}

/** The backlen that ends before `end`, not read beyond `start`; -1 if it is none. */
function backlenBefore(bytes: Uint8Array, start: number, end: number): number {
  let length = 0
  let scale = 1
  for (let at = end - 1, size = 1; at > start && size <= 5; at--, size++) {
    length += (bytes[at]! & 127) * scale
    if (bytes[at]! < 128) return length
    scale *= 128
  }
  return -1
}

/** Writes total length, count and end mark around entries that are already in [start + 6, end - 1). */
export function frameListpack(bytes: Buffer, start: number, end: number, count: number): void {
  bytes.writeUInt32LE(end - start, start)
  bytes.writeUInt16LE(Math.min(count, UNCOUNTED), start + 4)
  bytes[end - 1] = EOF
}

/** Builds a listpack from its first entry to its last; reset() makes it one to be used again. */
export class ListpackWriter {
  /** With `length`: what is written so far, framed by finish() or frame(). */
  bytes: Buffer
  count = 0
  #end = LISTPACK_HEADER

  constructor(capacity = 256) {
    this.bytes = Buffer.allocUnsafeSlow(capacity)
  }

  /** Bytes of the finished listpack. */
  get length(): number {
    return this.#end + 1
  }

  reset(): void {
    this.count = 0
    this.#end = LISTPACK_HEADER
  }

  append(element: Uint8Array, start = 0, end: number = element.length): void {
    this.#room(end - start + 16)
    this.#end = writeEntry(this.bytes, this.#end, element, start, end)
    this.count++
  }

  /** A safe integer. */
  appendInteger(value: number): void {
    this.#room(10)
    this.#end = writeIntegerEntry(this.bytes, this.#end, value)
    this.count++
  }

  /** `count` entries as they are in another listpack. */
  appendEntries(bytes: Uint8Array, first: number, eof: number, count: number): void {
    this.#room(eof - first)
    this.bytes.set(bytes.subarray(first, eof), this.#end)
    this.#end += eof - first
    this.count += count
  }

  /** Makes `bytes` a listpack of `length` bytes, without a copy. */
  frame(): void {
    frameListpack(this.bytes, 0, this.length, this.count)
  }

  /** A buffer of its own. */
  finish(): Buffer {
    this.frame()
    return Buffer.from(this.bytes.subarray(0, this.length))
  }

  #room(size: number): void {
    const wanted = this.#end + size + 1
    if (wanted <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.bytes.length * 2))
    grown.set(this.bytes.subarray(0, this.#end))
    this.bytes = grown
  }
}

/** Digits of an integer entry or bytes of a string entry: its length as a string. */
export function entryLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!
  if ((first & 0xc0) === 0x80) return first & 0x3f
  if ((first & 0xf0) === 0xe0) return ((first & 15) << 8) | bytes[at + 1]!
  if (first === 0xf0) return uint32(bytes, at + 1)
  const value = integerAt(bytes, at)
  if (Number.isSafeInteger(value)) return integerLength(value)
  return bytes.readBigInt64LE(at + 1).toString().length
}
