/**
 * Messages of shard channels: SPUBLISH reaches the nodes of the shard that has the channel's slot, and no replication stream
 * (redis 7.0.15 pubsub.c spublishCommand). So each channel that a client here subscribes to is subscribed to there as well,
 * by one connection to each such shard, and what comes is published here and in the stream of the proxy. When the slot moves,
 * the node that had it ends the subscription with an unasked `sunsubscribe` (cluster.c removeChannelsInSlot) or answers
 * MOVED, and the new one is asked by the next map. In between messages are lost, as they are for any client of the cluster.
 */
import { keySlot } from '../../bytes/key-slot.ts'
import type { Shard } from './shard.ts'
import { Subscriber } from './subscriber.ts'
import type { Login } from './topology.ts'

/** A channel that nobody here listens to is kept for so long: who asked for it may still be waiting for that. */
const KEPT_MS = 5000

interface Channel {
  readonly name: Buffer
  readonly slot: number
  link: Link | null
  isUp: boolean
  wantedAtMs: number
}

interface Link {
  readonly shard: Shard
  readonly subscriber: Subscriber
  /** Names (Latin-1) that were asked for and not answered, in that order. */
  readonly asked: string[]
}

export interface ShardMessagesSetup {
  readonly login: Login
  /** The shard that has a slot by the newest map. */
  shardOf(slot: number): Shard | null
  /** How many clients here have subscribed to it, by its Latin-1 name. */
  listeners(channel: string): number
  publish(shard: Shard, channel: Buffer, message: Buffer): void
  /** A channel is up, or cannot be had: who waits looks again. */
  onChange(): void
  /** The map may be old. */
  onMoved(): void
  log(text: string): void
}

export class ShardMessages {
  readonly #setup: ShardMessagesSetup
  /** By Latin-1 name. */
  readonly #channels = new Map<string, Channel>()
  readonly #links = new Map<Shard, Link>()
  /** Why the last could not be had; '' while all can. */
  lastError = ''

  constructor(setup: ShardMessagesSetup) {
    this.#setup = setup
  }

  get counts(): { channels: number; up: number } {
    let up = 0
    for (const { isUp } of this.#channels.values()) if (isUp) up++
    return { channels: this.#channels.size, up }
  }

  /** Sees to it that messages of the channel come; true once they do. */
  has(name: string): boolean {
    let channel = this.#channels.get(name)
    if (channel === undefined) {
      const bytes = Buffer.from(name, 'latin1')
      channel = { name: bytes, slot: keySlot(bytes, 0, bytes.length), link: null, isUp: false, wantedAtMs: 0 }
      this.#channels.set(name, channel)
    }
    channel.wantedAtMs = performance.now()
    if (channel.link === null) this.#ask(name, channel)
    return channel.isUp
  }

  /** With each map, at least once a second: channels go where their slots are, and those that nobody wants are left. */
  look(): void {
    const now = performance.now()
    for (const [name, channel] of this.#channels) {
      const isUnwanted = this.#setup.listeners(name) === 0 && now - channel.wantedAtMs > KEPT_MS
      if (isUnwanted || (channel.link !== null && this.#setup.shardOf(channel.slot) !== channel.link.shard)) {
        this.#leave(name, channel)
      }
      if (isUnwanted) this.#channels.delete(name)
      else if (channel.link === null) this.#ask(name, channel)
    }
    for (const link of [...this.#links.values()]) {
      const { endpoint } = link.shard
      const isElsewhere =
        endpoint.host !== link.subscriber.endpoint.host || endpoint.port !== link.subscriber.endpoint.port
      const isIdle = ![...this.#channels.values()].some((channel) => channel.link === link)
      if (!isElsewhere && !isIdle && !link.shard.isGone) continue
      link.subscriber.close()
      this.#forget(link)
    }
  }

  stop(): void {
    for (const { subscriber } of this.#links.values()) subscriber.close()
    this.#links.clear()
    this.#channels.clear()
  }

  #ask(name: string, channel: Channel): void {
    const shard = this.#setup.shardOf(channel.slot)
    if (shard === null || shard.isGone) return
    const link = this.#links.get(shard) ?? this.#connect(shard)
    channel.link = link
    link.asked.push(name)
    link.subscriber.ask(['SSUBSCRIBE', channel.name])
  }

  #leave(name: string, channel: Channel): void {
    const { link } = channel
    channel.link = null
    channel.isUp = false
    if (link === null) return
    link.asked.push(name)
    link.subscriber.ask(['SUNSUBSCRIBE', channel.name])
  }

  #connect(shard: Shard): Link {
    const { login, log } = this.#setup
    const subscriber = new Subscriber(shard.endpoint, shard.tls(), login, {
      onReply: (reply) => {
        if (reply instanceof Error) this.#refused(link, reply.message)
        else this.#take(link, reply)
      },
      onLost: (reason) => {
        if (reason !== this.lastError) log(`Messages of shard ${shard.name}: ${reason}`)
        this.lastError = reason
        this.#forget(link)
        this.#setup.onMoved()
      },
    })
    const link: Link = { shard, subscriber, asked: [] }
    this.#links.set(shard, link)
    return link
  }

  /** Its channels are asked for again at the next look. */
  #forget(link: Link): void {
    if (this.#links.get(link.shard) === link) this.#links.delete(link.shard)
    for (const channel of this.#channels.values()) {
      if (channel.link !== link) continue
      channel.link = null
      channel.isUp = false
    }
  }

  #take(link: Link, reply: readonly unknown[]): void {
    const kind = String(reply[0])
    const bytes = reply[1] as Buffer
    if (kind === 'smessage') return this.#setup.publish(link.shard, bytes, reply[2] as Buffer)
    if (kind !== 'ssubscribe' && kind !== 'sunsubscribe') return
    const name = bytes.latin1Slice()
    const channel = this.#channels.get(name)
    const isAsked = link.asked[0] === name
    if (isAsked) link.asked.shift()
    if (channel?.link !== link) return
    if (kind === 'ssubscribe') {
      this.lastError = ''
      channel.isUp = true
      this.#setup.onChange()
    } else if (!link.asked.includes(name)) {
      // The node has the slot no longer.
      channel.link = null
      channel.isUp = false
      this.#setup.onMoved()
    }
  }

  /** An error has no name: it is of what was asked for first. */
  #refused(link: Link, reason: string): void {
    const name = link.asked.shift()
    const channel = name === undefined ? undefined : this.#channels.get(name)
    if (channel?.link !== link || link.asked.includes(name!)) return
    channel.link = null
    channel.isUp = false
    if (reason.startsWith('MOVED ')) return this.#setup.onMoved()
    if (reason !== this.lastError) this.#setup.log(`Messages of shard ${link.shard.name}: ${reason}`)
    this.lastError = reason
    this.#setup.onChange()
  }
}
