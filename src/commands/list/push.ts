/** LPUSH, RPUSH, LPUSHX and RPUSHX. redis 7.0.15 t_list.c pushGenericCommand */
import { NOTIFY_LIST } from '../../config/units.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { target } from './target.ts'

function push(call: Call, atHead: boolean, onlyIfThere: boolean): void {
  const { args, reply } = call
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  if (ref === 0 && onlyIfThere) {
    reply.integer(0)
    return
  }
  for (let i = 2; i < args.argc; i++) target.push(args.buf, args.start(i), args.end(i), atHead)
  reply.integer(target.length)
  target.close()
  call.effects.dirty += args.argc - 3
  call.changed(1, NOTIFY_LIST, atHead ? 'lpush' : 'rpush')
}

export const lpush = command({
  name: 'lpush',
  arity: -3,
  since: '1.0.0',
  summary: 'Prepend one or multiple elements to a list',
  complexity:
    'O(1) for each element added, so O(N) to add N elements when the command is called with multiple ' + 'arguments.',
  history: [['2.4.0', 'Accepts multiple `element` arguments.']],
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [arg.key(), arg.string('element', { multiple: true })],
  run: (call) => push(call, true, false),
})

export const rpush = command({
  name: 'rpush',
  arity: -3,
  since: '1.0.0',
  summary: 'Append one or multiple elements to a list',
  complexity:
    'O(1) for each element added, so O(N) to add N elements when the command is called with multiple ' + 'arguments.',
  history: [['2.4.0', 'Accepts multiple `element` arguments.']],
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [arg.key(), arg.string('element', { multiple: true })],
  run: (call) => push(call, false, false),
})

export const lpushx = command({
  name: 'lpushx',
  arity: -3,
  since: '2.2.0',
  summary: 'Prepend an element to a list, only if the list exists',
  complexity:
    'O(1) for each element added, so O(N) to add N elements when the command is called with multiple ' + 'arguments.',
  history: [['4.0.0', 'Accepts multiple `element` arguments.']],
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [arg.key(), arg.string('element', { multiple: true })],
  run: (call) => push(call, true, true),
})

export const rpushx = command({
  name: 'rpushx',
  arity: -3,
  since: '2.2.0',
  summary: 'Append an element to a list, only if the list exists',
  complexity:
    'O(1) for each element added, so O(N) to add N elements when the command is called with multiple ' + 'arguments.',
  history: [['4.0.0', 'Accepts multiple `element` arguments.']],
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [arg.key(), arg.string('element', { multiple: true })],
  run: (call) => push(call, false, true),
})
