/**
 * The payload of a full synchronisation on its way in: `$<length>` or `$EOF:<mark>` framing, into a file first (the old
 * data is served meanwhile), or as repl-diskless-load says straight into the store when it is empty, or into a second data
 * set. Old data is dropped only once the payload's header and version have been accepted.
 */
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '../../engine/engine.ts'
import { type LoaderOptions, RdbLoader } from '../../rdb/loader.ts'
import { countKeys } from './guard.ts'
import { Staged } from './staged.ts'

const MARK_BYTES = 40
const READ_BYTES = 256 * 1024
const SLICE_MS = 10

type RdbLoaderAccepts = NonNullable<LoaderOptions['accepts']>

export interface LoadedPayload {
  /** Database that the stream goes on in; -1 if the payload does not say. */
  streamDb: number
  bytes: number
}

/** Framing of the payload: where it ends. */
export type Framing = { kind: 'length'; length: number } | { kind: 'mark'; mark: Buffer }

/** `$123` or `$EOF:<40 characters>`, undefined for anything else. */
export function readFraming(line: string): Framing | undefined {
  if (line.startsWith('$EOF:') && line.length >= 5 + MARK_BYTES) {
    return { kind: 'mark', mark: Buffer.from(line.slice(5, 5 + MARK_BYTES), 'latin1') }
  }
  const found = /^\$(\d{1,15})$/.exec(line)
  return found === null ? undefined : { kind: 'length', length: Number(found[1]) }
}

/**
 * Where a payload goes: into a file, which is loaded when it is complete; straight into the empty store; into a second data
 * set, which takes the place of the first when it is complete.
 */
export type LoadTarget = 'file' | 'store' | 'staged'

/** Straight into the store only when nothing would be lost if the payload turned out to be broken. */
export function loadTarget({ config, store }: Engine): LoadTarget {
  const mode = config.get('repl-diskless-load')
  if (mode === 'disabled') return 'file'
  return store.keys === 0 ? 'store' : mode === 'swapdb' ? 'staged' : 'file'
}

export class Payload {
  readonly framing: Framing
  readonly target: LoadTarget
  bytes = 0
  complete = false
  /** What key-load-delay makes of the last chunk, milliseconds. */
  pauseMs = 0
  /** What came behind the payload: the beginning of the stream. */
  rest: Buffer = Buffer.alloc(0)

  #engine: Engine
  #file = -1
  #path = ''
  #loader: RdbLoader
  #tail: Buffer = Buffer.alloc(0)
  #onEmpty: () => void
  #takeOver: (staged: Staged) => Promise<void> | void
  #staged: Staged | null = null
  #accepts: RdbLoaderAccepts | undefined

  /**
   * `onEmpty` is called when the old data is about to be dropped, `takeOver` when a second data set is complete, `accepts`
   * for each key where only some are wanted. Throws when the temporary file cannot be made.
   */
  constructor(
    engine: Engine,
    framing: Framing,
    target: LoadTarget,
    onEmpty: () => void,
    takeOver: (staged: Staged) => Promise<void> | void = (staged) => {
      onEmpty()
      staged.takeOver()
    },
    accepts?: RdbLoaderAccepts,
  ) {
    this.#accepts = accepts
    this.#takeOver = takeOver
    this.#engine = engine
    this.framing = framing
    this.target = target
    this.#onEmpty = onEmpty
    if (target === 'staged') this.#staged = new Staged(engine.store)
    this.#loader = this.#newLoader()
    if (target !== 'file') return
    this.#path = join(engine.config.get('dir'), `temp-${Math.floor(engine.now / 1000)}.${process.pid}.rdb`)
    this.#file = openSync(this.#path, 'w+', 0o644)
  }

