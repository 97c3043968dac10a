/**
 * A proxy before a cluster that keeps a part of the data: clients see all of it, while slots and primaries change. What is
 * kept is read here, everything else at the shard of its slot.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { type Cluster, digests, replicaOf, reshard, startCluster } from '../support/cluster.ts'
import { startClusterProxy } from '../support/cluster-proxy.ts'
import { picker } from '../support/crossing-writes.ts'
import { counts, place, proxyField } from '../support/proxy.ts'
import { type RedisPeer, startRedis } from '../support/redis.ts'
import { startRelayedPair } from '../support/relayed-pair.ts'
import { field, info } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { type Argument, connectFor, type Wire } from '../support/wire.ts'
import { check } from './checker.ts'

const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 20261128)
const ROUNDS = Number(process.env.ROUNDS ?? 400)
const KEYS = ['--replica-filter-keys', 'eu:*']

/** Of `{tag}…`. */
const TAG_SLOT = 8338
const NO_KEY = '0'.repeat(40)

/** How many keys the copy has: DBSIZE tells of all. */
async function kept(proxy: Wire): Promise<number> {
  const db0 = (await info(proxy, 'keyspace')).get('db0') ?? 'keys=0,'
  return Number(/keys=(\d+)/.exec(db0)![1])
}

/** Waits until the copy has the shown keys of the shards, and nothing else. */
async function sameShown(cluster: Cluster, proxy: Wire, shows: (key: string) => boolean): Promise<void> {
  let found: string[] = []
  await waitUntil(
    async () => {
      const there = await digests(cluster)
      const shown = [...there.keys()].filter(shows)
      const here = shown.length === 0 ? [] : ((await proxy.must('DEBUG', 'DIGEST-VALUE', ...shown)) as string[])
      found = shown.filter((key, i) => here[i] !== there.get(key)).slice(0, 5)
      const hidden = [...there.keys()].filter((key) => !shows(key))
      const kinds = hidden.length === 0 ? [] : ((await proxy.must('DEBUG', 'DIGEST-VALUE', ...hidden)) as string[])
      found.push(...hidden.filter((_, i) => kinds[i] !== NO_KEY).map((key) => `${key} is kept`))
      const count = await kept(proxy)
      if (count !== shown.length) found.push(`${count} keys, not ${shown.length}`)
      return found.length === 0
    },
    { timeoutMs: 15_000, intervalMs: 200, what: () => `equal data: ${found.join('; ')}` },
  )
}

async function scanned(proxy: Wire): Promise<string[]> {
  const all: string[] = []
  let cursor = '0'
  do {
    const [next, keys] = (await proxy.must('SCAN', cursor, 'COUNT', 7)) as [string, string[]]
    all.push(...keys)
    cursor = next
  } while (cursor !== '0')
  return all.sort()
}

/** Asked again, as of a cluster, while the keys of a request are apart: when that is over cannot be known here. */
async function answerOf(proxy: Wire, request: [string, ...Argument[]]): Promise<unknown> {
  let answer: unknown
  await waitUntil(
    async () => {
      answer = await proxy.send(...request)
      return !/TRYAGAIN/.test(JSON.stringify(answer))
    },
    { what: 'the slot to be whole' },
  )
  return answer
}

