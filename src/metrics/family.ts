/**
 * A metric: its name, type and help, and where its values are read when somebody scrapes. Nothing is counted for
 * Prometheus: the counters are the plain fields that INFO shows as well, so the two views cannot differ. prom-client's
 * Counter and Histogram want to be told each event, so a family is given to the registry as an object with get(), which
 * is all that a registry asks of a metric; it also spares the hashing of labels, which is most of a scrape's time.
 */
import type { Metric, Registry } from 'prom-client'
import type { Host } from '../commands/host.ts'
import type { Runtime } from './runtime.ts'

export interface MetricsSource {
  readonly host: Host
  /** The fields of INFO's default sections, as read at the beginning of the scrape. */
  readonly info: ReadonlyMap<string, string>
  readonly runtime: Runtime
  /** Of the scrape before this one, seconds: all of it, and its longest stretch without a pause for others. */
  readonly scrapeSeconds: number
  readonly scrapePauseSeconds: number
}

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly value: number
  readonly labels?: Labels
  /** Labels in an object that is kept, whose text prom-client then keeps as well. */
  readonly sharedLabels?: Labels
  /** Of a histogram or summary: the family's name with _bucket, _sum or _count. */
  readonly metricName?: string
}

export type FamilyType = 'gauge' | 'counter' | 'summary' | 'histogram'

export interface Family {
  readonly name: string
  readonly type: FamilyType
  readonly help: string
  /** One value, several with labels, or undefined when there is nothing to tell. */
  read(source: MetricsSource): number | undefined | readonly Sample[]
}

/** What a file of this folder exports: the names for the tests of dashboards and alerts, and how to register them. */
export interface MetricGroup {
  readonly metricNames: readonly string[]
  register(registry: Registry, source: MetricsSource): void
}

export function group(families: readonly Family[]): MetricGroup {
  return {
    metricNames: families.map(({ name }) => name),
    register: (registry, source) => {
      for (const family of families) registry.registerMetric(metric(family, source))
    },
  }
}

function metric({ name, type, help, read }: Family, source: MetricsSource): Metric {
  const get = async () => {
    const value = read(source)
    const values = typeof value === 'number' ? [{ value }] : (value ?? [])
    return { name, help, type, values, aggregator: 'sum' }
  }
  return { name, help, type, get, reset: () => undefined } as unknown as Metric
}

type Read = Family['read']

export function gauge(name: string, help: string, read: Read): Family {
  return { name, type: 'gauge', help, read }
}

export function counter(name: string, help: string, read: Read): Family {
  return { name, type: 'counter', help, read }
}

/** A gauge that is a field of INFO, times `scale`. */
export function infoGauge(name: string, field: string, help: string, scale = 1): Family {
  return gauge(name, help, ({ info }) => infoNumber(info, field, scale))
}

export function infoCounter(name: string, field: string, help: string): Family {
  return counter(name, help, ({ info }) => infoNumber(info, field, 1))
}

/** INFO's words for good and bad count as 1 and 0; undefined if the field is not shown now. */
function infoNumber(info: ReadonlyMap<string, string>, field: string, scale: number): number | undefined {
  const text = info.get(field)
  if (text === undefined) return undefined
  if (text === 'ok') return 1
  if (text === 'err' || text === 'fail') return 0
  const value = Number(text)
  return Number.isNaN(value) ? undefined : value * scale
}

/** The fields of INFO's text; lines of several fields (slave0, db0) stay as they are. */
export function infoFields(text: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  return fields
}
