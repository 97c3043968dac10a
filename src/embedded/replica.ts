/**
 * A live copy of a Redis server inside this process: it follows the server as a replica does, and answers reads without a
 * socket and without waiting. Writes, when wanted, go to the server.
 */
import { hashBytes } from '../bytes/siphash.ts'
import type { Config } from '../config/config.ts'
import { NOTIFY_ALL } from '../config/units.ts'
import type { Engine } from '../engine/engine.ts'
import type { Replication } from '../replication/replication.ts'
import type { Argument } from './call-request.ts'
import { type ChangeListener, Changes } from './changes.ts'
import { Offsets } from './offsets.ts'
import type { ReadCache } from './read-cache.ts'
import { Reader } from './reader.ts'
import type { Value } from './reply-value.ts'
import { parseUpstream, type Upstream, UpstreamClient } from './upstream-client.ts'

const CAUGHT_UP_TIMEOUT_MS = 10_000

/** The server that lives behind a copy. */
export interface Parts {
  readonly config: Config
  readonly engine: Engine
  readonly replication: Replication
  stop(): Promise<void>
}

export interface Scored {
  member: string
  score: number
}

export interface ScanOptions {
  /** A glob as of KEYS. */
  match?: string
  /** string, list, set, zset, hash, stream */
  type?: string
}

export class Replica {
  #parts: Parts
  #upstream: UpstreamClient
  #reader: Reader
  #cache: ReadCache
  #changes = new Changes()
  #offsets: Offsets
  #linkUp: (() => void) | null = null
  /** The link to a server that is to be followed has not been up yet. */
  #isMoving = false
  #onClosed: () => void

  /** Use createReplica(). `cache` is empty. */
  constructor(parts: Parts, upstream: Upstream, cache: ReadCache, onClosed: () => void) {
    this.#onClosed = onClosed
    const { engine, replication } = parts
    this.#parts = parts
    this.#upstream = new UpstreamClient(upstream)
    this.#cache = cache
    this.#reader = new Reader(engine, upstream.database, cache)
    engine.onTouched = (database, key) => {
      if (database !== upstream.database) return
      if (key === null) cache.clear()
      else cache.changed(hashBytes(key, 0, key.length))
    }
    this.#offsets = new Offsets(
      () => replication.upstreamOffset,
      () => replication.linkUp,
    )
    replication.tls = () => this.#upstream.upstream.tls
    replication.stream.onApplied = () => {
      if (replication.linkUp) this.#isMoving = false
      this.#offsets.moved()
      if (this.#linkUp !== null && replication.linkUp) this.#linkUp()
    }
    engine.onKeyEvent = (event, key, database) => {
      if (database === upstream.database) this.#changes.add(event, key)
    }
  }

  // ---- the link ----------------------------------------------------------------------------------------------------

