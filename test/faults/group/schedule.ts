/** What happens to a group, by seed: one fault at a time, on any node, each healed after a while. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Cleanup } from '../../support/cleanup.ts'
import type { ServerKind } from '../../support/tandem.ts'
import { type Fault, startGroup } from './group.ts'
import { type Outcome, Program, type Promised } from './programs.ts'

const FAULTS: readonly Fault[] = ['kill', 'freeze', 'cut', 'delay']
const PROGRAMS = 4
/** Settled with the last fault healed; what was acknowledged before is looked for after that. */
const FAULTS_A_SCHEDULE = 3

export interface Verdict {
  readonly seed: number
  readonly kinds: readonly ServerKind[]
  readonly faults: readonly string[]
  /** Programs whose last acknowledged write is gone. */
  lost: number
  /** Programs whose key has a value that a server said it had not applied. */
  resurrected: number
  writes: number
  unknown: number
  outageMs: number
  failovers: number
}

export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  below(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.#state / 0x100000000) * n)
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!
  }
}

/** Rejects when the group does not come together again, or its copies differ. */
export async function runSchedule(
  t: Cleanup,
  seed: number,
  kinds: readonly ServerKind[],
  promised: Promised,
): Promise<Verdict> {
  const random = new Random(seed)
  const copies = kinds.length - 1
  const args = promised === 'sync' ? ['--sync-replicas', String(copies), '--sync-timeout', '1000'] : []
  const group = await startGroup(t, kinds, args)
  const programs = Array.from({ length: PROGRAMS }, (_, i) => new Program(group, `program:${i}`, promised, copies))
  const faults: string[] = []
  let primary = await group.sentinels.primaryPort()
  let failovers = 0
  await pause(200)
  for (let i = 0; i < FAULTS_A_SCHEDULE; i++) {
    const node = random.of(group.nodes)
    const fault = random.of(FAULTS)
    const milliseconds = 200 + random.below(2200)
    const role = node.port === primary ? 'primary' : 'replica'
    faults.push(`${fault} ${role} ${milliseconds} ms`)
    await node.break(fault)
    await pause(milliseconds)
    await node.heal()
    await pause(random.below(1200))
    const now = await group.sentinels.primaryPort()
    if (now !== primary) failovers++
    primary = now
  }
  await pause(500)
  const outcomes: Outcome[] = []
  for (const program of programs) outcomes.push(await program.stop())
  await group.settle()
  const verdict: Verdict = {
    seed,
    kinds,
    faults,
    lost: 0,
    resurrected: 0,
    writes: outcomes.reduce((sum, { writes }) => sum + writes, 0),
    unknown: outcomes.reduce((sum, { unknown }) => sum + unknown, 0),
    outageMs: Math.round(Math.max(...outcomes.map(({ outageMs }) => outageMs))),
    failovers,
  }
  const node = await group.primary()
  for (const { key, acknowledged, refused } of outcomes) {
    const value = Number((await node.ask((wire) => wire.must('GET', key))) ?? 0)
    if (value < acknowledged) verdict.lost++
    if (refused.has(value)) verdict.resurrected++
  }
  return verdict
}
