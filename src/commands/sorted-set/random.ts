/** ZRANDMEMBER. redis 7.0.15 t_zset.c zrandmemberWithCountCommand */
import { TYPE_ZSET } from '../../store/record.ts'
import { sortedSetSize, visitSortedSet } from '../../store/values/sorted-set.ts'
import { signedCountArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { distinctIndexes, shuffle } from '../sample.ts'

const HALF_LONG_MAX = 2 ** 62

/** Replies the member of a rank, which is a random one if the rank is. */
function replyRank(call: Call, ref: number, rank: number, withScores: boolean): void {
  const { reply, store } = call
  visitSortedSet(store, ref, rank, 1, false, (bytes, start, end, score) => {
    if (withScores && reply.resp === 3) reply.array(2)
    reply.bulk(bytes, start, end)
    if (withScores) reply.double(score)
    return true
  })
}

function runZrandmember(call: Call): void {
  const { args, reply, store } = call
  const { random } = call.host
  const withScores = args.argc === 4
  let count = 1
  if (args.argc >= 3) {
    const given = signedCountArgument(call, 2)
    if (given === undefined) return
    if (args.argc > 4 || (withScores && !args.is(3, 'WITHSCORES'))) {
      call.syntaxError()
      return
    }
    if (withScores && Math.abs(given) >= HALF_LONG_MAX) {
      call.error('ERR value is out of range')
      return
    }
    count = given
  }
  const ref = call.typedForRead(1, TYPE_ZSET)
  if (ref === WRONG_TYPE) return
  const size = ref === 0 ? 0 : sortedSetSize(store, ref)
  if (args.argc === 2) {
    if (ref === 0) reply.nullBulk()
    else replyRank(call, ref, Math.floor(random() * size), false)
    return
  }
  const replied = ref === 0 ? 0 : count < 0 ? -count : Math.min(count, size)
  reply.array(withScores && reply.resp === 2 ? replied * 2 : replied)
  if (replied === 0) return
  if (count < 0) {
    for (let i = 0; i < replied && !reply.overflowed; i++) replyRank(call, ref, Math.floor(random() * size), withScores)
    return
  }
  const ranks = replied === size ? Array.from({ length: size }, (_, i) => i) : distinctIndexes(size, replied, random)
  shuffle(ranks, random)
  for (const rank of ranks) replyRank(call, ref, rank, withScores)
}

export const zrandmember = command({
  name: 'zrandmember',
  arity: -2,
  since: '6.2.0',
  summary: 'Get one or multiple random elements from a sorted set',
  complexity: 'O(N) where N is the number of elements returned',
  flags: ['readonly'],
  hints: ['nondeterministic_output'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.block('options', [arg.integer('count'), arg.token('WITHSCORES', { optional: true })], { optional: true }),
  ],
  run: runZrandmember,
})
