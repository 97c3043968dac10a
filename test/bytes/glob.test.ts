import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { globMatch, isPlain } from '../../src/bytes/glob.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { connectFor } from '../support/wire.ts'

const file = fileCleanup()
const server = await startRedis(file)
const redis = await connectFor(file, server.port)

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  const bytes = Buffer.from(`a${text}a`, 'latin1')
  return globMatch(Buffer.from(pattern, 'latin1'), bytes, 1, bytes.length - 1, ignoreCase)
}

test('stars, question marks, classes and escapes', () => {
  const yes = [
    'h*llo hllo',
    'h?llo hello',
    'h[ae]llo hallo',
    'h[^e]llo hallo',
    'h[a-c]llo hbllo',
    'a\\*b a*b',
    '** x',
    '[c-a] b',
  ]
  const no = ['h?llo hllo', 'h[^e]llo hello', 'h[a-c]llo hdllo', 'a\\*b axb', '*a b', 'a*', '[] a', 'ab a', 'a ab']
  for (const pair of yes) assert.ok(matches(pair.split(' ')[0]!, pair.split(' ')[1]!), pair)
  for (const pair of no) assert.ok(!matches(pair.split(' ')[0]!, pair.split(' ')[1] ?? ''), pair)
})

test('case is ignored where Redis ignores it', () => {
  assert.ok(matches('HeL[L]o', 'hello', true))
  assert.ok(matches('[A-C]', 'b', true))
  assert.ok(!matches('[\\B]', 'b', true))
  assert.ok(!matches('HELLO', 'hello'))
})

test('any pattern selects the keys that redis-server selects', async () => {
  const unit = fc.constantFrom(...'ab*?[]^-\\\xff\x80\x00*')
  const patterns = fc.sample(fc.string({ unit, minLength: 1, maxLength: 10 }), 4000)
  const texts = fc.sample(
    fc.string({ unit: fc.constantFrom(...'ab-]^\xff\x80\x00\\'), minLength: 1, maxLength: 8 }),
    60,
  )
  await redis.must('FLUSHALL')
  await redis.pipeline([...new Set(texts)].map((text) => ['SET', text, '']))
  const replies = await redis.pipeline(patterns.map((pattern) => ['KEYS', pattern]))
  patterns.forEach((pattern, at) => {
    const expected = new Set(replies[at] as string[])
    for (const text of texts) {
      assert.equal(matches(pattern, text), expected.has(text), `${JSON.stringify(pattern)} on ${JSON.stringify(text)}`)
    }
  })
})

test('a hostile pattern takes neither exponential time nor stack', () => {
  const started = performance.now()
  assert.ok(!matches(`${'a*'.repeat(5000)}b`, 'a'.repeat(5000)))
  assert.ok(!matches(`${'*?'.repeat(2000)}b`, 'a'.repeat(4000)))
  assert.ok(performance.now() - started < 5000)
})

test('a pattern is plain when no byte of it is special', () => {
  for (const pattern of ['', 'abc', 'a-b]^', '\xff']) assert.ok(isPlain(Buffer.from(pattern, 'latin1')), pattern)
  for (const pattern of ['*', 'a?', '[a', 'a\\b']) assert.ok(!isPlain(Buffer.from(pattern)), pattern)
})
