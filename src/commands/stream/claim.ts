/**
 * XCLAIM and XAUTOCLAIM: pending entries become another consumer's. Entries that are no longer in the stream are taken off
 * the lists on the way. redis 7.0.15 t_stream.c xclaimCommand, xautoclaimCommand
 */
import { NOTIFY_STREAM } from '../../config/units.ts'
import type { Argument } from '../../effects/effects.ts'
import { TYPE_STREAM } from '../../store/record.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import { type Consumer, type Group, Nack } from '../../store/values/stream-groups.ts'
import { StreamId } from '../../store/values/stream-id.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { replyOne } from './entries.ts'
import { ID_INVALID, parseIdBytes, parseIntervalId, parseStrictId, replyStreamId } from './ids.ts'
import { noKeyOrGroup, printed } from './no-group.ts'
import { propagateClaim, propagateGroupId } from './propagate.ts'

const KEY = 1
const GROUP = 2
const CONSUMER = 3
const MIN_IDLE = 4
const FIRST_ID = 5
const AUTOCLAIM_OPTIONS = 6
const NOT_GIVEN = -1
const DEFAULT_COUNT = 100
const ATTEMPTS_FACTOR = 10
const MAX_COUNT = 2 ** 63 / 16
/** Redis allocates as many ids of 16 bytes at once, which a process of 64 bits has no addresses for. */
const UNALLOCATABLE_COUNT = 2 ** 47 / 16

/** Reply and key are looked up; undefined after the error. */
interface Opened {
  ref: number
  hash: number
  stream: StreamValue
  group: Group
}

function open(call: Call): Opened | undefined {
  const { args } = call
  const ref = call.typedForRead(KEY, TYPE_STREAM)
  if (ref === WRONG_TYPE) return undefined
  const stream = ref === 0 ? undefined : call.store.structure<StreamValue>(ref)
  const group = stream?.group(args.buf, args.start(GROUP), args.end(GROUP))
  if (stream !== undefined && group !== undefined) return { ref, hash: call.hash, stream, group }
  noKeyOrGroup(call, KEY, GROUP)
  return undefined
}

/** The claiming consumer, made when the first entry is claimed. */
class Claimer {
  #consumer: Consumer | undefined
  #call: Call
  #group: Group

  constructor(call: Call, group: Group) {
    this.#call = call
    this.#group = group
  }

