/** XINFO: streams, their groups and consumers. redis 7.0.15 t_stream.c xinfoCommand, xinfoReplyWithStreamInfo */
import { TYPE_STREAM } from '../../store/record.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import { type Consumer, type Group, INVALID_ENTRIES_READ, type PendingList } from '../../store/values/stream-groups.ts'
import type { StreamId } from '../../store/values/stream-id.ts'
import { StreamIterator } from '../../store/values/stream-iterator.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { replyHelp } from '../help.ts'
import { replyEntry, replyRange } from './entries.ts'
import { replyStreamId } from './ids.ts'
import { noGroup } from './no-group.ts'

const HELP = [
  'CONSUMERS <key> <groupname>',
  '    Show consumers of <groupname>.',
  'GROUPS <key>',
  '    Show the stream consumer groups.',
  'STREAM <key> [FULL [COUNT <count>]',
  '    Show information about the stream.',
]
const DEFAULT_COUNT = 10
const MAX_NAME_IN_ERROR = 128
const ID_BYTES = 16

const iterator = new StreamIterator()

/** Undefined after the error. */
function open(call: Call): StreamValue | undefined {
  const ref = call.typedForRead(2, TYPE_STREAM)
  if (ref === WRONG_TYPE) return undefined
  if (ref === 0) {
    call.error(errors.noSuchKey)
    return undefined
  }
  return call.store.structure<StreamValue>(ref)
}

function runConsumers(call: Call): void {
  const { args, reply, host } = call
  const stream = open(call)
  if (stream === undefined) return
  const group = stream.group(args.buf, args.start(3), args.end(3))
  if (group === undefined) {
    noGroup(call, 2, 3)
    return
  }
  reply.array(group.consumers.size)
  for (const consumer of group.sortedConsumers()) {
    reply.map(3)
    reply.bulkString('name')
    reply.bulk(consumer.name)
    reply.bulkString('pending')
    reply.integer(consumer.pending.size)
    reply.bulkString('idle')
    reply.integer(Math.max(0, host.unixMs - consumer.seenTime))
  }
}

function runGroups(call: Call): void {
  const { reply } = call
  const stream = open(call)
  if (stream === undefined) return
  reply.array(stream.groups.size)
  for (const group of stream.sortedGroups()) {
    reply.map(6)
    reply.bulkString('name')
    reply.bulk(group.name)
    reply.bulkString('consumers')
    reply.integer(group.consumers.size)
    reply.bulkString('pending')
    reply.integer(group.pending.size)
    replyProgress(call, stream, group)
  }
}

/** Last id, entries read, lag. */
function replyProgress(call: Call, stream: StreamValue, group: Group): void {
  const { reply } = call
  reply.bulkString('last-delivered-id')
  replyStreamId(reply, group.lastId)
  reply.bulkString('entries-read')
  if (group.entriesRead === INVALID_ENTRIES_READ) reply.nullBulk()
  else reply.integer(group.entriesRead)
  reply.bulkString('lag')
  const read = entriesRead(stream, group)
  if (read === INVALID_ENTRIES_READ) reply.nullBulk()
  else reply.integer(stream.entriesAdded - read)
}

/** As well as it can be told. redis 7.0.15 t_stream.c streamReplyWithCGLag */
function entriesRead(stream: StreamValue, group: Group): number {
  if (stream.entriesAdded === 0) return 0
  const isKnown = group.entriesRead !== INVALID_ENTRIES_READ && !stream.rangeHasTombstones(group.lastId, null)
  return isKnown ? group.entriesRead : stream.estimateDistanceFromFirstEverEntry(group.lastId)
}

function runStream(call: Call): void {
  const { args, reply } = call
  const stream = open(call)
  if (stream === undefined) return
  const isFull = args.argc > 3
  let count = DEFAULT_COUNT
  if (isFull) {
    const isValid = args.is(3, 'FULL') && (args.argc === 4 || (args.argc === 6 && args.is(4, 'COUNT')))
    if (!isValid) {
      call.error(errors.unknownSubcommand(args.latin1(1).slice(0, MAX_NAME_IN_ERROR), 'XINFO'))
      return
    }
    if (args.argc === 6) {
      const given = call.integer(5)
      if (given === undefined) return
      count = given < 0 ? DEFAULT_COUNT : given
    }
  }
  reply.map(isFull ? 9 : 10)
  reply.bulkString('length')
  reply.integer(stream.length)
  reply.bulkString('radix-tree-keys')
  reply.integer(stream.nodes.length)
  reply.bulkString('radix-tree-nodes')
  reply.integer(radixTreeNodes(stream))
  reply.bulkString('last-generated-id')
  replyStreamId(reply, stream.lastId)
  reply.bulkString('max-deleted-entry-id')
  replyStreamId(reply, stream.maxDeletedId)
  reply.bulkString('entries-added')
  reply.integer(stream.entriesAdded)
  reply.bulkString('recorded-first-entry-id')
  replyStreamId(reply, stream.firstId)
  if (isFull) replyContents(call, stream, count)
  else replyEdges(call, stream)
}

