/**
 * Fills a target with the keys of a source and keeps it level until it is told to cut over. This process holds a live copy
 * of the source (a replica, by PSYNC, with all that replicas do about cut links and failovers). First every key is sent as
 * the copy has it; keys that changed meanwhile, and from then on, are sent again as they are then, or removed.
 *
 *   source ──PSYNC──▶ copy ──keys, changed keys──▶ RESTORE / UNLINK at the target
 *
 * So each request says what a key is to be, and can be sent again, in any order with those of other keys, to any server
 * of a cluster, after any error. The price is that a large value that changes is sent whole.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Replica } from '../embedded/replica.ts'
import { ChangedKeys } from './changed.ts'
import { isSame } from './compare.ts'
import type { Copy, Entry } from './copy.ts'
import type { Peer } from './peer.ts'
import { selectsDatabase, selectsKey } from './selection.ts'

const BATCH_KEYS = 1000
const BATCH_BYTES = 8 * 1024 * 1024
const RETRY_MS = 500
const LIBRARIES_MS = 1000
const IDLE_MS = 20
/** Of a server that cannot take a request now, but may soon. */
const PASSING =
  /^(LOADING|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|READONLY|BUSY|NOREPLICAS)|Connection is closed|Failed to refresh slots|ECONN|EPIPE|timed out/

export interface Progress {
  phase: 'copying' | 'live' | 'comparing' | 'cutting over'
  /** Keys of the source when the copying began, and how many of them were looked at. */
  total: number
  walked: number
  /** Sent so far: keys set, keys removed, bytes of values. */
  sent: number
  removed: number
  bytes: number
  /** Keys that were found to be right already. */
  equal: number
  /** Keys that changed and are not sent yet. */
  waiting: number
  /** Age of the oldest change that is not sent, milliseconds. */
  lagMs: number
  /** What the target said last when it could not take a request; sent again until it does. */
  problem: string
}

export class Migration {
  readonly progress: Progress = {
    phase: 'copying',
    total: 0,
    walked: 0,
    sent: 0,
    removed: 0,
    bytes: 0,
    equal: 0,
    waiting: 0,
    lagMs: 0,
    problem: '',
  }
  /** A key changed at the source, or any may have (null). */
  onTouched: (database: number, key: Uint8Array | null) => void = () => {}

  #replica: Replica
  #copy: Copy
  #target: Peer
  #changed: ChangedKeys
  #keys: Iterator<{ database: number; key: Buffer }, void> | null = null
  /** The target may hold keys that the source has not. */
  #sweeps: boolean
  /** It may hold what is to be sent. */
  #compares: boolean
  #restart = false
  #stopped = false
  #firstChangeMs = 0
  #libraries = ''
  #librariesAtMs = 0
  #wake: () => void = () => {}
  #underWay: Promise<void> | null = null
  /** Rounds of run() that found nothing to send. */
  #idleRounds = 0
  #isIdle = false

