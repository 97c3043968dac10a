/**
 * TANDEM: what Redis has no command for. RESYNCS is the log of how this server and its peers came together: each full or partial
 * resynchronization and each change of role, and why it happened.
 */
import type { Call } from '../call.ts'
import { command } from '../define.ts'
import { replyHelp } from '../help.ts'

const HELP = ['RESYNCS', '    Return the resynchronizations and role changes of this server, oldest first.']

function runResyncs(call: Call): void {
  const { reply } = call
  const { resyncs } = call.host.replication
  reply.array(resyncs.length)
  for (const event of resyncs) {
    reply.map(7)
    reply.bulkString('at-ms')
    reply.integer(event.atMs)
    reply.bulkString('peer')
    reply.bulkUtf8(event.peer)
    reply.bulkString('direction')
    reply.bulkString(event.direction)
    reply.bulkString('kind')
    reply.bulkUtf8(event.kind)
    reply.bulkString('why')
    reply.bulkUtf8(event.why)
    reply.bulkString('bytes')
    reply.integer(event.bytes)
    reply.bulkString('duration-ms')
    reply.integer(Math.round(event.durationMs))
  }
}

export const tandem = command({
  name: 'tandem',
  arity: -2,
  since: '7.0.15',
  summary: 'A container for commands that only Tandem has',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'help',
      arity: 2,
      since: '7.0.15',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'resyncs',
      arity: 2,
      since: '7.0.15',
      summary: 'Return the resynchronizations and role changes of this server',
      complexity: 'O(N) where N is the number of events kept',
      flags: ['admin', 'noscript', 'loading', 'stale'],
      hints: ['nondeterministic_output'],
      run: runResyncs,
    },
  ],
})
