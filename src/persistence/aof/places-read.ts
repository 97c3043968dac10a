/** Reads what lies behind the places that places.ts wrote: the commands at the end of an append-only file, and who has which. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { Unacknowledged } from '../../rdb/unacknowledged.ts'
import type { Part } from './manifest.ts'
import { CommandReader, READ_COMMAND } from './reader.ts'

const HASH = 35
/** More than places.ts leaves between a place and the end, unless that could not be written for long. */
const BYTES_MAX = 256 * 1024 * 1024

export interface FoundPlace {
  name: string
  /** '-': within what a base has swallowed, from `offset` on. */
  file: string
  position: number
  database: number
  offset: number
  /** This is as far back as is known, and not where that replica was. */
  isCut: boolean
}

interface Block {
  tail: Unacknowledged
  file: string
}

/** A command boundary, and how many bytes of commands come before it. */
interface Boundary {
  file: string
  position: number
  at: number
}

/** What is told starts with the place furthest back. `marks` are the places in offsets of the returned tail. */
export function readTail(
  directory: string,
  increments: readonly Part[],
  replid: string,
  places: readonly FoundPlace[],
  block: Block | null,
) {
  const order = new Map(increments.map(({ name }, i) => [name, i]))
  const first = increments[0]?.name
  const usesBlock = block !== null && block.file === first && places.some(({ file }) => file === '-')
  // Of a part that is gone, by a rewrite that was cut short: from the first that is there.
  const known = places.map((place) =>
    order.has(place.file) || (place.file === '-' && usesBlock)
      ? place
      : { ...place, file: first ?? '', position: 0, database: 0, isCut: true },
  )
  const inFiles = known.filter(({ file }) => file !== '-')
  const earliest = inFiles.toSorted((a, b) => order.get(a.file)! - order.get(b.file)! || a.position - b.position)[0]
  const start = usesBlock ? { file: first!, position: 0 } : earliest
  const from = usesBlock ? block.tail.from : (earliest?.offset ?? 0)
  const before = usesBlock ? block.tail.bytes : Buffer.alloc(0)
  const { bytes, boundaries } = start === undefined ? nothing() : readCommands(directory, increments, start, inFiles)
  const acknowledged = new Map<string, number>()
  for (const place of known) {
    const boundary = boundaries.find(({ file, position }) => file === place.file && position === place.position)
    const at = from + before.length + (boundary?.at ?? 0)
    // Less than what is told: some of what that one lacks is not known.
    const offset = place.isCut ? Math.max(0, from - 1) : place.file === '-' ? place.offset : at
    acknowledged.set(place.name, offset)
  }
  const database = usesBlock ? block.tail.database : (earliest?.database ?? 0)
  const tail: Unacknowledged = { replid, from, database, bytes: Buffer.concat([before, bytes]), acknowledged }
  const marks = boundaries.map(({ file, position, at }) => {
    const place = known.find((one) => one.file === file && one.position === position)
    return { file, position, database: place?.database ?? 0, offset: from + before.length + at }
  })
  return { tail, marks }
}

function nothing(): { bytes: Buffer; boundaries: Boundary[] } {
  return { bytes: Buffer.alloc(0), boundaries: [] }
}

/** The commands from one place to the end, without what is no command, and the places of replicas among them. */
function readCommands(
  directory: string,
  increments: readonly Part[],
  start: { file: string; position: number },
  places: readonly FoundPlace[],
): { bytes: Buffer; boundaries: Boundary[] } {
  const pieces: Buffer[] = []
  const boundaries: Boundary[] = []
  let at = 0
  const names = increments.map(({ name }) => name)
  for (const name of names.slice(names.indexOf(start.file))) {
    const begin = name === start.file ? start.position : 0
    const content = readFrom(join(directory, name), begin)
    const wanted = new Set(places.filter(({ file }) => file === name).map(({ position }) => position))
    wanted.add(begin)
    const reader = new CommandReader(begin)
    reader.feed(content)
    for (let position = begin; ; position = reader.offset) {
      if (wanted.has(position)) boundaries.push({ file: name, position, at })
      if (reader.next(true) !== READ_COMMAND) break
      const piece = withoutNotes(content.subarray(position - begin, reader.offset - begin))
      pieces.push(piece)
      at += piece.length
    }
  }
  return { bytes: Buffer.concat(pieces), boundaries }
}

function readFrom(path: string, begin: number): Buffer {
  const fd = openSync(path, 'r')
  try {
    const length = Math.max(0, fstatSync(fd).size - begin)
    if (length > BYTES_MAX) throw new Error(`there are ${length} bytes behind the last place that is known`)
    const bytes = Buffer.alloc(length)
    let read = 0
    while (read < length) read += readSync(fd, bytes, read, length - read, begin + read)
    return bytes
  } finally {
    closeSync(fd)
  }
}

/** redis 7.0.15 aof.c: lines that begin with # are annotations. */
function withoutNotes(command: Buffer): Buffer {
  let start = 0
  while (command[start] === HASH) start = command.indexOf(10, start) + 1
  return command.subarray(start)
}
