/** Commands on sets at random: names, values and limits are few, so that they meet. */
import type { Command } from '../support/wire.ts'
import type { Draw } from './random-steps.ts'

const KEYS = ['s1', 's2', 's3', 's4']

function integer(draw: Draw): string {
  return draw.of([
    String(draw.below(20) - 10),
    String(draw.below(100_000) - 50_000),
    '32767',
    '32768',
    '-32769',
    '2147483648',
    '-2147483649',
    '9007199254740993',
    '9223372036854775807',
    '-9223372036854775808',
  ])
}

function member(draw: Draw): string {
  if (draw.below(3) > 0) return integer(draw)
  return draw.of(['', 'a', 'b', '-0', '01', `m:${draw.below(20)}`, 'x'.repeat(draw.of([63, 64, 65])), '\x00\xff'])
}

/** Sets of integers stay so for longer. */
function memberOf(key: string, draw: Draw): string {
  return key === 's1' && draw.below(100) > 0 ? integer(draw) : member(draw)
}

export const SET_MAKERS: ((draw: Draw) => Command)[] = [
  (draw) => {
    const key = draw.of(KEYS)
    return ['SADD', key, ...draw.some(1, 5, () => memberOf(key, draw))]
  },
  (draw) => ['SREM', draw.of(KEYS), ...draw.some(1, 5, () => member(draw))],
  (draw) => ['SCARD', draw.of(KEYS)],
  (draw) => ['SMEMBERS', draw.of(KEYS)],
  (draw) => ['SISMEMBER', draw.of(KEYS), member(draw)],
  (draw) => ['SMISMEMBER', draw.of(KEYS), ...draw.some(1, 5, () => member(draw))],
  (draw) => ['SMOVE', draw.of(KEYS), draw.of(KEYS), member(draw)],
  (draw) => [draw.of(['SINTER', 'SUNION', 'SDIFF']), ...draw.some(1, 4, () => draw.of(KEYS))],
  (draw) => [
    draw.of(['SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE']),
    draw.of(KEYS),
    ...draw.some(1, 3, () => draw.of(KEYS)),
  ],
  (draw) => ['SINTERCARD', 2, draw.of(KEYS), draw.of(KEYS), 'LIMIT', draw.below(4)],
  () => ['OBJECT', 'ENCODING', 's1'],
  (draw) => ['SSCAN', draw.of(KEYS), '0', 'COUNT', '100000'],
  (draw) => ['SSCAN', draw.of(KEYS), '0', 'COUNT', '100000', 'MATCH', draw.of(['m:*', '*1*', '*'])],
  (draw) => (draw.below(6) === 0 ? ['DEL', draw.of(KEYS)] : ['SADD', 's1', integer(draw)]),
]
