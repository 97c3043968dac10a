/**
 * Writing whole strings with their options: SET, SETNX, SETEX, PSETEX, and GETEX, which shares the options of time.
 * What replicas are told has absolute times. redis 7.0.15 t_string.c setGenericCommand, parseExtendedStringArgumentsOrReply
 */
import { NOTIFY_GENERIC, NOTIFY_STRING } from '../../config/units.ts'
import type { Request } from '../../resp/request.ts'
import { NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { setKeys } from '../movable-keys.ts'

const NX = 1
const XX = 2
const KEEPTTL = 4
const GET = 8
const PERSIST = 16
/** With no more than this, nothing that is computed leaves the safe integers. */
const SIMPLE_MAX = 1e12
const INT64_MAX = 0x7fffffffffffffffn

// The options of the command being run: fields instead of an object, because SET must not allocate.
let flags = 0
let expireAt = NO_EXPIRE
let unit = ''
let unitValueAt = 0

function expireValue(call: Call, i: number, relative: boolean, seconds: boolean): boolean {
  const value = call.args.integer(i)
  if (value > 0 && value <= SIMPLE_MAX) {
    expireAt = (seconds ? value * 1000 : value) + (relative ? call.now : 0)
    return true
  }
  const wide = call.args.int64(i)
  if (wide === undefined) {
    call.reply.error(errors.notInteger)
    return false
  }
  const name = call.command.name
  let ms = wide
  if (ms <= 0n || (seconds && ms > INT64_MAX / 1000n)) {
    call.reply.error(errors.invalidExpire(name))
    return false
  }
  if (seconds) ms *= 1000n
  if (relative) {
    if (ms > INT64_MAX - BigInt(call.now)) {
      call.reply.error(errors.invalidExpire(name))
      return false
    }
    ms += BigInt(call.now)
  }
  expireAt = Number(ms)
  return true
}

function timeUnit(args: Request, i: number): string {
  if (args.is(i, 'EX')) return 'EX'
  if (args.is(i, 'PX')) return 'PX'
  if (args.is(i, 'EXAT')) return 'EXAT'
  return args.is(i, 'PXAT') ? 'PXAT' : ''
}

function parseOptions(call: Call, from: number, isSet: boolean): boolean {
  flags = 0
  expireAt = NO_EXPIRE
  unit = ''
  const { args } = call
  let valueAt = 0
  for (let i = from; i < args.argc; i++) {
    const next = i + 1 < args.argc
    if (isSet && args.is(i, 'NX') && !(flags & XX)) flags |= NX
    else if (isSet && args.is(i, 'XX') && !(flags & NX)) flags |= XX
    else if (isSet && args.is(i, 'GET')) flags |= GET
    else if (isSet && args.is(i, 'KEEPTTL') && unit === '' && !(flags & PERSIST)) flags |= KEEPTTL
    else if (!isSet && args.is(i, 'PERSIST') && unit === '') flags |= PERSIST
    else {
      const found = next && !(flags & (KEEPTTL | PERSIST)) ? timeUnit(args, i) : ''
      if (found === '' || (unit !== '' && unit !== found)) {
        call.reply.error(errors.syntax)
        return false
      }
      unit = found
      valueAt = ++i
    }
  }
  unitValueAt = valueAt
  return true
}

/** Reads the time behind EX, PX, EXAT or PXAT, if there was one. False after the error. */
function readExpire(call: Call): boolean {
  return unit === '' || expireValue(call, unitValueAt, !unit.endsWith('AT'), unit.startsWith('EX'))
}

function setCommand(call: Call): void {
  if (call.args.argc === 3) {
    flags = 0
    expireAt = NO_EXPIRE
    unit = ''
  } else if (!parseOptions(call, 3, true)) return
  if (!readExpire(call)) return
  genericSet(call, 2)
}

function genericSet(call: Call, value: number, okReply: 'ok' | 'int' = 'ok'): void {
  const { args, reply } = call
  let ref = call.lookupWrite(1)
  if ((flags & GET) !== 0) {
    if (ref === 0) reply.nullBulk()
    else if (call.store.type(ref) !== 0) {
      reply.error(errors.wrongType)
      return
    } else call.replyString(ref)
  }
  if (((flags & NX) !== 0 && ref !== 0) || ((flags & XX) !== 0 && ref === 0)) {
    if ((flags & GET) === 0) {
      if (okReply === 'int') reply.integer(0)
      else reply.nullBulk()
    }
    return
  }
  let at = expireAt
  if ((flags & KEEPTTL) !== 0 && ref !== 0) at = call.store.expireAt(ref)
  const hadExpire = expireAt !== NO_EXPIRE
  ref = call.putString(1, ref, args.buf, args.start(value), args.end(value), at)
  call.changed(1, NOTIFY_STRING, 'set')
  if (hadExpire) {
    if (call.host.notifies !== 0) call.event(args.view(1), NOTIFY_GENERIC, 'expire')
    call.propagateBy('SET', 5)?.argument(args, 1).argument(args, value).text('PXAT').integer(expireAt)
  } else if ((flags & GET) !== 0 && call.host.propagates) {
    const list: (string | Uint8Array)[] = []
    for (let i = 0; i < args.argc; i++) if (i < 3 || !args.is(i, 'GET')) list.push(args.view(i))
    call.propagateAs(...list)
  }
  if ((flags & GET) === 0) {
    if (okReply === 'int') reply.integer(1)
    else reply.ok()
  }
}

function setnxCommand(call: Call): void {
  flags = NX
  expireAt = NO_EXPIRE
  genericSet(call, 2, 'int')
}

function setexCommand(call: Call): void {
  flags = 0
  if (expireValue(call, 2, true, true)) genericSet(call, 3)
}

function psetexCommand(call: Call): void {
  flags = 0
  if (expireValue(call, 2, true, false)) genericSet(call, 3)
}

function getexCommand(call: Call): void {
  if (!parseOptions(call, 2, false)) return
  const ref = call.stringForWrite(1)
  if (ref < 0) return
  if (ref === 0) {
    call.reply.nullBulk()
    return
  }
  if (!readExpire(call)) return
  call.replyString(ref)
  const key = call.args.view(1)
  if (expireAt !== NO_EXPIRE) {
    if (expireAt < call.now && unit.endsWith('AT')) {
      call.remove(ref)
      call.changed(1, NOTIFY_GENERIC, 'del')
      call.propagateAs(call.host.config.get('lazyfree-lazy-user-del') ? 'UNLINK' : 'DEL', key)
    } else {
      call.db.setExpire(call.hash, ref, expireAt)
      call.changed(1, NOTIFY_GENERIC, 'expire')
      call.propagateBy('PEXPIREAT', 3)?.argument(call.args, 1).integer(expireAt)
    }
  } else if ((flags & PERSIST) !== 0 && call.store.expireAt(ref) !== NO_EXPIRE) {
    call.db.setExpire(call.hash, ref, NO_EXPIRE)
    call.changed(1, NOTIFY_GENERIC, 'persist')
    call.propagateAs('PERSIST', key)
  }
}

export const set = command({
  name: 'set',
  arity: -3,
  since: '1.0.0',
  summary: 'Set the string value of a key',
  complexity: 'O(1)',
  history: [
    ['2.6.12', 'Added the `EX`, `PX`, `NX` and `XX` options.'],
    ['6.0.0', 'Added the `KEEPTTL` option.'],
    ['6.2.0', 'Added the `GET`, `EXAT` and `PXAT` option.'],
    ['7.0.0', 'Allowed the `NX` and `GET` options to be used together.'],
  ],
  flags: ['write', 'denyoom'],
  keys: [
    {
      ...key(1, 'RW', 'ACCESS', 'UPDATE', 'VARIABLE_FLAGS'),
      notes: 'RW and ACCESS due to the optional `GET` argument',
    },
  ],
  getKeys: setKeys,
  args: [
    arg.key(),
    arg.string('value'),
    arg.oneof('condition', [arg.token('NX'), arg.token('XX')], { since: '2.6.12', optional: true }),
    arg.token('GET', { since: '6.2.0', optional: true }),
    arg.oneof(
      'expiration',
      [
        arg.integer('seconds', { token: 'EX', since: '2.6.12' }),
        arg.integer('milliseconds', { token: 'PX', since: '2.6.12' }),
        arg.unixTime('unix-time-seconds', { token: 'EXAT', since: '6.2.0' }),
        arg.unixTime('unix-time-milliseconds', { token: 'PXAT', since: '6.2.0' }),
        arg.token('KEEPTTL', { since: '6.0.0' }),
      ],
      { optional: true },
    ),
  ],
  run: setCommand,
})

export const setnx = command({
  name: 'setnx',
  arity: 3,
  since: '1.0.0',
  summary: 'Set the value of a key, only if the key does not exist',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'OW', 'INSERT')],
  args: [arg.key(), arg.string('value')],
  run: setnxCommand,
})

