/**
 * How much of the append-only file each replica has: where it goes on behind what that one has acknowledged, in a small file
 * beside it. After a restart what lies behind is what may be lost when that replica was promoted (replication/lost-writes.ts).
 *
 *   appendonly.aof.acknowledged:     tandem <replid>
 *                                    <ip:port> <increment> <position> <database> <offset of the stream> <cut>
 *   appendonly.aof.unacknowledged:   <increment>, a head (rdb/unacknowledged.ts), bytes: what a rewrite took up into its
 *                                    base though not all had acknowledged it; it ends where that increment begins
 *
 * The append-only file itself stays as it is. Places are noted, and the file is written, every 100 milliseconds at most and
 * only when a place has changed, so that what it says may begin that much too early: never too late. Not more than about
 * the last megabyte is told (`cut`).
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { strerror } from '../../config/strerror.ts'
import { isPlain, readUnacknowledged, type Unacknowledged, unacknowledgedHead } from '../../rdb/unacknowledged.ts'
import type { AppendFile } from './append-file.ts'
import type { AofFiles, FilesEngine } from './files.ts'
import { type FoundPlace, readTail } from './places-read.ts'

const PERIOD_MS = 100
const TAIL_BYTES = 1024 * 1024
const MARKS_MAX = 2048
const DAMAGED = 'the file that says so is damaged'

/** The stream as replicas acknowledge it. */
export interface Line {
  replid: string
  offset: number
  /** To be added to an offset of this server's stream. */
  shift: number
  acknowledged: ReadonlyMap<string, number>
}

export interface PlacesHooks {
  /** Null while there is nothing that replicas could lack: a replica. */
  line: () => Line | null
  /** What some replica lacks of the stream so far. */
  unacknowledged: () => Unacknowledged | undefined
  /** Was found at start. */
  onUnacknowledged: (tail: Unacknowledged) => void
}

/** Up to here the file has what the stream has up to `offset`. */
interface Mark {
  file: string
  position: number
  database: number
  offset: number
}

export class Places {
  #engine: FilesEngine & { readonly now: number }
  #files: AofFiles
  #file: AppendFile
  #hooks: PlacesHooks
  #marks: Mark[] = []
  #markedAtMs = 0
  #savedText = ''
  #isFailing = false
  #replid = ''
  /** The increment that is written to. */
  #name = ''
  /** What a base has swallowed, and the increment that goes on behind it. */
  #block: { tail: Unacknowledged; file: string } | null = null
  #nextBlock: Unacknowledged | undefined

  constructor(engine: FilesEngine & { readonly now: number }, files: AofFiles, file: AppendFile, hooks: PlacesHooks) {
    this.#engine = engine
    this.#files = files
    this.#file = file
    this.#hooks = hooks
  }

  get #path(): string {
    return join(this.#files.directory, `${this.#engine.config.get('appendfilename')}.acknowledged`)
  }

  get #blockPath(): string {
    return join(this.#files.directory, `${this.#engine.config.get('appendfilename')}.unacknowledged`)
  }

  // ---- what is written ---------------------------------------------------------------------------------------------

