/**
 * Groups under real Sentinels whose nodes are killed, frozen, cut off and slowed down while programs write: in the end all
 * copies are equal, and what was promised of acknowledged writes holds. `SCHEDULES=200 SEED=1 MODE=sync npx tsx test/run.ts
 * faults/schedules` for more; MODE is async, wait (redis-server with WAIT) or sync.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Cleanup } from '../support/cleanup.ts'
import type { ServerKind } from '../support/tandem.ts'
import type { Promised } from './group/programs.ts'
import { Random, runSchedule, type Verdict } from './group/schedule.ts'

const SEED = Number(process.env.SEED ?? 20261123)
const SCHEDULES = Number(process.env.SCHEDULES ?? 1)
const MODES = (process.env.MODE?.split(',') ?? ['async', 'sync']) as Promised[]

function kindsFor(mode: Promised, random: Random): readonly ServerKind[] {
  if (mode === 'wait') return ['redis', 'redis', 'redis']
  if (mode === 'sync') return ['tandem', 'tandem', 'tandem']
  return ['tandem', random.of(['tandem', 'redis']), random.of(['tandem', 'redis'])]
}

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

describe('fault schedules', () => {
  for (const mode of MODES) {
    it(`${mode}: ${SCHEDULES} from seed ${SEED}`, { timeout: Number.POSITIVE_INFINITY }, async (t) => {
      const verdicts: Verdict[] = []
      for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
        const scope = new Scope()
        try {
          const verdict = await runSchedule(scope, seed, kindsFor(mode, new Random(seed)), mode)
          verdicts.push(verdict)
          if (SCHEDULES > 1) process.stdout.write(`${mode} ${JSON.stringify(verdict)}\n`)
        } catch (error) {
          throw new Error(`SEED=${seed} MODE=${mode}: ${error instanceof Error ? error.message : error}`, {
            cause: error,
          })
        } finally {
          await scope.end()
        }
      }
      const sum = (of: (verdict: Verdict) => number) => verdicts.reduce((total, verdict) => total + of(verdict), 0)
      t.diagnostic(
        `${mode}: ${sum(({ writes }) => writes)} acknowledged writes, ${sum(({ failovers }) => failovers)} failovers, ` +
          `${sum(({ unknown }) => unknown)} unknown, ${sum(({ lost }) => lost)} programs lost their last write, ` +
          `${sum(({ resurrected }) => resurrected)} found a refused one, longest outage ${Math.max(...verdicts.map((v) => v.outageMs))} ms`,
      )
      assert.equal(
        sum(({ resurrected }) => resurrected),
        0,
        'refused writes that were applied',
      )
      if (mode === 'sync')
        assert.equal(
          sum(({ lost }) => lost),
          0,
          'acknowledged writes that are gone',
        )
    })
  }
})
