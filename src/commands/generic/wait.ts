/** WAIT, and WAITAOF of Redis 7.2: answered by replication/, which knows the replicas' acknowledgements. */
import { arg, command } from '../define.ts'

export const wait = command({
  name: 'wait',
  arity: 3,
  since: '3.0.0',
  summary:
    'Wait for the synchronous replication of all the write commands sent in the context of the current connection',
  complexity: 'O(1)',
  flags: ['noscript'],
  acl: ['connection'],
  hints: ['request_policy:all_shards', 'response_policy:agg_min'],
  args: [arg.integer('numreplicas'), arg.integer('timeout')],
  run: (call) => call.host.replication.waits.wait(call),
})

export const waitaof = command({
  name: 'waitaof',
  arity: 4,
  since: '7.2.0',
  summary:
    'Wait for all write commands sent in the context of the current connection to be synced to AOF of local host and/or replicas',
  complexity: 'O(1)',
  flags: ['noscript'],
  acl: ['connection'],
  hints: ['request_policy:all_shards', 'response_policy:agg_min'],
  args: [arg.integer('numlocal'), arg.integer('numreplicas'), arg.integer('timeout')],
  run: (call) => call.host.replication.waits.waitAof(call),
})
