/** Large lists against arrays, with nodes small enough that there are many of them. */
import assert from 'node:assert/strict'
import { afterEach, suite, test } from 'node:test'
import fc from 'fast-check'
import { encodingLimits } from '../../src/store/values/limits.ts'
import { ListValue } from '../../src/store/values/list.ts'

const element = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', '1', '-70000', '9223372036854775807', '') },
  { weight: 3, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 9000 }).map((length) => 'y'.repeat(length)) },
)

const change = fc.oneof(
  fc.record({ kind: fc.constantFrom('head', 'tail'), element, count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constantFrom('drop-head', 'drop-tail'), element, count: fc.integer({ min: 1, max: 30 }) }),
  fc.record({ kind: fc.constantFrom('set', 'insert', 'range'), element, count: fc.nat() }),
  fc.record({ kind: fc.constantFrom('equal', 'equal-tail'), element, count: fc.integer({ min: 0, max: 4 }) }),
)

type Change = { kind: string; element: string; count: number }

function apply(list: ListValue, model: string[], { kind, element: text, count }: Change): void {
  const bytes = Buffer.from(text, 'latin1')
  const index = model.length === 0 ? 0 : count % model.length
  switch (kind) {
    case 'head':
    case 'tail':
      for (let i = 0; i < count; i++) {
        if (kind === 'head') list.pushHead(bytes)
        else list.pushTail(bytes)
        if (kind === 'head') model.unshift(text)
        else model.push(text)
      }
      return
    case 'drop-head':
    case 'drop-tail':
      for (let i = 0; i < count && model.length > 0; i++) {
        list.readEnd(kind === 'drop-head')
        const expected: string | undefined = kind === 'drop-head' ? model.shift() : model.pop()
        assert.equal(list.entry.copy().toString('latin1'), expected)
        list.dropEnd(kind === 'drop-head')
      }
      return
    case 'set':
      if (model.length === 0) return
      list.set(index, bytes)
      model[index] = text
      return
    case 'insert':
      list.insert(index, bytes)
      model.splice(index, 0, text)
      return
    case 'range':
      list.removeRange(index, count % 17)
      model.splice(index, count % 17)
      return
    default: {
      const fromTail = kind === 'equal-tail'
      const removed = list.removeEqual(bytes, 0, bytes.length, count, fromTail)
      assert.equal(removed, removeFromModel(model, text, count, fromTail))
    }
  }
}

function removeFromModel(model: string[], text: string, limit: number, fromTail: boolean): number {
  let removed = 0
  for (;;) {
    const at = fromTail ? model.lastIndexOf(text) : model.indexOf(text)
    if (at < 0 || (limit > 0 && removed === limit)) return removed
    model.splice(at, 1)
    removed++
  }
}

function content(list: ListValue): string[] {
  return Array.from(list.elements(), (bytes) => bytes.toString('latin1'))
}

function visited(list: ListValue, from: number, count: number, backwards: boolean): string[] {
  const found: string[] = []
  list.visit(from, count, backwards, (bytes, start, end) => {
    found.push(bytes.toString('latin1', start, end))
    return true
  })
  return found
}

suite('list', () => {
  afterEach(() => {
    encodingLimits['list-max-listpack-size'] = -2
  })

  for (const limit of [-1, -2, 1, 3, 16]) {
    test(`changes like an array (list-max-listpack-size ${limit})`, () => {
      encodingLimits['list-max-listpack-size'] = limit
      fc.assert(
        fc.property(fc.array(change, { maxLength: 25 }), fc.nat(), (changes, seed) => {
          const list = new ListValue()
          const model: string[] = []
          for (const step of changes) {
            apply(list, model, step)
            assert.equal(list.length, model.length)
          }
          assert.deepEqual(content(list), model)
          assert.ok(list.memoryBytes > 0)
          if (model.length === 0) return
          const index = seed % model.length
          list.read(index)
          assert.equal(list.entry.copy().toString('latin1'), model[index])
          assert.deepEqual(visited(list, index, 50, false), model.slice(index, index + 50))
          assert.deepEqual(visited(list, index, 50, true), model.slice(Math.max(0, index - 49), index + 1).reverse())
          const copy = list.clone()
          list.removeRange(0, list.length)
          assert.deepEqual(content(copy), model)
          assert.equal(list.length, 0)
        }),
        { numRuns: 150 },
      )
    })
  }

  test('its memory is counted back when it is emptied', () => {
    const list = new ListValue()
    const empty = list.memoryBytes
    for (let i = 0; i < 10_000; i++) list.pushTail(Buffer.from(`element-${i}`))
    assert.ok(list.memoryBytes > 100_000)
    list.removeRange(100, 9800)
    for (let i = 0; i < 200; i++) list.dropEnd(i % 2 === 0)
    assert.equal(list.length, 0)
    assert.equal(list.memoryBytes, empty)
  })

  test('its listpacks are the list again', () => {
    const list = ListValue.from(Array.from({ length: 5000 }, (_, i) => Buffer.from(String(i * 1001))))
    const again = new ListValue()
    for (const listpack of list.listpacks()) again.appendListpack(listpack, 0, listpack.length)
    assert.deepEqual(content(again), content(list))
  })
})
