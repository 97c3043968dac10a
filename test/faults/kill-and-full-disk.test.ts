/** Processes killed while they save or synchronise, and a disk that is full: the last good dump still loads. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { field, follow, linkUp, sameData, wires, write, writes } from '../support/replicas.ts'
import { startServer, startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { Wire } from '../support/wire.ts'

const file = fileCleanup()
/** Slow enough to be killed in the middle, microseconds a key. */
const SLOW = ['--rdb-key-save-delay', '200']

describe('kill -9', () => {
  it('during BGSAVE leaves the last good dump', async () => {
    const tandem = await startTandem(file)
    let [wire] = (await wires(tandem)) as [Wire]
    await write(wire, writes(31, 3000))
    await wire.must('SAVE')
    const digest = await wire.must('DEBUG', 'DIGEST')
    await wire.must('CONFIG', 'SET', 'rdb-key-save-delay', 2000)
    await write(wire, writes(32, 3000))
    await wire.must('BGSAVE')
    await waitUntil(() => readdirSync(tandem.dir).some((name) => /^temp-\d+\.rdb$/.test(name)), {
      timeoutMs: 5000,
      what: 'the temporary file',
    })
    await tandem.kill9()
    await tandem.start()
    ;[wire] = (await wires(tandem)) as [Wire]
    assert.equal(await wire.must('DEBUG', 'DIGEST'), digest)
    assert.match(tandem.logs(), /DB loaded from disk/)
  })

  for (const [primaryKind, replicaKind] of [
    ['tandem', 'redis'],
    ['redis', 'tandem'],
  ] as const) {
    it(`of the primary (${primaryKind}) during a full sync: it comes back with its dump and the replica (${replicaKind}) with it`, async () => {
      const first = await startServer(file, primaryKind, { args: SLOW })
      const second = await startServer(file, replicaKind)
      let [primary, replica] = (await wires(first, second)) as [Wire, Wire]
      await write(primary, writes(33, 4000))
      await primary.must('CONFIG', 'SET', 'rdb-key-save-delay', 0)
      await primary.must('SAVE')
      const digest = await primary.must('DEBUG', 'DIGEST')
      await primary.must('CONFIG', 'SET', 'rdb-key-save-delay', 500)
      await replica.must('REPLICAOF', '127.0.0.1', first.port)
      await waitUntil(async () => (await field(replica, 'replication', 'master_sync_in_progress')) === '1', {
        timeoutMs: 10_000,
        what: 'a sync under way',
      })
      await first.kill9()
      await first.start()
      ;[primary] = (await wires(first)) as [Wire]
      assert.equal(await primary.must('DEBUG', 'DIGEST'), digest)
      await primary.must('CONFIG', 'SET', 'rdb-key-save-delay', 0)
      await linkUp(replica)
      await sameData(primary, replica)
    })
  }

  it('of a replica during a full sync: its own last dump still loads', async () => {
    const redis = await startRedis(file, { args: SLOW })
    const tandem = await startTandem(file)
    let [primary, replica] = (await wires(redis, tandem)) as [Wire, Wire]
    await replica.must('SET', 'mine', 'old')
    await replica.must('SAVE')
    await write(primary, writes(34, 4000))
    await replica.must('REPLICAOF', '127.0.0.1', redis.port)
    await waitUntil(async () => (await field(replica, 'replication', 'master_sync_in_progress')) === '1', {
      timeoutMs: 10_000,
      what: 'a sync under way',
    })
    await tandem.kill9()
    await tandem.start()
    ;[replica] = (await wires(tandem)) as [Wire]
    assert.equal(await replica.must('GET', 'mine'), 'old')
    await primary.must('CONFIG', 'SET', 'rdb-key-save-delay', 0)
    await follow(replica, redis.port)
    await sameData(primary, replica)
  })
})

describe('a full disk', () => {
  it('fails the save, says so, refuses writes while save points are set, and keeps the last good dump', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tandem-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', dir])
    file.after(async () => {
      execFileSync('umount', ['-l', dir])
    })
    const tandem = await startTandem(file, { dir })
    let [wire] = (await wires(tandem)) as [Wire]
    await wire.must('SET', 'small', 'value')
    await wire.must('SAVE')
    const digest = await wire.must('DEBUG', 'DIGEST')
    for (let i = 0; i < 50; i++) await wire.must('SETRANGE', `big:${i}`, 20_000, randomBytes(20_000))
    const failed = await wire.send('SAVE')
    assert.ok(typeof failed === 'object' && failed !== null && 'error' in failed, 'SAVE fails')
    await wire.must('CONFIG', 'SET', 'save', '900 1')
    await wire.send('BGSAVE')
    await waitUntil(async () => (await field(wire, 'persistence', 'rdb_last_bgsave_status')) === 'err', {
      timeoutMs: 5000,
      what: 'a failed save',
    })
    const refused = await wire.send('SET', 'a', 1)
    assert.match(JSON.stringify(refused), /MISCONF/)
    assert.match(tandem.logs(), /No space left on device|ENOSPC/)
    await tandem.kill9()
    await tandem.start()
    ;[wire] = (await wires(tandem)) as [Wire]
    assert.equal(await wire.must('DEBUG', 'DIGEST'), digest)
  })
})
