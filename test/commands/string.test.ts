/** Strings and bitmaps against redis-server: edge cases by hand, and long seeded sequences over few keys. */
import { suite, test } from 'node:test'
import { differential } from '../support/differential.ts'
import type { Command } from '../support/wire.ts'
import { type Draw, randomSteps } from './random-steps.ts'

const SEED = Number(process.env.SEED ?? 1)
const STEPS = Number(process.env.STEPS ?? 6000)

const NUMBERS = [
  '0',
  '1',
  '-1',
  '9',
  '10',
  '-0',
  '+1',
  '01',
  ' 1',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '9007199254740993',
  '',
  'x',
  '1.5',
]
const FLOATS = [
  '0',
  '1',
  '-1.5',
  '3.0e3',
  '0.1',
  '1e400',
  'inf',
  '-inf',
  'nan',
  ' 1',
  '1 ',
  '0x10',
  '',
  '1e-17',
  '123456789.123456789',
]
const VALUES = [
  '',
  'a',
  'hello world',
  '10',
  '-5',
  '9223372036854775807',
  '3.25',
  '\xff\x00\xfe',
  'x'.repeat(45),
  'y'.repeat(9000),
]

const key = (draw: Draw) => `k${draw.below(6)}`
const value = (draw: Draw) => Buffer.from(draw.of(VALUES), 'latin1')
const index = (draw: Draw) => draw.of(['0', '1', '-1', '3', '-3', '100', '-100', '7', '64', 'x', '9223372036854775807'])
/** Far away, so that nothing expires while both servers are asked. */
const times = ['1000', '100000', '0', '-1', 'x', '9223372036854775807', '99999999999999']
const absolute = ['4102444800', '4102444800000', '0', '-1', 'x', '9223372036854775807']

function options(draw: Draw): string[] {
  const all = [
    [],
    ['NX'],
    ['XX'],
    ['GET'],
    ['KEEPTTL'],
    ['EX', draw.of(times)],
    ['PX', draw.of(times)],
    ['EXAT', draw.of(absolute)],
    ['PXAT', draw.of(absolute)],
    ['NOPE'],
    ['EX'],
    ['nx'],
  ]
  return [...draw.of(all), ...(draw.below(3) === 0 ? draw.of(all) : [])]
}

const STRINGS: ((draw: Draw) => Command)[] = [
  (draw) => ['SET', key(draw), value(draw), ...options(draw)],
  (draw) => ['SET', key(draw), draw.of(NUMBERS)],
  (draw) => ['GET', key(draw)],
  (draw) => [draw.of(['INCR', 'DECR']), key(draw)],
  (draw) => [draw.of(['INCRBY', 'DECRBY']), key(draw), draw.of(NUMBERS)],
  (draw) => ['INCRBYFLOAT', key(draw), draw.of(FLOATS)],
  (draw) => ['APPEND', key(draw), value(draw)],
  (draw) => ['SETRANGE', key(draw), draw.of(['0', '1', '5', '50', '-1', 'x', '600000000']), value(draw)],
  (draw) => [draw.of(['GETRANGE', 'SUBSTR']), key(draw), index(draw), index(draw)],
  (draw) => ['STRLEN', key(draw)],
  (draw) => ['MSET', key(draw), value(draw), key(draw), value(draw), ...(draw.below(9) === 0 ? ['odd'] : [])],
  (draw) => ['MSETNX', key(draw), value(draw), `n${draw.below(4)}`, 'v'],
  (draw) => ['MGET', ...draw.some(1, 5, () => key(draw))],
  (draw) => ['GETSET', key(draw), value(draw)],
  (draw) => ['GETDEL', key(draw)],
  (draw) => [
    'GETEX',
    key(draw),
    ...draw.of([
      [],
      ['PERSIST'],
      ['EX', draw.of(times)],
      ['PXAT', draw.of(absolute)],
      ['EX', '5000', 'PERSIST'],
      ['NX'],
    ]),
  ],
  (draw) => ['SETNX', key(draw), value(draw)],
  (draw) => [draw.of(['SETEX', 'PSETEX']), key(draw), draw.of(times), value(draw)],
  (draw) => [
    'LCS',
    key(draw),
    key(draw),
    ...draw.of([
      [],
      ['LEN'],
      ['IDX'],
      ['IDX', 'WITHMATCHLEN'],
      ['IDX', 'MINMATCHLEN', '2'],
      ['LEN', 'IDX'],
      ['MINMATCHLEN'],
    ]),
  ],
  (draw) => ['OBJECT', 'ENCODING', key(draw)],
  () => ['RPUSH', 'k5', 'a'],
  (draw) => ['DEL', key(draw)],
]

const bit = (draw: Draw) => draw.of(['0', '1', '7', '8', '9', '31', '100', '1000', '-1', 'x', '4294967296', '#1'])
const type = (draw: Draw) =>
  draw.of(['u1', 'u8', 'i8', 'u5', 'i5', 'u32', 'i32', 'u63', 'i64', 'u64', 'i65', 'u0', 'x8', 'i'])
const amount = (draw: Draw) =>
  draw.of([
    '0',
    '1',
    '-1',
    '127',
    '128',
    '255',
    '256',
    '-129',
    '9223372036854775807',
    '-9223372036854775808',
    '1000000',
    'x',
  ])

function field(draw: Draw): string[] {
  const at = draw.of(['0', '1', '5', '8', '#0', '#1', '#3', '100', '-1', 'x', '#'])
  return draw.of([
    ['GET', type(draw), at],
    ['SET', type(draw), at, amount(draw)],
    ['INCRBY', type(draw), at, amount(draw)],
    ['OVERFLOW', draw.of(['WRAP', 'SAT', 'FAIL', 'NO']), 'INCRBY', type(draw), at, amount(draw)],
  ])
}

const BITMAPS: ((draw: Draw) => Command)[] = [
  (draw) => ['SETBIT', key(draw), bit(draw), draw.of(['0', '1', '1', '2', 'x'])],
  (draw) => ['GETBIT', key(draw), bit(draw)],
  (draw) => ['SET', key(draw), value(draw)],
  (draw) => [
    'BITCOUNT',
    key(draw),
    ...draw.of<string[]>([
      [],
      [index(draw), index(draw)],
      [index(draw), index(draw), draw.of(['BIT', 'BYTE', 'x'])],
      [index(draw)],
    ]),
  ],
  (draw) => [
    'BITPOS',
    key(draw),
    draw.of(['0', '1', '1', '2', 'x']),
    ...draw.of<string[]>([
      [],
      [index(draw)],
      [index(draw), index(draw)],
      [index(draw), index(draw), draw.of(['BIT', 'BYTE', 'x'])],
    ]),
  ],
  (draw) => ['BITOP', draw.of(['AND', 'OR', 'XOR', 'NOT', 'NAND']), key(draw), ...draw.some(1, 3, () => key(draw))],
  (draw) => ['BITFIELD', key(draw), ...field(draw), ...(draw.below(2) === 0 ? field(draw) : [])],
  (draw) => ['BITFIELD_RO', key(draw), ...field(draw)],
  (draw) => ['STRLEN', key(draw)],
  () => ['RPUSH', 'k5', 'a'],
  (draw) => ['DEL', key(draw)],
]

suite(`strings and bitmaps against redis-server (seed ${SEED})`, () => {
  test('strings in any order', (t) => differential(t, randomSteps(SEED, STEPS, STRINGS)))
  test('bitmaps in any order', (t) => differential(t, randomSteps(SEED + 1, STEPS, BITMAPS)))
})
