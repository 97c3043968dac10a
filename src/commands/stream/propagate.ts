/**
 * What replicas are told of consumer groups. Reading through a group, and claiming, changes who has what pending: each such
 * entry goes out as an XCLAIM that can be applied more than once. redis 7.0.15 t_stream.c streamPropagate*
 */
import type { Argument } from '../../effects/effects.ts'
import type { Consumer, Group, Nack } from '../../store/values/stream-groups.ts'
import type { Call } from '../call.ts'

/**
 * `key` is the argument index of the stream's name, `id` the entry's as the client wrote it, if it did.
 * redis 7.0.15 t_stream.c streamPropagateXCLAIM
 */
export function propagateClaim(call: Call, key: number, group: Group, nack: Nack, id?: Argument): void {
  if (!call.host.propagates) return
  call.alsoPropagate(
    'XCLAIM',
    call.args.view(key),
    group.name,
    nack.consumer.name,
    '0',
    id ?? nack.id.toString(),
    'TIME',
    String(nack.deliveryTime),
    'RETRYCOUNT',
    String(nack.deliveryCount),
    'FORCE',
    'JUSTID',
    'LASTID',
    group.lastId.toString(),
  )
}

/** redis 7.0.15 t_stream.c streamPropagateGroupID */
export function propagateGroupId(call: Call, key: number, group: Group): void {
  if (!call.host.propagates) return
  const read = String(group.entriesRead)
  call.alsoPropagate('XGROUP', 'SETID', call.args.view(key), group.name, group.lastId.toString(), 'ENTRIESREAD', read)
}

/** redis 7.0.15 t_stream.c streamPropagateConsumerCreation */
export function propagateConsumer(call: Call, key: number, group: Group, consumer: Consumer): void {
  if (!call.host.propagates) return
  call.alsoPropagate('XGROUP', 'CREATECONSUMER', call.args.view(key), group.name, consumer.name)
}
