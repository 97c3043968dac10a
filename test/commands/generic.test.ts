/**
 * Commands on whole keys against redis-server: replies to the byte, the datasets afterwards, and what is propagated.
 */
import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { differential, type Pair, type Step, startPair } from '../support/differential.ts'
import { attachReplica } from '../support/stream.ts'
import { startTandem } from '../support/tandem.ts'
import {
  type Argument,
  type Command,
  connectFor,
  isError,
  type RawReply,
  type Reply,
  type Wire,
} from '../support/wire.ts'

/** One key of each type and size class. */
const VALUES: Command[] = [
  ['SET', 'string', 'value'],
  ['SET', 'integer', '12345'],
  ['SET', 'negative', '-9223372036854775808'],
  ['SET', 'empty', ''],
  ['SET', 'embstr', 'x'.repeat(44)],
  ['SET', 'raw', 'x'.repeat(45)],
  ['SET', 'large', Buffer.alloc(100_000, 'abc')],
  ['APPEND', 'appended', '123'],
  ['RPUSH', 'list', 'a', '2', 'c'],
  ['RPUSH', 'biglist', ...Array.from({ length: 3000 }, (_, i) => `element:${i}`)],
  ['SADD', 'intset', 1, 2, 3, -4],
  ['SADD', 'bigintset', ...Array.from({ length: 500 }, (_, i) => i * 1_000_000_007)],
  ['SADD', 'set', 'a', 'b', 'c'],
  ['ZADD', 'zset', 1, 'a', 2.5, 'b', '-inf', 'c'],
  ['ZADD', 'bigzset', ...Array.from({ length: 300 }, (_, i) => [i / 3, `member:${i}`]).flat()],
  ['HSET', 'hash', 'a', 1, 'b', 'two'],
  ['HSET', 'bighash', ...Array.from({ length: 600 }, (_, i) => [`field:${i}`, i]).flat()],
]
const KEYS = [...new Set(VALUES.map((args) => String(args[0] === 'XGROUP' ? args[2] : args[1])))]

/** The servers' clocks need not tick together. */
const IDLE_TIME = {
  'object idletime': (answer: RawReply) => (answer.reply === null ? null : Math.round(Number(answer.reply) / 10)),
}

/** Sent by a client of its own, so that what follows is a new batch and sees a later time. */
const PAUSE: Step = { client: 'pause', args: 'DEBUG SLEEP 0.01' }

async function scanAll(wire: Wire, ...options: Command): Promise<string[]> {
  const found: string[] = []
  let cursor = '0'
  do {
    const reply = (await wire.must('SCAN', cursor, ...options)) as [Reply, Reply[]]
    cursor = String(reply[0])
    found.push(...reply[1].map(String))
  } while (cursor !== '0')
  return found.toSorted()
}

