/** SAVE and BGSAVE on a real directory: what happens to the last good dump when something goes wrong, and loading at start. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Persistence } from '../../src/persistence/dump-file.ts'
import { Store } from '../../src/store/store.ts'
import { removeDirectory, temporaryDirectory } from '../support/server-process.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, isError } from '../support/wire.ts'
import { configWith, contents, loadBytes, NOW, put, sampleStore } from './support.ts'

interface Setup {
  dir: string
  path: string
  store: Store
  log: string[]
  exits: number[]
  engine: { unixMs: number; dirty: number; inExec: boolean }
  persistence: Persistence
}

function setUp(t: TestContext, store: Store, settings = ''): Setup {
  const dir = temporaryDirectory('dump')
  t.after(() => removeDirectory(dir))
  const log: string[] = []
  const exits: number[] = []
  const engine = {
    config: configWith(`dir ${dir}\n${settings}`),
    store,
    log: (level: string, text: string) => void log.push(`${level} ${text}`),
    unixMs: NOW,
    inExec: false,
    isReplica: false,
    dirty: 10,
    memoryUsed: () => store.dataBytes,
    flushAll: () => {
      store.walk?.abort()
      store.clear()
    },
  }
  const persistence = new Persistence(engine, {
    replicationAux: () => undefined,
    setLoading: () => undefined,
    onStatus: () => undefined,
    onLoaded: () => undefined,
    onExpired: () => undefined,
    aof: () => ({ rewriting: false, isReading: false, finishReading: () => undefined }),
    exit: (code) => void exits.push(code),
  })
  return { dir, path: join(dir, 'dump.rdb'), store, log, exits, engine, persistence }
}

function onDisk(path: string) {
  return contents(loadBytes(readFileSync(path)).store)
}

describe('SAVE', () => {
  it('writes the dump and nothing else', (t) => {
    const { dir, path, store, log, engine, persistence } = setUp(t, sampleStore())
    persistence.saveNow()
    assert.deepEqual(onDisk(path), contents(store))
    assert.deepEqual(readdirSync(dir), ['dump.rdb'])
    assert.equal(engine.dirty, 0)
    assert.deepEqual(log, ['notice DB saved on disk'])
  })

  it('that fails leaves the last good dump', (t) => {
    const { dir, path, store, log, engine, persistence } = setUp(t, new Store(16))
    mkdirSync(path)
    put(store, 0, 'k', { type: 'string', value: 'v' })
    assert.throws(
      () => persistence.saveNow(),
      /Error moving temp DB file .* on the final destination .*: Is a directory/,
    )
    assert.match(log[0]!, /^warning Error moving temp DB file/)
    assert.deepEqual(readdirSync(dir), ['dump.rdb'])
    assert.equal(engine.dirty, 10)
    assert.equal(store.walk, null)
    rmdirSync(path)
    persistence.saveNow()
    assert.deepEqual(onDisk(path), contents(store))
  })
})

describe('BGSAVE', () => {
  it('saves the moment of the command while writes go on', async (t) => {
    const { path, store, log, engine, persistence } = setUp(t, sampleStore())
    const before = contents(store)
    assert.equal(persistence.saveInBackground(), 'Background saving started')
    assert.equal(persistence.saveInBackground(), '-ERR Background save already in progress')
    assert.throws(() => persistence.saveNow(), /already in progress/)
    for (let i = 0; i < 500; i++) put(store, i % 16, `new ${i}`, { type: 'string', value: 'new' })
    put(store, 0, 'text', { type: 'string', value: 'changed' })
    engine.dirty += 501
    await waitUntil(() => !persistence.saving)
    assert.deepEqual(onDisk(path), before)
    assert.equal(engine.dirty, 501)
    assert.match(log[0]!, /^notice Background saving started by pid \d+$/)
    assert.equal(log.at(-1), 'notice Background saving terminated with success')
    assert.equal(persistence.lastSaveOk, true)
  })

  it('that fails says so, keeps the dump, and is tried again later', async (t) => {
    const { dir, path, store, log, engine, persistence } = setUp(t, sampleStore(), 'save 1 5')
    mkdirSync(path)
    engine.unixMs += 5000
    persistence.cron()
    assert.equal(log[0], 'notice 5 changes in 1 seconds. Saving...')
    await waitUntil(() => !persistence.saving)
    assert.equal(persistence.lastSaveOk, false)
    assert.ok(log.includes('warning Background saving error'))
    assert.deepEqual(readdirSync(dir), ['dump.rdb'])
    engine.unixMs += 5000
    persistence.cron()
    assert.equal(persistence.saving, false)
    rmdirSync(path)
    engine.unixMs += 1000
    persistence.cron()
    await waitUntil(() => !persistence.saving)
    assert.equal(persistence.lastSaveOk, true)
    assert.deepEqual(onDisk(path), contents(store))
  })

  it('is aborted by FLUSHALL, which saves the empty set when there are save points', async (t) => {
    const { dir, path, engine, persistence, store } = setUp(t, sampleStore(), 'rdb-key-save-delay 100000')
    persistence.saveInBackground()
    store.walk?.abort()
    store.clear()
    persistence.flushed()
    assert.equal(persistence.saving, false)
    assert.deepEqual(readdirSync(dir), ['dump.rdb'])
    assert.deepEqual(onDisk(path), [])
    assert.equal(engine.dirty, 0)
  })

  it('inside MULTI waits until it is over', async (t) => {
    const { path, engine, persistence, store } = setUp(t, sampleStore())
    engine.inExec = true
    assert.equal(persistence.saveInBackground(), 'Background saving scheduled')
    persistence.cron()
    assert.equal(persistence.saving, false)
    engine.inExec = false
    persistence.cron()
    await waitUntil(() => !persistence.saving)
    assert.deepEqual(onDisk(path), contents(store))
  })
})

describe('loading at start', () => {
  it('brings back what was saved', async (t) => {
    const { persistence, store, log, engine, exits } = setUp(t, sampleStore())
    persistence.saveNow()
    const before = contents(store)
    engine.unixMs = NOW
    store.clear()
    assert.equal(await persistence.load(), true)
    assert.deepEqual(contents(store), before)
    assert.match(log.at(-1)!, /^notice DB loaded from disk: \d+\.\d{3} seconds$/)
    assert.equal(persistence.lastLoadKeysLoaded, before.length)
    assert.equal(persistence.loading, false)
    assert.deepEqual(exits, [])
  })

  it('without a dump is no error', async (t) => {
    const { persistence, exits } = setUp(t, new Store(16))
    assert.equal(await persistence.load(), false)
    assert.deepEqual(exits, [])
  })

  it('of a dump that is broken ends the process, says where, and leaves the file', async (t) => {
    const good = setUp(t, sampleStore())
    good.persistence.saveNow()
    const bytes = readFileSync(good.path)
    for (const [broken, pattern] of [
      [bytes.subarray(0, bytes.length - 20), /Unexpected EOF reading RDB file/],
      [Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 1])]), /RDB CRC error/],
      [Buffer.from('not a dump at all'), /Wrong signature trying to load DB from file/],
    ] as const) {
      const { persistence, path, log, exits } = setUp(t, new Store(16))
      writeFileSync(path, broken)
      assert.equal(await persistence.load(), false)
      assert.deepEqual(exits, [1])
      assert.match(log.join('\n'), pattern)
      assert.match(log.join('\n'), /Internal error in RDB reading offset \d+ of /)
      assert.deepEqual(readFileSync(path), broken)
    }
  })

  it('DEBUG RELOAD keeps everything', (t) => {
    const { persistence, store, engine } = setUp(t, sampleStore())
    engine.unixMs = NOW
    const before = contents(store)
    persistence.reload({ save: true, flush: true, merge: false })
    assert.deepEqual(contents(store), before)
    put(store, 0, 'text', { type: 'string', value: 'changed' })
    put(store, 0, 'not in the file', { type: 'string', value: 'stays' })
    assert.throws(() => persistence.reload({ save: false, flush: false, merge: false }), /duplicated key/)
    persistence.reload({ save: false, flush: false, merge: true })
    assert.equal(contents(store).length, before.length + 1)
  })
})

describe('a crash', () => {
  it('during BGSAVE leaves the last dump, which loads', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    const keys = Array.from({ length: 200 }, (_, i) => ['SET', `key:${i}`, `value ${i}`])
    await wire.pipeline(keys)
    await wire.must('SAVE')
    const digest = await wire.must('DEBUG', 'DIGEST')
    await wire.must('CONFIG', 'SET', 'rdb-key-save-delay', 50_000)
    await wire.must('SET', 'after', 'the save')
    await wire.must('BGSAVE')
    await waitUntil(() => readdirSync(tandem.dir).some((name) => name.startsWith('temp-')))
    await tandem.kill9()
    assert.ok(existsSync(join(tandem.dir, 'dump.rdb')))
    await tandem.start()
    const again = await connectFor(t, tandem.port)
    assert.equal(await again.must('DEBUG', 'DIGEST'), digest)
    const reply = await again.send('GET', 'after')
    assert.ok(!isError(reply))
    assert.equal(reply, null)
  })
})
