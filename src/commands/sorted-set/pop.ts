/** ZPOPMIN, ZPOPMAX, ZMPOP, and those that wait: BZPOPMIN, BZPOPMAX, BZMPOP. redis 7.0.15 t_zset.c genericZpopCommand */
import { NOTIFY_GENERIC, NOTIFY_ZSET } from '../../config/units.ts'
import { minimumArgument, positiveArgument, timeoutArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key, keyRange, numkeys } from '../define.ts'
import { target } from './target.ts'

/** Takes `count` members off the open sorted set of argument i, replies and tells it. */
function replyAndPop(call: Call, i: number, count: number, fromTop: boolean, nested: boolean): void {
  const { args, reply } = call
  for (let left = count; left > 0; left--) {
    const rank = fromTop ? target.size - 1 : 0
    target.readAt(rank)
    if (nested) reply.array(2)
    reply.bulk(target.bytes, target.start, target.end)
    reply.double(target.score)
    target.deleteRange(rank, rank + 1)
  }
  const isLeft = target.close()
  call.effects.dirty += count - 1
  call.changed(i, NOTIFY_ZSET, fromTop ? 'zpopmax' : 'zpopmin')
  if (!isLeft) call.event(args.view(i), NOTIFY_GENERIC, 'del')
}

function pop(call: Call, fromTop: boolean): void {
  const { args, reply } = call
  if (args.argc > 3) {
    call.syntaxError()
    return
  }
  const hasCount = args.argc === 3
  const given = hasCount ? positiveArgument(call, 2) : 1
  if (given === undefined) return
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  if (ref === 0 || given === 0) {
    reply.array(0)
    return
  }
  const count = Math.min(given, target.size)
  const nested = hasCount && reply.resp === 3
  reply.array(nested ? count : count * 2)
  replyAndPop(call, 1, count, fromTop, nested)
}

/** ZMPOP's numkeys, keys, end and COUNT, from argument `at` on. */
interface Multiple {
  firstKey: number
  keys: number
  fromTop: boolean
  count: number
}

function multipleArguments(call: Call, at: number): Multiple | undefined {
  const { args } = call
  const keys = minimumArgument(call, at, 1, 'ERR numkeys should be greater than 0')
  if (keys === undefined) return undefined
  const where = at + keys + 1
  if (where >= args.argc || !(args.is(where, 'MIN') || args.is(where, 'MAX'))) {
    call.syntaxError()
    return undefined
  }
  let count = 0
  for (let i = where + 1; i < args.argc; i += 2) {
    if (count !== 0 || i + 1 >= args.argc || !args.is(i, 'COUNT')) {
      call.syntaxError()
      return undefined
    }
    const given = minimumArgument(call, i + 1, 1, 'ERR count should be greater than 0')
    if (given === undefined) return undefined
    count = given
  }
  return { firstKey: at + 1, keys, fromTop: args.is(where, 'MAX'), count: Math.max(1, count) }
}

/** Pops from the first of the keys that has a sorted set. True if it replied, an error as well. */
function popFirst(call: Call, { firstKey, keys, fromTop, count }: Multiple): boolean {
  const { args, reply } = call
  for (let i = firstKey; i < firstKey + keys; i++) {
    const ref = target.open(call, i)
    if (ref === WRONG_TYPE) return true
    if (ref === 0) continue
    const taken = Math.min(count, target.size)
    reply.array(2)
    reply.bulk(args.buf, args.start(i), args.end(i))
    reply.array(taken)
    call.propagateAs(fromTop ? 'ZPOPMAX' : 'ZPOPMIN', args.view(i), String(taken))
    replyAndPop(call, i, taken, fromTop, true)
    return true
  }
  return false
}

function runZmpop(call: Call): void {
  const multiple = multipleArguments(call, 1)
  if (multiple !== undefined && !popFirst(call, multiple)) call.reply.nullArray()
}

/** Waits for one of the keys; inside a transaction it replies as if it had waited in vain. */
function block(call: Call, firstKey: number, keys: number, timeoutMs: number): void {
  const { args, client, command, db, host } = call
  if (call.inTransaction) {
    call.reply.nullArray()
    return
  }
  const names: Buffer[] = []
  for (let i = firstKey; i < firstKey + keys; i++) names.push(args.view(i))
  host.blocked.onKeys(client, db, names, args, command, timeoutMs, (reply) => reply.nullArray())
}

