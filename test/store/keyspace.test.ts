/** The keyspace against a Map: generated puts, overwrites, removals, expire times, moves, walks and scans. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hashBytes } from '../../src/bytes/siphash.ts'
import { NO_EXPIRE, TYPE_STRING } from '../../src/store/record.ts'
import { Store } from '../../src/store/store.ts'
import { Walk } from '../../src/store/walk.ts'

const HASHES = 0x100000000
const FUZZ = {
  numRuns: Number(process.env.RUNS ?? 200),
  ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) }),
}

interface Expected {
  value: string
  expireAt: number
}

function put(store: Store, key: string, value: string, expireAt: number = NO_EXPIRE): void {
  const db = store.databases[0]!
  const name = Buffer.from(key, 'latin1')
  const bytes = Buffer.from(value, 'latin1')
  const hash = hashBytes(name, 0, name.length)
  const ref = db.find(hash, name, 0, name.length)
  db.putBytes(hash, name, 0, name.length, ref, TYPE_STRING, 0, bytes, 0, bytes.length, expireAt)
}

function remove(store: Store, key: string): void {
  const db = store.databases[0]!
  const name = Buffer.from(key, 'latin1')
  const ref = db.findKey(name)
  if (ref !== 0) db.remove(hashBytes(name, 0, name.length), ref)
}

function read(store: Store, ref: number): string {
  store.read(ref)
  return store.bytes.latin1Slice(store.start, store.end)
}

function check(store: Store, expected: Map<string, Expected>): void {
  const db = store.databases[0]!
  assert.equal(db.size, expected.size)
  let expires = 0
  for (const [key, { value, expireAt }] of expected) {
    const ref = db.findKey(Buffer.from(key, 'latin1'))
    assert.notEqual(ref, 0, `${key} is missing`)
    assert.equal(read(store, ref), value)
    assert.equal(store.expireAt(ref), expireAt)
    if (expireAt !== NO_EXPIRE) expires++
  }
  assert.equal(db.expires.size, expires)
  const seen = new Set<string>()
  assert.equal(
    db.index.visit(0, HASHES, (ref) => seen.add(store.key(ref).toString('latin1'))),
    HASHES,
  )
  assert.equal(seen.size, expected.size)
}

const keys = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map((n) => `k${n}`),
  fc.integer({ min: 0, max: 5 }).map((n) => `long${n}`.padEnd(300, 'x')),
)
const values = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.integer({ min: 0, max: 40_000 }).map((n) => 'v'.repeat(n)),
)
const operation = fc.oneof(
  fc.record({
    do: fc.constant('put' as const),
    key: keys,
    value: values,
    expireAt: fc.constantFrom(NO_EXPIRE, 1000, 2000),
  }),
  fc.record({ do: fc.constant('remove' as const), key: keys }),
  fc.record({ do: fc.constant('expire' as const), key: keys, expireAt: fc.constantFrom(NO_EXPIRE, 3000) }),
  fc.record({ do: fc.constant('grow' as const), key: keys, length: fc.integer({ min: 0, max: 20_000 }) }),
  fc.record({ do: fc.constant('rename' as const), key: keys, to: keys }),
  fc.record({ do: fc.constant('compact' as const) }),
)

function apply(
  store: Store,
  expected: Map<string, Expected>,
  step: typeof operation extends fc.Arbitrary<infer T> ? T : never,
): void {
  const db = store.databases[0]!
  if (step.do === 'put') {
    put(store, step.key, step.value, step.expireAt)
    expected.set(step.key, { value: step.value, expireAt: step.expireAt })
    return
  }
  if (step.do === 'compact') {
    store.compact(1000)
    return
  }
  const name = Buffer.from(step.key, 'latin1')
  const hash = hashBytes(name, 0, name.length)
  const ref = db.findKey(name)
  const old = expected.get(step.key)
  assert.equal(ref !== 0, old !== undefined)
  if (old === undefined) return
  if (step.do === 'remove') {
    db.remove(hash, ref)
    expected.delete(step.key)
  } else if (step.do === 'expire') {
    db.setExpire(hash, ref, step.expireAt)
    old.expireAt = step.expireAt
  } else if (step.do === 'grow') {
    const grown = db.writableString(hash, ref, step.length, 1)
    assert.equal(grown, db.findKey(name))
    old.value = old.value.padEnd(step.length, '\0')
  } else if (!expected.has(step.to)) {
    const target = Buffer.from(step.to, 'latin1')
    db.transfer(hash, ref, db, hashBytes(target, 0, target.length), target)
    expected.delete(step.key)
    expected.set(step.to, old)
  }
}

describe('keyspace', () => {
  it('agrees with a map under generated changes', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 120 }), (steps) => {
        const store = new Store(1)
        const expected = new Map<string, Expected>()
        for (const step of steps) apply(store, expected, step)
        check(store, expected)
      }),
      FUZZ,
    )
  })

  it('a walk sees the instant at which it began, whatever is written meanwhile', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 60 }),
        fc.array(fc.array(operation, { maxLength: 6 }), { maxLength: 30 }),
        fc.integer({ min: 1, max: 5 }),
        (before, during, stride) => {
          const store = new Store(1)
          const expected = new Map<string, Expected>()
          for (const step of before) apply(store, expected, step)
          for (let round = 0; round < 3; round++) {
            const instant = new Map([...expected].map(([key, { value }]) => [key, value]))
            const seen = new Map<string, string>()
            const walk = new Walk(store, (ref) => {
              const key = store.key(ref).toString('latin1')
              assert.ok(!seen.has(key), `${key} came twice`)
              seen.set(key, read(store, ref))
            })
            // The first walk is given up half way, so that its marks stay.
            let more = true
            for (const steps of during) {
              for (const step of steps) apply(store, expected, step)
              more = more && walk.step(stride)
              if (round === 0 && seen.size > instant.size / 2) break
            }
            if (round === 0) {
              walk.abort()
              continue
            }
            while (walk.step(stride));
            assert.deepEqual(new Map([...seen].sort()), new Map([...instant].sort()))
          }
          check(store, expected)
        },
      ),
      FUZZ,
    )
  })

  it('grows to many keys and shrinks again, and a scan misses nothing that stays', () => {
    const store = new Store(1)
    const db = store.databases[0]!
    const count = 200_000
    for (let i = 0; i < count; i++) put(store, `key:${i}`, `value ${i}`)
    assert.equal(db.size, count)
    const reserved = store.slab.pageBytes
    const seen = new Set<string>()
    let cursor = 0
    let steps = 0
    while (cursor < HASHES) {
      cursor = db.index.visit(cursor, 500, (ref) => seen.add(store.key(ref).toString('latin1')))
      // Half the keys go, others come, while the scan is under way.
      for (let i = 0; i < 250; i++) {
        remove(store, `key:${(steps * 250 + i) * 2 + 1}`)
        put(store, `new:${steps}:${i}`, 'x')
      }
      steps++
    }
    for (let i = 0; i < count; i += 2) assert.ok(seen.has(`key:${i}`), `key:${i} was missed`)
    for (let i = 0; i < count; i++) remove(store, `key:${i}`)
    while (store.compact(1000));
    assert.ok(store.slab.pageBytes < reserved, 'pages are given back')
    store.clear()
    assert.equal(store.slab.pageBytes, 0)
    assert.equal(store.keys, 0)
  })

  it('stays within 1.3 times its live bytes under mixed sizes', () => {
    const store = new Store(1)
    const sizes = new Map<string, number>()
    let seed = 42
    const random = (n: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
      return seed % n
    }
    for (let i = 0; i < 1_000_000; i++) {
      const key = `key:${random(100_000)}`
      if (random(3) === 0) {
        remove(store, key)
        sizes.delete(key)
      } else {
        const size = 1 << (4 + random(7))
        const length = size + random(size)
        put(store, key, 'x'.repeat(length))
        sizes.set(key, length + key.length + 8)
      }
      if (i % 1000 === 0) store.compact(512)
    }
    while (store.compact(1000));
    let live = 0
    for (const bytes of sizes.values()) live += bytes
    const ratio = store.slab.pageBytes / live
    assert.ok(ratio <= 1.3, `pages hold ${ratio.toFixed(3)} times the live bytes`)
  })

  it('picks random keys from all of them', () => {
    const store = new Store(1)
    for (let i = 0; i < 100; i++) put(store, `key:${i}`, 'x')
    const seen = new Set<number>()
    for (let i = 0; i < 5000; i++) seen.add(store.databases[0]!.index.random(Math.random))
    assert.equal(seen.size, 100)
  })
})
