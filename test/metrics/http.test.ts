/** The HTTP side: which paths there are, what makes a server unhealthy or not ready, and that failures are answered. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { Host, UpstreamInfo } from '../../src/commands/host.ts'
import { whyNotReady, whyUnhealthy } from '../../src/metrics/health.ts'
import { MetricsServer, type Pages } from '../../src/metrics/http.ts'
import { upstreamLagMs } from '../../src/metrics/lag.ts'
import type { Cleanup } from '../support/cleanup.ts'
import { freePort } from '../support/ports.ts'
import { follow } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'

async function serve(t: Cleanup, pages: Partial<Pages> = {}): Promise<{ url: string; logged: string[]; port: number }> {
  const logged: string[] = []
  const server = new MetricsServer({
    log: (_, text) => void logged.push(text),
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    metrics: async () => 'a 1\n',
    whyUnhealthy: () => null,
    whyNotReady: () => null,
    ...pages,
  })
  await server.listen('127.0.0.1', 0)
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${server.port}`, logged, port: server.port }
}

async function answer(url: string, options: RequestInit = {}): Promise<[number, string]> {
  const response = await fetch(url, options)
  return [response.status, await response.text()]
}

test('there are three paths, and they are only read', async (t) => {
  const { url } = await serve(t)
  assert.deepEqual(await answer(`${url}/metrics`), [200, 'a 1\n'])
  assert.deepEqual(await answer(`${url}/metrics?x=1`), [200, 'a 1\n'])
  assert.deepEqual(await answer(`${url}/healthz`), [200, 'ok\n'])
  assert.deepEqual(await answer(`${url}/readyz`), [200, 'ok\n'])
  assert.deepEqual(await answer(`${url}/metrics`, { method: 'HEAD' }), [200, ''])
  assert.equal((await answer(`${url}/`))[0], 404)
  assert.equal((await answer(`${url}/metrics/more`))[0], 404)
  const refused = await fetch(`${url}/metrics`, { method: 'POST', body: 'x' })
  assert.equal(refused.status, 405)
  assert.equal(refused.headers.get('allow'), 'GET, HEAD')
  const page = await fetch(`${url}/metrics`)
  assert.equal(page.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
})

test('reasons are told with status 503', async (t) => {
  const { url } = await serve(t, { whyUnhealthy: () => 'loading', whyNotReady: () => 'behind' })
  assert.deepEqual(await answer(`${url}/healthz`), [503, 'loading\n'])
  assert.deepEqual(await answer(`${url}/readyz`), [503, 'behind\n'])
  assert.equal((await answer(`${url}/metrics`))[0], 200)
})

test('a scrape that fails is logged and answered with status 500', async (t) => {
  const { url, logged } = await serve(t, {
    metrics: async () => {
      throw new Error('broken group')
    },
  })
  assert.equal((await answer(`${url}/metrics`))[0], 500)
  assert.match(logged.join('\n'), /broken group/)
  assert.equal((await answer(`${url}/healthz`))[0], 200)
})

test('bytes that are not HTTP end the connection and nothing else', async (t) => {
  const { url, port } = await serve(t)
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.resume()
  socket.write('*1\r\n$4\r\nPING\r\n')
  await waitUntil(() => socket.destroyed || socket.readableEnded, { what: 'the connection to end' })
  assert.equal((await answer(`${url}/healthz`))[0], 200)
})

interface State {
  loading?: boolean
  shutdownAtMs?: number
  upstream?: Partial<UpstreamInfo>
}

const UP: UpstreamInfo = {
  host: 'h',
  port: 1,
  linkStatus: 'up',
  state: 'connected',
  lastIoSecondsAgo: 0,
  syncInProgress: false,
  syncTotalBytes: 0,
  syncReadBytes: 0,
  syncLastIoSecondsAgo: 0,
  linkDownSinceSeconds: -1,
  readOffset: 100,
  appliedOffset: 100,
  lagMs: 0,
}

function host({ loading = false, shutdownAtMs = 0, upstream }: State): Host {
  const options: Record<string, number> = { 'ready-max-lag': 10_000, 'repl-ping-replica-period': 10 }
  return {
    shutdownAtMs,
    unixMs: 1_000_000,
    config: { get: (name: string) => options[name] },
    persistence: { loading, asyncLoading: false, loadedBytes: 1, loadTotalBytes: 2 },
    replication: { upstream: upstream === undefined ? null : { ...UP, ...upstream }, roleChangedAtMs: 900_000 },
  } as unknown as Host
}

test('a server that loads or ends is neither healthy nor ready', () => {
  assert.equal(whyUnhealthy(host({})), null)
  assert.equal(whyNotReady(host({})), null)
  assert.match(whyUnhealthy(host({ loading: true }))!, /loading/)
  assert.match(whyNotReady(host({ loading: true }))!, /loading/)
  assert.equal(whyUnhealthy(host({ shutdownAtMs: 5 })), 'shutting down')
})

test('a replica is ready when its link is up and its copy is recent', () => {
  assert.equal(whyNotReady(host({ upstream: {} })), null)
  assert.match(
    whyNotReady(host({ upstream: { linkStatus: 'down', state: 'connecting' } }))!,
    /h:1 is down \(connecting\)/,
  )
  assert.match(whyNotReady(host({ upstream: { readOffset: 200, lagMs: 10_001 } }))!, /10001 ms behind/)
  assert.equal(whyNotReady(host({ upstream: { readOffset: 200, lagMs: 9_000 } })), null)
  assert.equal(whyUnhealthy(host({ upstream: { linkStatus: 'down' } })), null)
})

test('an idle link counts as level for as long as the primary may be silent, a link that is down never does', () => {
  assert.equal(upstreamLagMs(host({})), undefined)
  assert.equal(upstreamLagMs(host({ upstream: { lagMs: 10_500 } })), 0)
  assert.equal(upstreamLagMs(host({ upstream: { lagMs: 11_500 } })), 11_500)
  assert.equal(upstreamLagMs(host({ upstream: { linkStatus: 'down', linkDownSinceSeconds: 3 } })), 3000)
  assert.equal(upstreamLagMs(host({ upstream: { linkStatus: 'down', linkDownSinceSeconds: -1 } })), 100_000)
})

test('a replica that has lost its primary says so in /readyz, and is ready again as a primary', async (t) => {
  const primary = await startTandem(t)
  const replica = await startTandem(t)
  const wire = await connectFor(t, replica.port)
  const readyz = `http://127.0.0.1:${replica.metricsPort}/readyz`
  assert.deepEqual(await answer(readyz), [200, 'ok\n'])
  await follow(wire, primary.port)
  assert.deepEqual(await answer(readyz), [200, 'ok\n'])
  await primary.kill9()
  await waitUntil(async () => (await answer(readyz))[0] === 503, { what: '/readyz to answer 503' })
  assert.match((await answer(readyz))[1], new RegExp(`^the link to 127.0.0.1:${primary.port} is down`))
  assert.deepEqual(await answer(`http://127.0.0.1:${replica.metricsPort}/healthz`), [200, 'ok\n'])
  await wire.must('REPLICAOF', 'NO', 'ONE')
  assert.deepEqual(await answer(readyz), [200, 'ok\n'])
})

test('metrics-port 0 serves no metrics, and a port that is taken does not stop the server', async (t) => {
  const taken = await startTandem(t)
  const second = await startTandem(t, { args: ['--metrics-port', String(taken.metricsPort)] })
  assert.match(second.logs(), /Metrics are not served: .*EADDRINUSE/)
  assert.equal(await (await connectFor(t, second.port)).must('PING'), 'PONG')
  const without = await startTandem(t, { args: ['--metrics-port', '0'] })
  await assert.rejects(fetch(`http://127.0.0.1:${without.metricsPort}/healthz`))
  const free = await freePort()
  const other = await startTandem(t, { args: ['--metrics-port', String(free)] })
  assert.equal((await answer(`http://127.0.0.1:${free}/healthz`))[0], 200)
  assert.ok(other.running)
})
