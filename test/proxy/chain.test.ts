/** The proxy between other servers: Tandem as its upstream, a redis-server as its replica, and a promotion of its own. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { caughtUp, ready, startProxy } from '../support/proxy.ts'
import { startRedis } from '../support/redis.ts'
import { field, linkUp, sameData, write, writes } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import { connectFor } from '../support/wire.ts'

const file = fileCleanup()

it('follows a Tandem, and a redis-server follows it', async () => {
  const upstream = await startTandem(file)
  const tandem = await startTandem(file, { args: ['--proxy-upstream', `redis://127.0.0.1:${upstream.port}`] })
  await ready(tandem)
  const below = await startRedis(file, { args: ['--replicaof', '127.0.0.1', String(tandem.port)] })
  const [primary, proxy, replica] = [
    await connectFor(file, upstream.port),
    await connectFor(file, tandem.port),
    await connectFor(file, below.port),
  ]
  await linkUp(replica)
  await write(proxy, writes(3, 20_000))
  await caughtUp(primary, proxy)
  await sameData(primary, replica)
  assert.equal(await proxy.must('DEBUG', 'DIGEST'), await primary.must('DEBUG', 'DIGEST'))
})

it('becomes a primary with all of the data when it is told to', async () => {
  const proxied = await startProxy(file)
  const upstream = await connectFor(file, proxied.redis.port)
  const proxy = await connectFor(file, proxied.tandem.port)
  await write(proxy, writes(4, 5000))
  await proxy.must('SELECT', 0)
  await caughtUp(upstream, proxy)
  assert.equal(await proxy.must('REPLICAOF', 'NO', 'ONE'), 'OK')
  assert.equal(await proxy.must('DEBUG', 'DIGEST'), await upstream.must('DEBUG', 'DIGEST'))
  await proxy.must('SET', 'own', 'write')
  assert.equal(await upstream.must('GET', 'own'), null)
  assert.equal(await proxy.must('GET', 'own'), 'write')
  // The former upstream may follow it, without a full synchronisation.
  await upstream.must('REPLICAOF', '127.0.0.1', proxied.tandem.port)
  await linkUp(upstream)
  await sameData(proxy, upstream)
  assert.equal(await field(proxy, 'stats', 'sync_full'), '0')
  // And back: it passes writes on again.
  await upstream.must('REPLICAOF', 'NO', 'ONE')
  await proxy.must('REPLICAOF', '127.0.0.1', proxied.relay.port)
  await linkUp(proxy)
  await proxy.must('SET', 'again', 'passed')
  assert.equal(await upstream.must('GET', 'again'), 'passed')
})
