/** Commands on sorted sets against redis-server, packed and not: replies to the byte, datasets, blocking, propagation. */
import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { differential, type Step, startPair } from '../support/differential.ts'
import { comparePropagation } from '../support/propagation.ts'
import { startServer, startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { type Command, connectFor, type RawReply, type Wire } from '../support/wire.ts'
import { LEX_MAKERS, SORTED_SET_MAKERS } from './makers-sorted-set.ts'
import { randomSteps } from './random-steps.ts'

const SORTED = {
  zscan: (answer: RawReply) => {
    const reply = answer.reply
    return Array.isArray(reply) ? [reply[0], (reply[1] as unknown[]).map(String).sort()] : reply
  },
}

suite('sorted set commands against redis-server', () => {
  before(() => startPair())

  for (const seed of [1, 2, 3, 4]) {
    test(`commands at random, seed ${seed}`, (t) =>
      differential(t, () => randomSteps(seed, 4000, SORTED_SET_MAKERS), { normalise: SORTED }))
  }

  test('small limits make skiplists of packed sorted sets', async (t) => {
    const limits: Step[] = ['CONFIG SET zset-max-listpack-entries 4', 'CONFIG SET zset-max-listpack-value 8']
    const defaults: Step[] = ['CONFIG SET zset-max-listpack-entries 128', 'CONFIG SET zset-max-listpack-value 64']
    await differential(t, () => [...limits, ...randomSteps(8, 4000, SORTED_SET_MAKERS), ...defaults], {
      normalise: SORTED,
    })
    await differential(t, () => [...limits, ...randomSteps(9, 3000, LEX_MAKERS), ...defaults])
  })

  test('ranges of members', (t) => differential(t, () => randomSteps(5, 4000, LEX_MAKERS)))

  test('a large sorted set', async (t) => {
    const steps: Step[] = []
    for (let i = 0; i < 20_000; i += 50) {
      steps.push([
        'ZADD',
        'big',
        ...Array.from({ length: 50 }, (_, j) => [((i + j) * 7919) % 5003, `m:${i + j}`]).flat(),
      ])
    }
    steps.push(
      'ZCARD big',
      'ZRANGE big 0 -1 WITHSCORES',
      'ZCOUNT big 100 (200',
      'ZRANGEBYSCORE big 100 (200 WITHSCORES',
    )
    for (let i = 0; i < 20_000; i += 37) steps.push(['ZRANK', 'big', `m:${i}`], ['ZREVRANK', 'big', `m:${i}`])
    for (let i = 0; i < 2000; i++) steps.push(['ZINCRBY', 'big', i % 13, `m:${i * 3}`], ['ZREM', 'big', `m:${i * 7}`])
    for (let i = 0; i < 400; i++) steps.push(['ZRANGE', 'big', i * 41, i * 41 + 5, 'WITHSCORES'])
    steps.push('ZREMRANGEBYSCORE big 1000 2000', 'ZREMRANGEBYRANK big 100 -3000', 'ZRANGE big 0 -1 WITHSCORES')
    steps.push(
      'ZPOPMIN big 100',
      'ZPOPMAX big 100',
      'COPY big copy',
      'ZUNIONSTORE both 2 big copy',
      'ZRANGE both 0 -1 WITHSCORES',
    )
    steps.push('ZREMRANGEBYRANK big 0 -1', 'EXISTS big', 'ZREMRANGEBYSCORE copy -inf +inf', 'EXISTS copy')
    await differential(t, steps)
  })

  test('sizes around the limits', async (t) => {
    const steps: Step[] = []
    for (const count of [127, 128, 129]) {
      for (let i = 0; i < count; i++) steps.push(['ZADD', `z:${count}`, i % 7, `m:${i}`])
      steps.push(
        ['OBJECT', 'ENCODING', `z:${count}`],
        ['ZRANGESTORE', 'copy', `z:${count}`, 0, -1],
        ['OBJECT', 'ENCODING', 'copy'],
      )
      steps.push(
        ['ZUNIONSTORE', 'copy', 1, `z:${count}`],
        ['OBJECT', 'ENCODING', 'copy'],
        ['ZRANGE', 'copy', 0, -1, 'WITHSCORES'],
      )
    }
    for (const length of [63, 64, 65]) {
      steps.push(['ZADD', `v:${length}`, 1, 'x'.repeat(length)], ['OBJECT', 'ENCODING', `v:${length}`])
      steps.push(['ZADD', `w:${length}`, -0, 'a', '-0', 'b'], ['ZADD', `w:${length}`, 1, 'x'.repeat(length)])
      steps.push(['ZRANGE', `w:${length}`, 0, -1, 'WITHSCORES'], ['ZADD', `v:${length}`, '-0', 'zero'])
      steps.push(['ZSCORE', `v:${length}`, 'zero'], ['ZINCRBY', `v:${length}`, '-0', 'zero'])
    }
    await differential(t, steps)
  })

  test('errors', async (t) => {
    const onString = [
      ...[
        'ZADD string 1 a',
        'ZINCRBY string 1 a',
        'ZREM string a',
        'ZSCORE string a',
        'ZMSCORE string a',
        'ZCARD string',
      ],
      ...[
        'ZRANK string a',
        'ZREVRANK string a',
        'ZRANGE string 0 1',
        'ZREVRANGE string 0 1',
        'ZRANGEBYSCORE string 0 1',
      ],
      ...['ZCOUNT string 0 1', 'ZLEXCOUNT string - +', 'ZRANGEBYLEX string - +', 'ZPOPMIN string', 'ZPOPMAX string 2'],
      ...[
        'BZPOPMIN string 1',
        'BZPOPMAX missing string 1',
        'ZMPOP 1 string MIN',
        'BZMPOP 1 1 string MIN',
        'ZSCAN string 0',
      ],
      ...[
        'ZREMRANGEBYRANK string 0 1',
        'ZREMRANGEBYSCORE string 0 1',
        'ZREMRANGEBYLEX string - +',
        'ZRANGESTORE d string 0 1',
      ],
      ...[
        'ZUNION 1 string',
        'ZINTER 2 z string',
        'ZDIFF 1 string',
        'ZUNIONSTORE d 1 string',
        'ZINTERCARD 1 string',
        'ZRANDMEMBER string',
      ],
      'ZUNION 2 string z WEIGHTS x',
    ]
    await differential(t, [
      'SET string x',
      'ZADD z 1 a 2 b 3 c inf d',
      ...onString,
      ...[
        'ZADD z 1',
        'ZADD z NX',
        'ZADD z 1 a 2',
        'ZADD z x a',
        'ZADD z nan a',
        'ZADD z 1 a x b',
        'ZADD z NX XX 1 a',
        'ZADD z GT NX 1 a',
      ],
      ...[
        'ZADD z LT GT 1 a',
        'ZADD z INCR 1 a 2 b',
        'ZADD z INCR -inf d',
        'ZINCRBY z -inf d',
        'ZINCRBY z x a',
        'ZADD missing XX 1 a',
      ],
      ...[
        'ZADD missing XX INCR 1 a',
        'ZADD missing XX CH 1 a',
        'EXISTS missing',
        'ZINCRBY new 2.5 a',
        'ZADD z CH 5 a',
        'ZADD z CH 5 a',
      ],
      ...[
        'ZRANGE z x 1',
        'ZRANGE z 0 1 NOPE',
        'ZRANGE z 0 1 LIMIT 0 1',
        'ZRANGE z 0 -1 LIMIT 0 -1',
        'ZRANGE z - + BYLEX WITHSCORES',
      ],
      ...[
        'ZRANGE z 0 1 LIMIT',
        'ZRANGE z 0 1 BYSCORE LIMIT x 1',
        'ZRANGE z 0 1 BYSCORE LIMIT 1 x',
        'ZRANGE z x 1 BYSCORE',
        'ZRANGE z nan 1 BYSCORE',
      ],
      ...[
        'ZRANGE z a b BYLEX',
        'ZRANGE z 0 1 BYSCORE BYLEX',
        'ZRANGE z 0 1 REV REV',
        'ZREVRANGE z 0 1 REV',
        'ZREVRANGE z 0 1 BYSCORE',
      ],
      ...[
        'ZRANGEBYSCORE z (x 1',
        'ZRANGEBYSCORE z 1e400 inf',
        'ZRANGEBYSCORE z -1e400 1e-400',
        'ZRANGEBYSCORE z 0x1 0x2',
        'ZRANGEBYSCORE z ( 1',
      ],
      ['ZRANGEBYSCORE', 'z', ' 1', '2'],
      ['ZRANGEBYSCORE', 'z', '1 ', '2'],
      ['ZRANGEBYSCORE', 'z', '', '2'],
      ['ZRANGEBYSCORE', 'z', '1\x00x', '2'],
      ...[
        'ZRANGEBYLEX z a +',
        'ZRANGEBYLEX z -a +',
        'ZRANGEBYLEX z + -',
        'ZRANGEBYLEX z - - WITHSCORES',
        'ZCOUNT z x 1',
        'ZLEXCOUNT z x +',
      ],
      ...[
        'ZRANGE missing 0 -1',
        'ZRANGE missing x -1',
        'ZCOUNT missing 0 1',
        'ZLEXCOUNT missing - +',
        'ZRANK missing a',
        'ZSCORE missing a',
      ],
      ...[
        'ZMSCORE missing a b',
        'ZCARD missing',
        'ZPOPMIN missing',
        'ZPOPMIN missing 2',
        'ZPOPMIN z x',
        'ZPOPMIN z -1',
        'ZPOPMIN z 0',
        'ZPOPMIN z 1 2',
      ],
      ...[
        'ZMPOP 0 z MIN',
        'ZMPOP x z MIN',
        'ZMPOP 2 z MIN',
        'ZMPOP 1 z MID',
        'ZMPOP 1 z MIN COUNT 0',
        'ZMPOP 1 z MIN COUNT 1 COUNT 1',
        'ZMPOP 1 missing MIN',
      ],
      ...[
        'BZPOPMIN z x',
        'BZPOPMIN z -1',
        'BZPOPMIN missing 0.01',
        'BZMPOP x 1 z MIN',
        'BZMPOP 0.01 1 missing MIN',
        'BZPOPMAX z 0',
        'BZMPOP 0 1 z MAX',
      ],
      ...[
        'MULTI',
        'BZPOPMIN missing 0',
        'BZMPOP 0 1 missing MIN',
        'EXEC',
        'ZSCAN z x',
        'ZSCAN missing 0',
        'ZSCAN z 0 COUNT 0',
      ],
      ...[
        'ZUNION 0 z',
        'ZUNION x z',
        'ZUNION 2 z',
        'ZUNIONSTORE d 0 z',
        'ZINTERCARD 0 z',
        'ZUNION 1 z WEIGHTS',
        'ZUNION 1 z WEIGHTS x',
        'ZUNION 1 z AGGREGATE AVG',
      ],
      ...[
        'ZUNIONSTORE d 1 z WITHSCORES',
        'ZDIFF 1 z WEIGHTS 1',
        'ZINTERCARD 1 z WITHSCORES',
        'ZINTERCARD 1 z LIMIT -1',
        'ZINTERCARD 1 z LIMIT x',
        'ZINTERCARD 1 z LIMIT',
      ],
      ...[
        'ZRANGESTORE d z 0 1 WITHSCORES',
        'ZRANGESTORE d missing 0 1',
        'ZADD d 1 a',
        'ZRANGESTORE d missing 0 1',
        'EXISTS d',
        'ZRANGESTORE string z 0 0',
        'TYPE string',
      ],
      ...['ZADD e 1 a', 'EXPIRE e 100', 'ZUNIONSTORE e 1 e', 'TTL e', 'ZREM e a b', 'EXISTS e', 'ZREM e a'],
      ...[
        'ZRANDMEMBER missing',
        'ZRANDMEMBER missing 3',
        'ZRANDMEMBER z x',
        'ZRANDMEMBER z 1 WITH',
        'ZRANDMEMBER z 0',
        'ZRANDMEMBER z -9223372036854775808',
      ],
      ...[
        'ZRANDMEMBER z -9223372036854770000 WITHSCORES',
        'ZADD one 1.5 a',
        'ZRANDMEMBER one',
        'ZRANDMEMBER one 5 WITHSCORES',
        'ZRANDMEMBER one -3 WITHSCORES',
      ],
    ])
  })

  test('propagation', async (t) => {
    await comparePropagation(t, [
      ['ZADD', 'z', '1', 'a', '2', 'b', '3', 'c', '4', 'd', '5', 'e', '6', 'f', '7', 'g', '8', 'h'],
      ['ZADD', 'z', '1', 'a'],
      ['ZADD', 'z', 'XX', 'CH', '9', 'a'],
      ['ZADD', 'z', 'NX', '9', 'b'],
      ['ZINCRBY', 'z', '0.1', 'b'],
      ['ZADD', 'z', 'INCR', '0.1', 'c'],
      ['ZREM', 'z', 'missing'],
      ['ZREM', 'z', 'a', 'missing'],
      ['BZPOPMIN', 'missing', 'z', '0'],
      ['BZPOPMAX', 'z', '0'],
      ['ZMPOP', '2', 'missing', 'z', 'MAX', 'COUNT', '2'],
      ['BZMPOP', '0', '2', 'missing', 'z', 'MIN', 'COUNT', '1'],
      ['ZPOPMIN', 'z', '0'],
      ['ZPOPMIN', 'missing'],
      ['ZUNIONSTORE', 'd', '2', 'z', 'missing'],
      ['ZINTERSTORE', 'd', '2', 'z', 'missing'],
      ['ZINTERSTORE', 'd', '2', 'z', 'missing'],
      ['ZRANGESTORE', 'd', 'z', '0', '0'],
      ['ZREMRANGEBYRANK', 'z', '100', '200'],
      ['ZREMRANGEBYRANK', 'z', '0', '0'],
      ['ZREMRANGEBYSCORE', 'z', '-inf', '+inf'],
    ])
  })

  test('ZRANDMEMBER draws members, as many as asked for', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    for (const size of [50, 2000]) {
      await wire.must('ZADD', `z${size}`, ...Array.from({ length: size }, (_, i) => [i, `m${i}`]).flat())
      for (const count of [1, 3, size >> 1, size - 1, size, size + 5]) {
        const reply = (await wire.must('ZRANDMEMBER', `z${size}`, count, 'WITHSCORES')) as string[]
        assert.equal(new Set(reply.filter((_, i) => i % 2 === 0)).size, Math.min(count, size))
        for (let i = 0; i < reply.length; i += 2) assert.equal(reply[i], `m${reply[i + 1]}`)
      }
      const seen = new Set<unknown>()
      for (let i = 0; i < 40; i++)
        for (const name of (await wire.must('ZRANDMEMBER', `z${size}`, -size)) as string[]) seen.add(name)
      assert.equal(seen.size, size)
    }
  })
})

