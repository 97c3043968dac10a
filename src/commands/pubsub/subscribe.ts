/**
 * SUBSCRIBE and its kin. The answer is one message for each channel or pattern: [kind, name, how many are left], a push in
 * RESP3, and sent even when CLIENT REPLY silences replies. redis 7.0.15 pubsub.c
 */
import type { Call } from '../call.ts'
import type { Client } from '../client.ts'
import { arg, command, keyRange } from '../define.ts'
import type { PubSubHost } from '../host.ts'

/** What the six commands differ in. */
interface Kind {
  readonly subscribed: string
  readonly unsubscribed: string
  readonly subscribe: (pubsub: PubSubHost, client: Client, name: string) => boolean
  readonly unsubscribe: (pubsub: PubSubHost, client: Client, name: string) => boolean
  readonly names: (client: Client) => Set<string>
  /** What the message tells as left; shard channels are counted apart. */
  readonly count: (client: Client) => number
}

const CHANNELS: Kind = {
  subscribed: 'subscribe',
  unsubscribed: 'unsubscribe',
  subscribe: (pubsub, client, name) => pubsub.subscribe(client, name),
  unsubscribe: (pubsub, client, name) => pubsub.unsubscribe(client, name),
  names: (client) => client.channels,
  count: (client) => client.channels.size + client.patterns.size,
}

const PATTERNS: Kind = {
  subscribed: 'psubscribe',
  unsubscribed: 'punsubscribe',
  subscribe: (pubsub, client, name) => pubsub.psubscribe(client, name),
  unsubscribe: (pubsub, client, name) => pubsub.punsubscribe(client, name),
  names: (client) => client.patterns,
  count: (client) => client.channels.size + client.patterns.size,
}

const SHARD_CHANNELS: Kind = {
  subscribed: 'ssubscribe',
  unsubscribed: 'sunsubscribe',
  subscribe: (pubsub, client, name) => pubsub.ssubscribe(client, name),
  unsubscribe: (pubsub, client, name) => pubsub.sunsubscribe(client, name),
  names: (client) => client.shardChannels,
  count: (client) => client.shardChannels.size,
}

function runSubscribe(call: Call, kind: Kind): void {
  const { args, client, host, reply } = call
  const muted = reply.muted
  reply.muted = false
  for (let i = 1; i < args.argc; i++) {
    const name = args.latin1(i)
    kind.subscribe(host.pubsub, client, name)
    tell(call, kind.subscribed, name, kind.count(client))
  }
  reply.muted = muted
}

/** Without names: from all of them, which is answered even if there are none. */
function runUnsubscribe(call: Call, kind: Kind): void {
  const { args, client, host, reply } = call
  const muted = reply.muted
  reply.muted = false
  const names = args.argc === 1 ? [...kind.names(client)] : []
  for (let i = 1; i < args.argc; i++) names.push(args.latin1(i))
  for (const name of names) {
    kind.unsubscribe(host.pubsub, client, name)
    tell(call, kind.unsubscribed, name, kind.count(client))
  }
  if (names.length === 0) tell(call, kind.unsubscribed, null, kind.count(client))
  reply.muted = muted
}

function tell(call: Call, kind: string, name: string | null, count: number): void {
  const { reply } = call
  reply.push(3)
  reply.bulkString(kind)
  if (name === null) reply.nullBulk()
  else reply.bulkString(name)
  reply.integer(count)
}

/** One reply is expected for each command of a transaction, so this one is not allowed there; SUBSCRIBE always was. */
function runSsubscribe(call: Call): void {
  if (call.inTransaction) call.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
  else runSubscribe(call, SHARD_CHANNELS)
}

export const subscribe = command({
  name: 'subscribe',
  arity: -2,
  since: '2.0.0',
  summary: 'Listen for messages published to the given channels',
  complexity: 'O(N) where N is the number of channels to subscribe to.',
  flags: ['pubsub', 'noscript', 'loading', 'stale', 'sentinel'],
  channels: { use: 'subscribe', from: 1, count: -1 },
  args: [arg.string('channel', { multiple: true })],
  run: (call) => runSubscribe(call, CHANNELS),
})

export const unsubscribe = command({
  name: 'unsubscribe',
  arity: -1,
  since: '2.0.0',
  summary: 'Stop listening for messages posted to the given channels',
  complexity: 'O(N) where N is the number of clients already subscribed to a channel.',
  flags: ['pubsub', 'noscript', 'loading', 'stale', 'sentinel'],
  channels: { use: 'unsubscribe', from: 1, count: -1 },
  args: [arg.string('channel', { optional: true, multiple: true })],
  run: (call) => runUnsubscribe(call, CHANNELS),
})

export const psubscribe = command({
  name: 'psubscribe',
  arity: -2,
  since: '2.0.0',
  summary: 'Listen for messages published to channels matching the given patterns',
  complexity: 'O(N) where N is the number of patterns the client is already subscribed to.',
  flags: ['pubsub', 'noscript', 'loading', 'stale', 'sentinel'],
  channels: { use: 'subscribe', pattern: true, from: 1, count: -1 },
  args: [arg.block('pattern', [arg.pattern('pattern')], { multiple: true })],
  run: (call) => runSubscribe(call, PATTERNS),
})

export const punsubscribe = command({
  name: 'punsubscribe',
  arity: -1,
  since: '2.0.0',
  summary: 'Stop listening for messages posted to channels matching the given patterns',
  complexity:
    'O(N+M) where N is the number of patterns the client is already subscribed and M is the number of ' +
    'total patterns subscribed in the system (by any client).',
  flags: ['pubsub', 'noscript', 'loading', 'stale', 'sentinel'],
  channels: { use: 'unsubscribe', pattern: true, from: 1, count: -1 },
  args: [arg.pattern('pattern', { optional: true, multiple: true })],
  run: (call) => runUnsubscribe(call, PATTERNS),
})

export const ssubscribe = command({
  name: 'ssubscribe',
  arity: -2,
  since: '7.0.0',
  summary: 'Listen for messages published to the given shard channels',
  complexity: 'O(N) where N is the number of shard channels to subscribe to.',
  flags: ['pubsub', 'noscript', 'loading', 'stale'],
  keys: [keyRange(1, -1, 1, 'NOT_KEY')],
  channels: { use: 'subscribe', from: 1, count: -1 },
  args: [arg.string('shardchannel', { multiple: true })],
  run: runSsubscribe,
})

export const sunsubscribe = command({
  name: 'sunsubscribe',
  arity: -1,
  since: '7.0.0',
  summary: 'Stop listening for messages posted to the given shard channels',
  complexity: 'O(N) where N is the number of clients already subscribed to a shard channel.',
  flags: ['pubsub', 'noscript', 'loading', 'stale'],
  keys: [keyRange(1, -1, 1, 'NOT_KEY')],
  channels: { use: 'unsubscribe', from: 1, count: -1 },
  args: [arg.string('shardchannel', { optional: true, multiple: true })],
  run: (call) => runUnsubscribe(call, SHARD_CHANNELS),
})
