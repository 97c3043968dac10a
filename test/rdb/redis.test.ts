/** Files go both ways between us and redis-server: what it saved we load, and what we write it loads, with an equal DEBUG DIGEST. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { dumpValue, restoreValue } from '../../src/rdb/dump-payload.ts'
import { startRedis } from '../support/redis.ts'
import { temporaryDirectory } from '../support/server-process.ts'
import { type Command, connectFor, isError, type Wire } from '../support/wire.ts'
import { contents, loadBytes, sampleStore, snapshotBytes } from './support.ts'

async function populate(wire: Wire): Promise<void> {
  const commands: Command[] = []
  const far = 4_000_000_000_000
  for (let i = 0; i < 500; i++) {
    commands.push(['SET', `string:${i}`, i % 3 === 0 ? i : `value ${i} `.repeat(i % 40)])
    commands.push(['RPUSH', `list:${i % 20}`, `element ${i}`, i, 'z'.repeat(i * 3)])
    commands.push(['SADD', `ints:${i % 10}`, i, -i * 100_000, `${i}000000000000`])
    commands.push(['SADD', `set:${i % 10}`, `member ${i}`])
    commands.push(['HSET', `hash:${i % 30}`, `field ${i}`, i, `other ${i}`, 'v'.repeat(i % 100)])
    commands.push(['ZADD', `zset:${i % 7}`, i / 3, `member ${i}`, `-${i}e10`, `low ${i}`])
  }
  for (let i = 0; i < 3000; i++) {
    commands.push(['HSET', 'large hash', `f${i}`, `v${i}`], ['ZADD', 'large zset', i * 1.1, `m${i}`])
    commands.push(['SADD', 'large set', `m${i}`], ['RPUSH', 'large list', `e${i}`])
  }
  commands.push(
    ['SET', 'expires', 'later', 'PXAT', far],
    ['SET', Buffer.from([0, 255, 10]), Buffer.from([0, 1, 2, 254])],
  )
  commands.push(['ZADD', 'infinite', 'inf', 'a', '-inf', 'b', '0.1', 'c'], ['SET', 'big', 'q'.repeat(300_000)])
  commands.push(['SELECT', 7], ['SET', 'in seven', 1], ['RPUSH', 'l', '', ''], ['SELECT', 0])
  for (const reply of await wire.pipeline(commands)) assert.ok(!isError(reply))
}

describe('redis-server', () => {
  it('saves what we load, and loads what we write', async (t) => {
    for (const compression of ['yes', 'no']) {
      const redis = await startRedis(t, { args: ['--rdbcompression', compression, '--dbfilename', 'dump.rdb'] })
      const wire = await connectFor(t, redis.port)
      await populate(wire)
      await wire.must('SAVE')
      const digest = await wire.must('DEBUG', 'DIGEST')
      const { store } = loadBytes(readFileSync(join(redis.dir, 'dump.rdb')), { chunkBytes: 1000 })
      assert.equal(store.databases[0]!.size, await wire.must('DBSIZE'))

      const dir = temporaryDirectory('rdb')
      writeFileSync(join(dir, 'dump.rdb'), snapshotBytes(store, `rdbcompression ${compression}`))
      const other = await startRedis(t, { dir })
      const otherWire = await connectFor(t, other.port)
      assert.equal(await otherWire.must('DEBUG', 'DIGEST'), digest)
      assert.equal(await otherWire.must('PEXPIRETIME', 'expires'), 4_000_000_000_000)
    }
  })

  it('loads every type and encoding that we have', async (t) => {
    const store = sampleStore()
    const dir = temporaryDirectory('rdb')
    writeFileSync(join(dir, 'dump.rdb'), snapshotBytes(store))
    const redis = await startRedis(t, { dir })
    const wire = await connectFor(t, redis.port)
    // Those with an expire time are of the past for it.
    const alive = contents(store).filter(({ expireAt }) => expireAt < 0)
    let keys = 0
    for (let database = 0; database < 16; database++) {
      await wire.must('SELECT', database)
      keys += Number(await wire.must('DBSIZE'))
    }
    assert.equal(keys, alive.length)
    await wire.must('SAVE')
    const back = contents(loadBytes(readFileSync(join(dir, 'dump.rdb'))).store)
    assert.deepEqual(back, alive)
  })

  it('restores our DUMP payloads, and we its', async (t) => {
    const store = sampleStore()
    const redis = await startRedis(t)
    const wire = await connectFor(t, redis.port)
    for (const db of store.databases) {
      const refs: number[] = []
      db.index.visit(0, db.size, (ref) => refs.push(ref))
      for (const ref of refs) {
        const key = store.key(ref)
        await wire.must('RESTORE', key, 0, dumpValue(store, ref), 'REPLACE')
        const reply = await wire.sendRaw(['DUMP', key])
        const payload = reply.raw.subarray(reply.raw.indexOf('\r\n') + 2, -2)
        assert.ok(restoreValue(payload), key.toString('latin1'))
      }
    }
  })
})
