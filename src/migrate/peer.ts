/**
 * A server, Sentinel group or cluster that a migration reads or fills, over ioredis. Every request can be repeated without
 * harm: keys are replaced or removed as a whole.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import type { UpstreamAddress } from '../proxy/address.ts'
import type { Tls } from '../tls/dial.ts'
import type { Entry } from './copy.ts'

const SCAN_COUNT = 1000
const RETRY_MS = 500
const REACH_MS = 10_000

/** A value as DUMP gives it, and PTTL. */
export interface Dumped {
  readonly payload: Buffer | null
  readonly ttlMs: number
}

type Client = Redis | Cluster

interface Request {
  readonly database: number
  readonly args: ['RESTORE' | 'UNLINK' | 'DUMP' | 'PTTL', ...(string | Buffer | number)[]]
}

export class Peer {
  readonly name: string
  readonly isCluster: boolean

  #address: UpstreamAddress
  #tls: Tls
  #clients = new Map<number, Client>()
  /** What the connection failed with last. */
  lastError = ''

  constructor(name: string, address: UpstreamAddress, tls: Tls) {
    this.name = name
    this.#address = address
    this.#tls = tls
    this.isCluster = address.nodes.length > 0
  }

  #client(database: number): Client {
    let client = this.#clients.get(database)
    if (client === undefined) {
      client = this.#connect(database)
      client.on('error', (error: Error) => {
        this.lastError = error.message
      })
      this.#clients.set(database, client)
    }
    return client
  }

  #connect(database: number): Client {
    const { nodes, sentinels, server, name, user, password } = this.#address
    const login = { ...(user === '' ? {} : { username: user }), ...(password === '' ? {} : { password }) }
    const common = { ...login, ...(this.#tls === null ? {} : { tls: this.#tls }) }
    if (nodes.length > 0) {
      return new Cluster([...nodes], {
        redisOptions: common,
        enableAutoPipelining: true,
        clusterRetryStrategy: () => RETRY_MS,
      })
    }
    // Requests wait for the connection for as long as it takes: they are safe to send again.
    const options = { ...common, db: database, maxRetriesPerRequest: null, retryStrategy: () => RETRY_MS }
    if (server !== null) return new Redis({ ...options, host: server.host, port: server.port })
    const hosts = sentinels.map(({ host, port }) => ({ host, port }))
    return new Redis({ ...options, sentinels: hosts, name, enableTLSForSentinelMode: this.#tls !== null })
  }

  /** Runs a command that belongs to no key, on every primary. */
  async everywhere(...args: [string, ...(string | Buffer | number)[]]): Promise<unknown[]> {
    const client = this.#client(0)
    const nodes = client instanceof Cluster ? client.nodes('master') : [client]
    return Promise.all(nodes.map((node) => node.call(...args)))
  }

  /** Null when it answers, otherwise why it does not. */
  async reach(): Promise<string | null> {
    const asked = this.isCluster ? this.everywhere('PING') : this.#client(0).call('PING')
    const late = pause(REACH_MS, 'late', { ref: false })
    try {
      const answer = await Promise.race([asked, late])
      return answer === 'late' ? this.lastError || 'it does not answer' : null
    } catch (error) {
      return this.lastError || (error as Error).message
    }
  }

  /** How many databases it has, at least those that hold keys. */
  async databases(): Promise<number> {
    try {
      const [, count] = (await this.#client(0).call('CONFIG', 'GET', 'databases')) as [string, string]
      return Math.max(1, Number(count) || 16)
    } catch {
      // It may not be told (ACL, services): those that hold keys count.
      const text = (await this.#client(0).call('INFO', 'keyspace')) as string
      return Math.max(15, ...[...text.matchAll(/^db(\d+):/gm)].map(([, id]) => Number(id))) + 1
    }
  }

  /** Keys in all databases. */
  async size(): Promise<number> {
    const texts = (await this.everywhere('INFO', 'keyspace')) as string[]
    let keys = 0
    for (const text of texts) for (const [, count] of text.matchAll(/^db\d+:keys=(\d+)/gm)) keys += Number(count)
    return keys
  }

  /** Makes the keys what the entries say. Rejects with the first refusal. */
  async apply(entries: readonly Entry[]): Promise<void> {
    await this.#requests(
      entries.map(({ database, key, payload, expireAt }) => ({
        database,
        args: payload === null ? ['UNLINK', key] : ['RESTORE', key, expireAt, payload, 'REPLACE', 'ABSTTL'],
      })),
    )
  }

  async dump(database: number, keys: readonly Buffer[]): Promise<Dumped[]> {
    const requests = keys.flatMap((key): Request[] => [
      { database, args: ['DUMP', key] },
      { database, args: ['PTTL', key] },
    ])
    const replies = await this.#requests(requests)
    return keys.map((_, i) => ({ payload: replies[2 * i] as Buffer | null, ttlMs: replies[2 * i + 1] as number }))
  }

  /** Sent together: as pipelines, of a cluster one for each node. */
  async #requests(requests: readonly Request[]): Promise<unknown[]> {
    if (this.isCluster) return Promise.all(requests.map(({ args }) => this.#inCluster(args)))
    const replies: unknown[] = []
    for (const database of new Set(requests.map((request) => request.database))) {
      const pipeline = this.#client(database).pipeline()
      const places: number[] = []
      for (const [i, request] of requests.entries()) {
        if (request.database !== database) continue
        places.push(i)
        pipeline.callBuffer(...request.args)
      }
      const answers = (await pipeline.exec()) ?? []
      for (const [i, [error, reply]] of answers.entries()) {
        if (error !== null) throw error
        replies[places[i]!] = reply
      }
    }
    return replies
  }

  /** ioredis cannot pipeline call() by itself. */
  #inCluster([name, key, ttl, payload]: Request['args']): Promise<unknown> {
    const client = this.#client(0)
    switch (name) {
      case 'RESTORE':
        return client.restore(key as Buffer, ttl as number, payload as Buffer, 'REPLACE', 'ABSTTL')
      case 'UNLINK':
        return client.unlink(key as Buffer)
      case 'DUMP':
        return client.dumpBuffer(key as Buffer)
      default:
        return client.pttl(key as Buffer)
    }
  }

  /** All keys of a database, some perhaps twice. */
  async *scan(database: number): AsyncGenerator<Buffer[], void> {
    const client = this.#client(database)
    const nodes = client instanceof Cluster ? client.nodes('master') : [client]
    for (const node of nodes) {
      let cursor = '0'
      do {
        const [next, keys] = await node.scanBuffer(cursor, 'COUNT', SCAN_COUNT)
        yield keys
        cursor = next.toString()
      } while (cursor !== '0')
    }
  }

  /** The offset that a server's stream has reached. */
  async offset(): Promise<number> {
    const role = (await this.#client(0).call('ROLE')) as unknown[]
    return Number(role[0] === 'master' ? role[1] : role[4])
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) client.disconnect()
  }
}
