/** A failover by real Sentinels while a program writes, as a real Prometheus and the dashboard's marks see it. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { startPrometheus } from '../support/prometheus.ts'
import { follow } from '../support/replicas.ts'
import { failedOver, knowsReplicas, startSentinels } from '../support/sentinel.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'
import { dashboards, substituted } from './grafana-files.ts'

const file = fileCleanup()

it('shows a failover with its kind and its duration, as a series and as a mark', async () => {
  const primary = await startTandem(file)
  const replica = await startTandem(file)
  await follow(await connectFor(file, replica.port), primary.port)
  const prometheus = await startPrometheus(file, { targets: [primary.metricsPort, replica.metricsPort] })
  const sentinels = await startSentinels(file, primary.port)
  await knowsReplicas(sentinels, [replica.port])
  const writer = await connectFor(file, primary.port)
  const load = setInterval(() => void writer.send('INCR', 'n').catch(() => undefined), 5)
  file.after(async () => clearInterval(load))
  const instance = `127.0.0.1:${replica.metricsPort}`
  const value = async (expr: string) => Number((await prometheus.query(expr))[0]?.value?.[1] ?? Number.NaN)
  const count = `tandem_failovers_total{kind="sentinel",instance="${instance}"}`
  await waitUntil(async () => (await value(`count_over_time(${count}[30s])`)) >= 2, {
    timeoutMs: 30_000,
    what: 'two scrapes before the failover',
  })
  assert.equal(await value(count), 0)
  const views = async () => {
    const found = await prometheus.query('tandem_group_member')
    return found.map(({ metric: { instance: by, member, role, link } }) => `${by} ${member} ${role} ${link}`).sort()
  }
  assert.deepEqual(
    await views(),
    [
      `127.0.0.1:${primary.metricsPort} self master self`,
      `127.0.0.1:${primary.metricsPort} 127.0.0.1:${replica.port} slave online`,
      `${instance} self slave self`,
      `${instance} 127.0.0.1:${primary.port} master up`,
    ].sort(),
  )
  const histories = await prometheus.query('count by (replid) (tandem_group_member)')
  assert.equal(histories.length, 1)
  await primary.kill9()
  assert.equal(await failedOver(sentinels, primary.port), replica.port)
  await waitUntil(async () => (await value(count)) === 1, { timeoutMs: 30_000, what: 'the failover in Prometheus' })
  assert.ok((await value(`tandem_failover_seconds_total{kind="sentinel",instance="${instance}"}`)) > 0)
  assert.equal(await value(`tandem_failovers_total{kind="manual",instance="${instance}"}`), 0)
  assert.equal(await value(`redis_instance_info{role="master",instance="${instance}"}`), 1)
  const mark = dashboards.get('replication')!.annotations.list.find(({ name }) => name === 'Failover')!
  const marked = await waitUntil(
    async () => {
      const found = await prometheus.queryRange(substituted(mark.expr, '10s'), 30)
      return found.length > 0 && found
    },
    { timeoutMs: 30_000, what: 'the mark on the dashboard' },
  )
  assert.deepEqual(
    marked.map(({ metric }) => metric.kind),
    ['sentinel'],
  )
})
