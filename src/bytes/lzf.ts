/**
 * LZF, the compression of long strings and packed values in RDB (liblzf 3.6 format; redis 7.0.15 lzf_c.c, lzf_d.c, with the
 * same hash and table size, so the output is Redis's output). A stream is a row of literal runs and back references:
 *
 *   000LLLLL  literal…                L + 1 literal bytes
 *   LLLooooo oooooooo                 L = 1…6: copy L + 2 bytes from 'offset + 1' bytes before
 *   111ooooo LLLLLLLL oooooooo        copy L + 9 bytes
 *
 * The table of last positions is not cleared between calls: each call stores positions above a base that only grows, so an
 * entry of an earlier call is below the base and is ignored.
 */
const HASH_BITS = 16
const TABLE = new Int32Array(1 << HASH_BITS)
const MAX_LITERAL = 1 << 5
const MAX_OFFSET = 1 << 13
const MAX_MATCH = (1 << 8) + (1 << 3)

/** What rdb.c rdbSaveLzfStringObject wants compression to save at least. */
const MIN_SAVING = 4

let tableBase = 0

/** The compressed bytes, or undefined when they would not be at least four bytes fewer. */
export function lzfCompress(src: Uint8Array, start: number, end: number): Buffer | undefined {
  const length = end - start
  if (length <= MIN_SAVING) return undefined
  if (tableBase + length > 0x7ffffffe) {
    TABLE.fill(0)
    tableBase = 0
  }
  const out = Buffer.allocUnsafe(length - MIN_SAVING)
  const size = compressInto(src, start, end, out, tableBase - start)
  tableBase += length
  return size === 0 ? undefined : out.subarray(0, size)
}

/** Returns the size, or 0 when `out` is too small. A position p is in the table as p + shift; shift puts `start` at tableBase. */
function compressInto(src: Uint8Array, start: number, end: number, out: Buffer, shift: number): number {
  const table = TABLE
  const room = out.length
  const first = start + shift
  const last = end - 2
  let pos = start
  let op = 1
  let literals = 0
  let hash = (src[pos]! << 8) | src[pos + 1]!
  while (pos < last) {
    hash = ((hash << 8) | src[pos + 2]!) & 0xffffff
    const slot = ((hash >>> 8) - hash * 5) & 0xffff
    const entry = table[slot]!
    table[slot] = pos + shift
    const ref = entry - shift
    const offset = pos - ref - 1
    if (
      entry <= first ||
      offset >= MAX_OFFSET ||
      src[ref] !== src[pos] ||
      src[ref + 1] !== src[pos + 1] ||
      src[ref + 2] !== src[pos + 2]
    ) {
      if (op >= room) return 0
      out[op++] = src[pos++]!
      if (++literals === MAX_LITERAL) {
        out[op - literals - 1] = literals - 1
        literals = 0
        op++
      }
      continue
    }
    if (op - (literals === 0 ? 1 : 0) + 4 >= room) return 0
    if (literals === 0) op--
    else out[op - literals - 1] = literals - 1
    const length = matchLength(src, ref, pos, Math.min(end - pos - 2, MAX_MATCH))
    const code = length - 2
    if (code < 7) {
      out[op++] = (offset >> 8) + (code << 5)
    } else {
      out[op++] = (offset >> 8) + (7 << 5)
      out[op++] = code - 7
    }
    out[op] = offset
    op += 2
    literals = 0
    pos += length
    if (pos >= last) break
    // As liblzf's VERY_FAST: of the positions inside the match only the last two enter the table.
    pos -= 2
    hash = (src[pos]! << 8) | src[pos + 1]!
    for (let again = 0; again < 2; again++) {
      hash = ((hash << 8) | src[pos + 2]!) & 0xffffff
      table[((hash >>> 8) - hash * 5) & 0xffff] = pos + shift
      pos++
    }
  }
  return finish(src, pos, end, out, op, literals)
}

function finish(src: Uint8Array, from: number, end: number, out: Buffer, at: number, run: number): number {
  let op = at
  let literals = run
  if (op + 3 > out.length) return 0
  for (let pos = from; pos < end; pos++) {
    out[op++] = src[pos]!
    if (++literals === MAX_LITERAL) {
      out[op - literals - 1] = literals - 1
      literals = 0
      op++
    }
  }
  if (literals === 0) return op - 1
  out[op - literals - 1] = literals - 1
  return op
}

/** How many bytes at ref equal those at pos, given that three do. `limit` is liblzf's maxlen, reached only past 16 bytes. */
function matchLength(src: Uint8Array, ref: number, pos: number, limit: number): number {
  let length = 3
  if (limit > 16) while (length < 19 && src[ref + length] === src[pos + length]) length++
  if (limit > 16 && length < 19) return length
  while (length < limit && src[ref + length] === src[pos + length]) length++
  return length
}

/** The original bytes, or undefined when the stream is corrupt or is not exactly outLength bytes long. */
export function lzfDecompress(src: Uint8Array, start: number, end: number, outLength: number): Buffer | undefined {
  const out = Buffer.allocUnsafe(outLength)
  let pos = start
  let op = 0
  while (pos < end) {
    const control = src[pos++]!
    if (control < MAX_LITERAL) {
      const stop = pos + control + 1
      if (stop > end || op + control + 1 > outLength) return undefined
      while (pos < stop) out[op++] = src[pos++]!
      continue
    }
    let length = (control >> 5) + 2
    if (pos >= end) return undefined
    if (length === 9) {
      length += src[pos++]!
      if (pos >= end) return undefined
    }
    let ref = op - ((control & 0x1f) << 8) - 1 - src[pos++]!
    if (ref < 0 || op + length > outLength) return undefined
    for (const stop = op + length; op < stop; ) out[op++] = out[ref++]!
  }
  return op === outLength ? out : undefined
}
