/**
 * A connection to a node on which messages come. What it is asked for is answered in the order of asking, messages stand
 * in between. It is given up when it is silent, and by its owner; to connect again is for the owner as well.
 */
import type { Socket } from 'node:net'
import Parser from 'redis-parser'
import { Request } from '../../resp/request.ts'
import { connectedEvent, dial, type Tls } from '../../tls/dial.ts'
import type { Endpoint } from '../address.ts'
import type { Login } from './topology.ts'

const PING_MS = 5000
const SILENCE_MAX_MS = 15_000

export interface SubscriberEvents {
  /** What came: an array, its strings as Buffers; or the error that answered a request other than AUTH. */
  onReply(reply: readonly unknown[] | Error): void
  /** It is of no use any more; once, and not after close(). */
  onLost(reason: string): void
}

export class Subscriber {
  readonly endpoint: Endpoint
  readonly #socket: Socket
  readonly #events: SubscriberEvents
  readonly #timer: NodeJS.Timeout
  #lastAt = performance.now()
  #isClosed = false
  #awaitsLogin: boolean

  constructor(endpoint: Endpoint, tls: Tls, { user, password }: Login, events: SubscriberEvents) {
    this.endpoint = endpoint
    this.#events = events
    this.#awaitsLogin = password !== ''
    const parser = new Parser({
      returnBuffers: true,
      returnReply: (reply) => this.#take(reply),
      returnError: (error) => this.#refused(error),
      returnFatalError: (error) => this.#lost(error.message),
    })
    this.#socket = dial({ host: endpoint.host, port: endpoint.port, keepAlive: true }, tls, (chunk) => {
      this.#lastAt = performance.now()
      // The chunk is used again, what is parsed is kept.
      parser.execute(Buffer.from(chunk))
    })
    this.#socket.on('error', (error) => this.#lost(error.message))
    this.#socket.on('close', () => this.#lost('the connection was closed'))
    this.#socket.on(connectedEvent(tls), () => this.#socket.uncork())
    this.#socket.cork()
    if (this.#awaitsLogin) this.ask(user === '' ? ['AUTH', password] : ['AUTH', user, password])
    this.#timer = setInterval(() => this.#ping(), PING_MS)
  }

  ask(args: readonly (string | Buffer)[]): void {
    this.#socket.write(Request.of(args).buf)
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#socket.destroy()
  }

  #take(reply: unknown): void {
    if (this.#isClosed) return
    // AUTH has been answered; PING too, when nothing is subscribed to.
    if (Array.isArray(reply)) this.#events.onReply(reply)
    else this.#awaitsLogin = false
  }

  #refused(error: Error): void {
    if (this.#awaitsLogin) this.#lost(error.message)
    else if (!this.#isClosed) this.#events.onReply(error)
  }

  #ping(): void {
    if (performance.now() - this.#lastAt > SILENCE_MAX_MS) this.#lost('it is silent')
    else this.#socket.write('*1\r\n$4\r\nPING\r\n')
  }

  #lost(reason: string): void {
    if (this.#isClosed) return
    this.close()
    this.#events.onLost(reason)
  }
}
