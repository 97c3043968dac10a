/** A Redis Cluster as the upstream: one merged copy, requests by slot. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { differences, keyDigests, replicaOf, reshard, startCluster } from '../support/cluster.ts'
import { sameAsShards, shardLines, startClusterProxy } from '../support/cluster-proxy.ts'
import { counts, proxyField } from '../support/proxy.ts'
import { type RedisPeer, startRedis } from '../support/redis.ts'
import { field, linkUp } from '../support/replicas.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, isError } from '../support/wire.ts'
import { check } from './checker.ts'

const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 1)

describe('a cluster as the upstream', () => {
  it('is read here and written by slot', async () => {
    const cluster = await startCluster(file)
    const tandem = await startClusterProxy(file, cluster)
    const proxy = await connectFor(file, tandem.port)
    for (let i = 0; i < 300; i++) {
      assert.equal(await proxy.must('SET', `key:${i}`, i), 'OK')
      assert.equal(await proxy.must('GET', `key:${i}`), String(i))
    }
    const { local, writes } = await counts(proxy)
    assert.equal(writes, 300)
    assert.ok(local >= 290, `${local} local reads`)
    assert.equal(await proxy.must('DBSIZE'), 300)
    assert.deepEqual(await proxy.must('MGET', 'key:1', 'key:2', 'key:3'), ['1', '2', '3'])
    assert.deepEqual(await proxy.send('MSET', 'a', 1, 'b', 2), {
      error: "CROSSSLOT Keys in request don't hash to the same slot",
    })
    assert.equal(await proxy.must('MSET', '{x}a', 1, '{x}b', 2), 'OK')
    await sameAsShards(cluster, proxy)
    const sizes = await Promise.all(
      (await cluster.primaries()).map(async (node) => Number(await (await cluster.wire(node)).must('DBSIZE'))),
    )
    assert.equal(
      await proxy.must('DBSIZE'),
      sizes.reduce((a, b) => a + b),
    )
    assert.ok(sizes.every((size) => size > 0))
  })
})

/** Values of all types through the proxy, from a few connections, until it is told to end. Resolves with errors by their first words. */
async function writeAlong(port: number, isOver: () => boolean): Promise<Map<string, number>> {
  const errors = new Map<string, number>()
  const one = async (seed: number) => {
    const wire = await connectFor(file, port)
    for (let i = 0; !isOver(); i++) {
      const n = (seed * 7919 + i * 31) % 2000
      const tag = `{w${n}}`
      const replies = await wire.pipeline([
        ['SET', `${tag}s`, `${seed}:${i}`],
        ['RPUSH', `${tag}l`, i],
        ['LTRIM', `${tag}l`, -5, -1],
        ['HSET', `${tag}h`, `f${i % 5}`, i],
        ['SADD', `${tag}a`, i % 50],
        ['SUNIONSTORE', `${tag}u`, `${tag}a`, `${tag}b`],
        ['SPOP', `${tag}a`],
        ['SET', `${tag}t`, i, 'PX', 100 + (i % 300)],
        i % 3 === 0 ? ['DEL', `${tag}s`, `${tag}h`] : ['ZADD', `${tag}z`, i, i % 7],
      ])
      for (const reply of replies) {
        if (!isError(reply)) continue
        const words = reply.error.split(' ').slice(0, 2).join(' ')
        errors.set(words, (errors.get(words) ?? 0) + 1)
      }
    }
  }
  await Promise.all([1, 2, 3, 4].map(one))
  return errors
}

