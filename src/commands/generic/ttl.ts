/** TTL, PTTL, EXPIRETIME and PEXPIRETIME: -2 without the key, -1 without an expire time. redis 7.0.15 expire.c ttlGenericCommand */
import { NO_EXPIRE } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { lookupUntouched } from './lookup.ts'

function replyTime(call: Call, unitMs: 1 | 1000, isAbsolute: boolean): void {
  const ref = lookupUntouched(call, 1)
  if (ref === 0) {
    call.reply.integer(-2)
    return
  }
  const expireAt = call.store.expireAt(ref)
  if (expireAt === NO_EXPIRE) {
    call.reply.integer(-1)
    return
  }
  const ms = Math.max(0, isAbsolute ? expireAt : expireAt - call.now)
  const time = unitMs === 1 ? ms : Math.floor((ms + 500) / 1000)
  call.reply.integer(Number.isSafeInteger(time) ? time : BigInt(time))
}

export const ttl = command({
  name: 'ttl',
  arity: 2,
  since: '1.0.0',
  summary: 'Get the time to live for a key in seconds',
  complexity: 'O(1)',
  history: [['2.8.0', 'Added the -2 reply.']],
  flags: ['readonly', 'fast'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: (call) => replyTime(call, 1000, false),
})

export const pttl = command({
  name: 'pttl',
  arity: 2,
  since: '2.6.0',
  summary: 'Get the time to live for a key in milliseconds',
  complexity: 'O(1)',
  history: [['2.8.0', 'Added the -2 reply.']],
  flags: ['readonly', 'fast'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: (call) => replyTime(call, 1, false),
})

export const expiretime = command({
  name: 'expiretime',
  arity: 2,
  since: '7.0.0',
  summary: 'Get the expiration Unix timestamp for a key',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: (call) => replyTime(call, 1000, true),
})

export const pexpiretime = command({
  name: 'pexpiretime',
  arity: 2,
  since: '7.0.0',
  summary: 'Get the expiration Unix timestamp for a key in milliseconds',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: (call) => replyTime(call, 1, true),
})
