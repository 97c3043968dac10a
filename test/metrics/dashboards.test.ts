/** Dashboards, rules and alerts against the metrics that there are, and against Grafana's and Prometheus's own forms. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { metricNames } from '../../src/metrics/metrics.ts'
import { dashboards, namesIn, ruleFiles, rules } from './grafana-files.ts'

const known = new Set(metricNames)

function assertKnown(expr: string, where: string): void {
  const names = namesIn(expr)
  for (const name of names) {
    const family = name.replace(/_(bucket|sum|count)$/, '')
    assert.ok(known.has(name) || known.has(family), `${where} asks for ${name}, which no metric has`)
  }
}

test('no metric is named twice', () => {
  assert.equal(known.size, metricNames.length)
})

for (const [name, dashboard] of dashboards) {
  test(`the dashboard ${name} asks only for metrics that exist`, () => {
    for (const panel of dashboard.panels) {
      for (const { expr } of panel.targets ?? []) {
        assert.ok(namesIn(expr).length > 0, `${panel.title} asks for nothing`)
        assertKnown(expr, panel.title)
      }
    }
    for (const annotation of dashboard.annotations.list) assertKnown(annotation.expr, annotation.name)
  })

  test(`the dashboard ${name} has panels that explain themselves and do not overlap`, () => {
    assert.ok(dashboard.schemaVersion >= 36)
    assert.ok(dashboard.templating.list.some(({ type }) => type === 'datasource'))
    const ids = new Set(dashboard.panels.map(({ id }) => id))
    assert.equal(ids.size, dashboard.panels.length)
    const taken = new Map<string, string>()
    for (const { type, title, description, gridPos } of dashboard.panels) {
      if (type !== 'row') assert.ok(description !== undefined && description !== '', `${title} does not explain itself`)
      assert.ok(gridPos.x + gridPos.w <= 24, `${title} is too wide`)
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          const other = taken.get(`${x},${y}`)
          assert.equal(other, undefined, `${title} lies over ${other}`)
          taken.set(`${x},${y}`, title)
        }
      }
    }
  })
}

test('rules and alerts ask only for metrics that exist', () => {
  for (const path of ruleFiles) {
    const found = rules(path)
    assert.ok(found.length > 5, path)
    for (const { name, expr } of found) assertKnown(expr, name)
  }
})

test('each alert says what it means, what to do and how bad it is', () => {
  for (const { name, text } of rules(ruleFiles[1]!)) {
    for (const key of ['summary', 'description', 'action', 'severity']) assert.match(text, new RegExp(`${key}: `), name)
  }
})

test('promtool accepts rules, alerts and configuration, and alerts fire where they should', () => {
  const config = fileURLToPath(new URL('../../grafana/prometheus/prometheus.yml', import.meta.url))
  const cases = fileURLToPath(new URL('../fixtures/alerts-test.yml', import.meta.url))
  for (const args of [
    ['check', 'rules', ...ruleFiles],
    ['check', 'config', config],
    ['test', 'rules', cases],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
    assert.equal(status, 0, `promtool ${args.join(' ')}:\n${stdout}${stderr}`)
  }
})
