/** What replication has done since the start, as INFO and the metrics read it. */

/** How a server came to be, or ceased to be, the primary. */
export type FailoverKind = 'sentinel' | 'manual' | 'taken-over' | 'handed-over'

export interface SyncOutcomes {
  readonly ok: number
  readonly failed: number
}

/** Since the start; CONFIG RESETSTAT leaves them alone. A partial one has failed when it became a full one. */
export interface ReplicationCounters {
  readonly full: Readonly<Record<'to-replica' | 'from-primary', SyncOutcomes>>
  readonly partial: Readonly<Record<'to-replica' | 'from-primary', SyncOutcomes>>
  readonly failovers: Readonly<Record<FailoverKind, number>>
  /** How long they took, all together: writes held back, or from the loss of the primary to the promotion. */
  readonly failoverMs: Readonly<Record<FailoverKind, number>>
  readonly roleChanges: number
}
