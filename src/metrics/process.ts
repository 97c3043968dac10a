/** The process and its runtime: who it is, since when, processor time, event loop, heap, and what scraping costs. */
import { gauge, group, infoCounter, infoGauge, type MetricsSource, type Sample } from './family.ts'
import { DELAY_QUANTILES, GC_BUCKETS } from './runtime.ts'

const EVENT_LOOP_DELAY = 'tandem_event_loop_delay_seconds'
const GC_DURATION = 'tandem_nodejs_gc_duration_seconds'

/** Labels of redis_instance_info, each the field of INFO with its name. */
const INSTANCE_LABELS = [
  'role',
  'redis_version',
  'redis_build_id',
  'redis_mode',
  'os',
  'maxmemory_policy',
  'tcp_port',
  'run_id',
  'process_id',
] as const

function instance({ info }: MetricsSource): Sample[] {
  const labels: Record<string, string> = {}
  for (const name of INSTANCE_LABELS) labels[name] = info.get(name) ?? ''
  return [{ value: 1, labels }]
}

function eventLoopDelay({ runtime }: MetricsSource): Sample[] {
  const { quantiles, sumSeconds, count } = runtime.eventLoopDelay()
  return [
    ...quantiles.map((value, i) => ({ value, labels: { quantile: String(DELAY_QUANTILES[i]) } })),
    { metricName: `${EVENT_LOOP_DELAY}_sum`, value: sumSeconds },
    { metricName: `${EVENT_LOOP_DELAY}_count`, value: count },
  ]
}

function gcDurations({ runtime }: MetricsSource): Sample[] {
  const samples: Sample[] = []
  for (const [kind, { buckets, sumSeconds, count }] of runtime.gc) {
    let seen = 0
    GC_BUCKETS.forEach((end, i) => {
      seen += buckets[i]!
      samples.push({ metricName: `${GC_DURATION}_bucket`, value: seen, labels: { kind, le: String(end) } })
    })
    samples.push({ metricName: `${GC_DURATION}_bucket`, value: count, labels: { kind, le: '+Inf' } })
    samples.push({ metricName: `${GC_DURATION}_sum`, value: sumSeconds, labels: { kind } })
    samples.push({ metricName: `${GC_DURATION}_count`, value: count, labels: { kind } })
  }
  return samples
}

export const { metricNames, register } = group([
  gauge('redis_up', 'Whether the server answers; as long as there is this page, it does.', () => 1),
  gauge('redis_instance_info', 'Who this server is.', instance),
  infoGauge('redis_uptime_in_seconds', 'uptime_in_seconds', 'Time since the start.'),
  gauge('redis_start_time_seconds', 'When the server was started.', ({ host }) => {
    return Math.floor(host.stats.startedAtMs / 1000)
  }),
  infoGauge('redis_process_id', 'process_id', 'Id of the process.'),
  infoGauge('redis_cluster_enabled', 'cluster_enabled', 'Whether this server is part of a cluster.'),
  infoCounter('redis_cpu_sys_seconds_total', 'used_cpu_sys', 'Processor time in the kernel.'),
  infoCounter('redis_cpu_user_seconds_total', 'used_cpu_user', 'Processor time outside the kernel.'),
  infoCounter('redis_cpu_sys_children_seconds_total', 'used_cpu_sys_children', 'The same of child processes.'),
  infoCounter('redis_cpu_user_children_seconds_total', 'used_cpu_user_children', 'The same of child processes.'),
  infoCounter('redis_cpu_sys_main_thread_seconds_total', 'used_cpu_sys_main_thread', 'The same of the main thread.'),
  infoCounter('redis_cpu_user_main_thread_seconds_total', 'used_cpu_user_main_thread', 'The same of the main thread.'),
  gauge('tandem_info', 'Versions of Tandem and of its runtime.', ({ info }) => [
    { value: 1, labels: { version: info.get('tandem_version') ?? '', node: process.version } },
  ]),
  {
    name: EVENT_LOOP_DELAY,
    type: 'summary',
    help: 'How late timers are: what clients wait for at least. Quantiles are of the last two windows of 10 seconds or more.',
    read: eventLoopDelay,
  },
  {
    name: GC_DURATION,
    type: 'histogram',
    help: 'Pauses by the garbage collector.',
    read: gcDurations,
  },
  gauge('tandem_nodejs_heap_size_total_bytes', 'Bytes of the JavaScript heap.', () => process.memoryUsage().heapTotal),
  gauge('tandem_nodejs_heap_size_used_bytes', 'Bytes in use of it.', () => process.memoryUsage().heapUsed),
  gauge('tandem_nodejs_external_memory_bytes', 'Bytes of buffers outside the heap.', () => {
    return process.memoryUsage().external
  }),
  gauge('tandem_scrape_duration_seconds', 'Time that the scrape before this one took.', ({ scrapeSeconds }) => {
    return scrapeSeconds
  }),
  gauge(
    'tandem_scrape_pause_seconds',
    'Longest stretch of the scrape before this one in which no client was served.',
    ({ scrapePauseSeconds }) => scrapePauseSeconds,
  ),
])
