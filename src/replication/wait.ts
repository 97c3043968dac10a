/** WAIT: the number of replicas that have what this connection wrote, perhaps later. redis 7.0.15 replication.c waitCommand */
import { errors } from '../commands/errors.ts'
import type { CallLike } from '../commands/host.ts'
import type { Replication } from './replication.ts'

export function waitForReplicas(replication: Replication, call: CallLike): void {
  const { args, reply, client } = call
  if (replication.role === 'slave') {
    return reply.error(
      'ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.',
    )
  }
  const count = args.integer(1)
  if (Number.isNaN(count)) return reply.error(errors.notInteger)
  const timeout = args.integer(2)
  if (Number.isNaN(timeout)) return reply.error('ERR timeout is not an integer or out of range')
  if (timeout < 0) return reply.error(errors.timeoutNegative)
  const acknowledged = replication.replicaSet.acknowledgedCount(client.writeOffset)
  if (acknowledged >= count || replication.engine.inExec) return reply.integer(acknowledged)
  replication.replicaSet.wait(client, count, timeout)
}
