import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { integerLength, parseInt64, parseInteger, parseUnsigned64, writeInteger } from '../../src/bytes/integers.ts'

const INVALID = [
  '',
  '-',
  '-0',
  '+1',
  '01',
  '-01',
  ' 1',
  '1 ',
  '1a',
  'a',
  '--1',
  '1-',
  '1.0',
  '0x1',
  '/',
  ':',
  '1:',
  '1/',
]
const MAX_INT64 = 2n ** 63n - 1n

/** The text between other digits, so that reading past either end shows. */
function framed(text: string): [Uint8Array, number, number] {
  return [Buffer.from(`77${text}77`, 'latin1'), 2, 2 + Buffer.byteLength(text, 'latin1')]
}

test('every safe integer is written as its decimal digits and read back', () => {
  const buf = Buffer.alloc(40)
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -1000, max: 1000 })), (n) => {
      const end = writeInteger(buf, 3, n)
      assert.equal(buf.toString('latin1', 3, end), String(n))
      assert.equal(integerLength(n), end - 3)
      assert.equal(parseInteger(buf, 3, end), n)
      assert.equal(parseInt64(buf, 3, end), BigInt(n))
    }),
    { numRuns: 5000 },
  )
})

test('powers of ten and their neighbours are written and measured right', () => {
  const buf = Buffer.alloc(40)
  for (let power = 1; power <= Number.MAX_SAFE_INTEGER; power *= 10) {
    for (const n of [power - 1, power, power + 1, -power, 1 - power - 1]) {
      const end = writeInteger(buf, 0, n)
      assert.equal(buf.toString('latin1', 0, end), String(n))
      assert.equal(integerLength(n), end)
    }
  }
  assert.equal(writeInteger(buf, 0, Number.MIN_SAFE_INTEGER), 17)
  assert.equal(buf.toString('latin1', 0, 17), '-9007199254740991')
})

test('text that is not a canonical integer is refused', () => {
  for (const text of INVALID) {
    assert.ok(Number.isNaN(parseInteger(...framed(text))), text)
    assert.equal(parseInt64(...framed(text)), undefined, text)
    assert.equal(parseUnsigned64(...framed(text)), undefined, text)
  }
  assert.equal(parseUnsigned64(...framed('-1')), undefined)
})

test('parseInteger ends at the safe integers, parseInt64 at int64, parseUnsigned64 at uint64', () => {
  assert.equal(parseInteger(...framed('9007199254740991')), Number.MAX_SAFE_INTEGER)
  assert.equal(parseInteger(...framed('-9007199254740991')), Number.MIN_SAFE_INTEGER)
  for (const text of ['9007199254740992', '-9007199254740993', '9999999999999999', '10000000000000000']) {
    assert.ok(Number.isNaN(parseInteger(...framed(text))), text)
    assert.equal(parseInt64(...framed(text)), BigInt(text))
  }
  assert.equal(parseInt64(...framed('9223372036854775807')), MAX_INT64)
  assert.equal(parseInt64(...framed('-9223372036854775808')), -MAX_INT64 - 1n)
  assert.equal(parseInt64(...framed('9223372036854775808')), undefined)
  assert.equal(parseInt64(...framed('-9223372036854775809')), undefined)
  assert.equal(parseUnsigned64(...framed('18446744073709551615')), 2n ** 64n - 1n)
  assert.equal(parseUnsigned64(...framed('18446744073709551616')), undefined)
  assert.equal(parseUnsigned64(...framed('99999999999999999999')), undefined)
  assert.equal(parseUnsigned64(...framed('100000000000000000000')), undefined)
})

test('any bytes are an integer exactly when they are the text of one', () => {
  const text = fc.string({ unit: fc.constantFrom(...'0123456789-+ a'), maxLength: 22 })
  fc.assert(
    fc.property(fc.oneof(text, fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }).map(String)), (candidate) => {
      const canonical = /^(0|-?[1-9]\d*)$/.test(candidate)
      const value = canonical ? BigInt(candidate) : 0n
      const fits = canonical && value <= MAX_INT64 && value >= -MAX_INT64 - 1n
      assert.equal(parseInt64(...framed(candidate)), fits ? value : undefined)
      const safe = canonical && Number.isSafeInteger(Number(candidate))
      assert.equal(parseInteger(...framed(candidate)), safe ? Number(candidate) : Number.NaN)
    }),
    { numRuns: 5000 },
  )
})
