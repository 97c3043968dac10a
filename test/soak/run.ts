/**
 * Long runs: `npm run soak [-- name …] [--seed N]`. Prints the seed, repeats with it. Names, or none for all: cuts (200 cut
 * links in each direction, --cuts), store (mixed sizes against a map, --runs), corrupt (damaged payloads, --mutations),
 * faults (groups under Sentinels that are broken, --schedules, --parallel of them at a time, --mode: async, wait, sync), proxy (what connections read
 * through it, --operations), differential (generated commands against redis-server, --commands).
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const SOAK_TIMEOUT_MS = 24 * 3_600_000
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const { values, positionals } = parseArgs({
  options: {
    seed: { type: 'string' },
    cuts: { type: 'string', default: '200' },
    runs: { type: 'string', default: '20000' },
    operations: { type: 'string', default: '10000000' },
    commands: { type: 'string', default: '10000000' },
    schedules: { type: 'string', default: '200' },
    parallel: { type: 'string', default: '1' },
    mode: { type: 'string', default: 'async,wait,sync' },
    mutations: { type: 'string', default: '200000' },
  },
  allowPositionals: true,
})
const seed = values.seed ?? String(Math.floor(Math.random() * 1e9))
process.stdout.write(`seed ${seed}\n`)

const SOAKS: Record<string, { file: string; env: Record<string, string> }> = {
  cuts: { file: 'cut-links', env: { CUTS: values.cuts, SEED: seed } },
  store: { file: 'store/keyspace', env: { RUNS: values.runs, SEED: seed } },
  faults: {
    file: 'faults/schedules',
    env: { SCHEDULES: values.schedules, PARALLEL: values.parallel, MODE: values.mode, SEED: seed },
  },
  corrupt: { file: 'faults/corrupt-payloads', env: { MUTATIONS: values.mutations, SEED: seed } },
  proxy: { file: 'proxy/session', env: { OPERATIONS: values.operations, SEED: seed } },
  differential: { file: 'differential/generated', env: { COMMANDS: values.commands, SEED: seed } },
}

let failed = false
for (const name of positionals.length > 0 ? positionals : Object.keys(SOAKS)) {
  const soak = SOAKS[name]
  if (soak === undefined) {
    process.stderr.write(`no soak '${name}': ${Object.keys(SOAKS).join(', ')}\n`)
    process.exit(2)
  }
  const run = spawnSync(process.execPath, ['--import', 'tsx', 'test/run.ts', soak.file], {
    cwd: ROOT,
    env: { ...process.env, TEST_TIMEOUT_MS: String(SOAK_TIMEOUT_MS), ...soak.env },
    stdio: 'inherit',
  })
  if (run.status !== 0) failed = true
}
process.exit(failed ? 1 : 0)
