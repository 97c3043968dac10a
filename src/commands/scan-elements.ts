/**
 * HSCAN, SSCAN and ZSCAN: what Redis keeps packed is told at once, a table by ascending hash of its members, so that the
 * cursor stays true whatever is added or removed meanwhile (as SCAN does with keys), and whether a set is a listpack or has
 * become a table. redis 7.0.15 db.c scanGenericCommand
 */
import { globMatch } from '../bytes/glob.ts'
import { hashBytes } from '../bytes/siphash.ts'
import type { ElementTable } from '../store/values/element-table.ts'
import { type Call, WRONG_TYPE } from './call.ts'
import { scanCursor, scanOptions } from './generic/scan.ts'

const HASHES = 0x100000000

export interface ScanSource {
  /** The table of a value that has one. */
  table(call: Call, ref: number): ElementTable | null
  /** What each name is followed by. */
  rest: ((call: Call, table: ElementTable, entry: number) => void) | null
  /** All elements of a packed value: calls `each` with a name, which replies it and says whether the rest is wanted. */
  packed(call: Call, ref: number, each: (bytes: Buffer, start: number, end: number) => boolean): void
  /** Whether a packed value is a table in Redis, so that clients expect it in pages of COUNT. */
  isPaged(call: Call, ref: number): boolean
}

export function scanElements(call: Call, type: number, source: ScanSource): void {
  const { reply } = call
  const cursor = scanCursor(call, 2)
  if (cursor === undefined) return
  const ref = call.typedForRead(1, type)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    reply.array(2)
    reply.bulkString('0')
    reply.array(0)
    return
  }
  const options = scanOptions(call, 3)
  if (options === undefined) return
  const { pattern } = options
  const table = source.table(call, ref)
  let found = 0
  const each = (bytes: Buffer, start: number, end: number): boolean => {
    if (pattern !== undefined && !globMatch(pattern, bytes, start, end)) return false
    reply.bulk(bytes, start, end)
    found += source.rest === null ? 1 : 2
    return true
  }
  reply.array(2)
  if (table === null) {
    const isPaged = source.isPaged(call, ref)
    const next = isPaged ? pageEnd(call, ref, source, cursor, options.count) : HASHES
    reply.bulkInteger(next >= HASHES ? 0 : next)
    const mark = reply.openLength()
    const ofPage = (bytes: Buffer, start: number, end: number): boolean => {
      const hash = hashBytes(bytes, start, end)
      return hash >= cursor && hash < next && each(bytes, start, end)
    }
    source.packed(call, ref, isPaged ? ofPage : each)
    reply.closeLength(mark, '*', found)
    return
  }
  const entries: number[] = []
  const next = cursor >= HASHES ? HASHES : table.visit(cursor, options.count, (entry) => entries.push(entry))
  reply.bulkInteger(next >= HASHES ? 0 : next)
  const mark = reply.openLength()
  for (const entry of entries) {
    table.read(entry)
    if (each(table.bytes, table.start, table.end)) source.rest?.(call, table, entry)
  }
  reply.closeLength(mark, '*', found)
}

/** Where the page of a packed value that begins at `cursor` ends: a hash, as ElementTable.visit would return it. */
function pageEnd(call: Call, ref: number, source: ScanSource, cursor: number, count: number): number {
  const hashes: number[] = []
  source.packed(call, ref, (bytes, start, end) => {
    const hash = hashBytes(bytes, start, end)
    if (hash >= cursor) hashes.push(hash)
    return false
  })
  if (hashes.length <= count) return HASHES
  hashes.sort((a, b) => a - b)
  const last = hashes[count - 1]!
  return hashes.find((hash) => hash > last) ?? HASHES
}
