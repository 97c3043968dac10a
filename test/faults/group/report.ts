/** What many schedules of one mode came to, as a table in Markdown. */
import { FAULTS } from './group.ts'
import type { Promised } from './programs.ts'
import type { Verdict } from './schedule.ts'

function percentile(sorted: readonly number[], percent: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0
}

export function table(mode: Promised, verdicts: readonly Verdict[]): string {
  const sum = (of: (verdict: Verdict) => number) => verdicts.reduce((total, verdict) => total + of(verdict), 0)
  const sizes = [3, 4, 5].map((size) => verdicts.filter(({ kinds }) => kinds.split(' ').length === size).length)
  const faults = FAULTS.map((fault) => {
    const count = sum((verdict) => verdict.faults.filter((text) => text.startsWith(`${fault} `)).length)
    return `${fault} ${count}`
  })
  const outages = verdicts.map(({ outageMs }) => outageMs).sort((a, b) => a - b)
  const worst = verdicts.toSorted((a, b) => b.lostBytes - a.lostBytes)[0]
  const seen = `lag ${worst?.lagBytes}, written by deposed primaries ${worst?.deposedBytes}, unseen at most ${worst?.unseenBytes}`
  const rows: [string, string | number][] = [
    ['schedules', `${verdicts.length} (3, 4, 5 nodes: ${sizes.join(', ')})`],
    ['not judged', verdicts.filter(({ failure }) => failure !== undefined).length],
    ['faults', faults.join(', ')],
    ['failovers', sum(({ failovers }) => failovers)],
    ['acknowledged writes', sum(({ writes }) => writes)],
    ['refused', sum(({ refused }) => refused)],
    ['unknown', sum(({ unknown }) => unknown)],
    [
      'acknowledged and lost',
      `${sum(({ lost }) => lost)} in ${verdicts.filter(({ lost }) => lost > 0).length} schedules`,
    ],
    ['refused and there', sum(({ resurrected }) => resurrected)],
    ['reads', sum(({ reads }) => reads)],
    ['reads older than an acknowledged write', sum(({ staleReads }) => staleReads)],
    ['reads of a write that was lost', sum(({ lostReads }) => lostReads)],
    ['reads of what nobody wrote', sum(({ futureReads }) => futureReads)],
    [
      'longest outage of a schedule, ms (p50, p99, max)',
      [50, 99, 100].map((percent) => percentile(outages, percent)).join(', '),
    ],
    ['largest loss of a schedule in bytes, beside what was seen', `${worst?.lostBytes} (${seen})`],
  ]
  const lines = [`| ${mode} | |`, '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)]
  return `${lines.join('\n')}\n`
}
