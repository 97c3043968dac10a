/** DEBUG against redis-server: the digests of generated data, the replies of each type, and who may use the command. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { differential, type Step } from '../support/differential.ts'
import { startRedis } from '../support/redis.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, isError } from '../support/wire.ts'

const FAR = 4_102_444_800_000
const SCORES = ['1', '-1.5', '0.1', 'inf', '-inf', '1e300', '3.0000000000000004', '123456789012345678', '0', '-0']

/** The same numbers for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return Math.floor((state / 0x80000000) * below)
  }
}

function text(next: (below: number) => number): string {
  const kind = next(6)
  if (kind === 0) return String(next(1_000_000) - 500_000)
  if (kind === 1) return ''
  if (kind === 2) return '\x00\xff\r\n'.repeat(1 + next(5))
  if (kind === 3) return 'x'.repeat(next(300))
  return `text-${next(1000)}`
}

function* generatedData(seed: number): Iterable<Step> {
  const next = generator(seed)
  const many = (): string[] => Array.from({ length: 1 + next(next(8) === 0 ? 300 : 12) }, () => text(next))
  for (let i = 0; i < 400; i++) {
    if (i % 100 === 0) yield ['SELECT', i / 100]
    const key = `key:${next(60)}:`
    switch (next(6)) {
      case 0:
        yield ['SET', `${key}string`, text(next)]
        break
      case 1:
        yield ['RPUSH', `${key}list`, ...many()]
        break
      case 2:
        yield ['SADD', `${key}set`, ...many()]
        break
      case 3:
        yield ['SADD', `${key}intset`, ...many().map(() => next(100_000) - 50_000)]
        break
      case 4:
        yield ['HSET', `${key}hash`, ...many().flatMap((field) => [field, text(next)])]
        break
      default:
        yield ['ZADD', `${key}zset`, ...many().flatMap((member) => [SCORES[next(SCORES.length)]!, member])]
    }
    if (next(5) === 0) yield ['PEXPIREAT', `${key}${['string', 'list', 'hash', 'zset'][next(4)]}`, FAR + next(1000)]
    if (next(12) === 0) yield ['DEBUG', 'DIGEST']
  }
}

suite('DEBUG', () => {
  for (const seed of [1, 2, 3]) {
    test(`DIGEST of generated data equals Redis's (seed ${seed})`, async (t) => {
      await differential(t, () => generatedData(seed))
    })
  }

  test('DIGEST-VALUE equals Redis, with an expire time and without, and for no key', async (t) => {
    await differential(t, [
      'SET string value',
      'SET number 123',
      'RPUSH list a b c',
      'SADD set a b c',
      'SADD intset 1 2 3',
      'HSET hash f v g w',
      'ZADD zset 1 a 2.5 b',
      'DEBUG DIGEST-VALUE string number list set intset hash zset missing',
      `PEXPIREAT string ${FAR}`,
      `PEXPIREAT zset ${FAR}`,
      'DEBUG DIGEST-VALUE string zset',
      'DEBUG DIGEST-VALUE',
    ])
  })

  test('DIGEST of an empty server is zeros, and the database counts', async (t) => {
    await differential(t, ['DEBUG DIGEST', 'SELECT 3', 'SET a b', 'DEBUG DIGEST', 'MOVE a 4', 'DEBUG DIGEST'])
  })

  test('PROTOCOL answers each type as Redis does', async (t) => {
    const types = 'string integer double bignum null array set map attrib push true false verbatim STRING nosuch'
    const steps = types.split(' ').map((type): Step => ['DEBUG', 'PROTOCOL', type])
    await differential(
      t,
      steps.filter((step) => String((step as string[])[2]) !== 'push'),
    )
    const wire = await connectFor(t, (await startTandem(t)).port, 3)
    assert.equal(await wire.must('DEBUG', 'PROTOCOL', 'push'), 'Some real reply following the push reply')
    assert.deepEqual(wire.pushes, [['server-cpu-usage', 42]])
  })

  test('its small subcommands answer as in Redis', async (t) => {
    await differential(t, [
      'DEBUG POPULATE 100',
      'DBSIZE',
      'DEBUG POPULATE 10 other 100',
      'GET other:7',
      'STRLEN other:7',
      'GET key:99',
      'DEBUG POPULATE -1',
      'DEBUG POPULATE x',
      'DEBUG ERROR TESTING',
      ['DEBUG', 'ERROR', 'LINE one\r\ntwo'],
      'DEBUG SLEEP 0.01',
      'DEBUG SET-ACTIVE-EXPIRE 0',
      'debug set-active-expire 1',
      'DEBUG QUICKLIST-PACKED-THRESHOLD 100b',
      'DEBUG QUICKLIST-PACKED-THRESHOLD 5gb',
      'DEBUG QUICKLIST-PACKED-THRESHOLD x',
      'DEBUG QUICKLIST-PACKED-THRESHOLD 0',
      'DEBUG SET-SKIP-CHECKSUM-VALIDATION 0',
      'DEBUG REPLYBUFFER RESIZING 1',
      'DEBUG REPLYBUFFER PEAK-RESET-TIME RESET',
      'DEBUG REPLYBUFFER PEAK-RESET-TIME x',
      'DEBUG REPLYBUFFER nosuch 1',
      'DEBUG LEAK x',
      'DEBUG LOG x',
      'DEBUG OBJECT nosuch',
      'DEBUG LISTPACK nosuch',
      'DEBUG HTSTATS 99',
      'DEBUG HTSTATS-KEY other:7',
      'DEBUG SDSLEN nosuch',
      'DEBUG nosuch',
      'DEBUG OBJECT',
      'DEBUG',
    ])
  })

  test('OBJECT tells encoding and serialized length', async (t) => {
    const normalise = {
      'debug object': ({ reply }: { reply: unknown }) =>
        String(reply)
          .replace(/at:\S+ refcount:\d+/, '')
          .replace(/lru:.*$/s, ''),
    }
    const steps = ['SET s hello', 'SET n 123', `SET r ${'abc'.repeat(20)}`, 'HSET h f v', 'SADD i 1 2', 'ZADD z 1 a']
    const objects = ['s', 'n', 'r', 'h', 'i', 'z'].map((key) => `DEBUG OBJECT ${key}`)
    await differential(t, [...steps, ...objects], { normalise })
  })

  test('is refused unless enable-debug-command allows it', async (t) => {
    for (const enabled of ['no', 'local', 'yes']) {
      const args = ['--enable-debug-command', enabled]
      const servers = { redis: await startRedis(t, { args }), tandem: await startTandem(t, { args }) }
      await differential(t, ['DEBUG SLEEP 0'], { servers, digest: false, protocols: [2] })
    }
  })

  test('SEGFAULT ends the process and leaves a report in the log', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    wire.raw('DEBUG SEGFAULT\r\n')
    await wire.ended()
    await waitUntil(() => !tandem.running)
    assert.match(tandem.logs(), /crashed by signal: 11/)
  })

  test('RELOAD keeps the data', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    await wire.pipeline([
      ['SET', 'a', 'b'],
      ['RPUSH', 'list', '1', '2'],
      ['PEXPIREAT', 'a', FAR],
    ])
    const digest = await wire.must('DEBUG', 'DIGEST')
    assert.equal(await wire.must('DEBUG', 'RELOAD'), 'OK')
    assert.equal(await wire.must('DEBUG', 'DIGEST'), digest)
    assert.ok(isError(await wire.send('DEBUG', 'RELOAD', 'nosuch')))
  })
})
