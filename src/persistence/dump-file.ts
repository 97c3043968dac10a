/**
 * The dump in `dir`: SAVE, BGSAVE and save points, loading at start, DEBUG RELOAD, and the numbers that INFO shows of it.
 * A background save is a snapshot in slices (rdb/snapshot.ts) that alternates with clients and with the disk; only one
 * snapshot can be under way, whoever it is for. Whatever fails leaves the last good dump where it is.
 *
 *   BGSAVE → Snapshot ─chunks→ DumpWriter: temp-<pid>.rdb → fsync → rename → done
 */
import { constants } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { Log, PersistenceHost } from '../commands/host.ts'
import type { Config } from '../config/config.ts'
import { strerror } from '../config/strerror.ts'
import { RdbError } from '../rdb/format.ts'
import { type LoadedAux, RdbLoader } from '../rdb/loader.ts'
import { Snapshot, SnapshotRunner } from '../rdb/snapshot.ts'
import type { ReplicationAux } from '../rdb/writer.ts'
import type { Store } from '../store/store.ts'
import { Attendant } from './attendant.ts'
import { loadDumpInSlices, loadDumpNow, openDump } from './dump-load.ts'
import { DumpError, type DumpPaths, DumpWriter, writeDumpNow } from './dump-writer.ts'

/** The engine, as far as it is needed here. */
export interface PersistenceEngine {
  readonly config: Config
  readonly store: Store
  readonly log: Log
  readonly unixMs: number
  /** A MULTI is being executed. */
  readonly inExec: boolean
  /** What others are answered while a script is held up half way. */
  readonly busy?: string | null
  readonly isReplica: boolean
  /** Changes since the last save. */
  dirty: number
  readonly stats?: { snapshots: number }
  memoryUsed(): number
  onChild?(pid: number): void
  flushAll(): void
}

export interface PersistenceHooks {
  /** The history that a snapshot of now belongs to; undefined when this server has none. */
  replicationAux: () => ReplicationAux | undefined
  /** Commands are answered by -LOADING, or (async) served from the old data. */
  setLoading: (state: 'no' | 'yes' | 'async') => void
  /** lastSaveOk changed. */
  onStatus: () => void
  /** The dump was loaded at start. */
  onLoaded: (aux: LoadedAux) => void
  /** A key of the dump was left out at start because it is past its time. */
  onExpired: (database: number, key: Buffer) => void
  /** The append-only file is being rewritten, and whether that still reads the data set; `finishReading` ends that at once. */
  aof: () => { readonly rewriting: boolean; readonly isReading: boolean; finishReading(): void }
  /** Ends the process because the dump cannot be loaded. */
  exit: (code: number) => void
}

const SLICE_MS = 1
/** redis 7.0.15 server.h CONFIG_BGSAVE_RETRY_DELAY */
const RETRY_SECONDS = 5

type Finished = (error: Error | null) => void

interface Job {
  snapshot: Snapshot
  runner: SnapshotRunner
  writer: DumpWriter
  startedMs: number
  dirtyBefore: number
  background: boolean
  attendant: Attendant | null
  callbacks: Finished[]
}

export class Persistence implements PersistenceHost {
  lastSaveOk = true
  lastSaveSeconds: number
  lastSaveDurationSeconds = -1
  saves = 0
  loading = false
  asyncLoading = false
  loadStartSeconds = 0
  loadTotalBytes = 0
  loadedBytes = 0
  lastLoadKeysExpired = 0
  lastLoadKeysLoaded = 0
  /** Bytes that the last snapshot wrote early because they were about to change: what copy-on-write is to a fork. */
  lastSaveCopiedBytes = 0

  #engine: PersistenceEngine
  #hooks: PersistenceHooks
  #job: Job | null = null
  #scheduled = false
  #lastTrySeconds = 0

  constructor(engine: PersistenceEngine, hooks: PersistenceHooks) {
    this.#engine = engine
    this.#hooks = hooks
    // Nothing needs saving at start.
    this.lastSaveSeconds = this.#seconds()
  }

  #seconds(): number {
    return Math.floor(this.#engine.unixMs / 1000)
  }

