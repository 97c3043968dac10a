/**
 * What the proxy keeps of one client connection: which replies it still has to get from upstream, what its next read has
 * to see, and a connection of its own when its state needs one (WATCH, blocking).
 */
import type { Client } from '../commands/client.ts'
import type { Consistency } from './consistency.ts'
import type { Copy, Probe } from './copy.ts'
import type { UpstreamConnection } from './upstream-connection.ts'

/** As connections do, small replies are written as text. */
const TEXT_MAX_BYTES = 32 * 1024

/** Who gets replies of an upstream connection. */
export interface Receiver {
  /** Whole replies: what came before, in pieces, and chunk[start, end). The chunk will be overwritten. */
  deliver(pieces: readonly Buffer[], chunk: Buffer, start: number, end: number): void
  refuse(text: string, count: number): void
  answered(count: number): void
}

/** A reply that comes later than those behind it, which wait. */
export class Late {
  bytes: Buffer | null = null
}

export class Session implements Receiver {
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
  /** The copy that `probe` is of: in a cluster each shard has its own. */
  copy: Copy
  /** Since when its request is held back, Unix milliseconds; 0 if none is. */
  heldSinceMs = 0
  /** Since when it waits for what has a limit. */
  limitSinceMs = 0
  timer: NodeJS.Timeout | null = null
  isGone = false
  #probes: Map<Copy, Probe> | null = null
  #whenAnswered: (() => void)[] = []
  #late: Late[] = []

  constructor(client: Client, consistency: Consistency, copy: Copy) {
    this.client = client
    this.consistency = consistency
    this.copy = copy
  }

  /** Its client is gone, and so are the connections of its own. */
  gone(): void {
    this.isGone = true
    this.blocking?.close('its client is gone')
    this.watching?.close('its client is gone')
  }

  // ---- of several copies -------------------------------------------------------------------------------------------

  /** The next call concerns this copy. */
  turnTo(copy: Copy): void {
    if (copy === this.copy) return
    this.#probes ??= new Map()
    if (this.probe !== null) this.#probes.set(this.copy, this.probe)
    else this.#probes.delete(this.copy)
    this.copy = copy
    this.probe = this.#probes.get(copy) ?? null
  }

  probeOf(copy: Copy): Probe | null {
    return copy === this.copy ? this.probe : (this.#probes?.get(copy) ?? null)
  }

  /** What this copy has to cover from now on. */
  note(copy: Copy, probe: Probe): void {
    if (copy === this.copy) {
      this.probe = probe
      return
    }
    this.#probes ??= new Map()
    this.#probes.set(copy, probe)
  }

  // ---- replies -----------------------------------------------------------------------------------------------------

  /** The place of a reply that comes later. */
  late(): Late {
    const late = new Late()
    this.#late.push(late)
    return late
  }

  fill(late: Late, bytes: Buffer): void {
    late.bytes = bytes
    while (this.#late.length > 0 && this.#late[0]!.bytes !== null) {
      const first = this.#late.shift()!.bytes!
      if (!this.isGone && first.length > 0) this.client.transport.writeBuffers([first])
    }
  }

  deliver(pieces: readonly Buffer[], chunk: Buffer, start: number, end: number): void {
    if (this.isGone) return
    if (this.#late.length > 0) {
      this.late().bytes = Buffer.concat([...pieces, chunk.subarray(start, end)])
      return
    }
    const { transport } = this.client
    if (pieces.length === 0 && end - start <= TEXT_MAX_BYTES) transport.writeText(chunk.latin1Slice(start, end))
    else transport.writeBuffers([...pieces, Buffer.from(chunk.subarray(start, end))])
  }

  refuse(text: string, count: number): void {
    if (this.isGone) return
    const line = `-${text}\r\n`.repeat(count)
    if (this.#late.length > 0) this.late().bytes = Buffer.from(line, 'latin1')
    else this.client.transport.writeText(line)
  }

  /** Called when all that is due has come, or is known not to. */
  whenAnswered(then: () => void): void {
    this.#whenAnswered.push(then)
  }

  answered(count: number): void {
    this.outstanding -= count
    if (this.outstanding > 0) return
    if (this.#whenAnswered.length > 0) for (const then of this.#whenAnswered.splice(0)) then()
    this.connection = null
    if (this.blocking === null) return
    this.blocking = null
    this.client.isBlocked = false
    setImmediate(() => this.client.transport.resume())
  }
}
