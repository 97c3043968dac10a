/**
 * The connections to the upstream: for each database and protocol version that clients use a few which they share, and
 * connections that one client has for itself for a while. Several, because redis-server reads 16 KiB of a connection in a
 * turn of its loop: with one it would serve a hundred small writes a turn, however many wait. A shared one that breaks is opened again, after a pause that
 * grows from 50 ms to a second.
 */
import type { Client } from '../commands/client.ts'
import type { Tls } from '../tls/dial.ts'
import type { Endpoint } from './address.ts'
import type { Copy, Probe } from './copy.ts'
import { type ConnectionSetup, UpstreamConnection } from './upstream-connection.ts'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1000
/** Own connections that are kept for the next client that needs one, of each kind. */
const IDLE_MAX = 16

export interface PoolSetup {
  /** How the upstream is reached, asked for each connection. */
  tls(): Tls
  /** What is read from this upstream. */
  copy(): Copy
  readonly onRedirect?: ConnectionSetup['onRedirect']
  readonly user: string
  readonly password: string
  /** Shared connections for a database and protocol. */
  readonly width: number
  readonly unixMs: () => number
  log(text: string): void
  onProbe(probe: Probe): void
  /** Clients that are held back may go on. */
  onProgress(): void
  onRoundTrip(milliseconds: number): void
  onUncertain(count: number): void
  /** A shared connection could not be had, or broke. */
  onDown(): void
}

export class SharedConnection {
  readonly database: number
  readonly resp: 2 | 3
  connection: UpstreamConnection | null = null
  /** The last attempt failed, or it broke; until it is ready again. */
  isDown = false
  attempts = 0
  retry: NodeJS.Timeout | null = null

  constructor(database: number, resp: 2 | 3) {
    this.database = database
    this.resp = resp
  }

  get isReady(): boolean {
    return this.connection?.isReady === true
  }
}

export class Pool {
  endpoint: Endpoint
  /** Why the upstream could not be had last, '' while it can. */
  lastError = ''
  lost = 0

  #setup: PoolSetup
  #shared = new Map<number, SharedConnection>()
  #idle = new Map<number, UpstreamConnection[]>()
  #own = new Set<UpstreamConnection>()
  #gathering: UpstreamConnection | null = null
  #stopped = false

  constructor(endpoint: Endpoint, setup: PoolSetup) {
    this.endpoint = endpoint
    this.#setup = setup
  }

  get copy(): Copy {
    return this.#setup.copy()
  }

  /** A client always has the same one, so its requests stay in order. */
  sharedBy({ db, resp, id }: Client): SharedConnection {
    return this.shared(db, resp, id % this.#setup.width)
  }

  /** A shared connection; opened when it is asked for first. */
  shared(database: number, resp: 2 | 3, index = 0): SharedConnection {
    const key = keyOf(database, resp) * this.#setup.width + index
    let shared = this.#shared.get(key)
    if (shared === undefined) {
      shared = new SharedConnection(database, resp)
      this.#shared.set(key, shared)
      this.#open(shared)
    }
    return shared
  }

  #open(shared: SharedConnection): void {
    shared.retry = null
    if (this.#stopped) return
    shared.connection = this.#connect(
      shared.database,
      shared.resp,
      () => {
        shared.isDown = false
        shared.attempts = 0
        this.lastError = ''
        this.#setup.onProgress()
      },
      (reason) => {
        const wasUp = shared.attempts === 0 && !shared.isDown
        if (!this.#stopped && (wasUp || reason !== this.lastError)) this.#setup.log(`Upstream ${this.#name}: ${reason}`)
        shared.connection = null
        shared.isDown = true
        this.lastError = reason
        const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** shared.attempts++)
        if (!this.#stopped) shared.retry = setTimeout(() => this.#open(shared), pause)
        this.#setup.onDown()
      },
    )
  }

  get #name(): string {
    return `${this.endpoint.host}:${this.endpoint.port}`
  }

