/** What was measured, as a table, as JSON and as a plot of the ratios. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export interface Row {
  scenario: string
  unit: string
  redis: number
  tandem: number
  /** Whether more is better; the ratio is then tandem / redis, else redis / tandem: above 1 Tandem is ahead. */
  higherIsBetter: boolean
}

const RESULTS = fileURLToPath(new URL('../results/', import.meta.url))
const README = fileURLToPath(new URL('../README.md', import.meta.url))

export function advantage(row: Row): number {
  return row.higherIsBetter ? row.tandem / row.redis : row.redis / row.tandem
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

function figure(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)
}

export function table(rows: readonly Row[]): string {
  const lines = ['| scenario | unit | redis-server | Tandem | advantage |', '|---|---|---:|---:|---:|']
  for (const row of rows) {
    const cells = [row.scenario, row.unit, figure(row.redis), figure(row.tandem), `${advantage(row).toFixed(2)} x`]
    lines.push(`| ${cells.join(' | ')} |`)
  }
  return lines.join('\n')
}

/** Dots on a scale of doublings around 1, one row each, labelled where they are. */
export function plot(rows: readonly Row[]): string {
  const left = 330
  const right = 760
  const scale = (ratio: number) => left + ((Math.log2(Math.min(4, Math.max(0.25, ratio))) + 2) / 4) * (right - left)
  const height = 60 + rows.length * 20
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="840" height="${height}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="white"/>',
    '<text x="10" y="20" font-size="14">Tandem against redis-server 7.0.15: right of 1 Tandem is ahead</text>',
  ]
  for (const ratio of [0.25, 0.5, 1, 2, 4]) {
    const x = scale(ratio)
    const stroke = ratio === 1 ? '#333' : '#ddd'
    parts.push(`<line x1="${x}" x2="${x}" y1="42" y2="${height - 10}" stroke="${stroke}"/>`)
    parts.push(`<text x="${x}" y="38" text-anchor="middle" fill="#555">${ratio}</text>`)
  }
  rows.forEach((row, i) => {
    const y = 58 + i * 20
    const ratio = advantage(row)
    const colour = ratio >= 1 ? '#1b7f4b' : '#b3412e'
    parts.push(`<text x="10" y="${y + 4}">${row.scenario}</text>`)
    parts.push(`<circle cx="${scale(ratio)}" cy="${y}" r="5" fill="${colour}"/>`)
    parts.push(`<text x="${scale(ratio) + 9}" y="${y + 4}" fill="${colour}">${ratio.toFixed(2)}</text>`)
  })
  parts.push('</svg>')
  return parts.join('\n')
}

export function save(rows: readonly Row[], about: Record<string, string>): void {
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(`${RESULTS}latest.json`, `${JSON.stringify({ ...about, rows }, null, 2)}\n`)
  writeFileSync(`${RESULTS}latest.svg`, `${plot(rows)}\n`)
  const heading = Object.entries(about)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
  const text = readFileSync(README, 'utf8')
  const fresh = `<!-- latest -->\n${heading}\n\n${table(rows)}\n\n![ratios](results/latest.svg)\n<!-- /latest -->`
  writeFileSync(README, text.replace(/<!-- latest -->[\s\S]*<!-- \/latest -->/, fresh))
}
