/** The digests of values as redis-server's DEBUG DIGEST-VALUE and DEBUG DIGEST give them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Digest } from '../../src/bytes/sha1-digest.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { connectFor } from '../support/wire.ts'

const file = fileCleanup()
const server = await startRedis(file)
const redis = await connectFor(file, server.port)

function digestOf(type: number): Digest {
  const digest = new Digest()
  digest.mix(Uint8Array.of(0, 0, 0, type))
  return digest
}

async function valueDigest(key: string): Promise<string> {
  const reply = (await redis.must('DEBUG', 'DIGEST-VALUE', key)) as string[]
  return reply[0]!
}

test('a string is mixed after its type', async () => {
  await redis.must('SET', 's', 'value')
  const digest = digestOf(0)
  digest.mix('value')
  assert.equal(digest.hex(), await valueDigest('s'))
})

test('a list is mixed in order, a set xored in any', async () => {
  await redis.must('RPUSH', 'l', 'a', 'b', 'c')
  await redis.must('SADD', 'u', 'x', 'y', 'z')
  const list = digestOf(1)
  for (const element of ['a', 'b', 'c']) list.mix(Buffer.from(element))
  const set = digestOf(2)
  for (const member of ['z', 'x', 'y']) set.xor(member)
  assert.equal(list.hex(), await valueDigest('l'))
  assert.equal(set.hex(), await valueDigest('u'))
})

test('the fields of a hash are digests of their own, and so are the keys of a dataset', async () => {
  await redis.must('FLUSHALL')
  await redis.must('HSET', 'h', 'f', 'v', 'g', 'w')
  const hash = digestOf(4)
  for (const [field, value] of [
    ['g', 'w'],
    ['f', 'v'],
  ] as const) {
    const pair = new Digest()
    pair.mix(field)
    pair.mix(value)
    hash.xorDigest(pair)
  }
  assert.equal(hash.hex(), await valueDigest('h'))

  await redis.must('FLUSHALL')
  await redis.must('SET', 'k', 'v')
  const entry = new Digest()
  entry.mix('k')
  entry.mix(Uint8Array.of(0, 0, 0, 0))
  entry.mix('v')
  const all = new Digest()
  all.mix(Uint8Array.of(0, 0, 0, 0))
  all.xorDigest(entry)
  assert.equal(all.hex(), await redis.must('DEBUG', 'DIGEST'))
  all.reset()
  assert.equal(all.hex(), '0'.repeat(40))
})
