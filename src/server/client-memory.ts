/**
 * What normal and pubsub clients hold, all together, and who has to go when that is more than maxmemory-clients: the
 * largest first. Clients lie in buckets, by powers of two from 32 KiB, so that the largest are found without looking at
 * all; within a bucket those that came into it first go first. Nothing is counted while the limit is 0.
 * redis 7.0.15 server.c updateClientMemUsageAndBucket, networking.c evictClients
 */
import { clientInfo, clientMemory } from '../commands/connection/client-info.ts'
import type { Engine } from '../engine/engine.ts'
import type { Connection } from './connection.ts'

const SMALLEST_BITS = 15
const LARGEST_BITS = 33
/** Smaller ones need not be counted each time they run. */
const LARGE_REQUEST_BYTES = 32 * 1024
/** A smaller limit would leave nobody to raise it again. */
const MIN_LIMIT_BYTES = 128 * 1024

/** A connection's part in it, which the connection keeps. */
export interface CountedMemory {
  bytes: number
  /** Null: it may not be evicted. */
  bucket: Set<Connection> | null
}

export class ClientMemory {
  readonly #engine: Engine
  readonly #connections: () => Iterable<Connection>
  readonly #buckets: Set<Connection>[] = []
  #limit = 0
  #total = 0
  #scheduled = false
  /** Whose requests are running. */
  running: Connection | null = null

  constructor(engine: Engine, connections: () => Iterable<Connection>) {
    this.#engine = engine
    this.#connections = connections
    for (let bits = SMALLEST_BITS; bits <= LARGEST_BITS; bits++) this.#buckets.push(new Set())
    engine.config.on('maxmemory-clients', () => this.#applyLimit())
    engine.config.on('maxmemory', () => this.#applyLimit())
    this.#applyLimit()
  }

  /** redis 7.0.15 networking.c getClientEvictionLimit */
  #applyLimit(): void {
    const { config } = this.#engine
    const wanted = config.get('maxmemory-clients')
    const bytes = wanted < 0 ? Math.floor((config.get('maxmemory') * -wanted) / 100) : wanted
    this.#limit = bytes === 0 ? 0 : Math.max(MIN_LIMIT_BYTES, bytes)
    this.#engine.evictsClients = this.#limit > 0
    this.#engine.refreshLimits()
    if (this.#limit > 0) this.countAll()
    else for (const connection of this.#connections()) this.forget(connection)
  }

  countAll(): void {
    for (const connection of this.#connections()) this.count(connection)
  }

  /** Brings up to date what the connection holds; to be called when that may have changed. */
  count(connection: Connection): void {
    const { client, memory } = connection
    if (this.#limit === 0 || connection.isClosed) return
    const { kind } = client
    const counts = kind === 'normal' || kind === 'pubsub'
    const bytes = counts ? clientMemory(client) + connection.runningBytes : 0
    this.#total += bytes - memory.bytes
    memory.bytes = bytes
    const bucket = counts && !client.noEvict ? this.#bucket(bytes) : null
    if (bucket !== memory.bucket) {
      memory.bucket?.delete(connection)
      bucket?.add(connection)
      memory.bucket = bucket
    }
    if (this.#total >= this.#limit && bucket !== null) this.#schedule()
  }

  /** The connection is gone, or nothing is counted any more. */
  forget(connection: Connection): void {
    const { memory } = connection
    this.#total -= memory.bytes
    memory.bytes = 0
    memory.bucket?.delete(connection)
    memory.bucket = null
  }

  #bucket(bytes: number): Set<Connection> {
    const bits = Math.floor(Math.log2(Math.max(1, bytes))) + 1
    return this.#buckets[Math.min(LARGEST_BITS, Math.max(SMALLEST_BITS, bits)) - SMALLEST_BITS]!
  }

  /** At the end of this turn, when nobody sends a command before. */
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.evict()
    })
  }

  evict(): void {
    if (this.#limit === 0 || !this.#hasCandidates()) return
    const { running } = this
    if (running !== null && running.runningBytes > LARGE_REQUEST_BYTES) this.count(running)
    if (this.#total < this.#limit) return
    // What the kernel has taken meanwhile is not held any more.
    this.countAll()
    const { log, stats } = this.#engine
    for (let at = this.#buckets.length - 1; at >= 0; at--) {
      for (const connection of this.#buckets[at]!) {
        if (this.#total < this.#limit) return
        log('notice', `Evicting client: ${clientInfo(connection.client, this.#engine.unixMs, null)}`)
        connection.client.close('now')
        stats.evictedClients++
      }
    }
    if (this.#total >= this.#limit) log('warning', 'Over client maxmemory after evicting all evictable clients')
  }

  #hasCandidates(): boolean {
    for (const bucket of this.#buckets) if (bucket.size > 0) return true
    return false
  }
}
