/**
 * DUMP payloads of every type from a real redis-server, damaged at random, their checksum made right again, restored into
 * Tandem: an error, or a value that can be read, changed, dumped and deleted. The server answers throughout.
 * `MUTATIONS` (default 3000) and `SEED` may be given; `npm run soak -- corrupt` does 200,000.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Crc64 } from '../../src/bytes/crc64.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { startTandem } from '../support/tandem.ts'
import { type Command, connectFor, isError, type Reply, type Wire } from '../support/wire.ts'

const file = fileCleanup()
const MUTATIONS = Number(process.env.MUTATIONS ?? 3000)
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const BATCH = 200
const FOOTER = 10

const numbers = (n: number) => Array.from({ length: n }, (_, i) => String(i * 7919))
const words = (n: number) => Array.from({ length: n }, (_, i) => `word ${i} ${'x'.repeat(i % 40)}`)
const pairs = (n: number) => words(n).flatMap((word, i) => [word, String(i * i)])
const scored = (n: number) => words(n).flatMap((word, i) => [String(i / 3), word])

const VALUES: Command[] = [
  ['SET', 'text', 'a'.repeat(200)],
  ['SET', 'number', '123456'],
  ['RPUSH', 'list', ...words(20), ...numbers(20)],
  ['RPUSH', 'long list', ...words(700)],
  ['SADD', 'integers', ...numbers(50)],
  ['SADD', 'set', ...words(60)],
  ['HSET', 'hash', ...pairs(20)],
  ['HSET', 'large hash', ...pairs(300)],
  ['ZADD', 'zset', ...scored(20)],
  ['ZADD', 'large zset', ...scored(300)],
  ['PFADD', 'hll', ...numbers(300)],
  ['GEOADD', 'geo', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania'],
  ...Array.from(
    { length: 30 },
    (_, i): Command => ['XADD', 'stream', `${i + 1}-1`, 'f', String(i), 'g', 'x'.repeat(i)],
  ),
  ['XDEL', 'stream', '5-1'],
  ['XGROUP', 'CREATE', 'stream', 'group', '0'],
  ['XREADGROUP', 'GROUP', 'group', 'me', 'COUNT', '7', 'STREAMS', 'stream', '>'],
  ['XREADGROUP', 'GROUP', 'group', 'you', 'COUNT', '5', 'STREAMS', 'stream', '>'],
]
const KEYS = [...new Set(VALUES.map((command) => String(command[0] === 'XGROUP' ? 'stream' : command[1])))].filter(
  (key) => key !== 'GROUP',
)

/** What is done with a value that was taken, whatever its type is: the wrong type is an error like any other. */
function uses(key: string): Command[] {
  return [
    ['TYPE', key],
    ['OBJECT', 'ENCODING', key],
    ['DEBUG', 'DIGEST-VALUE', key],
    ['DUMP', key],
    ['GETRANGE', key, 0, -1],
    ['LRANGE', key, 0, -1],
    ['LSET', key, 1, 'x'],
    ['RPOP', key],
    ['SMEMBERS', key],
    ['SPOP', key],
    ['HGETALL', key],
    ['HSET', key, 'f', 'v'],
    ['ZRANGE', key, 0, -1, 'WITHSCORES'],
    ['ZADD', key, 5, 'm'],
    ['XRANGE', key, '-', '+'],
    ['XINFO', 'STREAM', key, 'FULL'],
    ['XREADGROUP', 'GROUP', 'group', 'me', 'STREAMS', key, '>'],
    ['XTRIM', key, 'MAXLEN', 3],
    ['PFCOUNT', key],
    ['COPY', key, 'copy', 'REPLACE'],
    ['DEL', key],
  ]
}

class Mutator {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * n)
  }

  /** One to four bytes changed, or a piece cut out or repeated; the checksum is right. */
  damage(payload: Buffer): Buffer {
    let body: Buffer = Buffer.from(payload.subarray(0, payload.length - FOOTER))
    const at = this.below(body.length)
    const kind = this.below(8)
    const length = 1 + this.below(Math.min(16, body.length))
    if (kind === 0) body = Buffer.concat([body.subarray(0, at), body.subarray(at + length)])
    else if (kind === 1) body = Buffer.concat([body.subarray(0, at + length), body.subarray(at)])
    else for (let i = this.below(4); i >= 0; i--) body[this.below(Math.min(body.length, 64 + at))] = this.below(256)
    return sealed(body)
  }
}

function sealed(body: Buffer): Buffer {
  const bytes = Buffer.concat([body, Buffer.from([10, 0]), Buffer.alloc(8)])
  const crc = new Crc64()
  crc.update(bytes, 0, bytes.length - 8)
  crc.writeLE(bytes, bytes.length - 8)
  return bytes
}

async function payloads(): Promise<Buffer[]> {
  const wire = await connectFor(file, (await startRedis(file)).port, 2)
  for (const command of VALUES) await wire.must(...command)
  const dumps: Buffer[] = []
  for (const key of KEYS) dumps.push(Buffer.from(String(await wire.must('DUMP', key)), 'latin1'))
  return dumps
}

async function restoreAll(wire: Wire, damaged: readonly Buffer[]): Promise<number> {
  const replies: Reply[] = await wire.pipeline(
    damaged.map((payload, i): Command => ['RESTORE', `key ${i}`, 0, payload, 'REPLACE']),
  )
  const taken = damaged.flatMap((_, i) => (isError(replies[i]!) ? [] : [`key ${i}`]))
  for (const key of taken) {
    for (const reply of await wire.pipeline(uses(key))) {
      if (isError(reply)) assert.doesNotMatch(reply.error, /internal error/)
    }
  }
  return taken.length
}

it(`damaged payloads: ${MUTATIONS} of seed ${SEED}`, { timeout: 3_600_000 }, async () => {
  const valid = await payloads()
  const tandem = await startTandem(file)
  const wire = await connectFor(file, tandem.port, 2)
  const mutator = new Mutator(SEED)
  let taken = 0
  for (let done = 0; done < MUTATIONS; done += BATCH) {
    const damaged = Array.from({ length: BATCH }, () => mutator.damage(valid[mutator.below(valid.length)]!))
    taken += await restoreAll(wire, damaged)
    assert.equal(await wire.must('PING'), 'PONG')
  }
  // Some damage is to what a value says: if none were taken, nothing would have been tried.
  assert.ok(taken > 0 && taken < MUTATIONS, `${taken} of ${MUTATIONS} were taken`)
  await wire.must('FLUSHALL')
  assert.equal(await wire.must('DEBUG', 'DIGEST'), '0'.repeat(40))
})
