/**
 * Asks Sentinels where the primary of a group is, and hears of failovers from them (+switch-master), through ioredis, which
 * is loaded only for this: requests of clients never pass through it, since they are relayed byte for byte.
 */
import type { Redis } from 'ioredis'
import type { Tls } from '../tls/dial.ts'
import type { Endpoint } from './address.ts'

const RETRY_MS = 1000
const CONNECT_TIMEOUT_MS = 2000

export class Sentinels {
  #endpoints: readonly Endpoint[]
  #name: string
  #tls: Tls
  #log: (text: string) => void
  #clients: Redis[] = []
  #onMoved: (endpoint: Endpoint) => void = () => {}
  #asking = false
  #stopped = false

  constructor(endpoints: readonly Endpoint[], name: string, tls: Tls, log: (text: string) => void) {
    this.#tls = tls
    this.#endpoints = endpoints
    this.#name = name
    this.#log = log
  }

  /** Resolves when one of them knows the primary; asks again and again until then. */
  async find(): Promise<Endpoint> {
    const { Redis } = await import('ioredis')
    for (const { host, port } of this.#endpoints) {
      const client = new Redis({
        host,
        port,
        protocol: 2,
        ...(this.#tls === null ? {} : { tls: this.#tls }),
        connectTimeout: CONNECT_TIMEOUT_MS,
        maxRetriesPerRequest: 0,
        enableReadyCheck: false,
        retryStrategy: () => RETRY_MS,
      })
      client.on('error', () => {})
      this.#clients.push(client)
    }
    for (let tries = 0; ; tries++) {
      const found = await this.#ask()
      if (found !== undefined) return found
      if (tries === 0) this.#log(`No Sentinel knows the primary of '${this.#name}' yet`)
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  /** The first that answers. */
  async #ask(): Promise<Endpoint | undefined> {
    for (const client of this.#clients) {
      try {
        const reply = (await client.call('SENTINEL', 'get-master-addr-by-name', this.#name)) as [string, string] | null
        if (reply !== null) return { host: reply[0], port: Number(reply[1]) }
      } catch {
        // The next one may answer.
      }
    }
    return undefined
  }

  /** From now on hears of another primary, from whichever Sentinel tells first. */
  follow(onMoved: (endpoint: Endpoint) => void): void {
    this.#onMoved = onMoved
    for (const client of [...this.#clients]) {
      const subscriber = client.duplicate()
      subscriber.on('error', () => {})
      subscriber.on('message', (_channel, message) => {
        const [name, , , host, port] = message.split(' ')
        if (name === this.#name) this.#moved({ host: host!, port: Number(port) })
      })
      subscriber.subscribe('+switch-master').catch(() => {})
      // What was missed while it was not connected.
      subscriber.on('ready', () => this.ask())
      this.#subscribers.push(subscriber)
    }
  }

  #subscribers: Redis[] = []

  #moved(endpoint: Endpoint): void {
    if (!this.#stopped) this.#onMoved(endpoint)
  }

  /** The upstream is away: they may know where it is now. */
  ask(): void {
    if (this.#asking || this.#stopped) return
    this.#asking = true
    void this.#ask()
      .then((found) => {
        if (found !== undefined) this.#moved(found)
      })
      .finally(() => {
        this.#asking = false
      })
  }

  stop(): void {
    this.#stopped = true
    for (const client of [...this.#clients, ...this.#subscribers]) client.disconnect()
  }
}
