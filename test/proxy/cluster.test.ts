/** A Redis Cluster as the upstream: one merged copy, requests by slot. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { type Cluster, differences, digests, keyDigests, startCluster } from '../support/cluster.ts'
import { counts, proxyField } from '../support/proxy.ts'
import type { RedisPeer } from '../support/redis.ts'
import { startTandem, type TandemPeer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, isError, type Wire } from '../support/wire.ts'
import { check } from './checker.ts'

const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 1)

async function startClusterProxy(cluster: Cluster, args: string[] = []): Promise<TandemPeer> {
  const seeds = cluster.nodes.slice(0, 2).map(({ port }) => `127.0.0.1:${port}`)
  const tandem = await startTandem(file, { args: ['--proxy-upstream', `cluster://${seeds.join(',')}`, ...args] })
  const wire = await connectFor(file, tandem.port)
  await waitUntil(async () => (await proxyField(wire, 'copy_ready')) === '1', { timeoutMs: 20_000, what: 'the copy' })
  return tandem
}

/** Waits until the copy has what the shards have, and says what differs at last. */
async function sameAsShards(cluster: Cluster, proxy: Wire): Promise<void> {
  let found: string[] = []
  await waitUntil(
    async () => {
      found = differences(await digests(cluster), await keyDigests(proxy))
      return found.length === 0
    },
    { timeoutMs: 15_000, intervalMs: 200, what: () => `equal data: ${found.join('; ')}` },
  )
}

describe('a cluster as the upstream', () => {
  it('is read here and written by slot', async () => {
    const cluster = await startCluster(file)
    const tandem = await startClusterProxy(cluster)
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
    const tandem = await startClusterProxy(cluster)
    const proxy = await connectFor(file, tandem.port)
    let isOver = false
    const writing = writeAlong(tandem.port, () => isOver)
    const [a, b, c] = (await cluster.primaries()) as [RedisPeer, RedisPeer, RedisPeer]
    const reshard = async (from: RedisPeer, to: RedisPeer, slots: number) =>
      cluster.cli(
        ...['reshard', `127.0.0.1:${a.port}`, '--cluster-from', await cluster.id(from)],
        ...['--cluster-to', await cluster.id(to), '--cluster-slots', String(slots)],
      )
    const resharding = (async () => {
      await reshard(a, b, 600)
      await reshard(b, c, 900)
      await reshard(c, a, 600)
      await reshard(b, a, 300)
    })()
    const result = await check({ port: tandem.port, seed: SEED, clients: 20, operations: 40_000, keys: 400 })
    await resharding
    isOver = true
    assert.deepEqual([...(await writing)], [])
    assert.deepEqual(result.violations.slice(0, 3), [], `seed ${SEED}`)
    assert.deepEqual([...result.errors], [])
    await sameAsShards(cluster, proxy)
    process.stdout.write(`# ${String(await proxy.must('INFO', 'proxy')).replaceAll('\r\n', '\n# ')}\n`)
    assert.ok(Number(await proxyField(proxy, 'redirections')) > 0)
    assert.ok(Number(await proxyField(proxy, 'slots_handed_over')) > 0)
    let made = 0
    for (let key = 0; key < 400; key++) made += Number((await proxy.must('GET', `check:${key}`)) ?? 0)
    assert.equal(made, result.writes, 'each write once')
  })
})