function replyEdges(call: Call, stream: StreamValue): void {
  const { reply } = call
  reply.bulkString('groups')
  reply.integer(stream.groups.size)
  for (const name of ['first-entry', 'last-entry']) {
    reply.bulkString(name)
    iterator.start(stream, null, null, name === 'last-entry')
    if (iterator.next()) replyEntry(reply, iterator)
    else reply.nullBulk()
  }
}

/** XINFO STREAM key FULL; `count` of each list at most, 0 for all. */
function replyContents(call: Call, stream: StreamValue, count: number): void {
  const { reply } = call
  reply.bulkString('entries')
  replyRange(reply, stream, null, null, count)
  reply.bulkString('groups')
  reply.array(stream.groups.size)
  for (const group of stream.sortedGroups()) {
    reply.map(7)
    reply.bulkString('name')
    reply.bulk(group.name)
    replyProgress(call, stream, group)
    reply.bulkString('pel-count')
    reply.integer(group.pending.size)
    reply.bulkString('pending')
    replyPending(call, group.pending, count, true)
    reply.bulkString('consumers')
    reply.array(group.consumers.size)
    for (const consumer of group.sortedConsumers()) replyConsumer(call, consumer, count)
  }
}

function replyConsumer(call: Call, consumer: Consumer, count: number): void {
  const { reply } = call
  reply.map(4)
  reply.bulkString('name')
  reply.bulk(consumer.name)
  reply.bulkString('seen-time')
  reply.integer(consumer.seenTime)
  reply.bulkString('pel-count')
  reply.integer(consumer.pending.size)
  reply.bulkString('pending')
  replyPending(call, consumer.pending, count, false)
}

function replyPending(call: Call, pending: PendingList, count: number, withConsumer: boolean): void {
  const { reply } = call
  let left = count === 0 ? pending.size : Math.min(count, pending.size)
  reply.array(left)
  for (const nack of pending) {
    if (left-- === 0) return
    reply.array(withConsumer ? 4 : 3)
    replyStreamId(reply, nack.id)
    if (withConsumer) reply.bulk(nack.consumer.name)
    reply.integer(nack.deliveryTime)
    reply.integer(nack.deliveryCount)
  }
}

/**
 * How many nodes Redis's radix tree has for the same keys, which are the ids of the stream's nodes as 16 bytes: one for
 * each run of bytes without a choice, each choice and each key. redis 7.0.15 rax.c
 */
function radixTreeNodes(stream: StreamValue): number {
  const keys = stream.nodes.map((node) => keyBytes(node.id))
  return keys.length === 0 ? 1 : radixNodes(keys, 0, keys.length, 0)
}

function keyBytes(id: StreamId): Buffer {
  const bytes = Buffer.alloc(ID_BYTES)
  id.write(bytes, 0)
  return bytes
}

/** Of the sorted keys [from, to), which are equal up to `depth`. */
function radixNodes(keys: readonly Buffer[], from: number, to: number, depth: number): number {
  if (depth === ID_BYTES) return 1
  const first = keys[from]!
  const last = keys[to - 1]!
  let common = depth
  while (common < ID_BYTES && first[common] === last[common]) common++
  if (common > depth) return 1 + radixNodes(keys, from, to, common)
  let nodes = 1
  for (let at = from; at < to; ) {
    let end = at + 1
    while (end < to && keys[end]![depth] === keys[at]![depth]) end++
    nodes += radixNodes(keys, at, end, depth + 1)
    at = end
  }
  return nodes
}

export const xinfo = command({
  name: 'xinfo',
  arity: -2,
  since: '5.0.0',
  summary: 'A container for stream introspection commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'consumers',
      run: runConsumers,
      arity: 4,
      since: '5.0.0',
      summary: 'List the consumers in a consumer group',
      complexity: 'O(1)',
      flags: ['readonly'],
      hints: ['nondeterministic_output'],
      keys: [key(2, 'RO', 'ACCESS')],
      args: [arg.key(), arg.string('groupname')],
    },
    {
      name: 'groups',
      run: runGroups,
      arity: 3,
      since: '5.0.0',
      summary: 'List the consumer groups of a stream',
      complexity: 'O(1)',
      history: [['7.0.0', 'Added the `entries-read` and `lag` fields']],
      flags: ['readonly'],
      keys: [key(2, 'RO', 'ACCESS')],
      args: [arg.key()],
    },
    {
      name: 'help',
      run: (call) => replyHelp(call, HELP),
      arity: 2,
      since: '5.0.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
    },
    {
      name: 'stream',
      run: runStream,
      arity: -3,
      since: '5.0.0',
      summary: 'Get information about a stream',
      complexity: 'O(1)',
      history: [
        ['6.0.0', 'Added the `FULL` modifier.'],
        [
          '7.0.0',
          'Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and ' +
            '`lag` fields',
        ],
      ],
      flags: ['readonly'],
      keys: [key(2, 'RO', 'ACCESS')],
      args: [
        arg.key(),
        arg.block('full', [arg.integer('count', { token: 'COUNT', optional: true })], {
          token: 'FULL',
          optional: true,
        }),
      ],
    },
  ],
})
