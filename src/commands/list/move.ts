/** LMOVE, RPOPLPUSH, and those that wait: BLMOVE and BRPOPLPUSH. redis 7.0.15 t_list.c lmoveGenericCommand */
import { NOTIFY_GENERIC, NOTIFY_LIST } from '../../config/units.ts'
import { TYPE_LIST } from '../../store/record.ts'
import { timeoutArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { block, endArgument } from './pop.ts'
import { target } from './target.ts'

/** Takes an element from the list of argument 1, which is `source`, and puts it into that of argument 2. False after an error. */
function move(call: Call, source: number, sourceHash: number, fromHead: boolean, toHead: boolean): boolean {
  const { args } = call
  const destination = call.typedForWrite(2, TYPE_LIST)
  if (destination === WRONG_TYPE) return false
  const destinationHash = call.hash
  target.begin(call, 1, sourceHash, source)
  target.readEnd(fromHead)
  const element = target.entry.copy()
  target.dropEnd(fromHead)
  let isLeft = true
  if (destination === source) {
    target.push(element, 0, element.length, toHead)
    target.close()
  } else {
    isLeft = target.close()
    target.begin(call, 2, destinationHash, destination)
    target.push(element, 0, element.length, toHead)
    target.close()
  }
  call.changed(2, NOTIFY_LIST, toHead ? 'lpush' : 'rpush')
  call.reply.bulk(element)
  call.event(args.view(1), NOTIFY_LIST, fromHead ? 'lpop' : 'rpop')
  if (!isLeft) call.event(args.view(1), NOTIFY_GENERIC, 'del')
  call.modified(args.buf, args.start(1), args.end(1))
  return true
}

function moveOrNull(call: Call, fromHead: boolean, toHead: boolean): void {
  const source = call.typedForWrite(1, TYPE_LIST)
  if (source === WRONG_TYPE) return
  if (source === 0) call.reply.nullBulk()
  else move(call, source, call.hash, fromHead, toHead)
}

function runLmove(call: Call): void {
  const fromHead = endArgument(call, 3)
  if (fromHead === undefined) return
  const toHead = endArgument(call, 4)
  if (toHead !== undefined) moveOrNull(call, fromHead, toHead)
}

/** True if an element was moved. */
function moveOrBlock(call: Call, fromHead: boolean, toHead: boolean, timeoutMs: number): boolean {
  const source = call.typedForWrite(1, TYPE_LIST)
  if (source === WRONG_TYPE) return false
  if (source !== 0) return move(call, source, call.hash, fromHead, toHead)
  if (call.inTransaction) call.reply.nullBulk()
  else block(call, 1, 1, timeoutMs)
  return false
}

function runBlmove(call: Call): void {
  const { args } = call
  const fromHead = endArgument(call, 3)
  if (fromHead === undefined) return
  const toHead = endArgument(call, 4)
  if (toHead === undefined) return
  const timeout = timeoutArgument(call, 5)
  if (timeout === undefined) return
  if (moveOrBlock(call, fromHead, toHead, timeout)) {
    call.propagateAs('LMOVE', args.view(1), args.view(2), args.view(3), args.view(4))
  }
}

function runBrpoplpush(call: Call): void {
  const { args } = call
  const timeout = timeoutArgument(call, 3)
  if (timeout === undefined) return
  if (moveOrBlock(call, false, true, timeout)) call.propagateAs('RPOPLPUSH', args.view(1), args.view(2))
}

export const lmove = command({
  name: 'lmove',
  arity: 5,
  since: '6.2.0',
  summary: 'Pop an element from a list, push it to another list and return it',
  complexity: 'O(1)',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'RW', 'INSERT')],
  args: [
    arg.key('source'),
    arg.key('destination', { keySpec: 1 }),
    arg.oneof('wherefrom', [arg.token('LEFT'), arg.token('RIGHT')]),
    arg.oneof('whereto', [arg.token('LEFT'), arg.token('RIGHT')]),
  ],
  run: runLmove,
})

export const rpoplpush = command({
  name: 'rpoplpush',
  arity: 3,
  since: '1.2.0',
  summary: 'Remove the last element in a list, prepend it to another list and return it',
  complexity: 'O(1)',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`LMOVE` with the `RIGHT` and `LEFT` arguments',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'RW', 'INSERT')],
  args: [arg.key('source'), arg.key('destination', { keySpec: 1 })],
  run: (call) => moveOrNull(call, false, true),
})

export const blmove = command({
  name: 'blmove',
  arity: 6,
  since: '6.2.0',
  summary: 'Pop an element from a list, push it to another list and return it; or block until one is available',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'noscript', 'blocking'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'RW', 'INSERT')],
  args: [
    arg.key('source'),
    arg.key('destination', { keySpec: 1 }),
    arg.oneof('wherefrom', [arg.token('LEFT'), arg.token('RIGHT')]),
    arg.oneof('whereto', [arg.token('LEFT'), arg.token('RIGHT')]),
    arg.double('timeout'),
  ],
  run: runBlmove,
})

export const brpoplpush = command({
  name: 'brpoplpush',
  arity: 4,
  since: '2.2.0',
  summary: 'Pop an element from a list, push it to another list and return it; or block until one is available',
  complexity: 'O(1)',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`BLMOVE` with the `RIGHT` and `LEFT` arguments',
  history: [['6.0.0', '`timeout` is interpreted as a double instead of an integer.']],
  flags: ['write', 'denyoom', 'noscript', 'blocking'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'RW', 'INSERT')],
  args: [arg.key('source'), arg.key('destination', { keySpec: 1 }), arg.double('timeout')],
  run: runBrpoplpush,
})
