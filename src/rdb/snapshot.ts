/**
 * The keyspace at one instant as RDB chunks, in slices, while writes go on: a walk (store/walk.ts) over a writer. Chunks
 * come out during step(), and at any other time too, when a write changes a record that the walk has not reached and its
 * old value is written first; their receiver must take them always, and tells through `ready` when it wants no more
 * than that. SnapshotRunner is what lets the slices alternate with the rest of the server.
 */
import type { Config } from '../config/config.ts'
import type { Store } from '../store/store.ts'
import { Walk } from '../store/walk.ts'
import type { ChunkSink } from './output.ts'
import { RdbWriter, type RdbWriterOptions, type ReplicationAux } from './writer.ts'

export interface SnapshotOptions {
  config: Config
  /** Unix milliseconds. */
  now: number
  /** The replication history and offset that the instant stands for. */
  aux?: ReplicationAux | undefined
  /** Header and end only (REPLCONF rdb-filter-only). */
  excludeData?: boolean
  usedMemory?: number
  /** It is the base of an append-only file. */
  aofBase?: boolean
  /** Writes records in another form than RDB. */
  writer?: (sink: ChunkSink) => RecordWriter
  /** The chunk belongs to the receiver. What it throws ends the snapshot. */
  onChunk: (chunk: Buffer) => void
  /** The last chunk was handed over. */
  onEnd?: () => void
  /** It failed and is over; not called after abort(). Without it, step() throws the error. */
  onError?: (error: unknown) => void
}

/** Where a snapshot's records go. */
export interface RecordWriter {
  record(ref: number, database: number): void
  end(): void
  readonly output: { readonly bytes: number }
}

export function writerOptions(options: Omit<SnapshotOptions, 'onChunk'>, store: Store): RdbWriterOptions {
  const { config } = options
  const policy = config.get('maxmemory-policy')
  return {
    aux: {
      unixMs: options.now,
      usedMemory: options.usedMemory ?? store.dataBytes,
      replication: options.aux,
      aofBase: options.aofBase === true,
    },
    compress: config.get('rdbcompression'),
    checksum: config.get('rdbchecksum'),
    access: policy.includes('lru') ? 'lru' : policy.includes('lfu') ? 'lfu' : 'none',
    lfuDecayMinutes: config.get('lfu-decay-time'),
  }
}

/** Records between two looks at the clock. */
const BATCH = 16

export class Snapshot {
  readonly totalKeys: number

  #store: Store
  /** Null when there is no data to be written. */
  #walk: Walk | null
  #writer: RecordWriter
  #options: SnapshotOptions
  #state: 'running' | 'ended' | 'failed' | 'aborted' = 'running'
  #failure: { error: unknown } | undefined
  #isLost = false
  /** Records of the walk that were written early, as far as they are in its copiedBytes. */
  #copied = 0
  /** All records are written, the end is not. */
  #isWalked = false

  /** Begins at this instant. Throws if another snapshot is under way. */
  constructor(store: Store, options: SnapshotOptions) {
    const empty = options.excludeData === true
    this.#store = store
    this.#options = options
    this.totalKeys = empty ? 0 : store.keys
    const sink: ChunkSink = (chunk) => options.onChunk(chunk)
    this.#writer = options.writer?.(sink) ?? new RdbWriter(store, writerOptions(options, store), sink)
    this.#walk = empty ? null : new Walk(store, (ref, database) => this.#visit(ref, database))
  }

  get running(): boolean {
    return this.#state === 'running'
  }

  /** It failed because all databases were emptied under it. */
  get isLost(): boolean {
    return this.#isLost
  }

  get keys(): number {
    return this.#walk?.visited ?? 0
  }

  /** Memory of the records that were written early because they were about to change: what a fork would have copied. */
  get copiedBytes(): number {
    return this.#walk?.copiedBytes ?? 0
  }

  get bytes(): number {
    return this.#writer.output.bytes
  }

