/** Tandem as a replica of a real redis-server: full sync, partial resync, promotion with a real sibling, chains. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { startRelay } from '../support/relay.ts'
import { field, follow, info, linkUp, sameData, wires, write, writes } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import type { Wire } from '../support/wire.ts'

const file = fileCleanup()
const BACKLOG = ['--repl-backlog-size', '64mb']

describe('Tandem follows a real redis-server', () => {
  it('resumes after lost links, and a real sibling resumes from it once it is promoted', async () => {
    const redis = await startRedis(file, { args: BACKLOG })
    const tandem = await startTandem(file)
    const sibling = await startRedis(file, { args: BACKLOG })
    const relay = await startRelay(file, redis.port)
    const [primary, replica, other] = (await wires(redis, tandem, sibling)) as [Wire, Wire, Wire]
    await write(primary, writes(11, 20_000))
    await follow(replica, relay.port)
    await follow(other, redis.port)
    await write(primary, writes(12, 100_000))
    relay.cutAll()
    await write(primary, writes(13, 100_000))
    await linkUp(replica)
    await write(primary, writes(14, 80_000))
    await sameData(primary, replica)
    const stats = await info(primary, 'stats')
    assert.equal(stats.get('sync_full'), '2', 'one for each replica')
    assert.ok(Number(stats.get('sync_partial_ok')) >= 1)

    await sameData(primary, other)
    await replica.must('REPLICAOF', 'NO', 'ONE')
    await follow(other, tandem.port)
    await write(replica, writes(15, 2000))
    await sameData(replica, other)
    assert.equal(await field(replica, 'stats', 'sync_full'), '0', 'the sibling resumed')
    assert.equal(await field(replica, 'stats', 'sync_partial_ok'), '1')
  })

  it('passes the bytes of its primary on to replicas of its own', async () => {
    const redis = await startRedis(file)
    const middle = await startTandem(file)
    const below = await startTandem(file)
    const last = await startRedis(file)
    const [primary, second, third, fourth] = (await wires(redis, middle, below, last)) as [Wire, Wire, Wire, Wire]
    await write(primary, writes(16, 2000))
    await follow(second, redis.port)
    await follow(third, middle.port)
    await follow(fourth, below.port)
    await write(primary, writes(17, 5000))
    for (const replica of [second, third, fourth]) await sameData(primary, replica)
    const ids = await Promise.all([primary, second, third, fourth].map((w) => field(w, 'replication', 'master_replid')))
    assert.equal(new Set(ids).size, 1, 'one history in the whole chain')
  })

  it('is a read-only replica that hides what is past its time and waits for its primary to remove it', async () => {
    const redis = await startRedis(file)
    const tandem = await startTandem(file)
    const [primary, replica] = (await wires(redis, tandem)) as [Wire, Wire]
    await follow(replica, redis.port)
    assert.deepEqual(await replica.send('SET', 'a', 1), {
      error: "READONLY You can't write against a read only replica.",
    })
    await primary.must('DEBUG', 'SET-ACTIVE-EXPIRE', 0)
    await primary.must('SET', 'short', 'lived', 'PX', 20)
    await primary.must('WAIT', 1, 1000)
    await replica.must('DEBUG', 'SLEEP', '0.05')
    assert.equal(await replica.must('GET', 'short'), null)
    assert.equal(await replica.must('DBSIZE'), 1, 'hidden, not removed')
    assert.equal(await primary.must('GET', 'short'), null)
    await sameData(primary, replica)
    assert.equal(await replica.must('DBSIZE'), 0)
  })

  it('serves stale data or refuses to, as it is told, while its primary is away', async () => {
    const redis = await startRedis(file)
    const tandem = await startTandem(file)
    const [primary, replica] = (await wires(redis, tandem)) as [Wire, Wire]
    await primary.must('SET', 'a', 'b')
    await follow(replica, redis.port)
    await redis.stop()
    assert.equal(await replica.must('GET', 'a'), 'b')
    await replica.must('CONFIG', 'SET', 'replica-serve-stale-data', 'no')
    assert.deepEqual(await replica.send('GET', 'a'), {
      error: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    })
    assert.equal(await field(replica, 'replication', 'master_link_status'), 'down')
  })

  it('keeps its data when the payload of a full sync is cut off or is no RDB', async () => {
    const redis = await startRedis(file)
    const tandem = await startTandem(file)
    const relay = await startRelay(file, redis.port)
    const [primary, replica] = (await wires(redis, tandem)) as [Wire, Wire]
    await replica.must('SET', 'old', 'data')
    await write(primary, writes(18, 20_000))
    relay.cutAfter(20_000)
    await replica.must('REPLICAOF', '127.0.0.1', relay.port)
    await linkUp(replica)
    await sameData(primary, replica)
    assert.equal(await replica.must('GET', 'old'), null)
    assert.match(
      tandem.logs(),
      /I\/O error trying to sync with MASTER|Connection with master lost|Error condition on socket for SYNC/,
    )
  })

  it('resumes from the offset in its RDB file after a restart', async () => {
    const redis = await startRedis(file, { args: BACKLOG })
    const tandem = await startTandem(file, {
      args: ['--replicaof', '127.0.0.1', String(redis.port), '--save', '900', '1'],
    })
    let [primary, replica] = (await wires(redis, tandem)) as [Wire, Wire]
    await linkUp(replica)
    await write(primary, writes(19, 3000))
    await sameData(primary, replica)
    await tandem.stop()
    await write(primary, writes(20, 3000))
    await tandem.start()
    ;[replica] = (await wires(tandem)) as [Wire]
    await linkUp(replica)
    await sameData(primary, replica)
    assert.equal(await field(primary, 'stats', 'sync_full'), '1', 'no second full sync')
  })
})
