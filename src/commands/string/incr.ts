/** Counters: integers of 64 bits (BigInt only beyond 2^53) and long doubles. redis 7.0.15 t_string.c incrDecrCommand, incrbyfloatCommand */
import { addLongDouble, formatLongDoubleHuman, parseLongDouble } from '../../bytes/doubles.ts'
import { parseInt64, parseInteger, writeInteger } from '../../bytes/integers.ts'
import { NOTIFY_STRING } from '../../config/units.ts'
import { ENCODING_TEXT, NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'

const scratch = Buffer.alloc(32)

function addInteger(call: Call, amount: bigint | number): void {
  const ref = call.stringForWrite(1)
  if (ref < 0) return
  const { store } = call
  let expires = NO_EXPIRE
  let old = 0
  if (ref !== 0) {
    store.read(ref)
    expires = store.expireAt(ref)
    old = parseInteger(store.bytes, store.start, store.end)
  }
  if (typeof amount === 'number' && !Number.isNaN(old) && Number.isSafeInteger(old + amount)) {
    const sum = old + amount
    const length = writeInteger(scratch, 0, sum)
    call.putString(1, ref, scratch, 0, length, expires)
    call.changed(1, NOTIFY_STRING, 'incrby')
    call.reply.integer(sum)
    return
  }
  const wide = ref === 0 ? 0n : parseInt64(store.bytes, store.start, store.end)
  if (wide === undefined) {
    call.reply.error(errors.notInteger)
    return
  }
  const sum = wide + BigInt(amount)
  if (BigInt.asIntN(64, sum) !== sum) {
    call.reply.error(errors.incrOverflow)
    return
  }
  const text = Buffer.from(String(sum), 'latin1')
  call.putString(1, ref, text, 0, text.length, expires)
  call.changed(1, NOTIFY_STRING, 'incrby')
  call.reply.integer(sum)
}

function incrCommand(call: Call): void {
  addInteger(call, 1)
}

function decrCommand(call: Call): void {
  addInteger(call, -1)
}

function incrbyCommand(call: Call): void {
  const n = call.args.integer(2)
  if (!Number.isNaN(n)) {
    addInteger(call, n)
    return
  }
  const wide = call.args.int64(2)
  if (wide === undefined) call.reply.error(errors.notInteger)
  else addInteger(call, wide)
}

function decrbyCommand(call: Call): void {
  const n = call.args.integer(2)
  if (!Number.isNaN(n)) {
    addInteger(call, -n)
    return
  }
  const wide = call.args.int64(2)
  if (wide === undefined) call.reply.error(errors.notInteger)
  else if (wide === -0x8000000000000000n) call.reply.error(errors.decrOverflow)
  else addInteger(call, -wide)
}

function incrbyfloatCommand(call: Call): void {
  const ref = call.stringForWrite(1)
  if (ref < 0) return
  const { store, args } = call
  let old = parseLongDouble(Buffer.from('0'), 0, 1)!
  let expires = NO_EXPIRE
  if (ref !== 0) {
    store.read(ref)
    expires = store.expireAt(ref)
    const parsed = parseLongDouble(store.bytes, store.start, store.end)
    if (parsed === undefined) {
      call.reply.error(errors.notFloat)
      return
    }
    old = parsed
  }
  const amount = parseLongDouble(args.buf, args.start(2), args.end(2))
  if (amount === undefined) {
    call.reply.error(errors.notFloat)
    return
  }
  const sum = addLongDouble(old, amount)
  if (!sum.isFinite()) {
    call.reply.error(errors.incrNanOrInfinity)
    return
  }
  const text = Buffer.from(formatLongDoubleHuman(sum), 'latin1')
  call.putString(1, ref, text, 0, text.length, expires, ENCODING_TEXT)
  call.changed(1, NOTIFY_STRING, 'incrbyfloat')
  call.reply.bulk(text)
  call.propagateAs('SET', args.view(1), text, 'KEEPTTL')
}

export const incr = command({
  name: 'incr',
  arity: 2,
  since: '1.0.0',
  summary: 'Increment the integer value of a key by one',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key()],
  run: incrCommand,
})

export const decr = command({
  name: 'decr',
  arity: 2,
  since: '1.0.0',
  summary: 'Decrement the integer value of a key by one',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key()],
  run: decrCommand,
})

export const incrby = command({
  name: 'incrby',
  arity: 3,
  since: '1.0.0',
  summary: 'Increment the integer value of a key by the given amount',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.integer('increment')],
  run: incrbyCommand,
})

export const decrby = command({
  name: 'decrby',
  arity: 3,
  since: '1.0.0',
  summary: 'Decrement the integer value of a key by the given number',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.integer('decrement')],
  run: decrbyCommand,
})

export const incrbyfloat = command({
  name: 'incrbyfloat',
  arity: 3,
  since: '2.6.0',
  summary: 'Increment the float value of a key by the given amount',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.double('increment')],
  run: incrbyfloatCommand,
})
