/**
 * `npm run bench [-- scenario …] [--quick] [--rounds N]`: Tandem and redis-server in turn in one run, medians of the
 * rounds, ratios. Prints the table, writes results/latest.json and .svg and the table in README.md (a full run only).
 */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { memoryAndLatency } from './scenarios/data.ts'
import { embedded } from './scenarios/embedded.ts'
import { failover } from './scenarios/failover.ts'
import { lag } from './scenarios/lag.ts'
import { proxyScenario } from './scenarios/proxy.ts'
import { applyRate, fullSync } from './scenarios/replication.ts'
import { syncMode } from './scenarios/sync-mode.ts'
import { throughput, withReplicas } from './scenarios/throughput.ts'
import { scripts, types } from './scenarios/types.ts'
import { type Row, save, table } from './support/report.ts'
import { Client, KINDS, startServer, stopAll } from './support/servers.ts'

export interface Effort {
  rounds: number
  /** Part of the requests of a full run. */
  scale: number
  /** Keys where there are to be many. */
  keys: number
  /** How long paced loads go on. */
  milliseconds: number
}

const SCENARIOS: Record<string, (effort: Effort) => Promise<Row[]>> = {
  throughput,
  types,
  scripts,
  replicas: withReplicas,
  data: memoryAndLatency,
  sync: fullSync,
  apply: applyRate,
  lag,
  failover,
  proxy: proxyScenario,
  embedded,
  'sync-mode': syncMode,
}

/** A server that answers wrongly is not measured. */
async function check(): Promise<void> {
  const digests: string[] = []
  for (const kind of KINDS) {
    const server = await startServer(kind)
    const client = await Client.open(server.port)
    for (let i = 0; i < 500; i++) await client.ask('SET', `key:${i % 97}`, i * 31)
    for (let i = 0; i < 50; i++) await client.ask('DEL', `key:${i * 2}`)
    digests.push(await client.ask('DEBUG', 'DIGEST'))
    client.close()
    await server.stop()
  }
  if (digests[0] !== digests[1]) throw new Error(`the servers disagree: ${digests.join(' ')}`)
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { quick: { type: 'boolean', default: false }, rounds: { type: 'string' } },
    allowPositionals: true,
  })
  const effort: Effort = values.quick
    ? { rounds: 1, scale: 0.05, keys: 100_000, milliseconds: 1500 }
    : { rounds: 3, scale: 1, keys: 5_000_000, milliseconds: 8000 }
  if (values.rounds !== undefined) effort.rounds = Number(values.rounds)
  const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS)
  const unknown = names.find((name) => SCENARIOS[name] === undefined)
  if (unknown !== undefined) throw new Error(`no scenario '${unknown}': ${Object.keys(SCENARIOS).join(', ')}`)
  await check()
  const rows: Row[] = []
  for (const name of names) {
    const found = await SCENARIOS[name]!(effort)
    rows.push(...found)
    process.stdout.write(`\n${name}\n${table(found)}\n`)
  }
  if (values.quick || positionals.length > 0) return
  save(rows, {
    date: new Date().toISOString().slice(0, 10),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    node: process.version,
    cores: String(cpus().length),
  })
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => void stopAll().then(() => process.exit(1)))
}
try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : error}\n`)
  process.exitCode = 1
} finally {
  await stopAll()
}