describe('slots that change hands', () => {
  it('are followed without an old, missing or doubled value while clients read and write', async () => {
    const cluster = await startCluster(file)
    const tandem = await startClusterProxy(file, cluster)
    const proxy = await connectFor(file, tandem.port)
    let isOver = false
    const writing = writeAlong(tandem.port, () => isOver)
    const [a, b, c] = (await cluster.primaries()) as [RedisPeer, RedisPeer, RedisPeer]
    const move = async (from: RedisPeer, to: RedisPeer, slots: number) =>
      reshard(cluster, await cluster.id(from), await cluster.id(to), slots)
    const resharding = (async () => {
      await move(a, b, 600)
      await move(b, c, 900)
      await move(c, a, 600)
      await move(b, a, 300)
    })()
    const result = await check({ port: tandem.port, seed: SEED, clients: 20, operations: 40_000, keys: 400 })
    await resharding
    isOver = true
    assert.deepEqual([...(await writing)], [])
    assert.deepEqual(result.violations.slice(0, 3), [], `seed ${SEED}`)
    assert.deepEqual([...result.errors], [])
    await sameAsShards(cluster, proxy)
    assert.ok(Number(await proxyField(proxy, 'redirections')) > 0)
    assert.ok(Number(await proxyField(proxy, 'slots_handed_over')) > 0)
    let made = 0
    for (let key = 0; key < 400; key++) made += Number((await proxy.must('GET', `check:${key}`)) ?? 0)
    assert.equal(made, result.writes, 'each write once')
  })
})

