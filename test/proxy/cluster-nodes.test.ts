/** A cluster that grows and shrinks, one that is reached by TLS, and a proxy that starts again beside its dump file. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { authority, tlsArgs } from '../support/certificates.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { clusterPort, reshard, startCluster, startClusterNode } from '../support/cluster.ts'
import { sameAsShards, shardLines, startClusterProxy } from '../support/cluster-proxy.ts'
import { proxyField } from '../support/proxy.ts'
import { type RedisPeer, startRedis } from '../support/redis.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, type Wire } from '../support/wire.ts'
import { check } from './checker.ts'

const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 1)

describe('nodes of a cluster', () => {
  it('are added, get slots, lose them and go, while clients read and write', async () => {
    const cluster = await startCluster(file)
    const tandem = await startClusterProxy(file, cluster)
    const proxy = await connectFor(file, tandem.port)
    const [first] = cluster.nodes
    const at = `127.0.0.1:${first!.port}`
    const added = await startClusterNode(file)
    const addedWire = await connectFor(file, added.port)
    const id = String(await addedWire.must('CLUSTER', 'MYID'))
    const checking = check({ port: tandem.port, seed: SEED, clients: 10, operations: 12_000, keys: 200 })
    await cluster.cli('add-node', `127.0.0.1:${added.port}`, at)
    const owner = await cluster.id(first!)
    // Each has to know the new one.
    const wires = await Promise.all(cluster.nodes.map((node) => cluster.wire(node)))
    const isKnown = async () => {
      for (const wire of wires) {
        if (!String(await wire.must('CLUSTER', 'NODES')).includes(`${id} 127.0.0.1`)) return false
      }
      // One that has just come takes no keys for two seconds.
      if (!String(await addedWire.must('CLUSTER', 'INFO')).includes('cluster_state:ok')) return false
      return true
    }
    const move = async (from: string, to: string) => {
      await waitUntil(isKnown, { timeoutMs: 20_000, intervalMs: 200, what: 'all to know it' })
      await reshard(cluster, from, to, 500)
    }
    await move(owner, id)
    const lineOfAdded = async () => (await shardLines(proxy)).find(({ addr }) => addr === `127.0.0.1:${added.port}`)
    await waitUntil(async () => (await lineOfAdded())?.slots === 500, { timeoutMs: 20_000, what: 'its slots' })
    await move(id, owner)
    await waitUntil(async () => (await lineOfAdded())?.slots === 0, { timeoutMs: 20_000, what: 'no slots' })
    await cluster.cli('del-node', at, id)
    await waitUntil(async () => (await lineOfAdded()) === undefined, { timeoutMs: 20_000, what: 'it to be gone' })
    const result = await checking
    assert.deepEqual(result.violations.slice(0, 3), [], `seed ${SEED}`)
    assert.deepEqual([...result.errors], [])
    await sameAsShards(cluster, proxy)
    assert.equal((await shardLines(proxy)).length, 3)
  })

  it('are found again by a proxy that starts with its dump file', async () => {
    const cluster = await startCluster(file)
    const tandem = await startClusterProxy(file, cluster)
    let proxy = await connectFor(file, tandem.port)
    for (let i = 0; i < 300; i++) await proxy.must('SET', `key:${i}`, i)
    await sameAsShards(cluster, proxy)
    await proxy.must('SAVE')
    await tandem.kill9()
    for (const node of cluster.nodes) {
      const wire = await cluster.wire(node)
      const keys = (await wire.must('KEYS', '*')) as string[]
      for (const key of keys.slice(0, 20)) await wire.must('DEL', key)
      await wire.must('SET', keys[30]!, 'changed')
    }
    await tandem.start()
    proxy = await connectFor(file, tandem.port)
    await waitUntil(async () => (await proxyField(proxy, 'copy_ready')) === '1', {
      timeoutMs: 20_000,
      what: 'the copy',
    })
    await sameAsShards(cluster, proxy)
    assert.equal(await proxy.must('DBSIZE'), 240)
  })
})

describe('a cluster by TLS', () => {
  it('is read and written as one without', async () => {
    const trusted = authority(file)
    const tls = tlsArgs(trusted.ca, trusted.issue('server'))
    const nodes = await Promise.all([startTlsNode(tls), startTlsNode(tls)])
    const wires = await Promise.all(nodes.map(({ node }) => connectFor(file, node.port)))
    const [one, two] = wires as [Wire, Wire]
    await one.must('CLUSTER', 'ADDSLOTSRANGE', 0, 9999)
    await two.must('CLUSTER', 'ADDSLOTSRANGE', 10_000, 16_383)
    await two.must('CLUSTER', 'SET-CONFIG-EPOCH', 2)
    await one.must('CLUSTER', 'MEET', '127.0.0.1', nodes[1]!.tlsPort)
    for (const wire of wires) {
      await waitUntil(async () => String(await wire.must('CLUSTER', 'INFO')).includes('cluster_state:ok'), {
        timeoutMs: 20_000,
        what: 'the cluster',
      })
    }
    const url = `rediss+cluster://127.0.0.1:${nodes[0]!.tlsPort}`
    const tandem = await startTandem(file, { args: ['--proxy-upstream', url, ...tls] })
    const proxy = await connectFor(file, tandem.port)
    await waitUntil(async () => (await proxyField(proxy, 'copy_ready')) === '1', {
      timeoutMs: 20_000,
      what: 'the copy',
    })
    for (let i = 0; i < 100; i++) assert.equal(await proxy.must('SET', `key:${i}`, i), 'OK')
    for (let i = 0; i < 100; i++) assert.equal(await proxy.must('GET', `key:${i}`), String(i))
    assert.deepEqual(
      (await shardLines(proxy)).map(({ addr, link, slots }) => `${addr} ${link} ${slots}`).sort(),
      nodes.map(({ tlsPort }, i) => `127.0.0.1:${tlsPort} up ${i === 0 ? 10_000 : 6384}`).sort(),
    )
    assert.equal(await proxy.must('DBSIZE'), 100)
    assert.equal(Number(await one.must('DBSIZE')) + Number(await two.must('DBSIZE')), 100)
  })
})

async function startTlsNode(tls: string[]): Promise<{ node: RedisPeer; tlsPort: number }> {
  const tlsPort = await clusterPort()
  const own = [
    '--cluster-enabled',
    'yes',
    '--tls-cluster',
    'yes',
    '--tls-replication',
    'yes',
    '--tls-auth-clients',
    'no',
  ]
  const node = await startRedis(file, { args: [...own, '--tls-port', String(tlsPort), ...tls] })
  return { node, tlsPort }
}
