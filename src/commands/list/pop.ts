/** LPOP, RPOP, LMPOP, and what waits for a list to have elements: BLPOP, BRPOP, BLMPOP. redis 7.0.15 t_list.c */
import { NOTIFY_GENERIC, NOTIFY_LIST } from '../../config/units.ts'
import { minimumArgument, positiveArgument, timeoutArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key, keyRange, numkeys } from '../define.ts'
import { target } from './target.ts'

/** 'LEFT' and 'RIGHT' as "at the head"; undefined after the error. */
export function endArgument(call: Call, i: number): boolean | undefined {
  if (call.args.is(i, 'LEFT')) return true
  if (call.args.is(i, 'RIGHT')) return false
  call.syntaxError()
  return undefined
}

/** Elements were taken from the list of argument i: closes it and tells. redis 7.0.15 t_list.c listElementsRemoved */
export function closeAfterPop(call: Call, i: number, atHead: boolean, count: number): void {
  const { args } = call
  const isLeft = target.close()
  call.event(args.view(i), NOTIFY_LIST, atHead ? 'lpop' : 'rpop')
  if (!isLeft) call.event(args.view(i), NOTIFY_GENERIC, 'del')
  call.modified(args.buf, args.start(i), args.end(i))
  call.effects.dirty += count
}

function replyAndDrop(call: Call, atHead: boolean): void {
  target.readEnd(atHead)
  const { entry } = target
  call.reply.bulk(entry.bytes, entry.start, entry.end)
  target.dropEnd(atHead)
}

function replyAndDropMany(call: Call, atHead: boolean, count: number): void {
  call.reply.array(count)
  for (let i = 0; i < count; i++) replyAndDrop(call, atHead)
}

function pop(call: Call, atHead: boolean): void {
  const { args, reply } = call
  if (args.argc > 3) {
    call.wrongArity()
    return
  }
  const hasCount = args.argc === 3
  const given = hasCount ? positiveArgument(call, 2) : 1
  if (given === undefined) return
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    if (hasCount) reply.nullArray()
    else reply.nullBulk()
    return
  }
  if (given === 0) {
    reply.array(0)
    return
  }
  const count = Math.min(given, target.length)
  if (hasCount) replyAndDropMany(call, atHead, count)
  else replyAndDrop(call, atHead)
  closeAfterPop(call, 1, atHead, count)
}

/** LMPOP's numkeys, keys, end and COUNT, from argument `at` on. */
interface Multiple {
  firstKey: number
  keys: number
  atHead: boolean
  count: number
}

function multipleArguments(call: Call, at: number): Multiple | undefined {
  const { args } = call
  const keys = minimumArgument(call, at, 1, 'ERR numkeys should be greater than 0')
  if (keys === undefined) return undefined
  const where = at + keys + 1
  if (where >= args.argc) {
    call.syntaxError()
    return undefined
  }
  const atHead = endArgument(call, where)
  if (atHead === undefined) return undefined
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
  return { firstKey: at + 1, keys, atHead, count: count === 0 ? 1 : count }
}

/** Pops from the first of the keys that has a list. True if it replied, an error as well. */
function popFirst(call: Call, { firstKey, keys, atHead, count }: Multiple): boolean {
  const { args, reply } = call
  for (let i = firstKey; i < firstKey + keys; i++) {
    const ref = target.open(call, i)
    if (ref === WRONG_TYPE) return true
    if (ref === 0) continue
    const taken = Math.min(count, target.length)
    reply.array(2)
    reply.bulk(args.buf, args.start(i), args.end(i))
    replyAndDropMany(call, atHead, taken)
    call.propagateAs(atHead ? 'LPOP' : 'RPOP', args.view(i), String(taken))
    closeAfterPop(call, i, atHead, taken)
    return true
  }
  return false
}

function runLmpop(call: Call): void {
  const multiple = multipleArguments(call, 1)
  if (multiple !== undefined && !popFirst(call, multiple)) call.reply.nullArray()
}

/** Waits for one of the keys, or inside a transaction replies as if it had waited in vain. */
export function block(call: Call, firstKey: number, keys: number, timeoutMs: number): void {
  const { args, client, command, db, host } = call
  const names: Buffer[] = []
  for (let i = firstKey; i < firstKey + keys; i++) names.push(args.view(i))
  host.blocked.onKeys(client, db, names, args, command, timeoutMs, (reply) => reply.nullArray())
}

