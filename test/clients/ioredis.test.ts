/** ioredis as applications use it: RESP3 by default, pipelines, transactions, pub/sub, Buffers, reconnection. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { Redis } from 'ioredis'
import { fileCleanup } from '../support/cleanup.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'

const file = fileCleanup()
const server = await startTandem(file)

function client(options: object = {}): Redis {
  const redis = new Redis({ port: server.port, host: '127.0.0.1', ...options })
  file.after(async () => redis.disconnect())
  return redis
}

describe('ioredis', () => {
  it('sets, gets, counts and expires, text and bytes', async () => {
    const redis = client()
    assert.equal(await redis.set('a', 'ä', 'EX', 100), 'OK')
    assert.equal(await redis.get('a'), 'ä')
    assert.ok((await redis.ttl('a')) > 90)
    const bytes = Buffer.from([0, 255, 13, 10, 1])
    await redis.set('bytes', bytes)
    assert.deepEqual(await redis.getBuffer('bytes'), bytes)
    assert.equal(await redis.incrby('n', 41), 41)
    assert.equal(await redis.incr('n'), 42)
    assert.deepEqual(await redis.mget('n', 'none'), ['42', null])
    await assert.rejects(redis.incr('a'), /ERR value is not an integer or out of range/)
  })

  it('pipelines a thousand commands and keeps their order', async () => {
    const redis = client()
    const pipeline = redis.pipeline()
    for (let i = 0; i < 1000; i++) pipeline.set(`p:${i}`, i).get(`p:${i}`)
    const results = (await pipeline.exec())!
    for (let i = 0; i < 1000; i++) assert.deepEqual(results[i * 2 + 1], [null, String(i)])
  })

  it('runs transactions, and WATCH undoes one', async () => {
    const redis = client()
    const other = client()
    assert.deepEqual(await redis.multi().set('t', 1).incr('t').exec(), [
      [null, 'OK'],
      [null, 2],
    ])
    await redis.watch('t')
    await other.set('t', 5)
    assert.equal(await redis.multi().set('t', 9).exec(), null)
    assert.equal(await redis.get('t'), '5')
  })

  it('publishes and subscribes, by channel and by pattern', async () => {
    const subscriber = client()
    const publisher = client()
    await subscriber.subscribe('news')
    await subscriber.psubscribe('n?ws')
    const messages: string[] = []
    subscriber.on('message', (channel, message) => messages.push(`${channel}:${message}`))
    subscriber.on('pmessage', (pattern, channel, message) => messages.push(`${pattern}:${channel}:${message}`))
    assert.equal(await publisher.publish('news', 'hello'), 2)
    await waitUntil(() => messages.length === 2, { timeoutMs: 2000, what: 'both messages' })
    assert.deepEqual(messages.sort(), ['n?ws:news:hello', 'news:hello'])
  })

  it('scans all keys', async () => {
    const redis = client({ db: 3 })
    for (let i = 0; i < 500; i++) await redis.set(`scan:${i}`, i)
    const seen = new Set<string>()
    for await (const keys of redis.scanStream({ match: 'scan:*', count: 37 })) for (const key of keys) seen.add(key)
    assert.equal(seen.size, 500)
  })

  it('comes back by itself when its connection is cut', async () => {
    const redis = client({ retryStrategy: () => 20 })
    await redis.set('kept', 1)
    const admin = client()
    redis.on('error', () => {})
    const back = once(redis, 'ready')
    await admin.client('KILL', 'ID', await redis.client('ID'))
    await back
    assert.equal(await redis.get('kept'), '1')
  })
})
