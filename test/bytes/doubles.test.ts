/** Doubles and long doubles, mostly against what a real redis-server answers for the same text. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  addLongDouble,
  doubleToLongDouble,
  formatDouble17,
  formatLongDoubleHuman,
  formatScore,
  parseDouble,
  parseLongDouble,
} from '../../src/bytes/doubles.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { connectFor, isError } from '../support/wire.ts'

const SPECIAL = [
  ...[
    '0',
    '-0',
    '1',
    '-1',
    '+5',
    '007',
    '5.',
    '.5',
    '+.5e1',
    '1e5',
    '1E-5',
    '3.0e+3',
    '0.1',
    '1e17',
    '1e16',
    '123456789012345678',
  ],
  ...['inf', '-inf', '+INF', 'infinity', '-Infinity', 'nan', '-nan', 'NaN(1)', 'infi', 'in'],
  ...[
    '0x10',
    '-0X1.8p1',
    '0x.8',
    '0x1p-1074',
    '0x1p-1075',
    '0x1.8p-1075',
    '0x1p1023',
    '0x1p1024',
    '0x',
    '0x.',
    '0x1p',
    '0xg',
  ],
  ...[
    '1e308',
    '1.7976931348623157e308',
    '1.7976931348623159e308',
    '1e309',
    '5e-324',
    '2e-324',
    '1e-400',
    '0e-9999',
    '1e99999999999',
  ],
  ...['', ' 1', '1 ', '1_0', '0b1', '1e', '1e+', '.', '-', '+', '--1', '1.2.3', '.e1', '1,5', '\0', '1\0', '\t1'],
  ...[
    '1200000000000000.25',
    '2.98023223876953125e-08',
    '0.000001',
    '0.0001',
    '0.00001',
    '4611686018427387904',
    '9223372036854775807',
  ],
]

const bits = new DataView(new ArrayBuffer(8))
const anyDouble = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n) => {
    bits.setBigUint64(0, n)
    const x = bits.getFloat64(0)
    return Number.isFinite(x) ? x : 0
  }),
  fc.tuple(fc.integer(), fc.integer({ min: 0, max: 30 })).map(([n, places]) => n / 2 ** places),
  fc.tuple(fc.integer(), fc.integer({ min: 0, max: 8 })).map(([n, places]) => n / 10 ** places),
)

const anyText = fc.oneof(
  anyDouble.map(String),
  fc.constantFrom(...SPECIAL),
  fc.string({ unit: fc.constantFrom(...'0123456789.eE+-x'), maxLength: 12 }),
  fc
    .tuple(fc.nat({ max: 10 ** 9 }), fc.nat({ max: 10 ** 9 }), fc.integer({ min: -330, max: 330 }))
    .map((n) => `${n[0]}.${n[1]}e${n[2]}`),
  fc
    .tuple(fc.nat(), fc.nat(), fc.integer({ min: -1100, max: 1030 }))
    .map((n) => `0x${n[0].toString(16)}.${n[1].toString(16)}p${n[2]}`),
)

const file = fileCleanup()
const server = await startRedis(file)
const redis = await connectFor(file, server.port)

function bytesOf(text: string): [Uint8Array, number, number] {
  const bytes = Buffer.from(`11${text}11`, 'latin1')
  return [bytes, 2, bytes.length - 2]
}

test('a score is read and printed as redis-server does', async () => {
  const texts = [...SPECIAL, ...fc.sample(anyText, { numRuns: 3000 })]
  await redis.must('DEL', 'z')
  const replies = await redis.pipeline(
    texts.flatMap((text) => [
      ['ZADD', 'z', text, 'm'],
      ['ZSCORE', 'z', 'm'],
      ['DEL', 'z'],
    ]),
  )
  texts.forEach((text, at) => {
    const added = replies[at * 3]!
    const value = parseDouble(...bytesOf(text))
    assert.equal(Number.isNaN(value), isError(added), `${JSON.stringify(text)}: ${JSON.stringify(added)}`)
    // A listpack holds -0 as the integer 0.
    if (!isError(added)) assert.equal(formatDouble17(value + 0), replies[at * 3 + 1], text)
  })
})

test('INCRBYFLOAT on any two texts gives the digits that redis-server gives', async () => {
  const texts = [...SPECIAL, ...fc.sample(anyText, { numRuns: 3000 })].filter((text) => text.length < 100)
  const pairs = texts.map((text, at) => [text, texts[(at * 7 + 3) % texts.length]!] as const)
  const replies = await redis.pipeline(
    pairs.flatMap(([a, b]) => [
      ['SET', 'f', a],
      ['INCRBYFLOAT', 'f', b],
    ]),
  )
  pairs.forEach(([a, b], at) => {
    const reply = replies[at * 2 + 1]!
    const left = parseLongDouble(...bytesOf(a))
    const right = parseLongDouble(...bytesOf(b))
    const sum = left && right && addLongDouble(left, right)
    const expected = isError(reply) ? undefined : reply
    assert.equal(sum?.isFinite() ? formatLongDoubleHuman(sum) : undefined, expected, `${a} + ${b}`)
  })
})

test('a chain of INCRBYFLOAT drifts as redis-server does', async () => {
  await redis.must('DEL', 'chain')
  const steps = fc.sample(fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.nat({ max: 12 })), 500)
  const texts = steps.map(([n, places]) => (n / 10 ** places).toFixed(places))
  const replies = await redis.pipeline(texts.map((text) => ['INCRBYFLOAT', 'chain', text]))
  let value = '0'
  texts.forEach((text, at) => {
    value = formatLongDoubleHuman(
      addLongDouble(parseLongDouble(...bytesOf(value))!, parseLongDouble(...bytesOf(text))!),
    )
    assert.equal(value, replies[at])
  })
})

test('long doubles keep 64 bits, reach far beyond doubles, and know infinity and nan', () => {
  const sum = (a: string, b: string) =>
    formatLongDoubleHuman(addLongDouble(parseLongDouble(...bytesOf(a))!, parseLongDouble(...bytesOf(b))!))
  assert.equal(sum('0.1', '0.2'), '0.3')
  assert.equal(sum('18446744073709551615', '0'), '18446744073709551615')
  assert.equal(sum('18446744073709551615', '2'), '18446744073709551616')
  assert.equal(sum('-0', '-0'), '0')
  assert.equal(sum('3', '-3'), '0')
  assert.equal(sum('1e4932', '0').length, 4933)
  assert.equal(sum('1e4932', '1e4932'), 'inf')
  assert.equal(sum('inf', '-1'), 'inf')
  assert.ok(addLongDouble(parseLongDouble(...bytesOf('inf'))!, parseLongDouble(...bytesOf('-inf'))!).isNaN())
  assert.equal(parseLongDouble(...bytesOf('1e4933')), undefined)
  assert.equal(parseLongDouble(...bytesOf('1e-4960')), undefined)
  assert.equal(parseLongDouble(...bytesOf('1'.repeat(5 * 1024))), undefined)
})

test('a double keeps its value as a long double', () => {
  for (const x of [0, 1, -1, 0.5, 1e300, 5e-324, -123.456, 2 ** 53, 2 ** 1023]) {
    const there = doubleToLongDouble(x)
    assert.equal(Number(there.mantissa) * 2 ** there.exponent, Math.abs(x))
    assert.equal(there.negative, x < 0)
  }
  assert.ok(doubleToLongDouble(Number.NaN).isNaN())
  assert.equal(formatLongDoubleHuman(doubleToLongDouble(Number.NEGATIVE_INFINITY)), '-inf')
  assert.equal(formatLongDoubleHuman(doubleToLongDouble(0.1)), '0.10000000000000001')
})

test('what is printed is read back as the same double', () => {
  fc.assert(
    fc.property(anyDouble, (x) => {
      for (const text of [formatDouble17(x), formatScore(x)])
        assert.ok(Object.is(parseDouble(...bytesOf(text)), x), text)
    }),
    { numRuns: 5000 },
  )
})

test('printing follows %.17g: ties to even, exponents of two digits', () => {
  const cases: [number, string][] = [
    [1_200_000_000_000_000 + 0.25, '1200000000000000.2'],
    [1_200_000_000_000_000 + 0.75, '1200000000000000.8'],
    [2 ** -25, '2.9802322387695312e-08'],
    [0.1, '0.10000000000000001'],
    [0.0001, '0.0001'],
    [0.00001, '1.0000000000000001e-05'],
    [1e16, '10000000000000000'],
    [1e17, '1e+17'],
    [-1e300, '-1.0000000000000001e+300'],
    [-0, '-0'],
    [3, '3'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ]
  for (const [x, text] of cases) assert.equal(formatDouble17(x), text)
})

test('a score that is an integer below 2^62 is printed with all its digits', () => {
  assert.equal(formatScore(2 ** 62), '4611686018427387904')
  assert.equal(formatScore(-(2 ** 60) - 2 ** 20), '-1152921504607895552')
  assert.equal(formatScore(2 ** 63), '9.2233720368547758e+18')
  assert.equal(formatScore(1.5), '1.5')
  assert.equal(formatScore(-0), '-0')
})
