/**
 * Union, intersection and difference of sorted sets and sets (whose members count 1), replied, counted or stored.
 * redis 7.0.15 t_zset.c zunionInterDiffGenericCommand
 */
import { TYPE_SET, TYPE_ZSET } from '../../store/record.ts'
import { setHas, setSize, visitSet } from '../../store/values/set.ts'
import { type ScoredVisitor, sortedSetScore, sortedSetSize, visitSortedSet } from '../../store/values/sorted-set.ts'
import { doubleArgument, positiveArgument } from '../arguments.ts'
import type { Call } from '../call.ts'
import { arg, command, key, numkeys } from '../define.ts'
import { errors } from '../errors.ts'
import { storeResult } from './range.ts'

interface Source {
  /** 0: there is none, so it is empty. */
  ref: number
  size: number
  weight: number
}

type Aggregate = (total: number, score: number) => number

interface Operation {
  sources: Source[]
  aggregate: Aggregate
  withScores: boolean
  /** ZINTERCARD: 0 for all. */
  limit: number
}

/** Members with their scores, in no order. */
class Result {
  readonly members: Buffer[] = []
  readonly scores: number[] = []

  add(bytes: Buffer, start: number, end: number, score: number): void {
    this.members.push(Buffer.from(bytes.subarray(start, end)))
    this.scores.push(score)
  }
}

/** Infinities of both signs make 0. */
function sum(total: number, score: number): number {
  const result = total + score
  return Number.isNaN(result) ? 0 : result
}

/** What is no number (an infinity weighed by 0) is neither less nor greater. */
function least(total: number, score: number): number {
  if (score < total) return score
  return total
}

function greatest(total: number, score: number): number {
  if (score > total) return score
  return total
}

const AGGREGATES: [string, Aggregate][] = [
  ['SUM', sum],
  ['MIN', least],
  ['MAX', greatest],
]

function lookupSource(call: Call, i: number): Source | undefined {
  const { store } = call
  const ref = call.lookupRead(i)
  if (ref === 0) return { ref, size: 0, weight: 1 }
  const type = store.type(ref)
  if (type === TYPE_ZSET) return { ref, size: sortedSetSize(store, ref), weight: 1 }
  if (type === TYPE_SET) return { ref, size: setSize(store, ref), weight: 1 }
  call.error(errors.wrongType)
  return undefined
}

function visitSource(call: Call, source: Source, visitor: ScoredVisitor): void {
  const { store } = call
  if (source.ref === 0) return
  if (store.type(source.ref) === TYPE_ZSET) visitSortedSet(store, source.ref, 0, source.size, false, visitor)
  else visitSet(store, source.ref, (bytes, start, end) => visitor(bytes, start, end, 1))
}

/** The score of a member, NaN if the source does not have it. */
function scoreIn(call: Call, source: Source, bytes: Buffer, start: number, end: number): number {
  const { store } = call
  if (source.ref === 0) return Number.NaN
  if (store.type(source.ref) === TYPE_ZSET) return sortedSetScore(store, source.ref, bytes, start, end)
  return setHas(store, source.ref, bytes, start, end) ? 1 : Number.NaN
}

const MAY_WEIGH = 1
const MAY_SHOW_SCORES = 2
const MAY_LIMIT = 4

/** Count, keys and options from argument `at` on; undefined after the error. */
function parseOperation(call: Call, at: number, allowed: number): Operation | undefined {
  const { args } = call
  const count = call.integer(at)
  if (count === undefined) return undefined
  if (count < 1) {
    call.error(`ERR at least 1 input key is needed for '${call.command.fullName}' command`)
    return undefined
  }
  if (count > args.argc - (at + 1)) {
    call.syntaxError()
    return undefined
  }
  const operation: Operation = { sources: [], aggregate: sum, withScores: false, limit: 0 }
  for (let i = at + 1; i <= at + count; i++) {
    const source = lookupSource(call, i)
    if (source === undefined) return undefined
    operation.sources.push(source)
  }
  return parseOptions(call, at + 1 + count, allowed, operation) ? operation : undefined
}

