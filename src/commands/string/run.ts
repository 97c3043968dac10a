/** handlers */
import { addLongDouble, formatLongDoubleHuman, parseLongDouble } from '../../bytes/doubles.ts'
import { parseInt64, parseInteger, writeInteger } from '../../bytes/integers.ts'
import { NOTIFY_GENERIC, NOTIFY_STRING } from '../../config/units.ts'
import { ENCODING_RAW, NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { errors } from '../errors.ts'

export function getCommand(call: Call): void {
  const ref = call.stringForRead(1)
  if (ref === 0) call.reply.nullBulk()
  else if (ref > 0) call.replyString(ref)
}
const NX = 1,
  XX = 2,
  KEEPTTL = 4,
  GET = 8,
  PERSIST = 16
let flags = 0
let expireAt = NO_EXPIRE
let unit = ''
function expireValue(call: Call, i: number, relative: boolean, seconds: boolean): boolean {
  const wide = call.args.int64(i)
  if (wide === undefined) {
    call.reply.error(errors.notInteger)
    return false
  }
  const name = call.command.name
  let ms = wide
  if (ms <= 0n || (seconds && ms > 0x7fffffffffffffffn / 1000n)) {
    call.reply.error(errors.invalidExpire(name))
    return false
  }
  if (seconds) ms *= 1000n
  if (relative) {
    if (ms > 0x7fffffffffffffffn - BigInt(call.now)) {
      call.reply.error(errors.invalidExpire(name))
      return false
    }
    ms += BigInt(call.now)
  }
  expireAt = Number(ms)
  return true
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
    else if (
      next &&
      unit === '' &&
      !(flags & (KEEPTTL | PERSIST)) &&
      (args.is(i, 'EX') || args.is(i, 'PX') || args.is(i, 'EXAT') || args.is(i, 'PXAT'))
    ) {
      unit = args.latin1(i).toUpperCase()
      valueAt = ++i
    } else {
      call.reply.error(errors.syntax)
      return false
    }
  }
  if (unit !== '') return expireValue(call, valueAt, !unit.endsWith('AT'), unit.startsWith('EX'))
  return true
}
export function setCommand(call: Call): void {
  if (call.args.argc === 3) {
    flags = 0
    expireAt = NO_EXPIRE
  } else if (!parseOptions(call, 3, true)) return
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
    call.propagateAs('SET', args.view(1), args.view(value), 'PXAT', String(expireAt))
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
export function setnxCommand(call: Call): void {
  flags = NX
  expireAt = NO_EXPIRE
  genericSet(call, 2, 'int')
}
export function setexCommand(call: Call): void {
  flags = 0
  if (expireValue(call, 2, true, true)) genericSet(call, 3)
}
export function psetexCommand(call: Call): void {
  flags = 0
  if (expireValue(call, 2, true, false)) genericSet(call, 3)
}
export function getsetCommand(call: Call): void {
  const ref = call.stringForRead(1)
  if (ref < 0) return
  if (ref === 0) call.reply.nullBulk()
  else call.replyString(ref)
  call.putString(1, ref, call.args.buf, call.args.start(2), call.args.end(2), NO_EXPIRE)
  call.changed(1, NOTIFY_STRING, 'set')
  call.propagateAs('SET', call.args.view(1), call.args.view(2))
}
export function getdelCommand(call: Call): void {
  const ref = call.stringForWrite(1)
  if (ref < 0) return
  if (ref === 0) {
    call.reply.nullBulk()
    return
  }
  call.replyString(ref)
  call.remove(ref)
  call.changed(1, NOTIFY_GENERIC, 'del')
  call.propagateAs('DEL', call.args.view(1))
}
export function getexCommand(call: Call): void {
  if (!parseOptions(call, 2, false)) return
  const ref = call.stringForWrite(1)
  if (ref < 0) return
  if (ref === 0) {
    call.reply.nullBulk()
    return
  }
  call.replyString(ref)
  const key = call.args.view(1)
  if (expireAt !== NO_EXPIRE) {
    if (expireAt < call.now && unit.endsWith('AT')) {
      call.remove(ref)
      call.changed(1, NOTIFY_GENERIC, 'del')
      call.propagateAs('DEL', key)
    } else {
      call.db.setExpire(call.hash, ref, expireAt)
      call.changed(1, NOTIFY_GENERIC, 'expire')
      call.propagateAs('PEXPIREAT', key, String(expireAt))
    }
  } else if ((flags & PERSIST) !== 0 && call.store.expireAt(ref) !== NO_EXPIRE) {
    call.db.setExpire(call.hash, ref, NO_EXPIRE)
    call.changed(1, NOTIFY_GENERIC, 'persist')
    call.propagateAs('PERSIST', key)
  }
}
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
export function incrCommand(call: Call): void {
  addInteger(call, 1)
}
export function decrCommand(call: Call): void {
  addInteger(call, -1)
}
export function incrbyCommand(call: Call): void {
  const n = call.args.integer(2)
  if (!Number.isNaN(n)) {
    addInteger(call, n)
    return
  }
  const wide = call.args.int64(2)
  if (wide === undefined) call.reply.error(errors.notInteger)
  else addInteger(call, wide)
}
export function decrbyCommand(call: Call): void {
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
export function incrbyfloatCommand(call: Call): void {
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
  call.putString(1, ref, text, 0, text.length, expires)
  call.changed(1, NOTIFY_STRING, 'incrbyfloat')
  call.reply.bulk(text)
  call.propagateAs('SET', args.view(1), text, 'KEEPTTL')
}
export function mgetCommand(call: Call): void {
  const { args, reply, store } = call
  reply.array(args.argc - 1)
  for (let i = 1; i < args.argc; i++) {
    const ref = call.lookupRead(i)
    if (ref === 0 || store.type(ref) !== 0) reply.nullBulk()
    else call.replyString(ref)
  }
}
export function msetCommand(call: Call): void {
  const { args } = call
  if (args.argc % 2 === 0) {
    call.reply.error(errors.wrongArity('mset'))
    return
  }
  for (let i = 1; i < args.argc; i += 2) {
    const ref = call.lookupWrite(i)
    call.putString(i, ref, args.buf, args.start(i + 1), args.end(i + 1), NO_EXPIRE)
    call.changed(i, NOTIFY_STRING, 'set')
  }
  call.reply.ok()
}
export function msetnxCommand(call: Call): void {
  const { args } = call
  if (args.argc % 2 === 0) {
    call.reply.error(errors.wrongArity('msetnx'))
    return
  }
  for (let i = 1; i < args.argc; i += 2)
    if (call.lookupWrite(i) !== 0) {
      call.reply.integer(0)
      return
    }
  for (let i = 1; i < args.argc; i += 2) {
    const ref = call.lookupWrite(i)
    call.putString(i, ref, args.buf, args.start(i + 1), args.end(i + 1), NO_EXPIRE)
    call.changed(i, NOTIFY_STRING, 'set')
  }
  call.reply.integer(1)
}
export function strlenCommand(call: Call): void {
  const ref = call.stringForRead(1)
  if (ref < 0) return
  if (ref === 0) {
    call.reply.integer(0)
    return
  }
  call.store.read(ref)
  call.reply.integer(call.store.end - call.store.start)
}
function tooLong(call: Call, length: number): boolean {
  if (length <= call.host.config.get('proto-max-bulk-len') || call.fromPrimary) return false
  call.reply.error(errors.stringTooLong)
  return true
}
export function appendCommand(call: Call): void {
  const ref = call.stringForWrite(1)
  if (ref < 0) return
  const { args, store } = call
  const added = args.length(2)
  if (ref === 0) {
    call.putString(1, 0, args.buf, args.start(2), args.end(2), NO_EXPIRE)
    call.changed(1, NOTIFY_STRING, 'append')
    call.reply.integer(added)
    return
  }
  store.read(ref)
  const old = store.end - store.start
  if (tooLong(call, old + added)) return
  call.db.writableString(call.hash, ref, old + added, ENCODING_RAW)
  store.bytes.set(args.view(2), store.start + old)
  call.changed(1, NOTIFY_STRING, 'append')
  call.reply.integer(old + added)
}
export function setrangeCommand(call: Call): void {
  const { args, store } = call
  const offset = call.integer(2)
  if (offset === undefined) return
  if (offset < 0) {
    call.reply.error('ERR offset is out of range')
    return
  }
  let ref = call.stringForWrite(1)
  if (ref < 0) return
  const length = args.length(3)
  let old = 0
  if (ref !== 0) {
    store.read(ref)
    old = store.end - store.start
  }
  if (length === 0) {
    call.reply.integer(old)
    return
  }
  if (tooLong(call, offset + length)) return
  if (ref === 0) ref = call.putString(1, 0, args.buf, 0, 0, NO_EXPIRE)
  call.db.writableString(call.hash, ref, Math.max(old, offset + length), ENCODING_RAW)
  store.bytes.set(args.view(3), store.start + offset)
  const total = store.end - store.start
  call.changed(1, NOTIFY_STRING, 'setrange')
  call.reply.integer(total)
}
export function getrangeCommand(call: Call): void {
  let start = call.integer(2)
  if (start === undefined) return
  let end = call.integer(3)
  if (end === undefined) return
  const ref = call.stringForRead(1)
  if (ref < 0) return
  const { store } = call
  if (ref === 0) {
    call.reply.bulk(scratch, 0, 0)
    return
  }
  store.read(ref)
  const length = store.end - store.start
  if (start < 0 && end < 0 && start > end) {
    call.reply.bulk(scratch, 0, 0)
    return
  }
  if (start < 0) start = Math.max(0, length + start)
  if (end < 0) end = Math.max(0, length + end)
  if (end >= length) end = length - 1
  if (start > end || length === 0) call.reply.bulk(scratch, 0, 0)
  else call.reply.bulk(store.bytes, store.start + start, store.start + end + 1)
}
