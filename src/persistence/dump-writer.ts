/**
 * The file that a dump is written to before it takes the place of the last good one: written, flushed to disk, renamed,
 * and the directory flushed, so that at no moment there is less than one complete dump. Opening and renaming happen at
 * once and not in the thread pool, so that an abort can never overtake them; writing and flushing do not block.
 * redis 7.0.15 rdb.c rdbSave
 */
import {
  close,
  closeSync,
  constants,
  fdatasync,
  fsync,
  fsyncSync,
  openSync,
  renameSync,
  unlinkSync,
  writeSync,
  writev,
} from 'node:fs'
import { dirname } from 'node:path'
import { strerror } from '../config/strerror.ts'

/** Bytes waiting to be written at which the snapshot pauses. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024
/** Flushed to disk after so much, that the last flush is not the long one (REDIS_AUTOSYNC_BYTES). */
const SYNC_BYTES = 4 * 1024 * 1024
const BUFFERS_PER_WRITE = 64

export interface DumpPaths {
  temporary: string
  final: string
}

/** Why a dump could not be written, in Redis's words. */
export class DumpError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'DumpError'
  }
}

function openTemporary(paths: DumpPaths): number {
  try {
    return openSync(paths.temporary, 'w', 0o644)
  } catch (error) {
    const { temporary } = paths
    const text = `Failed opening the temp RDB file ${temporary} (in server root dir ${dirname(temporary)}) for saving: ${strerror(error)}`
    throw new DumpError(text, error)
  }
}

function writeError(operation: string, error: unknown): DumpError {
  return new DumpError(`Write error saving DB on disk(${operation}): ${strerror(error)}`, error)
}

/** Makes the temporary file the dump. */
function install(paths: DumpPaths): void {
  try {
    renameSync(paths.temporary, paths.final)
  } catch (error) {
    const { temporary, final } = paths
    const text = `Error moving temp DB file ${temporary} on the final destination ${final} (in server root dir ${dirname(final)}): ${strerror(error)}`
    throw new DumpError(text, error)
  }
  try {
    const directory = openSync(dirname(paths.final), constants.O_RDONLY)
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  } catch (error) {
    // Some file systems cannot flush a directory, which is no reason to call a complete dump a failure.
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EINVAL' && code !== 'EBADF' && code !== 'EACCES') throw writeError('fsyncFileDir', error)
  }
}

function discard(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It was renamed, or never there.
  }
}

/** Writes in the calling turn: SAVE. `produce` is given what takes each chunk. */
export function writeDumpNow(paths: DumpPaths, produce: (write: (chunk: Buffer) => void) => void): void {
  const fd = openTemporary(paths)
  let open = true
  try {
    try {
      produce((chunk) => {
        for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
      })
    } catch (error) {
      throw writeError('rdbSaveRio', error)
    }
    try {
      fsyncSync(fd)
    } catch (error) {
      throw writeError('fsync', error)
    }
    closeSync(fd)
    open = false
    install(paths)
  } catch (error) {
    if (open) closeSync(fd)
    discard(paths.temporary)
    throw error
  }
}

export interface DumpWriterOptions {
  /** rdb-save-incremental-fsync */
  incrementalSync: boolean
  /** The queue was full and has room again. */
  onDrain: () => void
  /** Written and in place (null), or not; not called after abort(). */
  onDone: (error: DumpError | null) => void
}

/** Writes in the thread pool: BGSAVE. */
export class DumpWriter {
  #paths: DumpPaths
  #options: DumpWriterOptions
  #fd: number
  #queue: Buffer[] = []
  #queuedBytes = 0
  #unsyncedBytes = 0
  #busy = false
  #ended = false
  /** closing: complete and flushed, not renamed yet. */
  #state: 'open' | 'closing' | 'over' = 'open'

  /** Throws a DumpError when the file cannot be opened. */
  constructor(paths: DumpPaths, options: DumpWriterOptions) {
    this.#paths = paths
    this.#options = options
    this.#fd = openTemporary(paths)
  }

  /** Enough is queued; what comes nevertheless is taken. */
  get full(): boolean {
    return this.#queuedBytes >= QUEUE_BYTES_MAX
  }

  write(chunk: Buffer): void {
    if (this.#state !== 'open') return
    this.#queue.push(chunk)
    this.#queuedBytes += chunk.length
    this.#next()
  }

  /** No more chunks: finish the file. */
  end(): void {
    this.#ended = true
    this.#next()
  }

  /** Stops and removes the file. */
  abort(): void {
    if (this.#state === 'over') return
    const open = this.#state === 'open'
    this.#state = 'over'
    this.#queue = []
    discard(this.#paths.temporary)
    if (open && !this.#busy) closeSync(this.#fd)
  }

  /** One operation at a time: write, flush now and then, and at the end flush and rename. */
  #next(): void {
    if (this.#busy || this.#state !== 'open') return
    if (this.#queue.length > 0) {
      this.#busy = true
      const buffers = this.#queue.slice(0, BUFFERS_PER_WRITE)
      writev(this.#fd, buffers, (error, written) => this.#wrote(error, written))
    } else if (this.#ended) {
      this.#busy = true
      fsync(this.#fd, (error) => this.#flushed(error))
    }
  }

  #wrote(error: Error | null, written: number): void {
    this.#busy = false
    if (this.#closeIfOver()) return
    if (error !== null) {
      this.#fail(writeError('rdbSaveRio', error))
      return
    }
    const wasFull = this.full
    this.#queuedBytes -= written
    this.#unsyncedBytes += written
    let left = written
    while (left > 0) {
      const first = this.#queue[0]!
      if (left < first.length) {
        this.#queue[0] = first.subarray(left)
        break
      }
      left -= first.length
      this.#queue.shift()
    }
    if (wasFull && !this.full) this.#options.onDrain()
    if (this.#options.incrementalSync && this.#unsyncedBytes >= SYNC_BYTES) this.#sync()
    else this.#next()
  }

  #sync(): void {
    this.#busy = true
    this.#unsyncedBytes = 0
    fdatasync(this.#fd, (error) => {
      this.#busy = false
      if (this.#closeIfOver()) return
      if (error === null) this.#next()
      else this.#fail(writeError('rdbSaveRio', error))
    })
  }

  #flushed(error: Error | null): void {
    this.#busy = false
    if (this.#closeIfOver()) return
    if (error !== null) {
      this.#fail(writeError('fsync', error))
      return
    }
    this.#state = 'closing'
    close(this.#fd, (closeError) => this.#install(closeError ?? null))
  }

  #install(closeError: Error | null): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    let failure: DumpError | null = null
    try {
      if (closeError !== null) throw writeError('fclose', closeError)
      install(this.#paths)
    } catch (error) {
      failure = error as DumpError
      discard(this.#paths.temporary)
    }
    this.#options.onDone(failure)
  }

  /** After an abort the file is closed when the operation under way is done with it. */
  #closeIfOver(): boolean {
    if (this.#state !== 'over') return false
    closeSync(this.#fd)
    return true
  }

  #fail(error: DumpError): void {
    this.abort()
    this.#options.onDone(error)
  }
}
