/**
 * Messages of the cluster: PUBLISH reaches every node over the cluster's bus and no replication stream (redis 7.0.15
 * pubsub.c publishCommand), so one node is asked for all of them. What it brings is published here and in the stream of
 * the proxy, as what a primary's stream brings would be. Messages that come while the connection is away are lost, as they
 * are for any client of the cluster. Keyspace events of that node are left out: the proxy makes its own.
 */
import type { Shard } from './shard.ts'
import { Subscriber } from './subscriber.ts'
import type { Login } from './topology.ts'

const RETRY_MS = 200
const KEY_EVENT = /^__key(space|event)@\d+__:/

export class Messages {
  readonly #login: Login
  readonly #shards: () => readonly Shard[]
  readonly #publish: (channel: Buffer, message: Buffer) => void
  readonly #log: (text: string) => void
  #subscriber: Subscriber | null = null
  #timer: NodeJS.Timeout | null = null
  #next = 0
  #lastError = ''
  #stopped = false
  /** The subscription stands. */
  isUp = false

  constructor(
    login: Login,
    shards: () => readonly Shard[],
    publish: (channel: Buffer, message: Buffer) => void,
    log: (text: string) => void,
  ) {
    this.#login = login
    this.#shards = shards
    this.#publish = publish
    this.#log = log
  }

  start(): void {
    this.#connect()
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#subscriber?.close()
  }

  #connect(): void {
    this.#timer = null
    const shards = this.#shards().filter((shard) => shard.linkUp)
    const shard = shards[this.#next % Math.max(1, shards.length)]
    if (shard === undefined) return this.#retry()
    const subscriber = new Subscriber(shard.endpoint, shard.tls(), this.#login, {
      onReply: (reply) => {
        if (reply instanceof Error) {
          subscriber.close()
          this.#lost(reply.message)
        } else {
          this.#take(reply)
        }
      },
      onLost: (reason) => this.#lost(reason),
    })
    subscriber.ask(['PSUBSCRIBE', '*'])
    this.#subscriber = subscriber
  }

  #take(reply: readonly unknown[]): void {
    const kind = String(reply[0])
    if (kind === 'psubscribe') {
      this.isUp = true
      this.#lastError = ''
    } else if (kind === 'pmessage') {
      const [, , channel, message] = reply as readonly [Buffer, Buffer, Buffer, Buffer]
      if (!KEY_EVENT.test(channel.latin1Slice())) this.#publish(channel, message)
    }
  }

  #lost(reason: string): void {
    this.#subscriber = null
    this.isUp = false
    if (reason !== this.#lastError) this.#log(`Messages of the cluster: ${reason}`)
    this.#lastError = reason
    this.#next++
    this.#retry()
  }

  #retry(): void {
    if (!this.#stopped) this.#timer = setTimeout(() => this.#connect(), RETRY_MS)
  }
}
