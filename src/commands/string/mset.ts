/** Several keys at once: MSET, and MSETNX, which sets all or none. */
import { NOTIFY_STRING } from '../../config/units.ts'
import { NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, keyRange } from '../define.ts'
import { errors } from '../errors.ts'

function msetCommand(call: Call): void {
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

function msetnxCommand(call: Call): void {
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

export const mset = command({
  name: 'mset',
  arity: -3,
  since: '1.0.1',
  summary: 'Set multiple keys to multiple values',
  complexity: 'O(N) where N is the number of keys to set.',
  flags: ['write', 'denyoom'],
  hints: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
  keys: [keyRange(1, -1, 2, 'OW', 'UPDATE')],
  args: [arg.block('key_value', [arg.key(), arg.string('value')], { multiple: true })],
  run: msetCommand,
})

export const msetnx = command({
  name: 'msetnx',
  arity: -3,
  since: '1.0.1',
  summary: 'Set multiple keys to multiple values, only if none of the keys exist',
  complexity: 'O(N) where N is the number of keys to set.',
  flags: ['write', 'denyoom'],
  hints: ['request_policy:multi_shard', 'response_policy:agg_min'],
  keys: [keyRange(1, -1, 2, 'OW', 'INSERT')],
  args: [arg.block('key_value', [arg.key(), arg.string('value')], { multiple: true })],
  run: msetnxCommand,
})
