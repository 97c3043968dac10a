/**
 * Who has subscribed to what, and the way of a message to them. Channels and patterns are Latin-1 strings of their bytes.
 * A message is encoded once for each protocol version that some receiver speaks, and all receivers get the same Buffer.
 * redis 7.0.15 pubsub.c
 */
import { globMatch } from '../bytes/glob.ts'
import type { Client } from '../commands/client.ts'
import type { PubSubHost } from '../commands/host.ts'

type Subscribers = Map<string, Set<Client>>

interface Pattern {
  readonly bytes: Buffer
  readonly clients: Set<Client>
}

export class PubSub implements PubSubHost {
  readonly #channels: Subscribers = new Map()
  readonly #shardChannels: Subscribers = new Map()
  readonly #patterns = new Map<string, Pattern>()

  /** False if it had subscribed before; so in all of these. */
  subscribe(client: Client, channel: string): boolean {
    return add(this.#channels, client.channels, client, channel)
  }

  unsubscribe(client: Client, channel: string): boolean {
    return remove(this.#channels, client.channels, client, channel)
  }

  ssubscribe(client: Client, channel: string): boolean {
    return add(this.#shardChannels, client.shardChannels, client, channel)
  }

  sunsubscribe(client: Client, channel: string): boolean {
    return remove(this.#shardChannels, client.shardChannels, client, channel)
  }

  psubscribe(client: Client, pattern: string): boolean {
    if (client.patterns.has(pattern)) return false
    client.patterns.add(pattern)
    const known = this.#patterns.get(pattern)
    if (known === undefined) {
      this.#patterns.set(pattern, { bytes: Buffer.from(pattern, 'latin1'), clients: new Set([client]) })
    } else {
      known.clients.add(client)
    }
    return true
  }

  punsubscribe(client: Client, pattern: string): boolean {
    if (!client.patterns.delete(pattern)) return false
    const { clients } = this.#patterns.get(pattern)!
    clients.delete(client)
    if (clients.size === 0) this.#patterns.delete(pattern)
    return true
  }

  /** The client is gone or starts anew (RESET). */
  unsubscribeAll(client: Client): void {
    for (const channel of client.channels) this.unsubscribe(client, channel)
    for (const channel of client.shardChannels) this.sunsubscribe(client, channel)
    for (const pattern of client.patterns) this.punsubscribe(client, pattern)
  }

  publish(channel: string, message: Uint8Array): number {
    let receivers = deliver(this.#channels.get(channel), 'message', channel, message)
    if (this.#patterns.size === 0) return receivers
    const name = Buffer.from(channel, 'latin1')
    for (const [pattern, { bytes, clients }] of this.#patterns) {
      if (!globMatch(bytes, name, 0, name.length)) continue
      receivers += send(clients, encode(['pmessage', pattern, channel], message))
    }
    return receivers
  }

  spublish(channel: string, message: Uint8Array): number {
    return deliver(this.#shardChannels.get(channel), 'smessage', channel, message)
  }

  /** Nobody would hear any message that is not of a shard channel. */
  get isSilent(): boolean {
    return this.#channels.size === 0 && this.#patterns.size === 0
  }

  channels(): Iterable<string> {
    return this.#channels.keys()
  }

  shardChannels(): Iterable<string> {
    return this.#shardChannels.keys()
  }

  subscribers(channel: string): number {
    return this.#channels.get(channel)?.size ?? 0
  }

  shardSubscribers(channel: string): number {
    return this.#shardChannels.get(channel)?.size ?? 0
  }

  /** Different patterns, however many clients have them. */
  get patterns(): number {
    return this.#patterns.size
  }

  get channelCount(): number {
    return this.#channels.size
  }

  get shardChannelCount(): number {
    return this.#shardChannels.size
  }
}

function add(all: Subscribers, own: Set<string>, client: Client, channel: string): boolean {
  if (own.has(channel)) return false
  own.add(channel)
  const clients = all.get(channel)
  if (clients === undefined) all.set(channel, new Set([client]))
  else clients.add(client)
  return true
}

function remove(all: Subscribers, own: Set<string>, client: Client, channel: string): boolean {
  if (!own.delete(channel)) return false
  const clients = all.get(channel)!
  clients.delete(client)
  if (clients.size === 0) all.delete(channel)
  return true
}

function deliver(clients: Set<Client> | undefined, kind: string, channel: string, message: Uint8Array): number {
  return clients === undefined ? 0 : send(clients, encode([kind, channel], message))
}

/** Sends a message that was encoded for RESP2; RESP3 differs only in its first byte, a push in place of an array. */
function send(clients: Set<Client>, resp2: Buffer): number {
  let resp3: Buffer | undefined
  const receivers = clients.size
  for (const client of clients) {
    if (client.resp === 2) {
      client.send(resp2)
      continue
    }
    if (resp3 === undefined) {
      resp3 = Buffer.from(resp2)
      resp3[0] = 0x3e
    }
    client.send(resp3)
  }
  return receivers
}

function encode(words: readonly string[], message: Uint8Array): Buffer {
  let head = `*${words.length + 1}\r\n`
  for (const word of words) head += `$${word.length}\r\n${word}\r\n`
  head += `$${message.length}\r\n`
  const bytes = Buffer.allocUnsafe(head.length + message.length + 2)
  bytes.write(head, 0, 'latin1')
  bytes.set(message, head.length)
  bytes[bytes.length - 2] = 13
  bytes[bytes.length - 1] = 10
  return bytes
}
