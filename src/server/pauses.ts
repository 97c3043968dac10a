/**
 * Why clients are held back, and until when: CLIENT PAUSE, a shutdown that waits for replicas, a failover. Each reason ends
 * by itself; the strictest in force counts. redis 7.0.15 networking.c pauseClients, updateClientPauseTypeAndEndTime
 */
import type { PauseReason } from '../commands/host.ts'

export type PauseMode = 'write' | 'all'

const TIMER_MAX_MS = 0x7fffffff

export class Pauses {
  readonly #reasons = new Map<PauseReason, { untilMs: number; mode: PauseMode }>()
  readonly #now: () => number
  readonly #onChange: () => void
  #timer: NodeJS.Timeout | null = null

  constructor(now: () => number, onChange: () => void) {
    this.#now = now
    this.#onChange = onChange
  }

  get mode(): PauseMode | 'off' {
    let mode: PauseMode | 'off' = 'off'
    for (const pause of this.#reasons.values()) if (mode !== 'all') mode = pause.mode
    return mode
  }

  /** Unix milliseconds; 0 when there is none. */
  get untilMs(): number {
    let until = 0
    for (const pause of this.#reasons.values()) until = Math.max(until, pause.untilMs)
    return until
  }

  /** For the same reason the longer or stricter pause stays in force. */
  add(reason: PauseReason, untilMs: number, mode: PauseMode): void {
    const before = this.#reasons.get(reason)
    this.#reasons.set(reason, {
      untilMs: Math.max(untilMs, before?.untilMs ?? 0),
      mode: before?.mode === 'all' ? 'all' : mode,
    })
    this.#changed()
  }

  remove(reason: PauseReason): void {
    if (this.#reasons.delete(reason)) this.#changed()
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #changed(): void {
    this.stop()
    let next = Number.POSITIVE_INFINITY
    for (const { untilMs } of this.#reasons.values()) next = Math.min(next, untilMs)
    if (next < Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(() => this.#expire(), Math.min(Math.max(0, next - this.#now()), TIMER_MAX_MS))
      this.#timer.unref()
    }
    this.#onChange()
  }

  #expire(): void {
    const now = this.#now()
    for (const [reason, { untilMs }] of this.#reasons) if (untilMs <= now) this.#reasons.delete(reason)
    this.#changed()
  }
}