describe('a proxy with a filter before a cluster', () => {
  it('holds the shown keys only, and reads the others at their shards', async () => {
    const cluster = await startCluster(file)
    const tandem = await startClusterProxy(file, cluster, KEYS)
    const proxy = await connectFor(file, tandem.port)
    const other = await connectFor(file, tandem.port)
    for (let i = 0; i < 60; i++) {
      await proxy.must('SET', `eu:${i}`, i)
      await proxy.must('SET', `us:${i}`, i)
    }
    await proxy.must('RPUSH', 'us:{t}l', 'a', 'b')
    await sameShown(cluster, proxy, (key) => key.startsWith('eu:'))
    assert.equal(await place(proxy, other, 'GET', 'eu:1'), 'here')
    assert.equal(await place(proxy, other, 'MGET', 'eu:1', 'eu:2', 'eu:3'), 'here')
    assert.equal(await place(proxy, other, 'GET', 'eu:none'), 'here')
    await waitUntil(async () => (await place(proxy, other, 'GET', 'us:1')) === 'near', { what: 'the near cache' })
    assert.equal(await place(proxy, other, 'LRANGE', 'us:{t}l', 0, -1), 'upstream')
    await waitUntil(async () => (await place(proxy, other, 'LRANGE', 'us:{t}l', 0, -1)) === 'near', {
      what: 'it again',
    })
    // A change that is made elsewhere.
    const owner = await Promise.all(cluster.nodes.map((node) => cluster.wire(node)))
    for (const wire of owner) await wire.send('RPUSH', 'us:{t}l', 'c')
    await waitUntil(async () => (await proxy.must('LLEN', 'us:{t}l')) === 3, { what: 'the change' })
    await waitUntil(async () => String(await proxy.must('LRANGE', 'us:{t}l', 0, -1)) === 'a,b,c', { what: 'the list' })
    // All keys.
    assert.equal(await proxy.must('DBSIZE'), 121)
    const keys = ((await proxy.must('KEYS', '*')) as string[]).sort()
    assert.equal(keys.length, 121)
    assert.deepEqual(await scanned(proxy), keys)
    assert.ok(keys.includes(String(await proxy.must('RANDOMKEY'))))
    assert.deepEqual(await proxy.send('SCAN', 'x'), { error: 'ERR invalid cursor' })
    assert.deepEqual(await proxy.send('KEYS'), { error: "ERR wrong number of arguments for 'keys' command" })
    // Of several slots the copy alone can answer.
    const crosses = { error: "CROSSSLOT Keys in request don't hash to the same slot" }
    assert.deepEqual(await proxy.send('MGET', 'eu:1', 'us:2', 'us:3'), crosses)
    await proxy.must('MULTI')
    await proxy.must('GET', 'us:1')
    await proxy.must('DBSIZE')
    assert.deepEqual(await proxy.send('EXEC'), crosses)
    const totals = await info(proxy, 'replication')
    assert.equal(totals.get('replica_filter'), 'keys=eu:*')
    assert.ok(Number(totals.get('replica_filter_dropped_bytes')) > 60 * 30, totals.get('replica_filter_dropped_bytes'))
    assert.equal(await proxyField(proxy, 'near_up'), '1')
    await proxy.must('FLUSHALL')
    assert.equal(await proxy.must('GET', 'us:1'), null)
    assert.equal(await proxy.must('GET', 'eu:1'), null)
    assert.equal(await proxy.must('DBSIZE'), 0)
    assert.equal(await proxy.must('RANDOMKEY'), null)
    assert.deepEqual(await scanned(proxy), [])
  })

  const filters: Record<string, { args: string[]; shows: (key: string) => boolean }> = {
    keys: { args: KEYS, shows: (key) => key.startsWith('eu:') },
    'keys and types': {
      args: [...KEYS, '--replica-filter-types', 'string set'],
      shows: (key) => key.startsWith('eu:') && /[ks]\d$/.test(key),
    },
  }
  for (const [name, { args, shows }] of Object.entries(filters)) {
    it(`answers as one server does, whatever is written and moved, with a filter of ${name}`, async () => {
      const cluster = await startCluster(file)
      const tandem = await startClusterProxy(file, cluster, args)
      const proxy = await connectFor(file, tandem.port)
      const oracle = await connectFor(file, (await startRedis(file)).port)
      const pick = picker(SEED)
      const [a, b] = (await cluster.primaries()) as [RedisPeer, RedisPeer]
      const [idA, idB] = await Promise.all([cluster.id(a), cluster.id(b)])
      // Slots of A go to B and come back.
      let moves = 0
      let isOver = false
      const moving = (async () => {
        while (!isOver) {
          await reshard(cluster, idA, idB, 2000)
          await reshard(cluster, idB, idA, 2000)
          moves++
        }
      })()
      let tag = 0
      const key = (kind = pick(['k', 's', 'l'])) => `${pick(['eu', 'us'])}:{${tag}}:${kind}${pick([1, 2])}`
      const writes: (() => [string, ...Argument[]])[] = [
        () => ['SET', key('k'), pick(['a', 'b', 'c'])],
        () => ['APPEND', key('k'), 'x'],
        () => ['SADD', key('s'), pick([1, 2, 3])],
        () => ['SREM', key('s'), pick([1, 2, 3])],
        () => ['RPUSH', key('l'), pick([1, 2, 3])],
        () => ['LMOVE', key('l'), key('l'), 'LEFT', 'RIGHT'],
        () => ['RENAME', key('k'), key('k')],
        () => ['RENAME', key('l'), key('l')],
        () => ['SMOVE', key('s'), key('s'), pick([1, 2, 3])],
        () => ['SUNIONSTORE', key('s'), key('s'), key('s')],
        () => ['DEL', key(), key()],
        () => ['MSET', key('k'), 'm', key('k'), 'n'],
        () => ['EVAL', "return redis.call('APPEND', KEYS[1], 'e')", 1, key('k')],
      ]
      const reads: (() => [string, ...Argument[]])[] = [
        () => ['GET', key('k')],
        () => ['TYPE', key()],
        () => ['EXISTS', key(), key()],
        () => ['MGET', key('k'), key('k')],
        () => ['SCARD', key('s')],
        () => ['SINTERCARD', 2, key('s'), key('s')],
        () => ['LRANGE', key('l'), 0, -1],
      ]
      try {
        for (let round = 0; round < ROUNDS || moves === 0; round++) {
          tag = pick(Array.from({ length: 40 }, (_, i) => i))
          const write = pick(writes)()
          const answer = await answerOf(proxy, write)
          const told = () => `${write.join(' ')}, round ${round}, SEED=${SEED}`
          assert.deepEqual(answer, await oracle.send(...write), told())
          for (let i = 0; i < 4; i++) {
            const read = pick(reads)()
            const expected = await oracle.send(...read)
            const found = await answerOf(proxy, read)
            assert.deepEqual(found, expected, `${read.join(' ')} after ${told()}`)
          }
        }
      } finally {
        isOver = true
        await moving
      }
      await sameShown(cluster, proxy, shows)
      const { local, reads: there } = await counts(proxy)
      assert.ok(local > 20 && there > 20, `${local} here, ${there} upstream`)
      assert.ok(Number(await proxyField(proxy, 'near_hits')) > 0)
      assert.ok(Number(await field(proxy, 'replication', 'replica_filter_fetched_keys')) > 0)
    })
  }

  it('never shows a client less than it has written or read, through a reshard and a failover', async () => {
    const cluster = await startCluster(file, 3, 1)
    // check:0 to check:399, of which every second is kept.
    const tandem = await startClusterProxy(file, cluster, [
      '--replica-filter-keys',
      '*[02468]',
      '--write-timeout',
      '10000',
    ])
    const proxy = await connectFor(file, tandem.port)
    const [a, b, c] = (await cluster.primaries()) as [RedisPeer, RedisPeer, RedisPeer]
    const checking = check({ port: tandem.port, seed: SEED, clients: 20, operations: 30_000, keys: 400 })
    await reshard(cluster, await cluster.id(a), await cluster.id(b), 600)
    await reshard(cluster, await cluster.id(b), await cluster.id(c), 900)
    const replica = await replicaOf(cluster, b)
    await (await cluster.wire(replica)).must('CLUSTER', 'FAILOVER')
    const result = await checking
    assert.deepEqual(result.violations.slice(0, 3), [], `seed ${SEED}`)
    const errors = [...result.errors.keys()]
    assert.ok(
      errors.every((error) => /UNCERTAIN|MASTERDOWN|CLUSTERDOWN/.test(error)),
      errors.join('; '),
    )
    await sameShown(cluster, proxy, (key) => /[02468]$/.test(key))
    assert.ok(Number(await proxyField(proxy, 'near_hits')) > 0)
  })
})