function parseOptions(call: Call, first: number, allowed: number, operation: Operation): boolean {
  const { args } = call
  const { sources } = operation
  for (let i = first; i < args.argc; i++) {
    const left = args.argc - i
    if ((allowed & MAY_WEIGH) !== 0 && left >= sources.length + 1 && args.is(i, 'WEIGHTS')) {
      for (const source of sources) {
        const weight = doubleArgument(call, ++i, 'ERR weight value is not a float')
        if (weight === undefined) return false
        source.weight = weight
      }
    } else if ((allowed & MAY_WEIGH) !== 0 && left >= 2 && args.is(i, 'AGGREGATE')) {
      i++
      const found = AGGREGATES.find(([name]) => args.is(i, name))
      if (found === undefined) {
        call.syntaxError()
        return false
      }
      operation.aggregate = found[1]
    } else if ((allowed & MAY_SHOW_SCORES) !== 0 && args.is(i, 'WITHSCORES')) {
      operation.withScores = true
    } else if ((allowed & MAY_LIMIT) !== 0 && left >= 2 && args.is(i, 'LIMIT')) {
      const limit = positiveArgument(call, ++i, "ERR LIMIT can't be negative")
      if (limit === undefined) return false
      operation.limit = limit
    } else {
      call.syntaxError()
      return false
    }
  }
  return true
}

function weighted(weight: number, score: number): number {
  const result = weight * score
  return Number.isNaN(result) ? 0 : result
}

/** Visits the members that all sources have. */
function intersect(call: Call, { sources, aggregate }: Operation, visitor: ScoredVisitor): void {
  const [first, ...others] = sources.toSorted((a, b) => a.size - b.size)
  visitSource(call, first!, (bytes, start, end, own) => {
    let score = weighted(first!.weight, own)
    for (const source of others) {
      const found = source.ref === first!.ref ? own : scoreIn(call, source, bytes, start, end)
      if (Number.isNaN(found)) return true
      score = aggregate(score, found * source.weight)
    }
    return visitor(bytes, start, end, score)
  })
}

function unite(call: Call, { sources, aggregate }: Operation): Result {
  const result = new Result()
  const places = new Map<string, number>()
  for (const source of sources.toSorted((a, b) => a.size - b.size)) {
    visitSource(call, source, (bytes, start, end, own) => {
      const score = weighted(source.weight, own)
      const name = bytes.latin1Slice(start, end)
      const place = places.get(name)
      if (place === undefined) {
        places.set(name, result.members.length)
        result.add(bytes, start, end, score)
      } else {
        result.scores[place] = aggregate(result.scores[place]!, score)
      }
      return true
    })
  }
  return result
}

function intersection(call: Call, operation: Operation): Result {
  const result = new Result()
  intersect(call, operation, (bytes, start, end, score) => {
    result.add(bytes, start, end, score)
    return true
  })
  return result
}

function difference(call: Call, { sources }: Operation): Result {
  const result = new Result()
  const [first, ...rest] = sources
  const others = rest.filter((source) => source.ref !== 0)
  if (others.some((source) => source.ref === first!.ref)) return result
  visitSource(call, first!, (bytes, start, end, score) => {
    for (const source of others) if (!Number.isNaN(scoreIn(call, source, bytes, start, end))) return true
    result.add(bytes, start, end, score)
    return true
  })
  return result
}

type Compute = (call: Call, operation: Operation) => Result

function replyResult(call: Call, compute: Compute, allowed: number): void {
  const { reply } = call
  const operation = parseOperation(call, 1, allowed)
  if (operation === undefined) return
  const { members, scores } = compute(call, operation)
  const { withScores } = operation
  const nested = withScores && reply.resp === 3
  reply.array(withScores && !nested ? members.length * 2 : members.length)
  const order = members.map((_, i) => i)
  order.sort((a, b) => scores[a]! - scores[b]! || Buffer.compare(members[a]!, members[b]!))
  for (const i of order) {
    if (nested) reply.array(2)
    reply.bulk(members[i]!)
    if (withScores) reply.double(scores[i]!)
  }
}

function storeOperation(call: Call, compute: Compute, allowed: number, event: string): void {
  const operation = parseOperation(call, 2, allowed)
  if (operation === undefined) return
  const { members, scores } = compute(call, operation)
  storeResult(call, members, scores, event)
}

function runZintercard(call: Call): void {
  const operation = parseOperation(call, 1, MAY_LIMIT)
  if (operation === undefined) return
  let count = 0
  intersect(call, operation, () => ++count !== operation.limit)
  call.reply.integer(count)
}

export const zunion = command({
  name: 'zunion',
  arity: -3,
  since: '6.2.0',
  summary: 'Add multiple sorted sets',
  complexity:
    'O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number ' +
    'of elements in the resulting sorted set.',
  flags: ['readonly'],
  keys: [numkeys(1, 'RO', 'ACCESS')],
  args: [
    arg.integer('numkeys'),
    arg.key('key', { multiple: true }),
    arg.integer('weight', { token: 'WEIGHTS', optional: true, multiple: true }),
    arg.oneof('aggregate', [arg.token('SUM'), arg.token('MIN'), arg.token('MAX')], {
      token: 'AGGREGATE',
      optional: true,
    }),
    arg.token('WITHSCORES', { optional: true }),
  ],
  run: (call) => replyResult(call, unite, MAY_WEIGH | MAY_SHOW_SCORES),
})

