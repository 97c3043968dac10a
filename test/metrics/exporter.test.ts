/**
 * /metrics against redis_exporter: everything that it shows of redis-server, Tandem shows of itself under the same name, with
 * the same type and labels; and what is shown agrees with INFO.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { before, test } from 'node:test'
import { metricNames } from '../../src/metrics/metrics.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { fetchMetrics, type MetricFamily, parseMetrics } from '../support/prometheus.ts'
import { field, follow } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'

const FIXTURE = new URL('../fixtures/exporter-names.txt', import.meta.url)

const file = fileCleanup()
const primary = await startTandem(file)
const replica = await startTandem(file)
const writer = await connectFor(file, primary.port)
const reader = await connectFor(file, replica.port)
let pages: string[] = []

before(async () => {
  await writer.must('SET', 'a', '1', 'EX', 1000)
  await writer.must('GET', 'a')
  await writer.must('GET', 'missing')
  await writer.must('CONFIG', 'GET', 'maxmemory')
  await writer.send('INCR', 'a', 'too', 'many')
  await writer.must('SET', 'word', 'x')
  await writer.send('INCR', 'word')
  await follow(reader, primary.port)
  await waitUntil(async () => (await field(writer, 'replication', 'slave0')).includes('state=online'), {
    what: 'the replica to be online',
  })
  pages = [await fetchMetrics(primary.metricsPort), await fetchMetrics(replica.metricsPort)]
})

interface Shown {
  type: string
  labels: Set<string>
}

/** Name → type and labels, over both pages; families without a sample are not shown. */
function shown(): Map<string, Shown> {
  const all = new Map<string, Shown>()
  for (const page of pages) {
    for (const [name, { type, samples }] of parseMetrics(page)) {
      if (samples.length === 0) continue
      const one = all.get(name) ?? { type, labels: new Set() }
      for (const sample of samples) for (const label of Object.keys(sample.labels)) one.labels.add(label)
      all.set(name, one)
    }
  }
  return all
}

function family(page: string, name: string): MetricFamily {
  const found = parseMetrics(page).get(name)
  assert.ok(found !== undefined, `${name} is missing`)
  return found
}

function value(page: string, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels)
  const sample = family(page, name).samples.find((s) => wanted.every(([label, text]) => s.labels[label] === text))
  assert.ok(sample !== undefined, `${name} ${JSON.stringify(labels)} is missing`)
  return sample.value
}

test('all that redis_exporter shows is there, with the same type and labels', () => {
  const all = shown()
  for (const line of readFileSync(FIXTURE, 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const [, type, name, labels] = /^(\w+) (\w+)(?:\{(.*)\})?$/.exec(line)!
    const own = all.get(name!)
    assert.ok(own !== undefined, `${name} is missing`)
    assert.equal(own.type, type, name)
    assert.deepEqual([...own.labels].sort(), labels === undefined ? [] : labels.split(',').sort(), name)
  }
})

test('metricNames are the families of the page, and what is new begins with tandem_', () => {
  const exporter = new Set(readFileSync(FIXTURE, 'utf8').match(/redis_\w+/g))
  // Newer exporters have it; Debian's does not ask for it.
  exporter.add('redis_commands_latencies_usec')
  // It shows these when INFO has them, which is with appendonly.
  const withAof = 'current_size_bytes base_size_bytes pending_rewrite buffer_length pending_bio_fsync delayed_fsync'
  for (const name of withAof.split(' ')) exporter.add(`redis_aof_${name}`)
  for (const page of pages) assert.deepEqual([...parseMetrics(page).keys()].sort(), [...metricNames].sort())
  for (const name of metricNames) assert.ok(exporter.has(name) || name.startsWith('tandem_'), name)
})

test('every family has a help text, and no series is there twice', () => {
  for (const page of pages) {
    for (const [name, { help, samples }] of parseMetrics(page)) {
      assert.ok(help.length > 5, name)
      const series = samples.map((sample) => `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`)
      assert.equal(new Set(series).size, series.length, name)
    }
  }
})

test('promtool finds nothing to say about it but names that are redis_exporter’s own', () => {
  for (const input of pages) {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
    const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !line.startsWith('redis_'))
    assert.deepEqual(complaints, [])
    // 3 says that there were complaints about names; 1 that the page could not be read.
    assert.ok(status === 0 || status === 3, `promtool ended with ${status}`)
  }
})

