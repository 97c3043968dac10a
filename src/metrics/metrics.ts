/**
 * The metrics of one server: a prom-client registry of its own (several servers may live in one process), filled by the
 * groups of this folder and served over HTTP. A scrape is written metric by metric and lets others run in between, so
 * that a server with many commands and replicas does not stop for it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { hostPort } from '../bytes/host-port.ts'
import type { Host } from '../commands/host.ts'
import { infoText } from '../commands/server/info.ts'
import * as clients from './clients.ts'
import * as commands from './commands.ts'
import { infoFields, type MetricGroup, type MetricsSource } from './family.ts'
import * as filtered from './filtered.ts'
import { whyNotReady, whyUnhealthy } from './health.ts'
import { MetricsServer } from './http.ts'
import * as keyspace from './keyspace.ts'
import * as memory from './memory.ts'
import * as persistence from './persistence.ts'
import * as processGroup from './process.ts'
import * as proxy from './proxy.ts'
import * as replication from './replication.ts'
import { Runtime } from './runtime.ts'

const SLICE_MS = 2

const groups: readonly MetricGroup[] = [
  processGroup,
  clients,
  commands,
  keyspace,
  memory,
  persistence,
  replication,
  proxy,
  filtered,
]

/** Of all groups; a histogram's or summary's without _bucket, _sum and _count. */
export const metricNames: readonly string[] = groups.flatMap((group) => group.metricNames)

class Source implements MetricsSource {
  readonly host: Host
  readonly runtime = new Runtime()
  info: ReadonlyMap<string, string> = new Map()
  scrapeSeconds = 0
  scrapePauseSeconds = 0

  constructor(host: Host) {
    this.host = host
  }
}

export class Metrics {
  readonly registry = new Registry()
  readonly #source: Source
  #server: MetricsServer | null = null
  #scraping: Promise<string> | null = null

  constructor(host: Host) {
    this.#source = new Source(host)
    for (const group of groups) group.register(this.registry, this.#source)
  }

  /**
   * Serves /metrics at metrics-bind. The option metrics-port with 0 does not; a port that is given here does, 0 being any
   * that is free. A port that is taken is no reason not to serve Redis's clients: it is logged.
   */
  async start(port?: number): Promise<void> {
    const { config, log } = this.#source.host
    const wanted = port ?? config.get('metrics-port')
    if (wanted === 0 && port === undefined) return
    const server = new MetricsServer({
      log,
      contentType: this.registry.contentType,
      metrics: () => this.text(),
      whyUnhealthy: () => whyUnhealthy(this.#source.host),
      whyNotReady: () => whyNotReady(this.#source.host),
    })
    try {
      await server.listen(config.get('metrics-bind'), wanted)
    } catch (error) {
      log('warning', `Metrics are not served: ${error instanceof Error ? error.message : String(error)}`)
      return
    }
    this.#server = server
    this.#source.runtime.start()
  }

  /** CONFIG SET metrics-port or metrics-bind: the text of the error, if it cannot be served there. */
  async listenAgain(): Promise<string | undefined> {
    await this.stop()
    await this.start()
    const isServed = this.#server !== null || this.#source.host.config.get('metrics-port') === 0
    return isServed ? undefined : 'Unable to serve metrics there. Check server logs.'
  }

  async stop(): Promise<void> {
    this.#source.runtime.stop()
    await this.#server?.close()
    this.#server = null
  }

  /** The port of /metrics, 0 when it is not served. */
  get port(): number {
    return this.#server?.port ?? 0
  }

  /** 'http://127.0.0.1:9121', or '' when it is not served. */
  get address(): string {
    if (this.port === 0) return ''
    const host = this.#source.host.config.get('metrics-bind')
    return `http://${hostPort(host, this.port)}`
  }

  /** The page of /metrics. Scrapes at the same time share one. */
  text(): Promise<string> {
    this.#scraping ??= this.#scrape().finally(() => {
      this.#scraping = null
    })
    return this.#scraping
  }

  async #scrape(): Promise<string> {
    const source = this.#source
    const start = performance.now()
    let sliceStart = start
    let longestMs = 0
    source.info = infoFields(infoText(source.host))
    const texts: string[] = []
    for (const { name } of this.registry.getMetricsAsArray()) {
      texts.push(await this.registry.getSingleMetricAsString(name))
      const now = performance.now()
      longestMs = Math.max(longestMs, now - sliceStart)
      if (now - sliceStart < SLICE_MS) continue
      await nextTurn()
      sliceStart = performance.now()
    }
    source.scrapePauseSeconds = longestMs / 1000
    source.scrapeSeconds = (performance.now() - start) / 1000
    return `${texts.join('\n\n')}\n`
  }
}
