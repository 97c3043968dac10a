/**
 * XREAD and XREADGROUP. A client that blocks has its command run again when one of its streams gets entries, as it was when
 * it blocked: "$" has become an id, and what it is served with is that stream alone. redis 7.0.15 t_stream.c xreadCommand,
 * blocked.c serveClientsBlockedOnStreamKey
 */
import { NOTIFY_STREAM } from '../../config/units.ts'
import { Request } from '../../resp/request.ts'
import { TYPE_STREAM } from '../../store/record.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import type { Consumer, Group } from '../../store/values/stream-groups.ts'
import { StreamId } from '../../store/values/stream-id.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, keywordKeys } from '../define.ts'
import { errors } from '../errors.ts'
import { type Delivery, deliverNew, replyHistory } from './deliver.ts'
import { replyRange } from './entries.ts'
import { parseStrictId } from './ids.ts'
import { noKeyOrGroup } from './no-group.ts'
import { propagateConsumer } from './propagate.ts'

/** A client that waited without COUNT is not sent a huge stream at once. redis 7.0.15 blocked.c XREAD_BLOCKED_DEFAULT_COUNT */
const BLOCKED_DEFAULT_COUNT = 1000
const NOT_BLOCKING = -1
const DOLLAR = 0x24
const GREATER = 0x3e

interface Options {
  /** Milliseconds, 0 for ever, NOT_BLOCKING. */
  timeoutMs: number
  count: number
  /** Argument index of the first key; the ids follow the keys. */
  first: number
  streams: number
  /** Argument index of the group's name, 0 for none; the consumer's is next. */
  group: number
  noAck: boolean
}

/** Undefined after the error. */
function blockArgument(call: Call, i: number): number | undefined {
  const timeout = call.integer(i, 'ERR timeout is not an integer or out of range')
  if (timeout === undefined) return undefined
  if (timeout < 0) call.error(errors.timeoutNegative)
  else return timeout
  return undefined
}

/** Undefined after the error. */
function readOptions(call: Call, ofGroup: boolean): Options | undefined {
  const { args } = call
  const options: Options = { timeoutMs: NOT_BLOCKING, count: 0, first: 0, streams: 0, group: 0, noAck: false }
  const refuse = (text: string) => {
    call.error(text)
    return undefined
  }
  for (let i = 1; i < args.argc && options.first === 0; i++) {
    const more = args.argc - i - 1
    if (args.is(i, 'BLOCK') && more > 0) {
      if (call.client.isScript) {
        return refuse(`ERR ${args.latin1(0)} command is not allowed with BLOCK option from scripts`)
      }
      const timeout = blockArgument(call, ++i)
      if (timeout === undefined) return undefined
      options.timeoutMs = timeout
    } else if (args.is(i, 'COUNT') && more > 0) {
      const count = call.integer(++i)
      if (count === undefined) return undefined
      options.count = Math.max(0, count)
    } else if (args.is(i, 'STREAMS') && more > 0) {
      options.first = i + 1
      if (more % 2 !== 0) {
        return refuse(`ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.`)
      }
      options.streams = more / 2
    } else if (args.is(i, 'GROUP') && more >= 2) {
      if (!ofGroup) return refuse('ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.')
      options.group = i + 1
      i += 2
    } else if (args.is(i, 'NOACK')) {
      if (!ofGroup) return refuse('ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.')
      options.noAck = true
    } else {
      return refuse(errors.syntax)
    }
  }
  if (options.first === 0) return refuse(errors.syntax)
  if (ofGroup && options.group === 0) return refuse('ERR Missing GROUP option for XREADGROUP')
  return options
}

function isOnly(call: Call, i: number, byte: number): boolean {
  return call.args.length(i) === 1 && call.args.buf[call.args.start(i)] === byte
}

