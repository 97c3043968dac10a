/** The values inside options: sizes, event flags, save points, buffer limits, percentiles. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  formatKeyspaceEvents,
  formatMemory,
  formatOutputBufferLimits,
  formatPercentiles,
  formatSavePoints,
  NOTIFY_ALL,
  NOTIFY_HASH,
  NOTIFY_KEY_MISS,
  NOTIFY_KEYEVENT,
  NOTIFY_KEYSPACE,
  NOTIFY_NEW,
  NOTIFY_STRING,
  parseKeyspaceEvents,
  parseLongLong,
  parseMemory,
  parseOutputBufferLimits,
  parsePercentiles,
  parseSavePoints,
  parseStrictInteger,
  toNumber,
} from '../../src/config/units.ts'

const UNLIMITED = { hardBytes: 0, softBytes: 0, softSeconds: 0 }
const LIMITS = { normal: UNLIMITED, replica: UNLIMITED, pubsub: UNLIMITED }

test('sizes with a b are powers of 1024, without powers of 1000, in either case', () => {
  const sizes: [string, bigint | undefined][] = [
    ['0', 0n],
    ['100', 100n],
    ['7b', 7n],
    ['1k', 1000n],
    ['1kb', 1024n],
    ['1m', 1_000_000n],
    ['1MB', 1_048_576n],
    ['2g', 2_000_000_000n],
    ['1Gb', 1_073_741_824n],
    ['1tb', undefined],
    ['-1', undefined],
    ['1.5gb', undefined],
    ['1 gb', undefined],
  ]
  for (const [text, bytes] of sizes) assert.equal(parseMemory(text), bytes, text)
})

test('sizes wrap at 2^64 as in C, and no digits are zero', () => {
  assert.equal(parseMemory('18446744073709551615'), 18446744073709551615n)
  assert.equal(parseMemory('99999999999999999999999'), 18446744073709551615n)
  assert.equal(parseMemory('17179869184gb'), 0n)
  assert.equal(parseMemory(''), 0n)
  assert.equal(parseMemory('kb'), 0n)
})

test('a size is written in the largest unit that divides it, and read back', () => {
  assert.equal(formatMemory(0), '0')
  assert.equal(formatMemory(1023), '1023')
  assert.equal(formatMemory(1024), '1kb')
  assert.equal(formatMemory(100 * 1024 * 1024), '100mb')
  assert.equal(formatMemory(3 * 2 ** 30), '3gb')
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
      assert.equal(parseMemory(formatMemory(bytes)), BigInt(bytes))
    }),
  )
})

test('strtoll takes what string2ll does not', () => {
  for (const text of ['+5', ' 5', '05', '']) {
    assert.notEqual(parseLongLong(text), undefined, text)
    assert.equal(parseStrictInteger(text), undefined, text)
  }
  assert.equal(parseLongLong('777', 8), 511n)
  assert.equal(parseLongLong('778', 8), undefined)
  assert.equal(parseLongLong('99999999999999999999'), 9223372036854775807n)
  assert.equal(parseStrictInteger('9223372036854775807'), 9223372036854775807n)
  assert.equal(parseStrictInteger('9223372036854775808'), undefined)
  assert.equal(parseStrictInteger('-9223372036854775808'), -9223372036854775808n)
  assert.equal(parseStrictInteger('-0'), undefined)
})

test('a number from 64 bits is never above the value', () => {
  assert.equal(toNumber(10n), 10)
  assert.equal(toNumber(-2n), -2)
  for (const value of [2n ** 63n - 1n, 2n ** 64n - 1n, 2n ** 53n + 1n]) assert.ok(BigInt(toNumber(value)) <= value)
})

test('keyspace event classes go both ways', () => {
  assert.equal(parseKeyspaceEvents('KEA'), NOTIFY_KEYSPACE | NOTIFY_KEYEVENT | NOTIFY_ALL)
  assert.equal(parseKeyspaceEvents('K$h'), NOTIFY_KEYSPACE | NOTIFY_STRING | NOTIFY_HASH)
  assert.equal(parseKeyspaceEvents(''), 0)
  assert.equal(parseKeyspaceEvents('KEy'), undefined)
  assert.equal(formatKeyspaceEvents(0), '')
  assert.equal(formatKeyspaceEvents(parseKeyspaceEvents('KEA') ?? -1), 'AKE')
  assert.equal(formatKeyspaceEvents(parseKeyspaceEvents('mEKh$n') ?? -1), '$hnKEm')
  assert.equal(formatKeyspaceEvents(parseKeyspaceEvents('g$lshzxetdKE') ?? -1), 'AKE')
})

test('key misses and new keys are not part of A', () => {
  assert.equal(NOTIFY_ALL & (NOTIFY_KEY_MISS | NOTIFY_NEW), 0)
  assert.equal(formatKeyspaceEvents(NOTIFY_ALL | NOTIFY_NEW | NOTIFY_KEY_MISS), 'Am')
})

test('save points are pairs of at least a second and no fewer than zero changes', () => {
  assert.deepEqual(parseSavePoints(['900', '1', '60', '0']), [
    { seconds: 900, changes: 1 },
    { seconds: 60, changes: 0 },
  ])
  assert.deepEqual(parseSavePoints([]), [])
  for (const args of [['900'], ['0', '1'], ['1', '-1'], ['a', '1'], ['1', '1x']]) {
    assert.equal(parseSavePoints(args), undefined, args.join(' '))
  }
  assert.equal(
    formatSavePoints([
      { seconds: 3600, changes: 1 },
      { seconds: 60, changes: 10000 },
    ]),
    '3600 1 60 10000',
  )
})

test('buffer limits change the classes that are named', () => {
  const parsed = parseOutputBufferLimits(['replica', '256mb', '64mb', '60', 'PUBSUB', '1k', '2', '3'], LIMITS)
  assert.ok('value' in parsed)
  assert.equal(formatOutputBufferLimits(parsed.value), 'normal 0 0 0 slave 268435456 67108864 60 pubsub 1000 2 3')
  const slave = parseOutputBufferLimits(['slave', '1', '1', '1'], LIMITS)
  assert.ok('value' in slave)
  assert.deepEqual(slave.value.replica, { hardBytes: 1, softBytes: 1, softSeconds: 1 })
})

test('buffer limits are refused whole, with the reason', () => {
  const reasons: [string, string][] = [
    ['normal 0 0', 'Wrong number of arguments in buffer limit configuration.'],
    ['wrong 0 0 0', 'Invalid client class specified in buffer limit configuration.'],
    ['master 10mb 10mb 60', 'Invalid client class specified in buffer limit configuration.'],
    ['normal 10mb x 60', 'Error in hard, soft or soft_seconds setting in buffer limit configuration.'],
    ['normal 1 1 -1', 'Error in hard, soft or soft_seconds setting in buffer limit configuration.'],
  ]
  for (const [text, error] of reasons) assert.deepEqual(parseOutputBufferLimits(text.split(' '), LIMITS), { error })
})

test('percentiles are between 0 and 100 and lose their trailing zeros', () => {
  const parsed = parsePercentiles(['50', '99.90', '100.0', '0'])
  assert.ok('value' in parsed)
  assert.equal(formatPercentiles(parsed.value), '50 99.9 100 0')
  assert.deepEqual(parsePercentiles(['101']), {
    error: 'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]',
  })
  assert.deepEqual(parsePercentiles(['a']), { error: 'Invalid latency-tracking-info-percentiles parameters' })
})
