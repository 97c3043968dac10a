/** sync-replicas: a write is answered when so many real replicas have it, or with an error; other clients go on. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { field, info, sameData } from '../support/replicas.ts'
import { freeze, isAnswered, MISSED, startSyncGroup } from '../support/sync-group.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'

const file = fileCleanup()
describe('sync-replicas', () => {
  for (const kind of ['redis', 'tandem'] as const) {
    it(`answers a write when the replica (${kind}) has it, holds nobody else up, and keeps the order`, async (t) => {
      const { tandem, primary, servers, replicas } = await startSyncGroup(file, [kind], ['--sync-replicas', '1'])
      for (let i = 0; i < 50; i++) {
        assert.equal(await primary.must('INCR', 'counter'), i + 1)
        assert.equal(await replicas[0]!.must('GET', 'counter'), String(i + 1))
      }
      const thaw = freeze(t, servers[0]!)
      const writer = await connectFor(t, tandem.port)
      const other = await connectFor(t, tandem.port)
      const replies = writer.pipeline([
        ['SET', 'a', '1'],
        ['GET', 'a'],
        ['MULTI'],
        ['INCR', 'a'],
        ['EXEC'],
        ['EVAL', "return redis.call('INCR', 'a')", 0],
        ['PING'],
      ])
      assert.equal(await isAnswered(replies, other), false)
      const later = writer.send('ECHO', 'later')
      assert.equal(await isAnswered(later, other), false)
      // Reads of others are answered; without sync-reads they show what waits.
      assert.equal(await other.must('GET', 'a'), '3')
      thaw()
      assert.deepEqual(await replies, ['OK', '1', 'OK', 'QUEUED', [2], 3, 'PONG'])
      assert.equal(await later, 'later')
      await sameData(primary, replicas[0]!)
    })
  }

  it('says that a write was not copied in time, and only that; degrade answers as usual', async (t) => {
    const { tandem, primary, servers, replicas } = await startSyncGroup(file, ['redis'], ['--sync-replicas', '1'])
    await primary.must('CONFIG', 'SET', 'sync-timeout', 200)
    const thaw = freeze(t, servers[0]!)
    const writer = await connectFor(t, tandem.port)
    const replies = await writer.pipeline([
      ['SET', 'a', '1'],
      ['GET', 'a'],
      ['SADD', 'a', 'x'],
      ['INCR', 'a'],
    ])
    const wrongType = { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' }
    assert.deepEqual(replies, [MISSED, '1', wrongType, MISSED])
    assert.equal(await writer.must('PING'), 'PONG')
    await primary.must('CONFIG', 'SET', 'sync-timeout-action', 'degrade')
    assert.equal(await writer.must('INCR', 'a'), 3)
    const fields = await info(primary, 'replication')
    assert.equal(fields.get('sync_timeouts'), '2')
    assert.equal(fields.get('sync_degraded'), '1')
    assert.ok(Number(fields.get('sync_waits')) >= 2)
    const metrics = await (await fetch(`http://127.0.0.1:${tandem.metricsPort}/metrics`)).text()
    assert.match(metrics, /^tandem_sync_timeouts_total 2$/m)
    thaw()
    await sameData(primary, replicas[0]!)
  })

  it('needs as many replicas as it says: fewer and writes are refused before they run', async () => {
    const { primary, servers } = await startSyncGroup(file, ['redis'], ['--sync-replicas', '2'])
    const refused = { error: 'NOREPLICAS Not enough good replicas to write.' }
    assert.deepEqual(await primary.send('SET', 'a', 1), refused)
    assert.equal(await primary.must('GET', 'a'), null)
    await primary.must('CONFIG', 'SET', 'sync-replicas', 1)
    assert.equal(await primary.must('SET', 'a', 1), 'OK')
    await servers[0]!.stop()
    await waitUntil(async () => (await field(primary, 'replication', 'connected_slaves')) === '0', { what: 'its end' })
    assert.deepEqual(await primary.send('SET', 'a', 2), refused)
    await primary.must('CONFIG', 'SET', 'sync-timeout-action', 'degrade', 'sync-timeout', 100)
    assert.equal(await primary.must('SET', 'a', 2), 'OK')
  })

  it('is chosen by key and by connection', async (t) => {
    const { tandem, primary, servers } = await startSyncGroup(
      file,
      ['redis'],
      ['--sync-replicas', '1', '--sync-keys', 'money:* orders:*'],
    )
    const thaw = freeze(t, servers[0]!)
    const writer = await connectFor(t, tandem.port)
    assert.equal(await writer.must('SET', 'cache:1', 'x'), 'OK')
    // Nobody waits for a message, Sentinels least of all.
    assert.equal(await writer.must('PUBLISH', 'money:1', 'x'), 0)
    const held = [writer.send('SET', 'money:1', 'x')]
    assert.equal(await isAnswered(held[0]!, primary), false)
    const careless = await connectFor(t, tandem.port)
    assert.equal(await careless.must('CLIENT', 'SYNC-REPLICAS', 0), 'OK')
    assert.equal(await careless.must('SET', 'money:2', 'x'), 'OK')
    await careless.must('CLIENT', 'SYNC-REPLICAS', 'DEFAULT')
    held.push(careless.send('SET', 'money:2', 'y'))
    assert.equal(await isAnswered(held[1]!, primary), false)
    await primary.must('CONFIG', 'SET', 'sync-replicas', 0)
    const careful = await connectFor(t, tandem.port)
    assert.equal(await careful.must('CLIENT', 'SYNC-REPLICAS', 1), 'OK')
    held.push(careful.send('SET', 'orders:2', 'y'))
    assert.equal(await isAnswered(held[2]!, primary), false)
    const wrong = { error: 'ERR The number of replicas must be between 0 and 64, or DEFAULT' }
    assert.deepEqual(await primary.send('CLIENT', 'SYNC-REPLICAS', -1), wrong)
    assert.deepEqual(await primary.send('CLIENT', 'SYNC-REPLICAS', 'many'), wrong)
    thaw()
    assert.deepEqual(await Promise.all(held), ['OK', 'OK', 'OK'])
  })

  it('with sync-reads shows no write that waits', async (t) => {
    const { tandem, primary, servers } = await startSyncGroup(
      file,
      ['redis'],
      ['--sync-replicas', '1', '--sync-reads', 'yes'],
    )
    await primary.must('SET', 'a', 'old')
    assert.equal(await primary.must('GET', 'a'), 'old')
    const thaw = freeze(t, servers[0]!)
    const writer = await connectFor(t, tandem.port)
    const reader = await connectFor(t, tandem.port)
    const written = writer.send('SET', 'a', 'new')
    await waitUntil(async () => Number(await field(primary, 'replication', 'sync_waiting')) > 0, { what: 'the write' })
    const read = reader.send('GET', 'a')
    assert.equal(await isAnswered(read, primary), false)
    thaw()
    assert.equal(await read, 'new')
    assert.equal(await written, 'OK')
  })

  it('holds what a blocked client is given', async (t) => {
    const { tandem, primary, servers } = await startSyncGroup(file, ['redis'], ['--sync-replicas', '1'])
    const blocked = await connectFor(t, tandem.port)
    const popped = blocked.send('BLPOP', 'list', 0)
    await waitUntil(async () => (await field(primary, 'clients', 'blocked_clients')) === '1', {
      what: 'the blocked client',
    })
    const thaw = freeze(t, servers[0]!)
    const pusher = await connectFor(t, tandem.port)
    const pushed = pusher.send('RPUSH', 'list', 'x')
    assert.equal(await isAnswered(popped, primary), false)
    assert.equal(await isAnswered(pushed, primary), false)
    thaw()
    assert.deepEqual(await popped, ['list', 'x'])
    assert.equal(await pushed, 1)
  })

  it('fails what waits when the server becomes a replica', async (t) => {
    const { tandem, primary, servers } = await startSyncGroup(file, ['redis'], ['--sync-replicas', '1'])
    const thaw = freeze(t, servers[0]!)
    const writer = await connectFor(t, tandem.port)
    const written = writer.send('SET', 'a', 1)
    assert.equal(await isAnswered(written, primary), false)
    await primary.must('REPLICAOF', '127.0.0.1', servers[0]!.port)
    assert.deepEqual(await written, MISSED)
    thaw()
  })
})
