/** The access clock's arithmetic, and whom the eviction pool picks under each policy. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hashBytes } from '../../src/bytes/siphash.ts'
import {
  clockOfFrequency,
  clockOfIdle,
  frequency,
  idleSeconds,
  incremented,
  initialClock,
  LFU_INIT_VAL,
  lfuMinutes,
  lruClock,
  touchedClock,
} from '../../src/store/access-clock.ts'
import { EvictionPool } from '../../src/store/eviction.ts'
import type { Keyspace } from '../../src/store/keyspace.ts'
import { NO_EXPIRE, TYPE_STRING } from '../../src/store/record.ts'
import { Store } from '../../src/store/store.ts'

const NOW_MS = 1_700_000_000_000
const MINUTE_MS = 60_000

/** Numbers in [0, 1) that are the same in every run. */
function seeded(seed = 1): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

describe('LRU clock', () => {
  it('tells how long a key was idle', () => {
    fc.assert(
      fc.property(fc.nat(0xfffffe), fc.nat(2 ** 42), (idle, nowMs) => {
        const clock = clockOfIdle(idle, nowMs)
        assert.ok(clock >= 0 && clock <= 0xffffff)
        assert.equal(idleSeconds(clock, nowMs), idle)
      }),
    )
  })

  it('counts on when it has come round', () => {
    const roundMs = 2 ** 24 * 1000
    const beforeMs = roundMs * 100 - 5000
    // As in Redis, the clock's highest value and 0 count as one.
    assert.equal(idleSeconds(lruClock(beforeMs), beforeMs + 10_000), 9)
    assert.equal(idleSeconds(lruClock(beforeMs), beforeMs + 3000), 3)
  })
})

describe('LFU clock', () => {
  it('begins with LFU_INIT_VAL', () => {
    assert.equal(frequency(initialClock(NOW_MS), NOW_MS, 1), LFU_INIT_VAL)
  })

  it('shrinks by one for each decay time, and never without one', () => {
    const clock = clockOfFrequency(100, NOW_MS)
    assert.equal(frequency(clock, NOW_MS + 10 * MINUTE_MS, 1), 90)
    assert.equal(frequency(clock, NOW_MS + 10 * MINUTE_MS, 3), 97)
    assert.equal(frequency(clock, NOW_MS + 1000 * MINUTE_MS, 1), 0)
    assert.equal(frequency(clock, NOW_MS + 1000 * MINUTE_MS, 0), 100)
  })

  it('shrinks across the end of its 16 bits of minutes', () => {
    const lateMs = 65535 * MINUTE_MS
    assert.equal(lfuMinutes(lateMs + MINUTE_MS), 0)
    assert.equal(frequency(clockOfFrequency(50, lateMs), lateMs + 3 * MINUTE_MS, 1), 48)
  })

  it('grows surely up to LFU_INIT_VAL + 1, then ever more rarely, up to 255', () => {
    assert.equal(
      incremented(0, 10, () => 0.999),
      1,
    )
    assert.equal(
      incremented(LFU_INIT_VAL, 10, () => 0.999),
      LFU_INIT_VAL + 1,
    )
    assert.equal(
      incremented(LFU_INIT_VAL + 1, 10, () => 1 / 11),
      LFU_INIT_VAL + 1,
    )
    assert.equal(
      incremented(LFU_INIT_VAL + 1, 10, () => 1 / 11 - 1e-9),
      LFU_INIT_VAL + 2,
    )
    assert.equal(
      incremented(255, 10, () => 0),
      255,
    )
    assert.equal(
      incremented(200, 0, () => 0.999),
      201,
    )
  })

  it('is brought up to date by a use', () => {
    const clock = clockOfFrequency(20, NOW_MS)
    const laterMs = NOW_MS + 5 * MINUTE_MS
    const touched = touchedClock(clock, laterMs, 10, 1, () => 0)
    assert.equal(touched >>> 8, lfuMinutes(laterMs))
    assert.equal(touched & 255, 16)
  })
})

interface Options {
  clock?: number
  expireAt?: number
  database?: number
}

function put(store: Store, name: string, options: Options = {}): void {
  const db = store.databases[options.database ?? 0]!
  const key = Buffer.from(name, 'latin1')
  const hash = hashBytes(key, 0, key.length)
  const ref = db.find(hash, key, 0, key.length)
  const expireAt = options.expireAt ?? NO_EXPIRE
  const target = db.putBytes(hash, key, 0, key.length, ref, TYPE_STRING, 0, key, 0, key.length, expireAt)
  store.setClock(target, options.clock ?? 0)
}

class Evictions {
  readonly #pool = new EvictionPool()
  readonly #random = seeded()
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Evicts one key and returns its name; undefined when there is none. */
  next(policy: string, samples = 5): string | undefined {
    const victim = this.#pool.pick(this.#store, policy, samples, NOW_MS, this.#random)
    if (victim === undefined) return undefined
    const key = this.#store.key(victim.ref)
    assert.equal(victim.keyspace.findKey(key), victim.ref)
    assert.equal(victim.hash, hashBytes(key, 0, key.length))
    victim.keyspace.remove(victim.hash, victim.ref)
    return key.toString('latin1')
  }

  all(policy: string, samples = 5): string[] {
    const names: string[] = []
    for (let name = this.next(policy, samples); name !== undefined; name = this.next(policy, samples)) names.push(name)
    return names
  }
}

const names = (count: number, prefix = 'key') => Array.from({ length: count }, (_, i) => `${prefix}:${i}`)