  /** More is about to be written, or some time has passed. */
  look(atOnce = false): void {
    const { now } = this.#engine
    if (!atOnce && now - this.#markedAtMs < PERIOD_MS && now >= this.#markedAtMs) return
    try {
      const line = this.#hooks.line()
      if (line === null) return this.#forget()
      this.#markedAtMs = now
      if (line.replid !== this.#replid) this.#begin(line.replid)
      this.#mark(line.shift)
      if (line.acknowledged.size > 0) this.#save(line)
      else this.#marks.splice(0, this.#marks.length - 1)
      this.#isFailing = false
    } catch (error) {
      // Then what was noted before stands, which is less.
      if (this.#isFailing) return
      this.#isFailing = true
      this.#engine.log('warning', `What replicas have of the AOF could not be noted: ${strerror(error)}`)
    }
  }

  #begin(replid: string): void {
    this.#replid = replid
    this.#marks = []
    this.#dropBlock()
  }

  #mark(shift: number): void {
    const { partSize, writtenOffset, writtenDatabase } = this.#file
    const last = this.#marks.at(-1)
    if (last !== undefined && last.file === this.#name && last.position === partSize) return
    const mark = {
      file: this.#name,
      position: partSize,
      database: writtenDatabase,
      offset: writtenOffset + shift,
    }
    this.#marks.push(mark)
    if (this.#marks.length <= MARKS_MAX) return
    const half = MARKS_MAX / 2
    this.#marks = this.#marks.filter((_, i) => i >= half || i % 2 === 0)
  }

  #save({ replid, acknowledged }: Line): void {
    this.#dropOld(Math.min(...acknowledged.values()))
    let text = `tandem ${replid}\n`
    for (const [name, offset] of acknowledged) if (isPlain(name)) text += this.#lineOf(name, offset)
    if (text === this.#savedText) return
    const path = this.#path
    writeFileSync(`${path}.tmp`, text)
    renameSync(`${path}.tmp`, path)
    this.#savedText = text
  }

  #lineOf(name: string, acknowledged: number): string {
    const mark = this.#marks.findLast(({ offset }) => offset <= acknowledged)
    const block = this.#block?.tail
    if (mark === undefined && block !== undefined) {
      const isCut = acknowledged < block.from
      return `${name} - 0 0 ${isCut ? block.from : acknowledged} ${isCut ? 1 : 0}\n`
    }
    const { file, position, database, offset } = mark ?? this.#marks[0]!
    return `${name} ${file} ${position} ${database} ${offset} ${mark === undefined ? 1 : 0}\n`
  }

  /** What everybody has, and what is too far back. */
  #dropOld(least: number): void {
    const marks = this.#marks
    const end = marks.at(-1)!.offset
    const needed = marks.findLastIndex(({ offset }) => offset <= least || end - offset > TAIL_BYTES)
    if (needed > 0) marks.splice(0, needed)
    if (this.#block !== null && needed >= 0) this.#dropBlock()
  }

  #dropBlock(): void {
    if (this.#block === null) return
    this.#block = null
    rmSync(this.#blockPath, { force: true })
  }

  #forget(): void {
    if (this.#savedText === '') return
    this.#savedText = ''
    this.#replid = ''
    this.#marks = []
    this.#dropBlock()
    rmSync(this.#path, { force: true })
  }

  // ---- parts that come and go --------------------------------------------------------------------------------------

  /** This increment is written to from now on; `isNew`: everything so far is in the base to come, or in parts before it. */
  opened(name: string, isNew: boolean): void {
    this.#name = name
    if (!isNew) return
    this.#nextBlock = this.#hooks.unacknowledged()
    const line = this.#hooks.line()
    if (line === null || this.#file.bufferBytes > 0) return
    if (line.replid !== this.#replid) this.#begin(line.replid)
    this.#marks.push({ file: name, position: 0, database: 0, offset: line.offset })
  }

  /** A base is in place: of the increments there is but the one that is written to, perhaps under a new name. */
  installed(name: string): void {
    const old = this.#name
    this.#name = name
    this.#marks = this.#marks.filter(({ file }) => file === old)
    for (const mark of this.#marks) mark.file = name
    const tail = this.#nextBlock
    this.#nextBlock = undefined
    this.#block = null
    try {
      if (tail === undefined) rmSync(this.#blockPath, { force: true })
      else {
        const head = `${name}\n${unacknowledgedHead(tail, tail.from + tail.bytes.length)}\n`
        writeFileSync(this.#blockPath, Buffer.concat([Buffer.from(head, 'latin1'), tail.bytes]))
        this.#block = { tail, file: name }
      }
    } catch (error) {
      this.#engine.log('warning', `What replicas lack of the AOF's new base could not be kept: ${strerror(error)}`)
    }
    this.look(true)
  }

  // ---- at start ----------------------------------------------------------------------------------------------------

  /** The file was loaded: what of it some replica had not acknowledged. */
  restore(): void {
    try {
      this.#restore()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
      const { log } = this.#engine
      log('warning', `What replicas had of the AOF before the restart is not known: ${strerror(error)}`)
    }
  }

  #restore(): void {
    const text = readFileSync(this.#path, 'latin1')
    const [head, ...lines] = text.split('\n')
    const replid = /^tandem ([0-9a-f]{40})$/.exec(head!)?.[1]
    if (replid === undefined || lines.pop() !== '') throw new Error(DAMAGED)
    const found = lines.map(readPlace)
    const block = this.#readBlock()
    const { tail, marks } = readTail(this.#files.directory, this.#files.manifest.increments, replid, found, block)
    this.#replid = replid
    this.#marks = marks
    this.#savedText = text
    if (lines.some((line) => line.includes(' - '))) this.#block = block
    this.#hooks.onUnacknowledged(tail)
  }

  #readBlock(): { tail: Unacknowledged; file: string } | null {
    let bytes: Buffer
    try {
      bytes = readFileSync(this.#blockPath)
    } catch {
      return null
    }
    const nameEnd = bytes.indexOf(10)
    const headEnd = bytes.indexOf(10, nameEnd + 1)
    const head = bytes.latin1Slice(nameEnd + 1, headEnd)
    const stream = bytes.latin1Slice(headEnd + 1)
    const tail = readUnacknowledged({ head, stream }, Number(head.split(' ')[3]))
    return tail === undefined ? null : { tail, file: bytes.latin1Slice(0, nameEnd) }
  }
}

function readPlace(line: string): FoundPlace {
  const match = /^(\S+) (\S+) (\d{1,15}) (\d{1,9}) (\d{1,15}) ([01])$/.exec(line)
  if (match === null) throw new Error(DAMAGED)
  const [, name, file, position, database, offset, cut] = match as unknown as string[]
  return {
    name: name!,
    file: file!,
    position: Number(position),
    database: Number(database),
    offset: Number(offset),
    isCut: cut === '1',
  }
}
