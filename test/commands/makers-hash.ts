/** Commands on hashes at random: names, values and limits are few, so that they meet. */
import type { Command } from '../support/wire.ts'
import type { Draw } from './random-steps.ts'

const INTEGERS = [
  '0',
  '1',
  '-1',
  '127',
  '128',
  '-4096',
  '4096',
  '32768',
  '-8388609',
  '2147483648',
  '9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
]
const FLOATS = ['0.1', '1.5e3', '-2', '3.0000000000000001', 'inf', 'nan', 'abc', '', '1e400', '0x10', '10.50']
const KEYS = ['h1', 'h2', 'h3']

function field(draw: Draw): string {
  return draw.of(['', 'f', 'field', '12', `f:${draw.below(30)}`, 'x'.repeat(draw.of([10, 63, 64, 65, 300]))])
}

function value(draw: Draw): string {
  return draw.of([
    '',
    'text',
    draw.of(INTEGERS),
    draw.of(FLOATS),
    'v'.repeat(draw.of([5, 63, 64, 65, 5000])),
    '\x00\xff\r\n',
  ])
}

function pairs(draw: Draw): string[] {
  return Array.from({ length: 1 + draw.below(6) }, () => [field(draw), value(draw)]).flat()
}

export const HASH_MAKERS: ((draw: Draw) => Command)[] = [
  (draw) => ['HSET', draw.of(KEYS), ...pairs(draw)],
  (draw) => ['HSET', draw.of(KEYS), `f:${draw.below(30)}`, value(draw)],
  (draw) => ['HMSET', draw.of(KEYS), ...pairs(draw)],
  (draw) => ['HSETNX', draw.of(KEYS), field(draw), value(draw)],
  (draw) => ['HDEL', draw.of(KEYS), ...draw.some(1, 4, () => field(draw))],
  (draw) => ['HGET', draw.of(KEYS), field(draw)],
  (draw) => ['HMGET', draw.of(KEYS), ...draw.some(1, 4, () => field(draw))],
  (draw) => ['HGETALL', draw.of(KEYS)],
  (draw) => ['HKEYS', draw.of(KEYS)],
  (draw) => ['HVALS', draw.of(KEYS)],
  (draw) => ['HLEN', draw.of(KEYS)],
  (draw) => ['HEXISTS', draw.of(KEYS), field(draw)],
  (draw) => ['HSTRLEN', draw.of(KEYS), field(draw)],
  (draw) => ['HINCRBY', draw.of(KEYS), field(draw), draw.of([...INTEGERS, 'x', '1.5', ''])],
  (draw) => ['HINCRBYFLOAT', draw.of(KEYS), field(draw), draw.of([...FLOATS, ...INTEGERS])],
  (draw) => ['OBJECT', 'ENCODING', draw.of(KEYS)],
  (draw) => (draw.below(10) === 0 ? ['DEL', draw.of(KEYS)] : ['HSCAN', draw.of(KEYS), '0', 'COUNT', '100000']),
]
