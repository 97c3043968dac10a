/** Tandem as the primary of a real redis-server: full sync, partial resync after cuts, WAIT, disk-based payloads. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { startRelay } from '../support/relay.ts'
import { field, follow, info, linkUp, sameData, wires, write, writes } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { Wire } from '../support/wire.ts'

const file = fileCleanup()

describe('a real redis-server follows Tandem', () => {
  it('resumes after its link was lost in the middle of 300,000 writes', async () => {
    const tandem = await startTandem(file)
    const redis = await startRedis(file)
    const relay = await startRelay(file, tandem.port)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await write(primary, writes(1, 20_000))
    await follow(replica, relay.port)
    await write(primary, writes(2, 100_000))
    relay.cutAll()
    await write(primary, writes(3, 100_000))
    await linkUp(replica)
    relay.cutAll()
    await write(primary, writes(4, 80_000))
    await linkUp(replica)
    await sameData(primary, replica)
    const stats = await info(primary, 'stats')
    assert.equal(stats.get('sync_full'), '1')
    assert.ok(Number(stats.get('sync_partial_ok')) >= 2)
  })

  it('is fed a payload by length when the primary syncs through its disk', async () => {
    const tandem = await startTandem(file, { args: ['--repl-diskless-sync', 'no'] })
    const redis = await startRedis(file)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await write(primary, writes(5, 5000))
    await follow(replica, tandem.port)
    await write(primary, writes(6, 5000))
    await sameData(primary, replica)
    assert.match(tandem.logs(), /target: disk/)
  })

  it('that comes while the file is sent to another gets a file of its own', async () => {
    const args = ['--repl-diskless-sync', 'no', '--repl-sync-max-rate', '1mb', '--rdbcompression', 'no']
    const tandem = await startTandem(file, { args })
    const [one, two] = [await startRedis(file), await startRedis(file)]
    const [primary, first, second] = (await wires(tandem, one, two)) as [Wire, Wire, Wire]
    await primary.must('SET', 'large', 'x'.repeat(4_000_000))
    await first.must('REPLICAOF', '127.0.0.1', tandem.port)
    const isSent = async () => (await field(primary, 'replication', 'slave0')).includes('state=send_bulk')
    await waitUntil(isSent, { what: 'the file to be on its way' })
    await second.must('REPLICAOF', '127.0.0.1', tandem.port)
    for (const replica of [first, second]) {
      await linkUp(replica)
      await sameData(primary, replica)
    }
  })

  it('a file for replicas is given up when they are gone and no saves are configured', async () => {
    const args = ['--repl-diskless-sync', 'no', '--save', '', '--rdb-key-save-delay', '1000000']
    const tandem = await startTandem(file, { args })
    const redis = await startRedis(file)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    for (let i = 0; i < 100; i++) await primary.must('SET', `key:${i}`, i)
    const saves = async () => field(primary, 'persistence', 'rdb_bgsave_in_progress')
    await replica.must('REPLICAOF', '127.0.0.1', tandem.port)
    await waitUntil(async () => (await saves()) === '1', { what: 'the save' })
    await replica.must('REPLICAOF', 'NO', 'ONE')
    await waitUntil(async () => (await saves()) === '0', { what: 'its end' })
    assert.match(tandem.logs(), /Background saving terminated by signal 10/)
    // With saves configured it is worth having.
    await primary.must('CONFIG', 'SET', 'save', '900 1')
    await replica.must('REPLICAOF', '127.0.0.1', tandem.port)
    await waitUntil(async () => (await saves()) === '1', { what: 'the next save' })
    await replica.must('REPLICAOF', 'NO', 'ONE')
    await waitUntil(async () => (await field(primary, 'replication', 'connected_slaves')) === '0', {
      what: 'its leaving',
    })
    assert.equal(await saves(), '1')
    await primary.must('CONFIG', 'SET', 'save', '')
  })

  it('several replicas share one snapshot, and WAIT counts them', async () => {
    const tandem = await startTandem(file, { args: ['--repl-diskless-sync-delay', '1'] })
    const redis = await Promise.all([1, 2, 3].map(() => startRedis(file)))
    const [primary, ...replicas] = await wires(tandem, ...redis)
    await write(primary!, writes(7, 3000))
    await Promise.all(replicas.map((replica) => follow(replica, tandem.port)))
    assert.equal(tandem.logs().split('Starting BGSAVE for SYNC').length, 2, 'one snapshot for all three')
    await primary!.must('SET', 'waited', 'for')
    assert.equal(await primary!.must('WAIT', 3, 5000), 3)
    assert.equal(await primary!.must('WAIT', 4, 50), 3)
    for (const replica of replicas) await sameData(primary!, replica)
  })

  it('gets what was written before its first acknowledgement without losing its link', async () => {
    const tandem = await startTandem(file)
    const redis = await startRedis(file)
    const relay = await startRelay(file, tandem.port)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await write(primary, writes(9, 500))
    relay.delay(60)
    await replica.must('REPLICAOF', '127.0.0.1', relay.port)
    await waitUntil(
      async () => {
        await primary.must('INCR', 'counter')
        return (await field(replica, 'replication', 'master_link_status')) === 'up'
      },
      { what: 'the link', timeoutMs: 20_000 },
    )
    await sameData(primary, replica)
    assert.equal(await field(primary, 'stats', 'sync_partial_ok'), '0')
    assert.doesNotMatch(tandem.logs(), /generated a reply/)
  })

  it('takes writes that go on while the snapshot is made, and none twice', async () => {
    const tandem = await startTandem(file)
    const redis = await startRedis(file)
    const [primary, replica, other] = (await wires(tandem, redis, tandem)) as [Wire, Wire, Wire]
    await write(primary, writes(8, 60_000))
    const writing = write(other, writes(9, 60_000), 100)
    await follow(replica, tandem.port)
    await writing
    await sameData(primary, replica)
  })

  it('with too small a backlog there is another full sync, and the data is right again', async () => {
    const tandem = await startTandem(file, { args: ['--repl-backlog-size', '16kb'] })
    const redis = await startRedis(file)
    const relay = await startRelay(file, tandem.port)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await follow(replica, relay.port)
    await relay.stop()
    await write(primary, writes(10, 5000))
    await relay.start()
    await linkUp(replica)
    await sameData(primary, replica)
    assert.equal(await field(primary, 'stats', 'sync_full'), '2')
    // One for the history that the replica had as a primary, one for the backlog.
    assert.equal(await field(primary, 'stats', 'sync_partial_err'), '2')
  })

  it('gets a value larger than what is sent at once without waiting for the next PING', async () => {
    const tandem = await startTandem(file, { args: ['--repl-ping-replica-period', '3600'] })
    const redis = await startRedis(file)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await follow(replica, tandem.port)
    await primary.must('SET', 'large', Buffer.alloc(32 * 1024 * 1024, 'x'))
    await primary.must('SET', 'after', 'it')
    await waitUntil(async () => (await replica.must('GET', 'after')) === 'it', {
      timeoutMs: 10_000,
      what: 'the write behind the large one',
    })
    await sameData(primary, replica)
  })

  it('is not cut by an output limit below what the backlog holds anyway', async () => {
    const tandem = await startTandem(file, {
      args: ['--repl-backlog-size', '100mb', '--client-output-buffer-limit', 'replica 512k 0 0'],
    })
    const redis = await startRedis(file)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await follow(replica, tandem.port)
    const large = Buffer.alloc(10 * 1024 * 1024, 'x')
    await primary.pipeline([
      ['MULTI'],
      ['CLIENT', 'KILL', 'TYPE', 'replica'],
      ['SET', 'large', large],
      ['SET', 'large', large],
      ['DEBUG', 'SLEEP', 0.5],
      ['EXEC'],
    ])
    await primary.must('SET', 'large', large)
    await sameData(primary, replica)
    const stats = await info(primary, 'stats')
    assert.equal(stats.get('sync_full'), '1')
    assert.equal(stats.get('sync_partial_ok'), '1')
  })

  it('min-replicas-to-write refuses writes without enough replicas', async () => {
    const tandem = await startTandem(file, { args: ['--min-replicas-to-write', '1'] })
    const redis = await startRedis(file)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    const alone = await primary.send('SET', 'a', 1)
    assert.deepEqual(alone, { error: 'NOREPLICAS Not enough good replicas to write.' })
    await follow(replica, tandem.port)
    await waitUntil(async () => (await primary.send('SET', 'a', 1)) === 'OK', {
      timeoutMs: 5000,
      what: 'a write with one replica',
    })
  })

  it('cuts a replica that stops reading at its output limit, and takes it back afterwards', async () => {
    const limits = ['--client-output-buffer-limit', 'replica 1mb 0 0', '--repl-backlog-size', '16kb']
    const tandem = await startTandem(file, { args: limits })
    const redis = await startRedis(file)
    const relay = await startRelay(file, tandem.port)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await follow(replica, relay.port)
    relay.freeze()
    // What sockets and the relay take in between is a few megabytes.
    const value = 'x'.repeat(10_000)
    for (let i = 0; i < 40; i++) {
      await write(
        primary,
        Array.from({ length: 100 }, (_, n) => ['SET', `big:${n}`, value]),
      )
    }
    await waitUntil(() => /overcoming of output buffer limits/.test(tandem.logs()), {
      timeoutMs: 10_000,
      what: 'the replica to be cut',
    })
    assert.ok(Number(await field(primary, 'memory', 'mem_total_replication_buffers')) < 8 * 1024 * 1024)
    relay.thaw()
    await linkUp(replica)
    await sameData(primary, replica)
  })
})
