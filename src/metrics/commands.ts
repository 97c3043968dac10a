/**
 * What commands do: calls, time, refusals, errors and latencies, each read from the command itself. Only commands that
 * were called have series. Buckets are the steps of LATENCY HISTOGRAM, but always all of them, so that a rate over a
 * bucket is right from its first sample on.
 */
import type { Command } from '../commands/command.ts'
import type { Host } from '../commands/host.ts'
import { formatPercentile } from '../config/units.ts'
import { LatencyHistogram } from '../engine/histogram.ts'
import { counter, type Family, gauge, group, infoCounter, infoGauge, type Labels, type Sample } from './family.ts'

const PERCENTILES = 'redis_latency_percentiles_usec'
const LATENCIES = 'redis_commands_latencies_usec'
const MAX_LATENCY_POWER = 30
const INFINITY: Labels = { le: '+Inf' }

/** Upper ends of the buckets in microseconds, as the histogram itself tells them. */
const BUCKETS = bucketEnds().map((microseconds) => ({ microseconds, labels: { le: String(microseconds) } }))

function bucketEnds(): number[] {
  const probe = new LatencyHistogram()
  for (let power = 10; power <= MAX_LATENCY_POWER; power++) probe.record(2 ** power / 1000)
  return probe.cumulative().map(([microseconds]) => microseconds)
}

const labelsOfCommands = new WeakMap<Command, Labels>()

function labelsOf(command: Command): Labels {
  let labels = labelsOfCommands.get(command)
  if (labels === undefined) {
    labels = { cmd: command.fullName }
    labelsOfCommands.set(command, labels)
  }
  return labels
}

function perCommand(name: string, help: string, value: (command: Command) => number): Family {
  return counter(name, help, ({ host }) => {
    const samples: Sample[] = []
    for (const command of host.table.all) {
      if (command.calls === 0 && command.rejectedCalls === 0 && command.failedCalls === 0) continue
      samples.push({ value: value(command), sharedLabels: labelsOf(command) })
    }
    return samples
  })
}

function percentiles(host: Host): Sample[] {
  const samples: Sample[] = []
  if (!host.config.get('latency-tracking')) return samples
  const percents = host.config.get('latency-tracking-info-percentiles')
  const quantiles = percents.map((percent) => ({ percent, labels: { quantile: formatPercentile(percent) } }))
  for (const command of host.table.all) {
    const histogram = command.histogram as LatencyHistogram | undefined
    if (histogram === undefined) continue
    const sharedLabels = labelsOf(command)
    for (const { percent, labels } of quantiles) {
      samples.push({ value: histogram.percentile(percent), labels, sharedLabels })
    }
    samples.push({ metricName: `${PERCENTILES}_sum`, value: command.usec, sharedLabels })
    samples.push({ metricName: `${PERCENTILES}_count`, value: command.calls, sharedLabels })
  }
  return samples
}

function latencies(host: Host): Sample[] {
  const samples: Sample[] = []
  for (const command of host.table.all) {
    const histogram = command.histogram as LatencyHistogram | undefined
    if (histogram === undefined) continue
    const sharedLabels = labelsOf(command)
    const metricName = `${LATENCIES}_bucket`
    const steps = histogram.cumulative()
    let next = 0
    let seen = 0
    for (const { microseconds, labels } of BUCKETS) {
      while (next < steps.length && steps[next]![0] <= microseconds) seen = steps[next++]![1]
      samples.push({ metricName, value: seen, labels, sharedLabels })
    }
    samples.push({ metricName, value: histogram.calls, labels: INFINITY, sharedLabels })
    samples.push({ metricName: `${LATENCIES}_sum`, value: command.usec, sharedLabels })
    samples.push({ metricName: `${LATENCIES}_count`, value: histogram.calls, sharedLabels })
  }
  return samples
}

function errors(host: Host): Sample[] {
  return [...host.stats.errorCounts].map(([err, value]) => ({ value, labels: { err } }))
}

export const { metricNames, register } = group([
  infoCounter('redis_commands_processed_total', 'total_commands_processed', 'Commands processed.'),
  perCommand('redis_commands_total', 'Calls of each command.', (command) => command.calls),
  perCommand(
    'redis_commands_duration_seconds_total',
    'Time spent in each command.',
    (command) => Math.floor(command.usec) / 1e6,
  ),
  perCommand(
    'redis_commands_rejected_calls_total',
    'Calls that were refused before the command ran (arguments, rights, memory, state).',
    (command) => command.rejectedCalls,
  ),
  perCommand(
    'redis_commands_failed_calls_total',
    'Calls whose command ran and answered with an error.',
    (command) => command.failedCalls,
  ),
  counter('redis_errors_total', 'Error replies by their first word.', ({ host }) => errors(host)),
  infoCounter('redis_total_error_replies', 'total_error_replies', 'Error replies.'),
  infoCounter(
    'redis_unexpected_error_replies',
    'unexpected_error_replies',
    'Errors in answer to a primary or replica, which nobody reads: the copies may differ.',
  ),
  {
    name: PERCENTILES,
    type: 'summary',
    help: 'Latency of each command since the start, in microseconds, by percentile.',
    read: ({ host }) => percentiles(host),
  },
  {
    name: LATENCIES,
    type: 'histogram',
    help: 'Latency of each command in microseconds.',
    read: ({ host }) => latencies(host),
  },
  gauge('redis_slowlog_length', 'Entries in the slow log.', ({ host }) => host.slowlog.entries.length),
  gauge('redis_slowlog_last_id', 'Id of the newest entry of the slow log.', ({ host }) => {
    return host.slowlog.entries.at(-1)?.id ?? 0
  }),
  gauge('redis_last_slow_execution_duration_seconds', 'Duration of the newest entry of the slow log.', ({ host }) => {
    return (host.slowlog.entries.at(-1)?.microseconds ?? 0) / 1e6
  }),
  infoGauge('redis_number_of_cached_scripts', 'number_of_cached_scripts', 'Scripts in the cache of EVALSHA.'),
])