  get consumer(): Consumer {
    if (this.#consumer !== undefined) return this.#consumer
    const call = this.#call
    const { args, host } = call
    const [start, end] = [args.start(CONSUMER), args.end(CONSUMER)]
    let consumer = this.#group.consumer(args.buf, start, end)
    if (consumer === undefined) {
      consumer = this.#group.createConsumer(args.buf, host.unixMs, start, end)!
      call.effects.dirty++
      call.event(args.view(KEY), NOTIFY_STREAM, 'xgroup-createconsumer')
    } else {
      consumer.seenTime = host.unixMs
    }
    this.#consumer = consumer
    return consumer
  }
}

/** The entry is no longer in the stream: it is nobody's. */
function drop(call: Call, group: Group, nack: Nack, id?: Argument): void {
  propagateClaim(call, KEY, group, nack, id)
  group.deletePending(nack.id)
  call.effects.dirty++
}

function minIdleArgument(call: Call): number | undefined {
  const idle = call.integer(MIN_IDLE, `ERR Invalid min-idle-time argument for ${call.command.name.toUpperCase()}`)
  return idle === undefined ? undefined : Math.max(0, idle)
}

interface ClaimOptions {
  force: boolean
  justId: boolean
  retryCount: number
  /** Unix milliseconds, NOT_GIVEN. */
  deliveryTime: number
  lastId: StreamId
}

/** Reads what follows the ids; undefined after the error. */
function claimOptions(call: Call, from: number, now: number): ClaimOptions | undefined {
  const { args } = call
  const options: ClaimOptions = {
    force: false,
    justId: false,
    retryCount: NOT_GIVEN,
    deliveryTime: NOT_GIVEN,
    lastId: new StreamId(),
  }
  const number = (i: number, name: string) => call.integer(i, `ERR Invalid ${name} option argument for XCLAIM`)
  for (let i = from; i < args.argc; i++) {
    const more = i + 1 < args.argc
    if (args.is(i, 'FORCE')) {
      options.force = true
    } else if (args.is(i, 'JUSTID')) {
      options.justId = true
    } else if (args.is(i, 'IDLE') && more) {
      const idle = number(++i, 'IDLE')
      if (idle === undefined) return undefined
      options.deliveryTime = now - idle
    } else if (args.is(i, 'TIME') && more) {
      const time = number(++i, 'TIME')
      if (time === undefined) return undefined
      options.deliveryTime = time
    } else if (args.is(i, 'RETRYCOUNT') && more) {
      const count = number(++i, 'RETRYCOUNT')
      if (count === undefined) return undefined
      options.retryCount = count
    } else if (args.is(i, 'LASTID') && more) {
      if (!parseStrictId(call, ++i, options.lastId)) return undefined
    } else {
      call.error(`ERR Unrecognized XCLAIM option '${printed(call, i)}'`)
      return undefined
    }
  }
  const { deliveryTime } = options
  // A time in the future is a client's clock that is ahead.
  if (deliveryTime < 0 || deliveryTime > now) options.deliveryTime = now
  return options
}

function runXclaim(call: Call): void {
  const { args, reply, host } = call
  const opened = open(call)
  if (opened === undefined) return
  const { ref, hash, stream, group } = opened
  const minIdle = minIdleArgument(call)
  if (minIdle === undefined) return
  const ids: StreamId[] = []
  for (let i = FIRST_ID; i < args.argc; i++) {
    const id = new StreamId()
    if (parseIdBytes(args.buf, args.start(i), args.end(i), id, false, true) === ID_INVALID) break
    ids.push(id)
  }
  const now = host.unixMs
  const options = claimOptions(call, FIRST_ID + ids.length, now)
  if (options === undefined) return
  call.db.beforeChange(hash, ref)
  let tellsLastId = options.lastId.compare(group.lastId) > 0
  if (tellsLastId) group.lastId.assign(options.lastId)
  const claimer = new Claimer(call, group)
  const mark = reply.openLength()
  let claimed = 0
  for (const [k, id] of ids.entries()) {
    const given = args.view(FIRST_ID + k)
    let nack = group.pending.find(id)
    if (!stream.has(id)) {
      if (nack !== undefined) drop(call, group, nack, given)
      if (nack !== undefined) tellsLastId = false
      continue
    }
    if (nack === undefined) {
      if (!options.force) continue
      nack = new Nack(id, claimer.consumer, now)
      group.addPending(nack)
    } else if (minIdle > 0 && now - nack.deliveryTime < minIdle) {
      continue
    }
    group.reassign(nack, claimer.consumer)
    nack.deliveryTime = options.deliveryTime
    if (options.retryCount >= 0) nack.deliveryCount = options.retryCount
    else if (!options.justId) nack.deliveryCount++
    if (options.justId) replyStreamId(reply, id)
    else replyOne(reply, stream, id)
    claimed++
    propagateClaim(call, KEY, group, nack, given)
    tellsLastId = false
    call.effects.dirty++
  }
  if (tellsLastId) {
    propagateGroupId(call, KEY, group)
    call.effects.dirty++
  }
  reply.closeLength(mark, '*', claimed)
  call.store.recount(ref)
  // Each change was propagated by itself.
  call.effects.prevented = true
}

interface AutoclaimOptions {
  count: number
  justId: boolean
}

function autoclaimOptions(call: Call): AutoclaimOptions | undefined {
  const { args } = call
  const options: AutoclaimOptions = { count: DEFAULT_COUNT, justId: false }
  for (let i = AUTOCLAIM_OPTIONS; i < args.argc; i++) {
    if (args.is(i, 'COUNT') && i + 1 < args.argc) {
      const count = call.integer(++i, 'ERR COUNT must be > 0')
      if (count === undefined) return undefined
      if (count < 1 || count > MAX_COUNT) {
        call.error('ERR COUNT must be > 0')
        return undefined
      }
      options.count = count
    } else if (args.is(i, 'JUSTID')) {
      options.justId = true
    } else {
      call.syntaxError()
      return undefined
    }
  }
  return options
}

function runXautoclaim(call: Call): void {
  const { reply, host } = call
  const minIdle = minIdleArgument(call)
  if (minIdle === undefined) return
  const start = new StreamId()
  const isExclusive = parseIntervalId(call, FIRST_ID, start, false)
  if (isExclusive === undefined) return
  if (isExclusive && !start.increment()) {
    call.error('ERR invalid start ID for the interval')
    return
  }
  const options = autoclaimOptions(call)
  if (options === undefined) return
  const opened = open(call)
  if (opened === undefined) return
  if (options.count >= UNALLOCATABLE_COUNT) {
    call.error('ERR Insufficient memory, failed allocating transient memory, COUNT too high.')
    return
  }
  const { ref, hash, stream, group } = opened
  call.db.beforeChange(hash, ref)
  const now = host.unixMs
  const claimer = new Claimer(call, group)
  const claimed: StreamId[] = []
  const deleted: StreamId[] = []
  let { count } = options
  let nack = group.pending.atOrAfter(start)
  for (let attempts = count * ATTEMPTS_FACTOR; attempts > 0 && count > 0 && nack !== undefined; attempts--) {
    const { id } = nack
    if (!stream.has(id)) {
      drop(call, group, nack)
      deleted.push(id)
      count--
    } else if (minIdle === 0 || now - nack.deliveryTime >= minIdle) {
      group.reassign(nack, claimer.consumer)
      nack.deliveryTime = now
      if (!options.justId) nack.deliveryCount++
      claimed.push(id)
      count--
      propagateClaim(call, KEY, group, nack)
      call.effects.dirty++
    }
    nack = group.pending.after(id)
  }
  reply.array(3)
  replyStreamId(reply, nack?.id ?? ZERO)
  reply.array(claimed.length)
  for (const id of claimed) {
    if (options.justId) replyStreamId(reply, id)
    else replyOne(reply, stream, id)
  }
  reply.array(deleted.length)
  for (const id of deleted) replyStreamId(reply, id)
  call.store.recount(ref)
  call.effects.prevented = true
}

const ZERO = new StreamId()

export const xclaim = command({
  name: 'xclaim',
  arity: -6,
  since: '5.0.0',
  summary:
    'Changes (or acquires) ownership of a message in a consumer group, as if the message was delivered ' +
    'to the specified consumer.',
  complexity: 'O(log N) with N being the number of messages in the PEL of the consumer group.',
  flags: ['write', 'fast'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [
    arg.key(),
    arg.string('group'),
    arg.string('consumer'),
    arg.string('min-idle-time'),
    arg.string('id', { multiple: true }),
    arg.integer('ms', { token: 'IDLE', optional: true }),
    arg.unixTime('unix-time-milliseconds', { token: 'TIME', optional: true }),
    arg.integer('count', { token: 'RETRYCOUNT', optional: true }),
    arg.token('FORCE', { optional: true }),
    arg.token('JUSTID', { optional: true }),
    arg.string('id', { token: 'LASTID', optional: true }),
  ],
  run: runXclaim,
})

export const xautoclaim = command({
  name: 'xautoclaim',
  arity: -6,
  since: '6.2.0',
  summary:
    'Changes (or acquires) ownership of messages in a consumer group, as if the messages were delivered ' +
    'to the specified consumer.',
  complexity: 'O(1) if COUNT is small.',
  history: [
    ['7.0.0', 'Added an element to the reply array, containing deleted entries the command cleared from the PEL'],
  ],
  flags: ['write', 'fast'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [
    arg.key(),
    arg.string('group'),
    arg.string('consumer'),
    arg.string('min-idle-time'),
    arg.string('start'),
    arg.integer('count', { token: 'COUNT', optional: true }),
    arg.token('JUSTID', { optional: true }),
  ],
  run: runXautoclaim,
})