  #newLoader(): RdbLoader {
    const engine = this.#engine
    const policy = engine.config.get('maxmemory-policy')
    return new RdbLoader(this.#staged?.store ?? engine.store, {
      unixMs: engine.now,
      // Only the primary decides that a key is gone.
      keepExpired: true,
      ...(this.#accepts === undefined ? {} : { accepts: this.#accepts }),
      checksum: engine.config.get('rdbchecksum'),
      access: policy.includes('lfu') ? 'lfu' : policy.includes('lru') ? 'lru' : 'none',
      log: (level, text) => engine.log(level, text),
      onHeader: () => {
        if (this.#staged === null) this.#onEmpty()
      },
    })
  }

  /** Takes a chunk; `complete` tells when that was the last. Throws RdbError (direct) or an error of the file. */
  feed(chunk: Buffer): void {
    const { framing } = this
    let piece = chunk
    if (framing.kind === 'length') {
      const missing = framing.length - this.bytes
      if (chunk.length > missing) {
        piece = chunk.subarray(0, missing)
        this.rest = chunk.subarray(missing)
      }
      this.bytes += piece.length
      this.complete = this.bytes === framing.length
      this.#take(piece)
      return
    }
    // The last 40 bytes so far might be the mark: they are held back until more comes.
    const joined = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk])
    this.bytes += chunk.length
    const held = Math.max(0, joined.length - MARK_BYTES)
    this.#tail = Buffer.from(joined.subarray(held))
    if (held > 0) this.#take(joined.subarray(0, held))
    this.complete = this.#tail.equals(framing.mark)
  }

  #take(piece: Buffer): void {
    if (this.target !== 'file') {
      const before = this.#loader.keysLoaded
      this.#loader.feed(piece)
      this.pauseMs = ((this.#loader.keysLoaded - before) * this.#engine.config.get('key-load-delay')) / 1000
    } else if (piece.length > 0) writeSync(this.#file, piece)
  }

  /** Of a complete payload. */
  async countKeys(): Promise<number> {
    return this.#staged === null ? countKeys(this.#path, this.#accepts) : this.#staged.store.keys
  }

  /** Loads what was received, in slices with other events between them. Rejects with RdbError or an error of the file. */
  async load(): Promise<LoadedPayload> {
    if (this.target !== 'file') {
      this.#loader.finish()
      if (this.#staged !== null) await this.#takeOver(this.#staged)
      return { streamDb: this.#loader.info.streamDb, bytes: this.bytes }
    }
    fsyncSync(this.#file)
    const chunkAt = (position: number): Buffer => {
      const chunk = Buffer.allocUnsafeSlow(READ_BYTES)
      return chunk.subarray(0, readSync(this.#file, chunk, 0, READ_BYTES, position))
    }
    let position = 0
    let sliceStart = performance.now()
    for (;;) {
      const chunk = chunkAt(position)
      if (chunk.length === 0) break
      this.#loader.feed(chunk)
      position += chunk.length
      if (performance.now() - sliceStart < SLICE_MS) continue
      await new Promise((resolve) => setImmediate(resolve))
      sliceStart = performance.now()
      if (this.#file < 0) throw new Error('the load was given up')
    }
    this.#loader.finish()
    this.#keepFile()
    return { streamDb: this.#loader.info.streamDb, bytes: this.bytes }
  }

  /** The payload becomes the RDB file of this server, unless it keeps none. redis 7.0.15 replication.c readSyncBulkPayload */
  #keepFile(): void {
    const { config } = this.#engine
    closeSync(this.#file)
    this.#file = -1
    if (this.#accepts !== undefined) {
      // It has more than is kept here.
      rmSync(this.#path, { force: true })
      return
    }
    if (config.get('rdb-del-sync-files') && config.get('save').length === 0) {
      this.#engine.log(
        'notice',
        'Removing the RDB file obtained from the master. This replica has persistence disabled',
      )
      rmSync(this.#path, { force: true })
      return
    }
    renameSync(this.#path, join(config.get('dir'), config.get('dbfilename')))
  }

  /** Gives up: the temporary file goes. */
  abandon(): void {
    if (this.#file < 0) return
    closeSync(this.#file)
    this.#file = -1
    rmSync(this.#path, { force: true })
  }
}
