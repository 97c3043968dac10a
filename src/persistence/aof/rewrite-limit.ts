/**
 * A rewrite that fails again and again leaves a small increment each time: after three failures the next ones that nobody
 * asked for wait 1, 2, 4 and so on up to 60 minutes. redis 7.0.15 aof.c aofRewriteLimited
 */
import type { Log } from '../../commands/host.ts'

const FAILURES_MAX = 3
const DELAY_MAX_MINUTES = 60

export class RewriteLimit {
  /** In a row. */
  failures = 0
  #engine: { readonly unixMs: number; readonly log: Log }
  #delayMinutes = 0
  #nextMs = 0

  constructor(engine: { readonly unixMs: number; readonly log: Log }) {
    this.#engine = engine
  }

  /** True: not now. */
  isReached(): boolean {
    const { log, unixMs } = this.#engine
    if (this.failures < FAILURES_MAX) {
      this.#delayMinutes = 0
      this.#nextMs = 0
      return false
    }
    if (this.#nextMs !== 0) {
      if (unixMs < this.#nextMs) return true
      this.#nextMs = 0
      return false
    }
    this.#delayMinutes = Math.min(DELAY_MAX_MINUTES, this.#delayMinutes === 0 ? 1 : this.#delayMinutes * 2)
    this.#nextMs = unixMs + this.#delayMinutes * 60_000
    log(
      'warning',
      `Background AOF rewrite has repeatedly failed and triggered the limit, will retry in ${this.#delayMinutes} minutes`,
    )
    return true
  }
}
