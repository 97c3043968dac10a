/** Many replicas, slow ones, and full syncs that are held to a rate: one snapshot and one ring for all. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { field, info, linkUp, sameData, wires, write, writes } from '../support/replicas.ts'
import { attachReplica } from '../support/stream.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { Wire } from '../support/wire.ts'

const file = fileCleanup()
const MB = 1024 * 1024

describe('a primary of many replicas', () => {
  it('gives 64 of them one snapshot and one ring, and one that stops reading holds nobody up', async () => {
    const tandem = await startTandem(file, {
      args: [
        '--repl-diskless-sync-delay',
        '1',
        '--repl-backlog-size',
        '1mb',
        '--client-output-buffer-limit',
        'replica 4mb 0 0',
      ],
    })
    const [primary] = (await wires(tandem)) as [Wire]
    await write(primary, writes(91, 2000))
    await primary.must('SELECT', 0)
    const replicas = await Promise.all(
      Array.from({ length: 64 }, () => attachReplica(tandem.port, { capabilities: ['eof', 'psync2'] }, file)),
    )
    assert.equal(await field(primary, 'replication', 'connected_slaves'), '64')
    assert.equal(tandem.logs().match(/Starting BGSAVE for SYNC/g)?.length, 1)
    const stuck = connectSocket(tandem.port, '127.0.0.1')
    file.after(async () => void stuck.destroy())
    await once(stuck, 'connect')
    const { replid } = replicas[0]!
    const offset = Number(await field(primary, 'replication', 'master_repl_offset'))
    stuck.write(`PSYNC ${replid} ${offset + 1}\r\n`)
    await once(stuck, 'data')
    stuck.pause()
    const value = 'x'.repeat(100_000)
    for (let i = 0; i < 100; i++) await primary.must('SET', `large:${i % 10}`, value)
    const fields = await info(primary, 'memory')
    // 10 MB went to each of 64: what is kept is what the stuck one has not read, once, and that is let go at its limit.
    assert.ok(Number(fields.get('mem_total_replication_buffers')) < 8 * MB, fields.get('mem_total_replication_buffers'))
    await primary.must('SET', 'last', 'one')
    await Promise.all(replicas.map((replica) => replica.waitForCommand('SET', 'last')))
    await waitUntil(async () => (await field(primary, 'replication', 'connected_slaves')) === '64', {
      timeoutMs: 10_000,
      what: 'the end of the stuck replica',
    })
    assert.equal(await field(primary, 'stats', 'sync_full'), '64')
  })

  it('holds full syncs to repl-sync-max-rate and repl-max-concurrent-syncs', async () => {
    const tandem = await startTandem(file, {
      args: ['--repl-sync-max-rate', '1kb', '--repl-max-concurrent-syncs', '1', '--rdbcompression', 'no'],
    })
    const servers = [await startRedis(file), await startRedis(file)]
    const [primary, ...replicas] = (await wires(tandem, ...servers)) as [Wire, ...Wire[]]
    for (let i = 0; i < 20; i++) await primary.must('SET', `key:${i}`, 'x'.repeat(100_000))
    for (const replica of replicas) await replica.must('REPLICAOF', '127.0.0.1', tandem.port)
    const states = async () => {
      const fields = await info(primary, 'replication')
      return [0, 1].map((i) => /state=(\w+)/.exec(String(fields.get(`slave${i}`)))?.[1]).sort()
    }
    await waitUntil(async () => JSON.stringify(await states()) === '["wait_bgsave","wait_bgsave"]', {
      timeoutMs: 10_000,
      what: 'two replicas that wait',
    })
    await waitUntil(() => tandem.logs().includes('Starting BGSAVE for SYNC'), { what: 'the first snapshot' })
    assert.equal(tandem.logs().match(/Starting BGSAVE for SYNC/g)?.length, 1)
    // At the old rate it would take half an hour.
    await primary.must('CONFIG', 'SET', 'repl-sync-max-rate', 0)
    for (const replica of replicas) {
      await linkUp(replica)
      await sameData(primary, replica)
    }
    assert.equal(tandem.logs().match(/Starting BGSAVE for SYNC/g)?.length, 2)
  })
})
