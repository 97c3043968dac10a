/** createReplica(): a live copy of a real redis-server, and of Tandem, inside the test's own process. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Change, createReplica, createServer } from '../../src/index.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { replicaOf } from '../support/embedded.ts'
import { startRedis } from '../support/redis.ts'
import { startRelay } from '../support/relay.ts'
import { wires } from '../support/replicas.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connect, type Wire } from '../support/wire.ts'

const file = fileCleanup()

describe('an embedded replica', () => {
  // A temporary folder of this file's own: what is left behind in it is not another file's copy that is still running.
  const shared = process.env.TMPDIR
  const own = mkdtempSync(join(tmpdir(), 'tandem-test-'))
  before(() => {
    process.env.TMPDIR = own
  })
  after(() => {
    if (shared === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = shared
    rmSync(own, { recursive: true, force: true })
  })

  it('answers typed reads of every type from its own memory', async (t) => {
    const redis = await startRedis(file)
    const [wire] = (await wires(redis)) as [Wire]
    await wire.must('SET', 'text', 'käse')
    await wire.must('SET', 'käse', Buffer.from([0, 255, 10]))
    await wire.must('SET', 'large', 'x'.repeat(100_000))
    await wire.must('HSET', 'hash', 'a', 1, 'b', 2)
    await wire.must('RPUSH', 'list', 'a', 'b', 'c')
    await wire.must('SADD', 'set', 'x', 'y')
    await wire.must('ZADD', 'zset', 1.5, 'a', '+inf', 'b')
    await wire.must('XADD', 'stream', '1-1', 'f', 'v')
    const replica = await replicaOf(t, `redis://127.0.0.1:${redis.port}`)
    assert.equal(replica.isLive, true)
    assert.equal(replica.get('large')?.length, 100_000)
    assert.equal(replica.get('none'), null)
    assert.throws(() => replica.get('hash'), /^Error: WRONGTYPE Operation against a key/)
    assert.deepEqual({ ...replica.hgetall('hash') }, { a: '1', b: '2' })
    assert.equal(replica.hget('hash', 'a'), '1')
    assert.deepEqual(replica.hmget('hash', 'b', 'c'), ['2', null])
    assert.deepEqual(replica.lrange('list', 0, -1), ['a', 'b', 'c'])
    assert.deepEqual(replica.smembers('set'), new Set(['x', 'y']))
    assert.equal(replica.sismember('set', 'z'), false)
    assert.deepEqual(replica.zrange('zset', 0, -1), ['a', 'b'])
    assert.deepEqual(replica.zrangeWithScores('zset', 0, 10, 'BYSCORE'), [{ member: 'a', score: 1.5 }])
    assert.equal(replica.zscore('zset', 'b'), Number.POSITIVE_INFINITY)
    assert.equal(replica.zrank('zset', 'b'), 1)
    const entries = replica.xrange('stream', '-', '+').map(({ id, fields }) => [id, { ...fields }])
    assert.deepEqual(entries, [['1-1', { f: 'v' }]])
    assert.deepEqual(replica.mget('none', 'none2'), [null, null])
    assert.equal(replica.exists('hash'), true)
    assert.equal(replica.type('zset'), 'zset')
    assert.equal(replica.pttl('hash'), -1)
    assert.equal(replica.size, 8)
    assert.deepEqual([...replica.scan({ type: 'string', match: '*r*e' })], ['large'])
    assert.equal([...replica.scan()].length, 8)
    assert.deepEqual(replica.callBuffer('LRANGE', 'list', 0, 0), [Buffer.from('a')])
  })

  it('has text and bytes of any kind as they are', async (t) => {
    const redis = await startRedis(file)
    const [wire] = (await wires(redis)) as [Wire]
    await wire.must('SET', Buffer.from('käse'), Buffer.from('schön'))
    await wire.must('SET', Buffer.from([0, 255]), Buffer.from([1, 254]))
    const replica = await replicaOf(t, `redis://127.0.0.1:${redis.port}`)
    assert.equal(replica.get('käse'), 'schön')
    assert.deepEqual(replica.getBuffer(Buffer.from([0, 255])), Buffer.from([1, 254]))
  })

  it('refuses what writes, blocks or does not exist', async (t) => {
    const server = await createServer()
    t.after(() => server.close())
    const replica = await replicaOf(t, `redis://127.0.0.1:${server.port}`)
    assert.throws(() => replica.call('SET', 'a', 'b'), /^Error: READONLY/)
    assert.throws(() => replica.call('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$'), /cannot block here/)
    assert.throws(() => replica.call('NOPE'), /unknown command 'NOPE'/)
    assert.throws(() => replica.call('GET'), /wrong number of arguments for 'get' command/)
    assert.throws(() => replica.call('EVAL_RO', 'return 1', 0), /READONLY/)
  })

  it('applies writes as they come, tells of changes by pattern, and knows when it has caught up', async (t) => {
    const redis = await startRedis(file)
    const [wire] = (await wires(redis)) as [Wire]
    const replica = await replicaOf(t, `redis://127.0.0.1:${redis.port}`)
    const changes: Change[] = []
    const seen: (string | null)[] = []
    const stop = replica.onChange('user:*', (change) => {
      changes.push(change)
      seen.push(change.key === null ? null : replica.get(change.key))
    })
    await wire.must('SET', 'user:1', 'ann')
    await wire.must('SET', 'other', 'x')
    await wire.must('DEL', 'user:1')
    await wire.must('FLUSHALL')
    await replica.caughtUp()
    assert.deepEqual(
      changes.map(({ event, key }) => [event, key]),
      [
        ['set', 'user:1'],
        ['del', 'user:1'],
        ['flush', null],
      ],
    )
    assert.equal(seen.at(-2), null)
    stop()
    await wire.must('SET', 'user:2', 'bob')
    await replica.caughtUp(replica.offset)
    await replica.caughtUp()
    assert.equal(replica.get('user:2'), 'bob')
    assert.equal(changes.length, 3)
    await assert.rejects(replica.caughtUp(replica.offset + 1e6, 50), /Not caught up with offset/)
  })

  it('passes writes to the primary and has them when they are done', async (t) => {
    const redis = await startRedis(file)
    const replica = await replicaOf(t, `redis://127.0.0.1:${redis.port}/3`)
    for (let i = 0; i < 50; i++) {
      assert.equal(await replica.write('INCR', 'counter'), i + 1)
      assert.equal(replica.get('counter'), String(i + 1))
    }
    await assert.rejects(replica.write('HSET', 'counter', 'a', 1), /WRONGTYPE/)
    const [wire] = (await wires(redis)) as [Wire]
    await wire.must('SELECT', 3)
    assert.equal(await wire.must('GET', 'counter'), '50')
  })

  it('logs in, and says why it cannot', async (t) => {
    const redis = await startRedis(file, { args: ['--requirepass', 'a "secret"'] })
    const password = encodeURIComponent('a "secret"')
    const replica = await replicaOf(t, `redis://:${password}@127.0.0.1:${redis.port}`)
    assert.equal(await replica.write('SET', 'a', 'b'), 'OK')
    assert.equal(replica.get('a'), 'b')
    await assert.rejects(createReplica({ from: `redis://:wrong@127.0.0.1:${redis.port}`, timeoutMs: 1000 }), /AUTH/)
    await assert.rejects(createReplica({ from: 'redis://127.0.0.1:1', timeoutMs: 500 }), /Connection refused/)
    await assert.rejects(createReplica({ from: 'http://127.0.0.1' }), TypeError)
    await assert.rejects(createReplica({ from: 'redis://127.0.0.1', directives: { nonsense: 1 } }), /nonsense/)
  })

  it('resumes after a cut, tells of a new copy, and leaves nothing behind', async () => {
    const server = await createServer({ directives: { 'enable-debug-command': 'yes' } })
    const relay = await startRelay(file, server.port)
    const wire = await connect(server.port)
    const replica = await createReplica({ from: `redis://127.0.0.1:${relay.port}` })
    await wire.must('SET', 'a', 1)
    await replica.caughtUp()
    let copies = 0
    replica.onChange('*', ({ event }) => {
      if (event === 'resync') copies++
    })
    relay.cutAll()
    await wire.must('SET', 'a', 2)
    await waitUntil(() => replica.get('a') === '2', { timeoutMs: 5000, what: 'the write during the cut' })
    assert.equal(copies, 0)
    await wire.must('DEBUG', 'CHANGE-REPL-ID')
    relay.cutAll()
    await wire.must('SET', 'a', 3)
    await waitUntil(() => replica.get('a') === '3', { timeoutMs: 5000, what: 'the write before the new copy' })
    await waitUntil(() => copies > 0, { timeoutMs: 5000, what: 'the event of the new copy' })
    await wire.close()
    await replica.close()
    await server.close()
    assert.deepEqual(leftovers(), [])
  })
})

function leftovers(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('tandem-replica-'))
}
