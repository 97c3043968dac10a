/** Reading whole strings: GET, MGET, STRLEN, and GETDEL and GETSET, which change them as they go. */
import { NOTIFY_GENERIC, NOTIFY_STRING } from '../../config/units.ts'
import { NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key, keyRange } from '../define.ts'

function getCommand(call: Call): void {
  const ref = call.stringForRead(1)
  if (ref === 0) call.reply.nullBulk()
  else if (ref > 0) call.replyString(ref)
}

function mgetCommand(call: Call): void {
  const { args, reply, store } = call
  reply.array(args.argc - 1)
  for (let i = 1; i < args.argc; i++) {
    const ref = call.lookupRead(i)
    if (ref === 0 || store.type(ref) !== 0) reply.nullBulk()
    else call.replyString(ref)
  }
}

function strlenCommand(call: Call): void {
  const ref = call.stringForRead(1)
  if (ref < 0) return
  if (ref === 0) {
    call.reply.integer(0)
    return
  }
  call.store.read(ref)
  call.reply.integer(call.store.end - call.store.start)
}

function getsetCommand(call: Call): void {
  const ref = call.stringForRead(1)
  if (ref < 0) return
  if (ref === 0) call.reply.nullBulk()
  else call.replyString(ref)
  call.putString(1, ref, call.args.buf, call.args.start(2), call.args.end(2), NO_EXPIRE)
  call.changed(1, NOTIFY_STRING, 'set')
  call.propagateAs('SET', call.args.view(1), call.args.view(2))
}

function getdelCommand(call: Call): void {
  const ref = call.stringForWrite(1)
  if (ref < 0) return
  if (ref === 0) {
    call.reply.nullBulk()
    return
  }
  call.replyString(ref)
  call.remove(ref)
  call.changed(1, NOTIFY_GENERIC, 'del')
  call.propagateAs(call.host.config.get('lazyfree-lazy-user-del') ? 'UNLINK' : 'DEL', call.args.view(1))
}

export const get = command({
  name: 'get',
  arity: 2,
  since: '1.0.0',
  summary: 'Get the value of a key',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: getCommand,
})

export const mget = command({
  name: 'mget',
  arity: -2,
  since: '1.0.0',
  summary: 'Get the values of all the given keys',
  complexity: 'O(N) where N is the number of keys to retrieve.',
  flags: ['readonly', 'fast'],
  hints: ['request_policy:multi_shard'],
  keys: [keyRange(1, -1, 1, 'RO', 'ACCESS')],
  args: [arg.key('key', { multiple: true })],
  run: mgetCommand,
})

export const strlen = command({
  name: 'strlen',
  arity: 2,
  since: '2.2.0',
  summary: 'Get the length of the value stored in a key',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key()],
  run: strlenCommand,
})

export const getset = command({
  name: 'getset',
  arity: 3,
  since: '1.0.0',
  summary: 'Set the string value of a key and return its old value',
  complexity: 'O(1)',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`SET` with the `!GET` argument',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.string('value')],
  run: getsetCommand,
})

export const getdel = command({
  name: 'getdel',
  arity: 2,
  since: '6.2.0',
  summary: 'Get the value of a key and delete the key',
  complexity: 'O(1)',
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key()],
  run: getdelCommand,
})
