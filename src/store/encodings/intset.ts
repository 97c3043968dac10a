/**
 * Redis's intset: the members of a set of integers, sorted, all of the size that the largest needs. redis 7.0.15 intset.c
 *
 *    [bytes of a member u32: 2, 4 or 8][members u32] member member ...    (little endian)
 *
 * Members of 8 bytes may be beyond what a number holds, so those are compared in two halves and given as BigInt.
 */
import { parseInt64, parseInteger, writeInteger } from '../../bytes/integers.ts'

export const INTSET_HEADER = 8
const SIGN = 0x80000000
const MAX_TEXT = 20

/** A member as two halves, high signed and low unsigned; parseMember() sets one, read() another. */
export class IntsetMember {
  high = 0
  low = 0

  /** False if the bytes are no 64-bit integer. */
  parse(bytes: Uint8Array, start: number, end: number): boolean {
    if (end === start || end - start > MAX_TEXT) return false
    const first = bytes[start]!
    if (first > 0x39 || (first < 0x30 && first !== 0x2d)) return false
    const value = parseInteger(bytes, start, end)
    if (!Number.isNaN(value)) {
      this.setNumber(value)
      return true
    }
    if (end - start <= 15) return false
    const wide = parseInt64(bytes, start, end)
    if (wide === undefined) return false
    this.high = Number(wide >> 32n)
    this.low = Number(wide & 0xffffffffn)
    return true
  }

  setNumber(value: number): void {
    this.high = Math.floor(value / 0x100000000)
    this.low = value - this.high * 0x100000000
  }

  /** The member number `index` of the intset at `start`. */
  read(bytes: Buffer, start: number, index: number): void {
    const size = bytes[start]!
    const at = start + INTSET_HEADER + index * size
    if (size === 8) {
      this.low = bytes.readUInt32LE(at)
      this.high = bytes.readInt32LE(at + 4)
      return
    }
    const value = size === 2 ? bytes.readInt16LE(at) : bytes.readInt32LE(at)
    this.low = value >>> 0
    this.high = value < 0 ? -1 : 0
  }

  /** Bytes that it takes: 2, 4 or 8. */
  get size(): number {
    const signExtended = this.high === 0 ? this.low < SIGN : this.high === -1 && this.low >= SIGN
    if (!signExtended) return 8
    const value = this.low | 0
    return value >= -32768 && value <= 32767 ? 2 : 4
  }

  write(bytes: Buffer, at: number, size: number): void {
    if (size === 2) bytes.writeInt16LE((this.low << 16) >> 16, at)
    else bytes.writeUInt32LE(this.low, at)
    if (size === 8) bytes.writeInt32LE(this.high, at + 4)
  }

  /** Writes its digits at `pos` and returns the position behind them. */
  writeText(to: Buffer, pos: number): number {
    const value = this.high * 0x100000000 + this.low
    if (Number.isSafeInteger(value)) return writeInteger(to, pos, value)
    return pos + to.latin1Write(this.toBigInt().toString(), pos)
  }

  toBigInt(): bigint {
    return (BigInt(this.high) << 32n) | BigInt(this.low)
  }
}

const probe = new IntsetMember()

export function intsetLength(bytes: Buffer, start: number): number {
  return bytes.readUInt32LE(start + 4)
}

/** The index of the member, or if it is none -1 - the index where it belongs. */
export function intsetSearch(bytes: Buffer, start: number, member: IntsetMember): number {
  let low = 0
  let high = intsetLength(bytes, start) - 1
  // Appending in order is common.
  if (high >= 0) {
    probe.read(bytes, start, high)
    if (compare(member, probe) > 0) return -2 - high
  }
  while (low <= high) {
    const middle = (low + high) >>> 1
    probe.read(bytes, start, middle)
    const order = compare(member, probe)
    if (order === 0) return middle
    if (order > 0) low = middle + 1
    else high = middle - 1
  }
  return -1 - low
}

function compare(a: IntsetMember, b: IntsetMember): number {
  if (a.high !== b.high) return a.high < b.high ? -1 : 1
  return a.low === b.low ? 0 : a.low < b.low ? -1 : 1
}

/** Bytes of the intset once the member is added. */
export function intsetBytesWith(bytes: Buffer, start: number, member: IntsetMember): number {
  return INTSET_HEADER + (intsetLength(bytes, start) + 1) * Math.max(bytes[start]!, member.size)
}

/** Copies the intset to `to` with the member added at `index`. Returns its length there. */
export function intsetInsert(bytes: Buffer, start: number, member: IntsetMember, index: number, to: Buffer): number {
  const count = intsetLength(bytes, start)
  const oldSize = bytes[start]!
  const size = Math.max(oldSize, member.size)
  to.writeUInt32LE(size, 0)
  to.writeUInt32LE(count + 1, 4)
  const at = INTSET_HEADER + index * size
  if (size === oldSize) {
    bytes.copy(to, INTSET_HEADER, start + INTSET_HEADER, start + at)
    bytes.copy(to, at + size, start + at, start + INTSET_HEADER + count * size)
  } else {
    for (let i = 0; i < count; i++) {
      probe.read(bytes, start, i)
      probe.write(to, INTSET_HEADER + (i < index ? i : i + 1) * size, size)
    }
  }
  member.write(to, at, size)
  return INTSET_HEADER + (count + 1) * size
}

/** Copies the intset to `to` without the member at `index`. Returns its length there. */
export function intsetRemove(bytes: Buffer, start: number, index: number, to: Buffer): number {
  const count = intsetLength(bytes, start)
  const size = bytes[start]!
  to.writeUInt32LE(size, 0)
  to.writeUInt32LE(count - 1, 4)
  const at = INTSET_HEADER + index * size
  bytes.copy(to, INTSET_HEADER, start + INTSET_HEADER, start + at)
  bytes.copy(to, at, start + at + size, start + INTSET_HEADER + count * size)
  return INTSET_HEADER + (count - 1) * size
}

/** Writes an intset without members and returns its length. */
export function writeEmptyIntset(to: Buffer): number {
  to.writeUInt32LE(2, 0)
  to.writeUInt32LE(0, 4)
  return INTSET_HEADER
}

/** The members in ascending order. */
export function* intsetValues(bytes: Uint8Array, start: number, _end: number): Iterable<bigint> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const member = new IntsetMember()
  const count = intsetLength(buffer, start)
  for (let i = 0; i < count; i++) {
    member.read(buffer, start, i)
    yield member.toBigInt()
  }
}

/**
 * Whether [start, end) is an intset with its members in order. One without members is none here, as in Redis.
 * redis 7.0.15 intset.c intsetValidateIntegrity
 */
export function validateIntset(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < INTSET_HEADER || end > bytes.length) return false
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const size = buffer.readUInt32LE(start)
  if (size !== 2 && size !== 4 && size !== 8) return false
  const count = intsetLength(buffer, start)
  if (count === 0 || INTSET_HEADER + count * size !== end - start) return false
  const before = new IntsetMember()
  const member = new IntsetMember()
  before.read(buffer, start, 0)
  for (let i = 1; i < count; i++) {
    member.read(buffer, start, i)
    if (compare(member, before) <= 0) return false
    before.high = member.high
    before.low = member.low
  }
  return true
}
