/**
 * The sparse representation of a HyperLogLog: its registers as run lengths, for as long as few of them are not zero.
 *
 *    00xxxxxx             ZERO     1 to 64 registers are 0
 *    01xxxxxx xxxxxxxx    XZERO    1 to 16384 registers are 0
 *    1vvvvvxx             VAL      1 to 4 registers are v + 1, which is at most 32
 *
 * Bytes may come from anywhere (SETRANGE, RESTORE): a value is valid if its runs cover exactly 16384 registers, and nothing
 * here reads or writes outside of it if they do not. redis 7.0.15 hyperloglog.c hllSparseSet
 */

import { writeDense } from './hyperloglog-dense.ts'
import {
  copyHeaderAsDense,
  HLL_DENSE_BYTES,
  HLL_HEADER,
  HLL_REGISTERS,
  HLL_SPARSE,
  invalidateCache,
  writeHeader,
} from './hyperloglog-format.ts'

const XZERO = 0x40
const VAL = 0x80
const ZERO_MAX_LENGTH = 64
const VAL_MAX_VALUE = 32
const VAL_MAX_LENGTH = 4

/** A change makes it this much longer at most: XZERO becomes XZERO VAL XZERO. */
const GROWTH = 3
/** How many runs are looked at for merging after a change. */
const MERGED_RUNS = 5
const FIRST_BYTES = 8 * 1024
/** A buffer that a corrupted value left behind is not kept. */
const KEPT_BYTES = 64 * 1024

export const SPARSE_SAME = 0
export const SPARSE_CHANGED = 1
/** Nothing was changed: the register needs the dense representation. */
export const SPARSE_TOO_LARGE = 2
export const SPARSE_INVALID = 3

function isXzero(op: number): boolean {
  return (op & 0xc0) === XZERO
}

function opBytes(op: number): number {
  return isXzero(op) ? 2 : 1
}

/** How many registers the run at `at` covers. A second byte that is missing counts as zero. */
function runLength(bytes: Uint8Array, at: number, end: number): number {
  const op = bytes[at]!
  if ((op & VAL) !== 0) return (op & 3) + 1
  if ((op & XZERO) === 0) return op + 1
  return (((op & 0x3f) << 8) | (at + 1 < end ? bytes[at + 1]! : 0)) + 1
}

function runValue(op: number): number {
  return (op & VAL) !== 0 ? ((op >> 2) & 31) + 1 : 0
}

function valRun(value: number, length: number): number {
  return VAL | ((value - 1) << 2) | (length - 1)
}

/** Counts how many registers have each value; false if it is corrupted. `at` is behind the header. */
export function sparseHistogram(bytes: Uint8Array, at: number, end: number, histogram: Int32Array): boolean {
  let index = 0
  for (let pos = at; pos < end; pos += opBytes(bytes[pos]!)) {
    const length = runLength(bytes, pos, end)
    index += length
    if (index > HLL_REGISTERS) return false
    histogram[runValue(bytes[pos]!)]! += length
  }
  return index === HLL_REGISTERS
}

/** Raises each of 16384 registers of a byte to that of the sparse ones where it is less; false if it is corrupted. */
export function mergeSparse(bytes: Uint8Array, at: number, end: number, registers: Uint8Array): boolean {
  let index = 0
  for (let pos = at; pos < end; pos += opBytes(bytes[pos]!)) {
    const next = index + runLength(bytes, pos, end)
    if (next > HLL_REGISTERS) return false
    const value = runValue(bytes[pos]!)
    if (value > 0) for (let i = index; i < next; i++) if (registers[i]! < value) registers[i] = value
    index = next
  }
  return index === HLL_REGISTERS
}

/** The runs as PFDEBUG DECODE shows them. */
export function sparseText(bytes: Uint8Array, at: number, end: number): string {
  const runs: string[] = []
  for (let pos = at; pos < end; pos += opBytes(bytes[pos]!)) {
    const op = bytes[pos]!
    const length = runLength(bytes, pos, end)
    if ((op & VAL) !== 0) runs.push(`v:${runValue(op)},${length}`)
    else runs.push(`${isXzero(op) ? 'Z' : 'z'}:${length}`)
  }
  return runs.join(' ')
}

const expanded = new Uint8Array(HLL_REGISTERS)

/** The whole value, header and all, in the dense representation; undefined if it is corrupted. */
export function sparseToDense(bytes: Uint8Array, start: number, end: number): Buffer | undefined {
  expanded.fill(0)
  if (!mergeSparse(bytes, start + HLL_HEADER, end, expanded)) return undefined
  const dense = Buffer.allocUnsafeSlow(HLL_DENSE_BYTES)
  copyHeaderAsDense(bytes, start, dense)
  writeDense(expanded, dense, HLL_HEADER)
  return dense
}

