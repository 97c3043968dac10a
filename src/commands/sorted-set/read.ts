/** Commands that read a sorted set, except for ranges of it. redis 7.0.15 t_zset.c */

import { formatDouble17, formatScore } from '../../bytes/doubles.ts'
import { ENCODING_LISTPACK, TYPE_ZSET } from '../../store/record.ts'
import {
  type SortedSetValue,
  sortedSetRank,
  sortedSetScore,
  sortedSetSize,
  visitSortedSet,
} from '../../store/values/sorted-set.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { type ScanSource, scanElements } from '../scan-elements.ts'

function runZcard(call: Call): void {
  const ref = call.typedForRead(1, TYPE_ZSET)
  if (ref !== WRONG_TYPE) call.reply.integer(ref === 0 ? 0 : sortedSetSize(call.store, ref))
}

function replyScore(call: Call, ref: number, i: number): void {
  const { args, reply, store } = call
  const score = ref === 0 ? Number.NaN : sortedSetScore(store, ref, args.buf, args.start(i), args.end(i))
  if (Number.isNaN(score)) reply.nullBulk()
  else reply.double(score)
}

function runZscore(call: Call): void {
  const ref = call.typedForRead(1, TYPE_ZSET)
  if (ref !== WRONG_TYPE) replyScore(call, ref, 2)
}

function runZmscore(call: Call): void {
  const { args, reply } = call
  const ref = call.typedForRead(1, TYPE_ZSET)
  if (ref === WRONG_TYPE) return
  reply.array(args.argc - 2)
  for (let i = 2; i < args.argc; i++) replyScore(call, ref, i)
}

function replyRank(call: Call, fromTop: boolean): void {
  const { args, reply, store } = call
  const ref = call.typedForRead(1, TYPE_ZSET)
  if (ref === WRONG_TYPE) return
  const rank = ref === 0 ? -1 : sortedSetRank(store, ref, args.buf, args.start(2), args.end(2))
  if (rank < 0) reply.nullBulk()
  else reply.integer(fromTop ? sortedSetSize(store, ref) - 1 - rank : rank)
}

const SCAN: ScanSource = {
  table: (call, ref) => {
    const { store } = call
    return store.encoding(ref) === ENCODING_LISTPACK ? null : store.structure<SortedSetValue>(ref).table
  },
  rest: (call, table, entry) => {
    table.readValue(entry)
    call.reply.bulkString(formatDouble17(table.bytes.readDoubleLE(table.start)))
  },
  packed: (call, ref, each) => {
    visitSortedSet(call.store, ref, 0, sortedSetSize(call.store, ref), false, (bytes, start, end, score) => {
      if (each(bytes, start, end)) call.reply.bulkString(formatScore(score))
      return true
    })
  },
  isPaged: () => false,
}

export const zcard = command({
  name: 'zcard',
  arity: 2,
  since: '1.2.0',
  summary: 'Get the number of members in a sorted set',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key()],
  run: runZcard,
})

export const zscore = command({
  name: 'zscore',
  arity: 3,
  since: '1.2.0',
  summary: 'Get the score associated with the given member in a sorted set',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('member')],
  run: runZscore,
})

export const zmscore = command({
  name: 'zmscore',
  arity: -3,
  since: '6.2.0',
  summary: 'Get the score associated with the given members in a sorted set',
  complexity: 'O(N) where N is the number of members being requested.',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('member', { multiple: true })],
  run: runZmscore,
})

export const zrank = command({
  name: 'zrank',
  arity: 3,
  since: '2.0.0',
  summary: 'Determine the index of a member in a sorted set',
  complexity: 'O(log(N))',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('member')],
  run: (call) => replyRank(call, false),
})

export const zrevrank = command({
  name: 'zrevrank',
  arity: 3,
  since: '2.0.0',
  summary: 'Determine the index of a member in a sorted set, with scores ordered from high to low',
  complexity: 'O(log(N))',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('member')],
  run: (call) => replyRank(call, true),
})

export const zscan = command({
  name: 'zscan',
  arity: -3,
  since: '2.8.0',
  summary: 'Incrementally iterate sorted sets elements and associated scores',
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
  run: (call) => scanElements(call, TYPE_ZSET, SCAN),
})