describe('a shard with another primary', () => {
  it('is followed from where the copy is, after a planned failover, and after kill -9', async () => {
    const cluster = await startCluster(file, 3, 1)
    const tandem = await startClusterProxy(file, cluster, ['--write-timeout', '10000'])
    const proxy = await connectFor(file, tandem.port)
    const first = (await cluster.primaries())[0]!
    const replica = await replicaOf(cluster, first)
    let isOver = false
    const writing = writeAlong(tandem.port, () => isOver)
    const planned = check({ port: tandem.port, seed: SEED, clients: 10, operations: 12_000, keys: 200 })
    await (await cluster.wire(replica)).must('CLUSTER', 'FAILOVER')
    const isLedBy = async (node: RedisPeer) =>
      (await shardLines(proxy)).find(({ addr, link }) => addr === `127.0.0.1:${node.port}` && link === 'up')
    const line = await waitUntil(() => isLedBy(replica), { timeoutMs: 20_000, what: 'the replica to be followed' })
    // Perhaps twice: the former primary may have continued the history as a replica.
    assert.equal(line.full, 1, 'it resumed')
    assert.ok(line.partial > 0)
    assert.deepEqual((await planned).violations.slice(0, 3), [], `seed ${SEED}`)

    // The other way round, without warning.
    await waitUntil(
      async () =>
        String(await (await cluster.wire(first)).must('INFO', 'replication')).includes('master_link_status:up'),
      {
        timeoutMs: 20_000,
        what: 'the former primary as a replica',
      },
    )
    const crash = check({ port: tandem.port, seed: SEED + 1, clients: 10, operations: 12_000, keys: 200 })
    await replica.kill9()
    await waitUntil(() => isLedBy(first), { timeoutMs: 30_000, what: 'the survivor to be followed' })
    const result = await crash
    isOver = true
    const errors = [...(await writing).keys(), ...result.errors.keys()]
    assert.ok(
      errors.every((error) => /UNCERTAIN|MASTERDOWN|CLUSTERDOWN/.test(error)),
      errors.join('; '),
    )
    await sameAsShards(cluster, proxy)
    assert.equal(
      (await shardLines(proxy)).reduce((sum, { slots }) => sum + slots, 0),
      16384,
    )
    assert.equal(await proxy.must('SET', 'after', 'all'), 'OK')
    assert.equal(await proxy.must('GET', 'after'), 'all')
  })

  it('is not two shards while the former primary does not know of the other', async () => {
    const cluster = await startCluster(file, 3, 1)
    const tandem = await startClusterProxy(file, cluster)
    const proxy = await connectFor(file, tandem.port)
    const first = (await cluster.primaries())[0]!
    const replica = await replicaOf(cluster, first)
    const wire = await cluster.wire(replica)
    process.kill(first.pid, 'SIGSTOP')
    // At first the others have it for a primary without slots.
    await wire.must('CLUSTER', 'FAILOVER', 'TAKEOVER')
    const lineOf = (text: string) => text.split('\n').find((line) => line.includes(`:${first.port}@`))!
    const known = async () => lineOf(String(await wire.must('CLUSTER', 'NODES'))).split(' ')
    assert.deepEqual([(await known())[2], (await known()).length], ['master', 8])
    const isFollowed = async () => {
      const lines = await shardLines(proxy)
      assert.equal(lines.length, 3)
      return lines.some(({ addr, link }) => addr === `127.0.0.1:${replica.port}` && link === 'up')
    }
    await waitUntil(isFollowed, { timeoutMs: 20_000, what: 'the replica to be followed' })
    process.kill(first.pid, 'SIGCONT')
    for (let i = 0; i < 300; i++) assert.equal(await proxy.must('INCR', `key:${i % 100}`), 1 + Math.floor(i / 100))
    const isReplica = async () => {
      assert.equal((await shardLines(proxy)).length, 3)
      return (await known())[2] === 'slave'
    }
    await waitUntil(isReplica, { timeoutMs: 20_000, what: 'the former primary as a replica' })
    await sameAsShards(cluster, proxy)
  })

  it("loses or gains by a full synchronisation only the shard's own keys", async () => {
    const cluster = await startCluster(file)
    const tandem = await startClusterProxy(file, cluster)
    const follower = await startRedis(file, { args: ['--replicaof', '127.0.0.1', String(tandem.port)] })
    const proxy = await connectFor(file, tandem.port)
    const below = await connectFor(file, follower.port)
    await linkUp(below)
    for (let i = 0; i < 500; i++) await proxy.must('SET', `key:${i}`, i)
    await sameAsShards(cluster, proxy)
    const shard = (await cluster.primaries())[1]!
    const wire = await cluster.wire(shard)
    const lost = (await wire.must('KEYS', '*')) as string[]
    // Another history, and other data, while the link is away.
    await wire.pipeline([
      ['DEBUG', 'CHANGE-REPL-ID'],
      ['CLIENT', 'KILL', 'TYPE', 'replica'],
      ...lost.slice(0, 20).map((key) => ['DEL', key]),
      ['SET', lost[30]!, 'changed'],
    ])
    const name = `127.0.0.1:${shard.port}`
    await waitUntil(async () => (await shardLines(proxy)).find(({ addr }) => addr === name)?.full === 2, {
      what: 'the full synchronisation',
    })
    await sameAsShards(cluster, proxy)
    assert.equal(await proxy.must('DBSIZE'), 480)
    assert.equal(await proxy.must('GET', lost[30]!), 'changed')
    await waitUntil(async () => differences(await keyDigests(proxy), await keyDigests(below)).length === 0, {
      what: 'the replica of the proxy',
    })
    assert.equal(await field(proxy, 'stats', 'sync_full'), '1', 'the replica of the proxy stayed in one stream')
    // Another one, and a message, while clients of the proxy may not write: both have to wait as well.
    const listener = await connectFor(file, tandem.port)
    await listener.must('SUBSCRIBE', 'news')
    await waitUntil(async () => (await proxyField(proxy, 'messages')) === 'up', { what: 'messages' })
    await proxy.must('CLIENT', 'PAUSE', 1500, 'WRITE')
    await wire.must('PUBLISH', 'news', 'paused')
    await wire.pipeline([
      ['DEBUG', 'CHANGE-REPL-ID'],
      ['CLIENT', 'KILL', 'TYPE', 'replica'],
      ...lost.slice(40, 60).map((key) => ['DEL', key]),
      ['SET', lost[31]!, 'changed too'],
    ])
    await waitUntil(async () => (await shardLines(proxy)).find(({ addr }) => addr === name)?.full === 3, {
      what: 'the next full synchronisation',
    })
    assert.deepEqual(await listener.next(), ['message', 'news', 'paused'])
    await sameAsShards(cluster, proxy)
    assert.equal(await proxy.must('DBSIZE'), 460)
    // One shard alone.
    await wire.must('FLUSHALL')
    await waitUntil(async () => Number(await proxy.must('DBSIZE')) === 500 - lost.length, { what: 'its keys to go' })
    await sameAsShards(cluster, proxy)
    await proxy.must('FLUSHALL')
    assert.equal(await proxy.must('DBSIZE'), 0)
    await waitUntil(async () => (await below.must('DBSIZE')) === 0, { what: 'the replica of the proxy' })
    for (const node of await cluster.primaries()) assert.equal(await (await cluster.wire(node)).must('DBSIZE'), 0)
  })
})

