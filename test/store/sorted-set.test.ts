/** Large sorted sets, and the table below them, against sorted arrays and maps. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { HashValue } from '../../src/store/values/hash.ts'
import { SetValue } from '../../src/store/values/set.ts'
import { SortedSetValue } from '../../src/store/values/sorted-set.ts'

const score = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.double({ noNaN: true }),
  fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0),
)
const name = fc.oneof(
  fc.integer({ min: 0, max: 300 }).map((n) => `member:${n}`),
  fc.string({ unit: 'binary-ascii', maxLength: 300 }),
)

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function sorted(model: Map<string, number>): [string, number][] {
  const entries = Array.from(model)
  return entries.sort(([a, x], [b, y]) => (x === y ? (a < b ? -1 : 1) : x < y ? -1 : 1))
}

function content(set: SortedSetValue): [string, number][] {
  return Array.from(set.entries(), ([member, own]) => [member.toString('latin1'), own])
}

function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return state / 0x80000000
  }
}

function check(set: SortedSetValue, model: Map<string, number>): void {
  const expected = sorted(model)
  assert.equal(set.size, expected.length)
  assert.deepEqual(content(set), expected)
  for (let rank = 0; rank < expected.length; rank += 7) {
    const [member, own] = expected[rank]!
    assert.equal(set.rank(bytesOf(member)), rank)
    assert.equal(set.scoreOf(bytesOf(member)), own)
    assert.equal(set.countBelow(own, false), expected.filter(([, other]) => other < own).length)
    assert.equal(set.countBelow(own, true), expected.filter(([, other]) => other <= own).length)
    set.seek(rank)
    assert.equal(set.score, own)
    assert.equal(set.next(), rank + 1 < expected.length)
    if (rank + 1 < expected.length) assert.equal(set.score, expected[rank + 1]![1])
    set.seek(rank)
    assert.equal(set.previous(), rank > 0)
    if (rank > 0) assert.equal(set.score, expected[rank - 1]![1])
  }
}

suite('sorted set', () => {
  test('members are added, moved and removed as in a sorted array', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), name, score), { maxLength: 400 }), (changes) => {
        const set = new SortedSetValue()
        const model = new Map<string, number>()
        for (const [kind, member, own] of changes) {
          const bytes = bytesOf(member)
          if (kind < 7) {
            assert.equal(set.add(bytes, own), !model.has(member))
            // -0 and 0 are one score; the first stays.
            if (model.get(member) !== own) model.set(member, own)
          } else {
            assert.equal(set.delete(bytes), model.delete(member))
          }
        }
        for (const [member, own] of model) if (own === 0) model.set(member, set.scoreOf(bytesOf(member))!)
        check(set, model)
      }),
      { numRuns: 60 },
    )
  })

  test('a hundred thousand members, in order and in disorder, and ranges removed', () => {
    const next = random(42)
    const set = new SortedSetValue()
    const model = new Map<string, number>()
    for (let i = 0; i < 50_000; i++) {
      model.set(`ordered:${i}`, i)
      set.add(bytesOf(`ordered:${i}`), i)
    }
    for (let i = 0; i < 50_000; i++) {
      const member = `random:${Math.floor(next() * 40_000)}`
      const own = Math.floor(next() * 1000)
      model.set(member, own)
      set.add(bytesOf(member), own)
    }
    assert.deepEqual(content(set), sorted(model))
    for (const [from, count] of [
      [0, 1000],
      [20_000, 30_000],
      [5, 1],
    ] as const) {
      for (const [member] of sorted(model).slice(from, from + count)) model.delete(member)
      set.deleteRange(from, from + count)
    }
    assert.deepEqual(content(set), sorted(model))
    const members = Array.from(model.keys())
    for (const member of members) {
      if (next() < 0.97) {
        model.delete(member)
        assert.ok(set.delete(bytesOf(member)))
      }
    }
    check(set, model)
    assert.deepEqual(content(set.clone()), sorted(model))
    set.deleteRange(0, set.size)
    assert.equal(set.size, 0)
    assert.ok(set.memoryBytes < 5000, `${set.memoryBytes} bytes`)
    set.add(bytesOf('again'), 1)
    assert.deepEqual(content(set), [['again', 1]])
  })

  test('members of equal score are counted by their bytes', () => {
    const set = new SortedSetValue()
    const members = Array.from({ length: 2000 }, (_, i) => `m${(i * 7919) % 2000}`)
    for (const member of members) set.add(bytesOf(member), 0)
    members.sort()
    for (const limit of ['', 'm', 'm0', 'm1234', 'm1999', 'm5', 'zz']) {
      const below = members.filter((member) => member < limit).length
      assert.equal(set.countBefore(bytesOf(limit), false), below)
      assert.equal(set.countBefore(bytesOf(limit), true), below + (members.includes(limit) ? 1 : 0))
    }
  })
})

suite('table', () => {
  test('a hash changes like a map', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary-ascii', maxLength: 30 }),
      fc.integer({ min: 0, max: 40_000 }).map((length) => 'v'.repeat(length)),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(60), text), { maxLength: 300 }), (changes) => {
        const hash = new HashValue()
        const model = new Map<string, string>()
        for (const [kind, n, value] of changes) {
          const field = `field:${n}`
          if (kind < 7) {
            assert.equal(hash.set(bytesOf(field), bytesOf(value)), !model.has(field))
            model.set(field, value)
          } else {
            assert.equal(hash.delete(bytesOf(field)), model.delete(field))
          }
          assert.equal(hash.get(bytesOf(field))?.toString('latin1'), model.get(field))
        }
        const found = Array.from(hash.entries(), ([field, value]) =>
          [field, value].map((part) => part.toString('latin1')),
        )
        assert.deepEqual(found.sort(), Array.from(model).sort())
        assert.equal(hash.size, model.size)
      }),
      { numRuns: 60 },
    )
  })

  test('what is removed is given back', () => {
    const set = new SetValue()
    for (let i = 0; i < 100_000; i++) set.add(bytesOf(`member:${i}`))
    const full = set.memoryBytes
    for (let i = 0; i < 100_000; i++) if (i % 50 !== 0) set.delete(bytesOf(`member:${i}`))
    assert.equal(set.size, 2000)
    assert.ok(set.memoryBytes < full / 10, `${set.memoryBytes} of ${full}`)
    for (let i = 0; i < 100_000; i += 50) assert.ok(set.has(bytesOf(`member:${i}`)))
    // The same field over and over, with values of changing length, does not pile up.
    const hash = new HashValue()
    for (let i = 0; i < 100_000; i++) hash.set(bytesOf('field'), bytesOf('v'.repeat(i % 500)))
    assert.ok(hash.memoryBytes < 10_000, `${hash.memoryBytes}`)
  })

  test('a scan finds all that stays, while the rest comes and goes', () => {
    const set = new SetValue()
    for (let i = 0; i < 5000; i++) set.add(bytesOf(`stays:${i}`))
    const found = new Set<string>()
    let cursor = 0
    for (let round = 0; cursor < 0x100000000; round++) {
      cursor = set.table.visit(cursor, 10, (ref) => {
        set.table.read(ref)
        found.add(set.table.bytes.toString('latin1', set.table.start, set.table.end))
      })
      for (let i = 0; i < 20; i++) set.add(bytesOf(`comes:${round}:${i}`))
      if (round > 50) for (let i = 0; i < 20; i++) set.delete(bytesOf(`comes:${round - 50}:${i}`))
    }
    for (let i = 0; i < 5000; i++) assert.ok(found.has(`stays:${i}`))
  })
})
