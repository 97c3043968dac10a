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
  /** All of the stream up to here is on disk; -1 when there is no append-only file, or its first base is waited for. */
  readonly syncedOffset: number
  /** Bytes fed since the start, and those of them that are on disk. */
  readonly file: { readonly fedBytes: number; readonly syncedBytes: number }
  /** BGREWRITEAOF: the text to reply, or an error text behind '-'. */
  rewriteInBackground(): string
  /** DEBUG LOADAOF */
  reload(): Promise<void>
  /** DEBUG AOF-FLUSH-SLEEP */
  flushSleepMs: number
  resetStats(): void
}
