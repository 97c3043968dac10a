import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Crc64 } from '../../src/bytes/crc64.ts'

const MASK = 2n ** 64n - 1n
const REFLECTED = 0x95ac9329ac4bc9b5n

/** The definition, bit by bit. */
function bitwise(bytes: Uint8Array): bigint {
  let crc = 0n
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1n) ^ (crc & 1n ? REFLECTED : 0n)
  }
  return crc & MASK
}

function value64(crc: Crc64): bigint {
  return (BigInt(crc.hi) << 32n) | BigInt(crc.lo)
}

test('the check value of crc64.c', () => {
  const crc = new Crc64()
  crc.update(Buffer.from('123456789'), 0, 9)
  assert.equal(value64(crc), 0xe9c6d914c4b8d9can)
  crc.reset()
  assert.equal(value64(crc), 0n)
})

test('any bytes, in any pieces, give the value of the definition', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (bytes, at) => {
      const cut = bytes.length === 0 ? 0 : at % bytes.length
      const crc = new Crc64()
      crc.update(bytes, 0, cut)
      crc.update(bytes, cut, bytes.length)
      assert.equal(value64(crc), bitwise(bytes))
    }),
  )
})

test('it is written with the least significant byte first, and recognised', () => {
  const crc = new Crc64()
  crc.update(Buffer.from('123456789'), 0, 9)
  const out = Buffer.alloc(12, 0xaa)
  crc.writeLE(out, 2)
  assert.equal(out.readBigUInt64LE(2), 0xe9c6d914c4b8d9can)
  assert.deepEqual([out[1], out[10]], [0xaa, 0xaa])
  assert.ok(crc.matchesLE(out, 2))
  for (let at = 2; at < 10; at++) {
    out[at]! ^= 1
    assert.ok(!crc.matchesLE(out, 2))
    out[at]! ^= 1
  }
})
