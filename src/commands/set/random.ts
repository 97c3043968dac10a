/** SPOP and SRANDMEMBER. redis 7.0.15 t_set.c spopWithCountCommand, srandmemberWithCountCommand */

import { hashBytes } from '../../bytes/siphash.ts'
import { NOTIFY_GENERIC, NOTIFY_SET } from '../../config/units.ts'
import { ENCODING_INTSET, ENCODING_LISTPACK, TYPE_SET } from '../../store/record.ts'
import { packedMembers, type SetValue, setSize } from '../../store/values/set.ts'
import { positiveArgument, signedCountArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { distinctIndexes } from '../sample.ts'
import { replyMembers } from './basics.ts'
import { target } from './target.ts'

function isPacked(call: Call, ref: number): boolean {
  const encoding = call.store.encoding(ref)
  return encoding === ENCODING_INTSET || encoding === ENCODING_LISTPACK
}

/** Takes `count` members, fewer than there are, out of the set, which was looked up just now. Gives each to `taken`. */
function popMembers(call: Call, ref: number, count: number, size: number, taken: (member: Buffer) => void): void {
  const { db, hash, store } = call
  const { random } = call.host
  if (isPacked(call, ref)) {
    const indexes = count < size ? distinctIndexes(size, count, random) : [0]
    const members = packedMembers(store, ref, indexes)
    target.begin(call, hash, ref)
    for (const member of members) {
      taken(member)
      target.remove(member, 0, member.length)
    }
    target.close(1)
    return
  }
  const { table } = store.structure<SetValue>(ref)
  db.beforeChange(hash, ref)
  for (let i = 0; i < count; i++) {
    const entry = table.random(random)
    table.read(entry)
    const { bytes, start, end } = table
    taken(bytes.subarray(start, end))
    table.remove(hashBytes(bytes, start, end), entry)
  }
  if (table.size === 0) db.remove(hash, ref)
  else store.recount(ref)
}

function popOne(call: Call): void {
  const { args, reply } = call
  const ref = call.typedForWrite(1, TYPE_SET)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    reply.nullBulk()
    return
  }
  const size = setSize(call.store, ref)
  popMembers(call, ref, 1, size, (member) => {
    reply.bulk(member)
    call.propagateAs('SREM', args.view(1), member)
  })
  call.event(args.view(1), NOTIFY_SET, 'spop')
  if (size === 1) call.event(args.view(1), NOTIFY_GENERIC, 'del')
  call.modified(args.buf, args.start(1), args.end(1))
  call.effects.dirty++
}

function popMany(call: Call): void {
  const { args, db, effects, reply } = call
  const count = positiveArgument(call, 2)
  if (count === undefined) return
  const ref = call.typedForWrite(1, TYPE_SET)
  if (ref === WRONG_TYPE) return
  if (ref === 0 || count === 0) {
    reply.set(0)
    return
  }
  const { hash } = call
  const size = setSize(call.store, ref)
  call.event(args.view(1), NOTIFY_SET, 'spop')
  effects.dirty += Math.min(count, size)
  reply.set(Math.min(count, size))
  if (count >= size) {
    replyMembers(call, ref)
    db.remove(hash, ref)
    call.event(args.view(1), NOTIFY_GENERIC, 'del')
    call.propagateAs('DEL', args.view(1))
  } else {
    popMembers(call, ref, count, size, (member) => {
      reply.bulk(member)
      if (call.host.propagates) call.alsoPropagate('SREM', args.view(1), member)
    })
    effects.prevented = true
  }
  call.modified(args.buf, args.start(1), args.end(1))
}

function runSpop(call: Call): void {
  if (call.args.argc === 2) popOne(call)
  else if (call.args.argc === 3) popMany(call)
  else call.syntaxError()
}

/** The same member may come again. */
function replyRepeated(call: Call, ref: number, count: number): void {
  const { reply, store } = call
  const { random } = call.host
  if (isPacked(call, ref)) {
    const size = setSize(store, ref)
    if (count === 1) {
      reply.bulk(packedMembers(store, ref, [Math.floor(random() * size)])[0]!)
      return
    }
    const members = packedMembers(store, ref, Array(size).keys())
    for (let i = 0; i < count && !reply.overflowed; i++) reply.bulk(members[Math.floor(random() * size)]!)
    return
  }
  const { table } = store.structure<SetValue>(ref)
  for (let i = 0; i < count && !reply.overflowed; i++) {
    table.read(table.random(random))
    reply.bulk(table.bytes, table.start, table.end)
  }
}

/** `count` is less than the size. */
function replyDistinct(call: Call, ref: number, count: number, size: number): void {
  const { reply, store } = call
  const { random } = call.host
  if (isPacked(call, ref)) {
    for (const member of packedMembers(store, ref, distinctIndexes(size, count, random))) reply.bulk(member)
    return
  }
  const { table } = store.structure<SetValue>(ref)
  let chosen: Iterable<number>
  if (count * 3 <= size) {
    const drawn = new Set<number>()
    while (drawn.size < count) drawn.add(table.random(random))
    chosen = drawn
  } else {
    const refs = table.refs()
    chosen = distinctIndexes(size, count, random).map((i) => refs[i]!)
  }
  for (const entry of chosen) {
    table.read(entry)
    reply.bulk(table.bytes, table.start, table.end)
  }
}

function runSrandmember(call: Call): void {
  const { args, reply, store } = call
  if (args.argc > 3) {
    call.syntaxError()
    return
  }
  const hasCount = args.argc === 3
  const count = hasCount ? signedCountArgument(call, 2) : 1
  if (count === undefined) return
  const ref = call.typedForRead(1, TYPE_SET)
  if (ref === WRONG_TYPE) return
  if (!hasCount) {
    if (ref === 0) reply.nullBulk()
    else replyRepeated(call, ref, 1)
    return
  }
  const size = ref === 0 ? 0 : setSize(store, ref)
  const replied = ref === 0 ? 0 : count < 0 ? -count : Math.min(count, size)
  reply.array(replied)
  if (replied === 0) return
  if (count < 0) replyRepeated(call, ref, replied)
  else if (count >= size) replyMembers(call, ref)
  else replyDistinct(call, ref, count, size)
}

export const spop = command({
  name: 'spop',
  arity: -2,
  since: '1.0.0',
  summary: 'Remove and return one or multiple random members from a set',
  complexity: 'Without the count argument O(1), otherwise O(N) where N is the value of the passed count.',
  history: [['3.2.0', 'Added the `count` argument.']],
  flags: ['write', 'fast'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key(), arg.integer('count', { since: '3.2.0', optional: true })],
  run: runSpop,
})

export const srandmember = command({
  name: 'srandmember',
  arity: -2,
  since: '1.0.0',
  summary: 'Get one or multiple random members from a set',
  complexity: 'Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.',
  history: [['2.6.0', 'Added the optional `count` argument.']],
  flags: ['readonly'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.integer('count', { since: '2.6.0', optional: true })],
  run: runSrandmember,
})
