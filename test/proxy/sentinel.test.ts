/** A group behind Sentinels: the proxy finds its primary, and follows it when there is another. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { freePort } from '../support/ports.ts'
import { caughtUp, proxyField, ready } from '../support/proxy.ts'
import { startRedis } from '../support/redis.ts'
import { field, linkUp } from '../support/replicas.ts'
import { launchSentinel } from '../support/sentinel.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'

const file = fileCleanup()

async function startSentinel(primaryPort: number): Promise<number> {
  const port = await freePort()
  await launchSentinel(file, port, [
    `port ${port}`,
    `sentinel monitor main 127.0.0.1 ${primaryPort} 1`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 5000',
  ])
  return port
}

it('follows a failover by itself', async () => {
  const primary = await startRedis(file, { args: ['--repl-backlog-size', '16mb'] })
  const replica = await startRedis(file, { args: ['--replicaof', '127.0.0.1', String(primary.port)] })
  let second = await connectFor(file, replica.port)
  await linkUp(second)
  const sentinelPort = await startSentinel(primary.port)
  const tandem = await startTandem(file, { args: ['--proxy-upstream', `sentinel://127.0.0.1:${sentinelPort}/main`] })
  await ready(tandem)
  const proxy = await connectFor(file, tandem.port)
  await proxy.must('SET', 'before', 1)
  assert.equal(await proxy.must('WAIT', 2, 5000), 2)
  assert.equal(await proxyField(proxy, 'upstream'), `127.0.0.1:${primary.port}`)
  const sentinel = await connectFor(file, sentinelPort)
  await waitUntil(
    async () => JSON.stringify(await sentinel.must('SENTINEL', 'REPLICAS', 'main')).includes(String(replica.port)),
    {
      timeoutMs: 20_000,
      what: 'the Sentinel to know the replica',
    },
  )
  await primary.kill9()
  await waitUntil(async () => (await proxyField(proxy, 'upstream')) === `127.0.0.1:${replica.port}`, {
    timeoutMs: 30_000,
    what: 'the failover',
  })
  await linkUp(proxy)
  await waitUntil(async () => (await proxy.send('SET', 'after', 2)) === 'OK', { timeoutMs: 20_000, what: 'writes' })
  assert.equal(await proxy.must('GET', 'before'), '1')
  assert.equal(await proxy.must('GET', 'after'), '2')
  // Sentinel closed it when it promoted the server.
  second = await connectFor(file, replica.port)
  await caughtUp(second, proxy)
  assert.equal(await field(second, 'stats', 'sync_full'), '0', 'the proxy resumed in the same history')
})
