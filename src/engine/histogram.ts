/**
 * Latencies of one command, from 1 ns to 1 s. The counters have the shape of the HDR histogram that Redis keeps (two
 * significant digits), so that INFO latencystats and LATENCY HISTOGRAM tell the same values for the same durations:
 *
 *     nanoseconds   0 ... 255       256 ... 511      512 ... 1023      ...   2^29 ... 2^30-1
 *     step          1               2                4                       2^22
 *     counters      0 ... 255       256 ... 383      384 ... 511       ...   2944 ... 3071
 *
 * 24 KiB for each command that has been called; recording allocates nothing.
 */
const HALF_BITS = 7
const HALF = 1 << HALF_BITS
const COUNTERS = 3072
const MAX_NANOSECONDS = 1_000_000_000
/** The first step of the cumulative distribution; each next is twice as far. */
const FIRST_LEVEL = 1024
const LAST_VALUE = 2 ** 30 - 1

export class LatencyHistogram {
  /** Durations recorded. */
  calls = 0
  /** Doubles: a busy command is counted past 2^32 within two hours. */
  readonly #counts = new Float64Array(COUNTERS)

  record(microseconds: number, count = 1): void {
    let nanoseconds = Math.round(microseconds * 1000)
    if (!(nanoseconds >= 1)) nanoseconds = 1
    else if (nanoseconds > MAX_NANOSECONDS) nanoseconds = MAX_NANOSECONDS
    this.#counts[counterOf(nanoseconds)]! += count
    this.calls += count
  }

  /** The duration in microseconds that this percentage of the calls did not exceed (hdr_value_at_percentile). */
  percentile(percent: number): number {
    const wanted = Math.max(1, Math.floor((Math.min(percent, 100) / 100) * this.calls + 0.5))
    let seen = 0
    for (let i = 0; i < COUNTERS; i++) {
      seen += this.#counts[i]!
      if (seen >= wanted) return (percent === 0 ? lowest(i) : highest(i)) / 1000
    }
    return 0
  }

  /**
   * Steps of the cumulative distribution that add something: whole microseconds, and the calls up to there.
   * redis 7.0.15 latency.c fillCommandCDF
   */
  cumulative(): [microseconds: number, calls: number][] {
    const steps: [number, number][] = []
    let seen = 0
    let next = 0
    for (let level = FIRST_LEVEL; seen < this.calls; level *= 2) {
      const last = level > LAST_VALUE ? COUNTERS - 1 : counterOf(level)
      const before = seen
      while (next <= last) seen += this.#counts[next++]!
      if (seen > before) steps.push([Math.floor(highest(last) / 1000), seen])
    }
    return steps
  }
}

function counterOf(nanoseconds: number): number {
  const shift = nanoseconds < 2 * HALF ? 0 : 31 - HALF_BITS - Math.clz32(nanoseconds)
  return (shift << HALF_BITS) + (nanoseconds >>> shift)
}

/** The smallest value that is counted at i, and the largest. */
function lowest(i: number): number {
  return i < 2 * HALF ? i : ((i & (HALF - 1)) + HALF) << ((i >> HALF_BITS) - 1)
}

function highest(i: number): number {
  return i < 2 * HALF ? i : lowest(i) + (1 << ((i >> HALF_BITS) - 1)) - 1
}
