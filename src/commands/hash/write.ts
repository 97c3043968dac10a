/** Commands that change hashes. redis 7.0.15 t_hash.c */
import { addLongDouble, formatLongDoubleHuman, LongDouble, parseLongDouble } from '../../bytes/doubles.ts'
import { integerLength, parseInt64, parseInteger, writeInteger } from '../../bytes/integers.ts'
import { NOTIFY_GENERIC, NOTIFY_HASH } from '../../config/units.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { target } from './target.ts'

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const digits = Buffer.alloc(24)

function setFields(call: Call): number {
  const { args } = call
  const { buf } = args
  let created = 0
  for (let i = 2; i < args.argc; i += 2) {
    const isNew = target.set(buf, args.start(i), args.end(i), buf, args.start(i + 1), args.end(i + 1))
    if (isNew) created++
  }
  target.close()
  call.effects.dirty += (args.argc - 2) / 2 - 1
  return created
}

function runHset(call: Call): void {
  if (call.args.argc % 2 === 1) {
    call.wrongArity()
    return
  }
  if (target.open(call) === WRONG_TYPE) return
  const created = setFields(call)
  call.reply.integer(created)
  call.changed(1, NOTIFY_HASH, 'hset')
}

function runHmset(call: Call): void {
  if (call.args.argc % 2 === 1) {
    call.wrongArity()
    return
  }
  if (target.open(call) === WRONG_TYPE) return
  setFields(call)
  call.reply.ok()
  call.changed(1, NOTIFY_HASH, 'hset')
}

function runHsetnx(call: Call): void {
  const { args, reply } = call
  if (target.open(call) === WRONG_TYPE) return
  if (target.find(args.buf, args.start(2), args.end(2))) {
    reply.integer(0)
    return
  }
  setFields(call)
  reply.integer(1)
  call.changed(1, NOTIFY_HASH, 'hset')
}

function runHdel(call: Call): void {
  const { args, reply } = call
  const ref = target.open(call)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    reply.integer(0)
    return
  }
  let deleted = 0
  for (let i = 2; i < args.argc && target.size > 0; i++) {
    if (target.delete(args.buf, args.start(i), args.end(i))) deleted++
  }
  if (deleted > 0) {
    const isLeft = target.close()
    call.effects.dirty += deleted - 1
    call.changed(1, NOTIFY_HASH, 'hdel')
    if (!isLeft) call.event(args.view(1), NOTIFY_GENERIC, 'del')
  }
  reply.integer(deleted)
}

function runHincrby(call: Call): void {
  const { args, reply } = call
  const increment = args.integer(3)
  const wide = Number.isNaN(increment) ? args.int64(3) : undefined
  if (Number.isNaN(increment) && wide === undefined) {
    call.error(errors.notInteger)
    return
  }
  if (target.open(call) === WRONG_TYPE) return
  const start = args.start(2)
  const end = args.end(2)
  const isThere = target.find(args.buf, start, end)
  const old = isThere ? parseInteger(target.bytes, target.start, target.end) : 0
  const sum = old + increment
  if (Number.isSafeInteger(sum)) {
    writeInteger(digits, 0, sum)
    target.set(args.buf, start, end, digits, 0, integerLength(sum))
    reply.integer(sum)
  } else {
    const exact = addWide(call, isThere, wide ?? BigInt(increment))
    if (exact === undefined) return
    const text = Buffer.from(exact.toString(), 'latin1')
    target.set(args.buf, start, end, text, 0, text.length)
    reply.integer(exact)
  }
  target.close()
  call.changed(1, NOTIFY_HASH, 'hincrby')
}

/** The sum of the value that target has found and the increment, in all 64 bits; undefined after the error. */
function addWide(call: Call, isThere: boolean, increment: bigint): bigint | undefined {
  const old = isThere ? parseInt64(target.bytes, target.start, target.end) : 0n
  if (old === undefined) {
    call.error('ERR hash value is not an integer')
    return undefined
  }
  const sum = old + increment
  if (sum >= INT64_MIN && sum <= INT64_MAX) return sum
  call.error(errors.incrOverflow)
  return undefined
}

function runHincrbyfloat(call: Call): void {
  const { args, reply } = call
  const increment = parseLongDouble(args.buf, args.start(3), args.end(3))
  if (increment === undefined) {
    call.error(errors.notFloat)
    return
  }
  if (!increment.isFinite()) {
    call.error('ERR value is NaN or Infinity')
    return
  }
  if (target.open(call) === WRONG_TYPE) return
  const start = args.start(2)
  const end = args.end(2)
  const isThere = target.find(args.buf, start, end)
  const old = isThere ? parseLongDouble(target.bytes, target.start, target.end) : new LongDouble('finite', false)
  if (old === undefined) {
    call.error('ERR hash value is not a float')
    return
  }
  const sum = addLongDouble(old, increment)
  if (!sum.isFinite()) {
    call.error(errors.incrNanOrInfinity)
    return
  }
  const text = Buffer.from(formatLongDoubleHuman(sum), 'latin1')
  target.set(args.buf, start, end, text, 0, text.length)
  target.close()
  reply.bulk(text)
  // The sum itself, so that replicas need not compute alike.
  call.propagateAs('HSET', args.view(1), args.view(2), text)
  call.changed(1, NOTIFY_HASH, 'hincrbyfloat')
}

export const hset = command({
  name: 'hset',
  arity: -4,
  since: '2.0.0',
  summary: 'Set the string value of a hash field',
  complexity:
    'O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called ' +
    'with multiple field/value pairs.',
  history: [['4.0.0', 'Accepts multiple `field` and `value` arguments.']],
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.block('field_value', [arg.string('field'), arg.string('value')], { multiple: true })],
  run: runHset,
})

export const hmset = command({
  name: 'hmset',
  arity: -4,
  since: '2.0.0',
  summary: 'Set multiple hash fields to multiple values',
  complexity: 'O(N) where N is the number of fields being set.',
  docFlags: ['deprecated'],
  deprecatedSince: '4.0.0',
  replacedBy: '`HSET` with multiple field-value pairs',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.block('field_value', [arg.string('field'), arg.string('value')], { multiple: true })],
  run: runHmset,
})

export const hsetnx = command({
  name: 'hsetnx',
  arity: 4,
  since: '2.0.0',
  summary: 'Set the value of a hash field, only if the field does not exist',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [arg.key(), arg.string('field'), arg.string('value')],
  run: runHsetnx,
})

export const hdel = command({
  name: 'hdel',
  arity: -3,
  since: '2.0.0',
  summary: 'Delete one or more hash fields',
  complexity: 'O(N) where N is the number of fields to be removed.',
  history: [['2.4.0', 'Accepts multiple `field` arguments.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [arg.key(), arg.string('field', { multiple: true })],
  run: runHdel,
})

export const hincrby = command({
  name: 'hincrby',
  arity: 4,
  since: '2.0.0',
  summary: 'Increment the integer value of a hash field by the given number',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.string('field'), arg.integer('increment')],
  run: runHincrby,
})

export const hincrbyfloat = command({
  name: 'hincrbyfloat',
  arity: 4,
  since: '2.6.0',
  summary: 'Increment the float value of a hash field by the given amount',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.string('field'), arg.double('increment')],
  run: runHincrbyfloat,
})
