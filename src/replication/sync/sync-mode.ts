/**
 * Synchronous replication as a setting: the replies of a batch that wrote are held until `sync-replicas` replicas have
 * acknowledged an offset that covers it; so is everything later on that connection, and nothing of others. Replicas are
 * asked for acknowledgements once a turn of the event loop, however many clients wait.
 *
 * What is held keeps where each request's reply ends, so that a write that was not copied in time is answered with an
 * error (`sync-timeout-action fail`) while what stands around it in the pipeline is as it was.
 */
import { globMatch } from '../../bytes/glob.ts'
import type { Client } from '../../commands/client.ts'
import type { Command } from '../../commands/command.ts'
import { FLAG_READONLY, FLAG_WRITE } from '../../commands/define.ts'
import { errors } from '../../commands/errors.ts'
import { FoundKeys, findKeys } from '../../commands/keys.ts'
import type { Engine } from '../../engine/engine.ts'
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Request } from '../../resp/request.ts'
import type { Replicas } from '../primary/replicas.ts'
import type { ReplicationStream } from '../stream.ts'
import { type HeldOutput, type Mark, withErrors } from './held-output.ts'

const TICK_MS = 10
const UNSET = -1
const COPIES_MAX = 64

/** What holds output back: a connection. */
export interface Holder {
  readonly client: Client
  /** The first of its held output may leave, as it is or as it became. */
  release(): void
  readonly held: HeldOutput[]
}

export class SyncMode {
  /** Since the start: batches held, batches that were not acknowledged in time, and of those what was let go nevertheless. */
  readonly counts = { waits: 0, timeouts: 0, degraded: 0 }
  /** Milliseconds that held output waited, all together. */
  waitedMs = 0
  /** Called when isWanted may have changed. */
  onChange: () => void = () => {}

  #engine: Engine
  #replicas: Replicas
  #stream: ReplicationStream
  #holders = new Set<Holder>()
  #timer: NodeJS.Timeout | null = null
  #found = new FoundKeys()
  #keys: readonly Buffer[] = []
  #copies = 0
  #reads = false
  #isAsked = false

  constructor(engine: Engine, replicas: Replicas, stream: ReplicationStream) {
    this.#engine = engine
    this.#replicas = replicas
    this.#stream = stream
    const { config } = engine
    config.watch('sync-replicas', (copies) => {
      this.#copies = copies
      this.onChange()
    })
    engine.ownSubcommands.set('client|sync-replicas', (client, args, reply) => this.#setOwn(client, args, reply))
    config.watch('sync-reads', (reads) => {
      this.#reads = reads
    })
    config.watch('sync-keys', (text) => {
      const words = text.split(' ').filter((word) => word !== '')
      this.#keys = words.map((word) => Buffer.from(word, 'utf8'))
    })
  }

  /** The setting is on, or some connection has asked for copies of its own. */
  get isWanted(): boolean {
    return this.#copies > 0 || this.#isAsked
  }

  /** CLIENT SYNC-REPLICAS n, or `default` for what sync-replicas says. */
  #setOwn(client: Client, args: Request, reply: ReplyWriter): void {
    if (args.argc !== 3) return reply.error(errors.wrongArity('client|sync-replicas'))
    const copies = args.is(2, 'DEFAULT') ? UNSET : args.integer(2)
    if (!(copies >= UNSET && copies <= COPIES_MAX) || (copies === UNSET && !args.is(2, 'DEFAULT'))) {
      return reply.error('ERR The number of replicas must be between 0 and 64, or DEFAULT')
    }
    client.syncReplicas = copies
    if (copies > 0 && !this.#isAsked) {
      this.#isAsked = true
      this.onChange()
    }
    reply.ok()
  }

  get holding(): number {
    return this.#holders.size
  }

