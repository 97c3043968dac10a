import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Deadline, Deadlines } from '../../src/engine/deadlines.ts'

test('the first is the earliest of those that are left', () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ remove: fc.nat({ max: 100 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const deadlines = new Deadlines<Deadline>()
      const left: Deadline[] = []
      for (const one of steps) {
        if ('add' in one) {
          const entry = { dueAtMs: one.add, heapIndex: -1 }
          deadlines.add(entry)
          left.push(entry)
        } else if (left.length > 0) {
          const [entry] = left.splice(one.remove % left.length, 1)
          deadlines.remove(entry!)
          deadlines.remove(entry!)
        }
        assert.equal(deadlines.size, left.length)
        const earliest = left.length === 0 ? undefined : Math.min(...left.map(({ dueAtMs }) => dueAtMs))
        assert.equal(deadlines.first?.dueAtMs, earliest)
      }
    }),
  )
})
