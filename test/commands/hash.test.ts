/** Commands on hashes against redis-server, packed and not: replies to the byte, datasets, and what is propagated. */
import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { differential, type Step, startPair } from '../support/differential.ts'
import { comparePropagation } from '../support/propagation.ts'
import { startTandem } from '../support/tandem.ts'
import type { RawReply } from '../support/wire.ts'
import { connectFor } from '../support/wire.ts'
import { HASH_MAKERS } from './makers-hash.ts'
import { randomSteps } from './random-steps.ts'

/** The order of a table's elements is nobody's business. */
const SORTED = {
  hscan: (answer: RawReply) => {
    const reply = answer.reply
    return Array.isArray(reply) ? [reply[0], (reply[1] as unknown[]).map(String).sort()] : reply
  },
}

suite('hash commands against redis-server', () => {
  before(() => startPair())

  for (const seed of [1, 2, 3]) {
    test(`commands at random, seed ${seed}`, (t) =>
      differential(t, () => randomSteps(seed, 3000, HASH_MAKERS), { normalise: SORTED }))
  }

  test('small limits make tables of packed hashes', async (t) => {
    const limits: Step[] = ['CONFIG SET hash-max-listpack-entries 3', 'CONFIG SET hash-max-listpack-value 8']
    const defaults: Step[] = ['CONFIG SET hash-max-listpack-entries 512', 'CONFIG SET hash-max-listpack-value 64']
    await differential(t, () => [...limits, ...randomSteps(7, 3000, HASH_MAKERS), ...defaults], { normalise: SORTED })
  })

  test('sizes around the limits, and beyond what a record holds', async (t) => {
    const steps: Step[] = []
    for (const count of [511, 512, 513, 2000]) {
      const key = `many:${count}`
      for (let i = 0; i < count; i++) steps.push(['HSET', key, `field:${i}`, 'v'.repeat(i % 65)])
      steps.push(['OBJECT', 'ENCODING', key], ['HLEN', key], ['HGETALL', key], ['HGET', key, 'field:500'])
      for (let i = 0; i < count; i += 2) steps.push(['HDEL', key, `field:${i}`])
      steps.push(['OBJECT', 'ENCODING', key], ['HGETALL', key], ['COPY', key, `${key}:copy`], ['HLEN', `${key}:copy`])
    }
    steps.push(['HSET', 'long', 'x'.repeat(100_000), 'y'.repeat(200_000)], 'HGETALL long', 'HVALS long')
    await differential(t, steps)
  })

  test('errors', async (t) => {
    await differential(t, [
      'SET string x',
      'HSET h f 1 g text inf inf',
      ...['HGET string f', 'HSET string f v', 'HMSET string f v', 'HSETNX string f v', 'HDEL string f', 'HLEN string'],
      ...['HGETALL string', 'HKEYS string', 'HVALS string', 'HEXISTS string f', 'HSTRLEN string f', 'HMGET string f'],
      ...[
        'HINCRBY string f 1',
        'HINCRBYFLOAT string f 1',
        'HSCAN string 0',
        'HRANDFIELD string',
        'HRANDFIELD string 1',
      ],
      ...['HSET h f', 'HSET h f v g', 'HMSET h f', 'HMSET h f v g', 'HGET h', 'HINCRBY h g 1', 'HINCRBYFLOAT h g 1'],
      ...[
        'HINCRBYFLOAT h inf 1',
        'HINCRBYFLOAT h f inf',
        'HINCRBYFLOAT h f nan',
        'HINCRBY h f x',
        'HINCRBYFLOAT h f x',
      ],
      ...[
        'HSCAN h x',
        'HSCAN h 0 COUNT 0',
        'HSCAN h 0 COUNT x',
        'HSCAN h 0 MATCH',
        'HSCAN missing 0',
        'HSCAN missing x',
      ],
      ...['HSCAN h 0 MATCH f*', 'HSCAN h 5', 'HSCAN h 0 TYPE hash', 'HSCAN missing 0 COUNT 0'],
      ...[
        'HRANDFIELD h x',
        'HRANDFIELD h 1 WITH',
        'HRANDFIELD h 1 WITHVALUES x',
        'HRANDFIELD h 0',
        'HRANDFIELD missing',
      ],
      'HRANDFIELD missing 3',
      'HRANDFIELD missing -3 WITHVALUES',
      'HRANDFIELD h -9223372036854775808',
      'HRANDFIELD h -9223372036854770000 WITHVALUES',
      'HRANDFIELD h 9223372036854775807 WITHVALUES',
      'HRANDFIELD h 9223372036854775808',
      'HSET one f v',
      ...['HRANDFIELD one', 'HRANDFIELD one 5', 'HRANDFIELD one -3', 'HRANDFIELD one 5 WITHVALUES'],
      'HRANDFIELD one -3 WITHVALUES',
    ])
  })

  test('HRANDFIELD draws all fields, as many as asked for', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    for (const size of [10, 1000]) {
      const all = Array.from({ length: size }, (_, i) => [`field:${i}`, `value:${i}`]).flat()
      await wire.must('HSET', `h${size}`, ...all)
      const seen = new Set<string>()
      for (const count of [1, 3, size >> 1, size - 1, size, size + 5]) {
        const reply = (await wire.must('HRANDFIELD', `h${size}`, count, 'WITHVALUES')) as string[]
        const fields = reply.filter((_, i) => i % 2 === 0)
        assert.equal(new Set(fields).size, Math.min(count, size))
        for (let i = 0; i < reply.length; i += 2) assert.equal(reply[i + 1], reply[i]!.replace('field', 'value'))
      }
      for (let i = 0; i < 40 && seen.size < size; i++) {
        for (const name of (await wire.must('HRANDFIELD', `h${size}`, -size)) as string[]) seen.add(name)
      }
      assert.equal(seen.size, size)
    }
  })

  test('a scan of a large hash finds every field once', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    await wire.must('HSET', 'h', ...Array.from({ length: 5000 }, (_, i) => [`field:${i}`, i]).flat())
    const found: string[] = []
    let cursor = '0'
    do {
      const [next, items] = (await wire.must('HSCAN', 'h', cursor, 'MATCH', 'field:*', 'COUNT', 50)) as [
        string,
        string[],
      ]
      cursor = next
      found.push(...items.filter((_, i) => i % 2 === 0))
    } while (cursor !== '0')
    assert.equal(found.length, 5000)
    assert.equal(new Set(found).size, 5000)
  })

  test('propagation', async (t) => {
    await comparePropagation(t, [
      ['HSET', 'h', 'f', '3.0', 'g', '1'],
      ['HINCRBYFLOAT', 'h', 'f', '0.1'],
      ['HINCRBY', 'h', 'n', '5'],
      ['HINCRBY', 'h', 'f', '5'],
      ['HSETNX', 'h', 'n', '5'],
      ['HDEL', 'h', 'missing'],
      ['HDEL', 'h', 'f', 'n', 'missing'],
      ['HDEL', 'h', 'g'],
    ])
  })
})