  #paths(pid = process.pid): DumpPaths {
    const { config } = this.#engine
    return {
      temporary: config.resolvePath(`temp-${pid}.rdb`),
      final: config.resolvePath(config.get('dbfilename')),
    }
  }

  get dirty(): number {
    return this.#engine.dirty
  }

  /** A snapshot is under way, for a dump or for replicas: another one has to wait. */
  get busy(): boolean {
    return this.#job !== null || this.#engine.store.walk !== null
  }

  get saving(): boolean {
    return this.hasJob || (this.#engine.store.walk !== null && !this.#hooks.aof().isReading)
  }

  /** A dump is being made. */
  get hasJob(): boolean {
    return this.#job !== null
  }

  get currentSaveSeconds(): number {
    return this.#job === null ? -1 : Math.floor((this.#engine.unixMs - this.#job.startedMs) / 1000)
  }

  // ---- SAVE ---------------------------------------------------------------------------------------------------------

  /** redis 7.0.15 rdb.c saveCommand, rdbSave */
  saveNow(): void {
    this.#hooks.aof().finishReading()
    if (this.busy) throw new Error('Background save already in progress')
    this.saves++
    this.#saveNow()
  }

  #saveNow(): void {
    const engine = this.#engine
    try {
      writeDumpNow(this.#paths(), (write) => this.#snapshotNow(write))
    } catch (error) {
      engine.log('warning', error instanceof Error ? error.message : String(error))
      throw error
    }
    engine.log('notice', 'DB saved on disk')
    engine.dirty = 0
    this.#saved()
  }

  #snapshotNow(write: (chunk: Buffer) => void): void {
    const { config } = this.#engine
    const snapshot = new Snapshot(this.#engine.store, { ...this.#snapshotOptions(), onChunk: write })
    try {
      const delayMs = config.get('rdb-key-save-delay') / 1000
      if (delayMs > 0) while (snapshot.step(Number.POSITIVE_INFINITY, 1)) sleep(delayMs)
      else snapshot.finish()
    } finally {
      snapshot.abort()
    }
    this.lastSaveCopiedBytes = snapshot.copiedBytes
  }

  #snapshotOptions() {
    const engine = this.#engine
    return {
      config: engine.config,
      now: engine.unixMs,
      aux: this.#hooks.replicationAux(),
      usedMemory: engine.memoryUsed(),
    }
  }

  #saved(): void {
    this.lastSaveSeconds = this.#seconds()
    this.#setStatus(true)
  }

  #setStatus(ok: boolean): void {
    if (this.lastSaveOk === ok) return
    this.lastSaveOk = ok
    this.#hooks.onStatus()
  }

  // ---- BGSAVE -------------------------------------------------------------------------------------------------------

  /** redis 7.0.15 rdb.c bgsaveCommand */
  saveInBackground(schedule = false): string {
    if (this.saving) return '-ERR Background save already in progress'
    const { rewriting } = this.#hooks.aof()
    if (rewriting && !schedule && !this.#engine.inExec) {
      return "-ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible."
    }
    if (rewriting || this.#engine.inExec) {
      this.#scheduled = true
      return 'Background saving scheduled'
    }
    this.#start(true, [])
    return 'Background saving started'
  }

  /** A save whose file is for replicas: calls back when it is in place, or failed. */
  saveForReplication(done: Finished): void {
    if (this.busy) {
      setImmediate(() => done(new Error('Background save already in progress')))
      return
    }
    this.#start(true, [done])
  }

  #start(background: boolean, callbacks: Finished[]): void {
    const engine = this.#engine
    if (background) this.saves++
    this.#lastTrySeconds = this.#seconds()
    const startedMs = engine.unixMs
    const attendant = background ? new Attendant(engine, 'tandem-rdb-bgsave', (signal) => this.#killed(signal)) : null
    let writer: DumpWriter
    try {
      writer = new DumpWriter(this.#paths(attendant?.pid), {
        incrementalSync: engine.config.get('rdb-save-incremental-fsync'),
        onDrain: () => this.#job?.runner.resume(),
        onDone: (error) => this.#finish(error),
      })
    } catch (error) {
      engine.log('warning', (error as Error).message)
      attendant?.release()
      this.#failed(background)
      for (const callback of callbacks) setImmediate(() => callback(error as Error))
      return
    }
    const snapshot = new Snapshot(engine.store, {
      ...this.#snapshotOptions(),
      onChunk: (chunk) => writer.write(chunk),
      onEnd: () => writer.end(),
      onError: (error) => {
        if (snapshot.isLost) {
          this.abort('Background saving terminated: the data set was emptied')
          return
        }
        writer.abort()
        this.#finish(error instanceof Error ? error : new Error(String(error)))
      },
    })
    const runner = new SnapshotRunner(snapshot, {
      sliceMs: SLICE_MS,
      ready: () => !writer.full,
      keyDelayMicroseconds: () => engine.config.get('rdb-key-save-delay'),
    })
    this.#job = { snapshot, runner, writer, startedMs, dirtyBefore: engine.dirty, background, attendant, callbacks }
    if (engine.stats !== undefined) engine.stats.snapshots++
    if (attendant !== null) engine.log('notice', `Background saving started by pid ${attendant.pid}`)
  }

  /** The file is in place, or it failed. redis 7.0.15 rdb.c backgroundSaveDoneHandlerDisk */
  #finish(error: Error | null): void {
    const engine = this.#engine
    const job = this.#job
    if (job === null) return
    this.#end(job)
    if (error === null) {
      engine.log('notice', 'DB saved on disk')
      if (job.background) engine.log('notice', 'Background saving terminated with success')
      engine.dirty -= job.dirtyBefore
      this.#saved()
    } else {
      engine.log(
        'warning',
        error instanceof DumpError ? error.message : `Write error saving DB on disk: ${error.message}`,
      )
      this.#failed(job.background)
    }
    for (const callback of job.callbacks) callback(error)
  }

  #end(job: Job): void {
    job.attendant?.release()
    job.runner.stop()
    job.snapshot.abort()
    this.lastSaveCopiedBytes = job.snapshot.copiedBytes
    this.lastSaveDurationSeconds = Math.floor((this.#engine.unixMs - job.startedMs) / 1000)
    this.#job = null
  }

  #failed(background: boolean): void {
    if (background) this.#engine.log('warning', 'Background saving error')
    this.#setStatus(false)
  }

  /** SIGUSR1 is how a save is told to end, which is not an error. */
  #killed(signal: number): void {
    this.abort(`Background saving terminated by signal ${signal}`)
    if (signal !== constants.signals.SIGUSR1) this.#setStatus(false)
  }

  /** Ends a save under way and removes its file; the status stays. redis 7.0.15 rdb.c killRDBChild */
  abort(why = 'Background saving terminated by signal 10'): void {
    const job = this.#job
    if (job === null) return
    job.writer.abort()
    this.#end(job)
    this.#engine.log('warning', why)
    for (const callback of job.callbacks) callback(new Error(why))
  }

  /** redis 7.0.15 db.c flushAllDataAndResetRDB */
  flushed(): void {
    this.abort()
    if (this.#engine.config.get('save').length === 0) return
    try {
      this.#hooks.aof().finishReading()
      if (!this.busy) this.#saveNow()
    } catch {
      // Logged; the data set is empty all the same.
    }
  }

  /** Several times a second: save points, and a save that had to wait. redis 7.0.15 server.c serverCron */
  cron(): void {
    const engine = this.#engine
    if (this.loading || this.busy || this.#hooks.aof().rewriting || engine.inExec || (engine.busy ?? null) !== null)
      return
    const now = this.#seconds()
    const mayTry = this.lastSaveOk || now - this.#lastTrySeconds > RETRY_SECONDS
    if (!mayTry) return
    for (const { seconds, changes } of engine.config.get('save')) {
      if (engine.dirty < changes || now - this.lastSaveSeconds <= seconds) continue
      engine.log('notice', `${changes} changes in ${seconds} seconds. Saving...`)
      this.#start(true, [])
      return
    }
    if (!this.#scheduled) return
    this.#scheduled = false
    this.#start(true, [])
  }

  /**
   * The save before the end of the process, whose clients must have been stopped. It ends a background save. In one go,
   * unless tests slow it down: then in slices, so that abort() can end it.
   */
  finalSave(): Promise<boolean> {
    this.abort()
    if (this.#engine.config.get('rdb-key-save-delay') > 0 && !this.busy) {
      return new Promise((resolve) => this.#start(false, [(error) => resolve(error === null)]))
    }
    try {
      this.#engine.store.walk?.abort()
      this.#saveNow()
      return Promise.resolve(true)
    } catch {
      return Promise.resolve(false)
    }
  }

  // ---- loading ------------------------------------------------------------------------------------------------------

  /** For whoever loads (the dump at start, a replica): the numbers of INFO, and -LOADING. */
  beginLoading(totalBytes: number, async = false): void {
    this.loading = true
    this.asyncLoading = async
    this.loadStartSeconds = this.#seconds()
    this.loadTotalBytes = totalBytes
    this.loadedBytes = 0
    this.lastLoadKeysLoaded = 0
    this.lastLoadKeysExpired = 0
    this.#hooks.setLoading(async ? 'async' : 'yes')
  }

  loadProgress(bytes: number, loader: RdbLoader): void {
    this.loadedBytes = bytes
    this.lastLoadKeysLoaded = loader.keysLoaded
    this.lastLoadKeysExpired = loader.keysExpired
  }

  endLoading(): void {
    this.loading = false
    this.asyncLoading = false
    this.#hooks.setLoading('no')
  }

  /** For a dump that an append-only file begins with: what expires when is in the rest of it. */
  baseLoader(): RdbLoader {
    return this.#loader(false, undefined, true)
  }

  #loader(
    merge: boolean,
    onExpired?: (database: number, key: Buffer) => void,
    keepExpired: boolean = this.#engine.isReplica,
  ): RdbLoader {
    const engine = this.#engine
    const { config } = engine
    return new RdbLoader(engine.store, {
      unixMs: engine.unixMs,
      keepExpired,
      merge,
      checksum: config.get('rdbchecksum'),
      access: config.get('maxmemory-policy').includes('lfu') ? 'lfu' : 'lru',
      log: engine.log,
      ...(onExpired === undefined ? {} : { onExpired }),
    })
  }

  /**
   * Loads the dump at start, in slices between which clients are answered. False when there is none. A dump that cannot
   * be read ends the process: to go on without its data would be to overwrite it.
   * redis 7.0.15 server.c loadDataFromDisk
   */
  async load(): Promise<boolean> {
    const engine = this.#engine
    const { config } = engine
    const startedMs = performance.now()
    const path = this.#paths().final
    let file: { fd: number; bytes: number } | undefined
    try {
      file = openDump(path)
    } catch (error) {
      engine.log('warning', `Fatal error loading the DB: ${strerror(error)}. Exiting.`)
      this.#hooks.exit(1)
      return false
    }
    if (file === undefined) return false
    const loader = this.#loader(false, this.#hooks.onExpired)
    this.beginLoading(file.bytes)
    try {
      await loadDumpInSlices(file.fd, loader, {
        sliceMs: SLICE_MS,
        chunkBytes: () => config.get('loading-process-events-interval-bytes'),
        keyDelayMicroseconds: () => config.get('key-load-delay'),
        onProgress: (bytes) => this.loadProgress(bytes, loader),
      })
    } catch (error) {
      this.endLoading()
      this.reportLoadError(path, error)
      this.#hooks.exit(1)
      return false
    }
    this.endLoading()
    const seconds = (performance.now() - startedMs) / 1000
    engine.log('notice', `DB loaded from disk: ${seconds.toFixed(3)} seconds`)
    this.#hooks.onLoaded(loader.info)
    return true
  }

  /** redis 7.0.15 rdb.c rdbReportError; the place is ours. */
  reportLoadError(path: string, error: unknown): void {
    const { log } = this.#engine
    if (!(error instanceof RdbError)) {
      log('warning', `Fatal error loading the DB: ${strerror(error)}. Exiting.`)
      return
    }
    const { code, offset, reading, reason } = error
    if (code === 'RDB_TRUNCATED') log('warning', 'Short read or OOM loading DB. Unrecoverable error, aborting now.')
    if (code === 'RDB_SIGNATURE' || code === 'RDB_VERSION') log('warning', reason)
    const place = `offset ${offset} of ${path}, while reading ${reading}`
    log('warning', `Internal error in RDB reading ${place} -> ${reason}`)
    log('warning', `--- RDB ERROR DETECTED --- [offset ${offset}] ${reason}`)
    log('warning', 'Terminating server after rdb file reading failure. The file is left as it is.')
  }

  /** redis 7.0.15 debug.c debugCommand, "reload". Throws with the reason when it fails. */
  reload(options: { save: boolean; flush: boolean; merge: boolean }): void {
    const engine = this.#engine
    // The snapshot under way is of data that is about to go, or would be in the way of the one to make.
    this.abort()
    this.#hooks.aof().finishReading()
    engine.store.walk?.abort()
    if (options.save) this.#saveNow()
    if (options.flush) {
      engine.flushAll()
      engine.store.libraries.flush()
    }
    const path = this.#paths().final
    const file = openDump(path)
    if (file === undefined) throw new Error('Error trying to load the RDB dump')
    const loader = this.#loader(options.merge)
    this.beginLoading(file.bytes)
    try {
      loadDumpNow(file.fd, loader)
    } catch (error) {
      this.reportLoadError(path, error)
      throw error
    } finally {
      this.loadProgress(loader.reader.offset, loader)
      this.endLoading()
    }
    engine.log('warning', 'DB reloaded by DEBUG RELOAD')
  }
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}
