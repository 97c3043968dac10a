/**
 * The proxy of one upstream: the local copy that replication keeps, the connections that pass requests on, and what binds
 * them: which call goes where (calls.ts), how fresh the copy is (copy.ts), who waits (held.ts).
 */
import type { Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import type { Engine } from '../engine/engine.ts'
import type { Router } from '../engine/router.ts'
import type { Replication } from '../replication/replication.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Endpoint, UpstreamAddress } from './address.ts'
import { Calls } from './calls.ts'
import { consistencyText } from './consistency.ts'
import { Copy } from './copy.ts'
import { Held } from './held.ts'
import { nearCache } from './near/near-cache.ts'
import { PartReads } from './near/part-reads.ts'
import { Pool } from './pool.ts'
import * as routes from './routes.ts'
import { Settings } from './settings.ts'
import { ProxyStats } from './stats.ts'

const HEARTBEAT_MS = 1000
const HEARTBEAT_MIN_MS = 5

export class ReplicatingProxy implements Router {
  readonly stats = new ProxyStats()
  readonly copy: Copy
  readonly pool: Pool
  /** Hears when the upstream could not be reached: Sentinels may know of another. */
  onUpstreamDown: () => void = () => {}

  #engine: Engine
  #replication: Replication
  #settings: Settings
  #held: Held
  #calls: Calls
  #database: number
  /** Reads of what the copy does not keep; null while it keeps everything. */
  #part: PartReads | null
  #heartbeat: NodeJS.Timeout | null = null

  constructor(engine: Engine, replication: Replication, address: UpstreamAddress, endpoint: Endpoint) {
    const { stats } = this
    const settings = new Settings(engine.config)
    // Offsets are those of the upstream's stream, whatever part of it is kept.
    const copy = new Copy(engine, replication.part ?? replication, settings)
    const held = new Held(engine, settings, stats)
    const pool = new Pool(endpoint, {
      tls: () => replication.tls(),
      copy: () => copy,
      user: address.user,
      password: address.password,
      width: engine.config.get('proxy-connections'),
      unixMs: () => engine.unixMs,
      log: (text) => engine.log('warning', text),
      onProbe: (probe) => copy.answered(probe),
      onProgress: () => held.wakeSoon(),
      onRoundTrip: (milliseconds) => stats.roundTrip(milliseconds),
      onUncertain: (count) => {
        stats.uncertainWrites += count
      },
      onDown: () => this.onUpstreamDown(),
    })
    this.#engine = engine
    this.#replication = replication
    this.#database = address.database
    this.#settings = settings
    this.#held = held
    this.copy = copy
    this.pool = pool
    this.#part = this.#partReads(address)
    this.#calls = new Calls({ engine, copy, held, pool, settings, stats, part: this.#part })
  }

  #partReads({ user, password }: UpstreamAddress): PartReads | null {
    const { copy, pool, stats } = this
    const engine = this.#engine
    const kept = this.#replication.part?.kept
    if (kept === undefined) return null
    const reads = new PartReads({
      engine,
      part: kept,
      copy,
      settings: this.#settings,
      cache: nearCache(engine.config),
      upstream: {
        user,
        password,
        endpoint: () => pool.endpoint,
        tls: () => this.#replication.tls(),
        onProgress: () => this.#held.wakeSoon(),
        onRoundTrip: (milliseconds) => stats.roundTrip(milliseconds),
      },
    })
    kept.arrival.hidden = reads
    return reads
  }

  /** `restored`: the data set of a former life is here already. */
  start(restored: boolean): void {
    this.copy.isReady ||= restored && this.#part === null
    this.#beat()
  }

  stop(): void {
    if (this.#heartbeat !== null) clearTimeout(this.#heartbeat)
    this.#heartbeat = null
    this.#held.stop()
    this.#part?.stop()
    this.pool.stop()
  }

  /** Dates the copy, and finds out that the upstream is away. */
  #beat(): void {
    const wait = Math.max(HEARTBEAT_MIN_MS, Math.min(HEARTBEAT_MS, this.#settings.smallestBoundMs / 4))
    this.#heartbeat = setTimeout(() => this.#beat(), wait)
    this.pool.shared(this.#database, 2).connection?.date()
    this.#part?.beat()
  }

  cron(): void {
    const longestMs = this.#engine.config.get('repl-timeout') * 1000
    this.pool.cron(longestMs)
    this.#part?.cron(longestMs)
  }

  // ---- what happens elsewhere --------------------------------------------------------------------------------------

  /** The replication link changed. */
  linkChanged(): void {
    this.copy.refresh()
    const { upstream } = this.#replication
    const { endpoint } = this.pool
    if (upstream !== null) this.pool.moveTo({ host: upstream.host, port: upstream.port })
    if (this.pool.endpoint !== endpoint) this.#part?.moved()
    this.#held.wakeSoon()
  }

  /** The copy has applied more of the stream. */
  applied(): void {
    this.copy.settle()
    this.#held.wakeAll()
  }

  /** A client's batch of requests was gone through. */
  batchEnded(): void {
    this.pool.gather()
  }

  /** What it sends next will probably go upstream as well: its keys need not be looked up. */
  passesOn(client: Client): boolean {
    return routes.wroteLast(client)
  }

  clientGone(client: Client): void {
    this.#held.clientGone(client)
  }

  // ---- the path of a call ------------------------------------------------------------------------------------------

  route(client: Client, command: Command, args: Request, reply: ReplyWriter): number {
    return this.#calls.route(client, command, args, reply)
  }

  unknown(client: Client, container: Command | undefined, args: Request, reply: ReplyWriter): number {
    return this.#calls.unknown(client, container, args, reply)
  }

  // ---- INFO --------------------------------------------------------------------------------------------------------

  info(): Record<string, string | number> {
    const { pool, stats } = this
    const { shared, own, idle } = pool.counts
    const age = this.copy.ageMs
    return {
      proxy_upstream: `${pool.endpoint.host}:${pool.endpoint.port}`,
      proxy_upstream_status: pool.lastError === '' ? 'up' : 'down',
      proxy_upstream_error: pool.lastError.replace(/[\r\n]/g, ' '),
      proxy_consistency: consistencyText(this.#settings.consistency),
      proxy_copy_ready: this.copy.isReady && this.#engine.loading === 'no' ? 1 : 0,
      proxy_copy_age_ms: Number.isFinite(age) ? Math.round(age) : -1,
      proxy_connections_shared: shared,
      proxy_connections_own: own,
      proxy_connections_idle: idle,
      proxy_connections_lost: pool.lost,
      proxy_clients_waiting: this.#held.count,
      ...stats.fields(),
      ...this.#part?.fields(),
    }
  }
}