function keysOf(keyspace: Keyspace, store: Store): string[] {
  const found: string[] = []
  keyspace.index.visit(0, keyspace.size, (ref) => found.push(store.key(ref).toString('latin1')))
  return found.toSorted()
}

describe('eviction pool', () => {
  it('evicts nothing under noeviction, and nothing of an empty store', () => {
    const store = new Store(4)
    const evictions = new Evictions(store)
    for (const policy of ['allkeys-lru', 'volatile-ttl', 'allkeys-random', 'volatile-lfu']) {
      assert.equal(evictions.next(policy), undefined)
    }
    put(store, 'key')
    assert.equal(evictions.next('noeviction'), undefined)
  })

  it('under allkeys policies evicts every key of every database once', () => {
    for (const policy of ['allkeys-lru', 'allkeys-lfu', 'allkeys-random']) {
      const store = new Store(4)
      const expected = [...names(50, 'a'), ...names(50, 'b')]
      expected.forEach((name, i) => {
        put(store, name, { database: i < 50 ? 0 : 3, clock: i })
      })
      assert.deepEqual(new Evictions(store).all(policy).toSorted(), expected.toSorted())
    }
  })

  it('under volatile policies evicts only keys with an expire time', () => {
    for (const policy of ['volatile-lru', 'volatile-lfu', 'volatile-random', 'volatile-ttl']) {
      const store = new Store(2)
      for (const name of names(50, 'stays')) put(store, name)
      for (const name of names(50, 'goes')) put(store, name, { expireAt: NOW_MS + 1000, database: 1 })
      assert.deepEqual(new Evictions(store).all(policy).toSorted(), names(50, 'goes').toSorted())
      assert.deepEqual(keysOf(store.databases[0]!, store), names(50, 'stays').toSorted())
    }
  })

  it('random policies take a key of each database in turn', () => {
    const store = new Store(3)
    for (let database = 0; database < 3; database++) {
      for (const name of names(10, `db${database}`)) put(store, name, { database })
    }
    const order = new Evictions(store).all('allkeys-random').map((name) => name.slice(0, 3))
    for (let i = 0; i < order.length; i += 3) assert.equal(new Set(order.slice(i, i + 3)).size, 3)
  })

  it('with more samples than keys evicts in exact order', () => {
    const cases: [string, (i: number) => Options][] = [
      ['allkeys-lru', (i) => ({ clock: clockOfIdle(100 - i, NOW_MS) })],
      ['volatile-lru', (i) => ({ clock: clockOfIdle(100 - i, NOW_MS), expireAt: NOW_MS + 1000 })],
      ['allkeys-lfu', (i) => ({ clock: clockOfFrequency(i, NOW_MS) })],
      ['volatile-ttl', (i) => ({ expireAt: NOW_MS + i * 1000 })],
    ]
    for (const [policy, options] of cases) {
      const store = new Store(2)
      // More than the pool holds, in two databases.
      for (let i = 0; i < 40; i++) put(store, `key:${i}`, { ...options(i), database: i % 2 })
      assert.deepEqual(new Evictions(store).all(policy, 64), names(40), policy)
    }
  })

  it('prefers long idle, rarely used and soon expiring keys by far', () => {
    const cases: [string, (i: number) => Options][] = [
      ['allkeys-lru', (i) => ({ clock: clockOfIdle(10_000 - i, NOW_MS) })],
      ['volatile-lru', (i) => ({ clock: clockOfIdle(10_000 - i, NOW_MS), expireAt: NOW_MS + 1000 })],
      ['allkeys-lfu', (i) => ({ clock: clockOfFrequency(Math.floor(i / 8), NOW_MS) })],
      ['volatile-ttl', (i) => ({ expireAt: NOW_MS + i })],
    ]
    for (const [policy, options] of cases) {
      const store = new Store(1)
      for (let i = 0; i < 2000; i++) put(store, `key:${i}`, options(i))
      const evictions = new Evictions(store)
      let ranks = 0
      for (let n = 0; n < 200; n++) ranks += Number(evictions.next(policy, 10)!.slice(4))
      // At random the mean rank would be 1000.
      assert.ok(ranks / 200 < 300, `${policy}: mean rank of the evicted is ${ranks / 200}`)
    }
  })

  it('spares a key of the pool that was used, changed or removed meanwhile', () => {
    const store = new Store(1)
    for (const name of names(10)) put(store, name, { clock: clockOfIdle(1000, NOW_MS) })
    const evictions = new Evictions(store)
    evictions.next('allkeys-lru')
    // By now the pool knows some of them. All but one are used again, and that one goes next.
    const left = keysOf(store.databases[0]!, store)
    const idle = left[0]!
    for (const name of left.slice(1)) put(store, name, { clock: clockOfIdle(1, NOW_MS) })
    const order = evictions.all('allkeys-lru', 64)
    assert.equal(order[0], idle)
    assert.deepEqual(order.toSorted(), left)
  })

  it('starts anew when the policy changes or the store was emptied', () => {
    const store = new Store(1)
    for (const name of names(20)) put(store, name, { expireAt: NOW_MS + 1000 })
    const evictions = new Evictions(store)
    assert.notEqual(evictions.next('allkeys-lru'), undefined)
    assert.notEqual(evictions.next('volatile-ttl'), undefined)
    store.clear()
    assert.equal(evictions.next('volatile-ttl'), undefined)
    put(store, 'after')
    assert.equal(evictions.next('volatile-ttl'), undefined)
    assert.equal(evictions.next('allkeys-lfu'), 'after')
  })
})