function runBzmpop(call: Call): void {
  const multiple = multipleArguments(call, 2)
  if (multiple === undefined) return
  const timeout = timeoutArgument(call, 1)
  if (timeout === undefined || popFirst(call, multiple)) return
  block(call, multiple.firstKey, multiple.keys, timeout)
}

function blockingPop(call: Call, fromTop: boolean): void {
  const { args, reply } = call
  const last = args.argc - 1
  const timeout = timeoutArgument(call, last)
  if (timeout === undefined) return
  for (let i = 1; i < last; i++) {
    const ref = target.open(call, i)
    if (ref === WRONG_TYPE) return
    if (ref === 0) continue
    reply.array(3)
    reply.bulk(args.buf, args.start(i), args.end(i))
    call.propagateAs(fromTop ? 'ZPOPMAX' : 'ZPOPMIN', args.view(i))
    replyAndPop(call, i, 1, fromTop, false)
    return
  }
  block(call, 1, last - 1, timeout)
}

export const zpopmin = command({
  name: 'zpopmin',
  arity: -2,
  since: '5.0.0',
  summary: 'Remove and return members with the lowest scores in a sorted set',
  complexity:
    'O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of ' +
    'elements popped.',
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key(), arg.integer('count', { optional: true })],
  run: (call) => pop(call, false),
})

export const zpopmax = command({
  name: 'zpopmax',
  arity: -2,
  since: '5.0.0',
  summary: 'Remove and return members with the highest scores in a sorted set',
  complexity:
    'O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of ' +
    'elements popped.',
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key(), arg.integer('count', { optional: true })],
  run: (call) => pop(call, true),
})

export const zmpop = command({
  name: 'zmpop',
  arity: -4,
  since: '7.0.0',
  summary: 'Remove and return members with scores in a sorted set',
  complexity:
    'O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the ' +
    'sorted set, and M being the number of elements popped.',
  flags: ['write'],
  keys: [numkeys(1, 'RW', 'ACCESS', 'DELETE')],
  args: [
    arg.integer('numkeys'),
    arg.key('key', { multiple: true }),
    arg.oneof('where', [arg.token('MIN'), arg.token('MAX')]),
    arg.integer('count', { token: 'COUNT', optional: true }),
  ],
  run: runZmpop,
})

export const bzpopmin = command({
  name: 'bzpopmin',
  arity: -3,
  since: '5.0.0',
  summary:
    'Remove and return the member with the lowest score from one or more sorted sets, or block until one ' +
    'is available',
  complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
  history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
  flags: ['write', 'noscript', 'fast', 'blocking'],
  keys: [keyRange(1, -2, 1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key('key', { multiple: true }), arg.double('timeout')],
  run: (call) => blockingPop(call, false),
})

export const bzpopmax = command({
  name: 'bzpopmax',
  arity: -3,
  since: '5.0.0',
  summary:
    'Remove and return the member with the highest score from one or more sorted sets, or block until ' +
    'one is available',
  complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
  history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
  flags: ['write', 'noscript', 'fast', 'blocking'],
  keys: [keyRange(1, -2, 1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key('key', { multiple: true }), arg.double('timeout')],
  run: (call) => blockingPop(call, true),
})

export const bzmpop = command({
  name: 'bzmpop',
  arity: -5,
  since: '7.0.0',
  summary: 'Remove and return members with scores in a sorted set or block until one is available',
  complexity:
    'O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the ' +
    'sorted set, and M being the number of elements popped.',
  flags: ['write', 'blocking'],
  keys: [numkeys(2, 'RW', 'ACCESS', 'DELETE')],
  args: [
    arg.double('timeout'),
    arg.integer('numkeys'),
    arg.key('key', { multiple: true }),
    arg.oneof('where', [arg.token('MIN'), arg.token('MAX')]),
    arg.integer('count', { token: 'COUNT', optional: true }),
  ],
  run: runBzmpop,
})
