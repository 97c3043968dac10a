/**
 * The way of an embedded copy's writes to its primary: one ioredis connection, made when the first write needs it. Nothing
 * is queued while there is no connection and nothing is sent twice: a write whose reply was lost fails, and whether it was
 * applied is not known.
 */
import type { Redis } from 'ioredis'
import type { Tls } from '../tls/dial.ts'
import type { Argument } from './call-request.ts'
import type { Value } from './reply-value.ts'

export interface Upstream {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly password: string
  readonly database: number
  /** Node's options of TLS; null is plain TCP. */
  readonly tls: Tls
}

/**
 * `redis://[[user]:password@]host[:port][/database]`, `rediss://` by TLS. Throws a TypeError for anything else.
 */
export function parseUpstream(text: string, tls: NonNullable<Tls> = {}): Upstream {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new TypeError(`'${text}' is no address of a Redis server: redis://[user:password@]host[:port][/database]`)
  }
  const database = url.pathname.replace(/^\//, '')
  if (!/^rediss?:$/.test(url.protocol) || url.hostname === '' || !/^\d{0,9}$/.test(database)) {
    throw new TypeError(`'${url.protocol}//${url.host}' is no redis://[user:password@]host[:port][/database]`)
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: Number(database),
    tls: url.protocol === 'rediss:' ? tls : null,
  }
}

export class UpstreamClient {
  readonly upstream: Upstream
  #redis: Promise<Redis> | null = null

  constructor(upstream: Upstream) {
    this.upstream = upstream
  }

  /** Runs a command there. Its reply, and an offset of the primary that covers it. */
  async write(args: readonly Argument[]): Promise<{ reply: Value; offset: number }> {
    const redis = await this.#connected()
    const [name, ...rest] = args as [Argument, ...Argument[]]
    // Sent together, so that the offset costs no second round trip.
    const written = redis.call(String(name), ...rest)
    const role = redis.call('ROLE')
    role.catch(() => {})
    const reply = (await written) as Value
    return { reply, offset: offsetIn(await role) }
  }

  /** The primary's offset now. */
  async offset(): Promise<number> {
    const redis = await this.#connected()
    return offsetIn(await redis.call('ROLE'))
  }

  #connected(): Promise<Redis> {
    this.#redis ??= this.#connect()
    return this.#redis
  }

  async #connect(): Promise<Redis> {
    const { Redis: Client } = await import('ioredis')
    const { host, port, username, password, database, tls } = this.upstream
    const redis = new Client({
      host,
      port,
      db: database,
      ...(tls === null ? {} : { tls }),
      ...(username === '' ? {} : { username }),
      ...(password === '' ? {} : { password }),
      protocol: 2,
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
    })
    // Each command that fails says so itself.
    redis.on('error', () => {})
    try {
      await redis.connect()
    } catch (error) {
      redis.disconnect()
      this.#redis = null
      throw error
    }
    return redis
  }

  async close(): Promise<void> {
    const redis = this.#redis
    this.#redis = null
    ;(await redis?.catch(() => undefined))?.disconnect()
  }
}

/** redis 7.0.15 replication.c roleCommand: a primary's offset is its second element, a replica's its fifth. */
function offsetIn(role: unknown): number {
  if (!Array.isArray(role)) throw new Error('The primary did not say its offset')
  const offset = Number(String(role[0]) === 'master' ? role[1] : role[4])
  if (!Number.isSafeInteger(offset)) throw new Error('The primary did not say its offset')
  return offset
}
