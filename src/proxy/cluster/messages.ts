/**
 * Messages of the cluster: PUBLISH reaches every node over the cluster's bus and no replication stream (redis 7.0.15
 * pubsub.c publishCommand), so one node is asked for all of them. What it brings is published here and in the stream of
 * the proxy, as what a primary's stream brings would be. Messages that come while the connection is away are lost, as they
 * are for any client of the cluster. Keyspace events of that node are left out: the proxy makes its own.
 */
import type { Socket } from 'node:net'
import Parser from 'redis-parser'
import { Request } from '../../resp/request.ts'
import { connectedEvent, dial } from '../../tls/dial.ts'
import type { Shard } from './shard.ts'
import type { Login } from './topology.ts'

const RETRY_MS = 200
const PING_MS = 5000
const SILENCE_MAX_MS = 15_000
const KEY_EVENT = /^__key(space|event)@\d+__:/

export class Messages {
  readonly #login: Login
  readonly #shards: () => readonly Shard[]
  readonly #publish: (channel: Buffer, message: Buffer) => void
  readonly #log: (text: string) => void
  #socket: Socket | null = null
  #timer: NodeJS.Timeout | null = null
  #next = 0
  #lastAt = 0
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
    this.#socket?.destroy()
  }

  #connect(): void {
    const shards = this.#shards().filter((shard) => shard.linkUp)
    const shard = shards[this.#next % Math.max(1, shards.length)]
    if (shard === undefined) return this.#later(RETRY_MS, () => this.#connect())
    const tls = shard.tls()
    const { user, password } = this.#login
    const requests = password === '' ? [] : [user === '' ? ['AUTH', password] : ['AUTH', user, password]]
    requests.push(['PSUBSCRIBE', '*'])
    const parser = new Parser({
      returnBuffers: true,
      returnReply: (reply) => this.#take(reply),
      returnError: (error) => this.#ended(socket, error.message),
      returnFatalError: (error) => this.#ended(socket, error.message),
    })
    const socket = dial({ ...shard.endpoint, keepAlive: true }, tls, (chunk) => {
      this.#lastAt = performance.now()
      parser.execute(Buffer.from(chunk))
    })
    this.#socket = socket
    this.#lastAt = performance.now()
    socket.on(connectedEvent(tls), () => socket.write(Buffer.concat(requests.map((one) => Request.of(one).buf))))
    socket.on('error', (error) => this.#ended(socket, error.message))
    socket.on('close', () => this.#ended(socket, 'the connection was closed'))
    this.#later(PING_MS, () => this.#ping(socket))
  }

  #ping(socket: Socket): void {
    if (performance.now() - this.#lastAt > SILENCE_MAX_MS) return this.#ended(socket, 'it is silent')
    socket.write('PING\r\n')
    this.#later(PING_MS, () => this.#ping(socket))
  }

  #take(reply: unknown): void {
    if (!Array.isArray(reply)) return
    const kind = String(reply[0])
    if (kind === 'psubscribe') {
      this.isUp = true
      this.#lastError = ''
    } else if (kind === 'pmessage') {
      const [, , channel, message] = reply as [Buffer, Buffer, Buffer, Buffer]
      if (!KEY_EVENT.test(channel.latin1Slice())) this.#publish(channel, message)
    }
  }

  #ended(socket: Socket, reason: string): void {
    if (socket !== this.#socket) return
    this.#socket = null
    this.isUp = false
    socket.destroy()
    if (this.#stopped) return
    if (reason !== this.#lastError) this.#log(`Messages of the cluster: ${reason}`)
    this.#lastError = reason
    this.#next++
    this.#later(RETRY_MS, () => this.#connect())
  }

  #later(milliseconds: number, then: () => void): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = this.#stopped ? null : setTimeout(then, milliseconds)
  }
}
