/** A distributed lock and a rate limiter on ioredis, both Lua scripts of their libraries. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Redis } from 'ioredis'
import { RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible'
import Redlock from 'redlock'
import { fileCleanup } from '../support/cleanup.ts'
import { startTandem } from '../support/tandem.ts'

const file = fileCleanup()

async function client(): Promise<Redis> {
  const { port } = await startTandem(file)
  const redis = new Redis({ port, host: '127.0.0.1' })
  file.after(async () => redis.disconnect())
  return redis
}

describe('libraries on scripts', () => {
  it('redlock: one holder at a time, on three servers', async () => {
    const servers = await Promise.all([client(), client(), client()])
    const locks = new Redlock(servers, { retryCount: 0 })
    const lock = await locks.lock('resource', 5000)
    await assert.rejects(locks.lock('resource', 5000))
    const longer = await lock.extend(8000)
    assert.ok((await servers[0]!.pttl('resource')) > 5000)
    await longer.unlock()
    await (await locks.lock('resource', 1000)).unlock()
    assert.equal(await servers[2]!.exists('resource'), 0)
  })

  it('rate-limiter-flexible: refuses beyond the points and says for how long', async () => {
    const limiter = new RateLimiterRedis({ storeClient: await client(), points: 3, duration: 5, keyPrefix: 'limit' })
    for (let left = 2; left >= 0; left--) assert.equal((await limiter.consume('user')).remainingPoints, left)
    const refused: unknown = await limiter.consume('user').catch((error: unknown) => error)
    const { msBeforeNext, consumedPoints } = refused as RateLimiterRes
    assert.equal(consumedPoints, 4)
    assert.ok(msBeforeNext > 0 && msBeforeNext <= 5000)
    await limiter.delete('user')
    assert.equal((await limiter.consume('user')).remainingPoints, 2)
  })
})
