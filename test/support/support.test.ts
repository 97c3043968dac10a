/** The helpers themselves, with redis-server on both sides: what they report about Tandem is worth as much as this. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileCleanup } from './cleanup.ts'
import { differential } from './differential.ts'
import { startRedis } from './redis.ts'
import { startRelay } from './relay.ts'
import { attachReplica } from './stream.ts'
import { waitUntil } from './wait-until.ts'
import { compareReplies, connect, connectFor } from './wire.ts'

const file = fileCleanup()
const redis = await startRedis(file)
const other = await startRedis(file)
const servers = { redis, tandem: other }

test('replies of every RESP3 type arrive as plain values, pushes apart', async (t) => {
  const wire = await connectFor(t, redis.port, 3)
  await wire.must('DEL', 's')
  assert.equal(await wire.send('SET', 's', 'a\r\n\xff'), 'OK')
  assert.equal(await wire.send('GET', 's'), 'a\r\n\xff')
  assert.equal(await wire.send('GET', 'missing'), null)
  assert.deepEqual(await wire.send('NOSUCH'), { error: "ERR unknown command 'NOSUCH', with args beginning with: " })
  assert.deepEqual(
    await wire.send('DEBUG', 'PROTOCOL', 'map'),
    new Map([
      [0, false],
      [1, true],
      [2, false],
    ]),
  )
  assert.deepEqual(await wire.send('DEBUG', 'PROTOCOL', 'set'), new Set([0, 1, 2]))
  assert.equal(String(await wire.send('DEBUG', 'PROTOCOL', 'double')), '3.141')
  assert.equal(await wire.send('DEBUG', 'PROTOCOL', 'true'), true)
  assert.equal(await wire.send('DEBUG', 'PROTOCOL', 'bignum'), 1234567999999999999999999999999999999n)
  assert.equal(await wire.send('DEBUG', 'PROTOCOL', 'verbatim'), 'This is a verbatim\nstring')
  assert.deepEqual(await wire.send('DEBUG', 'PROTOCOL', 'array'), [0, 1, 2])
  assert.deepEqual(await wire.send('SUBSCRIBE', 'news'), ['subscribe', 'news', 1])
  const publisher = await connectFor(t, redis.port)
  assert.equal(await publisher.send('PUBLISH', 'news', 'hello'), 1)
  assert.deepEqual(await wire.waitForPushes(1), [['message', 'news', 'hello']])
  assert.equal(await wire.send('ECHO', 'still'), 'still')
})

test('raw bytes go out and come in as they are', async (t) => {
  const wire = await connectFor(t, redis.port)
  wire.raw('PING\r\n')
  assert.equal(String(await wire.readRaw(7)), '+PONG\r\n')
  wire.raw('*1\r\n$4\r\nPI')
  wire.raw('NG\r\n')
  assert.equal(await wire.next(), 'PONG')
  wire.raw('*1\r\n!\r\n')
  assert.deepEqual(await wire.next(), { error: "ERR Protocol error: expected '$', got '!'" })
  await wire.ended()
})

test('replies without a defined order are compared as such', () => {
  const left = Buffer.from('*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n')
  const right = Buffer.from('*4\r\n$1\r\nb\r\n:2\r\n$1\r\na\r\n:1\r\n')
  const crossed = Buffer.from('*4\r\n$1\r\na\r\n:2\r\n$1\r\nb\r\n:1\r\n')
  assert.ok(!compareReplies(left, right))
  assert.ok(compareReplies(left, right, 'pairs'))
  assert.ok(!compareReplies(left, crossed, 'pairs'))
  assert.ok(compareReplies(left, crossed, 'elements'))
})

test('differential passes equal servers, in batches, transactions, subscriptions and several clients', async (t) => {
  function* steps() {
    for (let n = 0; n < 500; n++) yield ['SET', `key:${n}`, Buffer.from([n & 255, 13, 10])]
    yield* ['MULTI', 'INCR a', 'INCR key:1', 'EXEC', 'GET a', 'SADD s x y z 1 2 3', 'SMEMBERS s', 'KEYS *']
    yield { client: 'b', args: 'WATCH a' }
    yield 'INCR a'
    yield* ['MULTI', 'GET a', 'EXEC'].map((args) => ({ client: 'b', args }))
    yield { client: 'c', args: 'SUBSCRIBE x y z' }
    yield { client: 'c', args: 'UNSUBSCRIBE x y' }
  }
  await differential(t, steps, { servers })
})

test('differential names the command whose reply differs', async (t) => {
  const wire = await connectFor(t, other.port)
  await wire.must('CONFIG', 'SET', 'maxclients', 77)
  const run = differential(t, ['SET a b', 'CONFIG GET maxclients', 'GET a'], { servers, protocols: [2] })
  await assert.rejects(run, /RESP2: command 2 CONFIG GET maxclients\n {2}redis: .*10000.*\n {2}tandem: .*77/)
  const normalise = { 'config get': () => 'any' }
  await differential(t, ['CONFIG GET maxclients'], { servers, normalise })
})

test('differential names the keys when only the data differ', async (t) => {
  const wire = await connectFor(t, other.port)
  await wire.must('SET', 'stray', 'only here')
  await assert.rejects(
    differential(t, ['SET a b'], { servers, flush: false, protocols: [2] }),
    /datasets differ.*stray/,
  )
})

for (const capabilities of [['eof', 'psync2'], ['psync2']]) {
  test(`a listening replica sees the stream (capabilities ${capabilities})`, async (t) => {
    const wire = await connectFor(t, redis.port)
    await wire.must('CONFIG', 'SET', 'repl-diskless-sync', capabilities.includes('eof') ? 'yes' : 'no')
    await wire.must('FLUSHALL')
    await wire.must('SET', 'before', 'sync')
    const stream = await attachReplica(redis.port, { capabilities }, t)
    assert.equal(stream.rdb.toString('latin1', 0, 5), 'REDIS')
    await wire.must('SET', 'k', 'v')
    await wire.must('SADD', 's', 'only')
    await wire.must('SPOP', 's')
    const seen = [
      ['SELECT', '0'],
      ['SET', 'k', 'v'],
      ['SADD', 's', 'only'],
      ['SREM', 's', 'only'],
    ]
    const upper = (commands: string[][]) => commands.map(([name, ...rest]) => [name!.toUpperCase(), ...rest])
    assert.deepEqual(upper(await stream.waitFor(4)), seen)
    const info = String(await wire.must('INFO', 'replication'))
    assert.equal(stream.offset, Number(info.match(/master_repl_offset:(\d+)/)![1]))
    await stream.close()
    const again = await attachReplica(redis.port, { replid: stream.replid, offset: stream.offset + 1 }, t)
    assert.ok(again.continued)
    await wire.must('SET', 'after', '1')
    assert.deepEqual(upper(await again.waitForCommand('SET', 'after')), [['SET', 'after', '1']])
  })
}

test('a relay passes, freezes, cuts and truncates', async (t) => {
  const relay = await startRelay(t, redis.port)
  const first = await connectFor(t, relay.port)
  await first.must('SET', 'k', 'x'.repeat(1000))
  relay.freeze()
  const late = first.send('PING')
  const direct = await connectFor(t, redis.port)
  await direct.must('PING')
  relay.thaw()
  assert.equal(await late, 'PONG')
  relay.cutAll()
  await first.ended()

  const second = await connectFor(t, relay.port)
  relay.truncateAfter(500)
  second.raw('GET k\r\n')
  await second.ended()
  assert.equal((await second.readRaw(500).catch(() => Buffer.alloc(0))).length, 500)

  const third = await connectFor(t, relay.port)
  relay.cutAfter(100)
  third.raw('GET k\r\n')
  await third.ended()

  await relay.stop()
  await assert.rejects(connect(relay.port))
  await relay.start()
  const fourth = await connectFor(t, relay.port)
  relay.delay(30)
  const before = performance.now()
  assert.equal(await fourth.must('PING'), 'PONG')
  assert.ok(performance.now() - before >= 55)
  relay.delay(300)
  const slow = fourth.must('SET', 'order', 'first')
  await new Promise((resolve) => setTimeout(resolve, 50))
  relay.delay(0)
  await Promise.all([slow, fourth.must('SET', 'order', 'second')])
  assert.equal(await fourth.must('GET', 'order'), 'second')
})

test('a server is stopped, killed and started again on its port', async (t) => {
  const server = await startRedis(t)
  const before = server.pid
  await server.restart()
  assert.notEqual(server.pid, before)
  await server.kill9()
  assert.ok(!server.running)
  await assert.rejects(connect(server.port))
  await server.start()
  const wire = await connectFor(t, server.port)
  assert.equal(await wire.must('PING'), 'PONG')
  assert.match(server.logs(), /Ready to accept connections[\s\S]*Ready to accept connections/)
  await waitUntil(() => server.running)
})

test('a server that cannot start says why', async (t) => {
  await assert.rejects(startRedis(t, { args: ['--no-such-option', '1'] }), /no-such-option/)
})
