/** What get() of an embedded replica keeps: the cache by itself, and against a redis-server whose keys change in every way. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hashBytes } from '../../src/bytes/siphash.ts'
import { ReadCache } from '../../src/embedded/read-cache.ts'
import { createReplica } from '../../src/index.ts'
import { NO_EXPIRE } from '../../src/store/record.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { type Pick, picker } from '../support/crossing-writes.ts'
import { replicaOf, told } from '../support/embedded.ts'
import { startRedis } from '../support/redis.ts'
import { connect } from '../support/wire.ts'

const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 20261127)

function hashOf(key: string): number {
  const bytes = Buffer.from(key)
  return hashBytes(bytes, 0, bytes.length)
}

/** Reads until the key is taken in, as get() does; how many reads that took. */
function readTillKept(cache: ReadCache, key: string, value: string, expireAt = NO_EXPIRE): number {
  for (let reads = 1; reads <= 100; reads++) {
    cache.offer(key, hashOf(key), value, expireAt)
    if (cache.get(key) === value || cache.getTimed(key, 0) === value) return reads
  }
  throw new Error(`${key} was not taken in`)
}

describe('the cache of an embedded replica', () => {
  it('takes in what is read again, not what is read once', () => {
    const cache = new ReadCache(1000, 1 << 20)
    for (let i = 0; i < 5000; i++) cache.offer(`once:${i}`, hashOf(`once:${i}`), 'x', NO_EXPIRE)
    assert.equal(cache.size, 0)
    assert.ok(readTillKept(cache, 'often', 'value') > 1)
    assert.equal(cache.size, 1)
    assert.equal(cache.get('other'), undefined)
  })

  it('forgets a value when its key changes, and takes the next one at once', () => {
    const cache = new ReadCache(1000, 1 << 20)
    readTillKept(cache, 'a', 'old')
    readTillKept(cache, 'b', 'kept')
    const { bytes } = cache
    cache.changed(hashOf('a'))
    assert.equal(cache.get('a'), undefined)
    assert.equal(cache.get('b'), 'kept')
    assert.ok(cache.bytes < bytes)
    cache.offer('a', hashOf('a'), 'new', NO_EXPIRE)
    assert.equal(cache.get('a'), 'new')
    assert.equal(cache.bytes, bytes)
    cache.changed(hashOf('a'))
    cache.changed(hashOf('a'))
    cache.clear()
    assert.deepEqual([cache.size, cache.bytes, cache.get('b')], [0, 0, undefined])
  })

  it('has a value with an end till that has come, and by either way of keeping once the end changes', () => {
    const cache = new ReadCache(1000, 1 << 20)
    readTillKept(cache, 'a', 'value', 5000)
    assert.equal(cache.hasTimed, true)
    assert.equal(cache.get('a'), undefined)
    assert.equal(cache.getTimed('a', 5000), 'value')
    assert.equal(cache.getTimed('a', 5001), undefined)
    cache.changed(hashOf('a'))
    assert.equal(cache.hasTimed, false)
    cache.offer('a', hashOf('a'), 'value', NO_EXPIRE)
    assert.equal(cache.get('a'), 'value')
    cache.changed(hashOf('a'))
    cache.offer('a', hashOf('a'), 'later', 6000)
    assert.equal(cache.get('a'), undefined)
    assert.equal(cache.getTimed('a', 5500), 'later')
  })

  it('stays within its entries and bytes, and may be off', () => {
    const few = new ReadCache(10, 1 << 20)
    for (let i = 0; i < 100; i++) {
      readTillKept(few, `key:${i}`, 'x')
      assert.ok(few.size <= 10)
    }
    const small = new ReadCache(1000, 10_000)
    for (let i = 0; i < 100; i++) {
      readTillKept(small, `key:${i}`, 'x'.repeat(i))
      assert.ok(small.bytes <= 10_000)
    }
    // A value that grows is counted anew.
    readTillKept(small, 'grows', '')
    for (let i = 0; i < 50; i++) {
      small.changed(hashOf('grows'))
      small.offer('grows', hashOf('grows'), 'x'.repeat(i * 6), NO_EXPIRE)
      assert.ok(small.bytes <= 10_000)
    }
    assert.throws(() => readTillKept(small, 'large', 'x'.repeat(1000)), /was not taken in/)
    assert.throws(() => readTillKept(new ReadCache(0, 1000), 'a', 'x'), /was not taken in/)
    assert.throws(() => readTillKept(new ReadCache(10, 0), 'a', 'x'), /was not taken in/)
    for (const [entries, bytes] of [
      [-1, 0],
      [1.5, 0],
      [2 ** 24 + 1, 0],
      [0, -1],
      [0, Number.NaN],
    ] as const) {
      assert.throws(() => new ReadCache(entries, bytes), RangeError)
    }
  })
})

