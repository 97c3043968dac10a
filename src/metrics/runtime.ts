/**
 * What only the JavaScript runtime can tell and has to be watched for: how late timers are, and how long the collector
 * held everything up. Watched while metrics are served, since both cost a little.
 */
import {
  constants,
  type IntervalHistogram,
  monitorEventLoopDelay,
  type PerformanceEntry,
  PerformanceObserver,
} from 'node:perf_hooks'

const RESOLUTION_MS = 10
/** Quantiles are of at least this time: a second scraper must not see only what happened since the first. */
const WINDOW_MS = 10_000
export const DELAY_QUANTILES = [0.5, 0.9, 0.99, 0.999, 1] as const
/** Upper ends in seconds. */
export const GC_BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1] as const

const GC_KINDS = new Map<number, string>([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
])

interface GcEntry extends PerformanceEntry {
  readonly detail: { readonly kind: number }
}

export interface GcDurations {
  /** Not cumulative; the last one is of longer ones than all ends. */
  readonly buckets: number[]
  sumSeconds: number
  count: number
}

export class Runtime {
  /** By kind of collection. */
  readonly gc = new Map<string, GcDurations>()

  #delays: IntervalHistogram | null = null
  #observer: PerformanceObserver | null = null
  #windowStartMs = 0
  /** Quantiles of the window before this one, seconds. */
  #before: number[] = DELAY_QUANTILES.map(() => 0)
  #sumSeconds = 0
  #count = 0

  start(): void {
    if (this.#delays !== null) return
    this.#delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#delays.enable()
    this.#windowStartMs = performance.now()
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.#countGc(entry as GcEntry)
    })
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  stop(): void {
    this.#delays?.disable()
    this.#delays = null
    this.#observer?.disconnect()
    this.#observer = null
  }

  #countGc(entry: GcEntry): void {
    const kind = GC_KINDS.get(entry.detail.kind) ?? 'other'
    const seconds = entry.duration / 1000
    let durations = this.gc.get(kind)
    if (durations === undefined) {
      durations = { buckets: new Array(GC_BUCKETS.length + 1).fill(0), sumSeconds: 0, count: 0 }
      this.gc.set(kind, durations)
    }
    const bucket = GC_BUCKETS.findIndex((end) => seconds <= end)
    durations.buckets[bucket < 0 ? GC_BUCKETS.length : bucket]!++
    durations.sumSeconds += seconds
    durations.count++
  }

  /** Quantiles in the order of DELAY_QUANTILES, of this window and the one before, whichever was worse. */
  eventLoopDelay(): { quantiles: number[]; sumSeconds: number; count: number } {
    const delays = this.#delays
    if (delays === null) return { quantiles: this.#before, sumSeconds: this.#sumSeconds, count: this.#count }
    const { count } = delays
    const now = DELAY_QUANTILES.map((quantile) => (count === 0 ? 0 : lateness(delays.percentile(quantile * 100))))
    const sumSeconds = this.#sumSeconds + (count === 0 ? 0 : lateness(delays.mean) * count)
    const answer = {
      quantiles: now.map((seconds, i) => Math.max(seconds, this.#before[i]!)),
      sumSeconds,
      count: this.#count + count,
    }
    if (performance.now() - this.#windowStartMs >= WINDOW_MS) {
      this.#before = now
      this.#sumSeconds = sumSeconds
      this.#count += count
      this.#windowStartMs = performance.now()
      delays.reset()
    }
    return answer
  }
}

/** The monitor tells the whole time between two ticks of its timer, in nanoseconds; what exceeds the resolution is late. */
function lateness(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000)
}