  /** How many copies a write of this client has to have. */
  copiesFor(client: Client): number {
    const own = client.syncReplicas
    if (this.#engine.isReplica) return 0
    return client.isMaster || client.replica !== null ? 0 : own === UNSET ? this.#copies : own
  }

  get offset(): number {
    return this.#stream.offset
  }

  /** What the reply of a request that just ran is; `before` is the stream's offset at its beginning. */
  kindOf(client: Client, request: Request, before: number): Mark['kind'] {
    const command = client.lastCommand
    if (command === undefined) return 'other'
    // A message is in the stream too, and so is the end of a key that a read found past its time: nobody waits for those.
    const writes = (command.flagBits & FLAG_WRITE) !== 0 || command.group === 'scripting' || command.name === 'exec'
    if (writes && this.#stream.offset > before) return this.#covers(command, request) ? 'write' : 'other'
    if (!this.#reads || (command.flagBits & FLAG_READONLY) === 0) return 'other'
    return 'read'
  }

  /** Whether sync-keys names a key of it. Of EXEC and scripts the keys are not looked at: they count. */
  #covers(command: Command, request: Request): boolean {
    if (this.#keys.length === 0 || !command.mayHaveKeys || command.group === 'scripting') return true
    findKeys(command, request, this.#found, 0)
    for (let k = 0; k < this.#found.count; k++) {
      const i = this.#found.index(k)
      for (const pattern of this.#keys) {
        if (globMatch(pattern, request.buf, request.start(i), request.end(i))) return true
      }
    }
    return false
  }

  /** The offset that so many replicas have acknowledged. */
  acknowledgedBy(copies: number): number {
    const offsets: number[] = []
    for (const replica of this.#replicas.list) if (replica.state === 'online') offsets.push(replica.acknowledged)
    if (offsets.length < copies) return -1
    return offsets.sort((a, b) => b - a)[copies - 1] ?? Number.POSITIVE_INFINITY
  }

  /** 0 waits for nothing but what stands before it. */
  #isMissing(offset: number, copies: number): boolean {
    return offset > 0 && this.acknowledgedBy(copies) < offset
  }

  /** Whether a batch has to wait for replicas. */
  mustHold(marks: readonly Mark[], copies: number): boolean {
    if (copies === 0) return false
    const last = marks.findLast((mark) => mark.kind !== 'other')
    return last !== undefined && this.#isMissing(last.offset, copies)
  }

  /** Output that has to wait now. */
  hold(holder: Holder, bytes: Buffer, marks: Mark[], copies: number): void {
    const now = this.#engine.unixMs
    const offset = marks.reduce((most, mark) => Math.max(most, mark.kind === 'other' ? 0 : mark.offset), 0)
    this.counts.waits++
    const expiresAtMs = now + this.#engine.config.get('sync-timeout')
    holder.held.push({ bytes, marks, offset, copies, sinceMs: now, expiresAtMs })
    this.#holders.add(holder)
    this.#replicas.requestAcks()
    this.#timer ??= setInterval(() => this.#expire(), TICK_MS)
  }

  /** Some replica acknowledged something: what that covers leaves. */
  acknowledged(): void {
    if (this.#holders.size === 0) return
    const byCopies = new Map<number, number>()
    for (const holder of this.#holders) {
      const first = holder.held[0]
      if (first === undefined) {
        this.#holders.delete(holder)
        continue
      }
      let reached = byCopies.get(first.copies)
      if (reached === undefined) {
        reached = this.acknowledgedBy(first.copies)
        byCopies.set(first.copies, reached)
      }
      if (first.offset === 0 || reached >= first.offset) this.#letGo(holder)
    }
    this.#stopTimer()
  }

  #letGo(holder: Holder): void {
    const now = this.#engine.unixMs
    for (let first = holder.held[0]; first !== undefined; first = holder.held[0]) {
      if (this.#isMissing(first.offset, first.copies)) return
      this.waitedMs += now - first.sinceMs
      holder.release()
    }
    this.#holders.delete(holder)
  }

  #expire(): void {
    const now = this.#engine.unixMs
    for (const holder of this.#holders) {
      for (let first = holder.held[0]; first !== undefined && first.expiresAtMs <= now; first = holder.held[0]) {
        this.counts.timeouts++
        this.waitedMs += now - first.sinceMs
        if (this.#engine.config.get('sync-timeout-action') === 'degrade') this.counts.degraded++
        else first.bytes = withErrors(first)
        holder.release()
      }
      if (holder.held.length === 0) this.#holders.delete(holder)
    }
    this.#stopTimer()
  }

  #stopTimer(): void {
    if (this.#holders.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }

  gone(holder: Holder): void {
    this.#holders.delete(holder)
    this.#stopTimer()
  }

  /** This server is a replica now: what was not copied may be lost, and nobody will acknowledge it here. */
  failAll(): void {
    for (const holder of [...this.#holders]) {
      for (const held of holder.held) {
        this.counts.timeouts++
        held.bytes = withErrors(held)
      }
      while (holder.held.length > 0) holder.release()
    }
    this.#holders.clear()
    this.#stopTimer()
  }

  stop(): void {
    this.#holders.clear()
    this.#stopTimer()
  }
}