export const setex = command({
  name: 'setex',
  arity: 4,
  since: '2.0.0',
  summary: 'Set the value and expiration of a key',
  complexity: 'O(1)',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE')],
  args: [arg.key(), arg.integer('seconds'), arg.string('value')],
  run: setexCommand,
})

export const psetex = command({
  name: 'psetex',
  arity: 4,
  since: '2.6.0',
  summary: 'Set the value and expiration in milliseconds of a key',
  complexity: 'O(1)',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE')],
  args: [arg.key(), arg.integer('milliseconds'), arg.string('value')],
  run: psetexCommand,
})

export const getex = command({
  name: 'getex',
  arity: -2,
  since: '6.2.0',
  summary: 'Get the value of a key and optionally set its expiration',
  complexity: 'O(1)',
  flags: ['write', 'fast'],
  keys: [{ ...key(1, 'RW', 'ACCESS', 'UPDATE'), notes: 'RW and UPDATE because it changes the TTL' }],
  args: [
    arg.key(),
    arg.oneof(
      'expiration',
      [
        arg.integer('seconds', { token: 'EX' }),
        arg.integer('milliseconds', { token: 'PX' }),
        arg.unixTime('unix-time-seconds', { token: 'EXAT' }),
        arg.unixTime('unix-time-milliseconds', { token: 'PXAT' }),
        arg.token('PERSIST'),
      ],
      { optional: true },
    ),
  ],
  run: getexCommand,
})
