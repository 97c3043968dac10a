/** Streams against arrays of entries; ids over their whole range; what is saved is read back the same. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { RdbInput } from '../../src/rdb/input.ts'
import { RdbOutput } from '../../src/rdb/output.ts'
import { StreamDecoder } from '../../src/rdb/stream-decoder.ts'
import { saveStream } from '../../src/rdb/stream-encoder.ts'
import { Request } from '../../src/resp/request.ts'
import { StreamValue } from '../../src/store/values/stream.ts'
import { Nack, PendingList } from '../../src/store/values/stream-groups.ts'
import { STREAM_ID_BYTES, StreamId } from '../../src/store/values/stream-id.ts'
import { StreamIterator } from '../../src/store/values/stream-iterator.ts'

const RDB_STREAM_2 = 19
const MASK = 0xffff_ffffn

type Entry = [id: string, ...fields: string[]]

function idOf(value: bigint): StreamId {
  const word = (shift: bigint): number => Number((value >> shift) & MASK)
  return new StreamId(word(96n), word(64n), word(32n), word(0n))
}

function add(stream: StreamValue, model: Entry[], id: StreamId, fields: string[]): void {
  stream.append(id, Request.of(fields), 0, fields.length / 2)
  model.push([id.toString(), ...fields])
}

function read(stream: StreamValue, from: StreamId | null, to: StreamId | null, backwards = false): Entry[] {
  const iterator = new StreamIterator()
  const entries: Entry[] = []
  iterator.start(stream, from, to, backwards)
  while (iterator.next()) {
    const entry: Entry = [iterator.id.toString()]
    while (iterator.nextField()) {
      const { field, value } = iterator
      entry.push(field.bytes.latin1Slice(field.start, field.end), value.bytes.latin1Slice(value.start, value.end))
    }
    entries.push(entry)
  }
  return entries
}

function check(stream: StreamValue, model: Entry[]): void {
  assert.equal(stream.length, model.length)
  assert.deepEqual(read(stream, null, null), model)
  assert.deepEqual(read(stream, null, null, true), [...model].reverse())
  assert.equal(stream.firstId.toString(), model[0]?.[0] ?? '0-0')
}

function saved(stream: StreamValue): Buffer {
  const chunks: Buffer[] = []
  const out = new RdbOutput((chunk) => chunks.push(chunk), true, false)
  saveStream(stream, out)
  out.flush()
  return Buffer.concat(chunks)
}

function loaded(bytes: Buffer, chunkBytes: number): StreamValue {
  const input = new RdbInput()
  const decoder = new StreamDecoder(RDB_STREAM_2)
  let from = 0
  for (let end = Math.min(chunkBytes, bytes.length); ; end = Math.min(end + chunkBytes, bytes.length)) {
    input.set(bytes.subarray(from, end), from)
    if (decoder.step(input)) return decoder.stream
    assert.ok(end < bytes.length, 'the stream ends too early')
    from += input.pos
  }
}

const fields = fc.oneof(
  fc.constant<string[]>(['name', 'value']),
  fc.array(fc.string({ unit: 'binary-ascii', maxLength: 80 }), { minLength: 2, maxLength: 6 }).map((all) => {
    return all.length % 2 === 0 ? all : all.slice(1)
  }),
  fc.integer().map((n) => ['name', String(n)]),
)

suite('stream', () => {
  test('ids compare, step and are written as numbers of 128 bits', () => {
    const number = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n })
    fc.assert(
      fc.property(number, number, (a, b) => {
        const id = idOf(a)
        assert.equal(id.compare(idOf(b)), a < b ? -1 : a > b ? 1 : 0)
        assert.equal(id.toString(), `${a >> 64n}-${a & 0xffff_ffff_ffff_ffffn}`)
        const bytes = Buffer.alloc(STREAM_ID_BYTES)
        id.write(bytes, 0)
        assert.equal(bytes.toString('hex'), a.toString(16).padStart(32, '0'))
        if (id.increment()) assert.ok(id.equals(idOf(a + 1n)))
        id.decrement()
        assert.ok(id.equals(idOf(a)))
      }),
    )
    const last = StreamId.max()
    assert.equal(last.increment(), false)
    assert.ok(last.isZero)
    assert.equal(last.decrement(), false)
    assert.ok(last.isMax)
  })

  test('entries are read as they were added, whatever the distance of their ids', () => {
    const ids = fc.uniqueArray(fc.bigInt({ min: 1n, max: (1n << 128n) - 1n }), { minLength: 1, maxLength: 250 })
    fc.assert(
      fc.property(ids, fc.array(fields, { minLength: 1, maxLength: 10 }), (values, contents) => {
        const stream = new StreamValue()
        const model: Entry[] = []
        values.sort((a, b) => (a < b ? -1 : 1))
        for (const [i, value] of values.entries()) add(stream, model, idOf(value), contents[i % contents.length]!)
        check(stream, model)
        const from = values[values.length >> 2]!
        const to = values[values.length >> 1]!
        const expected = model.slice(values.length >> 2, (values.length >> 1) + 1)
        assert.deepEqual(read(stream, idOf(from), idOf(to)), expected)
        assert.deepEqual(read(stream, idOf(from), idOf(to), true), expected.reverse())
      }),
      { numRuns: 30 },
    )
  })

  test('deleting and trimming', () => {
    const step = fc.record({
      kind: fc.constantFrom('add', 'add', 'add', 'delete', 'length', 'id'),
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
      count: fc.integer({ min: 1, max: 60 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const stream = new StreamValue()
        let model: Entry[] = []
        let ms = 1
        for (const { kind, at, count } of steps) {
          const index = Math.floor(at * model.length)
          if (kind === 'add') {
            for (let i = 0; i < count; i++) add(stream, model, StreamId.of(ms++, i), ['f', String(i)])
          } else if (model.length > 0) {
            const [first = 0, seq = 0] = model[index]![0].split('-').map(Number)
            if (kind === 'delete') {
              assert.ok(stream.delete(StreamId.of(first, seq)))
              assert.ok(!stream.delete(StreamId.of(first, seq)))
              stream.updateFirstId()
              model.splice(index, 1)
            } else if (kind === 'length') {
              assert.equal(stream.trimByLength(model.length - index, false, 0), index)
              model = model.slice(index)
            } else {
              assert.equal(stream.trimById(StreamId.of(first, seq), false, 0), index)
              model = model.slice(index)
            }
          }
          check(stream, model)
        }
        check(stream.clone(), model)
      }),
      { numRuns: 50 },
    )
  })

  test('trimming by whole nodes stops before a node that would leave too few, or at the limit', () => {
    const stream = new StreamValue()
    for (let i = 1; i <= 1000; i++) add(stream, [], StreamId.of(i, 0), ['f', 'v'])
    assert.equal(stream.trimByLength(850, true, 0), 100)
    assert.equal(stream.trimByLength(0, true, 250), 200)
    assert.equal(stream.trimById(StreamId.of(450, 0), true, 0), 100)
    assert.equal(stream.length, 600)
    assert.equal(stream.firstId.toString(), '401-0')
  })

  test('a saved stream is read back with its groups, however it arrives', () => {
    const stream = new StreamValue()
    const model: Entry[] = []
    for (let i = 1; i <= 250; i++)
      add(stream, model, StreamId.of(i, 0), i % 3 === 0 ? ['a', '1', 'b', 'x'] : ['a', 'y'])
    stream.delete(StreamId.of(7, 0))
    model.splice(6, 1)
    stream.maxDeletedId.assign(StreamId.of(7, 0))
    const group = stream.createGroup(Buffer.from('group'), StreamId.of(9, 0), -1)!
    const consumers = ['b', 'a'].map((name) => group.createConsumer(Buffer.from(name), 1700000000000)!)
    for (let i = 1; i < 10; i++) assert.ok(group.addPending(new Nack(StreamId.of(i, 0), consumers[i % 2]!, 123, i)))
    const bytes = saved(stream)
    for (const chunkBytes of [bytes.length, 1000, 1]) {
      const copy = loaded(bytes, chunkBytes)
      check(copy, model)
      assert.deepEqual(saved(copy), bytes)
      assert.equal(copy.group(Buffer.from('group'))!.entriesRead, -1)
    }
    assert.deepEqual(saved(stream.clone()), bytes)
  })

  test('a pending list is ordered, whatever comes and goes', () => {
    const step = fc.record({ id: fc.integer({ min: 0, max: 600 }), removes: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 1500, size: 'max' }), (steps) => {
        const list = new PendingList()
        const model = new Set<number>()
        const owner = new StreamValue().createGroup(Buffer.from('g'), new StreamId(), 0)!
        const consumer = owner.createConsumer(Buffer.from('c'), 0)!
        for (const { id, removes } of steps) {
          const key = StreamId.of(id, 0)
          if (removes) assert.equal(list.delete(key) !== undefined, model.delete(id))
          else assert.equal(list.insert(new Nack(key, consumer, 0)), !model.has(id))
          if (!removes) model.add(id)
        }
        const sorted = [...model].sort((a, b) => a - b)
        assert.deepEqual(
          Array.from(list, (nack) => nack.id.ms),
          sorted,
        )
        assert.equal(list.size, sorted.length)
        for (let id = 0; id <= 600; id += 13) {
          const key = StreamId.of(id, 0)
          assert.equal(list.find(key) !== undefined, model.has(id))
          assert.equal(
            list.atOrAfter(key)?.id.ms,
            sorted.find((other) => other >= id),
          )
          assert.equal(
            list.after(key)?.id.ms,
            sorted.find((other) => other > id),
          )
        }
      }),
      { numRuns: 20 },
    )
  })
})
