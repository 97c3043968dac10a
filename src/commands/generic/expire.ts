/**
 * EXPIRE and its kin: relative or absolute, in seconds or milliseconds, they all set one Unix time in milliseconds, and are
 * propagated as PEXPIREAT, so that replicas do not depend on when they hear of it. A time that is past already deletes the
 * key, and is propagated as DEL. Follows redis 7.0.15 expire.c expireGenericCommand.
 *
 * Numbers up to 2^43 are computed as such; what is beyond is computed as int64, for the sake of Redis's overflow checks.
 */
import { formatInteger, NOTIFY_GENERIC } from '../../config/units.ts'
import { NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { isAlreadyExpired, removeKey } from './lookup.ts'

const NX = 1
const XX = 2
const GT = 4
const LT = 8

const SIMPLE_MAX = 2 ** 43
const LLONG_MAX = 2n ** 63n - 1n
const LLONG_MIN = -(2n ** 63n)

/** Sets the expire time argument 2 × `unitMs` + `baseMs`. */
function expireGeneric(call: Call, baseMs: number, unitMs: 1 | 1000): void {
  const { args, reply, store } = call
  const condition = args.argc > 3 ? conditionBits(call) : 0
  if (condition < 0) return
  let when = args.integer(2)
  if (Math.abs(when) <= SIMPLE_MAX) {
    when = when * unitMs + baseMs
  } else {
    const exact = exactTime(call, BigInt(baseMs), BigInt(unitMs))
    if (exact === undefined) return
    when = Number(exact)
  }
  const ref = call.lookupWrite(1)
  if (ref === 0 || (condition !== 0 && !isMet(condition, when, store.expireAt(ref)))) {
    reply.integer(0)
    return
  }
  if (isAlreadyExpired(call, when)) {
    removeKey(call, call.db, call.hash, ref, 1)
    call.propagateAs(call.host.config.get('lazyfree-lazy-expire') ? 'UNLINK' : 'DEL', args.view(1))
    call.changed(1, NOTIFY_GENERIC, 'del')
    reply.integer(1)
    return
  }
  // A negative time (only a replica comes here with one) is as past as zero, and must not be taken for NO_EXPIRE.
  call.db.setExpire(call.hash, ref, Math.max(0, when))
  if (baseMs !== 0 || unitMs !== 1) propagateTime(call, when)
  call.changed(1, NOTIFY_GENERIC, 'expire')
  reply.integer(1)
}

function exactTime(call: Call, baseMs: bigint, unitMs: bigint): bigint | undefined {
  const value = call.args.int64(2)
  if (value === undefined) {
    call.error(errors.notInteger)
    return undefined
  }
  if (value > LLONG_MAX / unitMs || value < LLONG_MIN / unitMs || value * unitMs > LLONG_MAX - baseMs) {
    call.error(errors.invalidExpire(call.command.fullName))
    return undefined
  }
  return value * unitMs + baseMs
}

/** The options as bits, -1 after an error. redis 7.0.15 expire.c parseExtendedExpireArgumentsOrReply */
function conditionBits(call: Call): number {
  const { args } = call
  let bits = 0
  for (let i = 3; i < args.argc; i++) {
    if (args.is(i, 'NX')) bits |= NX
    else if (args.is(i, 'XX')) bits |= XX
    else if (args.is(i, 'GT')) bits |= GT
    else if (args.is(i, 'LT')) bits |= LT
    else {
      call.error(`ERR Unsupported option ${args.cString(i)}`)
      return -1
    }
  }
  if ((bits & NX) !== 0 && bits !== NX) {
    call.error('ERR NX and XX, GT or LT options at the same time are not compatible')
    return -1
  }
  if ((bits & GT) !== 0 && (bits & LT) !== 0) {
    call.error('ERR GT and LT options at the same time are not compatible')
    return -1
  }
  return bits
}

/** A key without expire time counts as one that lives for ever. */
function isMet(condition: number, when: number, current: number): boolean {
  const expires = current !== NO_EXPIRE
  if ((condition & NX) !== 0 && expires) return false
  if ((condition & XX) !== 0 && !expires) return false
  if ((condition & GT) !== 0 && (!expires || when <= current)) return false
  return (condition & LT) === 0 || !expires || when < current
}

function propagateTime(call: Call, when: number): void {
  const { args } = call
  const command = call.propagateBy('PEXPIREAT', args.argc)
  if (command === null) return
  command.argument(args, 1)
  if (Number.isSafeInteger(when)) command.integer(when)
  else command.text(formatInteger(when))
  for (let i = 3; i < args.argc; i++) command.argument(args, i)
}

function runPersist(call: Call): void {
  const ref = call.lookupWrite(1)
  if (ref === 0 || call.store.expireAt(ref) === NO_EXPIRE) {
    call.reply.integer(0)
    return
  }
  call.db.setExpire(call.hash, ref, NO_EXPIRE)
  call.changed(1, NOTIFY_GENERIC, 'persist')
  call.reply.integer(1)
}

const CONDITION = arg.oneof('condition', [arg.token('NX'), arg.token('XX'), arg.token('GT'), arg.token('LT')], {
  since: '7.0.0',
  optional: true,
})

export const expire = command({
  name: 'expire',
  arity: -3,
  since: '1.0.0',
  summary: "Set a key's time to live in seconds",
  complexity: 'O(1)',
  history: [['7.0.0', 'Added options: `NX`, `XX`, `GT` and `LT`.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.integer('seconds'), CONDITION],
  run: (call) => expireGeneric(call, call.now, 1000),
})

export const expireat = command({
  name: 'expireat',
  arity: -3,
  since: '1.2.0',
  summary: 'Set the expiration for a key as a UNIX timestamp',
  complexity: 'O(1)',
  history: [['7.0.0', 'Added options: `NX`, `XX`, `GT` and `LT`.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.unixTime('unix-time-seconds'), CONDITION],
  run: (call) => expireGeneric(call, 0, 1000),
})

export const pexpire = command({
  name: 'pexpire',
  arity: -3,
  since: '2.6.0',
  summary: "Set a key's time to live in milliseconds",
  complexity: 'O(1)',
  history: [['7.0.0', 'Added options: `NX`, `XX`, `GT` and `LT`.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.integer('milliseconds'), CONDITION],
  run: (call) => expireGeneric(call, call.now, 1),
})

export const pexpireat = command({
  name: 'pexpireat',
  arity: -3,
  since: '2.6.0',
  summary: 'Set the expiration for a key as a UNIX timestamp specified in milliseconds',
  complexity: 'O(1)',
  history: [['7.0.0', 'Added options: `NX`, `XX`, `GT` and `LT`.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.unixTime('unix-time-milliseconds'), CONDITION],
  run: (call) => expireGeneric(call, 0, 1),
})

export const persist = command({
  name: 'persist',
  arity: 2,
  since: '2.2.0',
  summary: 'Remove the expiration from a key',
  complexity: 'O(1)',
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key()],
  run: runPersist,
})