const KEYS = Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? `schlüssel:${i}` : `key:${i}`))

/** One change of some keys, by every kind of command that can touch a string. */
function change(pick: Pick, n: number): (string | number)[][] {
  const key = () => pick(KEYS)
  const value = `${n}`
  const kinds: (() => (string | number)[][])[] = [
    () => [['SET', key(), value]],
    () => [['SET', key(), value, 'PX', pick([1, 5, 20, 40])]],
    () => [['SET', key(), value, 'EX', 100]],
    () => [['MSET', key(), value, key(), value]],
    () => [['APPEND', key(), value]],
    () => [['SETRANGE', key(), pick([0, 1, 4]), value]],
    () => [['SETBIT', key(), pick([0, 7, 39]), 1]],
    () => [['INCR', key()]],
    () => [['GETDEL', key()]],
    () => [['GETEX', key(), 'PERSIST']],
    () => [['PERSIST', key()]],
    () => [['PEXPIRE', key(), pick([-5, 0, 1, 10, 40])]],
    () => [['DEL', key(), key()]],
    () => [['UNLINK', key()]],
    () => [['RENAME', key(), key()]],
    () => [['COPY', key(), key(), 'REPLACE']],
    () => [['BITOP', 'XOR', key(), key(), key()]],
    () => [
      ['DEL', 'k'],
      ['RPUSH', 'k', value],
      ['RENAME', 'k', key()],
    ],
    () => [['EVAL', "return redis.call('SET', KEYS[1], ARGV[1])", 1, key(), value]],
    () => [['MULTI'], ['SET', key(), value], ['APPEND', key(), value], ['EXEC']],
    () => [['MOVE', key(), 1]],
    () => [['SWAPDB', 0, 1]],
    () => [['SWAPDB', 1, 2]],
    () => [['FLUSHDB']],
    () => [['FLUSHALL'], ['SET', key(), value]],
  ]
  return pick(kinds)()
}

describe('get() of an embedded replica', () => {
  it('is what a GET says, whatever the keys go through', async (t) => {
    const pick = picker(SEED)
    const redis = await startRedis(file)
    const wire = await connect(redis.port)
    const replica = await replicaOf(t, `redis://127.0.0.1:${redis.port}`)
    let kept = 0
    for (let round = 0; round < 1500; round++) {
      for (const args of change(pick, round)) await wire.send(...args.map((arg) => Buffer.from(`${arg}`)))
      await replica.caughtUp()
      for (const key of KEYS) {
        // Read until it would be kept; what was kept before has to have gone.
        for (let again = 0; again < 4; again++) {
          const own = told(() => replica.get(key))
          const asked = told(() => replica.call('GET', key))
          // Its end may have come in between.
          if (own !== asked && asked === told(() => replica.get(key))) continue
          assert.equal(own, asked, `${key} after round ${round}, seed ${SEED}`)
        }
      }
      if (replica.readCache.entries > 0) kept++
    }
    assert.ok(kept > 500, `the cache was in use in ${kept} rounds`)
  })

  it('does not outlive the data set that it was read from', async (t) => {
    const first = await startRedis(file)
    const second = await startRedis(file)
    for (const [redis, value] of [
      [first, 'first'],
      [second, 'second'],
    ] as const) {
      const wire = await connect(redis.port)
      await wire.must('SET', 'key', value)
      await wire.must('SET', 'other', value)
    }
    for (const load of ['swapdb', 'disabled']) {
      const directives = { 'repl-diskless-load': load, 'repl-guard-shrink': 0 }
      const replica = await replicaOf(t, `redis://127.0.0.1:${first.port}`, { directives })
      for (let i = 0; i < 50; i++) replica.get('key')
      assert.equal(replica.readCache.entries, 1)
      await replica.follow(`redis://127.0.0.1:${second.port}`)
      await replica.caughtUp()
      assert.equal(replica.get('key'), 'second', load)
    }
  })

  it('keeps nothing when told so', async (t) => {
    const redis = await startRedis(file)
    const wire = await connect(redis.port)
    await wire.must('SET', 'key', 'value')
    const from = `redis://127.0.0.1:${redis.port}`
    const replica = await replicaOf(t, from, { readCache: { maxEntries: 0 } })
    for (let i = 0; i < 50; i++) assert.equal(replica.get('key'), 'value')
    assert.deepEqual(replica.readCache, { entries: 0, bytes: 0 })
    await assert.rejects(createReplica({ from, readCache: { maxBytes: -1 } }), /readCache.maxBytes/)
  })
})
