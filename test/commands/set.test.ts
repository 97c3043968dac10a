/** Commands on sets against redis-server, however they are kept: replies, datasets, and what is propagated. */
import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { differential, type Step, startPair } from '../support/differential.ts'
import { comparePropagation, propagated } from '../support/propagation.ts'
import { startRedis } from '../support/redis.ts'
import { startTandem } from '../support/tandem.ts'
import { type Command, connectFor, type RawReply } from '../support/wire.ts'
import { SET_MAKERS } from './makers-set.ts'
import { randomSteps } from './random-steps.ts'

const SORTED = {
  sscan: (answer: RawReply) => {
    const reply = answer.reply
    return Array.isArray(reply) ? [reply[0], (reply[1] as unknown[]).map(String).sort()] : reply
  },
}

suite('set commands against redis-server', () => {
  before(() => startPair())

  for (const seed of [1, 2, 3]) {
    test(`commands at random, seed ${seed}`, (t) =>
      differential(t, () => randomSteps(seed, 4000, SET_MAKERS), { normalise: SORTED }))
  }

  test('set-max-intset-entries 4', async (t) => {
    const set: Step[] = ['CONFIG SET set-max-intset-entries 4']
    const reset: Step[] = ['CONFIG SET set-max-intset-entries 512']
    await differential(t, () => [...set, ...randomSteps(9, 3000, SET_MAKERS), ...reset], { normalise: SORTED })
  })

  test('sizes around the limits', async (t) => {
    const steps: Step[] = []
    for (const count of [127, 128, 129, 511, 512, 513, 3000]) {
      for (const kind of ['int', 'text']) {
        const key = `${kind}:${count}`
        for (let i = 0; i < count; i += 50) {
          const some = Array.from({ length: Math.min(50, count - i) }, (_, j) => (kind === 'int' ? i + j : `m${i + j}`))
          steps.push(['SADD', key, ...some])
        }
        steps.push(['SCARD', key], ['OBJECT', 'ENCODING', key], ['SMEMBERS', key], ['SADD', key, 'one more', 1])
        steps.push(
          ['OBJECT', 'ENCODING', key],
          ['SMEMBERS', key],
          ['COPY', key, `${key}:copy`],
          ['SREM', key, 'one more', 7],
        )
        steps.push(['SMEMBERS', key], ['SMEMBERS', `${key}:copy`], ['SUNIONSTORE', 'union', key, 'union'])
      }
    }
    steps.push('SCARD union', 'SMEMBERS union', 'SDIFF union int:3000 text:3000', 'SINTER union int:512 int:129')
    await differential(t, steps)
  })

  test('errors', async (t) => {
    await differential(
      t,
      [
        'SET string x',
        'SADD s a',
        ...[
          'SADD string a',
          'SREM string a',
          'SCARD string',
          'SMEMBERS string',
          'SISMEMBER string a',
          'SMISMEMBER string a b',
        ],
        ...[
          'SPOP string',
          'SPOP string 1',
          'SRANDMEMBER string',
          'SRANDMEMBER string 1',
          'SMOVE string s a',
          'SMOVE s string a',
        ],
        ...[
          'SMOVE missing string a',
          'SINTER s string',
          'SINTER missing string',
          'SUNION s string',
          'SDIFF s string',
          'SDIFF missing string',
        ],
        ...[
          'SINTERSTORE string s',
          'SET string x',
          'SINTERSTORE d string',
          'SUNIONSTORE d s string',
          'SINTERCARD 1 string',
          'SSCAN string 0',
        ],
        ...[
          'SINTERCARD 0 s',
          'SINTERCARD x s',
          'SINTERCARD 2 s',
          'SINTERCARD 1 s LIMIT',
          'SINTERCARD 1 s LIMIT -1',
          'SINTERCARD 1 s NOPE 1',
        ],
        ...[
          'SPOP s x',
          'SPOP s -1',
          'SPOP s 1 2',
          'SPOP missing',
          'SPOP missing 2',
          'SPOP s 0',
          'SRANDMEMBER s x',
          'SRANDMEMBER s 1 2',
        ],
        ...[
          'SRANDMEMBER missing',
          'SRANDMEMBER missing 3',
          'SRANDMEMBER s 0',
          'SRANDMEMBER s -3',
          'SRANDMEMBER s 5',
          'SRANDMEMBER s',
        ],
        ...[
          'SRANDMEMBER s -9223372036854775808',
          'SSCAN s x',
          'SSCAN missing 0',
          'SSCAN s 0 COUNT 0',
          'SSCAN s 0 MATCH a',
        ],
        ...[
          'SINTERSTORE s missing',
          'EXISTS s',
          'SINTERSTORE s missing',
          'SADD s a b',
          'SPOP s 5',
          'EXISTS s',
          'SADD s a',
          'SPOP s',
          'EXISTS s',
        ],
        ...[
          'SADD e 1',
          'EXPIRE e 100',
          'SUNIONSTORE e e',
          'TTL e',
          'OBJECT ENCODING e',
          'SREM missing a',
          'SMEMBERS missing',
        ],
      ],
      { order: { spop: 'elements', srandmember: 'elements' } },
    )
  })

  test('SPOP and SRANDMEMBER draw members, as many as asked for', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    for (const [key, size, name] of [
      ['ints', 300, ''],
      ['packed', 100, 'm'],
      ['table', 3000, 'm'],
    ] as const) {
      const all = Array.from({ length: size }, (_, i) => `${name}${i}`)
      await wire.must('SADD', key, ...all)
      const left = new Set(all)
      for (const count of [1, 2, size >> 1, size - 1, size, size + 9]) {
        const drawn = (await wire.must('SRANDMEMBER', key, count)) as string[]
        assert.equal(new Set(drawn).size, Math.min(count, size))
        for (const found of drawn) assert.ok(left.has(found))
        assert.equal(((await wire.must('SRANDMEMBER', key, -count)) as string[]).length, count)
      }
      for (const count of [1, 5, size >> 1, 7]) {
        const popped = (await wire.must('SPOP', key, count)) as string[]
        assert.equal(popped.length, count)
        for (const found of popped) assert.ok(left.delete(found))
        assert.ok(left.delete(String(await wire.must('SPOP', key))))
        assert.deepEqual(new Set((await wire.must('SMEMBERS', key)) as string[]), left)
      }
      assert.equal(await wire.must('SCARD', key), left.size)
    }
  })

  test('a scan of a large set finds every member once', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    await wire.must('SADD', 's', ...Array.from({ length: 5000 }, (_, i) => `member:${i}`))
    const found: string[] = []
    let cursor = '0'
    do {
      const [next, items] = (await wire.must('SSCAN', 's', cursor, 'COUNT', 50)) as [string, string[]]
      cursor = next
      found.push(...items)
    } while (cursor !== '0')
    assert.equal(found.length, 5000)
    assert.equal(new Set(found).size, 5000)
  })

  test('a set of a few strings is scanned in pages of COUNT, as the table that it is in Redis', async (t) => {
    const [tandem, redis] = [await startTandem(t), await startRedis(t)]
    const [wire, peer] = [await connectFor(t, tandem.port), await connectFor(t, redis.port)]
    const all = Array.from({ length: 65 }, (_, i) => `member:${i}`)
    for (const server of [wire, peer]) {
      await server.must('SADD', 'strings', ...all)
      await server.must('SADD', 'numbers', ...all.map((_, i) => i))
      const [cursor, first] = (await server.must('SSCAN', 'strings', 0, 'COUNT', 50)) as [string, string[]]
      assert.notEqual(cursor, '0')
      assert.ok(first.length >= 50 && first.length < 65)
      const [end, rest] = (await server.must('SSCAN', 'strings', cursor, 'COUNT', 50)) as [string, string[]]
      assert.equal(end, '0')
      assert.deepEqual([...first, ...rest].sort(), [...all].sort())
      const numbers = (await server.must('SSCAN', 'numbers', 0, 'COUNT', 50)) as [string, string[]]
      assert.equal(numbers[0], '0')
      assert.equal(numbers[1].length, 65)
    }
  })

  test('a scan goes on through a set that grows from a listpack into a table and is packed again', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    const kept = Array.from({ length: 100 }, (_, i) => `kept:${i}`)
    const others = Array.from({ length: 400 }, (_, i) => `other:${i}`)
    await wire.must('SADD', 's', ...kept)
    const found: string[] = []
    let cursor = '0'
    for (let page = 0; page === 0 || cursor !== '0'; page++) {
      const [next, items] = (await wire.must('SSCAN', 's', cursor, 'COUNT', 7, 'MATCH', 'kept:*')) as [string, string[]]
      cursor = next
      found.push(...items)
      if (page === 2) await wire.must('SADD', 's', ...others)
      if (page !== 5) continue
      await wire.must('SREM', 's', ...others)
      await wire.must('RESTORE', 's', 0, String(await wire.must('DUMP', 's')), 'REPLACE')
    }
    assert.deepEqual(found.sort(), kept.sort())
  })

  test('propagation', async (t) => {
    await comparePropagation(t, [
      ['SADD', 's', '1', '2', 'a'],
      ['SADD', 's', '1'],
      ['SREM', 's', '2', 'missing'],
      ['SREM', 's', 'missing'],
      ['SMOVE', 's', 't', 'a'],
      ['SMOVE', 's', 't', 'missing'],
      ['SPOP', 's'],
      ['SPOP', 's'],
      ['SPOP', 't', '0'],
      ['SPOP', 't', '5'],
      ['SADD', 'u', '1'],
      ['SUNIONSTORE', 'v', 'u', 'missing'],
      ['SINTERSTORE', 'v', 'u', 'missing'],
      ['SINTERSTORE', 'v', 'u', 'missing'],
      ['SDIFFSTORE', 'w', 'u', 'missing'],
    ])
    const commands: Command[] = [
      ['SADD', 's', '1', '2', '3', '4', '5'],
      ['SPOP', 's', '2'],
    ]
    const seen = await propagated(t, 'tandem', commands)
    assert.deepEqual(
      seen.map((args) => args.slice(0, 2)),
      [['SADD', 's'], ['MULTI'], ['SREM', 's'], ['SREM', 's'], ['EXEC']],
    )
  })
})
