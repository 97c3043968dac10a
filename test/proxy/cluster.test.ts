/** A Redis Cluster as the upstream: one merged copy, requests by slot. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { type Cluster, differences, digests, keyDigests, startCluster } from '../support/cluster.ts'
import { counts, proxyField } from '../support/proxy.ts'
import { startTandem, type TandemPeer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, type Wire } from '../support/wire.ts'

const file = fileCleanup()

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