/** The position to read from in each stream; for ">" the greatest id. Undefined after the error. */
function positions(call: Call, options: Options): StreamId[] | undefined {
  const { store } = call
  const { first, streams, group } = options
  const ids: StreamId[] = []
  for (let i = first; i < first + streams; i++) {
    const ref = call.typedForRead(i, TYPE_STREAM)
    if (ref === WRONG_TYPE) return undefined
    const stream = ref === 0 ? undefined : store.structure<StreamValue>(ref)
    if (group > 0 && groupOf(call, stream, group) === undefined) {
      noKeyOrGroup(call, i, group, ' in XREADGROUP with GROUP option')
      return undefined
    }
    const id = new StreamId()
    const at = i + streams
    if (isOnly(call, at, DOLLAR)) {
      if (group > 0) {
        call.error(
          'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
        )
        return undefined
      }
      if (stream !== undefined) id.assign(stream.lastId)
    } else if (isOnly(call, at, GREATER)) {
      if (group === 0) {
        call.error(
          'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
        )
        return undefined
      }
      id.assign(NEW)
    } else if (!parseStrictId(call, at, id)) {
      return undefined
    }
    ids.push(id)
  }
  return ids
}

function groupOf(call: Call, stream: StreamValue | undefined, group: number): Group | undefined {
  const { args } = call
  return stream?.group(args.buf, args.start(group), args.end(group))
}

const last = new StreamId()

/** The stream has entries behind this id. */
function hasMore(stream: StreamValue, id: StreamId): boolean {
  if (stream.length === 0) return false
  stream.edgeId(false, true, last)
  return last.compare(id) > 0
}

function consumerOf(call: Call, options: Options, key: number, group: Group): Consumer {
  const { args, host } = call
  const at = options.group + 1
  const known = group.consumer(args.buf, args.start(at), args.end(at))
  if (known !== undefined) {
    known.seenTime = host.unixMs
    return known
  }
  const consumer = group.createConsumer(args.buf, host.unixMs, args.start(at), args.end(at))!
  call.effects.dirty++
  call.event(args.view(key), NOTIFY_STREAM, 'xgroup-createconsumer')
  if (options.noAck) propagateConsumer(call, key, group, consumer)
  return consumer
}

/** Replies the stream's name and its entries behind `id`; NEW stands for the group's own position. */
function replyStream(call: Call, options: Options, key: number, ref: number, id: StreamId, count: number): void {
  const { args, db, reply, store, hash } = call
  const stream = store.structure<StreamValue>(ref)
  if (reply.resp === 2) reply.array(2)
  reply.bulk(args.buf, args.start(key), args.end(key))
  if (options.group === 0) {
    const from = id.copy()
    if (from.increment()) replyRange(reply, stream, from, null, count)
    else reply.array(0)
    return
  }
  db.beforeChange(hash, ref)
  const group = groupOf(call, stream, options.group)!
  const consumer = consumerOf(call, options, key, group)
  const delivery: Delivery = { stream, group, consumer, key, count, noAck: options.noAck }
  if (id.equals(NEW)) deliverNew(call, delivery, group.lastId)
  else replyHistory(call, delivery, id)
  store.recount(ref)
}

/** Whether there is something to be replied at once: a consumer's history always is. */
function isServed(call: Call, options: Options, ref: number, id: StreamId): boolean {
  const stream = call.store.structure<StreamValue>(ref)
  if (options.group === 0) return hasMore(stream, id)
  return !id.equals(NEW) || hasMore(stream, groupOf(call, stream, options.group)!.lastId)
}

function read(call: Call, ofGroup: boolean): void {
  const { reply } = call
  // What replicas are told is what became pending.
  call.effects.prevented = true
  const options = readOptions(call, ofGroup)
  if (options === undefined) return
  const ready = call.host.blocked.retryKey
  if (ready !== null) {
    serve(call, options, ready)
    return
  }
  const ids = positions(call, options)
  if (ids === undefined) return
  let mark = -1
  let served = 0
  for (let k = 0; k < options.streams; k++) {
    const key = options.first + k
    const ref = call.lookupRead(key)
    if (ref === 0 || !isServed(call, options, ref, ids[k]!)) continue
    if (served++ === 0) mark = reply.openLength()
    replyStream(call, options, key, ref, ids[k]!, options.count)
    if (ofGroup) call.effects.dirty++
  }
  if (served > 0) reply.closeLength(mark, reply.resp === 2 ? '*' : '%', served)
  else if (options.timeoutMs === NOT_BLOCKING || call.inTransaction) reply.nullArray()
  else block(call, options, ids)
}