test('commands are counted as INFO commandstats counts them', async () => {
  const page = await fetchMetrics(primary.metricsPort)
  const text = await field(writer, 'commandstats', 'cmdstat_get')
  assert.match(text, new RegExp(`^calls=${value(page, 'redis_commands_total', { cmd: 'get' })},`))
  assert.equal(value(page, 'redis_commands_total', { cmd: 'config|get' }), 1)
  assert.equal(value(page, 'redis_commands_rejected_calls_total', { cmd: 'incr' }), 1)
  assert.equal(value(page, 'redis_commands_failed_calls_total', { cmd: 'incr' }), 1)
  assert.equal(value(page, 'redis_keyspace_hits_total'), Number(await field(writer, 'stats', 'keyspace_hits')))
  assert.equal(value(page, 'redis_keyspace_misses_total'), Number(await field(writer, 'stats', 'keyspace_misses')))
})

test('the buckets of a command’s histogram are cumulative, complete and agree with its count', async () => {
  const page = await fetchMetrics(primary.metricsPort)
  const samples = family(page, 'redis_commands_latencies_usec').samples.filter(({ labels }) => labels.cmd === 'get')
  const buckets = samples.filter(({ name }) => name.endsWith('_bucket'))
  assert.ok(buckets.length > 20, `${buckets.length} buckets`)
  const counts = buckets.map((bucket) => bucket.value)
  assert.deepEqual(
    counts,
    [...counts].sort((a, b) => a - b),
  )
  assert.equal(buckets.at(-1)!.labels.le, '+Inf')
  const count = samples.find(({ name }) => name.endsWith('_count'))!.value
  assert.equal(counts.at(-1), count)
  assert.equal(count, value(page, 'redis_commands_total', { cmd: 'get' }))
})

test('the databases are shown with their keys, empty ones as well', async () => {
  const page = await fetchMetrics(primary.metricsPort)
  assert.equal(value(page, 'redis_db_keys', { db: 'db0' }), 2)
  assert.equal(value(page, 'redis_db_keys_expiring', { db: 'db0' }), 1)
  assert.equal(value(page, 'redis_db_keys', { db: 'db15' }), 0)
})

test('both ends of a link are shown, and a replica that has everything has no lag', async () => {
  const name = `127.0.0.1:${replica.port}`
  const lag = await waitUntil(
    async () => {
      const page = await fetchMetrics(primary.metricsPort)
      return value(page, 'tandem_replica_lag_bytes', { replica: name, state: 'online' }) === 0 && page
    },
    { timeoutMs: 20_000, what: 'a replica without lag' },
  )
  assert.equal(value(lag, 'tandem_replica_lag_seconds', { replica: name }), 0)
  assert.equal(value(lag, 'redis_connected_slaves'), 1)
  assert.equal(value(lag, 'tandem_full_syncs_total', { direction: 'to-replica', result: 'ok' }), 1)
  const page = await fetchMetrics(replica.metricsPort)
  assert.equal(value(page, 'tandem_upstream_link_up', { master_port: String(primary.port) }), 1)
  assert.equal(value(page, 'tandem_upstream_lag_seconds'), 0)
  assert.equal(value(page, 'tandem_full_syncs_total', { direction: 'from-primary', result: 'ok' }), 1)
  assert.equal(value(page, 'tandem_role_changes_total'), 1)
  assert.equal(value(page, 'redis_instance_info', { role: 'slave', tcp_port: String(replica.port) }), 1)
})

test('a primary shows nothing of an upstream, and the process is measured', async () => {
  const page = await fetchMetrics(primary.metricsPort)
  assert.deepEqual(family(page, 'tandem_upstream_link_up').samples, [])
  assert.ok(value(page, 'tandem_nodejs_heap_size_used_bytes') > 1e6)
  assert.ok(value(page, 'tandem_slab_used_bytes') > 0)
  assert.ok(value(page, 'tandem_scrape_duration_seconds') > 0)
  assert.ok(value(page, 'tandem_event_loop_delay_seconds', { quantile: '0.5' }) < 1)
})