export const zinter = command({
  name: 'zinter',
  arity: -3,
  since: '6.2.0',
  summary: 'Intersect multiple sorted sets',
  complexity:
    'O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of ' +
    'input sorted sets and M being the number of elements in the resulting sorted set.',
  flags: ['readonly'],
  keys: [numkeys(1, 'RO', 'ACCESS')],
  args: [
    arg.integer('numkeys'),
    arg.key('key', { multiple: true }),
    arg.integer('weight', { token: 'WEIGHTS', optional: true, multiple: true }),
    arg.oneof('aggregate', [arg.token('SUM'), arg.token('MIN'), arg.token('MAX')], {
      token: 'AGGREGATE',
      optional: true,
    }),
    arg.token('WITHSCORES', { optional: true }),
  ],
  run: (call) => replyResult(call, intersection, MAY_WEIGH | MAY_SHOW_SCORES),
})

export const zdiff = command({
  name: 'zdiff',
  arity: -3,
  since: '6.2.0',
  summary: 'Subtract multiple sorted sets',
  complexity:
    'O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the ' +
    'size of the first set, and K is the size of the result set.',
  flags: ['readonly'],
  keys: [numkeys(1, 'RO', 'ACCESS')],
  args: [arg.integer('numkeys'), arg.key('key', { multiple: true }), arg.token('WITHSCORES', { optional: true })],
  run: (call) => replyResult(call, difference, MAY_SHOW_SCORES),
})

export const zunionstore = command({
  name: 'zunionstore',
  arity: -4,
  since: '2.0.0',
  summary: 'Add multiple sorted sets and store the resulting sorted set in a new key',
  complexity:
    'O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number ' +
    'of elements in the resulting sorted set.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE'), numkeys(2, 'RO', 'ACCESS')],
  args: [
    arg.key('destination'),
    arg.integer('numkeys'),
    arg.key('key', { keySpec: 1, multiple: true }),
    arg.integer('weight', { token: 'WEIGHTS', optional: true, multiple: true }),
    arg.oneof('aggregate', [arg.token('SUM'), arg.token('MIN'), arg.token('MAX')], {
      token: 'AGGREGATE',
      optional: true,
    }),
  ],
  run: (call) => storeOperation(call, unite, MAY_WEIGH, 'zunionstore'),
})

export const zinterstore = command({
  name: 'zinterstore',
  arity: -4,
  since: '2.0.0',
  summary: 'Intersect multiple sorted sets and store the resulting sorted set in a new key',
  complexity:
    'O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of ' +
    'input sorted sets and M being the number of elements in the resulting sorted set.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE'), numkeys(2, 'RO', 'ACCESS')],
  args: [
    arg.key('destination'),
    arg.integer('numkeys'),
    arg.key('key', { keySpec: 1, multiple: true }),
    arg.integer('weight', { token: 'WEIGHTS', optional: true, multiple: true }),
    arg.oneof('aggregate', [arg.token('SUM'), arg.token('MIN'), arg.token('MAX')], {
      token: 'AGGREGATE',
      optional: true,
    }),
  ],
  run: (call) => storeOperation(call, intersection, MAY_WEIGH, 'zinterstore'),
})

export const zdiffstore = command({
  name: 'zdiffstore',
  arity: -4,
  since: '6.2.0',
  summary: 'Subtract multiple sorted sets and store the resulting sorted set in a new key',
  complexity:
    'O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the ' +
    'size of the first set, and K is the size of the result set.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE'), numkeys(2, 'RO', 'ACCESS')],
  args: [arg.key('destination'), arg.integer('numkeys'), arg.key('key', { keySpec: 1, multiple: true })],
  run: (call) => storeOperation(call, difference, 0, 'zdiffstore'),
})

export const zintercard = command({
  name: 'zintercard',
  arity: -3,
  since: '7.0.0',
  summary: 'Intersect multiple sorted sets and return the cardinality of the result',
  complexity:
    'O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted ' + 'sets.',
  flags: ['readonly'],
  keys: [numkeys(1, 'RO', 'ACCESS')],
  args: [
    arg.integer('numkeys'),
    arg.key('key', { multiple: true }),
    arg.integer('limit', { token: 'LIMIT', optional: true }),
  ],
  run: runZintercard,
})
