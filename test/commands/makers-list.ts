/** Commands on lists at random: names, values and limits are few, so that they meet. */
import type { Command } from '../support/wire.ts'
import type { Draw } from './random-steps.ts'

const KEYS = ['l1', 'l2', 'l3']

function element(draw: Draw): string {
  return draw.of([
    'a',
    'b',
    '',
    '1',
    '-70000',
    '9223372036854775807',
    '-0',
    `e:${draw.below(10)}`,
    'x'.repeat(draw.of([10, 63, 64, 300, 4095, 4096])),
  ])
}

function index(draw: Draw): number {
  return draw.of([0, 1, 2, -1, -2, draw.below(30), -draw.below(30), 1000, -1000])
}

const SIDES = ['LEFT', 'RIGHT', 'left']

export const LIST_MAKERS: ((draw: Draw) => Command)[] = [
  (draw) => ['LPUSH', draw.of(KEYS), ...draw.some(1, 6, () => element(draw))],
  (draw) => ['RPUSH', draw.of(KEYS), ...draw.some(1, 6, () => element(draw))],
  (draw) => ['LPUSHX', draw.of(KEYS), ...draw.some(1, 3, () => element(draw))],
  (draw) => ['RPUSHX', draw.of(KEYS), ...draw.some(1, 3, () => element(draw))],
  (draw) => [draw.of(['LPOP', 'RPOP']), draw.of(KEYS)],
  (draw) => [draw.of(['LPOP', 'RPOP']), draw.of(KEYS), draw.below(6)],
  (draw) => ['LLEN', draw.of(KEYS)],
  (draw) => ['LRANGE', draw.of(KEYS), index(draw), index(draw)],
  (draw) => ['LRANGE', draw.of(KEYS), 0, -1],
  (draw) => ['LINDEX', draw.of(KEYS), index(draw)],
  (draw) => ['LSET', draw.of(KEYS), index(draw), element(draw)],
  (draw) => ['LREM', draw.of(KEYS), draw.below(7) - 3, element(draw)],
  (draw) => ['LINSERT', draw.of(KEYS), draw.of(['BEFORE', 'AFTER', 'before']), element(draw), element(draw)],
  (draw) => ['LTRIM', draw.of(KEYS), draw.below(4), draw.of([-1, -2, 30, 50])],
  (draw) => ['LPOS', draw.of(KEYS), element(draw)],
  (draw) => ['LPOS', draw.of(KEYS), element(draw), 'RANK', draw.of([1, 2, -1, -3]), 'COUNT', draw.below(4)],
  (draw) => ['LPOS', draw.of(KEYS), element(draw), 'COUNT', 0, 'MAXLEN', draw.below(20)],
  (draw) => ['LMOVE', draw.of(KEYS), draw.of(KEYS), draw.of(SIDES), draw.of(SIDES)],
  (draw) => ['RPOPLPUSH', draw.of(KEYS), draw.of(KEYS)],
  (draw) => ['BLMOVE', 'l1', draw.of(KEYS), draw.of(SIDES), draw.of(SIDES), '0.001'],
  (draw) => ['LMPOP', 2, draw.of(KEYS), draw.of(KEYS), draw.of(SIDES), 'COUNT', 1 + draw.below(3)],
  (draw) => ['BLPOP', draw.of(KEYS), draw.of(KEYS), '0.001'],
  (draw) => ['OBJECT', 'ENCODING', draw.of(KEYS)],
  (draw) => (draw.below(8) === 0 ? ['DEL', draw.of(KEYS)] : ['RPUSH', draw.of(KEYS), element(draw)]),
]
