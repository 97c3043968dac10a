/** FAILOVER between Tandem and a real redis-server, in both directions: nothing is lost, and both go on with one history. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { field, follow, info, linkUp, sameData, wires, write, writes } from '../support/replicas.ts'
import { startServer, startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connect, type Wire } from '../support/wire.ts'

const file = fileCleanup()

async function role(wire: Wire): Promise<string> {
  return field(wire, 'replication', 'role')
}

async function handedOver(old: Wire): Promise<void> {
  await waitUntil(async () => (await role(old)) === 'slave', { timeoutMs: 10_000, what: 'the change of roles' })
  await linkUp(old)
}

describe('FAILOVER', () => {
  for (const [first, second] of [
    ['tandem', 'redis'],
    ['redis', 'tandem'],
    ['tandem', 'tandem'],
  ] as const) {
    it(`hands over from ${first} to ${second} under load without losing a write, and back`, async () => {
      const a = await startServer(file, first)
      const b = await startServer(file, second)
      const [one, two] = (await wires(a, b)) as [Wire, Wire]
      await write(one, writes(61, 3000))
      await follow(two, a.port)
      const writer = await connect(a.port)
      let acknowledged = 0
      let refused = ''
      const writing = (async () => {
        for (;;) {
          const reply = await writer.send('INCR', 'acknowledged')
          if (typeof reply === 'number') acknowledged = reply
          else {
            refused = JSON.stringify(reply)
            return
          }
        }
      })()
      await waitUntil(() => acknowledged > 100, { what: 'some writes' })
      await one.must('FAILOVER', 'TO', '127.0.0.1', b.port, 'TIMEOUT', 10_000)
      await handedOver(one)
      await writing
      assert.match(refused, /READONLY/)
      assert.equal(await role(two), 'master')
      assert.equal(await two.must('GET', 'acknowledged'), String(acknowledged))
      assert.ok(acknowledged > 0)
      await write(two, writes(62, 1000))
      await sameData(two, one)
      const stats = await info(two, 'stats')
      assert.equal(stats.get('sync_full'), '0')
      await two.must('FAILOVER')
      await handedOver(two)
      await write(one, writes(63, 1000))
      await sameData(one, two)
    })
  }

  it('is aborted by command or time, and writes go on', async () => {
    const tandem = await startTandem(file)
    const redis = await startServer(file, 'redis')
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await follow(replica, tandem.port)
    process.kill(redis.pid, 'SIGSTOP')
    const writer = await connect(tandem.port)
    await writer.must('SET', 'unread', 1)
    await primary.must('FAILOVER')
    assert.equal(await field(primary, 'replication', 'master_failover_state'), 'waiting-for-sync')
    const held = writer.send('SET', 'held', 1)
    assert.deepEqual(await primary.send('FAILOVER'), { error: 'ERR FAILOVER already in progress.' })
    assert.deepEqual(await primary.send('REPLICAOF', 'NO', 'ONE'), {
      error: 'ERR REPLICAOF not allowed while failing over.',
    })
    // A pause of CLIENT PAUSE has an end of its own.
    await primary.must('CLIENT', 'PAUSE', 10_000_000, 'WRITE')
    await primary.must('FAILOVER', 'ABORT')
    assert.equal(await field(primary, 'replication', 'master_failover_state'), 'no-failover')
    assert.deepEqual(await primary.send('FAILOVER', 'ABORT'), { error: 'ERR No failover in progress.' })
    await primary.must('CLIENT', 'UNPAUSE')
    assert.equal(await held, 'OK')
    await primary.must('FAILOVER', 'TIMEOUT', 100)
    assert.equal(await writer.must('SET', 'held', 2), 'OK')
    assert.equal(await role(primary), 'master')
    assert.match(tandem.logs(), /FAILOVER to any replica aborted: Replica never caught up before timeout/)
    process.kill(redis.pid, 'SIGCONT')
    await sameData(primary, replica)
    await waitUntil(
      async () => {
        const fields = await info(primary, 'replication')
        return String(fields.get('slave0')).includes(`offset=${fields.get('master_repl_offset')},`)
      },
      { timeoutMs: 5000, what: 'the acknowledgement of everything' },
    )
    // The target has everything but does not answer any more: the roles are half changed.
    process.kill(redis.pid, 'SIGSTOP')
    await primary.must('FAILOVER')
    await waitUntil(
      async () => (await field(primary, 'replication', 'master_failover_state')) === 'failover-in-progress',
      { timeoutMs: 5000, what: 'the handing over' },
    )
    await primary.must('FAILOVER', 'ABORT')
    assert.equal(await role(primary), 'master')
    assert.equal(await writer.must('SET', 'held', 3), 'OK')
    process.kill(redis.pid, 'SIGCONT')
    await linkUp(replica)
    await sameData(primary, replica)
  })
})
