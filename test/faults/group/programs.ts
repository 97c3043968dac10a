/**
 * Programs that write through the Sentinels and remember what became of each write: acknowledged, refused, or unknown (no
 * answer, or the answer that it was applied but not copied). Each has a key of its own and writes ever greater numbers, so
 * that the last value tells what was lost.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../../support/wait-until.ts'
import { connect, isError, type Wire } from '../../support/wire.ts'
import type { Group } from './group.ts'

const ANSWER_MS = 1500

/** What an acknowledgement stands for: the primary has it; so many replicas have it, by WAIT; the server itself waits. */
export type Promised = 'async' | 'wait' | 'sync'

export interface Outcome {
  readonly key: string
  /** The greatest number that was acknowledged. */
  acknowledged: number
  /** The greatest that was tried. */
  tried: number
  /** Numbers of which a server said that it did not apply them. */
  readonly refused: Set<number>
  unknown: number
  /** What was said last of a write that was not acknowledged. */
  lastError: string
  /** The longest time between two acknowledged writes, milliseconds. */
  outageMs: number
  writes: number
}

export class Program {
  readonly outcome: Outcome
  #group: Group
  #promised: Promised
  #copies: number
  #wire: Wire | null = null
  #going = true
  #done: Promise<void>

  constructor(group: Group, key: string, promised: Promised, copies: number) {
    this.#group = group
    this.#promised = promised
    this.#copies = copies
    this.outcome = {
      key,
      acknowledged: 0,
      tried: 0,
      refused: new Set(),
      unknown: 0,
      lastError: '',
      outageMs: 0,
      writes: 0,
    }
    this.#done = this.#run()
  }

  async stop(): Promise<Outcome> {
    this.#going = false
    await this.#done
    return this.outcome
  }

  async #run(): Promise<void> {
    const { outcome } = this
    let wellAt = performance.now()
    while (this.#going) {
      const result = await this.#write(++outcome.tried)
      if (result === 'acknowledged') {
        outcome.acknowledged = outcome.tried
        outcome.writes++
        outcome.outageMs = Math.max(outcome.outageMs, performance.now() - wellAt)
        wellAt = performance.now()
        continue
      }
      if (result === 'refused') outcome.refused.add(outcome.tried)
      else outcome.unknown++
      await this.#leave()
      await pause(50)
    }
    await this.#leave()
  }

  async #write(value: number): Promise<'acknowledged' | 'refused' | 'unknown'> {
    try {
      this.#wire ??= await within(this.#connect(), ANSWER_MS, 'a connection')
    } catch (error) {
      this.outcome.lastError = String(error)
      return 'refused'
    }
    try {
      const reply = await within(this.#wire.send('SET', this.outcome.key, value), ANSWER_MS, 'an answer')
      if (isError(reply)) this.outcome.lastError = reply.error
      if (isError(reply)) return /applied here/.test(reply.error) ? 'unknown' : 'refused'
      if (this.#promised !== 'wait') return 'acknowledged'
      const copies = await within(this.#wire.send('WAIT', this.#copies, 1000), ANSWER_MS, 'an answer')
      return typeof copies === 'number' && copies >= this.#copies ? 'acknowledged' : 'unknown'
    } catch (error) {
      this.outcome.lastError = String(error)
      return 'unknown'
    }
  }

  async #connect(): Promise<Wire> {
    return connect(await this.#group.sentinels.primaryPort())
  }

  async #leave(): Promise<void> {
    const wire = this.#wire
    this.#wire = null
    await wire?.close().catch(() => undefined)
  }
}
