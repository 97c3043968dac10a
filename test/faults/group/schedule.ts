/** What happens to a group, by seed: its nodes, and one fault at a time on any of them, each healed after a while. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Cleanup } from '../../support/cleanup.ts'
import type { Reply } from '../../support/reply.ts'
import type { ServerKind } from '../../support/tandem.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { check, type Findings, nothingFound } from './checker.ts'
import { FAULTS, type Fault, type Group, startGroup } from './group.ts'
import { Observer } from './observer.ts'
import { keyOf, Program, type Promised } from './programs.ts'
import { Random } from './random.ts'

const PROGRAMS = 4
const FAULTS_A_SCHEDULE = 3
const JUDGE_MS = 30_000
/** Longer than it takes a server to see that its clock was set. */
const CLOCK_MS = 1500
const CLOCK_SECONDS = [-3600, -30, -3, 3, 30, 3600]

interface Step {
  readonly fault: Fault
  /** A number, or whoever is the primary then: half of the faults would else hardly ever be seen. */
  readonly node: number | 'primary'
  readonly milliseconds: number
  /** After it was healed. */
  readonly restMs: number
  /** Of a clock. */
  readonly seconds: number
}

export interface Plan {
  readonly seed: number
  readonly mode: Promised
  readonly kinds: readonly ServerKind[]
  readonly steps: readonly Step[]
}

export interface Verdict extends Findings {
  readonly seed: number
  readonly mode: Promised
  readonly kinds: string
  readonly faults: string[]
  failovers: number
  outageMs: number
  /** By which old primaries were seen to be ahead of their successors, what they wrote later, what went unseen at most. */
  lagBytes: number
  deposedBytes: number
  unseenBytes: number
  seconds: number
  /** Why it could not be judged: the group did not come together again, its copies differ. */
  failure?: string
}

export function planOf(seed: number, mode: Promised): Plan {
  const random = new Random(seed)
  const size = 3 + random.below(3)
  const kindOf = (): ServerKind => {
    if (mode === 'async') return random.of(['tandem', 'redis'] as const)
    return mode === 'wait' ? 'redis' : 'tandem'
  }
  const kinds = Array.from({ length: size }, kindOf)
  if (mode === 'async' && !kinds.includes('tandem')) kinds[0] = 'tandem'
  const steps = Array.from({ length: FAULTS_A_SCHEDULE }, (): Step => {
    const fault = random.of(FAULTS)
    return {
      fault,
      // The clock of a node can be set only if it was started so.
      node: fault !== 'clock' && random.below(2) === 0 ? 'primary' : random.below(size),
      milliseconds: (fault === 'clock' ? CLOCK_MS : 200) + random.below(2200),
      restMs: random.below(1200),
      seconds: random.of(CLOCK_SECONDS),
    }
  })
  return { seed, mode, kinds, steps }
}

async function runSteps(group: Group, steps: readonly Step[]): Promise<string[]> {
  const told: string[] = []
  for (const { fault, node, milliseconds, restMs, seconds } of steps) {
    const primary = await group.primary()
    const broken = node === 'primary' ? primary : group.nodes[node]!
    const isPrimary = broken === primary
    const by = fault === 'clock' ? ` by ${seconds} s` : ''
    told.push(`${fault} ${isPrimary ? 'primary' : 'replica'} ${milliseconds} ms${by}`)
    await group.break(broken, fault, isPrimary, seconds)
    await pause(milliseconds)
    await group.heal()
    await pause(restMs)
  }
  return told
}

/** Never rejects: what went wrong is in the verdict. */
export async function runSchedule(t: Cleanup, { seed, mode, kinds, steps }: Plan): Promise<Verdict> {
  const copies = kinds.length - 1
  const syncArgs = ['--sync-replicas', String(copies), '--sync-timeout', '1000', '--sync-reads', 'yes']
  const verdict: Verdict = {
    seed,
    mode,
    kinds: kinds.join(' '),
    faults: [],
    ...nothingFound(),
    failovers: 0,
    outageMs: 0,
    lagBytes: 0,
    deposedBytes: 0,
    unseenBytes: 0,
    seconds: 0,
  }
  const beganMs = performance.now()
  try {
    const clocks = new Set(steps.flatMap(({ fault, node }) => (fault === 'clock' && node !== 'primary' ? [node] : [])))
    const group = await startGroup(t, kinds, mode === 'sync' ? syncArgs : [], clocks)
    const observer = new Observer(group)
    t.after(() => observer.stop())
    const random = new Random(seed + 1)
    const programs = Array.from({ length: PROGRAMS }, (_, number) => {
      return new Program(group, { number, of: PROGRAMS }, mode, copies, new Random(random.below(1e9)))
    })
    try {
      await pause(200)
      verdict.faults.push(...(await runSteps(group, steps)))
      await pause(500)
    } finally {
      for (const program of programs) await program.stop()
    }
    await group.settle()
    await observer.stop()
    await judge(verdict, group, programs)
    verdict.failovers = observer.failovers
    Object.assign(verdict, observer.losses)
    verdict.unseenBytes = observer.unseenBytes
  } catch (error) {
    verdict.failure = error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
  verdict.seconds = Math.round((performance.now() - beganMs) / 1000)
  return verdict
}

async function judge(verdict: Verdict, group: Group, programs: readonly Program[]): Promise<void> {
  const primary = await group.primary()
  const all = programs.flatMap(({ history }) => history)
  for (let number = 0; number < programs.length; number++) {
    const key = keyOf(number)
    // With sync-reads an answer may come too late on a busy machine: asked again, it only has to come once.
    let answer: Reply | undefined
    const isRead = async () => {
      answer = await primary.ask((wire) => wire.send('LRANGE', key, 0, -1))
      return Array.isArray(answer)
    }
    await waitUntil(isRead, {
      timeoutMs: JUDGE_MS,
      what: () => `${key} to be read in the end: ${JSON.stringify(answer)}`,
    })
    const list = answer as Reply[]
    check(
      verdict,
      all.filter((operation) => operation.key === key),
      list.map(Number),
    )
  }
  verdict.outageMs = Math.round(Math.max(...programs.map(({ outageMs }) => outageMs)))
}

/** What a mode promises and was not kept; empty if all was. */
export function broken(verdict: Verdict): string[] {
  const { mode, lost, lostBytes, lagBytes, deposedBytes, unseenBytes } = verdict
  const found: string[] = []
  if (verdict.failure !== undefined) found.push(verdict.failure)
  if (verdict.resurrected > 0) found.push(`${verdict.resurrected} refused writes were applied`)
  if (verdict.invented > 0) found.push(`${verdict.invented} numbers that nobody wrote, or twice`)
  if (verdict.futureReads > 0) found.push(`${verdict.futureReads} reads of what nobody had written`)
  if (mode === 'sync' && lost > 0) found.push(`${lost} acknowledged writes are gone`)
  if (mode === 'sync' && verdict.lostReads > 0) found.push(`${verdict.lostReads} reads showed writes that are gone`)
  if (mode === 'async' && lostBytes > lagBytes + deposedBytes + unseenBytes) {
    const seen = `a lag of ${lagBytes}, ${deposedBytes} written by deposed primaries, ${unseenBytes} unseen`
    found.push(`${lostBytes} bytes of writes are gone, more than ${seen}`)
  }
  return found
}
