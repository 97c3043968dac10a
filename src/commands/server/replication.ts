/** PSYNC, SYNC and REPLCONF: what a replica sends. All of it is answered by replication/, behind the host. */
import { arg, command } from '../define.ts'

export const psync = command({
  name: 'psync',
  arity: -3,
  since: '2.8.0',
  summary: 'Internal command used for replication',
  flags: ['no_async_loading', 'admin', 'no_multi', 'noscript'],
  args: [arg.string('replicationid'), arg.integer('offset')],
  run: (call) => call.host.replication.sync(call),
})

export const sync = command({
  name: 'sync',
  arity: 1,
  since: '1.0.0',
  summary: 'Internal command used for replication',
  flags: ['no_async_loading', 'admin', 'no_multi', 'noscript'],
  run: (call) => call.host.replication.sync(call),
})

export const replconf = command({
  name: 'replconf',
  arity: -1,
  since: '3.0.0',
  summary: 'An internal command for configuring the replication stream',
  complexity: 'O(1)',
  docFlags: ['syscmd'],
  flags: ['admin', 'noscript', 'loading', 'stale', 'allow_busy'],
  run: (call) => call.host.replication.replconf(call),
})
