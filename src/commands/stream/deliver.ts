/**
 * Entries for a consumer of a group: new ones, which become pending (redis 7.0.15 t_stream.c streamReplyWithRange with a
 * group), or those that are pending already, its history (streamReplyWithRangeFromConsumerPEL).
 */
import type { StreamValue } from '../../store/values/stream.ts'
import { type Consumer, type Group, INVALID_ENTRIES_READ, Nack } from '../../store/values/stream-groups.ts'
import { StreamId } from '../../store/values/stream-id.ts'
import { StreamIterator } from '../../store/values/stream-iterator.ts'
import type { Call } from '../call.ts'
import { replyEntry, replyOne } from './entries.ts'
import { replyStreamId } from './ids.ts'
import { propagateClaim, propagateGroupId } from './propagate.ts'

const iterator = new StreamIterator()
const cursor = new StreamId()

export interface Delivery {
  stream: StreamValue
  group: Group
  consumer: Consumer
  /** Argument index of the stream's key. */
  key: number
  /** 0: all. */
  count: number
  /** Nothing becomes pending. */
  noAck: boolean
}

/** Replies the entries behind `after` as one array. */
export function deliverNew(call: Call, delivery: Delivery, after: StreamId): void {
  const { reply } = call
  const { stream, group, count, noAck } = delivery
  const mark = reply.openLength()
  let delivered = 0
  let moved = false
  cursor.assign(after)
  // Behind the greatest id there is nothing.
  if (cursor.increment()) {
    iterator.start(stream, cursor, null, false)
    while ((count === 0 || delivered < count) && iterator.next()) {
      moved = advance(stream, group, iterator.id) || moved
      replyEntry(reply, iterator)
      if (!noAck) makePending(call, delivery, iterator.id)
      delivered++
    }
  }
  if (noAck && moved) propagateGroupId(call, delivery.key, group)
  reply.closeLength(mark, '*', delivered)
}

/** The group has read up to this entry. False if it was further already. */
function advance(stream: StreamValue, group: Group, id: StreamId): boolean {
  if (id.compare(group.lastId) <= 0) return false
  if (group.entriesRead !== INVALID_ENTRIES_READ && !stream.rangeHasTombstones(id, null)) group.entriesRead++
  else if (stream.entriesAdded > 0) group.entriesRead = stream.estimateDistanceFromFirstEverEntry(id)
  group.lastId.assign(id)
  return true
}

function makePending(call: Call, { group, consumer, key }: Delivery, id: StreamId): void {
  // XGROUP SETID may have gone back: then it is somebody's already.
  let nack = group.pending.find(id)
  if (nack === undefined) {
    nack = new Nack(id.copy(), consumer, call.host.unixMs)
    group.addPending(nack)
  } else {
    group.reassign(nack, consumer)
    nack.deliveryTime = call.host.unixMs
    nack.deliveryCount = 1
  }
  propagateClaim(call, key, group, nack)
}

/** Replies what the consumer has pending behind `after`; what is no longer in the stream has no fields. */
export function replyHistory(call: Call, { stream, consumer, count }: Delivery, after: StreamId): void {
  const { reply } = call
  const mark = reply.openLength()
  let replied = 0
  let nack = consumer.pending.after(after)
  while (nack !== undefined && (count === 0 || replied < count)) {
    if (replyOne(reply, stream, nack.id)) {
      nack.deliveryTime = call.host.unixMs
      nack.deliveryCount++
    } else {
      reply.array(2)
      replyStreamId(reply, nack.id)
      reply.nullArray()
    }
    replied++
    nack = consumer.pending.after(nack.id)
  }
  reply.closeLength(mark, '*', replied)
}