describe('a hidden value that comes to a shown key, and leaves its shard before it can be asked for', () => {
  for (const isDone of [false, true]) {
    it(`comes from where it is then, ${isDone ? 'behind MOVED' : 'behind ASK'}`, async () => {
      const pair = await startRelayedPair(file)
      const { from, to } = pair
      const upstream = `cluster://127.0.0.1:${from.relay.port}`
      const tandem = await startTandem(file, { args: ['--proxy-upstream', upstream, '--replica-filter-keys', '*eu'] })
      const proxy = await connectFor(file, tandem.port)
      const complete = async () => (await proxyField(proxy, 'copy_ready')) === '1'
      await waitUntil(complete, { timeoutMs: 20_000, what: 'the copy' })
      await from.wire.must('MSET', '{tag}eu', 'old', '{tag}us', 'new', '{tag}2eu', 'other')
      await waitUntil(async () => (await kept(proxy)) === 2, { what: 'the keys' })
      await pair.opens(TAG_SLOT)
      from.relay.freezeReplicas()
      await from.wire.must('RENAME', '{tag}us', '{tag}eu')
      await pair.migrate('{tag}eu')
      if (isDone) {
        await pair.migrate('{tag}2eu')
        await pair.closes(TAG_SLOT)
      }
      from.relay.thaw()
      const fetched = async () => await field(proxy, 'replication', 'replica_filter_fetched_keys')
      await waitUntil(async () => (await fetched()) === '1', { what: 'the key to be asked for' })
      const copied = async () => (await proxy.must('DEBUG', 'DIGEST-VALUE', '{tag}eu'))!
      const there = String(await to.wire.must('DEBUG', 'DIGEST-VALUE', '{tag}eu'))
      await waitUntil(async () => String(await copied()) === there, { what: 'the value' })
      assert.equal(await field(proxy, 'replication', 'replica_filter_pending_keys'), '0')
      const before = await counts(proxy)
      assert.deepEqual(await proxy.must('MGET', '{tag}eu', '{tag}2eu'), ['new', 'other'])
      assert.equal((await counts(proxy)).local, before.local + 1)
      assert.equal(await proxyField(proxy, 'fences_expired'), '0')
    })
  }
})