describe('what has no keys, and what has several', () => {
  it('goes to all shards, to one, or stays here', async () => {
    const cluster = await startCluster(file)
    const tandem = await startClusterProxy(file, cluster, ['--session-wait', '5000'])
    const [proxy, other] = [await connectFor(file, tandem.port), await connectFor(file, tandem.port)]
    const [one, , third] = (await cluster.primaries()) as [RedisPeer, RedisPeer, RedisPeer]
    // Scripts and functions.
    const sha = String(await proxy.must('SCRIPT', 'LOAD', "return redis.call('SET', KEYS[1], ARGV[1])"))
    for (const key of ['a', 'b', 'c', 'd', 'e']) assert.equal(await proxy.must('EVALSHA', sha, 1, key, key), 'OK')
    assert.deepEqual(await proxy.must('MGET', 'a', 'b', 'c', 'd', 'e'), ['a', 'b', 'c', 'd', 'e'])
    const code =
      "#!lua name=lib\nredis.register_function{function_name='get', callback=function(keys) return redis.call('GET', keys[1]) end, flags={'no-writes'}}"
    assert.equal(await proxy.must('FUNCTION', 'LOAD', code), 'lib')
    for (const key of ['a', 'b', 'c']) assert.equal(await proxy.must('FCALL', 'get', 1, key), key)
    assert.match(JSON.stringify(await proxy.send('FUNCTION', 'LOAD', code)), /already exists/)
    // Transactions.
    await proxy.must('MULTI')
    await proxy.must('INCR', '{n}1')
    await proxy.must('INCR', '{n}2')
    assert.deepEqual(await proxy.must('EXEC'), [1, 1])
    await proxy.must('MULTI')
    await proxy.must('INCR', 'n')
    await proxy.must('INCR', 'm')
    assert.deepEqual(await proxy.send('EXEC'), { error: "CROSSSLOT Keys in request don't hash to the same slot" })
    await proxy.must('WATCH', '{n}1')
    await other.must('INCR', '{n}1')
    await proxy.must('MULTI')
    await proxy.must('INCR', '{n}1')
    assert.equal(await proxy.must('EXEC'), null, 'the watched key changed')
    // Blocking.
    const waiting = proxy.must('BLPOP', 'list', 5)
    await waitUntil(async () => /cmd=blpop/.test(String(await other.must('CLIENT', 'LIST'))), { what: 'BLPOP' })
    await other.must('RPUSH', 'list', 'x')
    assert.deepEqual(await waiting, ['list', 'x'])
    // Messages come from any node.
    await waitUntil(async () => (await proxyField(other, 'messages')) === 'up', { what: 'messages' })
    await proxy.must('SUBSCRIBE', 'news')
    await (await cluster.wire(third)).must('PUBLISH', 'news', 'from the third')
    assert.deepEqual(await proxy.next(), ['message', 'news', 'from the third'])
    await other.must('PUBLISH', 'news', 'through the proxy')
    assert.deepEqual(await proxy.next(), ['message', 'news', 'through the proxy'])
    // What looks at all keys is answered from the copy.
    const keys = new Set<string>()
    let cursor = '0'
    do {
      const [next, some] = (await other.must('SCAN', cursor)) as [string, string[]]
      for (const key of some) keys.add(key)
      cursor = next
    } while (cursor !== '0')
    assert.equal(keys.size, await other.must('DBSIZE'))
    assert.deepEqual(await other.send('SELECT', 1), { error: 'ERR SELECT is not allowed in cluster mode' })
    // A pipeline over all shards keeps its order.
    const replies = await other.pipeline(Array.from({ length: 200 }, (_, i) => ['INCRBY', `p:${i}`, i]))
    assert.deepEqual(
      replies,
      Array.from({ length: 200 }, (_, i) => i),
    )
    await one.stop()
    await waitUntil(async () => (await shardLines(other)).some(({ link }) => link === 'down'), { what: 'a lost shard' })
    assert.match(JSON.stringify(await other.send('FLUSHALL')), /MASTERDOWN/)
    assert.equal(await other.must('DBSIZE'), keys.size + 200, 'reads go on')
  })
})
