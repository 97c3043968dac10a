/** ZRANGE in all its forms and names, ZRANGESTORE, ZCOUNT, ZLEXCOUNT and ZREMRANGEBY*. redis 7.0.15 t_zset.c zrangeGenericCommand */
import { NOTIFY_GENERIC, NOTIFY_ZSET } from '../../config/units.ts'
import { NO_EXPIRE, TYPE_ZSET } from '../../store/record.ts'
import { storeSortedSet } from '../../store/values/build.ts'
import { encodingLimits } from '../../store/values/limits.ts'
import { visitSortedSet } from '../../store/values/sorted-set.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { keyAdded, removeKey } from '../generic/lookup.ts'
import { type Range, type RangeKind, rangeArguments } from './bounds.ts'
import { target } from './target.ts'

interface RangeOptions {
  /** Null: BYSCORE or BYLEX may tell. */
  kind: RangeKind | null
  /** Null: REV may tell. */
  backwards: boolean | null
  withScores: boolean
  offset: number
  /** Negative: all. */
  limit: number
}

/** Options from argument i on; false after the error. */
function parseOptions(call: Call, i: number, stores: boolean, options: RangeOptions): boolean {
  const { args } = call
  for (let at = i; at < args.argc; at++) {
    if (!stores && args.is(at, 'WITHSCORES')) {
      options.withScores = true
    } else if (at + 2 < args.argc && args.is(at, 'LIMIT')) {
      const offset = call.integer(at + 1)
      const limit = offset === undefined ? undefined : call.integer(at + 2)
      if (offset === undefined || limit === undefined) return false
      options.offset = offset
      options.limit = limit
      at += 2
    } else if (options.backwards === null && args.is(at, 'REV')) {
      options.backwards = true
    } else if (options.kind === null && args.is(at, 'BYLEX')) {
      options.kind = 'lex'
    } else if (options.kind === null && args.is(at, 'BYSCORE')) {
      options.kind = 'score'
    } else {
      call.syntaxError()
      return false
    }
  }
  options.kind ??= 'rank'
  if (options.limit !== -1 && options.kind === 'rank') {
    call.error('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX')
    return false
  }
  if (options.withScores && options.kind === 'lex') {
    call.error('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
    return false
  }
  return true
}

/** Narrows a resolved range by LIMIT, which counts from the top when the range is gone through backwards. */
function applyLimit(range: Range, { kind, backwards, offset, limit }: RangeOptions): void {
  // LIMIT of ranks was refused unless its count is -1, and then it says nothing.
  if (kind === 'rank') return
  const size = range.to - range.from
  const skipped = offset < 0 ? size : Math.min(size, offset)
  const taken = limit < 0 ? size - skipped : Math.min(size - skipped, limit)
  if (backwards === true) {
    range.to -= skipped
    range.from = range.to - taken
  } else {
    range.from += skipped
    range.to = range.from + taken
  }
}

function replyRange(call: Call, ref: number, range: Range, options: RangeOptions): void {
  const { reply, store } = call
  const { withScores } = options
  const nested = withScores && reply.resp === 3
  const count = range.to - range.from
  reply.array(withScores && !nested ? count * 2 : count)
  visitSortedSet(store, ref, range.from, count, options.backwards === true, (bytes, start, end, score) => {
    if (nested) reply.array(2)
    reply.bulk(bytes, start, end)
    if (withScores) reply.double(score)
    return true
  })
}

/** Makes members with their scores the value of argument 1, or removes it if there are none. */
export function storeResult(call: Call, members: Buffer[], scores: number[], event: string): void {
  const { args, db, reply } = call
  const old = call.lookupWrite(1)
  const { hash } = call
  if (members.length > 0) {
    storeSortedSet(db, hash, args.view(1), members, scores, NO_EXPIRE, encodingLimits)
    if (old === 0) keyAdded(call, db, 1)
    call.changed(1, NOTIFY_ZSET, event)
  } else if (old !== 0) {
    removeKey(call, db, hash, old, 1)
    call.changed(1, NOTIFY_GENERIC, 'del')
  }
  reply.integer(members.length)
}

function storeRange(call: Call, ref: number, range: Range, options: RangeOptions): void {
  const members: Buffer[] = []
  const scores: number[] = []
  const count = range.to - range.from
  const most = encodingLimits.zsetMaxListpackEntries
  // Redis adds one by one to a packed sorted set while it can be one; in those minus zero loses its sign.
  let isPacked = options.kind !== 'rank' || count <= most
  visitSortedSet(call.store, ref, range.from, count, options.backwards === true, (bytes, start, end, score) => {
    isPacked &&= members.length < most && end - start <= encodingLimits.zsetMaxListpackValue
    members.push(Buffer.from(bytes.subarray(start, end)))
    scores.push(isPacked && score === 0 ? 0 : score)
    return true
  })
  storeResult(call, members, scores, 'zrangestore')
}

/** `source` is the argument of the key that is read; its range and the options follow. */
function rangeGeneric(call: Call, source: number, kind: RangeKind | null, backwards: boolean | null): void {
  const stores = source === 2
  const options: RangeOptions = { kind, backwards, withScores: false, offset: 0, limit: -1 }
  if (!parseOptions(call, source + 3, stores, options)) return
  const fromTop = options.backwards === true
  const isMaxFirst = fromTop && options.kind !== 'rank'
  const min = isMaxFirst ? source + 2 : source + 1
  const max = isMaxFirst ? source + 1 : source + 2
  const range = rangeArguments(call, options.kind!, min, max, fromTop)
  if (range === undefined) return
  const ref = call.typedForRead(source, TYPE_ZSET)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    if (stores) storeResult(call, [], [], '')
    else call.reply.array(0)
    return
  }
  range.resolve(call, ref)
  applyLimit(range, options)
  if (stores) storeRange(call, ref, range, options)
  else replyRange(call, ref, range, options)
}

