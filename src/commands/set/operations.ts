/** Intersection, union and difference of sets, replied, counted or stored. redis 7.0.15 t_set.c sinterGenericCommand, sunionDiffGenericCommand */
import { NOTIFY_GENERIC, NOTIFY_SET } from '../../config/units.ts'
import { TYPE_SET } from '../../store/record.ts'
import { type MemberVisitor, setHas, setSize, visitSet } from '../../store/values/set.ts'
import { minimumArgument, positiveArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key, keyRange, numkeys } from '../define.ts'
import { removeKey } from '../generic/lookup.ts'
import { target } from './target.ts'

/** Visits the members of a result. */
type Operation = (call: Call, refs: number[], visitor: MemberVisitor) => void

/** The sets of `count` arguments, 0 for those that are none; undefined after the error. */
function lookupSets(call: Call, first: number, count: number): number[] | undefined {
  const refs: number[] = []
  for (let i = first; i < first + count; i++) {
    const ref = call.typedForRead(i, TYPE_SET)
    if (ref === WRONG_TYPE) return undefined
    refs.push(ref)
  }
  return refs
}

function intersect(call: Call, refs: number[], visitor: MemberVisitor): void {
  const { store } = call
  if (refs.includes(0)) return
  const [smallest, ...others] = refs.toSorted((a, b) => setSize(store, a) - setSize(store, b))
  const checked = others.filter((ref) => ref !== smallest)
  visitSet(store, smallest!, (bytes, start, end) => {
    for (const ref of checked) if (!setHas(store, ref, bytes, start, end)) return true
    return visitor(bytes, start, end)
  })
}

function subtract(call: Call, refs: number[], visitor: MemberVisitor): void {
  const { store } = call
  const [first, ...rest] = refs
  if (first === 0 || rest.includes(first!)) return
  // The larger a set, the sooner it tells that a member is to go.
  const others = rest.filter((ref) => ref !== 0).sort((a, b) => setSize(store, b) - setSize(store, a))
  visitSet(store, first!, (bytes, start, end) => {
    for (const ref of others) if (setHas(store, ref, bytes, start, end)) return true
    return visitor(bytes, start, end)
  })
}

/** Members that are in several sets come several times. */
function unite(call: Call, refs: number[], visitor: MemberVisitor): void {
  for (const ref of refs) if (ref !== 0) visitSet(call.store, ref, visitor)
}

function replyOperation(call: Call, operation: Operation): void {
  const { reply } = call
  const refs = lookupSets(call, 1, call.args.argc - 1)
  if (refs === undefined) return
  const mark = reply.openLength()
  let count = 0
  operation(call, refs, (bytes, start, end) => {
    reply.bulk(bytes, start, end)
    count++
    return true
  })
  reply.closeLength(mark, reply.resp === 3 ? '~' : '*', count)
}

function runSunion(call: Call): void {
  const { reply } = call
  const refs = lookupSets(call, 1, call.args.argc - 1)
  if (refs === undefined) return
  target.begin(call, 0, 0)
  unite(call, refs, (bytes, start, end) => {
    target.add(bytes, start, end)
    return true
  })
  reply.set(target.size)
  target.visit((bytes, start, end) => {
    reply.bulk(bytes, start, end)
    return true
  })
}

/** Makes the result the value of argument 1. */
function storeOperation(call: Call, operation: Operation, event: string): void {
  const { args, reply } = call
  const refs = lookupSets(call, 2, args.argc - 2)
  if (refs === undefined) return
  target.begin(call, 0, 0)
  operation(call, refs, (bytes, start, end) => {
    target.add(bytes, start, end)
    return true
  })
  const { size } = target
  const old = call.lookupWrite(1)
  if (size > 0) {
    target.store(1, old)
    call.changed(1, NOTIFY_SET, event)
  } else if (old !== 0) {
    removeKey(call, call.db, call.hash, old, 1)
    call.changed(1, NOTIFY_GENERIC, 'del')
  }
  reply.integer(size)
}

