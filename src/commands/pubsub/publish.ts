/** PUBLISH and SPUBLISH. They change no key, but replicas have to hear of them: their clients subscribe too. */
import { TO_REPLICAS } from '../../effects/effects.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'

function runPublish(call: Call): void {
  const { args } = call
  const receivers = call.host.pubsub.publish(args.latin1(1), args.view(2))
  call.effects.forced = true
  call.effects.target = TO_REPLICAS
  call.reply.integer(receivers)
}

function runSpublish(call: Call): void {
  const { args } = call
  const receivers = call.host.pubsub.spublish(args.latin1(1), args.view(2))
  call.effects.forced = true
  call.effects.target = TO_REPLICAS
  call.reply.integer(receivers)
}

export const publish = command({
  name: 'publish',
  arity: 3,
  since: '2.0.0',
  summary: 'Post a message to a channel',
  complexity:
    'O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total ' +
    'number of subscribed patterns (by any client).',
  flags: ['pubsub', 'loading', 'stale', 'fast', 'may_replicate', 'sentinel'],
  channels: { use: 'publish', from: 1, count: 1 },
  args: [arg.string('channel'), arg.string('message')],
  run: runPublish,
})

export const spublish = command({
  name: 'spublish',
  arity: 3,
  since: '7.0.0',
  summary: 'Post a message to a shard channel',
  complexity: 'O(N) where N is the number of clients subscribed to the receiving shard channel.',
  flags: ['pubsub', 'loading', 'stale', 'fast', 'may_replicate'],
  keys: [key(1, 'NOT_KEY')],
  channels: { use: 'publish', from: 1, count: 1 },
  args: [arg.string('shardchannel'), arg.string('message')],
  run: runSpublish,
})
