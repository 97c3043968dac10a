/**
 * What a connection may read: under `session` never less than it has written or read, whatever the lag and however often the
 * links are cut; under `eventual` it may, and the checker sees it. `bounded` and `linearizable` as they say.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { caughtUp, counts, ends, handOver, type Proxied, proxyField, startProxy } from '../support/proxy.ts'
import { startRedis } from '../support/redis.ts'
import { linkUp } from '../support/replicas.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'
import { type CheckResult, check } from './checker.ts'

const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 1)
/** `npm run soak -- proxy` wants many. */
const OPERATIONS = Number(process.env.OPERATIONS ?? 30_000)

async function checked(proxied: Proxied, greeting: string | undefined, cuts: () => void): Promise<CheckResult> {
  const timer = setInterval(cuts, 150)
  try {
    return await check({
      port: proxied.tandem.port,
      seed: SEED,
      clients: 20,
      operations: 30_000,
      keys: 50,
      ...(greeting === undefined ? {} : { greeting }),
    })
  } finally {
    clearInterval(timer)
  }
}

describe('session consistency', () => {
  it('holds while the copy lags and its link is cut, where eventual reads what is old', async () => {
    const proxied = await startProxy(file)
    proxied.relay.delayReplicas(15)
    const cut = () => proxied.relay.cutReplicas()
    const eventual = await checked(proxied, 'CLIENT CONSISTENCY EVENTUAL', cut)
    assert.ok(eventual.violations.length > 0, 'the checker sees violations where there are some')
    const session = await checked(proxied, undefined, cut)
    assert.deepEqual(session.violations.slice(0, 3), [], `seed ${SEED}`)
    assert.deepEqual([...session.errors], [])
    const [upstream, proxy] = await ends(file, proxied)
    await caughtUp(upstream, proxy)
    assert.ok(Number(await proxyField(proxy, 'waits')) > 0)
    assert.equal(await proxy.must('DEBUG', 'DIGEST'), await upstream.must('DEBUG', 'DIGEST'))
  })

  it('holds when all links are cut: what is refused or uncertain is said, and no write is made twice', async () => {
    const proxied = await startProxy(file, ['--session-wait', '30'])
    const result = await checked(proxied, undefined, () => proxied.relay.cutAll())
    assert.deepEqual(result.violations.slice(0, 3), [], `seed ${SEED}`)
    const upstream = await connectFor(file, proxied.redis.port)
    let made = 0
    for (let key = 0; key < 50; key++) made += Number((await upstream.must('GET', `check:${key}`)) ?? 0)
    const uncertain = result.errors.get('write UNCERTAIN') ?? 0
    assert.ok(made >= result.writes && made <= result.writes + uncertain, `${made} of ${result.writes} + ${uncertain}`)
    assert.equal(result.errors.get('write ERR'), undefined)
  })

  it('holds for fifty clients under lag and cuts and over a failover', async () => {
    const proxied = await startProxy(file)
    const successor = await startRedis(file, { args: ['--replicaof', '127.0.0.1', String(proxied.redis.port)] })
    const [old, proxy] = await ends(file, proxied)
    const next = await connectFor(file, successor.port)
    await linkUp(next)
    proxied.relay.delayReplicas(3)
    const cuts = setInterval(() => proxied.relay.cutReplicas(), 400)
    const cutsOfAll = setInterval(() => proxied.relay.cutAll(), 2500)
    let moved: Promise<void> | undefined
    const move = () => handOver(old, next, proxy, successor.port)
    const result = await check({
      port: proxied.tandem.port,
      seed: SEED,
      clients: 50,
      operations: OPERATIONS,
      keys: 50,
      onProgress: (done) => {
        if (done > OPERATIONS * 0.6) moved ??= move()
      },
    }).finally(() => {
      clearInterval(cuts)
      clearInterval(cutsOfAll)
    })
    await moved
    assert.deepEqual(result.violations.slice(0, 3), [], `seed ${SEED}`)
    await linkUp(proxy)
    await caughtUp(next, proxy)
    assert.equal(await proxyField(proxy, 'upstream'), `127.0.0.1:${successor.port}`)
    assert.equal(await proxy.must('DEBUG', 'DIGEST'), await next.must('DEBUG', 'DIGEST'))
    let made = 0
    for (let key = 0; key < 50; key++) made += Number((await next.must('GET', `check:${key}`)) ?? 0)
    const uncertain = result.errors.get('write UNCERTAIN') ?? 0
    assert.ok(made >= result.writes && made <= result.writes + uncertain, `${made} of ${result.writes} + ${uncertain}`)
    process.stdout.write(
      `# ${result.operations} operations, ${result.reads} reads, ${result.writes} writes, ${JSON.stringify([...result.errors])}\n`,
    )
  })

  it('goes upstream when the copy does not catch up in time, and stays here otherwise', async () => {
    const proxied = await startProxy(file, ['--session-wait', '40'])
    const proxy = await connectFor(file, proxied.tandem.port)
    const other = await connectFor(file, proxied.tandem.port)
    proxied.relay.delayReplicas(300)
    await proxy.must('SET', 'a', 1)
    const start = performance.now()
    assert.equal(await proxy.must('GET', 'a'), '1')
    const took = performance.now() - start
    assert.ok(took >= 35 && took < 250, `${took} ms`)
    assert.equal(await proxyField(other, 'session_waits_expired'), '1')
    assert.equal((await counts(other)).reads, 1)
    assert.equal(await other.must('GET', 'a'), null, 'another connection has no such claim')
    assert.match(String(await proxy.must('SCAN', 0).catch((error) => error)), /TRYAGAIN/)
  })
})

describe('CLIENT CONSISTENCY', () => {
  it('is asked and set', async () => {
    const proxied = await startProxy(file, ['--proxy-consistency', 'bounded 250'])
    const proxy = await connectFor(file, proxied.tandem.port)
    assert.equal(await proxy.must('CLIENT', 'CONSISTENCY'), 'bounded 250')
    assert.equal(await proxy.must('CLIENT', 'CONSISTENCY', 'LINEARIZABLE'), 'OK')
    assert.equal(await proxy.must('CLIENT', 'CONSISTENCY'), 'linearizable')
    assert.deepEqual(await proxy.send('CLIENT', 'CONSISTENCY', 'strong'), {
      error: 'ERR CLIENT CONSISTENCY takes eventual, session, bounded <milliseconds> [fail] or linearizable',
    })
    await proxy.must('RESET')
    assert.equal(await proxy.must('CLIENT', 'CONSISTENCY'), 'bounded 250')
  })

  it('linearizable reads upstream; bounded when the copy is older than that', async () => {
    const proxied = await startProxy(file)
    const [upstream, proxy] = await ends(file, proxied)
    proxied.relay.delayReplicas(10_000)
    await upstream.must('SET', 'x', 'new')
    assert.equal(await proxy.must('GET', 'x'), null)
    await proxy.must('CLIENT', 'CONSISTENCY', 'LINEARIZABLE')
    assert.equal(await proxy.must('GET', 'x'), 'new')
    const bounded = await connectFor(file, proxied.tandem.port)
    await bounded.must('CLIENT', 'CONSISTENCY', 'BOUNDED', 200)
    await waitUntil(async () => (await bounded.must('GET', 'x')) === 'new', {
      what: 'the bound to pass',
      timeoutMs: 2000,
    })
    await bounded.must('CLIENT', 'CONSISTENCY', 'BOUNDED', 200, 'FAIL')
    assert.match(JSON.stringify(await bounded.send('GET', 'x')), /STALE/)
  })
})
