/**
 * Looks for differences: sequences of a seed one after the other, in both protocols in turn, until enough commands were
 * compared. A difference is shrunk and told as a case for regressions.ts. Of those that look alike only the first is
 * shrunk; the command is left out and the rest of the sequence goes on, so that a frequent one does not hide others.
 */
import type { Pair } from '../support/differential.ts'
import { Generator, type Step } from './generate.ts'
import { type Difference, Player } from './play.ts'
import { Shrinker } from './shrink.ts'

export interface SearchOptions {
  seed: number
  /** How many to compare. */
  commands: number
  /** Ends after so many different differences. */
  findings?: number
  report?: (text: string) => void
}

export interface Finding {
  signature: string
  /** Ready to be pasted into regressions.ts. */
  text: string
}

export interface SearchResult {
  findings: Finding[]
  compared: number
  /** Differences that did not happen again when played again. */
  passing: string[]
}

export const SEQUENCE_LENGTH = 400
const REPLAYS_MAX = 60

export async function search(servers: Pair, options: SearchOptions): Promise<SearchResult> {
  const player = new Player(servers)
  const run = new Search(player, options)
  try {
    return await run.run()
  } finally {
    player.close()
  }
}

class Search {
  readonly #player: Player
  readonly #options: SearchOptions
  readonly #generator = new Generator()
  readonly #result: SearchResult = { findings: [], compared: 0, passing: [] }
  readonly #seen = new Set<string>()

  constructor(player: Player, options: SearchOptions) {
    this.#player = player
    this.#options = options
  }

  async run(): Promise<SearchResult> {
    const { seed, commands, findings = 5 } = this.#options
    for (let n = 0; this.#result.compared < commands && this.#result.findings.length < findings; n++) {
      const steps = this.#generator.sequence(sequenceSeed(seed, n), SEQUENCE_LENGTH)
      await this.#examine(steps, n)
      this.#result.compared += steps.length
    }
    return this.#result
  }

  async #examine(all: Step[], n: number): Promise<void> {
    const protocol = n % 2 === 0 ? 2 : 3
    let steps = all
    for (let replay = 0; replay < REPLAYS_MAX; replay++) {
      const difference = await this.#player.play(steps, protocol)
      if (difference === undefined) return
      const signature = signatureOf(steps, difference)
      if (!this.#seen.has(signature)) {
        this.#seen.add(signature)
        await this.#tell(steps, difference, protocol, n)
      }
      if (difference.kind !== 'reply' || this.#result.findings.length >= (this.#options.findings ?? 5)) return
      steps = steps.toSpliced(difference.at, 1)
    }
  }

  async #tell(steps: Step[], difference: Difference, protocol: 2 | 3, n: number): Promise<void> {
    const shrunk = await new Shrinker(this.#player, steps, difference, protocol).shrink()
    if (shrunk === undefined) {
      this.#result.passing.push(`${signatureOf(steps, difference)} in sequence ${n} of seed ${this.#options.seed}`)
      if (difference.kind === 'digest') this.#seen.delete('digest')
      return
    }
    const signature = shrunkSignature(shrunk.steps, shrunk.difference)
    if (difference.kind === 'digest') this.#seen.delete('digest')
    if (this.#seen.has(`shrunk ${signature}`)) return
    this.#seen.add(`shrunk ${signature}`)
    const finding = { signature, text: regression(shrunk.steps, shrunk.difference, protocol, this.#options.seed, n) }
    this.#result.findings.push(finding)
    this.#options.report?.(finding.text)
  }
}

export function sequenceSeed(seed: number, n: number): number {
  return (Math.imul(seed, 1_000_003) + n) >>> 0
}

function signatureOf(steps: readonly Step[], difference: Difference): string {
  if (difference.kind !== 'reply') return difference.kind
  return `${steps[difference.at]!.name}: ${kindOfReply(difference.redis)} / ${kindOfReply(difference.tandem)}`
}

function shrunkSignature(steps: readonly Step[], difference: Difference): string {
  if (difference.kind === 'reply' && steps[difference.at]!.name !== 'exec') return signatureOf(steps, difference)
  return `${difference.kind}: ${[...new Set(steps.map((step) => step.name))].sort().join(' ')}`
}

/** An error by its words, the rest by its type. */
function kindOfReply(raw: string): string {
  return raw.startsWith('-') ? raw.slice(0, 60).replace(/'.*'/, "''").trim() : raw.charAt(0)
}

function regression(steps: Step[], difference: Difference, protocol: 2 | 3, seed: number, n: number): string {
  const lines = steps.map((step) => `      [${step.args.map(literal).join(', ')}],\n`)
  return (
    `  // redis  ${quoted(difference.redis)}\n  // tandem ${quoted(difference.tandem)}\n` +
    `  {\n    name: '${difference.kind === 'reply' ? steps[difference.at]!.name : difference.kind}, seed ${seed} sequence ${n}',\n` +
    `    protocol: ${protocol},\n    steps: [\n${lines.join('')}    ],\n  },\n`
  )
}

function quoted(raw: string): string {
  return JSON.stringify(raw.length > 300 ? `${raw.slice(0, 300)}…(${raw.length})` : raw)
}

/** As in source code, with escapes for what is not printable; a long run of one character as a call of repeat. */
function literal(text: string): string {
  const first = text.charAt(0)
  if (text.length > 30 && text === first.repeat(text.length)) return `'${first}'.repeat(${text.length})`
  const escaped = [...text].map((char) => {
    const code = char.charCodeAt(0)
    if (char === "'" || char === '\\') return `\\${char}`
    return code < 32 || code > 126 ? `\\x${code.toString(16).padStart(2, '0')}` : char
  })
  return `'${escaped.join('')}'`
}
