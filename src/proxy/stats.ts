/** What the proxy counts, in plain fields: INFO proxy and /metrics read them. */

export class ProxyStats {
  localReads = 0
  upstreamReads = 0
  upstreamWrites = 0
  transactions = 0
  /** Requests that were held back, and for how long altogether. */
  waits = 0
  waitedMs = 0
  /** Reads that went upstream because the copy did not catch up within session-wait. */
  sessionWaitsExpired = 0
  refusedReads = 0
  refusedWrites = 0
  uncertainWrites = 0
  /** Groups of requests that were sent together and answered, and the time that took. */
  roundTrips = 0
  roundTripMs = 0

  roundTrip(milliseconds: number): void {
    this.roundTrips++
    this.roundTripMs += milliseconds
  }

  fields(): Record<string, number> {
    return {
      proxy_reads_local: this.localReads,
      proxy_reads_upstream: this.upstreamReads,
      proxy_writes_upstream: this.upstreamWrites,
      proxy_transactions_upstream: this.transactions,
      proxy_waits: this.waits,
      proxy_waited_ms: Math.round(this.waitedMs),
      proxy_session_waits_expired: this.sessionWaitsExpired,
      proxy_reads_refused: this.refusedReads,
      proxy_writes_refused: this.refusedWrites,
      proxy_writes_uncertain: this.uncertainWrites,
      proxy_round_trips: this.roundTrips,
      proxy_round_trip_ms: Math.round(this.roundTripMs),
    }
  }
}
