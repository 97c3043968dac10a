/**
 * LATENCY DOCTOR and GRAPH: the samples of the latency monitor in words and as a picture. The lines about events are those
 * of redis 7.0.15 latency.c createLatencyReport; the advice is about this program, which never forks and whose pauses are
 * the collector's or a large value's.
 */
import type { Host } from '../host.ts'
import { type Sample, sparkline } from './sparkline.ts'

type Series = Host['latency']['events'] extends ReadonlyMap<string, infer S> ? S : never

const DISABLED =
  "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use " +
  '"CONFIG SET latency-monitor-threshold <milliseconds>." in order to enable it. If we weren\'t in a deep space mission ' +
  "I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n"
const HEALTHY =
  'Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. ' +
  'I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n'
const OBSERVED =
  "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n"
const NO_ADVICE = '\nThere are latency events, but none of a kind that I know an easy fix for.\n'

const GRAPH_COLUMNS = 80
const GRAPH_ROWS = 4
const HZ_ENOUGH = 100

interface Statistics {
  readonly average: number
  /** Mean absolute deviation. */
  readonly deviation: number
  /** Since the oldest sample. */
  readonly periodSeconds: number
}

/** redis 7.0.15 latency.c analyzeLatencyForEvent */
function analyse(series: Series, nowSeconds: number): Statistics {
  const { samples } = series
  let sum = 0
  for (const [, milliseconds] of samples) sum += milliseconds
  const average = Math.floor(sum / samples.length)
  let deviations = 0
  for (const [, milliseconds] of samples) deviations += Math.abs(average - milliseconds)
  const deviation = Math.floor(deviations / samples.length)
  return { average, deviation, periodSeconds: Math.max(1, nowSeconds - samples[0]![0]) }
}

export function latencyReport(host: Host): string {
  const { events } = host.latency
  if (events.size === 0) return host.config.get('latency-monitor-threshold') === 0 ? DISABLED : HEALTHY
  const nowSeconds = Math.floor(host.unixMs / 1000)
  let report = OBSERVED
  let number = 0
  const advice = new Set<string>()
  for (const [event, series] of events) {
    number++
    const { average, deviation, periodSeconds } = analyse(series, nowSeconds)
    const count = series.samples.length
    const period = (periodSeconds / count).toFixed(2)
    report +=
      `${number}. ${event}: ${count} latency spikes (average ${average}ms, mean deviation ${deviation}ms, ` +
      `period ${period} sec). Worst all time event ${series.maxMs}ms.\n`
    for (const line of adviceFor(host, event)) advice.add(line)
  }
  if (advice.size === 0) return report + NO_ADVICE
  report += '\nI have a few advices for you:\n\n'
  for (const line of advice) report += `- ${line}\n`
  return report
}

function adviceFor(host: Host, event: string): string[] {
  switch (event) {
    case 'command':
      return [...slowLogAdvice(host), LARGE_VALUES]
    case 'fast-command':
      return [
        'Commands that are always cheap took long, so the process was not running: look for other load on this machine, ' +
          'a noisy neighbour of a virtual one, swapping, or a heap limit so tight that the collector works all the time.',
      ]
    case 'command-unblocking':
    case 'eviction-del':
      return [LARGE_VALUES]
    case 'expire-cycle':
      return host.config.get('hz') < HZ_ENOUGH ? [RAISE_HZ, LARGE_VALUES] : [LARGE_VALUES]
    case 'eviction-cycle':
      return [
        'Many keys had to be evicted at once: lower maxmemory in small steps, and beware of commands that store large ' +
          'results (SUNIONSTORE, ZINTERSTORE, SORT ... STORE, RESTORE).',
      ]
    default:
      return event.startsWith('aof-') || event.startsWith('rdb-') ? diskAdvice(host) : []
  }
}

const LARGE_VALUES =
  'Deleting, expiring or evicting a very large value takes long: split such values into several keys, or remove them in ' +
  'parts.'
const RAISE_HZ =
  "Expired keys are removed in slices: with more of them a second, each is shorter. Use 'CONFIG SET hz 100'."

function slowLogAdvice(host: Host): string[] {
  const slowerThan = host.config.get('slowlog-log-slower-than')
  const threshold = host.config.get('latency-monitor-threshold')
  const advice = ['Look at the slow log (SLOWLOG GET) for the commands that take too long.']
  const set = `'CONFIG SET slowlog-log-slower-than ${threshold * 1000}'`
  if (slowerThan < 0) advice.unshift(`The slow log is switched off: use ${set} to see the slow commands.`)
  else if (Math.floor(slowerThan / 1000) > threshold) {
    advice.unshift(`The slow log takes only commands slower than the latency threshold: use ${set}.`)
  }
  return advice
}

function diskAdvice(host: Host): string[] {
  const advice = [
    'The disk was slow: use a local SSD for the append only file and the dump, and keep other programs that write much away ' +
      'from it.',
  ]
  if (host.config.get('appendfsync') === 'always') {
    advice.push("appendfsync is 'always', which waits for the disk at each write: 'everysec' does not.")
  }
  return advice
}

/** redis 7.0.15 latency.c latencyCommandGenSparkeline */
export function latencyGraph(event: string, series: Series, unixMs: number): string {
  const values = series.samples.map(([, milliseconds]) => milliseconds)
  const points: Sample[] = series.samples.map(([second, milliseconds]) => ({
    value: milliseconds,
    label: ago(Math.floor(unixMs / 1000) - second),
  }))
  const high = Math.max(...values)
  const low = Math.min(...values)
  return (
    `${event} - high ${high} ms, low ${low} ms (all time high ${series.maxMs} ms)\n` +
    `${'-'.repeat(GRAPH_COLUMNS)}\n${sparkline(points, GRAPH_COLUMNS, GRAPH_ROWS)}`
  )
}

function ago(seconds: number): string {
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86400)}d`
}
