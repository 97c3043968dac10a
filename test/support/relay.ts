/**
 * A TCP relay between two servers that can do what networks do: cut every link, cut one in the middle of a message, hold bytes back,
 * delay them, refuse connections, or those of one kind of peer only. A replica under test is pointed at the relay's port
 * instead of its primary's.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Cleanup } from './cleanup.ts'

const PING = '*1\r\n$4\r\nPING\r\n'
/** What a replica says of itself after its PING, and a Sentinel before all else. */
const LISTENING_PORT = /listening-port\r\n\$\d+\r\n(\d+)\r\n/
const SENTINEL = /sentinel-/
/** By then a link has said what it is. */
const HEAD_BYTES = 2048

/** Who may be kept out: all replicas, the one that announces this port, or Sentinels. */
export type Peer = 'replica' | `replica ${number}` | 'sentinel'

/** 'down' is from the target (a primary's stream), 'up' is to it (acknowledgements). */
export type Direction = 'down' | 'up'

/** What is done when its time has come. */
interface Late {
  atMs: number
  action: () => void
}

interface Link {
  client: Socket
  target: Socket
  /** It began as a replica does, with PING alone; undefined before its first bytes. */
  isReplica: boolean | undefined
  /** Its first bytes. */
  head: string
  /** All that is known of it. */
  peers: Peer[]
  late: Record<Direction, Late[]>
  /** What is held back of what the target sent. */
  held: (() => void)[]
}

/** What is still let through in a direction before something happens, if anything is to happen. */
interface Limit {
  left: number
  end: 'cut' | 'truncate'
}

export class Relay {
  readonly #targetPort: number
  readonly #targetHost: string
  readonly #links = new Set<Link>()
  readonly #limits: Record<Direction, Limit | undefined> = { down: undefined, up: undefined }
  #server: Server | undefined
  #port = 0
  readonly #blocked = new Set<Peer>()
  #delayMs = 0
  #replicaDelayMs = 0
  #downDelayMs = 0
  #frozen = false
  #holds: RegExp | null = null
  #accepted = 0
  readonly bytes: Record<Direction, number> = { down: 0, up: 0 }

  constructor(targetPort: number, targetHost: string) {
    this.#targetPort = targetPort
    this.#targetHost = targetHost
  }

  get port(): number {
    return this.#port
  }

  /** Links open now, and links accepted since the start. */
  get links(): number {
    return this.#links.size
  }

  get accepted(): number {
    return this.#accepted
  }

