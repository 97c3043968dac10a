/**
 * The latency monitor: for each kind of event (command, fast-command, expire-cycle ...) the worst of each of the last 160
 * seconds in which it took longer than latency-monitor-threshold. Who measures compares with the threshold before it calls
 * `add`. redis 7.0.15 latency.c
 */
import type { LatencyHost } from '../commands/host.ts'

/** redis 7.0.15 latency.h LATENCY_TS_LEN */
const SAMPLES_MAX = 160

interface Series {
  /** Unix second and milliseconds, oldest first. */
  samples: [unixSeconds: number, milliseconds: number][]
  /** Of all time. */
  maxMs: number
}

export class LatencyMonitor implements LatencyHost {
  readonly #series = new Map<string, Series>()
  readonly #now: () => number

  /** `now` gives unix milliseconds. */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  get events(): ReadonlyMap<string, Series> {
    return this.#series
  }

  /** redis 7.0.15 latency.c latencyAddSample */
  add(event: string, milliseconds: number): void {
    const second = Math.floor(this.#now() / 1000)
    let series = this.#series.get(event)
    if (series === undefined) {
      series = { samples: [], maxMs: 0 }
      this.#series.set(event, series)
    }
    if (milliseconds > series.maxMs) series.maxMs = milliseconds
    const last = series.samples.at(-1)
    if (last !== undefined && last[0] === second) {
      if (milliseconds > last[1]) last[1] = milliseconds
      return
    }
    series.samples.push([second, milliseconds])
    if (series.samples.length > SAMPLES_MAX) series.samples.shift()
  }

  /** Forgets these events, in any case of letters, or all if none is named. Returns how many there were. */
  reset(events: readonly string[]): number {
    if (events.length === 0) {
      const count = this.#series.size
      this.#series.clear()
      return count
    }
    const wanted = new Set(events.map((event) => event.toLowerCase()))
    let count = 0
    for (const name of this.#series.keys()) {
      if (!wanted.has(name.toLowerCase())) continue
      this.#series.delete(name)
      count++
    }
    return count
  }
}
