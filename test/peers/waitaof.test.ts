/** WAITAOF, as Redis 7.2 has it: a write is on this server's disk and on those of Tandem replicas (FACK). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { field, follow, wires } from '../support/replicas.ts'
import { startServer, startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, type Wire } from '../support/wire.ts'

const file = fileCleanup()
const AOF = ['--appendonly', 'yes']
const NO_AOF = { error: 'ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.' }

describe('WAITAOF', () => {
  it('checks its arguments and what it is asked for', async (t) => {
    const wire = await connectFor(t, (await startTandem(file)).port)
    const bad: [unknown[], string][] = [
      [[2, 0, 0], 'ERR value is out of range, value must between 0 and 1'],
      [['x', 0, 0], 'ERR value is not an integer or out of range'],
      [[0, -1, 0], 'ERR value is out of range, must be positive'],
      [[0, 0, -1], 'ERR timeout is negative'],
      [[0, 0, 'x'], 'ERR timeout is not an integer or out of range'],
      [[0, 0], "ERR wrong number of arguments for 'waitaof' command"],
    ]
    for (const [args, error] of bad) {
      assert.deepEqual(await wire.send('WAITAOF', ...(args as string[])), { error }, args.join())
    }
    assert.deepEqual(await wire.send('WAITAOF', 1, 0, 0), NO_AOF)
    assert.deepEqual(await wire.must('WAITAOF', 0, 0, 0), [0, 0])
  })

  it('waits for the disk of this server: with and without a replication stream, and is told when there is none', async (t) => {
    const tandem = await startTandem(file, { args: [...AOF, '--appendfsync', 'no'] })
    const wire = await connectFor(t, tandem.port)
    const other = await connectFor(t, tandem.port)
    for (const attempt of ['alone', 'with a backlog']) {
      await wire.must('CONFIG', 'SET', 'appendfsync', 'no')
      await wire.must('INCR', 'n')
      assert.deepEqual(await wire.must('WAITAOF', 1, 0, 50), [0, 0], attempt)
      const waiting = wire.send('WAITAOF', 1, 0, 0)
      await other.must('CONFIG', 'SET', 'appendfsync', 'everysec')
      assert.deepEqual(await waiting, [1, 0], attempt)
      await other.must('CONFIG', 'SET', 'appendfsync', 'always')
      await wire.must('INCR', 'n')
      assert.deepEqual(await wire.must('WAITAOF', 1, 0, 0), [1, 0], attempt)
      const replica = await connectFor(t, (await startServer(file, 'redis')).port)
      await follow(replica, tandem.port)
    }
    await wire.must('CONFIG', 'SET', 'appendfsync', 'no')
    await wire.must('INCR', 'n')
    const waiting = wire.send('WAITAOF', 1, 0, 0)
    await waitUntil(async () => (await field(other, 'clients', 'blocked_clients')) === '1', { what: 'the wait' })
    await other.must('CONFIG', 'SET', 'appendonly', 'no')
    assert.deepEqual(await waiting, NO_AOF)
  })

  for (const policy of ['everysec', 'always'] as const) {
    it(`counts the replicas that say what is on their disks (${policy}); redis-server 7.0 does not`, async () => {
      const tandem = await startTandem(file)
      const copy = await startTandem(file, { args: [...AOF, '--appendfsync', policy] })
      const without = await startTandem(file)
      const redis = await startServer(file, 'redis', { args: AOF })
      const [primary, ...replicas] = (await wires(tandem, copy, without, redis)) as [Wire, ...Wire[]]
      for (const replica of replicas) await follow(replica, tandem.port)
      await waitUntil(async () => (await primary.must('WAIT', 3, 1000)) === 3, { what: 'three replicas' })
      await primary.must('SET', 'a', 1)
      assert.deepEqual(await primary.must('WAITAOF', 0, 1, 0), [0, 1])
      assert.deepEqual(await primary.must('WAITAOF', 0, 2, 100), [0, 1])
      // Turned on at run time: counted when the first base is there.
      await replicas[1]!.must('CONFIG', 'SET', 'appendonly', 'yes')
      await primary.must('SET', 'a', 2)
      assert.deepEqual(await primary.must('WAITAOF', 0, 2, 0), [0, 2])
      const refused = await replicas[0]!.send('WAITAOF', 0, 0, 0)
      assert.match(JSON.stringify(refused), /WAITAOF cannot be used with replica instances/)
    })
  }
})
