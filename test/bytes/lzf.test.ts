/** LZF against itself, against damage, and against redis-server through DUMP and RESTORE. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Crc64 } from '../../src/bytes/crc64.ts'
import { lzfCompress, lzfDecompress } from '../../src/bytes/lzf.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { connectFor } from '../support/wire.ts'

const file = fileCleanup()
const server = await startRedis(file)
const redis = await connectFor(file, server.port)

const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 60 })), { maxLength: 30 })
  .map((parts) => Buffer.concat(parts.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))))

function framed(bytes: Uint8Array): [Uint8Array, number, number] {
  return [Buffer.concat([Buffer.from('abc'), bytes, Buffer.from('def')]), 3, bytes.length + 3]
}

test('what is compressed comes back, and saves at least four bytes', () => {
  let compressed = 0
  fc.assert(
    fc.property(fc.oneof(repetitive, fc.uint8Array({ maxLength: 500 })), (bytes) => {
      const packed = lzfCompress(...framed(bytes))
      if (packed === undefined) return
      compressed++
      assert.ok(packed.length <= bytes.length - 4)
      assert.deepEqual(lzfDecompress(...framed(packed), bytes.length), Buffer.from(bytes))
    }),
    { numRuns: 1000 },
  )
  assert.ok(compressed > 100)
})

test('bytes without repetition are not compressed, nor are very short ones', () => {
  const distinct = Uint8Array.from({ length: 256 }, (_, byte) => byte)
  assert.equal(lzfCompress(distinct, 0, 256), undefined)
  assert.equal(lzfCompress(Buffer.from('aaaa'), 0, 4), undefined)
  assert.equal(lzfCompress(Buffer.alloc(0), 0, 0), undefined)
})

test('a damaged stream is refused or gives other bytes, but never more than asked for', () => {
  fc.assert(
    fc.property(repetitive, fc.nat(), fc.nat({ max: 255 }), (bytes, at, value) => {
      const packed = lzfCompress(bytes, 0, bytes.length)
      if (packed === undefined) return
      packed[at % packed.length] = value
      const out = lzfDecompress(packed, 0, packed.length, bytes.length)
      assert.ok(out === undefined || out.length === bytes.length)
      assert.equal(lzfDecompress(packed, 0, packed.length, bytes.length + 1000), undefined)
    }),
  )
  assert.equal(lzfDecompress(Buffer.from([0x20, 0x00]), 0, 2, 3), undefined, 'a reference before the start')
  assert.equal(lzfDecompress(Buffer.from([0x00]), 0, 1, 1), undefined, 'a literal that is not there')
  assert.equal(lzfDecompress(Buffer.from([0xe0]), 0, 1, 9), undefined, 'a length that is not there')
})

test('a string that redis-server compressed is decompressed', async () => {
  for (const bytes of fc.sample(repetitive, 200)) {
    await redis.must('SET', 'k', bytes)
    const payload = Buffer.from((await redis.must('DUMP', 'k')) as string, 'latin1')
    const crc = new Crc64()
    crc.update(payload, 0, payload.length - 8)
    assert.ok(crc.matchesLE(payload, payload.length - 8))
    if (payload[1] !== 0xc3) continue
    const packed = readLength(payload, 2)
    const plain = readLength(payload, packed.end)
    assert.equal(plain.value, bytes.length)
    assert.deepEqual(lzfDecompress(payload, plain.end, plain.end + packed.value, plain.value), bytes)
  }
})

test('redis-server restores a string that was compressed here', async () => {
  for (const bytes of fc.sample(repetitive, 200)) {
    const packed = lzfCompress(bytes, 0, bytes.length)
    if (packed === undefined) continue
    const head = [Buffer.from([0x00, 0xc3]), length32(packed.length), length32(bytes.length)]
    const body = Buffer.concat([...head, packed, Buffer.from([10, 0]), Buffer.alloc(8)])
    const crc = new Crc64()
    crc.update(body, 0, body.length - 8)
    crc.writeLE(body, body.length - 8)
    await redis.must('RESTORE', 'restored', 0, body, 'REPLACE')
    assert.equal(await redis.must('GET', 'restored'), bytes.toString('latin1'))
  }
})

/** An RDB length: 6, 14 or 32 bits. */
function readLength(buf: Buffer, at: number): { value: number; end: number } {
  const first = buf[at]!
  if (first < 0x40) return { value: first, end: at + 1 }
  if (first < 0x80) return { value: ((first & 0x3f) << 8) | buf[at + 1]!, end: at + 2 }
  return { value: buf.readUInt32BE(at + 1), end: at + 5 }
}

function length32(value: number): Buffer {
  const out = Buffer.from([0x80, 0, 0, 0, 0])
  out.writeUInt32BE(value, 1)
  return out
}
