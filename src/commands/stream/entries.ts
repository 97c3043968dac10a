/** Entries as replies, for all that read ranges of streams. */
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import type { StreamId } from '../../store/values/stream-id.ts'
import { StreamIterator } from '../../store/values/stream-iterator.ts'
import { replyStreamId } from './ids.ts'

const iterator = new StreamIterator()

/** The entry that the iterator is at: its id, and the array of its fields and values. */
export function replyEntry(reply: ReplyWriter, at: StreamIterator): void {
  reply.array(2)
  replyStreamId(reply, at.id)
  reply.array(at.fieldCount * 2)
  const { field, value } = at
  while (at.nextField()) {
    reply.bulk(field.bytes, field.start, field.end)
    reply.bulk(value.bytes, value.start, value.end)
  }
}

/**
 * The entries of [from, to] (null: no limit), or the same backwards, `count` of them at most (0: all), as one array.
 * Returns how many. redis 7.0.15 t_stream.c streamReplyWithRange, without a group
 */
export function replyRange(
  reply: ReplyWriter,
  stream: StreamValue,
  from: StreamId | null,
  to: StreamId | null,
  count: number,
  backwards = false,
): number {
  const mark = reply.openLength()
  let replied = 0
  iterator.start(stream, from, to, backwards)
  while ((count === 0 || replied < count) && iterator.next()) {
    replyEntry(reply, iterator)
    replied++
  }
  reply.closeLength(mark, '*', replied)
  return replied
}

/** The entry of this id alone, without an array around it; false, and nothing is replied, if there is none. */
export function replyOne(reply: ReplyWriter, stream: StreamValue, id: StreamId): boolean {
  iterator.start(stream, id, id, false)
  if (!iterator.next()) return false
  replyEntry(reply, iterator)
  return true
}
