/**
 * HSCAN, SSCAN and ZSCAN: a packed value is told at once, a table by ascending hash of its members, so that the cursor stays
 * true whatever is added or removed meanwhile (as SCAN does with keys). redis 7.0.15 db.c scanGenericCommand
 */
import { globMatch } from '../bytes/glob.ts'
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
    reply.bulkString('0')
    const mark = reply.openLength()
    source.packed(call, ref, each)
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
