/** LSET, LINSERT, LREM and LTRIM. redis 7.0.15 t_list.c */
import { NOTIFY_GENERIC, NOTIFY_LIST } from '../../config/units.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { equals, visitList } from './read.ts'
import { target } from './target.ts'

function runLset(call: Call): void {
  const { args, reply } = call
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    call.error(errors.noSuchKey)
    return
  }
  const given = call.integer(2)
  if (given === undefined) return
  const { length } = target
  const index = given < 0 ? given + length : given
  if (index < 0 || index >= length) {
    call.error(errors.indexOutOfRange)
    return
  }
  target.value().set(index, args.buf, args.start(3), args.end(3))
  target.close()
  reply.ok()
  call.changed(1, NOTIFY_LIST, 'lset')
}

function runLinsert(call: Call): void {
  const { args, reply } = call
  const isAfter = args.is(2, 'AFTER')
  if (!isAfter && !args.is(2, 'BEFORE')) {
    call.syntaxError()
    return
  }
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    reply.integer(0)
    return
  }
  const { length } = target
  const index = indexOf(call, ref, 3, length)
  if (index < 0) {
    reply.integer(-1)
    return
  }
  target.value().insert(isAfter ? index + 1 : index, args.buf, args.start(4), args.end(4))
  target.close()
  call.changed(1, NOTIFY_LIST, 'linsert')
  reply.integer(length + 1)
}

/** Index of the first element that equals argument i, -1 if there is none. */
function indexOf(call: Call, ref: number, i: number, length: number): number {
  const { args } = call
  const { buf } = args
  const pivotStart = args.start(i)
  const pivotEnd = args.end(i)
  let index = 0
  let isFound = false
  visitList(call, ref, 0, length, false, (bytes, start, end) => {
    isFound = equals(bytes, start, end, buf, pivotStart, pivotEnd)
    if (!isFound) index++
    return !isFound
  })
  return isFound ? index : -1
}

function runLrem(call: Call): void {
  const { args, reply } = call
  const count = call.integer(2)
  if (count === undefined) return
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    reply.integer(0)
    return
  }
  const removed = target.value().removeEqual(args.buf, args.start(3), args.end(3), Math.abs(count), count < 0)
  if (removed > 0) {
    const isLeft = target.close()
    call.effects.dirty += removed - 1
    call.changed(1, NOTIFY_LIST, 'lrem')
    if (!isLeft) call.event(args.view(1), NOTIFY_GENERIC, 'del')
  }
  reply.integer(removed)
}

function runLtrim(call: Call): void {
  const { args, reply } = call
  const first = call.integer(2)
  if (first === undefined) return
  const last = call.integer(3)
  if (last === undefined) return
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    reply.ok()
    return
  }
  const { length } = target
  const from = Math.min(length, Math.max(0, first < 0 ? first + length : first))
  const to = Math.max(from, Math.min(length, (last < 0 ? last + length : last) + 1))
  const removed = from === to ? length : length - (to - from)
  let isLeft = true
  if (removed > 0) {
    const list = target.value()
    if (from === to) {
      list.removeRange(0, length)
    } else {
      list.removeRange(to, length - to)
      list.removeRange(0, from)
    }
    isLeft = target.close()
  }
  call.event(args.view(1), NOTIFY_LIST, 'ltrim')
  if (!isLeft) call.event(args.view(1), NOTIFY_GENERIC, 'del')
  call.modified(args.buf, args.start(1), args.end(1))
  call.effects.dirty += removed
  reply.ok()
}

export const lset = command({
  name: 'lset',
  arity: 4,
  since: '1.0.0',
  summary: 'Set the value of an element in a list by its index',
  complexity:
    'O(N) where N is the length of the list. Setting either the first or the last element of the list is ' + 'O(1).',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.integer('index'), arg.string('element')],
  run: runLset,
})

export const linsert = command({
  name: 'linsert',
  arity: 5,
  since: '2.2.0',
  summary: 'Insert an element before or after another element in a list',
  complexity:
    'O(N) where N is the number of elements to traverse before seeing the value pivot. This means that ' +
    'inserting somewhere on the left end on the list (head) can be considered O(1) and inserting ' +
    'somewhere on the right end (tail) is O(N).',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [
    arg.key(),
    arg.oneof('where', [arg.token('BEFORE'), arg.token('AFTER')]),
    arg.string('pivot'),
    arg.string('element'),
  ],
  run: runLinsert,
})

export const lrem = command({
  name: 'lrem',
  arity: 4,
  since: '1.0.0',
  summary: 'Remove elements from a list',
  complexity: 'O(N+M) where N is the length of the list and M is the number of elements removed.',
  flags: ['write'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [arg.key(), arg.integer('count'), arg.string('element')],
  run: runLrem,
})

export const ltrim = command({
  name: 'ltrim',
  arity: 4,
  since: '1.0.0',
  summary: 'Trim a list to the specified range',
  complexity: 'O(N) where N is the number of elements to be removed by the operation.',
  flags: ['write'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [arg.key(), arg.integer('start'), arg.integer('stop')],
  run: runLtrim,
})