  /**
   * A visit may come from inside a command: that must not fail because of a full disk, and the store must point at what
   * it pointed at.
   */
  #visit(ref: number, database: number): void {
    if (this.#failure !== undefined) return
    const store = this.#store
    const { bytes, start, end, keyBytes, keyStart, keyEnd } = store
    const early = this.#walk !== null && this.#walk.copied !== this.#copied
    try {
      this.#writer.record(ref, database)
      if (early) this.#walk!.copiedBytes += store.databases[database]!.recordMemory(ref) + store.externalBytes(ref)
    } catch (error) {
      this.#failure = { error }
    }
    store.bytes = bytes
    store.start = start
    store.end = end
    store.keyBytes = keyBytes
    store.keyStart = keyStart
    store.keyEnd = keyEnd
    if (early) this.#copied = this.#walk!.copied
  }

  /** Works for about so long, or for so many keys. False when the snapshot is over. */
  step(budgetMs: number, maxKeys = Number.POSITIVE_INFINITY): boolean {
    if (this.#state !== 'running') return false
    if (this.#isWalked) {
      this.#end()
      return false
    }
    if (this.#walk !== null && this.#store.walk !== this.#walk) {
      this.#isLost = true
      this.#fail(new Error('the data set was emptied during the snapshot'))
      return false
    }
    const until = performance.now() + budgetMs
    const firstKey = this.keys
    const lastKey = firstKey + maxKeys
    let more = this.#walk !== null
    while (more && this.#failure === undefined && this.keys < lastKey) {
      more = this.#walk!.step(Math.min(BATCH, lastKey - this.keys))
      if (performance.now() >= until) break
    }
    if (this.#failure !== undefined) this.#fail(this.#failure.error)
    else if (!more) {
      // A pause after each key is one after the last key too.
      this.#isWalked = maxKeys !== Number.POSITIVE_INFINITY && this.keys > firstKey
      if (!this.#isWalked) this.#end()
    }
    return this.running
  }

  /** All the rest at once. */
  finish(): void {
    while (this.step(Number.POSITIVE_INFINITY));
  }

  abort(): void {
    if (this.#state !== 'running') return
    this.#state = 'aborted'
    this.#walk?.abort()
  }

  #end(): void {
    try {
      this.#writer.end()
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#state = 'ended'
    this.#options.onEnd?.()
  }

  #fail(error: unknown): void {
    this.#state = 'failed'
    this.#walk?.abort()
    if (this.#options.onError === undefined) throw error
    this.#options.onError(error)
  }
}

export interface Pace {
  /** Longest slice. */
  readonly sliceMs: number
  /** False while the receiver has enough to do; call resume() when that changes. */
  ready: () => boolean
  /** rdb-key-save-delay, microseconds. */
  keyDelayMicroseconds: () => number
}

/** With a delay for each key, slices are this long, most of it waiting. */
const DELAYED_SLICE_MS = 20

/** Runs a snapshot in slices between other events, until it is over, aborted or stopped. */
export class SnapshotRunner {
  readonly snapshot: Snapshot
  #pace: Pace
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #stopped = false

  constructor(snapshot: Snapshot, pace: Pace) {
    this.snapshot = snapshot
    this.#pace = pace
    this.resume()
  }

  /** The receiver is ready again. */
  resume(): void {
    if (this.#stopped || this.#timer !== undefined || this.#immediate !== undefined) return
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined
      this.#slice()
    })
  }

  #slice(): void {
    if (this.#stopped || !this.snapshot.running || !this.#pace.ready()) return
    const delayMs = this.#pace.keyDelayMicroseconds() / 1000
    if (delayMs <= 0) {
      if (this.snapshot.step(this.#pace.sliceMs)) this.resume()
      return
    }
    const keys = Math.max(1, Math.floor(DELAYED_SLICE_MS / delayMs))
    if (this.snapshot.step(this.#pace.sliceMs, keys)) this.#wait(performance.now(), keys)
  }

  /** Looks again now and then, because the delay may be taken back meanwhile. */
  #wait(since: number, keys: number): void {
    const left = since + (keys * this.#pace.keyDelayMicroseconds()) / 1000 - performance.now()
    if (left <= 0) {
      this.resume()
      return
    }
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        if (!this.#stopped) this.#wait(since, keys)
      },
      Math.min(left, DELAYED_SLICE_MS),
    )
  }

  /** No further slices; the snapshot itself is neither aborted nor finished. */
  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#timer = undefined
    this.#immediate = undefined
  }
}