  /** Accepts connections, on the same port as before after a stop(). */
  async start(): Promise<void> {
    const server = createServer((client) => this.#accept(client))
    server.listen(this.#port, '127.0.0.1')
    await once(server, 'listening')
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  /** Refuses new connections and cuts those there are. */
  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = once(server, 'close')
    server.close()
    this.cutAll()
    await closed
  }

  /** Ends all links at once; new ones are accepted. */
  cutAll(): void {
    for (const link of this.#links) this.#cut(link)
  }

  /** Lets `bytes` more through in one direction (over all links), then cuts every link with a reset, once. */
  cutAfter(bytes: number, direction: Direction = 'down'): void {
    this.#limits[direction] = { left: bytes, end: 'cut' }
  }

  /** As cutAfter, but the receiver sees an orderly end of stream after the last byte. */
  truncateAfter(bytes: number, direction: Direction = 'down'): void {
    this.#limits[direction] = { left: bytes, end: 'truncate' }
  }

  /** Every chunk from now on arrives this much later; the order is kept. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  /** As delay(), but of links of replicas alone, besides what delay() says. */
  delayReplicas(ms: number): void {
    this.#replicaDelayMs = ms
  }

  /** As delay(), but of what the target sends alone, besides what delay() says. */
  delayDown(ms: number): void {
    this.#downDelayMs = ms
  }

  /** Ends the links of replicas; the others stay. */
  cutReplicas(): void {
    for (const link of this.#links) if (link.isReplica === true) this.#cut(link)
  }

  /** Cuts the links of these peers, and new ones as soon as they have said who they are. */
  block(peer: Peer): void {
    this.#blocked.add(peer)
    for (const link of this.#links) if (link.peers.includes(peer)) this.#cut(link)
  }

  unblockAll(): void {
    this.#blocked.clear()
  }

  /** Of links that have sent this in their first bytes, nothing passes from the target until release(). */
  hold(sent: RegExp): void {
    this.#holds = sent
  }

  /** Lets through what hold() kept, in its order. */
  release(): void {
    this.#holds = null
    for (const { held } of this.#links) for (const action of held.splice(0)) action()
  }

  /** Links that something is held back of. */
  get holding(): number {
    return [...this.#links].filter(({ held }) => held.length > 0).length
  }

  /** Links stay open, but nothing passes in either direction until thaw(). */
  freeze(): void {
    this.#frozen = true
    for (const { client, target } of this.#links) {
      client.pause()
      target.pause()
    }
  }

  thaw(): void {
    this.#frozen = false
    for (const { client, target } of this.#links) {
      client.resume()
      target.resume()
    }
  }

  /** As freeze(), but links of replicas alone, those that are open. */
  freezeReplicas(): void {
    for (const { isReplica, target } of this.#links) if (isReplica === true) target.pause()
  }

  #accept(client: Socket): void {
    this.#accepted++
    const target = connect({ port: this.#targetPort, host: this.#targetHost })
    const late = { down: [], up: [] }
    const link: Link = { client, target, isReplica: undefined, head: '', peers: [], late, held: [] }
    this.#links.add(link)
    this.#pass(link, client, target, 'up')
    this.#pass(link, target, client, 'down')
    if (this.#frozen) this.freeze()
  }

  #pass(link: Link, from: Socket, to: Socket, direction: Direction): void {
    from.setNoDelay(true)
    from.on('data', (chunk: Buffer) => {
      if (direction === 'up' && !this.#admits(link, chunk)) return this.#cut(link)
      const action = () => this.#later(link, () => this.#forward(link, to, chunk, direction), direction)
      if (direction === 'down' && this.#holds?.test(link.head) === true) link.held.push(action)
      else action()
    })
    from.on('end', () => this.#later(link, () => to.end(), direction))
    from.on('error', () => undefined)
    from.on('close', () => {
      this.#later(link, () => to.destroy(), direction)
      this.#links.delete(link)
    })
  }

  #admits(link: Link, chunk: Buffer): boolean {
    if (link.head.length > HEAD_BYTES) return true
    const text = chunk.toString('latin1')
    link.isReplica ??= text === PING
    link.head += text
    link.peers = []
    if (link.isReplica) link.peers.push('replica')
    const port = link.isReplica ? LISTENING_PORT.exec(link.head)?.[1] : undefined
    if (port !== undefined) link.peers.push(`replica ${Number(port)}`)
    if (SENTINEL.test(link.head)) link.peers.push('sentinel')
    return !link.peers.some((peer) => this.#blocked.has(peer))
  }

  /** In order, also when the delay becomes shorter: bytes of a connection never overtake each other. */
  #later(link: Link, action: () => void, direction: Direction): void {
    const ofReplica = link.isReplica === true ? this.#replicaDelayMs : 0
    const ms = this.#delayMs + ofReplica + (direction === 'down' ? this.#downDelayMs : 0)
    const queue = link.late[direction]
    if (ms === 0 && queue.length === 0) return action()
    const atMs = Math.max(performance.now() + ms, queue.at(-1)?.atMs ?? 0)
    queue.push({ atMs, action })
    if (queue.length === 1) this.#wait(queue)
  }

  #wait(queue: Late[]): void {
    setTimeout(
      () => {
        const now = performance.now()
        while (queue.length > 0 && queue[0]!.atMs <= now) queue.shift()!.action()
        if (queue.length > 0) this.#wait(queue)
      },
      Math.max(1, queue[0]!.atMs - performance.now()),
    )
  }

  #forward(link: Link, to: Socket, chunk: Buffer, direction: Direction): void {
    if (to.destroyed) return
    const limit = this.#limits[direction]
    if (limit === undefined || chunk.length < limit.left) {
      if (limit !== undefined) limit.left -= chunk.length
      this.bytes[direction] += chunk.length
      to.write(chunk)
      return
    }
    this.#limits[direction] = undefined
    this.bytes[direction] += limit.left
    const last = chunk.subarray(0, limit.left)
    if (limit.end === 'truncate') {
      to.end(last, () => this.#cut(link, false))
      return
    }
    to.write(last, () => this.cutAll())
  }

  #cut(link: Link, reset = true): void {
    this.#links.delete(link)
    for (const socket of [link.client, link.target]) {
      if (reset) socket.resetAndDestroy()
      else socket.destroy()
    }
  }
}

export async function startRelay(t: Cleanup, targetPort: number, targetHost = '127.0.0.1'): Promise<Relay> {
  const relay = new Relay(targetPort, targetHost)
  await relay.start()
  t.after(() => relay.stop())
  return relay
}
