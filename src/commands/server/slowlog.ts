/** SLOWLOG: the commands that took longest. redis 7.0.15 slowlog.c slowlogCommand */
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'
import { errors } from '../errors.ts'
import { replyHelp } from '../help.ts'

const DEFAULT_COUNT = 10

const HELP = [
  'GET [<count>]',
  '    Return top <count> entries from the slowlog (default: 10, -1 mean all).',
  '    Entries are made of:',
  '    id, timestamp, time in microseconds, arguments array, client IP and port,',
  '    client name',
  'LEN',
  '    Return the length of the slowlog.',
  'RESET',
  '    Reset the slowlog.',
]

/** The newest first. */
function runGet(call: Call): void {
  const { args, host, reply } = call
  if (args.argc > 3) {
    call.error(errors.unknownSubcommand(args.latin1(1).slice(0, 128), 'SLOWLOG'))
    return
  }
  const { entries } = host.slowlog
  let count = DEFAULT_COUNT
  if (args.argc === 3) {
    const text = 'ERR count should be greater than or equal to -1'
    const asked = call.integer(2, text)
    if (asked === undefined) return
    if (asked < -1) {
      call.error(text)
      return
    }
    count = asked === -1 ? entries.length : asked
  }
  const shown = Math.min(count, entries.length)
  reply.array(shown)
  for (let i = entries.length - 1; i >= entries.length - shown; i--) {
    const entry = entries[i]!
    reply.array(6)
    reply.integer(entry.id)
    reply.integer(entry.unixSeconds)
    reply.integer(entry.microseconds)
    reply.array(entry.args.length)
    for (const argument of entry.args) reply.bulk(argument)
    reply.bulkUtf8(entry.address)
    reply.bulkString(entry.clientName)
  }
}

function runReset(call: Call): void {
  call.host.slowlog.reset()
  call.reply.ok()
}

export const slowlog = command({
  name: 'slowlog',
  arity: -2,
  since: '2.2.12',
  summary: 'A container for slow log commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'get',
      arity: -2,
      since: '2.2.12',
      summary: "Get the slow log's entries",
      complexity: 'O(N) where N is the number of entries returned',
      history: [['4.0.0', 'Added client IP address, port and name to the reply.']],
      flags: ['admin', 'loading', 'stale'],
      hints: ['request_policy:all_nodes', 'nondeterministic_output'],
      args: [arg.integer('count', { optional: true })],
      run: runGet,
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
      name: 'len',
      arity: 2,
      since: '2.2.12',
      summary: "Get the slow log's length",
      complexity: 'O(1)',
      flags: ['admin', 'loading', 'stale'],
      hints: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
      run: (call) => call.reply.integer(call.host.slowlog.entries.length),
    },
    {
      name: 'reset',
      arity: 2,
      since: '2.2.12',
      summary: 'Clear all entries from the slow log',
      complexity: 'O(N) where N is the number of entries in the slowlog',
      flags: ['admin', 'loading', 'stale'],
      hints: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      run: runReset,
    },
  ],
})
