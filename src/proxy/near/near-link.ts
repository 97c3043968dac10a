/**
 * The connections of the near cache: one that hears what changed, and for each database and protocol one that reads with
 * `CLIENT TRACKING ON REDIRECT` to it. So replies have the client's protocol, and all news comes in one order.
 *
 * Tracking is the default one, not BCAST: redis-server writes its news at once, where those of BCAST leave at the end of a
 * turn of its loop (redis 7.0.15 tracking.c trackingBroadcastInvalidationMessages). What it said of its offset on this
 * connection (INFO) therefore comes behind the news of all writes below it, and dates the cache. It also remembers only
 * what was read here, and OPTIN would cost a request for each read, since nothing else is read here.
 *
 * When any of them is lost, whatever was read over it is no longer watched: everything goes, all begin anew.
 */
import type { Tls } from '../../tls/dial.ts'
import type { Endpoint } from '../address.ts'
import type { Copy, Probe } from '../copy.ts'
import { type ConnectionSetup, UpstreamConnection } from '../upstream-connection.ts'
import { readInvalidation } from './invalidation.ts'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 5000

export interface NearLinkSetup {
  readonly user: string
  readonly password: string
  readonly copy: Copy
  readonly unixMs: () => number
  endpoint(): Endpoint
  tls(): Tls
  log(text: string): void
  onInvalidated(key: string): void
  /** All of them may have changed, or nobody says so any more. */
  onEverything(): void
  onProgress(): void
  onRoundTrip(milliseconds: number): void
  readonly onRedirect?: ConnectionSetup['onRedirect']
}

export class NearLink {
  /** The news of all writes below have been heard. */
  readonly date = { replid: '', offset: 0, sentAtMs: 0 }

  readonly #setup: NearLinkSetup
  readonly #readers = new Map<number, UpstreamConnection>()
  #news: UpstreamConnection | null = null
  #attempts = 0
  #retry: NodeJS.Timeout | null = null
  #lastError = ''
  #stopped = false

  constructor(setup: NearLinkSetup) {
    this.#setup = setup
  }

  get isUp(): boolean {
    return this.#news?.isReady === true
  }

  /** Nobody has asked for a reader yet. */
  get isIdle(): boolean {
    return this.#news === null && this.#retry === null
  }

  /** Reads for this database and protocol; null while nobody would hear of changes. */
  reader(database: number, resp: 2 | 3): UpstreamConnection | null {
    const news = this.#news
    if (news === null || !news.isReady) {
      if (news === null && this.#retry === null) this.#open()
      return null
    }
    const key = database * 2 + resp - 2
    let reader = this.#readers.get(key)
    if (reader === undefined) {
      const greeting = [['CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(news.upstreamId)]]
      reader = this.#connect(database, resp, { greeting })
      this.#readers.set(key, reader)
    }
    return reader.isClosed ? null : reader
  }

  #open(): void {
    this.#retry = null
    if (this.#stopped) return
    this.#news = this.#connect(0, 3, {
      onPush: (frame) => {
        const keys = readInvalidation(frame)
        if (keys === null) this.#setup.onEverything()
        else for (const key of keys ?? []) this.#setup.onInvalidated(key)
      },
    })
  }

  #connect(
    database: number,
    resp: 2 | 3,
    more: { greeting?: string[][]; onPush?: (frame: Buffer) => void },
  ): UpstreamConnection {
    const { copy, unixMs, user, password, onRedirect } = this.#setup
    return new UpstreamConnection({
      ...more,
      endpoint: this.#setup.endpoint(),
      tls: this.#setup.tls(),
      user,
      password,
      copy,
      database,
      resp,
      unixMs,
      onReady: () => {
        this.#attempts = 0
        this.#lastError = ''
        this.#setup.onProgress()
      },
      onLost: (connection, reason) => this.#lost(connection, reason),
      onProbe: (probe) => {
        // Those of the readers say nothing of the news.
        if (more.onPush !== undefined) this.#dated(probe)
        copy.answered(probe)
        this.#setup.onProgress()
      },
      onProgress: () => this.#setup.onProgress(),
      // Its requests are copied at once.
      onGathering: (connection) => connection.gather(),
      onRoundTrip: this.#setup.onRoundTrip,
      onUncertain: () => {},
      ...(onRedirect === undefined
        ? {}
        : {
            onRedirect: (redirect, refused, by) => {
              // Its reply will come over a connection that nobody tracks: it is not kept.
              refused.how.lost?.()
              const how = { ...refused.how, take: null, lost: () => {} }
              return onRedirect(redirect, { ...refused, how }, by)
            },
          }),
    })
  }

  #dated(probe: Probe): void {
    if (probe.state !== 'known') return
    this.date.replid = probe.replid
    this.date.offset = probe.offset
    this.date.sentAtMs = probe.sentAtMs
  }

  /** Finds out how far the news is, unless that is asked already. */
  ask(): void {
    if (this.isUp) this.#news!.date()
  }

  #lost(connection: UpstreamConnection, reason: string): void {
    const isOurs = connection === this.#news || [...this.#readers.values()].includes(connection)
    if (!isOurs) return
    this.reset(reason)
    if (this.#stopped) return
    if (reason !== this.#lastError) this.#setup.log(`Near cache: ${reason}`)
    this.#lastError = reason
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempts++)
    this.#retry ??= setTimeout(() => this.#open(), pause)
  }

  /** All connections go, and with them what was read over them. */
  reset(reason: string): void {
    const all = [this.#news, ...this.#readers.values()]
    this.#news = null
    this.#readers.clear()
    this.date.replid = ''
    this.#setup.onEverything()
    for (const connection of all) connection?.close(reason)
  }

  /** Each second: one that does not reply cannot be trusted to tell changes. */
  cron(longestMs: number): void {
    const now = performance.now()
    for (const connection of [this.#news, ...this.#readers.values()]) {
      const since = connection?.waitingSince
      if (since !== undefined && now - since > longestMs) return connection!.close('it does not reply')
    }
  }

  stop(): void {
    this.#stopped = true
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#retry = null
    this.reset('the server ends')
  }
}
