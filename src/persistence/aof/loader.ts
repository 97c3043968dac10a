/**
 * Runs an append-only file at start: its base, then its increments, command by command through the executor and in slices
 * between which clients are answered -LOADING. A client that nobody sees stands for them; nothing is checked, expired or
 * passed on. What is cut off at the end of the last part is removed (aof-load-truncated); anything else that is wrong
 * ends the server. redis 7.0.15 aof.c loadSingleAppendOnlyFile, loadAppendOnlyFiles
 */
import { closeSync, fstatSync, openSync, readSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import { AOF_CLIENT_ID, Client, type Transport } from '../../commands/client.ts'
import type { Command } from '../../commands/command.ts'
import { strerror } from '../../config/strerror.ts'
import type { Engine } from '../../engine/engine.ts'
import type { RdbLoader } from '../../rdb/loader.ts'
import { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Request } from '../../resp/request.ts'
import { loadDumpInSlices } from '../dump-load.ts'
import type { Manifest } from './manifest.ts'
import { CommandReader, READ_BROKEN, READ_COMMAND, READ_MORE } from './reader.ts'

export type LoadStatus = 'ok' | 'truncated' | 'empty' | 'not-exist' | 'open-error' | 'failed'

export interface LoadHooks {
  begin(totalBytes: number): void
  progress(loadedBytes: number): void
  end(): void
  /** A loader for a base that is a dump. */
  baseLoader(): RdbLoader
  reportBaseError(path: string, error: unknown): void
}

const SLICE_MS = 5
const CHUNK_BYTES = 1024 * 1024
/** Longest time between two looks at key-load-delay. */
const DELAYED_SLICE_MS = 20
const COMMANDS_PER_LOOK = 32
const SIGNATURE = Buffer.from('REDIS', 'latin1')

/** Where a file ends in what could be run. */
interface Place {
  validUpTo: number
  beforeMulti: number
}

export class AofLoader {
  #engine: Engine
  #hooks: LoadHooks
  #directory: string
  #loadedBytes = 0

  constructor(engine: Engine, hooks: LoadHooks, directory: string) {
    this.#engine = engine
    this.#hooks = hooks
    this.#directory = directory
  }

  /** Bytes of a part. Logs when it cannot be told, and throws the system's error. */
  size(name: string): number {
    const started = performance.now()
    try {
      return statSync(join(this.#directory, name)).size
    } catch (error) {
      this.#engine.log('warning', `Unable to obtain the AOF file ${name} length. stat: ${strerror(error)}`)
      throw error
    } finally {
      this.#engine.addLatency('aof-fstat', performance.now() - started)
    }
  }

  /** Loads all parts. `sizes` are those of all of them and of the base. */
  async load(manifest: Manifest): Promise<{ status: LoadStatus; totalBytes: number; baseBytes: number }> {
    const { parts } = manifest
    const sizes = { totalBytes: 0, baseBytes: 0 }
    if (parts.length === 0) return { status: 'not-exist', ...sizes }
    try {
      for (const { name } of parts) sizes.totalBytes += this.size(name)
      if (manifest.base !== null) sizes.baseBytes = this.size(manifest.base.name)
    } catch {
      return { status: 'failed', ...sizes }
    }
    if (sizes.totalBytes === 0) return { status: 'empty', ...sizes }
    this.#loadedBytes = 0
    this.#hooks.begin(sizes.totalBytes)
    let status: LoadStatus = 'ok'
    for (const [i, part] of parts.entries()) {
      const kind = part === manifest.base ? 'base' : 'incr'
      status = await this.#part(part.name, kind, i === parts.length - 1)
      if (status === 'open-error' || status === 'failed') break
      this.#loadedBytes += fileSize(join(this.#directory, part.name))
    }
    this.#hooks.end()
    return { status, ...sizes }
  }

  async #part(name: string, kind: 'base' | 'incr', isLast: boolean): Promise<LoadStatus> {
    const { log } = this.#engine
    const started = performance.now()
    const status = await this.#file(name)
    if (status === 'ok' || (status === 'truncated' && isLast)) {
      const seconds = ((performance.now() - started) / 1000).toFixed(3)
      log('notice', `DB loaded from ${kind} file ${name}: ${seconds} seconds`)
    }
    if (status === 'truncated' && !isLast) {
      log('warning', 'Fatal error: the truncated file is not the last file')
      return 'failed'
    }
    // There is data in some part, so that one without any is none that is missing.
    return status === 'empty' && kind === 'incr' ? 'ok' : status
  }

  async #file(name: string): Promise<LoadStatus> {
    const { log } = this.#engine
    const path = join(this.#directory, name)
    let fd: number
    try {
      fd = openSync(path, 'r')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        log('warning', `The append log file ${name} doesn't exist: ${strerror(error)}`)
        return 'not-exist'
      }
      log('warning', `Fatal error: can't open the append log file ${name} for reading: ${strerror(error)}`)
      return 'open-error'
    }
    try {
      if (fstatSync(fd).size === 0) return 'empty'
      const start = await this.#dump(name, path, fd)
      if (start < 0) return 'failed'
      return await this.#commands(name, path, fd, start)
    } catch (error) {
      log('warning', `Unrecoverable error reading the append only file ${name}: ${strerror(error)}`)
      return 'failed'
    } finally {
      closeSync(fd)
    }
  }

  /** A file may begin with a dump, and go on with commands. Returns where those begin, -1 if the dump is broken. */
  async #dump(name: string, path: string, fd: number): Promise<number> {
    const { config, log } = this.#engine
    const head = Buffer.alloc(SIGNATURE.length)
    readSync(fd, head, 0, head.length, 0)
    if (!head.equals(SIGNATURE)) return 0
    const oldStyle = name === config.get('appendfilename')
    log('notice', oldStyle ? 'Reading RDB preamble from AOF file...' : 'Reading RDB base file on AOF loading...')
    const loader = this.#hooks.baseLoader()
    try {
      await loadDumpInSlices(openSync(path, 'r'), loader, {
        sliceMs: SLICE_MS,
        chunkBytes: () => config.get('loading-process-events-interval-bytes'),
        keyDelayMicroseconds: () => config.get('key-load-delay'),
        onProgress: (bytes) => this.#hooks.progress(this.#loadedBytes + bytes),
      })
    } catch (error) {
      this.#hooks.reportBaseError(path, error)
      const what = oldStyle ? 'RDB preamble of the AOF file' : 'RDB base file'
      log('warning', `Error reading the ${what} ${name}, AOF loading aborted`)
      return -1
    }
    if (oldStyle) log('notice', 'Reading the remaining AOF tail...')
    return loader.reader.offset
  }

  async #commands(name: string, path: string, fd: number, start: number): Promise<LoadStatus> {
    const { config, log } = this.#engine
    const run = new LoadRun(this.#engine, fd, start)
    const place: Place = { validUpTo: start, beforeMulti: start }
    try {
      let more = true
      while (more) {
        const keyDelayMs = config.get('key-load-delay') / 1000
        const most = keyDelayMs > 0 ? Math.max(1, Math.floor(DELAYED_SLICE_MS / keyDelayMs)) : Number.POSITIVE_INFINITY
        const before = run.commands
        more = run.slice(place, most)
        this.#hooks.progress(this.#loadedBytes + run.offset)
        if (!more) break
        if (run.client.isBlocked) await run.resumed()
        else if (keyDelayMs > 0) await pause((run.commands - before) * keyDelayMs)
        else await nextTurn()
      }
    } catch (error) {
      if (!(error instanceof UnknownCommand)) throw error
      log('warning', `Unknown command '${error.message}' reading the append only file ${name}`)
      return 'failed'
    }
    if (run.isBroken) {
      log(
        'warning',
        `Bad file format reading the append only file ${name}: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>`,
      )
      return 'failed'
    }
    if (run.isCutOff) return this.#cutOff(name, path, place.validUpTo)
    if (run.client.transaction === null) return 'ok'
    log('warning', `Revert incomplete MULTI/EXEC transaction in AOF file ${name}`)
    return this.#cutOff(name, path, place.beforeMulti)
  }

  #cutOff(name: string, path: string, validUpTo: number): LoadStatus {
    const { config, log } = this.#engine
    if (config.get('aof-load-truncated')) {
      log('warning', `!!! Warning: short read while loading the AOF file ${name}!!!`)
      log('warning', `!!! Truncating the AOF ${name} at offset ${validUpTo} !!!`)
      try {
        truncateSync(path, validUpTo)
        log('warning', `AOF ${name} loaded anyway because aof-load-truncated is enabled`)
        return 'truncated'
      } catch (error) {
        log('warning', `Error truncating the AOF file ${name}: ${strerror(error)}`)
      }
    }
    log(
      'warning',
      `Unexpected end of file reading the append only file ${name}. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server.`,
    )
    return 'failed'
  }
}

