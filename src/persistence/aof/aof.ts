/**
 * The append-only file as a whole: its directory and manifest, what is fed into it, loading it at start, rewriting it, and
 * the ways between off and on. redis 7.0.15 aof.c
 *
 *   off ──CONFIG SET appendonly yes──> wait ──first base complete──> on          (at start: off or on)
 *
 *   rewriting:   base N, incr N    the writes so far
 *                incr N+1          writes since the instant of the new base; the manifest names it at once
 *                base N+1          complete: the manifest names it and incr N+1, the others are history and go
 *
 * While waiting, writes since that instant go into a temporary increment that no manifest names before its base is there.
 */
import { rmSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises'
import type { AofHost } from '../../commands/aof-host.ts'
import { strerror } from '../../config/strerror.ts'
import type { Engine } from '../../engine/engine.ts'
import type { Persistence } from '../dump-file.ts'
import { AppendFile } from './append-file.ts'
import { BaseJob, chosenFormat, JobKilled, logFailure, reasonOf, writeBaseNow } from './base-job.ts'
import { AofFiles } from './files.ts'
import { installBase } from './install-base.ts'
import { AofLoader } from './loader.ts'
import { Places, type PlacesHooks } from './places.ts'
import { RewriteLimit } from './rewrite-limit.ts'

const CANNOT_START =
  "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above logs for more info about the error."
const TRIES_AFTER_SYNC = 10

export interface AofHooks extends PlacesHooks {
  /** Offset of the replication stream. */
  offset: () => number
  /** Source texts of function libraries. */
  libraries: () => Iterable<Uint8Array | string>
  /** What writes are refused with may have changed. */
  onStatus: () => void
  /** Ends the process. */
  exit: (code: number) => void
}

export class AppendOnly implements AofHost {
  readonly file: AppendFile
  readonly places: Places
  baseSize = 0
  scheduled = false
  lastRewriteSeconds = -1
  lastRewriteOk = true
  rewrites = 0

  #engine: Engine
  #persistence: Persistence
  #hooks: AofHooks
  #state: 'off' | 'wait' | 'on' = 'off'
  #files: AofFiles
  #job: BaseJob | null = null
  #limit: RewriteLimit
  #loading = false
  #nextErrorTryMs = 0

  constructor(engine: Engine, persistence: Persistence, hooks: AofHooks) {
    this.#engine = engine
    this.#persistence = persistence
    this.#hooks = hooks
    this.#files = new AofFiles(engine)
    this.#limit = new RewriteLimit(engine)
    this.file = new AppendFile(engine, {
      ...hooks,
      hasSnapshot: () => this.#hasSnapshot,
      beforeWrite: () => this.places.look(),
    })
    this.places = new Places(engine, this.#files, this.file, hooks)
    engine.config.onApply('appendonly', (on) => {
      if (!on && this.#state !== 'off') this.turnOff()
      return on && this.#state === 'off' && !this.#turnOn() ? 'Unable to turn on AOF. Check server logs.' : undefined
    })
    engine.config.on('aof-disable-auto-gc', (disabled) => {
      if (!disabled) this.#files.removeHistory()
    })
  }

  // ---- what INFO shows ---------------------------------------------------------------------------------------------

  /** Also while the first base is waited for. */
  get isOn(): boolean {
    return this.#state !== 'off'
  }

  get rewriting(): boolean {
    return this.#job !== null
  }

  /** The data set is being read for a new base. */
  get isReading(): boolean {
    return this.#job?.isReading === true
  }

  get consecutiveFailures(): number {
    return this.#limit.failures
  }

  get currentRewriteSeconds(): number {
    return this.#job === null ? -1 : Math.floor((this.#engine.unixMs - this.#job.startedMs) / 1000)
  }

  get lastWriteOk(): boolean {
    return this.file.lastWriteOk && this.file.lastSyncOk
  }

  get currentSize(): number {
    return this.file.currentSize
  }

  get bufferBytes(): number {
    return this.file.bufferBytes
  }

  get syncedOffset(): number {
    return this.#state === 'on' && this.file.isOpen ? this.file.syncedOffset : -1
  }

  get pendingSyncs(): number {
    return this.file.pendingSyncs
  }

  get delayedSyncs(): number {
    return this.file.delayedSyncs
  }

  /** Why writes are refused, null if they are not. redis 7.0.15 server.c writeCommandsGetDiskErrorMessage */
  get diskError(): string | null {
    if (this.#state === 'off' || this.lastWriteOk) return null
    return `MISCONF Errors writing to the AOF file: ${strerror(this.file.lastError)}`
  }

  resetStats(): void {
    this.rewrites = 0
    this.#limit.failures = 0
    this.file.delayedSyncs = 0
  }

  set flushSleepMs(milliseconds: number) {
    this.file.sleepMs = milliseconds
  }

  // ---- at start ----------------------------------------------------------------------------------------------------

  /** Reads the manifest and, with appendonly, all that it names. False: the data set is not in here. */
  async load(): Promise<boolean> {
    this.#readManifest()
    if (!this.#engine.config.get('appendonly')) return false
    this.#state = 'on'
    const started = performance.now()
    const status = await this.#loadParts()
    if (status === 'failed' || status === 'open-error') throw this.#exit()
    if (status !== 'not-exist') {
      const seconds = ((performance.now() - started) / 1000).toFixed(3)
      this.#engine.log('notice', `DB loaded from append only file: ${seconds} seconds`)
      this.places.restore()
    }
    return true
  }

  #exit(): Error {
    this.#state = 'off'
    this.#hooks.exit(1)
    return new Error('the append-only file could not be used, see the log')
  }

  #readManifest(): void {
    try {
      this.#files.readManifest()
    } catch {
      throw this.#exit()
    }
  }

  async #loadParts() {
    const { config } = this.#engine
    const persistence = this.#persistence
    if (!this.#files.upgrade()) return 'failed'
    const loader = new AofLoader(
      this.#engine,
      {
        begin: (bytes) => persistence.beginLoading(bytes),
        progress: (bytes) => {
          persistence.loadedBytes = bytes
        },
        end: () => persistence.endLoading(),
        baseLoader: () => persistence.baseLoader(),
        reportBaseError: (path, error) => persistence.reportLoadError(path, error),
      },
      config.resolvePath(config.get('appenddirname')),
    )
    this.#engine.executor.sinks.suspended = true
    this.#loading = true
    const { status, totalBytes, baseBytes } = await loader.load(this.#files.manifest)
    this.#loading = false
    this.#engine.executor.sinks.suspended = false
    if (status === 'ok' || status === 'truncated') {
      this.file.currentSize = totalBytes
      this.baseSize = baseBytes
    }
    return status
  }

  /** The data set is there: writes go into the last increment from now on. redis 7.0.15 aof.c aofOpenIfNeededOnServerStart */
  openAtStart(): void {
    if (this.#state === 'on' && !this.#open()) throw this.#exit()
    this.#files.removeHistory()
  }

  #open(): boolean {
    const { log } = this.#engine
    const files = this.#files
    const { manifest } = files
    if (!files.makeDirectory()) return false
    const had = manifest.increments.length > 0
    if (manifest.isEmpty) {
      const name = manifest.newBase(chosenFormat(this.#engine))
      try {
        writeBaseNow(this.#engine, files.path(name), this.#hooks.libraries())
      } catch {
        return false
      }
      log('notice', `Creating AOF base file ${name} on server start`)
    }
    const name = manifest.lastIncrement()
    const fd = files.openPart(name, false)
    if (fd < 0 || !files.save(manifest)) return false
    this.file.open(fd, files.size(name))
    this.places.opened(name, false)
    this.#connect()
    log('notice', `${had ? 'Opening' : 'Creating'} AOF incr file ${name} on server start`)
    return true
  }

  /** What changes is fed into the file while it, and the base that it continues, are there or on their way. */
  #connect(): void {
    const feeds = this.file.isOpen && (this.#state === 'on' || (this.#state === 'wait' && this.#job !== null))
    this.#engine.executor.sinks.log = feeds ? this.file : null
  }

  // ---- on and off --------------------------------------------------------------------------------------------------

  get #hasSnapshot(): boolean {
    return this.#job !== null || this.#othersSnapshot
  }

  get #othersSnapshot(): boolean {
    return this.#persistence.hasJob || (this.#engine.store.walk !== null && !this.isReading)
  }

  /** redis 7.0.15 aof.c startAppendOnly */
  #turnOn(): boolean {
    const { log, inExec } = this.#engine
    this.#state = 'wait'
    if (this.#othersSnapshot) {
      this.scheduled = true
      log(
        'warning',
        'AOF was enabled but there is already another background operation. An AOF background was scheduled to start when possible.',
      )
    } else if (inExec) {
      this.scheduled = true
      log('warning', 'AOF was enabled during a transaction. An AOF background was scheduled to start when possible.')
    } else {
      if (this.#job !== null) {
        log(
          'warning',
          'AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and starting a rewrite now.',
        )
        this.#kill()
      }
      if (!this.#rewrite()) {
        this.#state = 'off'
        log('warning', CANNOT_START)
        return false
      }
    }
    this.file.forgetErrors()
    return true
  }

  /** redis 7.0.15 aof.c stopAppendOnly */
  turnOff(): void {
    if (this.#state === 'off') return
    const waited = this.#state === 'wait'
    this.#engine.executor.sinks.log = null
    this.#state = 'off'
    this.file.close()
    this.scheduled = false
    this.#kill()
    if (waited) this.#files.removeTemporaryIncrement()
    this.#hooks.onStatus()
    this.file.onSynced()
  }

  /** A replica has a new data set, or is one no longer. redis 7.0.15 replication.c restartAOFAfterSYNC */
  async turnOnAgain(): Promise<void> {
    const { config, log } = this.#engine
    for (let tries = 0; tries < TRIES_AFTER_SYNC; tries++) {
      if (!config.get('appendonly') || this.#state !== 'off') return
      if (this.#turnOn()) return
      log('warning', 'Failed enabling the AOF after successful master synchronization! Trying it again in one second.')
      await pause(1000)
    }
    log(
      'warning',
      "FATAL: this replica instance finished the synchronization with its master, but the AOF can't be turned on. Exiting now.",
    )
    this.#hooks.exit(1)
  }

  #kill(): void {
    const job = this.#job
    if (job === null) return
    this.#engine.log('notice', `Killing running AOF rewrite child: ${job.pid}`)
    job.abort()
    this.#job = null
    rmSync(job.path, { force: true })
    this.#connect()
  }

  // ---- rewriting ---------------------------------------------------------------------------------------------------

  /** BGREWRITEAOF: the text to reply, or an error text behind '-'. redis 7.0.15 aof.c bgrewriteaofCommand */
  rewriteInBackground(): string {
    if (this.#job !== null) return '-ERR Background append only file rewriting already in progress'
    if (this.#hasSnapshot || this.#engine.inExec) {
      this.scheduled = true
      this.#limit.failures = 0
      return 'Background append only file rewriting scheduled'
    }
    if (this.#rewrite()) return 'Background append only file rewriting started'
    return "-ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
  }

  /** redis 7.0.15 aof.c rewriteAppendOnlyFileBackground */
  #rewrite(): boolean {
    const engine = this.#engine
    const { log } = engine
    if (this.#hasSnapshot) return false
    if (!this.#files.makeDirectory()) return this.#cannotRewrite()
    this.file.forgetDatabase()
    this.file.flush(true)
    if (!this.#openIncrement()) return this.#cannotRewrite()
    this.rewrites++
    try {
      this.#job = new BaseJob(engine, {
        libraries: () => this.#hooks.libraries(),
        onDone: (error) => this.#done(error),
        onKilled: (signal) => this.#killed(signal),
      })
    } catch (error) {
      // As if the child had started and failed at once.
      log('warning', `Opening the temp file for AOF rewrite in rewriteAppendOnlyFile(): ${reasonOf(error)}`)
      this.#limit.failures++
      this.lastRewriteOk = false
      this.#afterFailure()
      return true
    }
    log('notice', `Background append only file rewriting started by pid ${this.#job.pid}`)
    this.scheduled = false
    this.#connect()
    return true
  }

  #cannotRewrite(): boolean {
    this.lastRewriteOk = false
    return false
  }

  /** redis 7.0.15 aof.c openNewIncrAofForAppend */
  #openIncrement(): boolean {
    if (this.#state === 'off') return true
    const files = this.#files
    const next = files.manifest.copy()
    const name = this.#state === 'wait' ? files.temporaryIncrement : next.newIncrement()
    const fd = files.openPart(name, true)
    if (fd < 0) return false
    if (this.#state === 'on' && !files.replace(next)) {
      files.closePart(fd)
      return false
    }
    this.#engine.log('notice', `Creating AOF incr file ${name} on background rewrite`)
    this.file.open(fd, 0)
    this.places.opened(name, true)
    return true
  }

  /** The base is complete, or failed. redis 7.0.15 aof.c backgroundRewriteDoneHandler */
  #done(error: Error | null): void {
    const { log, unixMs } = this.#engine
    const job = this.#job
    if (job === null) return
    this.#job = null
    let ok = error === null
    if (error === null) {
      log('notice', 'Background AOF rewrite terminated with success')
      ok = installBase(this.#engine, this.#files, this, job, this.#state === 'wait')
      if (ok && this.#state !== 'off') this.baseSize = this.file.currentSize
    } else logFailure(log, error)
    // SIGUSR1 is how a rewrite is told to end, which is not an error.
    if (ok || !(error instanceof JobKilled && error.wanted)) this.lastRewriteOk = ok
    this.lastRewriteSeconds = Math.floor((unixMs - job.startedMs) / 1000)
    if (ok) {
      this.#limit.failures = 0
      log('notice', 'Background AOF rewrite finished successfully')
      if (this.#state === 'wait') this.#state = 'on'
      this.file.onSynced()
    } else {
      rmSync(job.path, { force: true })
      this.#limit.failures++
      this.#afterFailure()
    }
    this.#connect()
  }

  #killed(signal: number): void {
    const job = this.#job
    if (job === null) return
    job.abort()
    this.#done(new JobKilled(signal))
  }

  /** What was collected since the instant of a base that there will not be is of no use. */
  #afterFailure(): void {
    if (this.#state !== 'wait') return
    this.#engine.executor.sinks.log = null
    this.file.discard()
    this.#files.removeTemporaryIncrement()
    this.scheduled = true
  }

  /** Another snapshot cannot wait: SAVE, DEBUG RELOAD. */
  finishReading(): void {
    if (this.isReading) this.#job!.finishReading()
  }

  // ---- from time to time -------------------------------------------------------------------------------------------

  /** Several times a second. redis 7.0.15 server.c serverCron */
  cron(): void {
    const engine = this.#engine
    if (this.#loading || engine.loading !== 'no') return
    if (!this.#hasSnapshot && !engine.inExec && engine.busy === null) this.#rewriteIfDue()
    if (this.#state === 'off') return
    if (this.file.isOpen) this.places.look()
    if (this.file.lastWriteOk) {
      this.file.flush()
    } else if (engine.now >= this.#nextErrorTryMs) {
      this.#nextErrorTryMs = engine.now + 1000
      this.file.flush()
    }
  }

  #rewriteIfDue(): void {
    const { config, log } = this.#engine
    if (this.scheduled) {
      if (!this.#limit.isReached()) this.#rewrite()
      return
    }
    const percent = config.get('auto-aof-rewrite-percentage')
    const size = this.file.currentSize
    if (this.#state !== 'on' || percent === 0 || size <= config.get('auto-aof-rewrite-min-size')) return
    const growth = Math.trunc((size * 100) / (this.baseSize === 0 ? 1 : this.baseSize)) - 100
    if (growth < percent || this.#limit.isReached()) return
    log('notice', `Starting automatic rewriting of AOF on ${growth}% growth`)
    this.#rewrite()
  }

  // ---- commands and the end ----------------------------------------------------------------------------------------

  /** DEBUG LOADAOF: the data set is what is on disk. */
  async reload(): Promise<void> {
    const engine = this.#engine
    if (this.#state !== 'off') this.file.flush(true)
    engine.flushAll()
    engine.store.libraries.flush()
    this.#readManifest()
    this.#files.removeHistory()
    // Nothing may run within the command that asks for it.
    this.#persistence.beginLoading(0)
    await nextTurn()
    const status = await this.#loadParts()
    this.#persistence.endLoading()
    if (status !== 'ok' && status !== 'empty') throw this.#exit()
    engine.dirty = 0
    engine.log('warning', 'Append Only File loaded by DEBUG LOADAOF')
    if (engine.hasReadyKeys) engine.serveBlocked()
  }

  /** The process is about to end. False if it must not. redis 7.0.15 server.c finishShutdown */
  prepareForEnd(force: boolean): boolean {
    const { log } = this.#engine
    if (this.#job !== null) {
      if (this.#state === 'wait') {
        log('warning', force ? 'Writing initial AOF. Exit anyway.' : "Writing initial AOF, can't exit.")
        if (!force) return false
      }
      log('warning', 'There is a child rewriting the AOF. Killing it!')
      this.#kill()
    }
    if (this.#state !== 'off' && this.file.isOpen) {
      log('notice', 'Calling fsync() on the AOF file.')
      this.file.flush(true)
      this.file.sync('Fail to fsync the AOF file', '.')
      this.places.look(true)
    }
    return true
  }

  stop(): void {
    this.#kill()
    this.turnOff()
  }
}