/** One sparse value that is being changed, header and all, in a buffer that is its own. */
export class SparseEditor {
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  length = 0

  /** Begins with an empty one. */
  create(): void {
    writeHeader(this.bytes, 0, HLL_SPARSE)
    this.bytes[HLL_HEADER] = XZERO | ((HLL_REGISTERS - 1) >> 8)
    this.bytes[HLL_HEADER + 1] = (HLL_REGISTERS - 1) & 0xff
    this.length = HLL_HEADER + 2
  }

  open(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start
    this.#makeRoom(length + GROWTH, 0)
    this.bytes.set(bytes.subarray(start, end))
    this.length = length
  }

  /** Raises a register to `rank` if it is less. The value grows up to `maxBytes` only. */
  raise(index: number, rank: number, maxBytes: number): number {
    if (rank > VAL_MAX_VALUE) return SPARSE_TOO_LARGE
    this.#makeRoom(this.length + GROWTH, this.length)
    const { bytes, length: end } = this
    let at = HLL_HEADER
    let before = at
    let first = 0
    let span = 0
    while (at < end) {
      span = runLength(bytes, at, end)
      if (index < first + span) break
      before = at
      at += opBytes(bytes[at]!)
      first += span
    }
    if (at >= end) return SPARSE_INVALID
    const op = bytes[at]!
    const value = runValue(op)
    if (value >= rank) return SPARSE_SAME
    // A register that is alone in its run is changed in place.
    if (span === 1 && !isXzero(op)) bytes[at] = valRun(rank, 1)
    else if (!this.#split(at, index - first, first + span - 1 - index, rank, maxBytes)) return SPARSE_TOO_LARGE
    this.#merge(before)
    invalidateCache(bytes, 0)
    return SPARSE_CHANGED
  }

  /**
   * Puts a register of its own into the run at `at`, with so many of the run's registers to its left and right. False
   * without a change if that makes it too long.
   */
  #split(at: number, left: number, right: number, rank: number, maxBytes: number): boolean {
    const { bytes } = this
    const op = bytes[at]!
    const oldBytes = opBytes(op)
    const newBytes = remainderBytes(op, left) + 1 + remainderBytes(op, right)
    const growth = newBytes - oldBytes
    if (growth > 0 && this.length + growth > maxBytes) return false
    const next = at + oldBytes
    if (growth !== 0 && next < this.length) bytes.copyWithin(at + newBytes, next, this.length)
    this.length += growth
    let pos = writeRemainder(bytes, at, op, left)
    bytes[pos++] = valRun(rank, 1)
    writeRemainder(bytes, pos, op, right)
    return true
  }

  /** Makes one run of neighbours with the same value where there is room for both in one. */
  #merge(from: number): void {
    const { bytes } = this
    let pos = from
    for (let runs = MERGED_RUNS; runs > 0 && pos < this.length; runs--) {
      const op = bytes[pos]!
      if ((op & VAL) === 0) {
        pos += opBytes(op)
        continue
      }
      const following = pos + 1 < this.length ? bytes[pos + 1]! : 0
      const length = (op & 3) + 1 + (following & 3) + 1
      if (runValue(op) === runValue(following) && length <= VAL_MAX_LENGTH) {
        bytes[pos + 1] = valRun(runValue(op), length)
        bytes.copyWithin(pos, pos + 1, this.length)
        this.length--
        continue
      }
      pos++
    }
  }

  #makeRoom(length: number, kept: number): void {
    const isOversized = this.bytes.length > KEPT_BYTES && length <= FIRST_BYTES
    if (length <= this.bytes.length && !isOversized) return
    const grown = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, length))
    this.bytes.copy(grown, 0, 0, kept)
    this.bytes = grown
  }
}

/** Bytes of a run of so many registers that is left of the run `op`. */
function remainderBytes(op: number, length: number): number {
  if (length === 0) return 0
  return (op & VAL) === 0 && length > ZERO_MAX_LENGTH ? 2 : 1
}

/** Returns the position behind it. */
function writeRemainder(bytes: Uint8Array, at: number, op: number, length: number): number {
  if (length === 0) return at
  if ((op & VAL) !== 0) {
    bytes[at] = valRun(runValue(op), length)
    return at + 1
  }
  if (length <= ZERO_MAX_LENGTH) {
    bytes[at] = length - 1
    return at + 1
  }
  bytes[at] = XZERO | ((length - 1) >> 8)
  bytes[at + 1] = (length - 1) & 0xff
  return at + 2
}
