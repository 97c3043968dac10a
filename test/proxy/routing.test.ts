/** Which call is answered where, and that every reply is what the upstream would have said. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { caughtUp, counts, ends, proxyField, startProxy } from '../support/proxy.ts'
import { waitUntil } from '../support/wait-until.ts'
import { type Command, connectFor, isError } from '../support/wire.ts'

const file = fileCleanup()
const proxied = await startProxy(file)

describe('routing', () => {
  it('reads here and writes there', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    assert.equal(await proxy.must('SET', 'a', '1'), 'OK')
    assert.equal(await upstream.must('GET', 'a'), '1')
    const before = await counts(proxy)
    for (let i = 0; i < 10; i++) assert.equal(await proxy.must('GET', 'a'), '1')
    const after = await counts(proxy)
    assert.equal(after.local - before.local, 10)
    assert.deepEqual([after.reads, after.writes], [before.reads, before.writes])
    await upstream.must('SET', 'a', '2')
    await caughtUp(upstream, proxy)
    assert.equal(await proxy.must('GET', 'a'), '2')
  })

  it('gives the replies of the upstream to the letter, in both protocols', async () => {
    const commands: Command[] = [
      ['SET', 'k', 'v', 'GET'],
      ['SET', 'k', 'w', 'NX'],
      ['INCR', 'k'],
      ['LPUSH', 'k', 'x'],
      ['ZADD', 'z', 1.5, 'a', 2, 'b'],
      ['ZINCRBY', 'z', 0.25, 'a'],
      ['ZPOPMIN', 'z', 2],
      ['HSET', 'h', 'f', 1, 'g', 2],
      ['HINCRBYFLOAT', 'h', 'f', 0.5],
      ['SADD', 's', 'a', 'b'],
      ['SPOP', 's', 5],
      ['EVAL', 'return {1, "x", {3}, redis.status_reply("fine")}', 0],
      ['EVAL', 'return redis.error_reply("MY own")', 0],
      ['EVAL', 'redis.setresp(3); return {map={a=1}}', 0],
      ['XADD', 'x', '1-1', 'f', 'v'],
      ['XADD', 'x', '1-1', 'f', 'v'],
      ['XGROUP', 'CREATE', 'x', 'g', 0],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'x', '>'],
      ['GETEX', 'k', 'PX', 100_000],
      ['GETDEL', 'nothing'],
      ['SORT', 's', 'ALPHA'],
      ['DEL', 'z', 'h', 's', 'x', 'k'],
    ]
    for (const protocol of [2, 3] as const) {
      const direct = await connectFor(file, proxied.redis.port, protocol)
      const proxy = await connectFor(file, proxied.tandem.port, protocol)
      const run = async (wire: typeof direct) => {
        const raw: string[] = []
        for (const one of commands) raw.push((await wire.sendRaw(one)).raw.toString('latin1'))
        return raw
      }
      assert.deepEqual(await run(proxy), await run(direct))
    }
  })

  it('keeps the order of a pipeline of everything', async () => {
    const proxy = await connectFor(file, proxied.tandem.port)
    const commands: Command[] = []
    const expected: unknown[] = []
    for (let i = 1; i <= 300; i++) {
      commands.push(
        ['SET', 'p', i],
        ['GET', 'p'],
        ['PING', `n${i}`],
        ['INCR', 'p'],
        ['ECHO', i],
        ['GET', 'p'],
        ['NOSUCH'],
      )
      expected.push('OK', String(i), `n${i}`, i + 1, String(i), String(i + 1))
      expected.push({ error: 'ERR unknown command `NOSUCH`, with args beginning with: ' })
    }
    const replies = (await proxy.pipeline(commands)).map((reply) =>
      isError(reply) ? { error: reply.error.replaceAll("'", '`') } : reply,
    )
    assert.deepEqual(replies, expected)
  })

  it('passes a pipeline of writes on as one', async () => {
    const proxy = await connectFor(file, proxied.tandem.port)
    proxied.relay.delay(20)
    const start = performance.now()
    await proxy.pipeline(Array.from({ length: 1000 }, (_, i): Command => ['SET', `many:${i}`, i]))
    const took = performance.now() - start
    proxied.relay.delay(0)
    assert.ok(took < 300, `${took} ms for a thousand writes over 40 ms`)
  })

  it('shares few connections among many clients', async () => {
    const wires = await Promise.all(Array.from({ length: 50 }, () => connectFor(file, proxied.tandem.port)))
    await Promise.all(wires.map((wire, i) => wire.must('SET', `shared:${i}`, i)))
    const [wire] = wires as [(typeof wires)[0] & object]
    assert.ok(Number(await proxyField(wire!, 'connections_shared')) <= 8)
    for (const one of wires) await one.close()
  })

  it('keeps databases apart', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    assert.deepEqual(
      await proxy.pipeline([
        ['SELECT', 5],
        ['SET', 'd', 'five'],
        ['SELECT', 6],
        ['SET', 'd', 'six'],
        ['GET', 'd'],
        ['SELECT', 5],
        ['GET', 'd'],
      ]),
      ['OK', 'OK', 'OK', 'OK', 'six', 'OK', 'five'],
    )
    await upstream.must('SELECT', 5)
    assert.equal(await upstream.must('GET', 'd'), 'five')
    assert.deepEqual(await proxy.send('SELECT', 99), { error: 'ERR DB index is out of range' })
  })

  it('drops the replies that CLIENT REPLY drops', async () => {
    const proxy = await connectFor(file, proxied.tandem.port)
    proxy.raw(
      'CLIENT REPLY SKIP\r\nSET r 1\r\nINCR r\r\nCLIENT REPLY OFF\r\nINCR r\r\nGET r\r\nCLIENT REPLY ON\r\nGET r\r\n',
    )
    assert.deepEqual([await proxy.next(), await proxy.next(), await proxy.next()], [2, 'OK', '3'])
  })

  it('answers large replies and takes large values', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    const value = 'x'.repeat(5_000_000)
    assert.equal(await proxy.must('SET', 'large', value), 'OK')
    assert.equal(await proxy.must('GETSET', 'large', 'small'), value)
    assert.equal(await upstream.must('GET', 'large'), 'small')
  })

  it('passes commands on that only the upstream knows', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    const raw = async (wire: typeof proxy) => (await wire.sendRaw(['FT.SEARCH', 'a', 'b'])).raw.toString()
    assert.equal(await raw(proxy), await raw(upstream))
  })

  it('reads a cursor to its end from the copy', async () => {
    const proxy = await connectFor(file, proxied.tandem.port)
    await proxy.must('SELECT', 7)
    await proxy.pipeline(Array.from({ length: 1000 }, (_, i): Command => ['SET', `scan:${i}`, i]))
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const [next, keys] = (await proxy.must('SCAN', cursor, 'COUNT', 50)) as [string, string[]]
      for (const key of keys) seen.add(key)
      cursor = next
    } while (cursor !== '0')
    assert.equal(seen.size, 1000)
  })
})

describe('transactions', () => {
  it('go upstream whole, in one round trip', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    proxied.relay.delay(20)
    const start = performance.now()
    const replies = await proxy.pipeline([
      ['MULTI'],
      ['SET', 't', 1],
      ['INCR', 't'],
      ['GET', 't'],
      ['LPUSH', 't', 1],
      ['EXEC'],
    ])
    const took = performance.now() - start
    proxied.relay.delay(0)
    assert.deepEqual(replies, [
      'OK',
      'QUEUED',
      'QUEUED',
      'QUEUED',
      'QUEUED',
      ['OK', 2, '2', { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' }],
    ])
    assert.ok(took < 75, `${took} ms`)
    assert.equal(await upstream.must('GET', 't'), '2')
  })

  it('are undone by a watched key that changed upstream, and by nothing else', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    await proxy.must('SET', 'w', 1)
    await proxy.must('WATCH', 'w')
    assert.equal(await proxy.must('GET', 'w'), '1')
    await upstream.must('SET', 'w', 5)
    await proxy.must('MULTI')
    await proxy.must('SET', 'w', 9)
    assert.equal(await proxy.must('EXEC'), null)
    assert.equal(await proxy.must('GET', 'w'), '5')
    await proxy.must('WATCH', 'w')
    await proxy.must('MULTI')
    await proxy.must('SET', 'w', 10)
    assert.deepEqual(await proxy.must('EXEC'), ['OK'])
    await proxy.must('WATCH', 'w')
    await upstream.must('SET', 'w', 11)
    await proxy.must('UNWATCH')
    await proxy.must('MULTI')
    await proxy.must('INCR', 'w')
    assert.deepEqual(await proxy.must('EXEC'), [12])
    await proxy.must('WATCH', 'w')
    await upstream.must('SET', 'w', 13)
    await proxy.must('MULTI')
    await proxy.must('DISCARD')
    await proxy.must('MULTI')
    await proxy.must('INCR', 'w')
    assert.deepEqual(await proxy.must('EXEC'), [14])
  })

  it('that only read are answered here', async () => {
    const proxy = await connectFor(file, proxied.tandem.port)
    await proxy.must('SET', 'only', 'read')
    await proxy.must('GET', 'only')
    const before = await counts(proxy)
    assert.deepEqual(await proxy.pipeline([['MULTI'], ['GET', 'only'], ['STRLEN', 'only'], ['EXEC']]), [
      'OK',
      'QUEUED',
      'QUEUED',
      ['read', 4],
    ])
    assert.equal((await counts(proxy)).reads, before.reads)
  })

  it('are refused as they are by Redis', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    const commands: Command[] = [
      ['EXEC'],
      ['DISCARD'],
      ['MULTI'],
      ['MULTI'],
      ['SET', 'one'],
      ['WATCH', 'a'],
      ['EXEC'],
      ['MULTI'],
      ['EXEC'],
    ]
    assert.deepEqual(await proxy.pipeline(commands), await upstream.pipeline(commands))
  })

  it('may change the database', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    await proxy.pipeline([['MULTI'], ['SET', 'm', 0], ['SELECT', 4], ['SET', 'm', 4], ['EXEC']])
    assert.equal(await proxy.must('GET', 'm'), '4')
    const other = await connectFor(file, proxied.tandem.port)
    await other.must('SET', 'm2', 'zero')
    assert.equal(await upstream.must('GET', 'm2'), 'zero', 'shared connections are where they were')
  })
})

describe('scripts and functions', () => {
  it('run upstream, and where the copy is when they only read', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    assert.equal(await proxy.must('EVAL', "return redis.call('SET', KEYS[1], ARGV[1])", 1, 'e', 'x'), 'OK')
    assert.equal(await upstream.must('GET', 'e'), 'x')
    const before = await counts(proxy)
    assert.equal(await proxy.must('EVAL_RO', "return redis.call('GET', KEYS[1])", 1, 'e'), 'x')
    assert.equal(await proxy.must('EVAL', "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])", 1, 'e'), 'x')
    assert.equal((await counts(proxy)).reads - before.reads, 0)
    const sha = String(await proxy.must('SCRIPT', 'LOAD', "return redis.call('GET', KEYS[1])"))
    assert.deepEqual(await upstream.must('SCRIPT', 'EXISTS', sha), [1])
    assert.equal(await proxy.must('EVALSHA', sha, 1, 'e'), 'x')
    assert.equal(await proxy.must('EVALSHA_RO', sha, 1, 'e'), 'x')
    assert.deepEqual(await proxy.send('EVALSHA', 'f'.repeat(40), 0), {
      error: 'NOSCRIPT No matching script. Please use EVAL.',
    })
    await proxy.must(
      'FUNCTION',
      'LOAD',
      "#!lua name=lib\nredis.register_function('put', function(k, a) return redis.call('SET', k[1], a[1]) end)\nredis.register_function{function_name='look', callback=function(k) return redis.call('GET', k[1]) end, flags={'no-writes'}}",
    )
    assert.equal(await proxy.must('FCALL', 'put', 1, 'e', 'y'), 'OK')
    assert.equal(await proxy.must('FCALL_RO', 'look', 1, 'e'), 'y')
    assert.equal(((await proxy.must('FUNCTION', 'LIST')) as unknown[]).length, 1)
  })
})

describe('blocking commands', () => {
  it('wait upstream on connections of their own, and others go on', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    const other = await connectFor(file, proxied.tandem.port)
    const popped = proxy.send('BLPOP', 'q1', 'q2', 0)
    await waitUntil(async () => (await proxyField(other, 'connections_own')) === '1', { what: 'the command to block' })
    assert.equal(await other.must('SET', 'meanwhile', 1), 'OK')
    await upstream.must('RPUSH', 'q2', 'x')
    assert.deepEqual(await popped, ['q2', 'x'])
    assert.deepEqual(
      await proxy.pipeline([
        ['RPUSH', 'q1', 'a', 'b'],
        ['BLPOP', 'q1', 0],
        ['GET', 'meanwhile'],
        ['LPOP', 'q1'],
      ]),
      [2, ['q1', 'a'], '1', 'b'],
    )
    assert.equal(await proxy.must('BLPOP', 'q1', 0.05), null)
    assert.equal(await proxyField(other, 'connections_own'), '0')
  })

  it('are given up when their client goes', async () => {
    const [upstream] = await ends(file, proxied)
    const gone = await connectFor(file, proxied.tandem.port)
    gone.raw('BLPOP lost 0\r\n')
    await waitUntil(async () => /blocked_clients:1\r/.test(String(await upstream.must('INFO', 'clients'))), {
      what: 'it to block',
    })
    await gone.close()
    await waitUntil(async () => /blocked_clients:0\r/.test(String(await upstream.must('INFO', 'clients'))), {
      what: 'it to be gone',
    })
    await upstream.must('RPUSH', 'lost', 'kept')
    assert.equal(await upstream.must('LLEN', 'lost'), 1)
  })

  it('are unblocked by CLIENT UNBLOCK', async () => {
    const blocked = await connectFor(file, proxied.tandem.port)
    const proxy = await connectFor(file, proxied.tandem.port)
    const id = Number(await blocked.must('CLIENT', 'ID'))
    for (const [how, expected] of [
      [[], null],
      [['ERROR'], { error: 'UNBLOCKED client unblocked via CLIENT UNBLOCK' }],
    ] as const) {
      const popped = blocked.send('BLPOP', 'never', 0)
      await waitUntil(async () => (await proxy.must('CLIENT', 'UNBLOCK', id, ...how)) === 1, { what: 'it to block' })
      assert.deepEqual(await popped, expected)
    }
  })

  it('read streams from the copy', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    const read = proxy.send('XREAD', 'BLOCK', 0, 'STREAMS', 'news', '$')
    await waitUntil(async () => {
      const other = await connectFor(file, proxied.tandem.port)
      return /blocked_clients:1\r/.test(String(await other.must('INFO', 'clients')))
    })
    await upstream.must('XADD', 'news', '7-1', 'f', 'v')
    assert.deepEqual(await read, [['news', [['7-1', ['f', 'v']]]]])
  })

  it('WAIT counts the replicas of the upstream', async () => {
    const proxy = await connectFor(file, proxied.tandem.port)
    assert.deepEqual(
      await proxy.pipeline([
        ['SET', 'waited', 1],
        ['WAIT', 1, 5000],
      ]),
      ['OK', 1],
    )
  })
})

describe('pub/sub', () => {
  it('hears messages of both sides, and of keys', async () => {
    const [upstream, proxy] = await ends(file, proxied)
    const subscriber = await connectFor(file, proxied.tandem.port, 3)
    await subscriber.must('SUBSCRIBE', 'news')
    await subscriber.must('SSUBSCRIBE', 'shard')
    await proxy.must('PUBLISH', 'news', 'from here')
    await upstream.must('PUBLISH', 'news', 'from there')
    await upstream.must('SPUBLISH', 'shard', 'sharded')
    assert.deepEqual(await subscriber.waitForPushes(3), [
      ['message', 'news', 'from here'],
      ['message', 'news', 'from there'],
      ['smessage', 'shard', 'sharded'],
    ])
  })
})
