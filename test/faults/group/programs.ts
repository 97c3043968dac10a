/**
 * Programs that find the primary through the Sentinels, append ever greater numbers each to a list of its own, read the
 * last number of any list, and record each operation with its beginning, end and outcome: acknowledged, refused (the
 * server said that it did not apply it), or unknown (no answer, or the answer that it was applied but not copied).
 */
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../../support/wait-until.ts'
import { type Command, connect, isError, type Wire } from '../../support/wire.ts'
import type { Group } from './group.ts'
import type { Random } from './random.ts'

const ANSWER_MS = 1500
/** Between two operations: several groups share the machine. */
const THINK_MS = 2
const RETRY_MS = 50
const READS_OF_TEN = 3

/** What an acknowledgement stands for: the primary has it; so many replicas have it, by WAIT; the server itself waits. */
export type Promised = 'async' | 'wait' | 'sync'

export interface Operation {
  readonly kind: 'write' | 'read'
  readonly key: string
  /** Written, or read (0 is an empty list); NaN for a read without answer. */
  readonly value: number
  readonly startMs: number
  readonly endMs: number
  readonly outcome: 'ok' | 'refused' | 'unknown'
}

export function keyOf(program: number): string {
  return `program:${program}`
}

export function writeOf(key: string, value: number): Command {
  return ['RPUSH', key, value]
}

/** A write with this error was applied, or may have been. */
const APPLIED = /applied here|not acknowledge/

export class Program {
  readonly history: Operation[] = []
  /** What was said last of an operation that did not succeed. */
  lastError = ''
  /** The longest time between two acknowledged writes. */
  outageMs = 0

  #group: Group
  #number: number
  #programs: number
  #promised: Promised
  #copies: number
  #random: Random
  #wire: Wire | null = null
  #going = true
  #tried = 0
  #done: Promise<void>

  constructor(group: Group, place: { number: number; of: number }, promised: Promised, copies: number, random: Random) {
    this.#group = group
    this.#number = place.number
    this.#programs = place.of
    this.#promised = promised
    this.#copies = copies
    this.#random = random
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#going = false
    await this.#done
  }

  async #run(): Promise<void> {
    let wellAt = performance.now()
    while (this.#going) {
      const isRead = this.#random.below(10) < READS_OF_TEN
      const outcome = isRead ? await this.#read() : await this.#write()
      if (outcome !== 'ok') {
        await this.#leave()
        await pause(RETRY_MS)
        continue
      }
      if (!isRead) {
        this.outageMs = Math.max(this.outageMs, performance.now() - wellAt)
        wellAt = performance.now()
      }
      await pause(THINK_MS)
    }
    await this.#leave()
  }

  async #write(): Promise<Operation['outcome']> {
    const key = keyOf(this.#number)
    const value = ++this.#tried
    const startMs = performance.now()
    const outcome = await this.#append(key, value)
    this.history.push({ kind: 'write', key, value, startMs, endMs: performance.now(), outcome })
    return outcome
  }

  async #append(key: string, value: number): Promise<Operation['outcome']> {
    const wire = await this.#connected()
    if (wire === null) return 'refused'
    try {
      const reply = await within(wire.send(...writeOf(key, value)), ANSWER_MS, 'an answer')
      if (isError(reply)) {
        this.lastError = reply.error
        return APPLIED.test(reply.error) ? 'unknown' : 'refused'
      }
      if (this.#promised !== 'wait') return 'ok'
      const copies = await within(wire.send('WAIT', this.#copies, 1000), ANSWER_MS, 'an answer')
      return typeof copies === 'number' && copies >= this.#copies ? 'ok' : 'unknown'
    } catch (error) {
      this.lastError = String(error)
      return 'unknown'
    }
  }

  async #read(): Promise<Operation['outcome']> {
    const key = keyOf(this.#random.below(this.#programs))
    const startMs = performance.now()
    let value = Number.NaN
    const wire = await this.#connected()
    try {
      const reply = wire === null ? undefined : await within(wire.send('LRANGE', key, -1, -1), ANSWER_MS, 'an answer')
      if (Array.isArray(reply)) value = Number(reply[0] ?? 0)
      else if (reply !== undefined && isError(reply)) this.lastError = reply.error
    } catch (error) {
      this.lastError = String(error)
    }
    const outcome = Number.isNaN(value) ? 'refused' : 'ok'
    this.history.push({ kind: 'read', key, value, startMs, endMs: performance.now(), outcome })
    return outcome
  }

  async #connected(): Promise<Wire | null> {
    try {
      this.#wire ??= await within(this.#connect(), ANSWER_MS, 'a connection')
    } catch (error) {
      this.lastError = String(error)
    }
    return this.#wire
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
