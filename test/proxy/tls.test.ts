/** Upstreams by TLS: rediss:// for the proxy, through Sentinels, and for a copy inside a process. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { createReplica } from '../../src/index.ts'
import { authority, tlsArgs } from '../support/certificates.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { freePort } from '../support/ports.ts'
import { caughtUp, counts, proxyField, ready } from '../support/proxy.ts'
import { type RedisPeer, startRedis } from '../support/redis.ts'
import { startRelay } from '../support/relay.ts'
import { field } from '../support/replicas.ts'
import { launchSentinel } from '../support/sentinel.ts'
import type { ServerProcess } from '../support/server-process.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'

const file = fileCleanup()
const trusted = authority(file)
const pair = trusted.issue('server')
const client = trusted.issue('client', { usage: 'clientAuth' })
const CLIENT = ['--tls-ca-cert-file', trusted.ca, '--tls-client-cert-file', client.cert]
const CLIENT_TLS = [...CLIENT, '--tls-client-key-file', client.key]

async function upstream(...more: string[]): Promise<{ redis: RedisPeer; tlsPort: number }> {
  const tlsPort = await freePort()
  const args = ['--tls-port', String(tlsPort), ...tlsArgs(trusted.ca, pair), '--repl-backlog-size', '32mb', ...more]
  return { redis: await startRedis(file, { args }), tlsPort }
}

it('rediss:// reaches the upstream by TLS alone, and resumes after a cut', async () => {
  const { redis, tlsPort } = await upstream('--requirepass', 'secret')
  const relay = await startRelay(file, tlsPort)
  const url = `rediss://:secret@127.0.0.1:${relay.port}`
  const tandem = await startTandem(file, { args: ['--proxy-upstream', url, ...CLIENT_TLS] })
  await ready(tandem)
  const proxy = await connectFor(file, tandem.port)
  const direct = await connectFor(file, redis.port)
  await direct.must('AUTH', 'secret')
  const large = 'y'.repeat(1_000_000)
  for (const protocol of [2, 3] as const) {
    const wire = await connectFor(file, tandem.port, protocol)
    await wire.must('SET', `large:${protocol}`, large)
    assert.equal(await wire.must('GET', `large:${protocol}`), large)
    const replies = await wire.pipeline(Array.from({ length: 2000 }, () => ['INCR', `n:${protocol}`]))
    assert.equal(replies.at(-1), 2000)
  }
  assert.equal((await counts(proxy)).writes, 4002)
  relay.cutAll()
  await waitUntil(async () => (await proxy.send('SET', 'after', 'the cut')) === 'OK', { what: 'the upstream' })
  await ready(tandem)
  await caughtUp(direct, proxy)
  assert.equal(await proxy.must('GET', 'after'), 'the cut')
  assert.equal(await field(direct, 'stats', 'sync_full'), '1')
  assert.equal(await proxy.must('DEBUG', 'DIGEST'), await direct.must('DEBUG', 'DIGEST'))
})

it('rediss:// without a certificate that the upstream wants does not get a copy, and says why', async () => {
  const { tlsPort } = await upstream()
  const tandem = await startTandem(file, {
    args: ['--proxy-upstream', `rediss://127.0.0.1:${tlsPort}`, '--tls-ca-cert-file', trusted.ca],
  })
  const proxy = await connectFor(file, tandem.port)
  await waitUntil(async () => /alert/.test(await proxyField(proxy, 'upstream_error')), { what: 'the refusal' })
  await proxy.must('CONFIG', 'SET', 'tls-client-cert-file', client.cert, 'tls-client-key-file', client.key)
  await ready(tandem)
  await waitUntil(async () => (await proxy.send('SET', 'a', 1)) === 'OK', { what: 'writes' })
})

it('rediss+sentinel:// asks Sentinels by TLS, and follows their failover', async () => {
  const replication = ['--tls-replication', 'yes', '--tls-client-cert-file', client.cert]
  const mutual = [...replication, '--tls-client-key-file', client.key]
  const first = await upstream(...mutual)
  const second = await upstream(...mutual, '--replicaof', '127.0.0.1', String(first.tlsPort))
  await ready(second.redis as never)
  const sentinelPort = await startTlsSentinel(first.tlsPort)
  const url = `rediss+sentinel://127.0.0.1:${sentinelPort}/main`
  const tandem = await startTandem(file, { args: ['--proxy-upstream', url, ...CLIENT_TLS] })
  await ready(tandem)
  const proxy = await connectFor(file, tandem.port)
  await proxy.must('SET', 'before', 1)
  assert.equal(await proxy.must('WAIT', 2, 5000), 2)
  assert.equal(await proxyField(proxy, 'upstream'), `127.0.0.1:${first.tlsPort}`)
  await waitUntil(() => knowsReplica(sentinelPort, second.tlsPort), { timeoutMs: 20_000, what: 'the replica' })
  await first.redis.kill9()
  await waitUntil(async () => (await proxyField(proxy, 'upstream')) === `127.0.0.1:${second.tlsPort}`, {
    timeoutMs: 30_000,
    what: 'the failover',
  })
  await ready(tandem)
  await waitUntil(async () => (await proxy.send('SET', 'after', 2)) === 'OK', { timeoutMs: 20_000, what: 'writes' })
  assert.equal(await proxy.must('GET', 'before'), '1')
})

const sentinels = new Map<number, ServerProcess>()

async function startTlsSentinel(primaryPort: number): Promise<number> {
  const port = await freePort()
  const sentinel = await launchSentinel(file, port, [
    'port 0',
    `tls-port ${port}`,
    `tls-cert-file ${pair.cert}`,
    `tls-key-file ${pair.key}`,
    `tls-ca-cert-file ${trusted.ca}`,
    'tls-replication yes',
    `sentinel monitor main 127.0.0.1 ${primaryPort} 1`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 5000',
  ])
  sentinels.set(port, sentinel)
  return port
}

async function knowsReplica(sentinelPort: number, replicaPort: number): Promise<boolean> {
  return sentinels.get(sentinelPort)!.logs().includes(`+slave slave 127.0.0.1:${replicaPort}`)
}

it('createReplica() follows and writes by TLS, and checks the name', async () => {
  const { redis, tlsPort } = await upstream()
  const ca = readFileSync(trusted.ca)
  const tls = { ca, cert: readFileSync(client.cert), key: readFileSync(client.key) }
  const replica = await createReplica({ from: `rediss://localhost:${tlsPort}`, tls })
  file.after(() => replica.close())
  assert.equal(await replica.write('SET', 'a', 'b'), 'OK')
  assert.equal(replica.get('a'), 'b')
  const direct = await connectFor(file, redis.port)
  await direct.must('SET', 'c', 'd')
  await replica.caughtUp()
  assert.equal(replica.get('c'), 'd')
  const named = { ...tls, servername: 'elsewhere.example' }
  const from = `rediss://127.0.0.1:${tlsPort}`
  await assert.rejects(createReplica({ from, tls: named, timeoutMs: 1000 }), /does not match certificate/)
  await assert.rejects(createReplica({ from, timeoutMs: 1000 }), /certificate/)
})