function blockOrGiveUp(call: Call, firstKey: number, keys: number, timeoutMs: number): void {
  if (call.inTransaction) call.reply.nullArray()
  else block(call, firstKey, keys, timeoutMs)
}

function runBlmpop(call: Call): void {
  const multiple = multipleArguments(call, 2)
  if (multiple === undefined) return
  const timeout = timeoutArgument(call, 1)
  if (timeout === undefined || popFirst(call, multiple)) return
  blockOrGiveUp(call, multiple.firstKey, multiple.keys, timeout)
}

function blockingPop(call: Call, atHead: boolean): void {
  const { args, reply } = call
  const last = args.argc - 1
  const timeout = timeoutArgument(call, last)
  if (timeout === undefined) return
  for (let i = 1; i < last; i++) {
    const ref = target.open(call, i)
    if (ref === WRONG_TYPE) return
    if (ref === 0) continue
    reply.array(2)
    reply.bulk(args.buf, args.start(i), args.end(i))
    replyAndDrop(call, atHead)
    call.propagateAs(atHead ? 'LPOP' : 'RPOP', args.view(i))
    closeAfterPop(call, i, atHead, 1)
    return
  }
  blockOrGiveUp(call, 1, last - 1, timeout)
}

export const lpop = command({
  name: 'lpop',
  arity: -2,
  since: '1.0.0',
  summary: 'Remove and get the first elements in a list',
  complexity: 'O(N) where N is the number of elements returned',
  history: [['6.2.0', 'Added the `count` argument.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key(), arg.integer('count', { since: '6.2.0', optional: true })],
  run: (call) => pop(call, true),
})

export const rpop = command({
  name: 'rpop',
  arity: -2,
  since: '1.0.0',
  summary: 'Remove and get the last elements in a list',
  complexity: 'O(N) where N is the number of elements returned',
  history: [['6.2.0', 'Added the `count` argument.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key(), arg.integer('count', { since: '6.2.0', optional: true })],
  run: (call) => pop(call, false),
})

export const lmpop = command({
  name: 'lmpop',
  arity: -4,
  since: '7.0.0',
  summary: 'Pop elements from a list',
  complexity: 'O(N+M) where N is the number of provided keys and M is the number of elements returned.',
  flags: ['write'],
  keys: [numkeys(1, 'RW', 'ACCESS', 'DELETE')],
  args: [
    arg.integer('numkeys'),
    arg.key('key', { multiple: true }),
    arg.oneof('where', [arg.token('LEFT'), arg.token('RIGHT')]),
    arg.integer('count', { token: 'COUNT', optional: true }),
  ],
  run: runLmpop,
})

export const blpop = command({
  name: 'blpop',
  arity: -3,
  since: '2.0.0',
  summary: 'Remove and get the first element in a list, or block until one is available',
  complexity: 'O(N) where N is the number of provided keys.',
  history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
  flags: ['write', 'noscript', 'blocking'],
  keys: [keyRange(1, -2, 1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key('key', { multiple: true }), arg.double('timeout')],
  run: (call) => blockingPop(call, true),
})

export const brpop = command({
  name: 'brpop',
  arity: -3,
  since: '2.0.0',
  summary: 'Remove and get the last element in a list, or block until one is available',
  complexity: 'O(N) where N is the number of provided keys.',
  history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
  flags: ['write', 'noscript', 'blocking'],
  keys: [keyRange(1, -2, 1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key('key', { multiple: true }), arg.double('timeout')],
  run: (call) => blockingPop(call, false),
})

export const blmpop = command({
  name: 'blmpop',
  arity: -5,
  since: '7.0.0',
  summary: 'Pop elements from a list, or block until one is available',
  complexity: 'O(N+M) where N is the number of provided keys and M is the number of elements returned.',
  flags: ['write', 'blocking'],
  keys: [numkeys(2, 'RW', 'ACCESS', 'DELETE')],
  args: [
    arg.double('timeout'),
    arg.integer('numkeys'),
    arg.key('key', { multiple: true }),
    arg.oneof('where', [arg.token('LEFT'), arg.token('RIGHT')]),
    arg.integer('count', { token: 'COUNT', optional: true }),
  ],
  run: runBlmpop,
})