function countGeneric(call: Call, kind: RangeKind): void {
  const range = rangeArguments(call, kind, 2, 3)
  if (range === undefined) return
  const ref = call.typedForRead(1, TYPE_ZSET)
  if (ref === WRONG_TYPE) return
  if (ref !== 0) range.resolve(call, ref)
  call.reply.integer(range.to - range.from)
}

function removeGeneric(call: Call, kind: RangeKind, event: string): void {
  const { args, reply } = call
  const range = rangeArguments(call, kind, 2, 3)
  if (range === undefined) return
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  if (ref !== 0) range.resolve(call, ref)
  const removed = range.to - range.from
  if (removed > 0) {
    target.deleteRange(range.from, range.to)
    const isLeft = target.close()
    call.effects.dirty += removed - 1
    call.changed(1, NOTIFY_ZSET, event)
    if (!isLeft) call.event(args.view(1), NOTIFY_GENERIC, 'del')
  }
  reply.integer(removed)
}

export const zrange = command({
  name: 'zrange',
  arity: -4,
  since: '1.2.0',
  summary: 'Return a range of members in a sorted set',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' + 'returned.',
  history: [['6.2.0', 'Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.']],
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.string('start'),
    arg.string('stop'),
    arg.oneof('sortby', [arg.token('BYSCORE'), arg.token('BYLEX')], { since: '6.2.0', optional: true }),
    arg.token('REV', { since: '6.2.0', optional: true }),
    arg.block('offset_count', [arg.integer('offset'), arg.integer('count')], {
      token: 'LIMIT',
      since: '6.2.0',
      optional: true,
    }),
    arg.token('WITHSCORES', { optional: true }),
  ],
  run: (call) => rangeGeneric(call, 1, null, null),
})

export const zrangestore = command({
  name: 'zrangestore',
  arity: -5,
  since: '6.2.0',
  summary: 'Store a range of members from sorted set into another key',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' +
    'stored into the destination key.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE'), key(2, 'RO', 'ACCESS')],
  args: [
    arg.key('dst'),
    arg.key('src', { keySpec: 1 }),
    arg.string('min'),
    arg.string('max'),
    arg.oneof('sortby', [arg.token('BYSCORE'), arg.token('BYLEX')], { optional: true }),
    arg.token('REV', { optional: true }),
    arg.block('offset_count', [arg.integer('offset'), arg.integer('count')], { token: 'LIMIT', optional: true }),
  ],
  run: (call) => rangeGeneric(call, 2, null, null),
})

export const zrevrange = command({
  name: 'zrevrange',
  arity: -4,
  since: '1.2.0',
  summary: 'Return a range of members in a sorted set, by index, with scores ordered from high to low',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' + 'returned.',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `REV` argument',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.integer('start'), arg.integer('stop'), arg.token('WITHSCORES', { optional: true })],
  run: (call) => rangeGeneric(call, 1, 'rank', true),
})

