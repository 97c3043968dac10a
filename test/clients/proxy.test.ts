/** ioredis and node-redis as applications use them, through the proxy: before one server, and before a cluster. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { fileCleanup } from '../support/cleanup.ts'
import { startCluster } from '../support/cluster.ts'
import { startClusterProxy } from '../support/cluster-proxy.ts'
import { startProxy } from '../support/proxy.ts'
import { waitUntil } from '../support/wait-until.ts'

const file = fileCleanup()

function ioredis(port: number): Redis {
  const redis = new Redis({ port, host: '127.0.0.1' })
  file.after(async () => redis.disconnect())
  return redis
}

async function nodeRedis(port: number, RESP: 2 | 3) {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, RESP })
  client.on('error', () => {})
  await client.connect()
  file.after(async () => client.destroy())
  return client
}

const PROXIES: Record<string, number> = {
  'a server': (await startProxy(file)).tandem.port,
  'a cluster': (await startClusterProxy(file, await startCluster(file))).port,
}

for (const [upstream, port] of Object.entries(PROXIES)) {
  describe(`ioredis through the proxy of ${upstream}`, () => {
    it('sets, gets and pipelines', async () => {
      const redis = ioredis(port)
      assert.equal(await redis.set('a', 'ä', 'EX', 100), 'OK')
      assert.equal(await redis.get('a'), 'ä')
      const pipeline = redis.pipeline()
      for (let i = 0; i < 500; i++) pipeline.set(`p:${i}`, i).get(`p:${i}`)
      const results = (await pipeline.exec())!
      for (let i = 0; i < 500; i++) assert.deepEqual(results[i * 2 + 1], [null, String(i)])
      await redis.hset('h', { f: 1, g: 'two' })
      assert.deepEqual(await redis.hgetall('h'), { f: '1', g: 'two' })
    })

    it('runs transactions with WATCH, and scripts', async () => {
      const redis = ioredis(port)
      const other = ioredis(port)
      const result = await redis.multi().set('t', 1).incr('t').exec()
      assert.deepEqual(result, [
        [null, 'OK'],
        [null, 2],
      ])
      await redis.watch('t')
      await other.set('t', 5)
      assert.equal(await redis.multi().set('t', 9).exec(), null)
      redis.defineCommand('addTo', { numberOfKeys: 1, lua: "return redis.call('INCRBY', KEYS[1], ARGV[1])" })
      const addTo = (redis as unknown as { addTo(key: string, by: number): Promise<number> }).addTo.bind(redis)
      assert.equal(await addTo('t', 10), 15)
      assert.equal(await addTo('t', 10), 25)
      assert.equal(await redis.get('t'), '25')
    })

    it('publishes and subscribes, blocks and reads streams', async () => {
      const redis = ioredis(port)
      const subscriber = ioredis(port)
      const messages: string[] = []
      await subscriber.subscribe('news')
      subscriber.on('message', (channel, message) => messages.push(`${channel}:${message}`))
      await redis.publish('news', 'hello')
      await waitUntil(() => messages.length === 1, { what: 'the message' })
      const waiting = ioredis(port)
      const popped = waiting.blpop('queue', 5)
      await redis.rpush('queue', 'x')
      assert.deepEqual(await popped, ['queue', 'x'])
      await redis.xgroup('CREATE', 'stream', 'g', '0', 'MKSTREAM')
      const id = await redis.xadd('stream', '*', 'f', 'v')
      const read = await waiting.xreadgroup('GROUP', 'g', 'c', 'BLOCK', 1000, 'STREAMS', 'stream', '>')
      assert.deepEqual(read, [['stream', [[id, ['f', 'v']]]]])
      assert.equal(await redis.xack('stream', 'g', id!), 1)
    })
  })

  for (const RESP of [2, 3] as const) {
    describe(`node-redis through the proxy of ${upstream}, RESP${RESP}`, () => {
      it('is used as ever', async () => {
        const client = await nodeRedis(port, RESP)
        await client.set('n', '1')
        assert.equal(await client.incr('n'), 2)
        assert.equal(await client.get('n'), '2')
        const results = await client.multi().set('m', 'x').get('m').exec()
        assert.deepEqual(results.map(String), ['OK', 'x'])
        await client.zAdd('z', [
          { score: 1.5, value: 'a' },
          { score: 2, value: 'b' },
        ])
        assert.equal(await client.zScore('z', 'a'), 1.5)
        assert.deepEqual(await client.zRangeWithScores('z', 0, -1), [
          { value: 'a', score: 1.5 },
          { value: 'b', score: 2 },
        ])
        const many = await Promise.all(Array.from({ length: 200 }, (_, i) => client.set(`many:${i}`, String(i))))
        assert.ok(many.every((reply) => reply === 'OK'))
        const subscriber = client.duplicate()
        await subscriber.connect()
        const heard: string[] = []
        await subscriber.subscribe('ch', (message) => heard.push(message))
        await client.publish('ch', 'hi')
        await waitUntil(() => heard.length === 1, { what: 'the message' })
        subscriber.destroy()
      })
    })
  }
}
