/** Intsets against a JavaScript set of BigInt. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  IntsetMember,
  intsetInsert,
  intsetLength,
  intsetRemove,
  intsetSearch,
  intsetValues,
  validateIntset,
  writeEmptyIntset,
} from '../../src/store/encodings/intset.ts'

const member = fc.oneof(
  fc.bigInt({ min: -20n, max: 20n }),
  fc.bigInt({ min: -40_000n, max: 40_000n }),
  fc.bigInt({ min: -(2n ** 33n), max: 2n ** 33n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-(2n ** 31n), 2n ** 31n, 2n ** 31n - 1n, 32767n, 32768n, -32768n, -32769n, 2n ** 53n, -(2n ** 53n)),
)

function parse(value: bigint): IntsetMember {
  const text = Buffer.from(value.toString())
  const parsed = new IntsetMember()
  assert.ok(parsed.parse(text, 0, text.length))
  assert.equal(parsed.toBigInt(), value)
  const digits = Buffer.alloc(24)
  assert.equal(digits.toString('latin1', 0, parsed.writeText(digits, 0)), value.toString())
  return parsed
}

function ascending(values: Iterable<bigint>): bigint[] {
  return Array.from(values).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
}

suite('intset', () => {
  test('holds what a set holds, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), member), { maxLength: 80 }), (changes) => {
        const model = new Set<bigint>()
        let bytes = Buffer.alloc(1024)
        let spare = Buffer.alloc(1024)
        let length = writeEmptyIntset(bytes)
        for (const [adds, value] of changes) {
          const parsed = parse(value)
          const found = intsetSearch(bytes, 0, parsed)
          assert.equal(found >= 0, model.has(value))
          if (adds === found >= 0) continue
          length = adds ? intsetInsert(bytes, 0, parsed, -1 - found, spare) : intsetRemove(bytes, 0, found, spare)
          const full = spare
          spare = bytes
          bytes = full
          if (adds) model.add(value)
          else model.delete(value)
        }
        assert.equal(intsetLength(bytes, 0), model.size)
        assert.deepEqual(Array.from(intsetValues(bytes, 0, length)), ascending(model))
        assert.equal(validateIntset(bytes.subarray(0, length), 0, length), model.size > 0)
      }),
    )
  })

  test('only strict decimal text of 64 bits is a member', () => {
    const parsed = new IntsetMember()
    for (const text of [
      '',
      '-',
      '-0',
      '01',
      '+1',
      ' 1',
      '1 ',
      '1.0',
      'a',
      '9223372036854775808',
      '-9223372036854775809',
    ]) {
      const bytes = Buffer.from(text)
      assert.equal(parsed.parse(bytes, 0, bytes.length), false, text)
    }
  })

  test('bytes that are no intset are refused', () => {
    const good = Buffer.from('020000000200000001000200', 'hex')
    assert.ok(validateIntset(good, 0, good.length))
    for (let length = 0; length < good.length; length++) assert.equal(validateIntset(good, 0, length), false)
    const disordered = Buffer.from('020000000200000002000100', 'hex')
    assert.equal(validateIntset(disordered, 0, disordered.length), false)
    const repeated = Buffer.from('020000000200000001000100', 'hex')
    assert.equal(validateIntset(repeated, 0, repeated.length), false)
    const odd = Buffer.from('030000000100000001000200', 'hex')
    assert.equal(validateIntset(odd, 0, odd.length), false)
  })
})