function block(call: Call, options: Options, ids: readonly StreamId[]): void {
  const { args, client, db, host } = call
  const { first, streams, timeoutMs } = options
  const keys: Buffer[] = []
  const request: (Buffer | string)[] = args.toArguments()
  for (let k = 0; k < streams; k++) {
    keys.push(args.view(first + k))
    if (isOnly(call, first + streams + k, DOLLAR)) request[first + streams + k] = ids[k]!.toString()
  }
  host.blocked.onKeys(client, db, keys, Request.of(request), call.command, timeoutMs, (reply) => reply.nullArray())
}

/**
 * A blocked client's stream got entries: serves it with those, or leaves it blocked. An entry that is gone already
 * (XADD MAXLEN 0) has moved the stream on all the same: then there are none in the reply.
 */
function serve(call: Call, options: Options, ready: string): void {
  const { args, reply, store } = call
  const { first, streams, group } = options
  const count = options.count === 0 ? BLOCKED_DEFAULT_COUNT : options.count
  for (let key = first; key < first + streams; key++) {
    if (args.latin1(key) !== ready) continue
    // Of the stream's type, or past its time; this is no hit.
    const ref = call.lookupWrite(key)
    if (ref === 0) break
    const stream = store.structure<StreamValue>(ref)
    const id = new StreamId()
    let after = id
    if (group > 0) {
      const found = groupOf(call, stream, group)
      if (found === undefined) {
        call.error('NOGROUP the consumer group this client was blocked on no longer exists')
        return
      }
      id.assign(NEW)
      after = found.lastId
    } else if (!parseStrictId(call, key + streams, id)) return
    if (stream.lastId.compare(after) <= 0) break
    if (reply.resp === 2) reply.array(1)
    else reply.map(1)
    replyStream(call, options, key, ref, id, count)
    return
  }
  const names = Array.from({ length: streams }, (_, k) => args.view(first + k))
  call.host.blocked.onKeys(call.client, call.db, names, args, call.command, 0, () => {})
}

const NEW = StreamId.max()

export const xread = command({
  name: 'xread',
  arity: -4,
  since: '5.0.0',
  summary:
    'Return never seen elements in multiple streams, with IDs greater than the ones reported by the ' +
    'caller for each stream. Can block.',
  complexity:
    'For each stream mentioned: O(N) with N being the number of elements being returned, it means that ' +
    'XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) ' +
    'time in order to serve the M clients blocked on the stream getting new data.',
  flags: ['blocking', 'readonly'],
  keys: [keywordKeys('STREAMS', 1, 2, 'RO', 'ACCESS')],
  args: [
    arg.integer('count', { token: 'COUNT', optional: true }),
    arg.integer('milliseconds', { token: 'BLOCK', optional: true }),
    arg.block('streams', [arg.key('key', { multiple: true }), arg.string('id', { multiple: true })], {
      token: 'STREAMS',
    }),
  ],
  run: (call) => read(call, false),
})

export const xreadgroup = command({
  name: 'xreadgroup',
  arity: -7,
  since: '5.0.0',
  summary:
    'Return new entries from a stream using a consumer group, or access the history of the pending ' +
    'entries for a given consumer. Can block.',
  complexity:
    'For each stream mentioned: O(M) with M being the number of elements returned. If M is constant ' +
    '(e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other ' +
    'side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on ' +
    'the stream getting new data.',
  flags: ['blocking', 'write'],
  keys: [keywordKeys('STREAMS', 4, 2, 'RO', 'ACCESS')],
  args: [
    arg.block('group_consumer', [arg.string('group'), arg.string('consumer')], { token: 'GROUP' }),
    arg.integer('count', { token: 'COUNT', optional: true }),
    arg.integer('milliseconds', { token: 'BLOCK', optional: true }),
    arg.token('NOACK', { optional: true }),
    arg.block('streams', [arg.key('key', { multiple: true }), arg.string('id', { multiple: true })], {
      token: 'STREAMS',
    }),
  ],
  run: (call) => read(call, true),
})
