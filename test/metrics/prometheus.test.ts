/**
 * A real Prometheus scrapes a primary and its replica, evaluates rules and alerts, and answers every query of the dashboards.
 * The panels must not only be answered without an error but show something, except those of what has not happened.
 */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { startPrometheus } from '../support/prometheus.ts'
import { follow } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'
import { dashboards, ruleFiles, rules, substituted } from './grafana-files.ts'

const RATE_INTERVAL = '10s'
const RANGE_SECONDS = 10
/** They show events that may be over, or not have been, in the few seconds of this test. */
const MAY_BE_EMPTY = new Set(['Resynchronisations', 'Garbage collection', 'Connections lost', 'Writes in doubt'])

const file = fileCleanup()
const primary = await startTandem(file)
const replica = await startTandem(file)
const proxyArgs = ['--proxy-upstream', `redis://127.0.0.1:${primary.port}`, '--replica-filter-keys', 'key']
const proxy = await startTandem(file, { args: proxyArgs })
const targets = [primary.metricsPort, replica.metricsPort, proxy.metricsPort]
const prometheus = await startPrometheus(file, { targets, ruleFiles })
const writer = await connectFor(file, primary.port)
const reader = await connectFor(file, replica.port)
const proxied = await connectFor(file, proxy.port)

let traffic: NodeJS.Timeout | undefined
file.after(async () => clearInterval(traffic))

before(async () => {
  await writer.must('SET', 'key', 'value', 'EX', 1000)
  await follow(reader, primary.port)
  traffic = setInterval(() => {
    const batches = [
      writer.pipeline([
        ['SET', 'key', 'value'],
        ['GET', 'key'],
        ['GET', 'missing'],
        ['LPUSH', 'key', 'x'],
      ]),
      reader.pipeline([
        ['GET', 'key'],
        ['GET', 'missing'],
      ]),
      proxied.pipeline([['GET', 'outside'], ['GET', 'key'], ['SET', 'proxied', 1], ['PING'], ['GET', 'key']]),
    ]
    // The last ones are cut off by the end of the test.
    for (const batch of batches) batch.catch(() => undefined)
  }, 100)
  const settled = 'count(rate(redis_commands_processed_total[5s])) == 3 and count(tandem_upstream_lag_seconds) == 2'
  await waitUntil(async () => (await prometheus.query(settled)).length > 0, {
    timeoutMs: 30_000,
    intervalMs: 200,
    what: 'all servers to be scraped twice',
  })
  await waitUntil(async () => (await prometheus.query('max(rate(redis_errors_total[5s])) > 0')).length > 0, {
    timeoutMs: 30_000,
    intervalMs: 200,
    what: 'the traffic to show',
  })
})

test('all servers are scraped without a complaint', async () => {
  const up = await prometheus.query('up == 1')
  assert.equal(up.length, 3)
})

for (const [name, dashboard] of dashboards) {
  for (const panel of dashboard.panels) {
    if (panel.targets === undefined) continue
    test(`${name}: the panel “${panel.title}” has something to show`, async () => {
      let series = 0
      for (const { expr, instant } of panel.targets!) {
        const query = substituted(expr, RATE_INTERVAL)
        const found = instant ? await prometheus.query(query) : await prometheus.queryRange(query, RANGE_SECONDS)
        series += found.length
      }
      if (!MAY_BE_EMPTY.has(panel.title)) assert.ok(series > 0, 'the panel is empty')
    })
  }

  test(`${name}: the marks are found`, async () => {
    for (const { expr } of dashboard.annotations.list) {
      await prometheus.queryRange(substituted(expr, RATE_INTERVAL), RANGE_SECONDS)
    }
  })
}

test('the topology names the primary, its replica, the proxy, and the links between them', async () => {
  const panel = dashboards.get('replication')!.panels.find(({ type }) => type === 'nodeGraph')!
  const [nodes, edges] = await Promise.all(
    panel.targets!.map(({ expr }) => prometheus.query(substituted(expr, RATE_INTERVAL))),
  )
  const ids = nodes!.map(({ metric }) => metric.id).sort()
  const [first, ...others] = [primary, replica, proxy].map(({ port }) => `127.0.0.1:${port}`)
  assert.deepEqual(ids, [first, ...others].sort())
  assert.deepEqual(
    edges!.map(({ metric }) => `${metric.source} ${metric.target}`).sort(),
    others.map((other) => `${first} ${other}`).sort(),
  )
})

test('rules and alerts are evaluated without an error', async () => {
  const expected = ruleFiles.flatMap((path) => rules(path).map(({ name }) => name))
  const evaluated = await waitUntil(
    async () => {
      const all = await prometheus.rules()
      return all.every(({ health }) => health !== 'unknown') && all
    },
    { timeoutMs: 30_000, intervalMs: 200, what: 'all rules to be evaluated' },
  )
  assert.deepEqual(evaluated.map(({ name }) => name).sort(), expected.sort())
  for (const { name, health, lastError } of evaluated) assert.equal(health, 'ok', `${name}: ${lastError}`)
})

test('each expression of a rule or alert is a query of its own', async () => {
  for (const path of ruleFiles) for (const { expr } of rules(path)) await prometheus.query(expr)
})

test('no alert fires while all is well', async () => {
  const firing = await prometheus.query('ALERTS{alertstate="firing"}')
  assert.deepEqual(
    firing.map(({ metric }) => metric.alertname),
    [],
  )
})