for (const kind of ['redis', 'tandem'] as const) {
  suite(`clients that wait for sorted sets (${kind})`, () => {
    test('are served in the order in which they came', async (t) => {
      const server = await startServer(t, kind)
      const [watcher, ...waiting] = await Promise.all([1, 2, 3, 4].map(() => connectFor(t, server.port)))
      const commands: Command[] = [
        ['BZPOPMIN', 'z', '0'],
        ['BZPOPMAX', 'other', 'z', '0'],
        ['BZMPOP', '0', '1', 'z', 'MIN', 'COUNT', '5'],
      ]
      const answers: Promise<unknown>[] = []
      for (const [i, command] of commands.entries()) {
        answers.push((waiting[i] as Wire).send(...(command as [string, ...string[]])))
        await waitUntil(async () =>
          String(await watcher!.must('INFO', 'clients')).includes(`blocked_clients:${i + 1}\r\n`),
        )
      }
      assert.equal(await watcher!.must('ZADD', 'z', '1', 'a', '2', 'b', '3', 'c', '4', 'd'), 4)
      assert.deepEqual(await Promise.all(answers), [
        ['z', 'a', '1'],
        ['z', 'd', '4'],
        [
          'z',
          [
            ['b', '2'],
            ['c', '3'],
          ],
        ],
      ])
      assert.equal(await watcher!.must('EXISTS', 'z'), 0)
    })
  })
}