export const zrangebyscore = command({
  name: 'zrangebyscore',
  arity: -4,
  since: '1.0.5',
  summary: 'Return a range of members in a sorted set, by score',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' +
    'being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can ' +
    'consider it O(log(N)).',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `BYSCORE` argument',
  history: [['2.0.0', 'Added the `WITHSCORES` modifier.']],
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.double('min'),
    arg.double('max'),
    arg.token('WITHSCORES', { since: '2.0.0', optional: true }),
    arg.block('offset_count', [arg.integer('offset'), arg.integer('count')], { token: 'LIMIT', optional: true }),
  ],
  run: (call) => rangeGeneric(call, 1, 'score', false),
})

export const zrevrangebyscore = command({
  name: 'zrevrangebyscore',
  arity: -4,
  since: '2.2.0',
  summary: 'Return a range of members in a sorted set, by score, with scores ordered from high to low',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' +
    'being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can ' +
    'consider it O(log(N)).',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `REV` and `BYSCORE` arguments',
  history: [['2.1.6', '`min` and `max` can be exclusive.']],
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.double('max'),
    arg.double('min'),
    arg.token('WITHSCORES', { optional: true }),
    arg.block('offset_count', [arg.integer('offset'), arg.integer('count')], { token: 'LIMIT', optional: true }),
  ],
  run: (call) => rangeGeneric(call, 1, 'score', true),
})

export const zrangebylex = command({
  name: 'zrangebylex',
  arity: -4,
  since: '2.8.9',
  summary: 'Return a range of members in a sorted set, by lexicographical range',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' +
    'being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can ' +
    'consider it O(log(N)).',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `BYLEX` argument',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.string('min'),
    arg.string('max'),
    arg.block('offset_count', [arg.integer('offset'), arg.integer('count')], { token: 'LIMIT', optional: true }),
  ],
  run: (call) => rangeGeneric(call, 1, 'lex', false),
})

export const zrevrangebylex = command({
  name: 'zrevrangebylex',
  arity: -4,
  since: '2.8.9',
  summary:
    'Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower ' + 'strings.',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' +
    'being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can ' +
    'consider it O(log(N)).',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`ZRANGE` with the `REV` and `BYLEX` arguments',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.string('max'),
    arg.string('min'),
    arg.block('offset_count', [arg.integer('offset'), arg.integer('count')], { token: 'LIMIT', optional: true }),
  ],
  run: (call) => rangeGeneric(call, 1, 'lex', true),
})

export const zcount = command({
  name: 'zcount',
  arity: 4,
  since: '2.0.0',
  summary: 'Count the members in a sorted set with scores within the given values',
  complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.double('min'), arg.double('max')],
  run: (call) => countGeneric(call, 'score'),
})

export const zlexcount = command({
  name: 'zlexcount',
  arity: 4,
  since: '2.8.9',
  summary: 'Count the number of members in a sorted set between a given lexicographical range',
  complexity: 'O(log(N)) with N being the number of elements in the sorted set.',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('min'), arg.string('max')],
  run: (call) => countGeneric(call, 'lex'),
})

export const zremrangebyrank = command({
  name: 'zremrangebyrank',
  arity: 4,
  since: '2.0.0',
  summary: 'Remove all members in a sorted set within the given indexes',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' +
    'removed by the operation.',
  flags: ['write'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [arg.key(), arg.integer('start'), arg.integer('stop')],
  run: (call) => removeGeneric(call, 'rank', 'zremrangebyrank'),
})

export const zremrangebyscore = command({
  name: 'zremrangebyscore',
  arity: 4,
  since: '1.2.0',
  summary: 'Remove all members in a sorted set within the given scores',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' +
    'removed by the operation.',
  flags: ['write'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [arg.key(), arg.double('min'), arg.double('max')],
  run: (call) => removeGeneric(call, 'score', 'zremrangebyscore'),
})

export const zremrangebylex = command({
  name: 'zremrangebylex',
  arity: 4,
  since: '2.8.9',
  summary: 'Remove all members in a sorted set between the given lexicographical range',
  complexity:
    'O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements ' +
    'removed by the operation.',
  flags: ['write'],
  keys: [key(1, 'RW', 'DELETE')],
  args: [arg.key(), arg.string('min'), arg.string('max')],
  run: (call) => removeGeneric(call, 'lex', 'zremrangebylex'),
})
