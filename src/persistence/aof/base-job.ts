/**
 * The making of a new base: the data set of one instant, as a dump or as commands, into a temporary file. What takes the
 * place of the forked child: a snapshot in slices (rdb/snapshot.ts), while writes go on into the next increment.
 * redis 7.0.15 aof.c rewriteAppendOnlyFile
 */
import { constants } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../../commands/host.ts'
import { strerror } from '../../config/strerror.ts'
import type { Engine } from '../../engine/engine.ts'
import { Snapshot, type SnapshotOptions, SnapshotRunner } from '../../rdb/snapshot.ts'
import { Attendant } from '../attendant.ts'
import { DumpError, DumpWriter, writeDumpNow } from '../dump-writer.ts'
import { CommandsWriter } from './commands-writer.ts'

const SLICE_MS = 1

export type BaseFormat = 'rdb' | 'aof'

export interface BaseJobHooks {
  /** Source texts of function libraries. */
  libraries: () => Iterable<Uint8Array | string>
  /** The file is complete and on disk (null), or not; not called after abort(). */
  onDone: (error: Error | null) => void
  /** The child that stands for the job was killed; it has to be given up. */
  onKilled: (signal: number) => void
}

export class BaseJob {
  readonly format: BaseFormat
  readonly startedMs: number
  /** Where the file is when it is complete. */
  readonly path: string
  #engine: Engine
  #snapshot: Snapshot
  #runner: SnapshotRunner
  #writer: DumpWriter
  #attendant: Attendant

  /** Begins at this instant. Throws a DumpError when the file cannot be opened. */
  constructor(engine: Engine, hooks: BaseJobHooks) {
    const { config } = engine
    this.#engine = engine
    this.format = chosenFormat(engine)
    this.startedMs = engine.unixMs
    const attendant = new Attendant(engine, 'tandem-aof-rewrite', hooks.onKilled)
    this.#attendant = attendant
    this.path = join(config.get('dir'), `temp-rewriteaof-bg-${attendant.pid}.aof`)
    const paths = { temporary: join(config.get('dir'), `temp-rewriteaof-${attendant.pid}.aof`), final: this.path }
    const writer = openWriter(attendant, paths, {
      incrementalSync: config.get('aof-rewrite-incremental-fsync'),
      onDrain: () => this.#runner.resume(),
      onDone: (error) => {
        attendant.release()
        if (error === null) {
          engine.log('notice', `Successfully created the temporary AOF base file ${nameOf(this.path)}`)
        }
        hooks.onDone(error)
      },
    })
    this.#writer = writer
    engine.stats.snapshots++
    this.#snapshot = new Snapshot(engine.store, {
      ...snapshotOptions(engine, this.format, hooks.libraries()),
      onChunk: (chunk) => writer.write(chunk),
      onEnd: () => writer.end(),
      onError: (error) => {
        writer.abort()
        attendant.release()
        hooks.onDone(error instanceof Error ? error : new Error(String(error)))
      },
    })
    this.#runner = new SnapshotRunner(this.#snapshot, {
      sliceMs: SLICE_MS,
      ready: () => !writer.full,
      keyDelayMicroseconds: () => config.get('rdb-key-save-delay'),
    })
  }

  /** Of the child that stands for the job. */
  get pid(): number {
    return this.#attendant.pid
  }

  /** The data set is still being read. */
  get isReading(): boolean {
    return this.#snapshot.running
  }

  /** Reads the rest at once, for another snapshot that cannot wait. */
  finishReading(): void {
    this.#snapshot.finish()
  }

  abort(): void {
    this.#attendant.release()
    this.#runner.stop()
    this.#snapshot.abort()
    this.#writer.abort()
    this.#engine.log('debug', `The base file ${nameOf(this.path)} was given up`)
  }
}

function openWriter(attendant: Attendant, ...args: ConstructorParameters<typeof DumpWriter>): DumpWriter {
  try {
    return new DumpWriter(...args)
  } catch (error) {
    attendant.release()
    throw error
  }
}

export function chosenFormat(engine: Engine): BaseFormat {
  return engine.config.get('aof-use-rdb-preamble') ? 'rdb' : 'aof'
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function snapshotOptions(
  engine: Engine,
  format: BaseFormat,
  libraries: Iterable<Uint8Array | string>,
): Omit<SnapshotOptions, 'onChunk'> {
  const { config, store } = engine
  const options = { config, now: engine.unixMs, usedMemory: engine.memoryUsed(), aofBase: true }
  if (format === 'rdb') return options
  const stampSeconds = config.get('aof-timestamp-enabled') ? Math.floor(engine.unixMs / 1000) : undefined
  return { ...options, writer: (sink) => new CommandsWriter(store, { stampSeconds, libraries }, sink) }
}

/** Writes the base in the calling turn. Throws when it fails, which it has logged. */
export function writeBaseNow(engine: Engine, path: string, libraries: Iterable<Uint8Array | string>): void {
  const temporary = join(engine.config.get('dir'), `temp-rewriteaof-${process.pid}.aof`)
  try {
    writeDumpNow({ temporary, final: path }, (write) => {
      const options = snapshotOptions(engine, chosenFormat(engine), libraries)
      const snapshot = new Snapshot(engine.store, { ...options, onChunk: write })
      try {
        snapshot.finish()
      } finally {
        snapshot.abort()
      }
    })
  } catch (error) {
    engine.log('warning', `Write error writing append only file on disk: ${reasonOf(error)}`)
    throw error
  }
}

export class JobKilled extends Error {
  readonly wanted: boolean

  constructor(signal: number) {
    super(`Background AOF rewrite terminated by signal ${signal}`)
    this.wanted = signal === constants.signals.SIGUSR1
  }
}

export function logFailure(log: Log, error: Error): void {
  if (error instanceof JobKilled) {
    log('warning', error.message)
    return
  }
  log('warning', `Write error writing append only file on disk: ${reasonOf(error)}`)
  log('warning', 'Background AOF rewrite terminated with error')
}

/** What the system said, without the dump's words around it. */
export function reasonOf(error: unknown): string {
  return strerror(error instanceof DumpError ? error.cause : error)
}
