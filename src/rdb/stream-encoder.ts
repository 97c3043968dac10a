/**
 * A stream → RDB bytes, of type STREAM_LISTPACKS_2. redis 7.0.15 rdb.c rdbSaveObject, rdbSaveStreamPEL,
 * rdbSaveStreamConsumers
 *
 *    nodes ( id16 listpack )*   length  lastId  firstId  maxDeletedId  entriesAdded
 *    groups ( name  lastId  entriesRead   pending ( id16 deliveryTime8 deliveryCount )*
 *             consumers ( name  seenTime8   pending ( id16 )* )* )*
 *
 * Ids are two lengths, except for id16: 16 bytes, big endian. A pending entry is with its group, and by its id with its
 * consumer. An unknown entriesRead is -1 as an unsigned number.
 */
import type { StreamValue } from '../store/values/stream.ts'
import { type Consumer, type Group, INVALID_ENTRIES_READ } from '../store/values/stream-groups.ts'
import { STREAM_ID_BYTES, type StreamId } from '../store/values/stream-id.ts'
import type { RdbOutput } from './output.ts'

const WORD = 0x100000000
const MAX_WORD = 0xffffffff

const idBytes = Buffer.alloc(STREAM_ID_BYTES)

export function saveStream(stream: StreamValue, out: RdbOutput): void {
  const { nodes } = stream
  out.length(nodes.length)
  for (const node of nodes) {
    node.id.write(idBytes, 0)
    out.string(idBytes, 0, STREAM_ID_BYTES)
    const listpack = node.toListpack()
    out.string(listpack, 0, listpack.length)
  }
  out.length(stream.length)
  saveId(stream.lastId, out)
  saveId(stream.firstId, out)
  saveId(stream.maxDeletedId, out)
  out.length(stream.entriesAdded)
  out.length(stream.groups.size)
  for (const group of stream.sortedGroups()) saveGroup(group, out)
}

function saveId(id: StreamId, out: RdbOutput): void {
  out.words(id.msHigh, id.msLow)
  out.words(id.seqHigh, id.seqLow)
}

function saveGroup(group: Group, out: RdbOutput): void {
  out.string(group.name, 0, group.name.length)
  saveId(group.lastId, out)
  const read = group.entriesRead
  if (read === INVALID_ENTRIES_READ) out.words(MAX_WORD, MAX_WORD)
  else out.words(Math.floor(read / WORD) >>> 0, read >>> 0)
  out.length(group.pending.size)
  for (const nack of group.pending) {
    nack.id.write(idBytes, 0)
    out.raw(idBytes, 0, STREAM_ID_BYTES)
    out.milliseconds(nack.deliveryTime)
    out.length(nack.deliveryCount)
  }
  out.length(group.consumers.size)
  for (const consumer of group.sortedConsumers()) saveConsumer(consumer, out)
}

function saveConsumer(consumer: Consumer, out: RdbOutput): void {
  out.string(consumer.name, 0, consumer.name.length)
  out.milliseconds(consumer.seenTime)
  out.length(consumer.pending.size)
  for (const nack of consumer.pending) {
    nack.id.write(idBytes, 0)
    out.raw(idBytes, 0, STREAM_ID_BYTES)
  }
}
