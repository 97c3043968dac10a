/** Commands on one set and its members, and SMOVE. redis 7.0.15 t_set.c */
import { NOTIFY_GENERIC, NOTIFY_SET } from '../../config/units.ts'
import { ENCODING_INTSET, ENCODING_LISTPACK, TYPE_SET } from '../../store/record.ts'
import { type SetValue, setHas, setSize, visitSet } from '../../store/values/set.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { errors } from '../errors.ts'
import { type ScanSource, scanElements } from '../scan-elements.ts'
import { target } from './target.ts'

function runSadd(call: Call): void {
  const { args } = call
  if (target.open(call, 1) === WRONG_TYPE) return
  let added = 0
  for (let i = 2; i < args.argc; i++) if (target.add(args.buf, args.start(i), args.end(i))) added++
  if (added > 0) {
    target.close(1)
    call.effects.dirty += added - 1
    call.changed(1, NOTIFY_SET, 'sadd')
  }
  call.reply.integer(added)
}

function runSrem(call: Call): void {
  const { args, reply } = call
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  let removed = 0
  for (let i = 2; ref !== 0 && i < args.argc && target.size > 0; i++) {
    if (target.remove(args.buf, args.start(i), args.end(i))) removed++
  }
  if (removed > 0) {
    const isLeft = target.close(1)
    call.effects.dirty += removed - 1
    call.changed(1, NOTIFY_SET, 'srem')
    if (!isLeft) call.event(args.view(1), NOTIFY_GENERIC, 'del')
  }
  reply.integer(removed)
}

function runSmove(call: Call): void {
  const { args, reply, store } = call
  const source = call.lookupWrite(1)
  const sourceHash = call.hash
  const destination = call.lookupWrite(2)
  const destinationHash = call.hash
  if (source === 0) {
    reply.integer(0)
    return
  }
  if (store.type(source) !== TYPE_SET || (destination !== 0 && store.type(destination) !== TYPE_SET)) {
    call.error(errors.wrongType)
    return
  }
  const start = args.start(3)
  const end = args.end(3)
  if (source === destination) {
    reply.integer(setHas(store, source, args.buf, start, end) ? 1 : 0)
    return
  }
  target.begin(call, sourceHash, source)
  if (!target.remove(args.buf, start, end)) {
    reply.integer(0)
    return
  }
  const isLeft = target.close(1)
  call.changed(1, NOTIFY_SET, 'srem')
  if (!isLeft) call.event(args.view(1), NOTIFY_GENERIC, 'del')
  target.begin(call, destinationHash, destination)
  if (target.add(args.buf, start, end)) {
    target.close(2)
    call.changed(2, NOTIFY_SET, 'sadd')
  }
  reply.integer(1)
}

function runScard(call: Call): void {
  const ref = call.typedForRead(1, TYPE_SET)
  if (ref !== WRONG_TYPE) call.reply.integer(ref === 0 ? 0 : setSize(call.store, ref))
}

function runSismember(call: Call): void {
  const { args } = call
  const ref = call.typedForRead(1, TYPE_SET)
  if (ref === WRONG_TYPE) return
  call.reply.integer(ref !== 0 && setHas(call.store, ref, args.buf, args.start(2), args.end(2)) ? 1 : 0)
}

function runSmismember(call: Call): void {
  const { args, reply } = call
  const ref = call.typedForRead(1, TYPE_SET)
  if (ref === WRONG_TYPE) return
  reply.array(args.argc - 2)
  for (let i = 2; i < args.argc; i++) {
    reply.integer(ref !== 0 && setHas(call.store, ref, args.buf, args.start(i), args.end(i)) ? 1 : 0)
  }
}

export function replyMembers(call: Call, ref: number): void {
  const { reply } = call
  visitSet(call.store, ref, (bytes, start, end) => {
    reply.bulk(bytes, start, end)
    return true
  })
}

function runSmembers(call: Call): void {
  const ref = call.typedForRead(1, TYPE_SET)
  if (ref === WRONG_TYPE) return
  call.reply.set(ref === 0 ? 0 : setSize(call.store, ref))
  if (ref !== 0) replyMembers(call, ref)
}

const SCAN: ScanSource = {
  table: (call, ref) => {
    const encoding = call.store.encoding(ref)
    const isPacked = encoding === ENCODING_INTSET || encoding === ENCODING_LISTPACK
    return isPacked ? null : call.store.structure<SetValue>(ref).table
  },
  rest: null,
  packed: (call, ref, each) => {
    visitSet(call.store, ref, (bytes, start, end) => {
      each(bytes, start, end)
      return true
    })
  },
  isPaged: (call, ref) => call.store.encoding(ref) === ENCODING_LISTPACK,
}

export const sadd = command({
  name: 'sadd',
  arity: -3,
  since: '1.0.0',
  summary: 'Add one or more members to a set',
  complexity:
    'O(1) for each element added, so O(N) to add N elements when the command is called with multiple ' + 'arguments.',
  history: [['2.4.0', 'Accepts multiple `member` arguments.']],
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [arg.key(), arg.string('member', { multiple: true })],
  run: runSadd,
})

export const srem = command({
  name: 'srem',
  arity: -3,
  since: '1.0.0',
  summary: 'Remove one or more members from a set',
  complexity: 'O(N) where N is the number of members to be removed.',
  history: [['2.4.0', 'Accepts multiple `member` arguments.']],
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [arg.key(), arg.string('member', { multiple: true })],
  run: runSrem,
})

export const smove = command({
  name: 'smove',
  arity: 4,
  since: '1.0.0',
  summary: 'Move a member from one set to another',
  complexity: 'O(1)',
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE'), key(2, 'RW', 'INSERT')],
  args: [arg.key('source'), arg.key('destination', { keySpec: 1 }), arg.string('member')],
  run: runSmove,
})

export const scard = command({
  name: 'scard',
  arity: 2,
  since: '1.0.0',
  summary: 'Get the number of members in a set',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key()],
  run: runScard,
})

export const sismember = command({
  name: 'sismember',
  arity: 3,
  since: '1.0.0',
  summary: 'Determine if a given value is a member of a set',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key(), arg.string('member')],
  run: runSismember,
})

export const smismember = command({
  name: 'smismember',
  arity: -3,
  since: '6.2.0',
  summary: 'Returns the membership associated with the given elements for a set',
  complexity: 'O(N) where N is the number of elements being checked for membership',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('member', { multiple: true })],
  run: runSmismember,
})

export const smembers = command({
  name: 'smembers',
  arity: 2,
  since: '1.0.0',
  summary: 'Get all the members in a set',
  complexity: 'O(N) where N is the set cardinality.',
  flags: ['readonly'],
  hints: ['nondeterministic_output_order'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: runSmembers,
})

export const sscan = command({
  name: 'sscan',
  arity: -3,
  since: '2.8.0',
  summary: 'Incrementally iterate Set elements',
  complexity:
    'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor ' +
    'to return back to 0. N is the number of elements inside the collection..',
  flags: ['readonly'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.integer('cursor'),
    arg.pattern('pattern', { token: 'MATCH', optional: true }),
    arg.integer('count', { token: 'COUNT', optional: true }),
  ],
  run: (call) => scanElements(call, TYPE_SET, SCAN),
})
