/**
 * oom-score-adj: moves this process, and the child that stands for a background save, in the order in which the kernel
 * ends processes when memory runs out. Primary, replica and child each have a value of their own; what was there before
 * comes back when the option is turned off. Linux only. redis 7.0.15 server.c setOOMScoreAdj
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Log } from '../commands/host.ts'
import type { Config } from '../config/config.ts'

const MOST = 1000
const OWN = '/proc/self/oom_score_adj'
const PRIMARY = 0
const REPLICA = 1
const CHILD = 2

export class OomScore {
  #config: Config
  #log: Log
  /** Before it was changed here; null while it is not. */
  #before: number | null = null

  constructor(config: Config, log: Log) {
    this.#config = config
    this.#log = log
    config.onApply(['oom-score-adj', 'oom-score-adj-values'], () =>
      this.refresh() ? undefined : 'Failed to set current oom_score_adj. Check server logs.',
    )
    config.on('replicaof', () => void this.refresh())
    this.refresh()
  }

  /** After a change of option or role. False when the system refuses, which has been logged. */
  refresh(): boolean {
    if (this.#config.get('oom-score-adj') === 'no') {
      if (this.#before === null) return true
      const score = this.#before
      this.#before = null
      return this.#write(OWN, score)
    }
    if (this.#before === null) {
      try {
        this.#before = Number.parseInt(readFileSync(OWN, 'latin1'), 10)
      } catch (error) {
        this.#log('warning', `Unable to read oom_score_adj: ${(error as Error).message}`)
        return false
      }
    }
    return this.#write(OWN, this.#score(this.#config.get('replicaof') === '' ? PRIMARY : REPLICA))
  }

  /** A child process has just been started. */
  child(pid: number): void {
    if (this.#config.get('oom-score-adj') !== 'no') this.#write(`/proc/${pid}/oom_score_adj`, this.#score(CHILD))
  }

  #score(who: number): number {
    const value = this.#config.get('oom-score-adj-values')[who]!
    const score = this.#config.get('oom-score-adj') === 'absolute' ? value : value + this.#before!
    return Math.max(-MOST, Math.min(MOST, score))
  }

  #write(path: string, score: number): boolean {
    try {
      writeFileSync(path, `${score}\n`)
      return true
    } catch (error) {
      this.#log('warning', `Unable to write oom_score_adj: ${(error as Error).message}`)
      return false
    }
  }
}
