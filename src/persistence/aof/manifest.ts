/**
 * The manifest of an append-only file: which parts it has, in the order in which they are loaded. Its text is one line
 * for each, and is replaced as a whole (temporary file, fsync, rename, fsync of the directory), so that the parts named
 * in it are complete at any moment. redis 7.0.15 aof.c aofLoadManifestFromFile, persistAofManifest
 *
 *   file appendonly.aof.2.base.rdb seq 2 type b        the data set at one instant
 *   file appendonly.aof.1.incr.aof seq 1 type h        history: no longer needed, to be deleted
 *   file appendonly.aof.2.incr.aof seq 2 type i        what was written since, in ascending order
 */
import { closeSync, constants, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../../commands/host.ts'
import { quote, splitArguments, trimLine } from '../../config/redis-conf.ts'
import { strerror } from '../../config/strerror.ts'

const LINE_MAX = 1024

export interface Part {
  readonly name: string
  readonly seq: number
}

/** The manifest cannot be used; what it says has been logged. */
export class ManifestError extends Error {}

export class Manifest {
  readonly #appendfilename: string
  base: Part | null = null
  history: Part[] = []
  increments: Part[] = []
  /** It differs from the file. */
  dirty = false
  #baseSeq = 0
  #incrementSeq = 0

  constructor(appendfilename: string) {
    this.#appendfilename = appendfilename
  }

  get fileName(): string {
    return `${this.#appendfilename}.manifest`
  }

  get isEmpty(): boolean {
    return this.base === null && this.increments.length === 0
  }

  /** In the order of loading. */
  get parts(): Part[] {
    return this.base === null ? [...this.increments] : [this.base, ...this.increments]
  }

  copy(): Manifest {
    const copy = new Manifest(this.#appendfilename)
    copy.base = this.base
    copy.history = [...this.history]
    copy.increments = [...this.increments]
    copy.dirty = this.dirty
    copy.#baseSeq = this.#baseSeq
    copy.#incrementSeq = this.#incrementSeq
    return copy
  }

  /** The name of a new base; the one so far becomes history. */
  newBase(format: 'rdb' | 'aof'): string {
    if (this.base !== null) this.history.unshift(this.base)
    const seq = ++this.#baseSeq
    this.base = { name: `${this.#appendfilename}.${seq}.base.${format}`, seq }
    this.dirty = true
    return this.base.name
  }

  /** A file of before there were parts becomes the base as it is. */
  adoptBase(): void {
    this.base = { name: this.#appendfilename, seq: 1 }
    this.#baseSeq = 1
    this.dirty = true
  }

  newIncrement(): string {
    const seq = ++this.#incrementSeq
    const name = `${this.#appendfilename}.${seq}.incr.aof`
    this.increments.push({ name, seq })
    this.dirty = true
    return name
  }

  lastIncrement(): string {
    return this.increments.at(-1)?.name ?? this.newIncrement()
  }

  /** A new base holds what all increments say, but for the last when that is still written to. */
  retireIncrements(keepLast: boolean): void {
    const retired = keepLast ? this.increments.slice(0, -1) : this.increments
    this.increments = keepLast ? this.increments.slice(-1) : []
    for (const part of retired.toReversed()) this.history.unshift(part)
    this.dirty = true
  }

  dropHistory(): void {
    this.history = []
    this.dirty = true
  }

  toString(): string {
    let text = this.base === null ? '' : line(this.base, 'b')
    for (const part of this.history) text += line(part, 'h')
    for (const part of this.increments) text += line(part, 'i')
    return text
  }

  /** Undefined when there is no such file. Throws a ManifestError, and the system's error when it cannot be read. */
  static read(directory: string, appendfilename: string, log: Log): Manifest | undefined {
    const manifest = new Manifest(appendfilename)
    const path = join(directory, manifest.fileName)
    let text: string
    try {
      text = readFileSync(path, 'utf8')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      const reason = `Fatal error: can't open the AOF manifest file ${path} for reading: ${strerror(error)}`
      log('warning', reason)
      throw new ManifestError(reason)
    }
    manifest.#parse(text, log)
    return manifest
  }

  #parse(text: string, log: Log): void {
    if (text === '') throw fatal('Found an empty AOF manifest', log)
    const lines = text.split('\n')
    const unfinished = lines.pop() !== ''
    for (const [i, raw] of lines.entries()) {
      if (raw.startsWith('#')) continue
      if (raw.length >= LINE_MAX) throw fatal('The AOF manifest file contains too long line', log)
      const problem = this.#parseLine(trimLine(raw))
      if (problem !== undefined) throw fatal(problem, log, i + 1, trimLine(raw))
    }
    if (unfinished) throw fatal('The AOF manifest file contains too long line', log)
  }

  #parseLine(text: string): string | undefined {
    const invalid = 'Invalid AOF manifest file format'
    const words = text === '' ? undefined : splitArguments(text)
    if (words === undefined || words.length < 6 || words.length % 2 !== 0) return invalid
    let name = ''
    let seq = 0
    let type = ''
    for (let i = 0; i < words.length; i += 2) {
      const value = words[i + 1]!
      const key = words[i]!.toLowerCase()
      if (key === 'file') name = value
      else if (key === 'seq') seq = Number.parseInt(value, 10) || 0
      else if (key === 'type') type = value.slice(0, 1)
      if (key === 'file' && /[/\\]/.test(name)) return "File can't be a path, just a filename"
    }
    if (name === '' || seq === 0 || type === '') return invalid
    return this.#add({ name, seq }, type)
  }

  #add(part: Part, type: string): string | undefined {
    if (type === 'b') {
      if (this.base !== null) return 'Found duplicate base file information'
      this.base = part
      this.#baseSeq = part.seq
    } else if (type === 'h') {
      this.history.push(part)
    } else if (type === 'i') {
      if (part.seq <= this.#incrementSeq) return 'Found a non-monotonic sequence number'
      this.increments.push(part)
      this.#incrementSeq = part.seq
    } else {
      return 'Unknown AOF file type'
    }
    return undefined
  }

  /** False when it could not be written, which has been logged. */
  save(directory: string, log: Log): boolean {
    if (!this.dirty) return true
    const temporary = `temp-${this.fileName}`
    const path = join(directory, this.fileName)
    let failure = (error: unknown) => `Can't open the AOF manifest file ${temporary}: ${strerror(error)}`
    let fd = -1
    try {
      fd = openSync(join(directory, temporary), 'w', 0o644)
      failure = (error) => `Error trying to write the temporary AOF manifest file ${temporary}: ${strerror(error)}`
      const bytes = Buffer.from(this.toString(), 'utf8')
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
      failure = (error) => `Fail to fsync the temp AOF file ${temporary}: ${strerror(error)}.`
      fsyncSync(fd)
      failure = (error) =>
        `Error trying to rename the temporary AOF manifest file ${temporary} into ${this.fileName}: ${strerror(error)}`
      renameSync(join(directory, temporary), path)
      failure = (error) => `Fail to fsync AOF directory ${path}: ${strerror(error)}.`
      syncDirectory(directory)
    } catch (error) {
      log('warning', failure(error))
      return false
    } finally {
      if (fd >= 0) closeSync(fd)
    }
    this.dirty = false
    return true
  }
}

function line({ name, seq }: Part, type: 'b' | 'h' | 'i'): string {
  const needsQuotes = !/^[!-~]*$/.test(name) || /["\\]/.test(name)
  return `file ${needsQuotes ? quote(name) : name} seq ${seq} type ${type}\n`
}

function fatal(problem: string, log: Log, number = 0, text = ''): ManifestError {
  log('warning', '\n*** FATAL AOF MANIFEST FILE ERROR ***\n')
  if (number > 0) {
    log('warning', `Reading the manifest file, at line ${number}\n`)
    log('warning', `>>> '${text}'\n`)
  }
  log('warning', `${problem}\n`)
  return new ManifestError(problem)
}

/** Some file systems cannot flush a directory. */
export function syncDirectory(path: string): void {
  try {
    const fd = openSync(path, constants.O_RDONLY)
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EINVAL' && code !== 'EBADF' && code !== 'EACCES') throw error
  }
}
