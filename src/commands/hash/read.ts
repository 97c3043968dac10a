/** Commands that read hashes. redis 7.0.15 t_hash.c */
import {
  entryLength,
  findEntry,
  LISTPACK_HEADER,
  ListpackEntry,
  listpackLength,
  nextEntry,
} from '../../store/encodings/listpack.ts'
import { ENCODING_LISTPACK, TYPE_HASH } from '../../store/record.ts'
import type { HashValue } from '../../store/values/hash.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { type ScanSource, scanElements } from '../scan-elements.ts'

const entry = new ListpackEntry()

function isPacked(call: Call, ref: number): boolean {
  return call.store.encoding(ref) === ENCODING_LISTPACK
}

export function hashSize(call: Call, ref: number): number {
  const { store } = call
  if (!isPacked(call, ref)) return store.structure<HashValue>(ref).size
  store.read(ref)
  return listpackLength(store.bytes, store.start, store.end) >> 1
}

/** Position of the value of the field at argument i in store.bytes, -1 if there is none. */
function findPacked(call: Call, ref: number, i: number): number {
  const { args, store } = call
  store.read(ref)
  const { bytes } = store
  const at = findEntry(bytes, store.start + LISTPACK_HEADER, store.end - 1, args.buf, args.start(i), args.end(i), 1)
  return at < 0 ? -1 : nextEntry(bytes, at)
}

function replyField(call: Call, ref: number, i: number): void {
  const { args, reply, store } = call
  if (isPacked(call, ref)) {
    const at = findPacked(call, ref, i)
    if (at < 0) {
      reply.nullBulk()
      return
    }
    entry.read(store.bytes, at)
    reply.bulk(entry.bytes, entry.start, entry.end)
    return
  }
  const value = store.structure<HashValue>(ref)
  if (value.find(args.buf, args.start(i), args.end(i))) {
    reply.bulk(value.table.bytes, value.table.start, value.table.end)
  } else {
    reply.nullBulk()
  }
}

function runHget(call: Call): void {
  const ref = call.typedForRead(1, TYPE_HASH)
  if (ref === WRONG_TYPE) return
  if (ref === 0) call.reply.nullBulk()
  else replyField(call, ref, 2)
}

function runHmget(call: Call): void {
  const { args, reply } = call
  const ref = call.typedForRead(1, TYPE_HASH)
  if (ref === WRONG_TYPE) return
  reply.array(args.argc - 2)
  for (let i = 2; i < args.argc; i++) {
    if (ref === 0) reply.nullBulk()
    else replyField(call, ref, i)
  }
}

/** Length of the value of the field at argument 2, -1 if there is none. */
function valueLength(call: Call, ref: number): number {
  const { args, store } = call
  if (isPacked(call, ref)) {
    const at = findPacked(call, ref, 2)
    return at < 0 ? -1 : entryLength(store.bytes, at)
  }
  const value = store.structure<HashValue>(ref)
  return value.find(args.buf, args.start(2), args.end(2)) ? value.table.end - value.table.start : -1
}

function runHexists(call: Call): void {
  const ref = call.typedForRead(1, TYPE_HASH)
  if (ref === WRONG_TYPE) return
  call.reply.integer(ref !== 0 && valueLength(call, ref) >= 0 ? 1 : 0)
}

function runHstrlen(call: Call): void {
  const ref = call.typedForRead(1, TYPE_HASH)
  if (ref === WRONG_TYPE) return
  call.reply.integer(ref === 0 ? 0 : Math.max(0, valueLength(call, ref)))
}

function runHlen(call: Call): void {
  const ref = call.typedForRead(1, TYPE_HASH)
  if (ref === WRONG_TYPE) return
  call.reply.integer(ref === 0 ? 0 : hashSize(call, ref))
}

