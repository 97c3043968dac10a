/**
 * What the programs' histories say beside the lists as they are in the end. As each number is appended once, by one
 * program, in ascending order, the list tells of every write what became of it, also of those that others came after.
 */
import { encodeCommand } from '../../support/wire.ts'
import { type Operation, writeOf } from './programs.ts'

export interface Findings {
  writes: number
  reads: number
  refused: number
  unknown: number
  /** Acknowledged writes that are gone, and their bytes in the stream. */
  lost: number
  lostBytes: number
  /** Writes of which a server said that it did not apply them, and which are there. */
  resurrected: number
  /** Numbers that nobody wrote, or that are there twice. */
  invented: number
  /** Reads that did not show a write that was acknowledged before they began, and that is there in the end. */
  staleReads: number
  /** Reads that showed a write that is gone in the end. */
  lostReads: number
  /** Reads that showed what nobody had begun to write. */
  futureReads: number
}

export function nothingFound(): Findings {
  return {
    writes: 0,
    reads: 0,
    refused: 0,
    unknown: 0,
    lost: 0,
    lostBytes: 0,
    resurrected: 0,
    invented: 0,
    staleReads: 0,
    lostReads: 0,
    futureReads: 0,
  }
}

/** Adds what is found for one list. */
export function check(findings: Findings, history: readonly Operation[], list: readonly number[]): void {
  const places = new Map(list.map((value, place) => [value, place]))
  const writes = history.filter(({ kind }) => kind === 'write').sort((a, b) => a.value - b.value)
  const byValue = new Map(writes.map((write) => [write.value, write]))
  findings.invented += list.length - places.size
  for (const value of places.keys()) if (!byValue.has(value)) findings.invented++
  for (const { key, value, outcome } of writes) {
    const isThere = places.has(value)
    if (outcome === 'ok') {
      findings.writes++
      if (isThere) continue
      findings.lost++
      findings.lostBytes += encodeCommand(writeOf(key, value)).length
    } else if (outcome === 'refused') {
      findings.refused++
      if (isThere) findings.resurrected++
    } else {
      findings.unknown++
    }
  }
  checkReads(findings, history, writes, byValue, places)
}

function checkReads(
  findings: Findings,
  history: readonly Operation[],
  writes: readonly Operation[],
  byValue: ReadonlyMap<number, Operation>,
  places: ReadonlyMap<number, number>,
): void {
  const kept = writes.filter(({ value, outcome }) => outcome === 'ok' && places.has(value))
  for (const read of history) {
    if (read.kind !== 'read' || read.outcome !== 'ok') continue
    findings.reads++
    const place = places.get(read.value)
    if (read.value > 0) {
      const write = byValue.get(read.value)
      if (write === undefined || write.startMs > read.endMs) findings.futureReads++
      else if (place === undefined) findings.lostReads++
    }
    // The writes of one list end in the order of their numbers.
    const before = lastEndedBefore(kept, read.startMs)
    if (before === undefined || (read.value > 0 && place === undefined)) continue
    if ((place ?? -1) < places.get(before.value)!) findings.staleReads++
  }
}

function lastEndedBefore(writes: readonly Operation[], ms: number): Operation | undefined {
  let low = 0
  let high = writes.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (writes[middle]!.endMs < ms) low = middle + 1
    else high = middle
  }
  return writes[low - 1]
}
