/**
 * How fast a snapshot may go out while clients are being served: not faster than `repl-sync-max-rate` (a token bucket), and
 * only as long as clients do not wait longer than `repl-sync-latency-target`.
 *
 * What a client waits for at most is one turn of the event loop, and the walk's slice is a part of each turn. So the
 * time from one slice to the next is what is looked at: when it is above the target, slices become half as long, down to
 * SLICE_MIN_MS, and then rest for longer and longer between them, up to REST_MAX_MS; when it is below half of the target,
 * all that is taken back. The least that is left (a fifth of a millisecond in every ten) still comes to an end.
 */
import { performance } from 'node:perf_hooks'

const SLICE_MS = 1
const SLICE_MIN_MS = 0.2
const REST_MAX_MS = 10
/** Sent at once whatever the rate is. */
const BURST_BYTES = 256 * 1024
const RATE_PAUSE_MAX_MS = 1000

export class SyncPace {
  /** How long the next slice may be. */
  sliceMs = SLICE_MS

  #targetMs: () => number
  #now: () => number
  #lastMs = Number.NaN
  #restMs = 0
  #hasRested = false

  /** `targetMs` gives repl-sync-latency-target; 0 is none. */
  constructor(targetMs: () => number, now: () => number = () => performance.now()) {
    this.#targetMs = targetMs
    this.#now = now
  }

  /** A slice is about to begin: milliseconds to rest instead, 0 to go on. */
  rest(): number {
    const now = this.#now()
    const turnMs = now - this.#lastMs
    this.#lastMs = now
    if (this.#hasRested) {
      this.#hasRested = false
      return 0
    }
    this.#adapt(turnMs)
    this.#hasRested = this.#restMs > 0
    return this.#restMs
  }

  /** It waits for something else than the clients: that is no turn. */
  waits(): void {
    this.#lastMs = Number.NaN
  }

  #adapt(turnMs: number): void {
    const target = this.#targetMs()
    if (target === 0) {
      this.sliceMs = SLICE_MS
      this.#restMs = 0
    } else if (turnMs > target) {
      if (this.sliceMs > SLICE_MIN_MS) this.sliceMs = Math.max(SLICE_MIN_MS, this.sliceMs / 2)
      else this.#restMs = Math.min(REST_MAX_MS, this.#restMs * 2 + 1)
    } else if (turnMs < target / 2) {
      if (this.#restMs > 0) this.#restMs = Math.floor(this.#restMs / 2)
      else this.sliceMs = Math.min(SLICE_MS, this.sliceMs * 1.25)
    }
  }
}

/** Lets `rate()` bytes a second through, and BURST_BYTES at once. */
export class TokenBucket {
  #rate: () => number
  #now: () => number
  #tokens = BURST_BYTES
  #atMs: number

  constructor(rate: () => number, now: () => number = () => performance.now()) {
    this.#rate = rate
    this.#now = now
    this.#atMs = now()
  }

  take(bytes: number): void {
    this.#tokens -= bytes
  }

  /** Milliseconds until something may be sent again; not more than a second, because the rate may be set anew. */
  waitMs(): number {
    const rate = this.#rate()
    const now = this.#now()
    const gained = ((now - this.#atMs) * rate) / 1000
    this.#atMs = now
    if (rate === 0) {
      this.#tokens = BURST_BYTES
      return 0
    }
    this.#tokens = Math.min(BURST_BYTES, this.#tokens + gained)
    return this.#tokens > 0 ? 0 : Math.min(RATE_PAUSE_MAX_MS, Math.ceil((-this.#tokens / rate) * 1000) + 1)
  }
}
