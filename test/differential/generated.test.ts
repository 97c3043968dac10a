/**
 * Commands generated from their declarations, to redis-server and to Tandem: replies and datasets are the same. A failure
 * prints a case to be added to regressions.ts. `SEED=1 COMMANDS=1000000 npx tsx test/run.ts differential/generated` for
 * other sequences and more of them; `npm run soak -- differential` for millions.
 */
import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { type Pair, startPair } from '../support/differential.ts'
import { stepOf } from './generate.ts'
import { Player } from './play.ts'
import { REGRESSIONS } from './regressions.ts'
import { search } from './search.ts'

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
const COMMANDS = Number(process.env.COMMANDS ?? 60_000)
/** Shrinking takes a while: so many are enough for one run. */
const FINDINGS = Number(process.env.FINDINGS ?? 5)

suite('generated commands against redis-server', () => {
  let servers: Pair
  before(async () => {
    servers = await startPair()
  })

  for (const { name, protocol, steps } of REGRESSIONS) {
    test(`once different: ${name}`, async () => {
      const player = new Player(servers)
      try {
        const difference = await player.play(steps.map(stepOf), protocol)
        assert.deepEqual(difference, undefined)
      } finally {
        player.close()
      }
    })
  }

  test(`${COMMANDS} commands of seed ${SEED}`, { timeout: Number.POSITIVE_INFINITY }, async (t) => {
    const report = (text: string) => process.stdout.write(text)
    const { findings, compared, passing } = await search(servers, {
      seed: SEED,
      commands: COMMANDS,
      findings: FINDINGS,
      report,
    })
    t.diagnostic(`${compared} commands compared, seed ${SEED}`)
    for (const text of passing) t.diagnostic(`differed once, and not when played again: ${text}`)
    assert.equal(findings.length, 0, `SEED=${SEED}: ${findings.map((finding) => finding.text).join('\n')}`)
  })
})
