/** What a migration is doing, on the standard error output: one line that changes on a terminal, a line now and then otherwise. */
import type { Progress } from './migration.ts'

const BAR = 24
const TERMINAL_MS = 250
const LINES_MS = 5000

export class ProgressDisplay {
  /** While both sides are compared: keys done, of so many. */
  comparison: { readonly checked: number; readonly total: number } | null = null
  #progress: Progress
  #timer: NodeJS.Timeout
  #isTerminal = process.stderr.isTTY === true
  #last = { atMs: performance.now(), keys: 0, bytes: 0 }
  #shown = ''

  constructor(progress: Progress) {
    this.#progress = progress
    this.#timer = setInterval(() => this.#show(), this.#isTerminal ? TERMINAL_MS : LINES_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    if (this.#isTerminal && this.#shown !== '') process.stderr.write('\n')
  }

  /** A line of its own. */
  say(text: string): void {
    const clear = this.#isTerminal && this.#shown !== '' ? '\r\x1b[K' : ''
    this.#shown = ''
    process.stderr.write(`${clear}${text}\n`)
  }

  #show(): void {
    const line = this.#line()
    if (!this.#isTerminal) {
      if (line !== this.#shown) process.stderr.write(`${line}\n`)
    } else process.stderr.write(`\r\x1b[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`)
    this.#shown = line
  }

  #line(): string {
    const { phase, total, walked, sent, removed, bytes, equal, waiting, lagMs, problem } = this.#progress
    const now = performance.now()
    const seconds = Math.max(0.001, (now - this.#last.atMs) / 1000)
    const { comparison } = this
    const keys = phase === 'comparing' && comparison !== null ? comparison.checked : sent + removed + equal
    const keyRate = `${thousands(Math.max(0, keys - this.#last.keys) / seconds)} keys/s`
    const rate = `${keyRate}, ${((bytes - this.#last.bytes) / seconds / 1e6).toFixed(1)} MB/s`
    this.#last = { atMs: now, keys, bytes }
    const trouble = problem === '' ? '' : `  waits for the target: ${problem}`
    if (phase === 'copying') return `copying ${bar(walked, total)}, ${rate}${trouble}`
    if (phase === 'comparing' && comparison !== null) {
      return `comparing ${bar(keys, comparison.total)}, ${keyRate}${trouble}`
    }
    const behind = waiting === 0 ? 'level' : `${thousands(waiting)} keys (${(lagMs / 1000).toFixed(1)} s) behind`
    return `${phase}: ${behind}, ${thousands(sent)} keys sent, ${thousands(removed)} removed, ${rate}${trouble}`
  }
}

function bar(done: number, total: number): string {
  const part = total === 0 ? 1 : Math.min(1, done / total)
  return `[${'#'.repeat(Math.round(part * BAR)).padEnd(BAR, '.')}] ${(part * 100).toFixed(0)} % of ${thousands(total)} keys`
}

function thousands(n: number): string {
  return Math.round(n).toLocaleString('en-US')
}
