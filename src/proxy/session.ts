/**
 * What the proxy keeps of one client connection: which replies it still has to get from upstream, what its next read has
 * to see, and a connection of its own when its state needs one (WATCH, blocking).
 */
import type { Client } from '../commands/client.ts'
import type { Consistency } from './consistency.ts'
import type { Probe } from './copy.ts'
import type { UpstreamConnection } from './upstream-connection.ts'

/** As connections do, small replies are written as text. */
const TEXT_MAX_BYTES = 32 * 1024

export class Session {
  readonly client: Client
  consistency: Consistency
  /** Replies that are to come from `connection`; nothing else may be answered before them. */
  outstanding = 0
  connection: UpstreamConnection | null = null
  /** Its own while it watches keys. */
  watching: UpstreamConnection | null = null
  /** Its own while a blocking command waits there. */
  blocking: UpstreamConnection | null = null
  /** What the copy must cover before this connection may read it; null: nothing. */
  probe: Probe | null = null
  /** Since when its request is held back, Unix milliseconds; 0 if none is. */
  heldSinceMs = 0
  /** Since when it waits for what has a limit. */
  limitSinceMs = 0
  timer: NodeJS.Timeout | null = null
  isGone = false

  constructor(client: Client, consistency: Consistency) {
    this.client = client
    this.consistency = consistency
  }

  /** Whole replies: what came before, in pieces, and chunk[start, end). The chunk will be overwritten. */
  deliver(pieces: readonly Buffer[], chunk: Buffer, start: number, end: number): void {
    if (this.isGone) return
    const { transport } = this.client
    if (pieces.length === 0 && end - start <= TEXT_MAX_BYTES) transport.writeText(chunk.latin1Slice(start, end))
    else transport.writeBuffers([...pieces, Buffer.from(chunk.subarray(start, end))])
  }

  refuse(text: string, count: number): void {
    if (!this.isGone) this.client.transport.writeText(`-${text}\r\n`.repeat(count))
  }

  answered(count: number): void {
    this.outstanding -= count
    if (this.outstanding > 0) return
    this.connection = null
    if (this.blocking === null) return
    this.blocking = null
    this.client.isBlocked = false
    setImmediate(() => this.client.transport.resume())
  }
}