  #connect(database: number, resp: 2 | 3, onReady: () => void, onLost: (reason: string) => void): UpstreamConnection {
    const { user, password, unixMs, onProbe, onRoundTrip, onUncertain } = this.#setup
    const { onRedirect } = this.#setup
    return new UpstreamConnection({
      endpoint: this.endpoint,
      tls: this.#setup.tls(),
      copy: this.#setup.copy(),
      ...(onRedirect === undefined ? {} : { onRedirect }),
      user,
      password,
      database,
      resp,
      unixMs,
      onProbe,
      onRoundTrip,
      onUncertain,
      onReady,
      onGathering: (connection) => {
        if (this.#gathering !== connection) this.gather()
        this.#gathering = connection
      },
      onLost: (connection, reason) => {
        if (connection.wasReady) this.lost++
        this.#own.delete(connection)
        onLost(reason)
        this.#setup.onProgress()
      },
      onProgress: (connection) => {
        if (connection.retire !== 'no' && connection.awaited === 0) this.#retired(connection)
        this.#setup.onProgress()
      },
    })
  }

  /** A connection that nobody else uses until it is retired. */
  own(database: number, resp: 2 | 3): UpstreamConnection {
    let connection = this.#idle.get(keyOf(database, resp))?.pop()
    while (connection?.isClosed) connection = this.#idle.get(keyOf(database, resp))?.pop()
    connection ??= this.#connect(database, resp, noop, (reason) => this.#ownLost(reason))
    connection.retire = 'no'
    connection.isOwn = true
    connection.isWatching = false
    this.#own.add(connection)
    return connection
  }

  #ownLost(reason: string): void {
    this.lastError = reason
  }

  /** The buffers of requests are about to be used again. */
  gather(): void {
    this.#gathering?.gather()
    this.#gathering = null
  }

  #retired(connection: UpstreamConnection): void {
    if (!this.#own.delete(connection)) return
    const key = keyOf(connection.database, connection.resp)
    const idle = this.#idle.get(key) ?? []
    this.#idle.set(key, idle)
    if (connection.retire === 'close' || connection.isClosed || idle.length >= IDLE_MAX) {
      connection.close('not needed any more')
      return
    }
    idle.push(connection)
  }

  /** Another server is the upstream now: all begin anew there. */
  moveTo(endpoint: Endpoint): void {
    if (endpoint.host === this.endpoint.host && endpoint.port === this.endpoint.port) return
    this.endpoint = endpoint
    this.closeAll('the upstream is another server now')
    for (const shared of this.#shared.values()) {
      if (shared.retry !== null) clearTimeout(shared.retry)
      shared.attempts = 0
      this.#open(shared)
    }
  }

  closeAll(reason: string): void {
    for (const connection of this.connections()) connection.close(reason)
    this.#idle.clear()
    this.#own.clear()
  }

  /** Each second: one that is silent for too long while replies are due is given up. */
  cron(longestMs: number): void {
    const now = performance.now()
    for (const { connection } of this.#shared.values()) {
      const since = connection?.waitingSince
      if (since !== undefined && now - since > longestMs) connection!.close('it does not reply')
    }
    for (const [key, idle] of this.#idle) {
      const open = idle.filter((connection) => !connection.isClosed)
      if (open.length !== idle.length) this.#idle.set(key, open)
    }
  }

  connections(): UpstreamConnection[] {
    const shared = [...this.#shared.values()].flatMap(({ connection }) => (connection === null ? [] : [connection]))
    return [...shared, ...this.#own, ...[...this.#idle.values()].flat()]
  }

  /** Open ones that are shared, in use by one client, and idle. */
  get counts(): { shared: number; own: number; idle: number } {
    let shared = 0
    let idle = 0
    for (const one of this.#shared.values()) if (one.isReady) shared++
    for (const list of this.#idle.values()) idle += list.length
    return { shared, own: this.#own.size, idle }
  }

  stop(): void {
    this.#stopped = true
    for (const { retry } of this.#shared.values()) if (retry !== null) clearTimeout(retry)
    this.closeAll('the server ends')
  }
}

function keyOf(database: number, resp: 2 | 3): number {
  return database * 2 + resp - 2
}

const noop = () => {}
