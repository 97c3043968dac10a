/**
 * What replication has done since the start, for metrics. It is counted where every such event passes (the log of resyncs,
 * the states of the link), not where it happens, so nothing can be forgotten by one of the ways to synchronise.
 */
import type { ResyncEvent } from '../commands/host.ts'
import type { FailoverKind, ReplicationCounters } from '../commands/replication-counters.ts'

/** The link's states between which a full synchronisation is under way, and after which it has failed. */
const SYNCING = 'sync'
const BROKEN = 'connect'

export class Counters implements ReplicationCounters {
  readonly full = { 'to-replica': { ok: 0, failed: 0 }, 'from-primary': { ok: 0, failed: 0 } }
  readonly partial = { 'to-replica': { ok: 0, failed: 0 }, 'from-primary': { ok: 0, failed: 0 } }
  readonly failovers = { sentinel: 0, manual: 0, 'taken-over': 0, 'handed-over': 0 }
  readonly failoverMs = { sentinel: 0, manual: 0, 'taken-over': 0, 'handed-over': 0 }
  roleChanges = 0

  #linkState = ''

  /** An event of the log; kinds are 'full', 'full failed' and 'partial'. */
  resync(direction: ResyncEvent['direction'], kind: string): void {
    if (direction === 'role') {
      this.roleChanges++
      return
    }
    const counts = kind === 'partial' ? this.partial[direction] : this.full[direction]
    if (kind.endsWith('failed')) counts.failed++
    else counts.ok++
  }

  /** A replica asked to go on, and is given a full synchronisation instead. */
  partialRefused(direction: 'to-replica' | 'from-primary'): void {
    this.partial[direction].failed++
  }

  /** The link to the primary is in this state now. `couldResume`: a history was offered to the primary. */
  linkState(state: string, couldResume: boolean): void {
    const was = this.#linkState
    this.#linkState = state
    if (state === was) return
    if (state === SYNCING && couldResume) this.partialRefused('from-primary')
    if (state === BROKEN && was === SYNCING) this.full['from-primary'].failed++
  }

  failover(kind: FailoverKind, durationMs = 0): void {
    this.failovers[kind]++
    this.failoverMs[kind] += durationMs
  }

  /** REPLICAOF NO ONE from a client of this name; Sentinels give theirs one. `downSinceMs` is 0 if the link was up. */
  promoted(clientName: string, downSinceMs: number, nowMs: number): void {
    const kind = /^sentinel-[0-9a-f]+-cmd$/.test(clientName) ? 'sentinel' : 'manual'
    this.failover(kind, downSinceMs === 0 ? 0 : Math.max(0, nowMs - downSinceMs))
  }
}
