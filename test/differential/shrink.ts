/**
 * Makes a failing sequence small: commands are left out in ever smaller pieces as long as the same command (or the digest)
 * still differs, then arguments, then values are replaced by shorter ones. Every try is played on emptied servers.
 */
import { isBlocking, type Step } from './generate.ts'
import { PAYLOADS } from './payloads.ts'
import type { Difference, Player } from './play.ts'

export interface Shrunk {
  steps: Step[]
  difference: Difference
}

const TRIES_MAX = 1500
const SIMPLE = ['a', '1', '0', '2']
const SIMPLE_PAYLOADS = PAYLOADS.map((payload) => Buffer.from(payload, 'base64').toString('latin1')).sort(
  (a, b) => a.length - b.length,
)

export class Shrinker {
  readonly #player: Player
  readonly #protocol: 2 | 3
  readonly #name: string
  readonly #kind: Difference['kind']
  #best: Shrunk
  #tries = 0

  constructor(player: Player, steps: readonly Step[], difference: Difference, protocol: 2 | 3) {
    this.#player = player
    this.#protocol = protocol
    this.#kind = difference.kind
    this.#name = steps[difference.at]!.name
    const broken = difference.kind === 'broken'
    this.#best = { steps: broken ? [...steps] : steps.slice(0, difference.at + 1), difference }
  }

  /** The smallest found; undefined if it does not happen again. */
  async shrink(): Promise<Shrunk | undefined> {
    this.#player.impatient = true
    try {
      return await this.#shrink()
    } finally {
      this.#player.impatient = false
    }
  }

  async #shrink(): Promise<Shrunk | undefined> {
    if (!(await this.#fails(this.#best.steps)) && !(await this.#fails(this.#best.steps))) return undefined
    let before: number
    do {
      before = size(this.#best.steps)
      await this.#fewerSteps()
      await this.#fewerArguments()
      await this.#simplerArguments()
    } while (size(this.#best.steps) < before)
    return this.#best
  }

  async #fails(steps: Step[]): Promise<boolean> {
    if (this.#tries++ > TRIES_MAX || steps.length === 0) return false
    const difference = await this.#player.play(steps, this.#protocol)
    if (difference === undefined || difference.kind !== this.#kind) return false
    if (this.#kind === 'reply' && steps[difference.at]!.name !== this.#name) return false
    this.#best = { steps: this.#kind === 'reply' ? steps.slice(0, difference.at + 1) : steps, difference }
    return true
  }

  async #fewerSteps(): Promise<void> {
    for (let piece = this.#best.steps.length >> 1; piece >= 1; piece >>= 1) {
      for (let from = 0; from < this.#best.steps.length; ) {
        const steps = this.#best.steps
        const failed = await this.#fails([...steps.slice(0, from), ...steps.slice(from + piece)])
        if (!failed) from += piece
      }
    }
  }

  async #fewerArguments(): Promise<void> {
    for (let at = 0; at < this.#best.steps.length; at++) {
      const first = nameLength(this.#best.steps[at])
      if (this.#best.steps[at]?.name === 'spop') continue
      for (let arg = (this.#best.steps[at]?.args.length ?? 0) - 1; arg >= first; arg--) {
        const args = this.#best.steps[at]?.args ?? []
        await this.#with(at, args.toSpliced(arg, 1))
        // Pairs, as of field and value.
        if (arg > first && this.#best.steps[at]?.args.length === args.length)
          await this.#with(at, args.toSpliced(arg - 1, 2))
      }
    }
  }

  async #simplerArguments(): Promise<void> {
    for (let at = 0; at < this.#best.steps.length; at++) {
      // Never a timeout of 0.
      if (isBlocking(this.#best.steps[at]?.name ?? '')) continue
      for (let arg = nameLength(this.#best.steps[at]); arg < (this.#best.steps[at]?.args.length ?? 0); arg++) {
        const old = this.#best.steps[at]!.args[arg]!
        // A time must not be over while it is looked at.
        if (SIMPLE.includes(old) || /^\d{7,}$/.test(old)) continue
        const shorter = this.#best.steps[at]!.name === 'restore' && old.length > 20 ? SIMPLE_PAYLOADS : SIMPLE
        for (const simple of [...shorter, old.slice(0, old.length >> 1)]) {
          if (simple.length > old.length) continue
          if (await this.#with(at, this.#best.steps[at]!.args.with(arg, simple))) break
        }
      }
    }
  }

  #with(at: number, args: string[]): Promise<boolean> {
    const steps = this.#best.steps
    if (at >= steps.length) return Promise.resolve(false)
    return this.#fails(steps.with(at, { ...steps[at]!, args }))
  }
}

/** Of a subcommand two. */
function nameLength(step: Step | undefined): number {
  return step?.name.includes('|') ? 2 : 1
}

function size(steps: readonly Step[]): number {
  let sum = steps.length
  for (const step of steps) for (const arg of step.args) sum += arg.length
  return sum
}