  /** Follows the server; resolves when its data is here. Rejects after `timeoutMs` with `why()`. */
  start(timeoutMs: number, why: () => string): Promise<void> {
    const { host, port } = this.#upstream.upstream
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#linkUp = null
        reject(new Error(`No copy of ${host}:${port} within ${timeoutMs} ms: ${why()}`))
      }, timeoutMs)
      this.#linkUp = () => {
        clearTimeout(timer)
        this.#linkUp = null
        resolve()
      }
      this.#parts.replication.follow(host, port)
    })
  }

  /** The data set was replaced by another full synchronisation. */
  resynchronised(): void {
    this.#changes.add('resync', null)
  }

  /**
   * Follows another server from now on (`redis://…`, credentials as before if it has none): without a new copy when that
   * one's history continues this one. Reads go on meanwhile.
   */
  async follow(from: string): Promise<void> {
    const old = this.#upstream
    const { username, password, database, tls } = old.upstream
    const next = parseUpstream(from, tls ?? {})
    const upstream = next.password === '' ? { ...next, username, password, database } : { ...next, database }
    const { config, replication } = this.#parts
    config.setDerived('masteruser', upstream.username)
    config.setDerived('masterauth', upstream.password)
    this.#upstream = new UpstreamClient(upstream)
    this.#isMoving = true
    replication.follow(upstream.host, upstream.port)
    await old.close()
  }

  /** Of the primary's stream, as far as it is applied here. Compare it with `master_repl_offset` of INFO. */
  get offset(): number {
    return this.#parts.replication.upstreamOffset
  }

  /** The link to the primary is up, and what it sends is applied as it comes. */
  get isLive(): boolean {
    return this.#parts.replication.linkUp
  }

  /** How old the newest applied write is as seen here, milliseconds; it grows while the link is down. */
  get lagMs(): number {
    return this.#parts.replication.upstream?.lagMs ?? 0
  }

  /** Keys whose values get() has at hand as strings, and an estimate of what they take. */
  get readCache(): { entries: number; bytes: number } {
    return { entries: this.#cache.size, bytes: this.#cache.bytes }
  }

  /** Keys in the database. */
  get size(): number {
    return this.call('DBSIZE') as number
  }

  /**
   * Resolves when the copy has applied the primary's stream up to `offset`, or, without one, up to where the primary is
   * now. Rejects when that takes longer than `timeoutMs`. An offset of a server that is followed since just now counts from
   * when its data is here.
   */
  async caughtUp(offset?: number, timeoutMs = CAUGHT_UP_TIMEOUT_MS): Promise<void> {
    const isCurrent = offset === undefined || this.#isMoving
    await this.#offsets.reach(offset ?? (await this.#upstream.offset()), isCurrent, timeoutMs)
  }

  /**
   * Runs a command on the primary and resolves with its reply once this copy has it too. Rejects with the primary's error.
   * A write whose connection was lost rejects as well: whether it was applied is then not known.
   */
  async write(...args: [string, ...Argument[]]): Promise<Value> {
    const { reply, offset } = await this.#upstream.write(args)
    await this.#offsets.reach(offset, true, CAUGHT_UP_TIMEOUT_MS)
    return reply
  }

  /** Calls back for each change of a key that matches the glob. Returns what ends that. */
  onChange(pattern: string, listener: ChangeListener): () => void {
    if (this.#changes.isEmpty) this.#parts.config.setDerived('notify-keyspace-events', NOTIFY_ALL)
    return this.#changes.subscribe(pattern, listener)
  }

  /** Ends the link and frees the copy. */
  async close(): Promise<void> {
    this.#changes.clear()
    this.#offsets.close()
    await this.#upstream.close()
    await this.#parts.stop()
    this.#parts.engine.store.clear()
    this.#cache.clear()
    this.#onClosed()
  }

  // ---- reads -------------------------------------------------------------------------------------------------------

  /**
   * Any command that only reads: `replica.call('ZRANGEBYSCORE', 'z', 0, 10)`. The reply is as ioredis's. Throws an Error
   * with Redis's text.
   */
  call(...args: [string, ...Argument[]]): Value {
    return this.#reader.call(args)
  }

  /** As call(), with bulk strings as Buffers. */
  callBuffer(...args: [string, ...Argument[]]): Value {
    return this.#reader.call(args, true)
  }

  get(key: string | Buffer): string | null {
    return this.#reader.get(key)
  }

  getBuffer(key: string | Buffer): Buffer | null {
    return this.#reader.getBuffer(key)
  }

  mget(...keys: string[]): (string | null)[] {
    return keys.length === 0 ? [] : (this.call('MGET', ...keys) as (string | null)[])
  }

  exists(key: string): boolean {
    return this.call('EXISTS', key) === 1
  }

  type(key: string): string {
    return this.call('TYPE', key) as string
  }

  /** Milliseconds that the key has left; -1 without an end, -2 without a key. */
  pttl(key: string): number {
    return this.call('PTTL', key) as number
  }

  hget(key: string, field: string): string | null {
    return this.call('HGET', key, field) as string | null
  }

  /** An object without a prototype; empty if there is no such key. */
  hgetall(key: string): Record<string, string> {
    const flat = this.call('HGETALL', key) as string[]
    const hash: Record<string, string> = Object.create(null)
    for (let i = 0; i < flat.length; i += 2) hash[flat[i]!] = flat[i + 1]!
    return hash
  }

  hmget(key: string, ...fields: string[]): (string | null)[] {
    return this.call('HMGET', key, ...fields) as (string | null)[]
  }

  hlen(key: string): number {
    return this.call('HLEN', key) as number
  }

  lrange(key: string, start: number, stop: number): string[] {
    return this.call('LRANGE', key, start, stop) as string[]
  }

  llen(key: string): number {
    return this.call('LLEN', key) as number
  }

  smembers(key: string): Set<string> {
    return new Set(this.call('SMEMBERS', key) as string[])
  }

  sismember(key: string, member: string): boolean {
    return this.call('SISMEMBER', key, member) === 1
  }

  scard(key: string): number {
    return this.call('SCARD', key) as number
  }

  /** Further words as in Redis: `zrange('z', 0, 10, 'BYSCORE', 'LIMIT', 0, 5)`. */
  zrange(key: string, start: Argument, stop: Argument, ...options: Argument[]): string[] {
    return this.call('ZRANGE', key, start, stop, ...options) as string[]
  }

  zrangeWithScores(key: string, start: Argument, stop: Argument, ...options: Argument[]): Scored[] {
    const flat = this.call('ZRANGE', key, start, stop, ...options, 'WITHSCORES') as string[]
    const scored: Scored[] = []
    for (let i = 0; i < flat.length; i += 2) scored.push({ member: flat[i]!, score: scoreOf(flat[i + 1]!) })
    return scored
  }

  zscore(key: string, member: string): number | null {
    const score = this.call('ZSCORE', key, member) as string | null
    return score === null ? null : scoreOf(score)
  }

  zrank(key: string, member: string): number | null {
    return this.call('ZRANK', key, member) as number | null
  }

  zcard(key: string): number {
    return this.call('ZCARD', key) as number
  }

  /** Entries between two ids ('-' and '+' for the ends). */
  xrange(key: string, start: string, end: string, count?: number): { id: string; fields: Record<string, string> }[] {
    const limit = count === undefined ? [] : ['COUNT', count]
    const entries = this.call('XRANGE', key, start, end, ...limit) as [string, string[]][]
    return entries.map(([id, flat]) => {
      const fields: Record<string, string> = Object.create(null)
      for (let i = 0; i < flat.length; i += 2) fields[flat[i]!] = flat[i + 1]!
      return { id, fields }
    })
  }

  /** All keys, with SCAN's promise: those that are there all the while come, each at least once. */
  *scan(options: ScanOptions = {}): IterableIterator<string> {
    const words: Argument[] = ['COUNT', 1000]
    if (options.match !== undefined) words.push('MATCH', options.match)
    if (options.type !== undefined) words.push('TYPE', options.type)
    let cursor = '0'
    do {
      const [next, keys] = this.call('SCAN', cursor, ...words) as [string, string[]]
      yield* keys
      cursor = next
    } while (cursor !== '0')
  }
}

function scoreOf(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY
  return text === '-inf' ? Number.NEGATIVE_INFINITY : Number(text)
}