function fileSize(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

class UnknownCommand extends Error {}

/** One file's commands, and the client that stands for them. */
class LoadRun {
  readonly client: Client
  commands = 0
  isBroken = false
  isCutOff = false

  #engine: Engine
  #fd: number
  #reader: CommandReader
  #readUpTo: number
  #atEnd = false
  #reply = new ReplyWriter()
  #onResume: () => void = () => {}

  constructor(engine: Engine, fd: number, start: number) {
    this.#engine = engine
    this.#fd = fd
    this.#reader = new CommandReader(start)
    this.#readUpTo = start
    this.client = new Client(
      AOF_CLIENT_ID,
      transport(() => this.#onResume()),
      engine.now,
    )
    // Nothing is refused to it, as to the link to a primary.
    this.client.isMaster = true
    this.client.authenticated = true
    this.#reply.muted = true
  }

  get offset(): number {
    return this.#reader.offset
  }

  /** Resolves when the script that was held up has ended. */
  resumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onResume = resolve
    })
  }

  /** Runs some commands. False when there are no more: see isBroken and isCutOff. */
  slice(place: Place, most: number): boolean {
    const engine = this.#engine
    const { executor } = engine
    const until = performance.now() + SLICE_MS
    engine.tick()
    executor.enter(this.client)
    try {
      for (let left = most; left > 0; left--) {
        if (!this.#next(place)) return false
        if (this.client.isBlocked) return true
        if (this.commands % COMMANDS_PER_LOOK === 0 && performance.now() > until) return true
      }
      return true
    } finally {
      engine.inExec = false
      executor.leave()
    }
  }

  #next(place: Place): boolean {
    const reader = this.#reader
    let status = reader.next(this.#atEnd)
    while (status === READ_MORE && !this.#atEnd) {
      this.#read()
      status = reader.next(this.#atEnd)
    }
    if (status === READ_COMMAND) {
      const command = this.#find(reader.request)
      if (command.name === 'multi') place.beforeMulti = place.validUpTo
      this.#run(command, reader.request)
      place.validUpTo = reader.offset
      this.commands++
      return true
    }
    this.isBroken = status === READ_BROKEN
    this.isCutOff = status === READ_MORE && !reader.isBetween
    return false
  }

  #read(): void {
    const chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, this.#reader.wanted))
    const bytes = readSync(this.#fd, chunk, 0, chunk.length, this.#readUpTo)
    this.#readUpTo += bytes
    if (bytes === 0) this.#atEnd = true
    else this.#reader.feed(chunk.subarray(0, bytes))
  }

  #find(request: Request): Command {
    const { table } = this.#engine
    const command = table.lookup(request.buf, request.start(0), request.end(0))
    if (command === undefined) throw new UnknownCommand(request.latin1(0))
    if (command.subcommands === undefined || request.argc === 1) return command
    const sub = table.lookupSub(command, request.buf, request.start(1), request.end(1))
    if (sub === undefined) throw new UnknownCommand(request.latin1(0))
    return sub
  }

  #run(command: Command, request: Request): void {
    const { client } = this
    const engine = this.#engine
    client.lastCommand = command
    if (client.transaction !== null && command.name !== 'exec') {
      client.transaction.push({ command, request: request.detach(), flagBits: command.flagBits })
      return
    }
    // Only a script may make it wait.
    engine.inExec = command.group !== 'scripting'
    engine.executor.retry(client, command, request, this.#reply)
  }
}

/** Nobody is there to be answered. */
function transport(resume: () => void): Transport {
  return {
    remoteAddress: '',
    localAddress: '',
    fd: -1,
    pendingBytes: 0,
    queryBytes: 0,
    writeText: () => {},
    writeBuffers: () => {},
    resume,
    close: () => {},
  }
}