/** Replies all fields, all values, or both in turn. */
function replyAll(call: Call, ref: number, fields: boolean, values: boolean): void {
  const { reply, store } = call
  if (isPacked(call, ref)) {
    store.read(ref)
    const { bytes, end } = store
    let isField = true
    for (let at = store.start + LISTPACK_HEADER; at < end - 1; at = nextEntry(bytes, at)) {
      if (isField ? fields : values) {
        entry.read(bytes, at)
        reply.bulk(entry.bytes, entry.start, entry.end)
      }
      isField = !isField
    }
    return
  }
  const { table } = store.structure<HashValue>(ref)
  table.visit(0, table.size, (element) => {
    if (fields) {
      table.read(element)
      reply.bulk(table.bytes, table.start, table.end)
    }
    if (values) {
      table.readValue(element)
      reply.bulk(table.bytes, table.start, table.end)
    }
  })
}

function runHgetall(call: Call): void {
  const ref = call.typedForRead(1, TYPE_HASH)
  if (ref === WRONG_TYPE) return
  call.reply.map(ref === 0 ? 0 : hashSize(call, ref))
  if (ref !== 0) replyAll(call, ref, true, true)
}

function runOneSide(call: Call, fields: boolean): void {
  const ref = call.typedForRead(1, TYPE_HASH)
  if (ref === WRONG_TYPE) return
  call.reply.array(ref === 0 ? 0 : hashSize(call, ref))
  if (ref !== 0) replyAll(call, ref, fields, !fields)
}

const SCAN: ScanSource = {
  table: (call, ref) => (isPacked(call, ref) ? null : call.store.structure<HashValue>(ref).table),
  rest: (call, table, element) => {
    table.readValue(element)
    call.reply.bulk(table.bytes, table.start, table.end)
  },
  packed: (call, ref, each) => {
    const { store } = call
    store.read(ref)
    const { bytes, end } = store
    for (let at = store.start + LISTPACK_HEADER; at < end - 1; at = nextEntry(bytes, at)) {
      entry.read(bytes, at)
      at = nextEntry(bytes, at)
      if (!each(entry.bytes, entry.start, entry.end)) continue
      entry.read(bytes, at)
      call.reply.bulk(entry.bytes, entry.start, entry.end)
    }
  },
  isPaged: () => false,
}

export const hget = command({
  name: 'hget',
  arity: 3,
  since: '2.0.0',
  summary: 'Get the value of a hash field',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('field')],
  run: runHget,
})

export const hmget = command({
  name: 'hmget',
  arity: -3,
  since: '2.0.0',
  summary: 'Get the values of all the given hash fields',
  complexity: 'O(N) where N is the number of fields being requested.',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('field', { multiple: true })],
  run: runHmget,
})

export const hexists = command({
  name: 'hexists',
  arity: 3,
  since: '2.0.0',
  summary: 'Determine if a hash field exists',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key(), arg.string('field')],
  run: runHexists,
})

export const hstrlen = command({
  name: 'hstrlen',
  arity: 3,
  since: '3.2.0',
  summary: 'Get the length of the value of a hash field',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key(), arg.string('field')],
  run: runHstrlen,
})

export const hlen = command({
  name: 'hlen',
  arity: 2,
  since: '2.0.0',
  summary: 'Get the number of fields in a hash',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key()],
  run: runHlen,
})

export const hgetall = command({
  name: 'hgetall',
  arity: 2,
  since: '2.0.0',
  summary: 'Get all the fields and values in a hash',
  complexity: 'O(N) where N is the size of the hash.',
  flags: ['readonly'],
  hints: ['nondeterministic_output_order'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: runHgetall,
})

export const hkeys = command({
  name: 'hkeys',
  arity: 2,
  since: '2.0.0',
  summary: 'Get all the fields in a hash',
  complexity: 'O(N) where N is the size of the hash.',
  flags: ['readonly'],
  hints: ['nondeterministic_output_order'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: (call) => runOneSide(call, true),
})

export const hvals = command({
  name: 'hvals',
  arity: 2,
  since: '2.0.0',
  summary: 'Get all the values in a hash',
  complexity: 'O(N) where N is the size of the hash.',
  flags: ['readonly'],
  hints: ['nondeterministic_output_order'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: (call) => runOneSide(call, false),
})

export const hscan = command({
  name: 'hscan',
  arity: -3,
  since: '2.8.0',
  summary: 'Incrementally iterate hash fields and associated values',
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
  run: (call) => scanElements(call, TYPE_HASH, SCAN),
})