suite('generic commands against redis-server', () => {
  let pair: Pair

  before(async () => {
    pair = await startPair()
  })

  test('existence, type and encoding of values of each kind', async (t) => {
    const steps: Step[] = [...VALUES]
    for (const key of [...KEYS, 'missing']) {
      steps.push(['EXISTS', key], ['TYPE', key], ['OBJECT', 'ENCODING', key], ['TTL', key])
      steps.push(['OBJECT', 'REFCOUNT', key], ['OBJECT', 'IDLETIME', key], ['OBJECT', 'FREQ', key])
    }
    steps.push(['EXISTS', ...KEYS, 'string', 'missing'], ['TOUCH', 'string', 'missing', 'list'])
    steps.push('OBJECT HELP', 'OBJECT NOPE x', 'OBJECT ENCODING', 'OBJECT', 'DBSIZE')
    steps.push('DEL string string missing list', 'UNLINK hash hash zset', 'DBSIZE', 'DEL', 'EXISTS')
    await differential(t, steps, { normalise: IDLE_TIME })
  })

  test('RENAME and RENAMENX', async (t) => {
    await differential(t, [
      ...VALUES,
      ...KEYS.flatMap((key): Step[] => [
        ['RENAME', key, `${key}:renamed`],
        ['RENAMENX', `${key}:renamed`, key],
      ]),
      'RENAME missing other',
      'RENAMENX missing missing',
      'RENAME string string',
      'RENAMENX string string',
      'RENAMENX string list',
      'GET string',
      'PEXPIREAT string 9999999999999',
      'RENAME string list',
      'PEXPIRETIME list',
      'GET list',
      'SET plain x',
      'RENAME plain list',
      'PEXPIRETIME list',
      ['RENAME', 'list', 'k'.repeat(300)],
      ['RENAME', 'k'.repeat(300), 'n'.repeat(400)],
      ['GET', 'n'.repeat(400)],
      'RENAME a',
    ])
  })

  test('COPY and MOVE', async (t) => {
    await differential(t, [
      ...VALUES,
      ...KEYS.flatMap((key): Step[] => [
        ['COPY', key, `${key}:copy`],
        ['COPY', key, `${key}:copy`],
        ['COPY', key, `${key}:copy`, 'REPLACE'],
        ['COPY', key, key, 'DB', '3'],
        ['OBJECT', 'ENCODING', `${key}:copy`],
      ]),
      // A copy is independent of its source.
      'RPUSH biglist more',
      'LLEN biglist:copy',
      'HSET bighash field:1 changed',
      'HGET bighash:copy field:1',
      'ZADD bigzset 1000 more',
      'ZCARD bigzset:copy',
      'SADD set more',
      'SCARD set:copy',
      'APPEND large x',
      'STRLEN large:copy',
      'COPY string string',
      'COPY string string DB 0',
      'COPY missing other',
      'COPY string other DB 99',
      'COPY string other DB x',
      'COPY string other DB 99999999999',
      'COPY string other DB',
      'COPY string other NOPE',
      'PEXPIREAT string 9999999999999',
      'COPY string string:copy REPLACE',
      'PEXPIRETIME string:copy',
      'MOVE string 0',
      'MOVE string 99',
      'MOVE string x',
      'MOVE missing 5',
      'MOVE string 3',
      'MOVE string 5',
      'MOVE string 5',
      'SELECT 5',
      'GET string',
      'PEXPIRETIME string',
      'DBSIZE',
      'SELECT 3',
      'DBSIZE',
      'SELECT 0',
      ...KEYS.map((key): Step => ['MOVE', key, '7']),
      'DBSIZE',
    ])
  })

  test('KEYS', async (t) => {
    const names = ['', 'a', 'aa', 'ab', 'b', 'h[llo', 'hello', 'hallo', 'h*llo', 'h?llo', 'with space', '\xff\x00\x01']
    const patterns = [
      '*',
      '',
      'a',
      'a*',
      '?',
      '??',
      'h?llo',
      'h[ae]llo',
      'h[^e]llo',
      'h\\*llo',
      'h\\[llo',
      '[a-b]',
      '**',
    ]
    await differential(t, [
      ...names.map((name): Step => ['SET', name, 'x']),
      ...patterns.map((pattern): Step => ['KEYS', pattern]),
      'SET gone x PX 1',
      PAUSE,
      'KEYS gone',
      'KEYS gon*',
      // Whoever has not removed it yet does so now: the digest would tell.
      'GET gone',
      'KEYS',
    ])
  })

  test('errors of SCAN', async (t) => {
    await differential(t, [
      'SCAN 0',
      ['SCAN', ''],
      'SCAN x',
      'SCAN 1x',
      ['SCAN', ' 1'],
      'SCAN 18446744073709551616',
      'SCAN 0 COUNT',
      'SCAN 0 COUNT x',
      'SCAN 0 COUNT 0',
      'SCAN 0 COUNT -1',
      'SCAN 0 MATCH',
      'SCAN 0 NOPE x',
      'SCAN 0 TYPE nope',
      'SCAN',
    ])
  })

  test('SCAN finds each key once, whatever COUNT is', async (t) => {
    const wire = await connectFor(t, pair.tandem.port)
    await wire.must('FLUSHALL')
    const expected = Array.from({ length: 3000 }, (_, i) => `key:${i}`).toSorted()
    await wire.pipeline(expected.map((key) => ['SET', key, 'x']))
    await wire.must('RPUSH', 'list', 'a')
    for (const count of [1, 7, 100, 10_000]) {
      assert.deepEqual(await scanAll(wire, 'COUNT', count, 'MATCH', 'key:*'), expected)
    }
    assert.deepEqual(await scanAll(wire, 'TYPE', 'LIST'), ['list'])
    assert.deepEqual(await scanAll(wire, 'TYPE', 'hash'), [])
    const some = expected.filter((key) => /^key:1..$/.test(key))
    assert.deepEqual(await scanAll(wire, 'MATCH', 'key:1??', 'TYPE', 'string'), some)
  })

  test('SCAN finds the keys that stay while others come and go', async (t) => {
    const wire = await connectFor(t, pair.tandem.port)
    await wire.must('FLUSHALL')
    const staying = Array.from({ length: 1000 }, (_, i) => `stays:${i}`).toSorted()
    await wire.pipeline(staying.map((key) => ['SET', key, 'x']))
    const found: string[] = []
    let cursor = '0'
    let step = 0
    do {
      const reply = (await wire.must('SCAN', cursor, 'COUNT', 5)) as [Reply, Reply[]]
      cursor = String(reply[0])
      found.push(...reply[1].map(String).filter((key) => key.startsWith('stays:')))
      step++
      const batch: Command[] = []
      for (let i = 0; i < 50; i++) batch.push(['SET', `comes:${step}:${i}`, 'x'], ['DEL', `comes:${step - 3}:${i}`])
      await wire.pipeline(batch)
    } while (cursor !== '0')
    assert.deepEqual(found.toSorted(), staying)
  })

  test('RANDOMKEY draws every key, and none that is past its time', async (t) => {
    const wire = await connectFor(t, pair.tandem.port)
    await wire.must('FLUSHALL')
    assert.equal(await wire.must('RANDOMKEY'), null)
    await wire.must('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
    t.after(() => wire.send('DEBUG', 'SET-ACTIVE-EXPIRE', '1').catch(() => undefined))
    for (let i = 0; i < 10; i++) await wire.must('SET', `key:${i}`, 'x')
    for (let i = 0; i < 10; i++) await wire.must('SET', `gone:${i}`, 'x', 'PX', 1)
    await wire.must('DEBUG', 'SLEEP', '0.01')
    const drawn = new Set<string>()
    for (let i = 0; i < 1000; i++) drawn.add(String(await wire.must('RANDOMKEY')))
    assert.deepEqual(
      [...drawn].toSorted(),
      Array.from({ length: 10 }, (_, i) => `key:${i}`),
    )
  })

  test('errors of RESTORE', async (t) => {
    const payload = await dumped(t, pair.redis.port)
    const broken = Buffer.from(payload)
    broken[broken.length - 1]! ^= 1
    await differential(
      t,
      [
        ['RESTORE', 'key', '0', payload],
        ['RESTORE', 'key', '0', payload],
        ['RESTORE', 'key', '0', payload, 'REPLACE'],
        ['GET', 'key'],
        ['RESTORE', 'key', '9999999999999', payload, 'REPLACE', 'ABSTTL'],
        ['PEXPIRETIME', 'key'],
        ['RESTORE', 'key', '0', broken, 'REPLACE'],
        ['RESTORE', 'other', '0', 'short'],
        ['RESTORE', 'other', '-1', payload],
        ['RESTORE', 'other', 'x', payload],
        ['RESTORE', 'other', '0', payload, 'NOPE'],
        ['RESTORE', 'other', '0', payload, 'IDLETIME'],
        ['RESTORE', 'other', '0', payload, 'IDLETIME', '-1'],
        ['RESTORE', 'other', '0', payload, 'FREQ', '256'],
        ['RESTORE', 'other', '0', payload, 'FREQ', 'x'],
        ['RESTORE', 'other', '0', payload, 'FREQ', '1', 'IDLETIME', '1'],
        ['RESTORE', 'other', '0', payload, 'IDLETIME', '1000'],
        ['OBJECT', 'IDLETIME', 'other'],
        ['RESTORE', 'key', '1', payload, 'ABSTTL', 'REPLACE'],
        ['EXISTS', 'key'],
        ['RESTORE', 'past', '1', payload, 'ABSTTL'],
        ['EXISTS', 'past'],
        ['DUMP', 'missing'],
      ],
      { normalise: IDLE_TIME },
    )
  })

  test('each server restores what the other has dumped', async (t) => {
    const redis = await connectFor(t, pair.redis.port)
    const tandem = await connectFor(t, pair.tandem.port)
    for (const [from, to] of [
      [redis, tandem],
      [tandem, redis],
    ] as const) {
      for (const wire of [redis, tandem]) await wire.must('FLUSHALL')
      for (const args of VALUES) await from.must(...args)
      for (const key of KEYS) {
        const payload = Buffer.from(String(await from.must('DUMP', key)), 'latin1')
        assert.equal(await to.must('RESTORE', key, '0', payload), 'OK', key)
        assert.deepEqual(
          await to.must('DEBUG', 'DIGEST-VALUE', key),
          await from.must('DEBUG', 'DIGEST-VALUE', key),
          key,
        )
      }
    }
  })

  test('FLUSHDB, FLUSHALL and SWAPDB', async (t) => {
    await differential(t, [
      'SET a 1',
      'SELECT 1',
      'SET b 2',
      'FLUSHDB NOPE',
      'FLUSHDB SYNC ASYNC',
      'FLUSHALL x y',
      'SWAPDB 0 1',
      'GET a',
      'SELECT 0',
      'GET b',
      'SWAPDB 0 0',
      'SWAPDB 0 99',
      'SWAPDB x 0',
      'SWAPDB 0 x',
      'SWAPDB 0 -1',
      'FLUSHDB ASYNC',
      'DBSIZE',
      'SELECT 1',
      'DBSIZE',
      'FLUSHALL SYNC',
      'DBSIZE',
      'FLUSHDB',
    ])
  })
})

function text(part: Argument): string {
  return typeof part === 'object' ? part.toString('latin1') : String(part)
}

async function dumped(t: { after(fn: () => Promise<void>): void }, port: number): Promise<Buffer> {
  const wire = await connectFor(t, port)
  await wire.must('SET', 'to-dump', 'value')
  const payload = Buffer.from(String(await wire.must('DUMP', 'to-dump')), 'latin1')
  await wire.must('DEL', 'to-dump')
  return payload
}

suite('what generic commands propagate', () => {
  test('each as itself, and only if it changed something', async (t) => {
    const server = await startTandem(t)
    const wire = await connectFor(t, server.port)
    const stream = await attachReplica(server.port, {}, t)
    const payload = await dumped(t, server.port)
    await stream.waitForCommand('DEL', 'to-dump')
    stream.clear()
    const quiet: Command[] = [
      ['DEL', 'missing'],
      ['RENAME', 'missing', 'x'],
      ['COPY', 'missing', 'x'],
      ['MOVE', 'missing', 1],
      ['PERSIST', 'missing'],
      ['SORT', 'missing'],
      ['SORT', 'missing', 'STORE', 'missing'],
      ['RESTORE', 'past', 1, payload, 'ABSTTL'],
    ]
    for (const args of quiet) await wire.send(...args)
    const loud: Command[] = [
      ['SET', 'a', '1'],
      ['COPY', 'a', 'b'],
      ['RENAME', 'a', 'c'],
      ['MOVE', 'c', '1'],
      ['RESTORE', 'd', '0', payload],
      ['SORT', 'missing', 'STORE', 'd'],
      ['UNLINK', 'b', 'missing'],
      ['FLUSHDB'],
      ['SWAPDB', '0', '1'],
      ['FLUSHALL'],
      ['RESTORE', 'e', '1', payload, 'ABSTTL', 'REPLACE'],
      ['RESTORE', 'f', '9999999', payload],
      ['SET', 'end', '1'],
    ]
    for (const args of loud) assert.ok(!isError(await wire.send(...args)))
    const seen = (await stream.waitForCommand('SET', 'end')).filter((args) => args[0]!.toUpperCase() !== 'SELECT')
    const restored = seen.at(-2)!
    const expected = loud.map((args) => args.map(text))
    expected.splice(-3, 1)
    assert.deepEqual(seen.toSpliced(-2, 1), expected.toSpliced(-2, 1))
    assert.deepEqual(restored.toSpliced(2, 1), ['RESTORE', 'f', payload.toString('latin1'), 'ABSTTL'])
    assert.ok(Math.abs(Number(restored[2]) - (Date.now() + 9_999_999)) < 10_000)
  })
})
