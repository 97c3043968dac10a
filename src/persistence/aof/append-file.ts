/**
 * The end of the append-only file: what executors feed, collected in one buffer, written once a turn of the event loop
 * and before the replies of that turn leave, and flushed to disk as appendfsync says. Requests that lie behind each other
 * in the read buffer are copied as one piece: `feed` only remembers the range, and a microtask copies it before the
 * buffer is used again. redis 7.0.15 aof.c feedAppendOnlyFile, flushAppendOnlyFile
 *
 *   feed → range → (microtask) → buffer → flush(): write → fsync: always at once, everysec in the thread pool
 */
import { close, closeSync, fdatasync, fdatasyncSync, fsyncSync, ftruncateSync, writeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import type { Log } from '../../commands/host.ts'
import type { Config } from '../../config/config.ts'
import { strerror } from '../../config/strerror.ts'
import type { StreamSink } from '../../engine/execute.ts'

/** The engine, as far as it is needed here. */
export interface AppendEngine {
  readonly config: Config
  readonly log: Log
  /** Unix milliseconds, read once a turn. */
  readonly now: number
  addLatency(event: string, milliseconds: number): void
  sleep(milliseconds: number): void
}

export interface AppendHooks {
  /** Offset of the replication stream. */
  offset: () => number
  /** A snapshot is being written to disk or sent. */
  hasSnapshot: () => boolean
  /** What writes are refused with may have changed. */
  onStatus: () => void
  /** More is about to be written. */
  beforeWrite: () => void
  /** Ends the process: what has been answered could be lost. */
  exit: (code: number) => void
}

const UNKNOWN_DATABASE = -1
const BUFFER_BYTES = 64 * 1024
/** A buffer that has grown beyond this is given back when it is empty. */
const BUFFER_KEPT_BYTES = 4 * 1024 * 1024
const SECONDS_BETWEEN_ERRORS = 30
const POSTPONED_SECONDS_MAX = 2
const EMPTY = Buffer.alloc(0)

export class AppendFile implements StreamSink {
  readonly takesApplied = true
  /** Of all parts that would be loaded. */
  currentSize = 0
  /** Of the part that is written to. */
  partSize = 0
  lastWriteOk = true
  /** An fsync in the background failed. */
  lastSyncOk = true
  lastError: unknown = null
  delayedSyncs = 0
  /** Bytes fed since the start. */
  fedBytes = 0
  /** How many of them are on disk. */
  syncedBytes = 0
  /** More is on disk now. */
  onSynced: () => void = () => {}
  /** DEBUG AOF-FLUSH-SLEEP, milliseconds. */
  sleepMs = 0

  #engine: AppendEngine
  #hooks: AppendHooks
  #fd = -1
  #policy: 'always' | 'everysec' | 'no' = 'everysec'
  #noSyncOnRewrite = false
  #stamps = false
  #stamp = 0
  #database = UNKNOWN_DATABASE

  #buf: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #length = 0
  /** A range that was fed and is not copied yet. */
  #range: Buffer = EMPTY
  #start = 0
  #end = 0
  #copyQueued = false
  #flushQueued = false

  #syncedSize = 0
  /** What is in the file. */
  #writtenBytes = 0
  #writtenOffset = 0
  #writtenDatabase = 0
  #syncedOffset = 0
  /** Files before this one that are on their way to disk. */
  #oldSyncs = 0
  #lastSyncSeconds = 0
  #postponedSince = 0
  #lastErrorSeconds = 0
  /** File of the fsync under way in the thread pool, -1 if there is none. */
  #syncing = -1
  #closeAfterSync = false

  constructor(engine: AppendEngine, hooks: AppendHooks) {
    this.#engine = engine
    this.#hooks = hooks
    const { config } = engine
    config.watch('appendfsync', (policy) => {
      this.#policy = policy
    })
    config.watch('no-appendfsync-on-rewrite', (on) => {
      this.#noSyncOnRewrite = on
    })
    config.watch('aof-timestamp-enabled', (on) => {
      this.#stamps = on
    })
    this.#lastSyncSeconds = this.#seconds()
  }

  #seconds(): number {
    return Math.floor(this.#engine.now / 1000)
  }

  get isOpen(): boolean {
    return this.#fd >= 0
  }

  get offset(): number {
    return this.#hooks.offset()
  }

  /** Bytes that are not written yet. */
  get bufferBytes(): number {
    return this.#length + this.#end - this.#start
  }

  /** Everything in the replication stream up to here is on disk; what is no write (PING) needs no disk. */
  get syncedOffset(): number {
    return this.syncedBytes === this.fedBytes ? this.#hooks.offset() : this.#syncedOffset
  }

  get bufferCapacity(): number {
    return this.#buf.length
  }

  get pendingSyncs(): number {
    return this.#syncing >= 0 ? 1 : 0
  }

  // ---- what is fed ---------------------------------------------------------------------------------------------------

  feed(database: number, bytes: Buffer, start: number, end: number): void {
    this.fedBytes += end - start
    if (this.#stamps) this.#addStamp()
    if (database !== this.#database) this.#select(database)
    if (bytes === this.#range && start === this.#end) {
      this.#end = end
      return
    }
    if (this.#end > this.#start) this.#copy()
    this.#range = bytes
    this.#start = start
    this.#end = end
    if (this.#copyQueued) return
    this.#copyQueued = true
    queueMicrotask(this.#copyFed)
    if (this.#flushQueued) return
    this.#flushQueued = true
    setImmediate(this.#flushFed)
  }

  #copyFed = (): void => {
    this.#copyQueued = false
    this.#gather()
  }

  #flushFed = (): void => {
    this.#flushQueued = false
    this.flush()
  }

  #gather(): void {
    if (this.#end > this.#start) this.#copy()
    this.#range = EMPTY
    this.#start = 0
    this.#end = 0
  }

  #copy(): void {
    this.#append(this.#range, this.#start, this.#end)
    this.#start = this.#end
  }

  #append(bytes: Buffer, start: number, end: number): void {
    const length = this.#length + end - start
    if (length > this.#buf.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, this.#buf.length * 2))
      this.#buf.copy(grown, 0, 0, this.#length)
      this.#buf = grown
    }
    bytes.copy(this.#buf, this.#length, start, end)
    this.#length = length
  }

  #select(database: number): void {
    this.#gather()
    this.#database = database
    const text = String(database)
    const bytes = Buffer.from(`*2\r\n$6\r\nSELECT\r\n$${text.length}\r\n${text}\r\n`, 'latin1')
    this.#append(bytes, 0, bytes.length)
  }

  /** redis 7.0.15 aof.c genAofTimestampAnnotationIfNeeded */
  #addStamp(): void {
    const seconds = this.#seconds()
    if (this.#stamp >= seconds) return
    this.#gather()
    this.#stamp = seconds
    const bytes = Buffer.from(`#TS:${seconds}\r\n`, 'latin1')
    this.#append(bytes, 0, bytes.length)
  }

  /** The next write says its database. */
  forgetDatabase(): void {
    this.#database = UNKNOWN_DATABASE
  }

  // ---- the file ------------------------------------------------------------------------------------------------------

  /** Writes go to this file from now on, which has so many bytes; the one so far is flushed and closed. */
  open(fd: number, size: number): void {
    const old = this.#fd
    if (old >= 0) {
      // Its last bytes are on their way to disk, which nobody has to wait for.
      if (this.#syncing === old) this.#closeAfterSync = true
      else this.#syncOld(old)
      this.#lastSyncSeconds = this.#seconds()
    }
    this.#fd = fd
    this.partSize = size
    this.#syncedSize = size
    this.#writtenDatabase = 0
    if (old >= 0) return
    // Nothing was fed before this is the first file: what there was is in the base.
    this.#writtenOffset = this.#hooks.offset()
    this.#onDisk(this.fedBytes, this.#writtenOffset)
  }

  #syncOld(fd: number): void {
    const bytes = this.#writtenBytes
    const offset = this.#writtenOffset
    this.#oldSyncs++
    fdatasync(fd, (error) => {
      this.#oldSyncs--
      if (error === null) this.#onDisk(bytes, offset)
      close(fd)
    })
  }

  /** Up to here everything is on disk. Of two files the older one counts first. */
  #onDisk(bytes: number, offset: number): void {
    if (this.#oldSyncs > 0) return
    this.syncedBytes = bytes
    this.#syncedOffset = offset
    this.onSynced()
  }

  /** Writes and flushes what there is, and closes. redis 7.0.15 aof.c stopAppendOnly */
  close(): void {
    if (this.#fd >= 0) {
      this.flush(true)
      this.sync('Fail to fsync the AOF file')
      if (this.#syncing === this.#fd) this.#closeAfterSync = true
      else closeSync(this.#fd)
    }
    this.#fd = -1
    this.#database = UNKNOWN_DATABASE
    this.partSize = 0
    this.#syncedSize = 0
    this.discard()
  }

  /** What was not written is not wanted any more. */
  discard(): void {
    this.#gather()
    this.#length = 0
    this.#postponedSince = 0
  }

  /** False, and a line in the log, when it fails. */
  sync(failure: string, end = ''): boolean {
    if (this.#fd < 0) return true
    try {
      fsyncSync(this.#fd)
      this.#syncedSize = this.partSize
      this.#lastSyncSeconds = this.#seconds()
      this.#onDisk(this.#writtenBytes, this.#writtenOffset)
      return true
    } catch (error) {
      this.#engine.log('warning', `${failure}: ${strerror(error)}${end}`)
      return false
    }
  }

  /** AOF is turned on anew: what went wrong before does not count. redis 7.0.15 aof.c startAppendOnly */
  forgetErrors(): void {
    const { log } = this.#engine
    this.#lastSyncSeconds = this.#seconds()
    if (!this.lastSyncOk) log('warning', 'AOF reopen, just ignore the AOF fsync error in bio job')
    if (!this.lastWriteOk) log('warning', 'AOF reopen, just ignore the last error.')
    this.lastSyncOk = true
    this.lastWriteOk = true
    this.#hooks.onStatus()
  }

  /** Replies are about to leave. */
  beforeReplies(): void {
    if (this.#length > 0 || this.#end > this.#start) this.flush()
  }

  /**
   * Writes what was fed. With everysec, while a flush to disk is under way, that waits for up to two seconds (writing would
   * have to wait for the disk as well), unless `force`.
   */
  flush(force = false): void {
    if (this.#fd < 0) return
    this.#gather()
    if (this.#length === 0) {
      const unsynced = this.#syncedSize !== this.partSize
      if (unsynced && (this.#policy === 'always' || (this.#policy === 'everysec' && this.#syncIsDue()))) this.#sync()
      return
    }
    if (this.#policy === 'everysec' && this.#syncing >= 0 && !force && this.#postpone()) return
    if (this.#write()) this.#sync()
  }

  #syncIsDue(): boolean {
    return this.#seconds() > this.#lastSyncSeconds && this.#syncing < 0
  }

  /** True: not now. */
  #postpone(): boolean {
    const seconds = this.#seconds()
    if (this.#postponedSince === 0) {
      this.#postponedSince = seconds
      return true
    }
    if (seconds - this.#postponedSince < POSTPONED_SECONDS_MAX) return true
    this.delayedSyncs++
    this.#engine.log(
      'notice',
      'Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down Redis.',
    )
    return false
  }

  /** The file as it is, of `partSize` bytes, has what the stream has up to here. */
  get writtenOffset(): number {
    return this.#writtenOffset
  }
  /** The database that is selected there. */
  get writtenDatabase(): number {
    return this.#writtenDatabase
  }

  /** False when not all of it could be written. */
  #write(): boolean {
    const engine = this.#engine
    this.#hooks.beforeWrite()
    if (this.sleepMs > 0) engine.sleep(this.sleepMs)
    const started = performance.now()
    let written = 0
    let failure: unknown = null
    try {
      while (written < this.#length) written += writeSync(this.#fd, this.#buf, written, this.#length - written)
    } catch (error) {
      failure = error
    }
    const spent = performance.now() - started
    const situation = this.#syncing >= 0 ? 'pending-fsync' : this.#hooks.hasSnapshot() ? 'active-child' : 'alone'
    engine.addLatency(`aof-write-${situation}`, spent)
    engine.addLatency('aof-write', spent)
    this.#postponedSince = 0
    if (failure !== null) {
      this.#failed(written, failure)
      return false
    }
    if (!this.lastWriteOk) {
      engine.log('warning', 'AOF write error looks solved, Redis can write again.')
      this.lastWriteOk = true
      this.#hooks.onStatus()
    }
    this.#count(written)
    this.#length = 0
    this.#writtenBytes = this.fedBytes
    this.#writtenOffset = this.#hooks.offset()
    this.#writtenDatabase = Math.max(0, this.#database)
    if (this.#buf.length > BUFFER_KEPT_BYTES) this.#buf = Buffer.allocUnsafeSlow(BUFFER_BYTES)
    return true
  }

  #count(bytes: number): void {
    this.currentSize += bytes
    this.partSize += bytes
  }

  #failed(written: number, error: unknown): void {
    const { log } = this.#engine
    const seconds = this.#seconds()
    const logs = seconds - this.#lastErrorSeconds > SECONDS_BETWEEN_ERRORS
    if (logs) this.#lastErrorSeconds = seconds
    let kept = 0
    this.lastError = error
    if (written === 0) {
      if (logs) log('warning', `Error writing to the AOF file: ${strerror(error)}`)
    } else {
      const numbers = `(nwritten=${written}, expected=${this.#length})`
      if (logs) log('warning', `Short write while writing to the AOF file: ${numbers}`)
      kept = this.#undo(written, logs)
    }
    if (this.#policy === 'always') {
      log('warning', "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...")
      this.#exit()
    }
    this.lastWriteOk = false
    // What could not be taken back is in the file for good.
    if (kept > 0) {
      this.#count(kept)
      this.#buf.copyWithin(0, kept, this.#length)
      this.#length -= kept
    }
    this.#hooks.onStatus()
  }

  /** Takes the beginning of a write back, which would be half a command. Returns what stays in the file. */
  #undo(written: number, logs: boolean): number {
    try {
      ftruncateSync(this.#fd, this.partSize)
      return 0
    } catch (error) {
      if (logs) {
        this.#engine.log(
          'warning',
          `Could not remove short write from the append-only file.  Redis may refuse to load the AOF the next time it starts.  ftruncate: ${strerror(error)}`,
        )
      }
      return written
    }
  }

  #exit(): never {
    this.#hooks.exit(1)
    throw new Error('the append-only file could not be written')
  }

  #sync(): void {
    if (this.#noSyncOnRewrite && this.#hooks.hasSnapshot()) return
    if (this.#policy === 'always') this.#syncNow()
    else if (this.#policy === 'everysec' && this.#seconds() > this.#lastSyncSeconds) {
      if (this.#syncing < 0) this.#syncInBackground()
      this.#lastSyncSeconds = this.#seconds()
    }
  }

  #syncNow(): void {
    const started = performance.now()
    try {
      fdatasyncSync(this.#fd)
    } catch (error) {
      this.#engine.log(
        'warning',
        `Can't persist AOF for fsync error when the AOF fsync policy is 'always': ${strerror(error)}. Exiting...`,
      )
      this.#exit()
    }
    this.#engine.addLatency('aof-fsync-always', performance.now() - started)
    this.#syncedSize = this.partSize
    this.#lastSyncSeconds = this.#seconds()
    this.#onDisk(this.#writtenBytes, this.#writtenOffset)
  }

  #syncInBackground(): void {
    const fd = this.#fd
    const bytes = this.#writtenBytes
    const offset = this.#writtenOffset
    this.#syncing = fd
    this.#syncedSize = this.partSize
    fdatasync(fd, (error) => {
      this.#syncing = -1
      if (error === null) this.#onDisk(bytes, offset)
      if (this.#closeAfterSync) {
        this.#closeAfterSync = false
        closeSync(fd)
      }
      this.#synced(error)
    })
  }

  /** redis 7.0.15 bio.c bioProcessBackgroundJobs, BIO_AOF_FSYNC */
  #synced(error: Error | null): void {
    const ok = error === null
    if (!ok) this.lastError = error
    if (ok === this.lastSyncOk) return
    this.lastSyncOk = ok
    if (!ok) this.#engine.log('warning', `Fail to fsync the AOF file: ${strerror(error)}`)
    this.#hooks.onStatus()
  }
}
