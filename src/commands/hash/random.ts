/** HRANDFIELD. redis 7.0.15 t_hash.c hrandfieldWithCountCommand */
import { LISTPACK_HEADER, ListpackEntry, nextEntry, seekEntry } from '../../store/encodings/listpack.ts'
import { ENCODING_LISTPACK, TYPE_HASH } from '../../store/record.ts'
import type { HashValue } from '../../store/values/hash.ts'
import { signedCountArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { distinctIndexes } from '../sample.ts'
import { hashSize } from './read.ts'

const HALF_LONG_MAX = 2 ** 62
const entry = new ListpackEntry()

function replyTablePair(call: Call, value: HashValue, element: number, withValues: boolean): void {
  const { reply } = call
  const { table } = value
  if (withValues && reply.resp === 3) reply.array(2)
  table.read(element)
  reply.bulk(table.bytes, table.start, table.end)
  if (!withValues) return
  table.readValue(element)
  reply.bulk(table.bytes, table.start, table.end)
}

function replyPackedPair(call: Call, bytes: Buffer, at: number, withValues: boolean): void {
  const { reply } = call
  if (withValues && reply.resp === 3) reply.array(2)
  entry.read(bytes, at)
  reply.bulk(entry.bytes, entry.start, entry.end)
  if (!withValues) return
  entry.read(bytes, nextEntry(bytes, at))
  reply.bulk(entry.bytes, entry.start, entry.end)
}

/** Positions of all fields of a packed hash in store.bytes. */
function fieldPositions(call: Call, ref: number, size: number): Int32Array {
  const { store } = call
  store.read(ref)
  const { bytes } = store
  const positions = new Int32Array(size)
  let at = store.start + LISTPACK_HEADER
  for (let i = 0; i < size; i++) {
    positions[i] = at
    at = nextEntry(bytes, nextEntry(bytes, at))
  }
  return positions
}

function replyOne(call: Call, ref: number): void {
  const { host, reply, store } = call
  if (store.encoding(ref) !== ENCODING_LISTPACK) {
    const value = store.structure<HashValue>(ref)
    replyTablePair(call, value, value.table.random(host.random), false)
    return
  }
  const index = Math.floor(host.random() * hashSize(call, ref))
  store.read(ref)
  entry.read(store.bytes, seekEntry(store.bytes, store.start + LISTPACK_HEADER, store.end - 1, index * 2))
  reply.bulk(entry.bytes, entry.start, entry.end)
}

/** The same field may come again. */
function replyRepeated(call: Call, ref: number, count: number, withValues: boolean): void {
  const { reply, store } = call
  const { random } = call.host
  if (store.encoding(ref) !== ENCODING_LISTPACK) {
    const value = store.structure<HashValue>(ref)
    for (let i = 0; i < count && !reply.overflowed; i++)
      replyTablePair(call, value, value.table.random(random), withValues)
    return
  }
  const positions = fieldPositions(call, ref, hashSize(call, ref))
  for (let i = 0; i < count && !reply.overflowed; i++) {
    replyPackedPair(call, store.bytes, positions[Math.floor(random() * positions.length)]!, withValues)
  }
}

function replyDistinct(call: Call, ref: number, count: number, size: number, withValues: boolean): void {
  const { store } = call
  const { random } = call.host
  if (store.encoding(ref) === ENCODING_LISTPACK) {
    const positions = fieldPositions(call, ref, size)
    const indexes = count < size ? distinctIndexes(size, count, random) : positions.keys()
    for (const i of indexes) replyPackedPair(call, store.bytes, positions[i]!, withValues)
    return
  }
  const value = store.structure<HashValue>(ref)
  if (count * 3 <= size) {
    const chosen = new Set<number>()
    while (chosen.size < count) chosen.add(value.table.random(random))
    for (const element of chosen) replyTablePair(call, value, element, withValues)
    return
  }
  const elements = value.table.refs()
  const indexes = count < size ? distinctIndexes(size, count, random) : elements.keys()
  for (const i of indexes) replyTablePair(call, value, elements[i]!, withValues)
}

function runHrandfield(call: Call): void {
  const { args, reply } = call
  let count = 0
  const withValues = args.argc === 4
  if (args.argc >= 3) {
    const given = signedCountArgument(call, 2)
    if (given === undefined) return
    if (args.argc > 4 || (withValues && !args.is(3, 'WITHVALUES'))) {
      call.syntaxError()
      return
    }
    if (withValues && Math.abs(given) >= HALF_LONG_MAX) {
      call.error('ERR value is out of range')
      return
    }
    count = given
  }
  const ref = call.typedForRead(1, TYPE_HASH)
  if (ref === WRONG_TYPE) return
  if (args.argc === 2) {
    if (ref === 0) reply.nullBulk()
    else replyOne(call, ref)
    return
  }
  if (ref === 0 || count === 0) {
    reply.array(0)
    return
  }
  const size = hashSize(call, ref)
  const replied = count < 0 ? -count : Math.min(count, size)
  reply.array(withValues && reply.resp === 2 ? replied * 2 : replied)
  if (count < 0) replyRepeated(call, ref, replied, withValues)
  else replyDistinct(call, ref, replied, size, withValues)
}

export const hrandfield = command({
  name: 'hrandfield',
  arity: -2,
  since: '6.2.0',
  summary: 'Get one or multiple random fields from a hash',
  complexity: 'O(N) where N is the number of fields returned',
  flags: ['readonly'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.block('options', [arg.integer('count'), arg.token('WITHVALUES', { optional: true })], { optional: true }),
  ],
  run: runHrandfield,
})
