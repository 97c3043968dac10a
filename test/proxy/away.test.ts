/** The upstream goes away and comes back: what is read, what is refused, what is waited for. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { ends, proxyField, ready, startProxy } from '../support/proxy.ts'
import { startRedis } from '../support/redis.ts'
import { linkUp } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, isError } from '../support/wire.ts'

const file = fileCleanup()

describe('an upstream that is away', () => {
  it('leaves reads to the copy and has writes refused at once', async () => {
    const proxied = await startProxy(file)
    const [, proxy] = await ends(file, proxied)
    await proxy.must('SET', 'a', 1)
    assert.equal(await proxy.must('GET', 'a'), '1')
    await proxied.redis.stop()
    await waitUntil(async () => (await proxyField(proxy, 'upstream_status')) === 'down', { what: 'it to be noticed' })
    assert.equal(await proxy.must('GET', 'a'), '1')
    const start = performance.now()
    const refused = await proxy.send('SET', 'a', 2)
    assert.ok(isError(refused) && /^MASTERDOWN The upstream is away: this write was not sent/.test(refused.error))
    assert.ok(performance.now() - start < 2000)
    assert.ok(Number(await proxyField(proxy, 'copy_age_ms')) >= 0)
    assert.ok(Number(await proxyField(proxy, 'writes_refused')) >= 1)
    await proxied.redis.start()
    await linkUp(proxy)
    await waitUntil(async () => (await proxy.send('SET', 'b', 2)) === 'OK', { what: 'writes to pass again' })
    assert.equal(await proxy.must('GET', 'b'), '2')
  })

  it('is waited for by writes as long as write-timeout says', async () => {
    const proxied = await startProxy(file, ['--write-timeout', '5000'])
    const [, proxy] = await ends(file, proxied)
    await proxy.must('SET', 'a', 1)
    await proxied.relay.stop()
    await waitUntil(async () => (await proxyField(proxy, 'upstream_status')) === 'down')
    const written = proxy.pipeline([
      ['SET', 'a', 2],
      ['INCR', 'a'],
      ['GET', 'a'],
    ])
    await new Promise((resolve) => setTimeout(resolve, 200))
    await proxied.relay.start()
    assert.deepEqual(await written, ['OK', 3, '3'])
    const other = await connectFor(file, proxied.tandem.port)
    await other.must('CONFIG', 'SET', 'write-timeout', 100)
    await proxied.relay.stop()
    await waitUntil(async () => (await proxyField(other, 'upstream_status')) === 'down')
    const start = performance.now()
    assert.ok(isError(await other.send('SET', 'a', 4)))
    const took = performance.now() - start
    assert.ok(took >= 90 && took < 2000, `${took} ms`)
  })

  it('is not read from longer than stale-reads-max-age', async () => {
    const proxied = await startProxy(file, ['--stale-reads-max-age', '1500'])
    const [, proxy] = await ends(file, proxied)
    await proxy.must('SET', 'a', 1)
    await proxied.redis.stop()
    await waitUntil(async () => (await proxyField(proxy, 'upstream_status')) === 'down')
    assert.equal(await proxy.must('GET', 'a'), '1')
    await waitUntil(async () => isError(await proxy.send('GET', 'a')), { what: 'reads to be refused', timeoutMs: 5000 })
    const refused = await proxy.send('GET', 'a')
    assert.ok(isError(refused) && /^MASTERDOWN .*more than stale-reads-max-age \(1500 ms\)$/.test(refused.error))
    await proxied.redis.start()
    await linkUp(proxy)
    await waitUntil(async () => !isError(await proxy.send('GET', 'a')), { what: 'reads to be answered' })
  })

  it('says of a write that lost its reply that it may have been applied', async () => {
    const proxied = await startProxy(file)
    const [upstream, proxy] = await ends(file, proxied)
    await proxy.must('SET', 'n', 0)
    proxied.relay.freeze()
    const lost = proxy.pipeline([
      ['INCR', 'n'],
      ['GET', 'n'],
    ])
    await new Promise((resolve) => setTimeout(resolve, 50))
    proxied.relay.cutAll()
    proxied.relay.thaw()
    const [write, read] = await lost
    assert.match(JSON.stringify(write), /UNCERTAIN The upstream was lost before it replied/)
    assert.match(JSON.stringify(read), /MASTERDOWN The upstream was lost before it replied to this read/)
    await waitUntil(async () => (await proxy.send('INCR', 'n')) !== undefined)
    assert.ok(Number(await upstream.must('GET', 'n')) <= 2, 'nothing was sent twice')
    assert.equal(await proxyField(proxy, 'writes_uncertain'), '1')
  })

  it('that comes back empty is followed in its new history', async () => {
    const proxied = await startProxy(file)
    const [, proxy] = await ends(file, proxied)
    for (let i = 0; i < 200; i++) await proxy.must('SET', `k:${i}`, 'x'.repeat(100))
    await proxied.redis.kill9()
    await proxied.redis.start()
    await waitUntil(async () => (await proxy.send('SET', 'new', 1)) === 'OK', { what: 'writes to pass again' })
    assert.equal(await proxy.must('GET', 'new'), '1', 'its own write, in the new history')
    await linkUp(proxy)
    await waitUntil(async () => (await proxy.must('DBSIZE')) === 1, { what: 'the old data to be gone' })
  })
})

describe('a proxy that starts', () => {
  it('asks its upstream until there is a copy', async () => {
    const redis = await startRedis(file, { args: ['--repl-diskless-sync-delay', '3'] })
    const upstream = await connectFor(file, redis.port)
    await upstream.must('SET', 'a', 1)
    const tandem = await startTandem(file, { args: ['--proxy-upstream', `redis://127.0.0.1:${redis.port}/2`] })
    const proxy = await connectFor(file, tandem.port)
    assert.equal(await proxyField(proxy, 'copy_ready'), '0')
    await proxy.must('SET', 'in two', 2)
    assert.equal(await proxy.must('GET', 'in two'), '2')
    await proxy.must('SELECT', 0)
    assert.equal(await proxy.must('GET', 'a'), '1')
    await ready(tandem)
    assert.equal(await proxy.must('GET', 'a'), '1')
  })

  it('logs in where it has to', async () => {
    const redis = await startRedis(file, { args: ['--requirepass', 'secret'] })
    const tandem = await startTandem(file, { args: ['--proxy-upstream', `redis://:secret@127.0.0.1:${redis.port}`] })
    await ready(tandem)
    for (const protocol of [2, 3] as const) {
      const proxy = await connectFor(file, tandem.port, protocol)
      assert.equal(await proxy.must('SET', 'a', 1), 'OK')
      assert.equal(await proxy.must('GET', 'a'), '1')
    }
  })

  it('refuses an upstream that is none', async () => {
    await assert.rejects(
      startTandem(file, { args: ['--proxy-upstream', 'localhost:6379'] }),
      /the upstream must be redis:/,
    )
  })
})
