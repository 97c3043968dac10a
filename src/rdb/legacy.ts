/**
 * The packed encodings of before Redis 7, which are only read: their elements are taken out, whoever stores them packs
 * them anew. Every byte is checked on the way, so that undefined is the answer to anything that is not well formed.
 *
 *   ziplist  [total u32][offset of the last entry u32][count u16] entry… 255
 *     entry  [length of the one before: 1 byte, or 254 and u32][encoding][bytes]
 *   zipmap   [count u8, 254: unknown] ( [length] field [length] [unused u8] value unused… )* 255
 *     length 1 byte, or 254 and u32
 */
import { writeInteger } from '../bytes/integers.ts'

const ZIPLIST_HEADER = 10
const END = 255
const LONG = 254
const UNKNOWN_COUNT = 0xffff

const digits = Buffer.alloc(24)

/** Bytes that an integer of this encoding takes, -1 if the encoding is none. redis 7.0.15 ziplist.c ZIP_DECODE_LENGTH */
function integerBytes(encoding: number): number {
  if (encoding === 0xfe) return 1
  if (encoding === 0xc0) return 2
  if (encoding === 0xf0) return 3
  if (encoding === 0xd0) return 4
  if (encoding === 0xe0) return 8
  return encoding >= 0xf1 && encoding <= 0xfd ? 0 : -1
}

function integerText(bytes: Buffer, at: number, encoding: number): Buffer {
  if (encoding === 0xe0) return Buffer.from(bytes.readBigInt64LE(at).toString(), 'latin1')
  const length = integerBytes(encoding)
  const value = length === 0 ? (encoding & 15) - 1 : bytes.readIntLE(at, length)
  return Buffer.from(digits.subarray(0, writeInteger(digits, 0, value)))
}

/** The entries, as views where they are strings. redis 7.0.15 ziplist.c ziplistValidateIntegrity */
export function ziplistEntries(bytes: Buffer): Buffer[] | undefined {
  const last = bytes.length - 1
  if (bytes.length < ZIPLIST_HEADER + 1 || bytes.readUInt32LE(0) !== bytes.length || bytes[last] !== END)
    return undefined
  const entries: Buffer[] = []
  let pos = ZIPLIST_HEADER
  let tail = 0
  let before = 0
  while (pos < last && bytes[pos] !== END) {
    const start = pos
    const long = bytes[pos] === LONG
    if (pos + (long ? 5 : 1) >= last) return undefined
    if ((long ? bytes.readUInt32LE(pos + 1) : bytes[pos]!) !== before) return undefined
    pos += long ? 5 : 1
    const encoding = bytes[pos]!
    const head = encoding < 0x40 ? 1 : encoding < 0x80 ? 2 : encoding < 0xc0 ? 5 : 1
    if (pos + head > last) return undefined
    const length = encoding >= 0xc0 ? integerBytes(encoding) : stringLength(bytes, pos, head)
    const from = pos + head
    if (length < 0 || from + length > last) return undefined
    entries.push(encoding >= 0xc0 ? integerText(bytes, from, encoding) : bytes.subarray(from, from + length))
    pos = from + length
    tail = start
    before = pos - start
  }
  if (pos !== last) return undefined
  if (entries.length > 0 ? bytes.readUInt32LE(4) !== tail : bytes.readUInt32LE(4) > last) return undefined
  const count = bytes.readUInt16LE(8)
  return count === UNKNOWN_COUNT || count === entries.length ? entries : undefined
}

function stringLength(bytes: Buffer, pos: number, head: number): number {
  if (head === 1) return bytes[pos]!
  if (head === 2) return ((bytes[pos]! & 63) << 8) | bytes[pos + 1]!
  return bytes.readUInt32BE(pos + 1)
}

/** Fields and values in turn. redis 7.0.15 zipmap.c zipmapValidateIntegrity */
export function zipmapEntries(bytes: Buffer): Buffer[] | undefined {
  const last = bytes.length - 1
  if (bytes.length < 2 || bytes[last] !== END) return undefined
  const entries: Buffer[] = []
  let pos = 1
  while (pos < last && bytes[pos] !== END) {
    for (let part = 0; part < 2; part++) {
      const long = bytes[pos] === LONG
      if (bytes[pos] === END || pos + (long ? 5 : 1) > last) return undefined
      const length = long ? bytes.readUInt32LE(pos + 1) : bytes[pos]!
      pos += long ? 5 : 1
      // Only a value has the byte that counts unused ones behind it.
      const unused = part === 1 ? bytes[pos++]! : 0
      if (pos + length + unused > last) return undefined
      entries.push(bytes.subarray(pos, pos + length))
      pos += length + unused
    }
  }
  if (pos !== last || entries.length === 0) return undefined
  return bytes[0] === LONG || bytes[0] === entries.length / 2 ? entries : undefined
}
