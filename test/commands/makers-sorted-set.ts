/** Commands on sorted sets at random: names, values and limits are few, so that they meet. */
import type { Command } from '../support/wire.ts'
import type { Draw } from './random-steps.ts'

const KEYS = ['z1', 'z2', 'z3']
const SOURCES = [...KEYS, 'set', 'missing']

function score(draw: Draw): string {
  return draw.of([
    '0',
    '1',
    '-1',
    '2',
    '-0',
    '1.5',
    '0.1',
    '-3.25e10',
    '1e300',
    '5e-324',
    'inf',
    '-inf',
    '+inf',
    '9007199254740993',
    '4611686018427387904',
    '100000000000000000000',
    String(draw.below(10)),
    String(draw.below(1000) / 8),
  ])
}

function member(draw: Draw): string {
  return draw.of([
    '',
    'a',
    'b',
    '1',
    '-5',
    `m:${draw.below(40)}`,
    `m:${draw.below(40)}`,
    'x'.repeat(draw.of([63, 64, 65])),
    '\xff\x00',
  ])
}

function pairs(draw: Draw, count: number): string[] {
  return Array.from({ length: count }, () => [score(draw), member(draw)]).flat()
}

function bound(draw: Draw): string {
  return draw.of(['-inf', '+inf', score(draw), `(${score(draw)}`, '(1', '3', ''])
}

function lexBound(draw: Draw): string {
  return draw.of(['-', '+', `[${member(draw)}`, `(${member(draw)}`, '[m:2', '(m:3'])
}

function rank(draw: Draw): number {
  return draw.of([0, 1, 2, -1, -2, draw.below(20), -draw.below(20), 1000, -1000])
}

function limit(draw: Draw): (string | number)[] {
  return draw.below(2) === 0 ? [] : ['LIMIT', draw.of([0, 1, 5, -1, 1000]), draw.of([0, 1, 3, -1, 1000])]
}

function withScores(draw: Draw): string[] {
  return draw.below(2) === 0 ? [] : ['WITHSCORES']
}

function weights(draw: Draw, count: number): (string | number)[] {
  const options: (string | number)[] = []
  if (draw.below(2) === 0)
    options.push('WEIGHTS', ...(draw.some(count, count, () => draw.of(['1', '2', '0', '-1.5', 'inf'])) as string[]))
  if (draw.below(2) === 0) options.push('AGGREGATE', draw.of(['SUM', 'min', 'MAX']))
  return options
}

const ADD_OPTIONS = [
  ['NX'],
  ['XX'],
  ['GT'],
  ['LT'],
  ['CH'],
  ['XX', 'GT', 'CH'],
  ['XX', 'LT', 'CH'],
  ['INCR'],
  ['NX', 'INCR'],
  ['GT', 'INCR'],
  ['XX', 'NX'],
  ['GT', 'LT'],
]

