/** REPLICAOF and its older name SLAVEOF: follow another server, or become a primary. */
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'

const MAX_PORT = 65535

/** redis 7.0.15 replication.c replicaofCommand */
function runReplicaof(call: Call): void {
  const { args, host, reply } = call
  let target: { host: string; port: number } | null = null
  if (!(args.is(1, 'NO') && args.is(2, 'ONE'))) {
    if (call.client.replica !== null) {
      reply.error('ERR Command is not valid when client is a replica.')
      return
    }
    const port = args.integer(2)
    if (!(port >= 0 && port <= MAX_PORT)) {
      reply.error('ERR Invalid master port')
      return
    }
    target = { host: args.utf8(1), port }
  }
  const text = host.replication.replicaOf(target, call.client)
  if (text.startsWith('-')) reply.error(text.slice(1))
  else reply.simple(text)
}

const OPERANDS = [
  arg.oneof('args', [
    arg.block('host-port', [arg.string('host'), arg.integer('port')]),
    arg.block('no-one', [arg.token('NO'), arg.token('ONE')]),
  ]),
]

export const replicaof = command({
  name: 'replicaof',
  arity: 3,
  since: '5.0.0',
  summary: 'Make the server a replica of another instance, or promote it as master.',
  complexity: 'O(1)',
  flags: ['no_async_loading', 'admin', 'noscript', 'stale'],
  args: OPERANDS,
  run: runReplicaof,
})

export const slaveof = command({
  name: 'slaveof',
  arity: 3,
  since: '1.0.0',
  summary: 'Make the server a replica of another instance, or promote it as master.',
  complexity: 'O(1)',
  docFlags: ['deprecated'],
  deprecatedSince: '5.0.0',
  replacedBy: '`REPLICAOF`',
  flags: ['no_async_loading', 'admin', 'noscript', 'stale'],
  args: OPERANDS,
  run: runReplicaof,
})
