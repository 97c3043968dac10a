/** sync-replicas: who may choose, in which order replies leave, what a majority is, and what reads are kept from showing. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { field, follow, linkUp, sameData } from '../support/replicas.ts'
import { freeze, isAnswered, MISSED, startSyncGroup } from '../support/sync-group.ts'
import { startServer, startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'

const file = fileCleanup()
const MISSED_READ = { error: 'NOREPLICAS What was read is not acknowledged by 1 replicas in time.' }

describe('CLIENT SYNC-REPLICAS', () => {
  it('is for who is logged in and may use CLIENT, can be a part of a transaction, and ends with RESET', async (t) => {
    const tandem = await startTandem(file, { args: ['--requirepass', 'secret'] })
    const stranger = await connectFor(t, tandem.port)
    const noAuth = { error: 'NOAUTH Authentication required.' }
    assert.deepEqual(await stranger.send('CLIENT', 'SYNC-REPLICAS', 1), noAuth)
    await stranger.must('AUTH', 'secret')
    await stranger.must('ACL', 'SETUSER', 'poor', 'on', 'nopass', '+@all', '-client')
    await stranger.must('ACL', 'SETUSER', 'rich', 'on', 'nopass', '~*', '+@all')
    const poor = await connectFor(t, tandem.port)
    await poor.must('AUTH', 'poor', 'x')
    const noPerm = { error: "NOPERM this user has no permissions to run the 'client|sync-replicas' command" }
    assert.deepEqual(await poor.send('CLIENT', 'SYNC-REPLICAS', 1), noPerm)
    await poor.must('AUTH', 'rich', 'x')
    const replies = await poor.pipeline([['MULTI'], ['CLIENT', 'SYNC-REPLICAS', 1], ['EXEC']])
    assert.deepEqual(replies, ['OK', 'QUEUED', ['OK']])
    const wrong = { error: "ERR wrong number of arguments for 'client|sync-replicas' command" }
    assert.deepEqual(await poor.send('CLIENT', 'SYNC-REPLICAS'), wrong)
    await poor.must('CONFIG', 'SET', 'sync-timeout', 50)
    const refused = { error: 'NOREPLICAS Not enough good replicas to write.' }
    assert.deepEqual(await poor.send('SET', 'a', 1), refused)
    await poor.must('CONFIG', 'SET', 'sync-keys', 'a')
    assert.deepEqual(await poor.send('SET', 'a', 1), refused)
    await poor.must('CLIENT', 'SYNC-REPLICAS', 'DEFAULT')
    await poor.must('CONFIG', 'SET', 'sync-replicas', 1)
    assert.deepEqual(await poor.send('SET', 'a', 1), MISSED)
    await poor.must('CONFIG', 'SET', 'sync-replicas', 0)
    await poor.must('CLIENT', 'SYNC-REPLICAS', 1)
    await poor.must('RESET')
    await poor.must('AUTH', 'rich', 'x')
    assert.equal(await poor.must('SET', 'a', 1), 'OK')
  })
})

describe('what waits for replicas', () => {
  it('stays in order when the setting is turned off, and a QUIT behind it closes', async (t) => {
    const { tandem, primary, servers } = await startSyncGroup(file, ['redis'], ['--sync-replicas', '1'])
    const thaw = freeze(t, servers[0]!)
    const writer = await connectFor(t, tandem.port)
    const written = writer.send('SET', 'a', 1)
    assert.equal(await isAnswered(written, primary), false)
    await primary.must('CONFIG', 'SET', 'sync-replicas', 0)
    const read = writer.send('GET', 'a')
    const quit = writer.send('QUIT')
    assert.equal(await isAnswered(read, primary), false)
    assert.equal(await primary.must('SET', 'b', 1), 'OK')
    thaw()
    assert.equal(await written, 'OK')
    assert.equal(await read, '1')
    assert.equal(await quit, 'OK')
    await writer.ended()
  })

  it('and is late becomes an error, but not the messages between the replies (RESP3)', async (t) => {
    const { tandem, primary, servers } = await startSyncGroup(file, ['redis'], ['--sync-replicas', '1'])
    await primary.must('CONFIG', 'SET', 'sync-timeout', 200)
    const writer = await connectFor(t, tandem.port, 3)
    await writer.must('SUBSCRIBE', 'news')
    freeze(t, servers[0]!)
    const script = "redis.call('PUBLISH', 'news', 'hello') return redis.call('SET', 'a', '1')"
    const replies = await writer.pipeline([
      ['EVAL', script, 0],
      ['ECHO', 'between'],
      ['INCR', 'a'],
    ])
    assert.deepEqual(replies, [MISSED, 'between', MISSED])
    const pushes = writer.pushes.map((push) => JSON.stringify(push))
    assert.ok(
      pushes.some((push) => push.includes('"hello"')),
      pushes.join(),
    )
  })

  it('also holds reads in transactions and scripts, and writes that changed nothing, with sync-reads', async (t) => {
    const { tandem, primary, servers } = await startSyncGroup(
      file,
      ['redis'],
      ['--sync-replicas', '1', '--sync-reads', 'yes'],
    )
    await primary.must('CONFIG', 'SET', 'sync-timeout', 300)
    await primary.must('SET', 'a', 'old')
    freeze(t, servers[0]!)
    const writer = await connectFor(t, tandem.port)
    const written = writer.send('SET', 'a', 'new')
    await waitUntil(async () => Number(await field(primary, 'replication', 'sync_waiting')) > 0, { what: 'the write' })
    const reads: [string, ...(string | number)[]][] = [
      ['GET', 'a'],
      ['EVAL', "return redis.call('GET', 'a')", 0],
      ['SETNX', 'a', 'other'],
      ['GETEX', 'a'],
      ['SORT_RO', 'nothing'],
    ]
    const pending = await Promise.all(reads.map(async (read) => (await connectFor(t, tandem.port)).send(...read)))
    assert.deepEqual(
      pending,
      reads.map(() => MISSED_READ),
    )
    const inTransaction = await connectFor(t, tandem.port)
    const replies = await inTransaction.pipeline([['MULTI'], ['GET', 'a'], ['EXEC']])
    assert.deepEqual(replies, ['OK', 'QUEUED', MISSED_READ])
    assert.equal(await inTransaction.must('PING'), 'PONG')
    assert.deepEqual(await written, MISSED)
  })

  it('is not shown by a former primary until it has the data of its successor', async (t) => {
    const args = ['--sync-replicas', '1', '--sync-reads', 'yes', '--sync-timeout', '100']
    const { primary, servers, replicas, tandem } = await startSyncGroup(file, ['redis'], args)
    await primary.must('SET', 'a', 'old')
    const thaw = freeze(t, servers[0]!)
    assert.deepEqual(await primary.send('SET', 'a', 'lost'), MISSED)
    // Nobody answers at the address that it is told to follow.
    const silent = await startServer(file, 'redis')
    const silentWire = await connectFor(t, silent.port)
    const thawSilent = freeze(t, silent)
    await primary.must('REPLICAOF', '127.0.0.1', silent.port)
    const masterDown = {
      error: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    }
    assert.deepEqual(await primary.send('GET', 'a'), masterDown)
    await primary.must('CONFIG', 'SET', 'sync-reads', 'no')
    assert.equal(await primary.must('GET', 'a'), 'lost')
    await primary.must('CONFIG', 'SET', 'sync-reads', 'yes')
    thawSilent()
    thaw()
    await replicas[0]!.must('REPLICAOF', 'NO', 'ONE')
    await silentWire.must('SET', 'a', 'new')
    await linkUp(primary)
    await sameData(silentWire, primary)
    assert.equal(await primary.must('GET', 'a'), 'new')
    assert.ok(tandem.running)
  })
})

describe('sync-replicas quorum', () => {
  it('is a majority of the servers that are known, also of those that left', async (t) => {
    const { tandem, primary, servers, replicas } = await startSyncGroup(
      file,
      ['redis', 'redis', 'redis', 'redis'],
      ['--sync-replicas', 'quorum'],
    )
    await waitUntil(async () => (await field(primary, 'replication', 'sync_replicas_wanted')) === '2', { what: 'two' })
    assert.equal(await field(primary, 'replication', 'sync_group_size'), '5')
    await replicas[0]!.must('REPLICAOF', 'NO', 'ONE')
    await replicas[1]!.must('REPLICAOF', 'NO', 'ONE')
    await waitUntil(async () => (await field(primary, 'replication', 'connected_slaves')) === '2', { what: 'two left' })
    assert.equal(await primary.must('SET', 'a', 1), 'OK')
    const thaw = freeze(t, servers[2]!)
    const writer = await connectFor(t, tandem.port)
    const written = writer.send('SET', 'a', 2)
    assert.equal(await isAnswered(written, primary), false)
    thaw()
    assert.equal(await written, 'OK')
    await replicas[2]!.must('REPLICAOF', 'NO', 'ONE')
    await waitUntil(async () => (await field(primary, 'replication', 'connected_slaves')) === '1', { what: 'one left' })
    const refused = { error: 'NOREPLICAS Not enough good replicas to write.' }
    assert.deepEqual(await primary.send('SET', 'a', 3), refused)
    // Come back: it is the same server, not a sixth.
    await follow(replicas[2]!, tandem.port)
    await waitUntil(async () => (await primary.send('SET', 'a', 3)) === 'OK', { what: 'a majority' })
    assert.equal(await field(primary, 'replication', 'sync_group_size'), '5')
  })

  it('wants one copy of a server that knows of nobody, and as many as sync-group-size says', async (t) => {
    const { primary } = await startSyncGroup(file, ['redis'], ['--sync-replicas', 'quorum'])
    assert.equal(await primary.must('SET', 'a', 1), 'OK')
    await primary.must('CONFIG', 'SET', 'sync-group-size', 5)
    assert.equal(await field(primary, 'replication', 'sync_replicas_wanted'), '2')
    const refused = { error: 'NOREPLICAS Not enough good replicas to write.' }
    assert.deepEqual(await primary.send('SET', 'a', 2), refused)
    const wrong = await primary.send('CONFIG', 'SET', 'sync-replicas', 'most')
    assert.deepEqual(wrong, {
      error:
        "ERR CONFIG SET failed (possibly related to argument 'sync-replicas') - must be a number from 0 to 64, or quorum",
    })
    const alone = await startTandem(file, { args: ['--sync-replicas', 'quorum'] })
    const wire = await connectFor(t, alone.port)
    assert.deepEqual(await wire.send('SET', 'a', 1), refused)
  })
})
