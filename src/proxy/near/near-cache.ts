/**
 * Replies of reads, kept by what was asked: database, protocol, the request's bytes. Bounded by their number and their bytes,
 * the least recently used go first. A change of a key drops the replies that depend on it, wherever the news comes from;
 * a reply that is on its way meanwhile is not kept (it may be older than the change: the news came by another connection).
 * Where a write of a client here is on its way, its keys' replies are not kept until it is answered.
 */
import { LRUCache } from 'lru-cache'
import type { Config } from '../../config/config.ts'
import type { Copy, Probe } from '../copy.ts'

/** Of an entry, besides the reply and the request. */
const ENTRY_BYTES = 200

export interface Entry {
  readonly reply: Buffer
  readonly keys: readonly string[]
  /** Unix milliseconds, infinite without. */
  readonly expiresAtMs: number
  /** Of the upstream that it came from. */
  readonly copy: Copy
  /** What it shows lies below; null when the copy is as far. */
  probe: Probe | null
}

/** A reply that is on its way. */
export interface Fetch {
  readonly name: string
  readonly copy: Copy
  readonly keys: readonly string[]
  /** Its keys changed since it was asked for. */
  isStale: boolean
  expiresAtMs: number
}

export class NearCache {
  hits = 0
  misses = 0
  invalidations = 0
  evictions = 0

  #entries: LRUCache<string, Entry> | null = null
  #byKey = new Map<string, Set<string>>()
  readonly #fetches = new Map<string, Set<Fetch>>()
  /** Keys with unanswered writes of clients here, and how many. */
  readonly #writing = new Map<string, number>()

  get isOn(): boolean {
    return this.#entries !== null
  }

  get entries(): number {
    return this.#entries?.size ?? 0
  }

  get bytes(): number {
    return this.#entries?.calculatedSize ?? 0
  }

  /** Whether anybody has to say what changed. */
  get isWatching(): boolean {
    return this.entries > 0 || this.#fetches.size > 0
  }

  /** The limits are fixed once a cache is made: another one begins empty. */
  limit(entries: number, bytes: number): void {
    this.everything()
    this.#entries =
      entries === 0 || bytes === 0
        ? null
        : new LRUCache<string, Entry>({
            max: entries,
            maxSize: bytes,
            dispose: (entry, name, reason) => {
              if (reason === 'evict') this.evictions++
              this.#forget(name, entry)
            },
          })
  }

  get(name: string): Entry | undefined {
    return this.#entries?.get(name)
  }

  drop(name: string): void {
    this.#entries?.delete(name)
  }

  #forget(name: string, { keys }: Entry): void {
    for (const key of keys) {
      const names = this.#byKey.get(key)
      if (names?.delete(name) === true && names.size === 0) this.#byKey.delete(key)
    }
  }

  // ---- replies on their way ----------------------------------------------------------------------------------------

  begin(name: string, keys: readonly string[], copy: Copy): Fetch {
    const fetch: Fetch = { name, copy, keys, isStale: false, expiresAtMs: Number.POSITIVE_INFINITY }
    for (const key of keys) {
      const fetches = this.#fetches.get(key) ?? new Set()
      this.#fetches.set(key, fetches.add(fetch))
      if (this.#writing.has(key)) fetch.isStale = true
    }
    return fetch
  }

  /** It has come, or never will (null). */
  end(fetch: Fetch, reply: Buffer | null, probe: Probe | null): void {
    for (const key of fetch.keys) {
      const fetches = this.#fetches.get(key)
      if (fetches?.delete(fetch) === true && fetches.size === 0) this.#fetches.delete(key)
    }
    const entries = this.#entries
    if (reply === null || fetch.isStale || entries === null) return
    const { name, keys, copy, expiresAtMs } = fetch
    const size = ENTRY_BYTES + reply.length + name.length * 2
    if (size > entries.maxSize) return
    entries.set(name, { reply: Buffer.from(reply), keys, copy, expiresAtMs, probe }, { size })
    for (const key of keys) this.#byKey.set(key, (this.#byKey.get(key) ?? new Set()).add(name))
  }

  // ---- changes -----------------------------------------------------------------------------------------------------

  invalidate(key: string): void {
    const names = this.#byKey.get(key)
    if (names !== undefined) {
      for (const name of [...names]) {
        this.invalidations++
        this.#entries?.delete(name)
      }
    }
    const fetches = this.#fetches.get(key)
    if (fetches !== undefined) for (const fetch of fetches) fetch.isStale = true
  }

  /** Databases were emptied or exchanged, or nobody tells changes any more. */
  everything(): void {
    this.invalidations += this.entries
    this.#entries?.clear()
    this.#byKey.clear()
    for (const fetches of this.#fetches.values()) for (const fetch of fetches) fetch.isStale = true
  }

  /** A client here writes these keys: until written(). */
  writing(keys: readonly string[]): void {
    for (const key of keys) {
      this.invalidate(key)
      this.#writing.set(key, (this.#writing.get(key) ?? 0) + 1)
    }
  }

  /** The write was answered: what is on its way may have been read before it. */
  written(keys: readonly string[]): void {
    for (const key of keys) {
      this.invalidate(key)
      const left = (this.#writing.get(key) ?? 1) - 1
      if (left === 0) this.#writing.delete(key)
      else this.#writing.set(key, left)
    }
  }
}

/** As large as the configuration says, from then on. */
export function nearCache(config: Config): NearCache {
  const cache = new NearCache()
  const limit = () => cache.limit(config.get('near-cache-max-entries'), config.get('near-cache-max-bytes'))
  limit()
  config.on('near-cache-max-entries', limit)
  config.on('near-cache-max-bytes', limit)
  return cache
}
