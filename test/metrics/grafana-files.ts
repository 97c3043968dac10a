/** The files of grafana/ as the tests need them: dashboards with their queries, rules with their expressions. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const GRAFANA = new URL('../../grafana/', import.meta.url)

export const ruleFiles = ['rules.yml', 'alerts.yml'].map((name) =>
  fileURLToPath(new URL(`prometheus/${name}`, GRAFANA)),
)

export interface Target {
  refId: string
  expr: string
  instant?: boolean
}

export interface Panel {
  id: number
  type: string
  title: string
  description?: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: Target[]
}

export interface Dashboard {
  uid: string
  title: string
  schemaVersion: number
  panels: Panel[]
  annotations: { list: { name: string; expr: string }[] }
  templating: { list: { name: string; type: string }[] }
}

export const dashboards = new Map(
  ['replication', 'server', 'proxy'].map((name) => {
    const text = readFileSync(new URL(`dashboards/${name}.json`, GRAFANA), 'utf8')
    return [name, JSON.parse(text) as Dashboard]
  }),
)

/** A query as Grafana sends it, for all jobs and instances. */
export function substituted(expr: string, rateInterval: string): string {
  return expr.replaceAll('$__rate_interval', rateInterval).replaceAll('$job', '.*').replaceAll('$instance', '.*')
}

export interface Rule {
  name: string
  expr: string
  /** All lines of the rule. */
  text: string
}

/** Rules of the project's own files, which write one key a line and fold long expressions with >-. */
export function rules(path: string): Rule[] {
  const text = readFileSync(path, 'utf8')
  return text
    .split(/^ {6}- (?=record:|alert:)/m)
    .slice(1)
    .map((rule) => {
      const name = /^(?:record|alert): (\S+)/.exec(rule)![1]!
      const expr = /^ {8}expr: (?:>-\n((?: {10}.*\n?)+)|(.*))/m.exec(rule)!
      return { name, expr: (expr[1] ?? expr[2]!).replace(/\s+/g, ' ').trim(), text: rule }
    })
}

/** Labels that look like names of metrics. */
const LABELS = new Set(['redis_version', 'redis_mode', 'redis_build_id'])

/** Names of metrics in an expression; those that the rules themselves record are not among them. */
export function namesIn(expr: string): string[] {
  const withoutStrings = expr.replace(/"[^"]*"/g, '""')
  const names = withoutStrings.match(/(?<![\w:])(?:redis|tandem)_\w+/g) ?? []
  return names.filter((name) => !LABELS.has(name))
}
