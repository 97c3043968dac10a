/** ROLE: the replication state in a few words, which clients and Sentinel-like tools poll. */
import type { Call } from '../call.ts'
import { command } from '../define.ts'

/** redis 7.0.15 replication.c roleCommand */
function runRole(call: Call): void {
  const { replication } = call.host
  const { reply } = call
  if (replication.role === 'master' || replication.upstream === null) {
    const online = replication.replicas.filter((replica) => replica.state === 'online')
    reply.array(3)
    reply.bulkString('master')
    reply.integer(replication.offset)
    reply.array(online.length)
    for (const replica of online) {
      reply.array(3)
      reply.bulkUtf8(replica.ip)
      reply.bulkInteger(replica.port)
      reply.bulkInteger(replica.offset)
    }
    return
  }
  const { upstream } = replication
  reply.array(5)
  reply.bulkString('slave')
  reply.bulkUtf8(upstream.host)
  reply.integer(upstream.port)
  reply.bulkString(upstream.state)
  reply.integer(upstream.state === 'connected' ? upstream.appliedOffset : -1)
}

export const role = command({
  name: 'role',
  arity: 1,
  since: '2.8.12',
  summary: 'Return the role of the instance in the context of replication',
  complexity: 'O(1)',
  flags: ['noscript', 'loading', 'stale', 'fast', 'sentinel'],
  acl: ['admin', 'dangerous'],
  run: runRole,
})
