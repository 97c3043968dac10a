/** Parts of strings: APPEND, SETRANGE, GETRANGE and its old name SUBSTR. */
import { NOTIFY_STRING } from '../../config/units.ts'
import { ENCODING_RAW, NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'

const EMPTY = Buffer.alloc(0)

function tooLong(call: Call, length: number): boolean {
  if (length <= call.host.config.get('proto-max-bulk-len') || call.fromPrimary) return false
  call.reply.error(errors.stringTooLong)
  return true
}

function appendCommand(call: Call): void {
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

function setrangeCommand(call: Call): void {
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

function getrangeCommand(call: Call): void {
  let start = call.integer(2)
  if (start === undefined) return
  let end = call.integer(3)
  if (end === undefined) return
  const ref = call.stringForRead(1)
  if (ref < 0) return
  const { store } = call
  if (ref === 0) {
    call.reply.bulk(EMPTY)
    return
  }
  store.read(ref)
  const length = store.end - store.start
  if (start < 0 && end < 0 && start > end) {
    call.reply.bulk(EMPTY)
    return
  }
  if (start < 0) start = Math.max(0, length + start)
  if (end < 0) end = Math.max(0, length + end)
  if (end >= length) end = length - 1
  if (start > end || length === 0) call.reply.bulk(EMPTY)
  else call.reply.bulk(store.bytes, store.start + start, store.start + end + 1)
}

export const append = command({
  name: 'append',
  arity: 3,
  since: '2.0.0',
  summary: 'Append a value to a key',
  complexity:
    'O(1). The amortized time complexity is O(1) assuming the appended value is small and the already ' +
    'present value is of any size, since the dynamic string library used by Redis will double the free ' +
    'space available on every reallocation.',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [arg.key(), arg.string('value')],
  run: appendCommand,
})

export const setrange = command({
  name: 'setrange',
  arity: 4,
  since: '2.2.0',
  summary: 'Overwrite part of a string at key starting at the specified offset',
  complexity:
    'O(1), not counting the time taken to copy the new string in place. Usually, this string is very ' +
    'small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of ' +
    'the value argument.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.integer('offset'), arg.string('value')],
  run: setrangeCommand,
})

export const getrange = command({
  name: 'getrange',
  arity: 4,
  since: '2.4.0',
  summary: 'Get a substring of the string stored at a key',
  complexity:
    'O(N) where N is the length of the returned string. The complexity is ultimately determined by the ' +
    'returned length, but because creating a substring from an existing string is very cheap, it can be ' +
    'considered O(1) for small strings.',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.integer('start'), arg.integer('end')],
  run: getrangeCommand,
})

export const substr = command({
  name: 'substr',
  arity: 4,
  since: '1.0.0',
  summary: 'Get a substring of the string stored at a key',
  complexity:
    'O(N) where N is the length of the returned string. The complexity is ultimately determined by the ' +
    'returned length, but because creating a substring from an existing string is very cheap, it can be ' +
    'considered O(1) for small strings.',
  docFlags: ['deprecated'],
  deprecatedSince: '2.0.0',
  replacedBy: '`GETRANGE`',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.integer('start'), arg.integer('end')],
  run: getrangeCommand,
})