export const SORTED_SET_MAKERS: ((draw: Draw) => Command)[] = [
  (draw) => ['ZADD', draw.of(KEYS), ...pairs(draw, 1 + draw.below(5))],
  (draw) => ['ZADD', draw.of(KEYS), ...draw.of(ADD_OPTIONS), ...pairs(draw, 1)],
  (draw) => ['ZADD', draw.of(KEYS), ...draw.of(ADD_OPTIONS), ...pairs(draw, 2)],
  (draw) => ['ZINCRBY', draw.of(KEYS), score(draw), member(draw)],
  (draw) => ['ZREM', draw.of(KEYS), ...draw.some(1, 4, () => member(draw))],
  (draw) => ['ZSCORE', draw.of(KEYS), member(draw)],
  (draw) => ['ZMSCORE', draw.of(KEYS), ...draw.some(1, 4, () => member(draw))],
  (draw) => ['ZCARD', draw.of(KEYS)],
  (draw) => [draw.of(['ZRANK', 'ZREVRANK']), draw.of(KEYS), member(draw)],
  (draw) => [draw.of(['ZRANGE', 'ZREVRANGE']), draw.of(KEYS), rank(draw), rank(draw), ...withScores(draw)],
  (draw) => ['ZRANGE', draw.of(KEYS), 0, -1, 'WITHSCORES'],
  (draw) => ['ZRANGE', draw.of(KEYS), rank(draw), rank(draw), 'REV', ...withScores(draw)],
  (draw) => ['ZRANGE', draw.of(KEYS), bound(draw), bound(draw), 'BYSCORE', ...withScores(draw), ...limit(draw)],
  (draw) => ['ZRANGE', draw.of(KEYS), bound(draw), bound(draw), 'REV', 'BYSCORE', ...limit(draw), ...withScores(draw)],
  (draw) => [
    draw.of(['ZRANGEBYSCORE', 'ZREVRANGEBYSCORE']),
    draw.of(KEYS),
    bound(draw),
    bound(draw),
    ...withScores(draw),
    ...limit(draw),
  ],
  (draw) => [draw.of(['ZCOUNT', 'ZCOUNT']), draw.of(KEYS), bound(draw), bound(draw)],
  (draw) => ['ZREMRANGEBYSCORE', draw.of(KEYS), draw.of(['0', '(1', '5']), draw.of(['1', '(3', '5.5'])],
  (draw) => ['ZREMRANGEBYRANK', draw.of(KEYS), rank(draw), draw.of([0, 1, 3])],
  (draw) => [draw.of(['ZPOPMIN', 'ZPOPMAX']), draw.of(KEYS), ...draw.some(0, 1, () => draw.below(4))],
  (draw) => ['ZMPOP', 2, draw.of(KEYS), draw.of(KEYS), draw.of(['MIN', 'max']), 'COUNT', 1 + draw.below(3)],
  (draw) => [draw.of(['BZPOPMIN', 'BZPOPMAX']), draw.of(KEYS), draw.of(KEYS), '0.001'],
  (draw) => ['BZMPOP', '0.001', 2, draw.of(KEYS), draw.of(KEYS), draw.of(['MIN', 'MAX'])],
  (draw) => ['ZRANGESTORE', draw.of(KEYS), draw.of(KEYS), rank(draw), rank(draw), ...draw.of([[], ['REV']])],
  (draw) => ['ZRANGESTORE', 'stored', draw.of(KEYS), bound(draw), bound(draw), 'BYSCORE', ...limit(draw)],
  (draw) => [
    draw.of(['ZUNION', 'ZINTER']),
    2,
    draw.of(SOURCES),
    draw.of(SOURCES),
    ...weights(draw, 2),
    ...withScores(draw),
  ],
  (draw) => ['ZDIFF', 3, draw.of(SOURCES), draw.of(SOURCES), draw.of(SOURCES), ...withScores(draw)],
  (draw) => [
    draw.of(['ZUNIONSTORE', 'ZINTERSTORE']),
    draw.of(KEYS),
    3,
    ...draw.some(3, 3, () => draw.of(SOURCES)),
    ...weights(draw, 3),
  ],
  (draw) => ['ZDIFFSTORE', draw.of(KEYS), 2, draw.of(SOURCES), draw.of(SOURCES)],
  (draw) => ['ZINTERCARD', 2, draw.of(SOURCES), draw.of(SOURCES), 'LIMIT', draw.below(5)],
  (draw) => ['SADD', 'set', ...draw.some(1, 3, () => member(draw))],
  (draw) => ['ZSCAN', draw.of(KEYS), '0', 'COUNT', '100000', ...draw.of([[], ['MATCH', 'm:*']])],
  (draw) => ['OBJECT', 'ENCODING', draw.of(KEYS)],
  (draw) => (draw.below(4) === 0 ? ['DEL', draw.of([...KEYS, 'set'])] : ['ZADD', draw.of(KEYS), ...pairs(draw, 10)]),
]

/** Sets of one score only, for which alone ranges of members are defined. */
export const LEX_MAKERS: ((draw: Draw) => Command)[] = [
  (draw) => ['ZADD', draw.of(KEYS), ...draw.some(1, 5, () => member(draw)).flatMap((name) => ['0', name])],
  (draw) => ['ZREM', draw.of(KEYS), member(draw)],
  (draw) => [draw.of(['ZRANGEBYLEX', 'ZREVRANGEBYLEX']), draw.of(KEYS), lexBound(draw), lexBound(draw), ...limit(draw)],
  (draw) => [
    'ZRANGE',
    draw.of(KEYS),
    lexBound(draw),
    lexBound(draw),
    'BYLEX',
    ...draw.of([[], ['REV']]),
    ...limit(draw),
  ],
  (draw) => ['ZLEXCOUNT', draw.of(KEYS), lexBound(draw), lexBound(draw)],
  (draw) => ['ZREMRANGEBYLEX', draw.of(KEYS), lexBound(draw), draw.of(['[b', '(m:1', '[m:12'])],
  (draw) => ['ZRANGESTORE', 'stored', draw.of(KEYS), lexBound(draw), lexBound(draw), 'BYLEX'],
]