  /** `resumes`: the target holds what an earlier run left. */
  constructor(replica: Replica, copy: Copy, target: Peer, resumes: boolean) {
    this.#replica = replica
    this.#copy = copy
    this.#target = target
    this.#sweeps = resumes
    this.#compares = resumes
    this.#changed = new ChangedKeys(copy.selection)
    this.#changed.onFirst = () => {
      this.#firstChangeMs = Date.now()
      this.#wake()
    }
    copy.engine.onTouched = (database, key) => {
      this.onTouched(database, key)
      if (key !== null) this.#changed.add(database, key)
      else if (selectsDatabase(copy.selection, database)) this.replaced()
    }
  }

  /** Any key may have changed: all are looked at again. */
  replaced(): void {
    this.onTouched(0, null)
    this.#restart = true
    this.#sweeps = true
    this.#wake()
  }

  /** Ends run() after what is under way. */
  stop(): void {
    this.#stopped = true
    this.#wake()
  }

  /** All keys were sent, and all changes that the copy has seen. */
  get isLevel(): boolean {
    return this.#keys === null && !this.#restart && !this.#sweeps && this.#changed.size === 0
  }

  /** Copies, then follows; resolves after stop(). Rejects when the target refuses what it is sent. */
  async run(): Promise<void> {
    this.#restart = true
    while (!this.#stopped) {
      if (this.#restart) this.#begin()
      // The target takes one batch while the next is made; a key of both is so sent in order.
      const [batch] = await Promise.all([this.#nextBatch(), this.#underWay])
      this.#underWay = batch.length > 0 ? this.#send(batch) : null
      if (batch.length === 0) await this.#atEnd()
      this.#measure()
    }
    await this.#underWay
  }

  /** There is no key to be sent at this moment. */
  async #atEnd(): Promise<void> {
    if (this.#keys === null && this.#sweeps) return this.#sweep()
    await this.#sendLibraries()
    if (this.progress.phase === 'copying') this.progress.phase = 'live'
    if (this.isLevel) await this.#idle()
  }

  #begin(): void {
    this.#restart = false
    this.#keys = this.#copy.keys()
    this.progress.phase = 'copying'
    this.progress.total = this.#copy.size
    this.progress.walked = 0
  }

  #measure(): void {
    const { size } = this.#changed
    this.progress.waiting = size
    this.progress.lagMs = size === 0 ? 0 : Date.now() - this.#firstChangeMs
  }

  /** Until something is to be done, or for a while. */
  async #idle(): Promise<void> {
    this.#idleRounds++
    this.#isIdle = true
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LIBRARIES_MS)
      this.#wake = () => {
        clearTimeout(timer)
        // A moment, so that what changes often is sent less often.
        setTimeout(resolve, IDLE_MS)
      }
    })
    this.#isIdle = false
    this.#wake = () => {}
  }

  // ---- sending -----------------------------------------------------------------------------------------------------

  /** Keys of the walk as long as there are any, then changed ones; as they are at this moment. */
  async #nextBatch(): Promise<Entry[]> {
    const entries: Entry[] = []
    let bytes = 0
    const isWalk = this.#keys !== null
    if (!isWalk) this.#firstChangeMs = Date.now()
    while (entries.length < BATCH_KEYS && bytes < BATCH_BYTES) {
      const next = isWalk ? this.#nextKey() : this.#changed.take()
      if (next === null) break
      const { database, key } = next
      if (isWalk) this.#changed.remove(database, key)
      const entry = this.#copy.entry(database, key)
      if (isWalk && entry.payload === null) continue
      bytes += entry.payload?.length ?? 0
      entries.push(entry)
    }
    return isWalk && this.#compares ? this.#different(entries) : entries
  }

  #nextKey(): { database: number; key: Buffer } | null {
    const next = this.#keys!.next()
    if (next.done !== true) {
      this.progress.walked++
      return next.value
    }
    this.#keys = null
    return null
  }

  /** Those that the target does not have so already. */
  async #different(entries: readonly Entry[]): Promise<Entry[]> {
    const different: Entry[] = []
    for (const database of new Set(entries.map((entry) => entry.database))) {
      const own = entries.filter((entry) => entry.database === database)
      const there = await this.#insist(() =>
        this.#target.dump(
          database,
          own.map(({ key }) => key),
        ),
      )
      const now = Date.now()
      for (const [i, entry] of own.entries()) {
        const ttlMs = entry.expireAt === 0 ? -1 : Math.max(0, entry.expireAt - now)
        if (isSame({ payload: entry.payload, ttlMs }, there[i]!)) this.progress.equal++
        else different.push(entry)
      }
    }
    return different
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    await this.#insist(() => this.#target.apply(entries))
    for (const { payload } of entries) {
      if (payload === null) this.progress.removed++
      else {
        this.progress.sent++
        this.progress.bytes += payload.length
      }
    }
  }

  /** Again and again, as long as the target is only away or busy. */
  async #insist<T>(request: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const answer = await request()
        this.progress.problem = ''
        return answer
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error)
        if (!PASSING.test(text) || this.#stopped) throw new Error(`${this.#target.name} refuses: ${text}`)
        this.progress.problem = text
        await pause(RETRY_MS)
      }
    }
  }

  /** Keys of the target that the source has not are removed; only of those that are selected. */
  async #sweep(): Promise<void> {
    this.#sweeps = false
    const { selection, engine } = this.#copy
    for (const { id } of engine.store.databases) {
      if (!selectsDatabase(selection, id) || (this.#target.isCluster && id > 0)) continue
      for await (const keys of this.#target.scan(id)) {
        for (const key of keys) {
          if (selectsKey(selection, key) && !this.#copy.has(id, key)) this.#changed.add(id, key)
        }
      }
    }
  }

  async #sendLibraries(): Promise<void> {
    if (Date.now() - this.#librariesAtMs < LIBRARIES_MS) return
    this.#librariesAtMs = Date.now()
    const { libraries } = this.#copy
    const now = JSON.stringify(libraries)
    if (now === this.#libraries || (this.#libraries === '' && libraries.length === 0)) return
    await this.#insist(async () => {
      await this.#target.everywhere('FUNCTION', 'FLUSH')
      for (const code of libraries) await this.#target.everywhere('FUNCTION', 'LOAD', code)
    })
    this.#libraries = now
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  /** Resolves when the target has all that the source had when this was asked. Rejects after `timeoutMs`. */
  async level(timeoutMs: number): Promise<void> {
    const until = Date.now() + timeoutMs
    await this.#replica.caughtUp(undefined, timeoutMs)
    this.#librariesAtMs = 0
    // The round that is under way may have begun before.
    const rounds = this.#idleRounds + 2
    while (!(this.#isIdle && this.isLevel && this.#idleRounds >= rounds)) {
      if (Date.now() > until) throw new Error(`the target is ${this.#changed.size} keys behind after ${timeoutMs} ms`)
      this.#wake()
      await pause(IDLE_MS)
    }
  }
}
