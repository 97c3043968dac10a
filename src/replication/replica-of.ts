/** REPLICAOF: another primary, the same one once more (which takes what was refused), or none. redis 7.0.15 replication.c replicaofCommand */
import type { Client } from '../commands/client.ts'
import type { Replication } from './replication.ts'

interface Target {
  readonly host: string
  readonly port: number
}

export function replicaOf(replication: Replication, target: Target | null, client: Client): string {
  const { link } = replication
  const { log } = replication.engine
  if (replication.handover.isActive) return '-ERR REPLICAOF not allowed while failing over.'
  const who = `id=${client.id} addr=${client.transport.remoteAddress}`
  if (target === null) {
    if (link !== null) {
      replication.counters.promoted(client.name, link.downSinceMs, replication.engine.unixMs)
      replication.promote()
      log('notice', `MASTER MODE enabled (user request from '${who}')`)
    }
    return 'OK'
  }
  const isRefused = replication.guard.refused !== null
  replication.guard.asked()
  if (
    !isRefused &&
    link !== null &&
    link.host.toLowerCase() === target.host.toLowerCase() &&
    link.port === target.port
  ) {
    log(
      'notice',
      'REPLICAOF would result into synchronization with the master we are already connected with. No operation performed.',
    )
    return 'OK Already connected to specified master'
  }
  replication.follow(target.host, target.port)
  log('notice', `REPLICAOF ${target.host}:${target.port} enabled (user request from '${who}')`)
  return 'OK'
}
