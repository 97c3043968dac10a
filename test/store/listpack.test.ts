/** Listpacks against a plain list of strings, and against the bytes that redis-server 7.0.15 makes (DUMP of small hashes). */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  entryBytes,
  entryLength,
  findEntry,
  LISTPACK_HEADER,
  ListpackEntry,
  ListpackWriter,
  listpackEntries,
  listpackLength,
  nextEntry,
  previousEntry,
  seekEntry,
  validateListpack,
  writeEntry,
} from '../../src/store/encodings/listpack.ts'
import { Store } from '../../src/store/store.ts'
import { ListpackEditor } from '../../src/store/values/packed.ts'

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const element = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 100 }) },
  { weight: 2, arbitrary: fc.integer({ min: -9000, max: 9000 }).map(String) },
  { weight: 2, arbitrary: int64.map(String) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 70_000 }).map((length) => 'x'.repeat(length)) },
  { weight: 1, arbitrary: fc.constantFrom('-0', '007', '+1', '9223372036854775808', '-9223372036854775809', '', '-') },
)

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function build(elements: readonly string[]): Buffer {
  const writer = new ListpackWriter()
  for (const text of elements) writer.append(bytesOf(text))
  return writer.finish()
}

function read(bytes: Buffer): string[] {
  return Array.from(listpackEntries(bytes, 0, bytes.length), (entry) => entry.toString('latin1'))
}

suite('listpack', () => {
  test('what is written is read, from either end', () => {
    fc.assert(
      fc.property(fc.array(element), (elements) => {
        const bytes = build(elements)
        assert.deepEqual(read(bytes), elements)
        assert.equal(listpackLength(bytes, 0, bytes.length), elements.length)
        assert.ok(validateListpack(bytes, 0, bytes.length))
        const entry = new ListpackEntry()
        const backwards: string[] = []
        for (let at = bytes.length - 1; at > LISTPACK_HEADER; ) {
          at = previousEntry(bytes, at)
          entry.read(bytes, at)
          assert.equal(entry.end - entry.start, entryLength(bytes, at))
          backwards.push(entry.copy().toString('latin1'))
        }
        assert.deepEqual(backwards.reverse(), elements)
      }),
    )
  })

  test('an entry takes the bytes that entryBytes tells', () => {
    fc.assert(
      fc.property(element, (text) => {
        const bytes = bytesOf(text)
        const to = Buffer.alloc(bytes.length + 32)
        assert.equal(writeEntry(to, 3, bytes, 0, bytes.length), 3 + entryBytes(bytes, 0, bytes.length))
      }),
    )
  })

  test('an element is found where it is first, and only at the places looked at', () => {
    fc.assert(
      fc.property(
        fc.array(element, { minLength: 1 }),
        fc.nat(),
        fc.integer({ min: 0, max: 2 }),
        (elements, n, skip) => {
          const bytes = build(elements)
          const wanted = bytesOf(elements[n % elements.length]!)
          const at = findEntry(bytes, LISTPACK_HEADER, bytes.length - 1, wanted, 0, wanted.length, skip)
          const index = elements.findIndex((text, i) => i % (skip + 1) === 0 && text === wanted.toString('latin1'))
          assert.equal(at, index < 0 ? -1 : seekEntry(bytes, LISTPACK_HEADER, bytes.length - 1, index))
        },
      ),
    )
  })

  test('more than 65535 entries are counted', () => {
    const bytes = build(Array.from({ length: 70_000 }, (_, i) => String(i)))
    assert.equal(bytes.readUInt16LE(4), 65535)
    assert.equal(listpackLength(bytes, 0, bytes.length), 70_000)
    assert.ok(validateListpack(bytes, 0, bytes.length))
  })

  test('bytes that are no listpack are refused without reading outside of them', () => {
    fc.assert(
      fc.property(
        fc.array(element, { maxLength: 8 }),
        fc.nat(),
        fc.nat(255),
        fc.nat(),
        (elements, where, byte, cut) => {
          const good = build(elements)
          const bad = Buffer.from(good)
          bad[where % bad.length] = byte
          if (validateListpack(bad, 0, bad.length)) read(bad)
          const end = cut % good.length
          assert.equal(validateListpack(good, 0, end), false)
        },
      ),
      { numRuns: 2000 },
    )
    assert.equal(validateListpack(Buffer.alloc(0), 0, 0), false)
  })

  test('the bytes are those of redis-server', () => {
    // DUMP of RPUSH key 1 -1 4095 32767 8388607 2147483647 9223372036854775807 hello <64 times x>, without its frame.
    const text = ['1', '-1', '4095', '32767', '8388607', '2147483647', '9223372036854775807', 'hello', 'x'.repeat(64)]
    const expected =
      '7200000009000101dfff02cfff02f1ff7f03f2ffff7f04f3ffffff7f05f4ffffffffffffff7f098568656c6c6f06e040' +
      `${'78'.repeat(64)}42ff`
    assert.equal(build(text).toString('hex'), expected)
  })

  test('an editor changes what it has opened', () => {
    const editor = new ListpackEditor()
    const change = fc.record({
      kind: fc.constantFrom('insert', 'replace', 'remove', 'append'),
      at: fc.nat(),
      element: fc.oneof(fc.string({ unit: 'binary-ascii', maxLength: 80 }), int64.map(String)),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const model: string[] = []
        editor.create()
        for (const { kind, at, element: text } of changes) {
          const bytes = bytesOf(text)
          const index = model.length === 0 ? 0 : at % model.length
          const position = seekEntry(editor.bytes, editor.first, editor.eof, index)
          if (kind === 'append' || model.length === 0) {
            editor.append(bytes, 0, bytes.length)
            model.push(text)
          } else if (kind === 'insert') {
            editor.insert(position, bytes, 0, bytes.length)
            model.splice(index, 0, text)
          } else if (kind === 'replace') {
            editor.replace(position, bytes, 0, bytes.length)
            model[index] = text
          } else {
            editor.remove(position, nextEntry(editor.bytes, position), 1)
            model.splice(index, 1)
          }
        }
        const db = new Store(1).databases[0]!
        const key = Buffer.from('key')
        const ref = editor.put(db, 1, key, 0, key.length, 4, -1)
        assert.notEqual(ref, 0)
        assert.equal(editor.count, model.length)
        const bytes = Buffer.from(editor.bytes.subarray(0, editor.length))
        assert.ok(validateListpack(bytes, 0, bytes.length))
        assert.deepEqual(read(bytes), model)
      }),
    )
  })
})