function runSintercard(call: Call): void {
  const { args, reply } = call
  const keys = minimumArgument(call, 1, 1, 'ERR numkeys should be greater than 0')
  if (keys === undefined) return
  if (keys > args.argc - 2) {
    call.error("ERR Number of keys can't be greater than number of args")
    return
  }
  let limit = 0
  for (let i = 2 + keys; i < args.argc; i += 2) {
    if (i + 1 >= args.argc || !args.is(i, 'LIMIT')) {
      call.syntaxError()
      return
    }
    const given = positiveArgument(call, i + 1, "ERR LIMIT can't be negative")
    if (given === undefined) return
    limit = given
  }
  const refs = lookupSets(call, 2, keys)
  if (refs === undefined) return
  let count = 0
  intersect(call, refs, () => ++count !== limit)
  reply.integer(count)
}

export const sinter = command({
  name: 'sinter',
  arity: -2,
  since: '1.0.0',
  summary: 'Intersect multiple sets',
  complexity: 'O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.',
  flags: ['readonly'],
  hints: ['nondeterministic_output_order'],
  keys: [keyRange(1, -1, 1, 'RO', 'ACCESS')],
  args: [arg.key('key', { multiple: true })],
  run: (call) => replyOperation(call, intersect),
})

export const sdiff = command({
  name: 'sdiff',
  arity: -2,
  since: '1.0.0',
  summary: 'Subtract multiple sets',
  complexity: 'O(N) where N is the total number of elements in all given sets.',
  flags: ['readonly'],
  hints: ['nondeterministic_output_order'],
  keys: [keyRange(1, -1, 1, 'RO', 'ACCESS')],
  args: [arg.key('key', { multiple: true })],
  run: (call) => replyOperation(call, subtract),
})

export const sunion = command({
  name: 'sunion',
  arity: -2,
  since: '1.0.0',
  summary: 'Add multiple sets',
  complexity: 'O(N) where N is the total number of elements in all given sets.',
  flags: ['readonly'],
  hints: ['nondeterministic_output_order'],
  keys: [keyRange(1, -1, 1, 'RO', 'ACCESS')],
  args: [arg.key('key', { multiple: true })],
  run: runSunion,
})

export const sinterstore = command({
  name: 'sinterstore',
  arity: -3,
  since: '1.0.0',
  summary: 'Intersect multiple sets and store the resulting set in a key',
  complexity: 'O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'UPDATE'), keyRange(2, -1, 1, 'RO', 'ACCESS')],
  args: [arg.key('destination'), arg.key('key', { keySpec: 1, multiple: true })],
  run: (call) => storeOperation(call, intersect, 'sinterstore'),
})

export const sdiffstore = command({
  name: 'sdiffstore',
  arity: -3,
  since: '1.0.0',
  summary: 'Subtract multiple sets and store the resulting set in a key',
  complexity: 'O(N) where N is the total number of elements in all given sets.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE'), keyRange(2, -1, 1, 'RO', 'ACCESS')],
  args: [arg.key('destination'), arg.key('key', { keySpec: 1, multiple: true })],
  run: (call) => storeOperation(call, subtract, 'sdiffstore'),
})

export const sunionstore = command({
  name: 'sunionstore',
  arity: -3,
  since: '1.0.0',
  summary: 'Add multiple sets and store the resulting set in a key',
  complexity: 'O(N) where N is the total number of elements in all given sets.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE'), keyRange(2, -1, 1, 'RO', 'ACCESS')],
  args: [arg.key('destination'), arg.key('key', { keySpec: 1, multiple: true })],
  run: (call) => storeOperation(call, unite, 'sunionstore'),
})

export const sintercard = command({
  name: 'sintercard',
  arity: -3,
  since: '7.0.0',
  summary: 'Intersect multiple sets and return the cardinality of the result',
  complexity: 'O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.',
  flags: ['readonly'],
  keys: [numkeys(1, 'RO', 'ACCESS')],
  args: [
    arg.integer('numkeys'),
    arg.key('key', { multiple: true }),
    arg.integer('limit', { token: 'LIMIT', optional: true }),
  ],
  run: runSintercard,
})
