/**
 * Writes that overrun what memory keeps for replicas, during a full sync and after one: the rest goes to a file, memory
 * stays within its bound, nobody else is held up, and the replica comes to the same data. All are real servers.
 */
import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { type RedisPeer, startRedis } from '../support/redis.ts'
import { field, follow, info, linkUp, sameData, wires } from '../support/replicas.ts'
import { type ServerKind, startServer, startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { Wire } from '../support/wire.ts'

const file = fileCleanup()
const MB = 1024 * 1024
/** What is kept of the stream, or of a payload: repl-spill-memory, what is being written, and what one turn may bring. */
const KEPT = 2 * MB + 4 * MB + 2 * MB
const MEMORY_BOUND = 1 * MB + KEPT
const BOUNDS = ['--repl-backlog-size', '1mb', '--repl-spill-memory', '2mb']

function spilled(dir: string): string[] {
  return readdirSync(dir).filter((name) => name.endsWith('.spill'))
}

async function fill(wire: Wire, name: string, megabytes: number, each: () => Promise<void>): Promise<void> {
  const value = 'x'.repeat(10_000)
  for (let i = 0; i < megabytes; i++) {
    await wire.pipeline(Array.from({ length: 105 }, (_, n) => ['SET', `${name}:${(i * 105 + n) % 2000}`, value]))
    await each()
  }
}

function freeze(server: RedisPeer): () => void {
  const { pid } = server
  process.kill(pid, 'SIGSTOP')
  const thaw = () => {
    process.kill(pid, 'SIGCONT')
  }
  return thaw
}

async function buffers(primary: Wire): Promise<number> {
  return Number(await field(primary, 'memory', 'mem_total_replication_buffers'))
}

/** The other replica has everything soon after it was written. */
async function keepsUp(primary: Wire, replica: Wire): Promise<void> {
  const written = Number(await field(primary, 'replication', 'master_repl_offset'))
  await waitUntil(async () => Number(await field(replica, 'replication', 'slave_repl_offset')) >= written, {
    timeoutMs: 5000,
    what: 'the replica that reads',
  })
}

describe('what replicas have not read and memory has no room for', () => {
  for (const kind of ['redis', 'tandem'] as const satisfies ServerKind[]) {
    it(`is kept in a file while a ${kind} is frozen in its full sync`, async () => {
      const tandem = await startTandem(file, { args: [...BOUNDS, '--rdb-key-save-delay', '500'] })
      const slow = await startServer(file, kind)
      const other = await startRedis(file)
      const [primary, replica, well] = (await wires(tandem, slow, other)) as [Wire, Wire, Wire]
      await follow(well, tandem.port)
      await fill(primary, 'old', 20, async () => {})
      await replica.must('REPLICAOF', '127.0.0.1', tandem.port)
      await waitUntil(async () => (await field(replica, 'replication', 'master_sync_in_progress')) === '1', {
        timeoutMs: 10_000,
        what: 'a full sync',
      })
      const thaw = freeze(slow)
      let most = 0
      await fill(primary, 'new', 40, async () => {
        most = Math.max(most, await buffers(primary))
        await keepsUp(primary, well)
      })
      const told = await info(primary, 'replication')
      assert.ok(Number(told.get('repl_spill_file_bytes')) > 30 * MB, told.get('repl_spill_file_bytes'))
      assert.equal(told.get('repl_spill_replicas'), '1')
      assert.ok(spilled(tandem.dir).length > 0)
      assert.ok(most < MEMORY_BOUND + KEPT, `${most} bytes were kept in memory`)
      await primary.must('CONFIG', 'SET', 'rdb-key-save-delay', 0)
      thaw()
      await linkUp(replica)
      await sameData(primary, replica)
      await sameData(primary, well)
      await waitUntil(() => spilled(tandem.dir).length === 0, { what: 'the file to be removed' })
      const after = await info(primary, 'replication')
      assert.equal(after.get('repl_spill_file_bytes'), '0')
      assert.equal(after.get('repl_spill_replicas'), '0')
      assert.equal(await field(primary, 'stats', 'sync_full'), '2')
      assert.ok((await buffers(primary)) < 3 * MB)
    })
  }

  it('is kept in a file too when it is the payload: old values of what is written, while others of the group go on', async () => {
    const tandem = await startTandem(file, {
      args: [...BOUNDS, '--rdb-key-save-delay', '300', '--repl-diskless-sync-delay', '1', '--rdbcompression', 'no'],
    })
    const [slow, other] = [await startRedis(file), await startRedis(file)]
    const [primary, replica, well] = (await wires(tandem, slow, other)) as [Wire, Wire, Wire]
    await fill(primary, 'key', 20, async () => {})
    for (const wire of [replica, well]) await wire.must('REPLICAOF', '127.0.0.1', tandem.port)
    await waitUntil(() => tandem.logs().includes('Starting BGSAVE for SYNC'), { what: 'a full sync of both' })
    const thaw = freeze(slow)
    let most = 0
    // All of it, mostly before the walk gets there.
    await fill(primary, 'key', 20, async () => {
      most = Math.max(most, await buffers(primary))
    })
    await primary.must('CONFIG', 'SET', 'rdb-key-save-delay', 0)
    await linkUp(well)
    await sameData(primary, well)
    assert.equal(await field(primary, 'stats', 'sync_full'), '2')
    assert.ok(most < MEMORY_BOUND + KEPT, `${most} bytes were kept in memory`)
    const told = await info(primary, 'replication')
    assert.ok(Number(told.get('repl_spill_file_bytes')) > 20 * MB, told.get('repl_spill_file_bytes'))
    thaw()
    await linkUp(replica)
    await sameData(primary, replica)
    await waitUntil(() => spilled(tandem.dir).length === 0, { what: 'the files to be removed' })
  })

  it('is read from there by a replica that has stopped reading for a while, and by one that comes back for it', async () => {
    const tandem = await startTandem(file, { args: BOUNDS })
    const [slow, away] = [await startRedis(file), await startRedis(file)]
    const [primary, replica, second] = (await wires(tandem, slow, away)) as [Wire, Wire, Wire]
    for (const wire of [replica, second]) await follow(wire, tandem.port)
    const thaw = freeze(slow)
    // What the frozen one's sockets take it has not to read from anywhere.
    await fill(primary, 'first', 12, async () => {})
    await keepsUp(primary, second)
    await second.must('REPLICAOF', '127.0.0.1', 1)
    await fill(primary, 'key', 30, async () => {})
    await waitUntil(async () => Number(await field(primary, 'replication', 'repl_spill_file_bytes')) > 15 * MB, {
      what: 'a file',
    })
    await follow(second, tandem.port)
    await sameData(primary, second)
    thaw()
    await sameData(primary, replica)
    const stats = await info(primary, 'stats')
    assert.deepEqual([stats.get('sync_full'), stats.get('sync_partial_ok')], ['2', '1'])
    await waitUntil(() => spilled(tandem.dir).length === 0, { what: 'the file to be removed' })
  })

  it('has a bound: when the file is full the replica is closed, and comes back', async () => {
    const tandem = await startTandem(file, { args: [...BOUNDS, '--repl-spill-max-size', '8mb'] })
    const slow = await startRedis(file)
    const [primary, replica] = (await wires(tandem, slow)) as [Wire, Wire]
    await follow(replica, tandem.port)
    const thaw = freeze(slow)
    let most = 0
    await fill(primary, 'key', 40, async () => {
      most = Math.max(most, await buffers(primary))
    })
    await waitUntil(
      () => /has not read \d+ bytes and is closed: it does not fit into the spill file/.test(tandem.logs()),
      {
        what: 'the replica to be closed',
      },
    )
    assert.ok(most < MEMORY_BOUND, `${most} bytes were kept in memory`)
    assert.equal(await field(primary, 'replication', 'repl_spill_closed_replicas'), '1')
    await waitUntil(() => spilled(tandem.dir).length === 0, { what: 'the file to be removed' })
    thaw()
    await linkUp(replica)
    await sameData(primary, replica)
  })

  it('closes the replica, not the server, when the file cannot be written', async () => {
    const tandem = await startTandem(file, { args: [...BOUNDS, '--enable-protected-configs', 'yes'] })
    const slow = await startRedis(file)
    const [primary, replica] = (await wires(tandem, slow)) as [Wire, Wire]
    await follow(replica, tandem.port)
    await primary.must('CONFIG', 'SET', 'dir', '/proc')
    const thaw = freeze(slow)
    await fill(primary, 'key', 20, async () => {})
    await waitUntil(() => /is closed: the spill file cannot be written/.test(tandem.logs()), {
      what: 'the replica to be closed',
    })
    thaw()
    await primary.must('CONFIG', 'SET', 'dir', tandem.dir)
    await linkUp(replica)
    await sameData(primary, replica)
  })

  it('leaves a lower client-output-buffer-limit its meaning, and is off with repl-spill-max-size 0', async () => {
    for (const args of [
      ['--client-output-buffer-limit', 'replica 1mb 0 0'],
      ['--client-output-buffer-limit', 'replica 6mb 0 0', '--repl-spill-max-size', '0'],
    ]) {
      const tandem = await startTandem(file, { args: [...BOUNDS, ...args] })
      const slow = await startRedis(file)
      const [primary, replica] = (await wires(tandem, slow)) as [Wire, Wire]
      await follow(replica, tandem.port)
      const thaw = freeze(slow)
      await fill(primary, 'key', 20, async () => assert.deepEqual(spilled(tandem.dir), []))
      await waitUntil(() => /scheduled to be closed ASAP for overcoming of output buffer limits/.test(tandem.logs()), {
        what: 'the replica to be closed',
      })
      thaw()
    }
  })

  it('is removed at start when a crash left it', async () => {
    const tandem = await startTandem(file)
    await tandem.kill9()
    // No process has a number as great.
    const left = join(tandem.dir, 'temp-repl-999999999-0-100.spill')
    const of = (name: string) => join(tandem.dir, name)
    writeFileSync(left, 'x')
    writeFileSync(of('mine.spill'), 'x')
    await tandem.start()
    assert.deepEqual(spilled(tandem.dir), ['mine.spill'])
  })
})
