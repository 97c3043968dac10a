/** Messages of shard channels, which the nodes of a cluster tell only who asks at the right one of them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { keySlot } from '../../src/bytes/key-slot.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { startClusterProxy } from '../support/cluster-proxy.ts'
import { proxyField } from '../support/proxy.ts'
import { type RedisPeer, startRedis } from '../support/redis.ts'
import { linkUp } from '../support/replicas.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'

const file = fileCleanup()

function slotOf(channel: string): number {
  return keySlot(Buffer.from(channel), 0, channel.length)
}

/** Publishes at the node that has the slot. */
async function tell(cluster: Cluster, channel: string, message: string): Promise<void> {
  for (const node of await cluster.primaries()) {
    const reply = await (await cluster.wire(node)).send('SPUBLISH', channel, message)
    if (typeof reply === 'number') return
  }
  assert.fail(`no node takes ${channel}`)
}

async function ownerOf(cluster: Cluster, channel: string): Promise<RedisPeer> {
  for (const node of await cluster.primaries()) {
    // Of the same slot.
    const reply = await (await cluster.wire(node)).send('SPUBLISH', `{${channel}}other`, '?')
    if (typeof reply === 'number') return node
  }
  throw new Error(`nobody has ${channel}`)
}

async function moveSlot(cluster: Cluster, slot: number, from: RedisPeer, to: RedisPeer): Promise<void> {
  const [fromId, toId] = [await cluster.id(from), await cluster.id(to)]
  await (await cluster.wire(to)).must('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await (await cluster.wire(from)).must('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  for (const node of [to, from, ...(await cluster.primaries())]) {
    await (await cluster.wire(node)).must('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
  }
}

describe('shard channels of a cluster', () => {
  it('are heard from the reply on, of every shard, and by replicas of the proxy', async () => {
    const cluster = await startCluster(file)
    const tandem = await startClusterProxy(file, cluster)
    const follower = await startRedis(file, { args: ['--replicaof', '127.0.0.1', String(tandem.port)] })
    const [one, other] = [await connectFor(file, tandem.port), await connectFor(file, tandem.port)]
    const below = await connectFor(file, follower.port)
    await linkUp(below)
    // a, b and c are of different shards.
    const channels = ['a', 'b', 'c']
    assert.equal(new Set(await Promise.all(channels.map((channel) => ownerOf(cluster, channel)))).size, 3)
    await below.must('SSUBSCRIBE', 'b')
    assert.deepEqual(await one.must('SSUBSCRIBE', ...channels), ['ssubscribe', 'a', 1])
    assert.deepEqual(await one.next(), ['ssubscribe', 'b', 2])
    assert.deepEqual(await one.next(), ['ssubscribe', 'c', 3])
    for (const channel of channels) {
      await tell(cluster, channel, `of ${channel}`)
      assert.deepEqual(await one.next(), ['smessage', channel, `of ${channel}`])
    }
    assert.deepEqual(await below.next(), ['smessage', 'b', 'of b'])
    await other.must('SPUBLISH', 'c', 'through the proxy')
    assert.deepEqual(await one.next(), ['smessage', 'c', 'through the proxy'])
    assert.equal(await proxyField(other, 'shard_channels_up'), '3')
    // A second client of the same channel hears the same; what the first leaves stays for the second.
    assert.deepEqual(await other.must('SSUBSCRIBE', 'a'), ['ssubscribe', 'a', 1])
    assert.deepEqual(await one.must('SUNSUBSCRIBE'), ['sunsubscribe', 'a', 2])
    await one.next()
    await one.next()
    const watcher = await connectFor(file, tandem.port)
    const isLeft = async () => (await proxyField(watcher, 'shard_channels')) === '1'
    await waitUntil(isLeft, { timeoutMs: 15_000, what: 'channels that nobody listens to, to be left' })
    const owner = await cluster.wire(await ownerOf(cluster, 'b'))
    assert.deepEqual(await owner.must('PUBSUB', 'SHARDNUMSUB', 'b'), ['b', 0])
    await tell(cluster, 'a', 'still')
    assert.deepEqual(await other.next(), ['smessage', 'a', 'still'])
  })

  it('go with their slot, and with their shard', async () => {
    const cluster = await startCluster(file, 3, 1)
    const tandem = await startClusterProxy(file, cluster)
    const [proxy, watcher] = [await connectFor(file, tandem.port), await connectFor(file, tandem.port)]
    await proxy.must('SSUBSCRIBE', 'a')
    const owner = await ownerOf(cluster, 'a')
    const target = (await cluster.primaries()).find((node) => node !== owner)!
    await moveSlot(cluster, slotOf('a'), owner, target)
    const isThere = async (node: RedisPeer) => {
      const reply = (await (await cluster.wire(node)).must('PUBSUB', 'SHARDNUMSUB', 'a')) as [string, number]
      return reply[1] === 1 && (await proxyField(watcher, 'shard_channels_up')) === '1'
    }
    await waitUntil(() => isThere(target), { timeoutMs: 10_000, what: 'the subscription at the new node' })
    await tell(cluster, 'a', 'moved')
    assert.deepEqual(await proxy.next(), ['smessage', 'a', 'moved'])
    // Its primary is killed, and its replica takes over.
    const id = await cluster.id(target)
    const isReplica = async (node: RedisPeer) =>
      String(await (await cluster.wire(node)).must('CLUSTER', 'NODES')).includes(`myself,slave ${id}`)
    let replica: RedisPeer | undefined
    for (const node of cluster.nodes) if (await isReplica(node)) replica = node
    await target.kill9()
    await waitUntil(() => isThere(replica!), { timeoutMs: 30_000, what: 'the subscription at the replica' })
    await tell(cluster, 'a', 'taken over')
    assert.deepEqual(await proxy.next(), ['smessage', 'a', 'taken over'])
  })

  it('that cannot be had are refused after a while', async () => {
    const cluster = await startCluster(file)
    for (const node of cluster.nodes) await (await cluster.wire(node)).must('ACL', 'SETUSER', 'default', '-ssubscribe')
    const tandem = await startClusterProxy(file, cluster)
    const proxy = await connectFor(file, tandem.port)
    const reply = (await proxy.send('SSUBSCRIBE', 'a')) as { error: string }
    assert.match(reply.error, /^MASTERDOWN The shard of the channel .*NOPERM/)
    assert.equal(await proxy.must('PING'), 'PONG')
  })
})
