/** Prometheus's text format taken apart, and a real Prometheus that scrapes servers under test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'
import { freePort } from './ports.ts'
import { removeDirectory, temporaryDirectory } from './server-process.ts'
import { waitUntil } from './wait-until.ts'

export interface MetricSample {
  /** With _bucket, _sum or _count where the family is a histogram or summary. */
  name: string
  labels: Record<string, string>
  value: number
}

export interface MetricFamily {
  type: string
  help: string
  samples: MetricSample[]
}

/** Families by name. Throws on a line that is none of the format, and on a sample without a family. */
export function parseMetrics(text: string): Map<string, MetricFamily> {
  const families = new Map<string, MetricFamily>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (comment !== null) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string]
      const family = families.get(name) ?? { type: '', help: '', samples: [] }
      if (kind === 'TYPE') family.type = rest
      else family.help = rest
      families.set(name, family)
      continue
    }
    const sample = parseSample(line)
    const family = families.get(sample.name) ?? families.get(sample.name.replace(/_(bucket|sum|count)$/, ''))
    if (family === undefined) throw new Error(`no family for ${line}`)
    family.samples.push(sample)
  }
  return families
}

function parseSample(line: string): MetricSample {
  const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
  if (found === null) throw new Error(`not a sample: ${line}`)
  const labels: Record<string, string> = {}
  for (const [, name, value] of (found[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name!] = value!
  const value = found[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(found[3])
  return { name: found[1]!, labels, value }
}

export async function fetchMetrics(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`)
  const text = await response.text()
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}: ${text}`)
  return text
}

export interface PrometheusOptions {
  /** Ports of /metrics pages. */
  targets: readonly number[]
  ruleFiles?: readonly string[]
}

export interface Series {
  metric: Record<string, string>
  value?: [number, string]
  values?: [number, string][]
}

interface RuleGroup {
  rules: { name: string; health: string; lastError?: string }[]
}

/** The data of an answer of the HTTP API; errors are thrown with Prometheus's own text. */
export class Prometheus {
  readonly port: number
  #child: ChildProcess
  #output = ''

  constructor(port: number, child: ChildProcess) {
    this.port = port
    this.#child = child
    for (const pipe of [child.stdout, child.stderr]) {
      pipe?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString('latin1')
      })
    }
    child.on('error', (error) => {
      this.#output += error.message
    })
  }

  async ready(): Promise<void> {
    await waitUntil(
      async () => {
        if (this.#child.exitCode !== null) throw new Error(`prometheus ended: ${this.#output}`)
        const response = await fetch(`http://127.0.0.1:${this.port}/-/ready`).catch(() => undefined)
        return response?.status === 200
      },
      { timeoutMs: 30_000, intervalMs: 100, what: () => `prometheus to be ready; its log:\n${this.#output}` },
    )
  }

  async query(expression: string): Promise<Series[]> {
    return ((await this.#api('query', { query: expression })) as { result: Series[] }).result
  }

  async queryRange(expression: string, seconds: number): Promise<Series[]> {
    const end = Date.now() / 1000
    const parameters = { query: expression, start: String(end - seconds), end: String(end), step: '1' }
    return ((await this.#api('query_range', parameters)) as { result: Series[] }).result
  }

  async rules(): Promise<RuleGroup['rules']> {
    return ((await this.#api('rules', {})) as { groups: RuleGroup[] }).groups.flatMap((group) => group.rules)
  }

  async #api(path: string, parameters: Record<string, string>): Promise<unknown> {
    const search = new URLSearchParams(parameters)
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/${path}?${search}`)
    const answer = (await response.json()) as { status: string; data: unknown; error?: string }
    if (answer.status !== 'success') throw new Error(`${parameters.query ?? path}: ${answer.error}`)
    return answer.data
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const closed = once(this.#child, 'close')
    this.#child.kill('SIGKILL')
    await closed
  }
}

/** Scrapes and evaluates once a second, under the job `tandem`. */
export async function startPrometheus(t: Cleanup, options: PrometheusOptions): Promise<Prometheus> {
  const port = await freePort()
  const dir = temporaryDirectory('prometheus')
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: options.ruleFiles ?? [],
    scrape_configs: [
      { job_name: 'tandem', static_configs: [{ targets: options.targets.map((target) => `127.0.0.1:${target}`) }] },
    ],
  }
  // JSON is YAML.
  writeFileSync(join(dir, 'prometheus.yml'), JSON.stringify(config))
  const child = spawn('prometheus', [
    `--config.file=${join(dir, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(dir, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ])
  const prometheus = new Prometheus(port, child)
  t.after(async () => {
    await prometheus.stop()
    removeDirectory(dir)
  })
  await prometheus.ready()
  return prometheus
}
