/** PUBSUB: who has subscribed to what. redis 7.0.15 pubsub.c pubsubCommand */
import { globMatch } from '../../bytes/glob.ts'
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'
import { errors } from '../errors.ts'
import { replyHelp } from '../help.ts'

const HELP = [
  'CHANNELS [<pattern>]',
  "    Return the currently active channels matching a <pattern> (default: '*').",
  'NUMPAT',
  '    Return number of subscriptions to patterns.',
  'NUMSUB [<channel> ...]',
  '    Return the number of subscribers for the specified channels, excluding',
  '    pattern subscriptions(default: no channels).',
  'SHARDCHANNELS [<pattern>]',
  "    Return the currently active shard level channels matching a <pattern> (default: '*').",
  'SHARDNUMSUB [<shardchannel> ...]',
  '    Return the number of subscribers for the specified shard level channel(s)',
]

/** redis 7.0.15 pubsub.c channelList */
function replyChannels(call: Call, channels: Iterable<string>): void {
  const { args, reply } = call
  if (args.argc > 3) {
    call.error(errors.unknownSubcommand(args.latin1(1).slice(0, 128), 'PUBSUB'))
    return
  }
  const pattern = args.argc === 3 ? args.view(2) : undefined
  const mark = reply.openLength()
  let count = 0
  for (const channel of channels) {
    const name = Buffer.from(channel, 'latin1')
    if (pattern !== undefined && !globMatch(pattern, name, 0, name.length)) continue
    reply.bulk(name)
    count++
  }
  reply.closeLength(mark, '*', count)
}

function replyCounts(call: Call, subscribers: (channel: string) => number): void {
  const { args, reply } = call
  reply.array((args.argc - 2) * 2)
  for (let i = 2; i < args.argc; i++) {
    reply.bulk(args.buf, args.start(i), args.end(i))
    reply.integer(subscribers(args.latin1(i)))
  }
}

export const pubsub = command({
  name: 'pubsub',
  arity: -2,
  since: '2.8.0',
  summary: 'A container for Pub/Sub commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'channels',
      arity: -2,
      since: '2.8.0',
      summary: 'List active channels',
      complexity:
        'O(N) where N is the number of active channels, and assuming constant time pattern matching ' +
        '(relatively short channels and patterns)',
      flags: ['pubsub', 'loading', 'stale'],
      args: [arg.pattern('pattern', { optional: true })],
      run: (call) => replyChannels(call, call.host.pubsub.channels()),
    },
    {
      name: 'help',
      arity: 2,
      since: '6.2.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'numpat',
      arity: 2,
      since: '2.8.0',
      summary: 'Get the count of unique patterns pattern subscriptions',
      complexity: 'O(1)',
      flags: ['pubsub', 'loading', 'stale'],
      run: (call) => call.reply.integer(call.host.pubsub.patterns),
    },
    {
      name: 'numsub',
      arity: -2,
      since: '2.8.0',
      summary: 'Get the count of subscribers for channels',
      complexity: 'O(N) for the NUMSUB subcommand, where N is the number of requested channels',
      flags: ['pubsub', 'loading', 'stale'],
      args: [arg.string('channel', { optional: true, multiple: true })],
      run: (call) => replyCounts(call, (channel) => call.host.pubsub.subscribers(channel)),
    },
    {
      name: 'shardchannels',
      arity: -2,
      since: '7.0.0',
      summary: 'List active shard channels',
      complexity:
        'O(N) where N is the number of active shard channels, and assuming constant time pattern matching ' +
        '(relatively short shard channels).',
      flags: ['pubsub', 'loading', 'stale'],
      args: [arg.pattern('pattern', { optional: true })],
      run: (call) => replyChannels(call, call.host.pubsub.shardChannels()),
    },
    {
      name: 'shardnumsub',
      arity: -2,
      since: '7.0.0',
      summary: 'Get the count of subscribers for shard channels',
      complexity: 'O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels',
      flags: ['pubsub', 'loading', 'stale'],
      args: [arg.string('shardchannel', { optional: true, multiple: true })],
      run: (call) => replyCounts(call, (channel) => call.host.pubsub.shardSubscribers(channel)),
    },
  ],
})
