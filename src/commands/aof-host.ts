/** What commands ask of the append-only file (persistence/aof/). */
export interface AofHost {
  /** appendonly, also while the first base is waited for. */
  readonly isOn: boolean
  readonly rewriting: boolean
  /** The data set is being read for a new base. */
  readonly isReading: boolean
  readonly scheduled: boolean
  readonly lastRewriteSeconds: number
  readonly currentRewriteSeconds: number
  readonly lastRewriteOk: boolean
  readonly rewrites: number
  readonly consecutiveFailures: number
  readonly lastWriteOk: boolean
  readonly currentSize: number
  readonly baseSize: number
  readonly bufferBytes: number
  readonly pendingSyncs: number
  readonly delayedSyncs: number
  /** BGREWRITEAOF: the text to reply, or an error text behind '-'. */
  rewriteInBackground(): string
  /** DEBUG LOADAOF */
  reload(): Promise<void>
  /** DEBUG AOF-FLUSH-SLEEP */
  flushSleepMs: number
  resetStats(): void
}
