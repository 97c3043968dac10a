/** XPENDING: what was delivered and is not acknowledged. redis 7.0.15 t_stream.c xpendingCommand */
import { TYPE_STREAM } from '../../store/record.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import type { Group } from '../../store/values/stream-groups.ts'
import { StreamId } from '../../store/values/stream-id.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { parseInterval, replyStreamId } from './ids.ts'
import { noKeyOrGroup } from './no-group.ts'

const start = new StreamId()
const end = new StreamId()

interface Range {
  minIdleMs: number
  count: number
  /** Argument index of the consumer's name, 0 for all consumers. */
  consumer: number
}

/** Undefined after the error. */
function readRange(call: Call): Range | undefined {
  const { args } = call
  const range: Range = { minIdleMs: 0, count: 0, consumer: 0 }
  let at = 3
  if (args.is(3, 'IDLE')) {
    const idle = call.integer(4)
    if (idle === undefined) return undefined
    if (args.argc < 8) {
      call.syntaxError()
      return undefined
    }
    range.minIdleMs = idle
    at = 5
  }
  const count = call.integer(at + 2)
  if (count === undefined || !parseInterval(call, at, at + 1, start, end)) return undefined
  range.count = Math.max(0, count)
  if (at + 3 < args.argc) range.consumer = at + 3
  return range
}

function runXpending(call: Call): void {
  const { args } = call
  if (args.argc !== 3 && (args.argc < 6 || args.argc > 9)) {
    call.syntaxError()
    return
  }
  const range = args.argc === 3 ? null : readRange(call)
  if (range === undefined) return
  const ref = call.typedForRead(1, TYPE_STREAM)
  if (ref === WRONG_TYPE) return
  const stream = ref === 0 ? undefined : call.store.structure<StreamValue>(ref)
  const group = stream?.group(args.buf, args.start(2), args.end(2))
  if (group === undefined) {
    noKeyOrGroup(call, 1, 2)
    return
  }
  if (range === null) replySummary(call, group)
  else replyEntries(call, group, range)
}

function replySummary({ reply }: Call, group: Group): void {
  const { first, last, size } = group.pending
  reply.array(4)
  reply.integer(size)
  if (first === undefined || last === undefined) {
    reply.nullBulk()
    reply.nullBulk()
    reply.nullArray()
    return
  }
  replyStreamId(reply, first.id)
  replyStreamId(reply, last.id)
  const consumers = group.sortedConsumers().filter((consumer) => consumer.pending.size > 0)
  reply.array(consumers.length)
  for (const { name, pending } of consumers) {
    reply.array(2)
    reply.bulk(name)
    reply.bulkInteger(pending.size)
  }
}

function replyEntries(call: Call, group: Group, { minIdleMs, count, consumer }: Range): void {
  const { args, reply } = call
  let list = group.pending
  if (consumer > 0) {
    const owner = group.consumer(args.buf, args.start(consumer), args.end(consumer))
    if (owner === undefined) {
      reply.array(0)
      return
    }
    list = owner.pending
  }
  const now = call.host.unixMs
  const mark = reply.openLength()
  let replied = 0
  for (let nack = list.atOrAfter(start); nack !== undefined && replied < count; nack = list.after(nack.id)) {
    if (nack.id.compare(end) > 0) break
    const idle = now - nack.deliveryTime
    if (minIdleMs !== 0 && idle < minIdleMs) continue
    reply.array(4)
    replyStreamId(reply, nack.id)
    reply.bulk(nack.consumer.name)
    reply.integer(Math.max(0, idle))
    reply.integer(nack.deliveryCount)
    replied++
  }
  reply.closeLength(mark, '*', replied)
}

export const xpending = command({
  name: 'xpending',
  arity: -3,
  since: '5.0.0',
  summary:
    'Return information and entries from a stream consumer group pending entries list, that are messages ' +
    'fetched but never acknowledged.',
  complexity:
    'O(N) with N being the number of elements returned, so asking for a small fixed number of entries ' +
    'per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE ' +
    'filter. When the command returns just the summary and the list of consumers is small, it runs in ' +
    'O(1) time; otherwise, an additional O(N) time for iterating every consumer.',
  history: [['6.2.0', 'Added the `IDLE` option and exclusive range intervals.']],
  flags: ['readonly'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.string('group'),
    arg.block(
      'filters',
      [
        arg.integer('min-idle-time', { token: 'IDLE', since: '6.2.0', optional: true }),
        arg.string('start'),
        arg.string('end'),
        arg.integer('count'),
        arg.string('consumer', { optional: true }),
      ],
      { optional: true },
    ),
  ],
  run: runXpending,
})
