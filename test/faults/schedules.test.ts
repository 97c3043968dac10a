/**
 * Groups of three to five nodes under real Sentinels whose nodes are killed, frozen, cut off, slowed down, find their disks full
 * and their clocks set, while programs write and read: in the end all copies are equal, and what was promised of acknowledged
 * writes holds. `npm run soak -- faults --schedules 200 --parallel 4` for more, or `SCHEDULES=… PARALLEL=… SEED=… MODE=…`;
 * MODE is async (mixed nodes), wait (redis-server with WAIT) or sync (Tandem with sync-replicas and sync-reads).
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Cleanup } from '../support/cleanup.ts'
import type { Promised } from './group/programs.ts'
import { table } from './group/report.ts'
import { broken, planOf, runSchedule, type Verdict } from './group/schedule.ts'

const SEED = Number(process.env.SEED ?? 20261124)
const SCHEDULES = Number(process.env.SCHEDULES ?? 1)
const PARALLEL = Number(process.env.PARALLEL ?? 1)
const MODES = (process.env.MODE?.split(',') ?? ['async', 'sync']) as Promised[]

/** Ends what a schedule has started, before the next. */
class Scope implements Cleanup {
  #actions: (() => Promise<void>)[] = []

  after(action: () => Promise<void>): void {
    this.#actions.push(action)
  }

  async end(): Promise<void> {
    for (const action of this.#actions.reverse()) await action()
  }
}

async function run(seed: number, mode: Promised): Promise<Verdict> {
  const scope = new Scope()
  try {
    return await runSchedule(scope, planOf(seed, mode))
  } finally {
    await scope.end()
  }
}

describe('fault schedules', () => {
  for (const mode of MODES) {
    it(`${mode}: ${SCHEDULES} from seed ${SEED}`, { timeout: Number.POSITIVE_INFINITY }, async (t) => {
      const verdicts: Verdict[] = []
      let next = SEED
      const worker = async () => {
        while (next < SEED + SCHEDULES) {
          const verdict = await run(next++, mode)
          verdicts.push(verdict)
          if (SCHEDULES > 1) process.stdout.write(`${JSON.stringify(verdict)}\n`)
        }
      }
      await Promise.all(Array.from({ length: PARALLEL }, worker))
      const report = table(mode, verdicts)
      if (SCHEDULES > 1) process.stdout.write(`\n${report}\n`)
      else t.diagnostic(report)
      const wrong = verdicts.flatMap((verdict) =>
        broken(verdict).map((what) => `SEED=${verdict.seed} MODE=${mode}: ${what}`),
      )
      assert.deepEqual(wrong, [])
    })
  }
})
