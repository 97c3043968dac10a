/**
 * All replicas of this server: feeding them from the backlog, their acknowledgements, PINGs, time-outs and the
 * limits on what a slow one may keep unread. Each socket is handed pieces of the shared blocks, a bounded number at a
 * time, so a replica that does not read costs its offset and not a copy.
 */
import type { Client } from '../../commands/client.ts'
import type { ReplicaInfo, ReplicationHost } from '../../commands/host.ts'
import type { Engine } from '../../engine/engine.ts'
import { Spill, SpillBudget } from '../spill/spill.ts'
import type { ReplicationStream } from '../stream.ts'
import { AckProbe } from './ack-probe.ts'
import type { Replica } from './replica.ts'

/** Bytes handed to one socket ahead of what the kernel has taken. */
const IN_FLIGHT_BYTES = 4 * 1024 * 1024
/** Names of replicas that left. */
const LEFT_MAX = 256
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n', 'latin1')
const GETACK = Buffer.from('*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n', 'latin1')
export const NEWLINE = Buffer.from('\n', 'latin1')

export class Replicas {
  readonly list: Replica[] = []
  /** Unix ms since when there has been none. */
  noneSinceMs: number

  /** What they have not read and does not fit into memory; not for a part of the stream, whose slow replicas are closed. */
  readonly spill: Spill | null
  readonly budget = new SpillBudget()

  /** Some replica acknowledged something. */
  onAck: () => void = () => {}

  #engine: Engine
  #stream: ReplicationStream
  #ackWanted = false
  #ackProbe: AckProbe
  #ownStream: boolean
  #softLimitSince = new Map<Replica, number>()
  /** By name, of those that are gone: what they had acknowledged, and when they left (Unix ms). */
  #left = new Map<string, { acknowledged: number; atMs: number }>()
  /** The cycle at the start of the server, before any replica, was the first: redis 7.0.15 replication.c replicationCron. */
  #loops = 1

  /** `ownStream`: it is this server's also while it is a replica itself; otherwise its primary's PINGs are passed on. */
  constructor(engine: Engine, stream: ReplicationStream, ownStream = false) {
    this.#engine = engine
    this.#stream = stream
    this.#ownStream = ownStream
    this.noneSinceMs = engine.now
    stream.beforeBytes = () => this.#askForAcks()
    this.#ackProbe = new AckProbe(engine, stream, this.list, () => this.requestAcks())
    this.spill = ownStream ? null : new Spill(engine, this.budget)
    if (this.spill === null) return
    this.spill.onWritten = () => this.trim()
    this.spill.onFull = (why) => this.#closeSlowest(why)
  }

  add(replica: Replica): void {
    replica.client.replica = replica
    this.list.push(replica)
  }

  of(client: Client): Replica | undefined {
    return this.list.find((replica) => replica.client === client)
  }

  /** The client is gone: it may be a replica. */
  clientGone(client: Client): void {
    const at = this.list.findIndex((replica) => replica.client === client)
    if (at < 0) return
    const [replica] = this.list.splice(at, 1)
    this.#softLimitSince.delete(replica!)
    this.#remember(replica!)
    if (this.list.length === 0) this.noneSinceMs = this.#engine.now
    this.#engine.log('warning', `Connection with replica ${replica!.name} lost.`)
    this.trim()
  }

  #remember({ name, announced, state, acknowledged }: Replica): void {
    if (state !== 'online' || announced.listeningPort === 0) return
    this.#left.delete(name)
    this.#left.set(name, { acknowledged, atMs: this.#engine.now })
    if (this.#left.size > LEFT_MAX) this.#left.delete(this.#left.keys().next().value!)
  }

  disconnectAll(): void {
    for (const replica of [...this.list]) replica.client.close('now')
  }

  // ---- feeding -----------------------------------------------------------------------------------------------------

  /** Sends everybody what is new. */
  feedAll(): void {
    for (const replica of [...this.list]) this.feed(replica)
    // Not a turn later: it would be what replicas are behind.
    this.#engine.clients.flushAll()
    this.trim()
    if (this.#speaks) this.#ackProbe.fed()
  }

  feed(replica: Replica): void {
    const { backlog } = this.#stream
    if (backlog === null || replica.state !== 'online' || replica.streamWaitsForAck || !replica.wantsStream) return
    const { transport } = replica.client
    if (replica.isFull || replica.isReading) return
    while (replica.sent < this.#stream.offset) {
      if (transport.pendingBytes >= IN_FLIGHT_BYTES) {
        if (transport.onDrained === undefined) return
        replica.isFull = true
        transport.onDrained(() => {
          replica.isFull = false
          if (replica.client.closing) return
          this.feed(replica)
          this.trim()
        })
        return
      }
      if (replica.sent < backlog.start) {
        void this.#feedFromFile(replica)
        return
      }
      const bytes = backlog.read(replica.sent)
      if (bytes.length === 0) break
      this.#send(replica, bytes)
    }
  }

  #send(replica: Replica, bytes: Buffer): void {
    replica.sent += bytes.length
    this.#engine.stats.replOutputBytes += bytes.length
    replica.client.send(bytes)
  }

  async #feedFromFile(replica: Replica): Promise<void> {
    replica.isReading = true
    let bytes: Buffer
    try {
      bytes = await this.spill!.read(replica.sent)
    } catch (error) {
      if (replica.client.closing) return
      this.#engine.log('warning', `Cannot read what replica ${replica.name} needs from the spill file: ${error}`)
      replica.client.close('now')
      return
    }
    replica.isReading = false
    if (replica.client.closing) return
    this.#send(replica, bytes)
    this.feed(replica)
    this.trim()
  }

  /** Stream bytes in memory that a replica has not been sent, and those that its socket still holds. */
  unread(replica: Replica): number {
    if (!this.#isFed(replica)) return 0
    const from = Math.max(replica.sent, this.#stream.backlog?.start ?? 0)
    return this.#stream.offset - from + (replica.state === 'online' ? replica.client.transport.pendingBytes : 0)
  }

  /** The offset from which on some replica's socket may still have to send. */
  held(): number {
    let held = Number.POSITIVE_INFINITY
    for (const replica of this.list) {
      if (!this.#isFed(replica)) continue
      held = Math.min(held, replica.sent - replica.client.transport.pendingBytes)
    }
    return held
  }

  /** Lets the backlog go up to the slowest replica, and closes those beyond their limits. */
  trim(): void {
    const { backlog } = this.#stream
    if (backlog === null) return
    let unread = this.#stream.offset
    for (const replica of [...this.list]) {
      if (this.#overLimits(replica)) continue
      if (this.#isFed(replica)) unread = Math.min(unread, replica.sent)
    }
    backlog.trim(unread)
    this.spill?.look(backlog, unread)
  }

  /** What went to the file, what is there, and how many replicas have to read it. */
  get spilled(): ReplicationHost['spill'] {
    const { writtenBytes, fileBytes, closedReplicas } = this.budget
    const start = this.#stream.backlog?.start ?? 0
    const behind = this.list.filter((replica) => this.#isFed(replica) && replica.sent < start)
    return { writtenBytes, fileBytes, closedReplicas, replicas: behind.length }
  }

  #isFed(replica: Replica): boolean {
    return replica.state !== 'wait_bgsave' && replica.wantsStream
  }

  /** Nothing more can be kept for replicas: the one that has read least is closed, unless they have no limit. */
  #closeSlowest(why: string): boolean {
    const engine = this.#engine
    const { hardBytes, softBytes } = engine.config.get('client-output-buffer-limit').replica
    if (hardBytes === 0 && softBytes === 0) return false
    let slowest: Replica | undefined
    for (const replica of this.list) {
      if (this.#isFed(replica) && (slowest === undefined || replica.sent < slowest.sent)) slowest = replica
    }
    if (slowest === undefined) return false
    engine.stats.outputBufferLimitDisconnections++
    engine.log(
      'warning',
      `Replica ${slowest.name} has not read ${this.#stream.offset - slowest.sent} bytes and is closed: ${why}`,
    )
    slowest.client.close('now')
    return true
  }

  #overLimits(replica: Replica): boolean {
    const engine = this.#engine
    const limit = engine.config.get('client-output-buffer-limit').replica
    const pending = this.unread(replica)
    // Less than the backlog holds anyway costs nothing: redis 7.0.15 networking.c checkClientOutputBufferLimits.
    const size = this.#stream.backlog?.size ?? 0
    const hard = limit.hardBytes > 0 && pending > Math.max(limit.hardBytes, size)
    const soft = limit.softBytes > 0 && pending > Math.max(limit.softBytes, size)
    let over = hard
    if (soft) {
      const since = this.#softLimitSince.get(replica)
      if (since === undefined) this.#softLimitSince.set(replica, engine.now)
      else if (engine.now - since > limit.softSeconds * 1000) over = true
    } else {
      this.#softLimitSince.delete(replica)
    }
    if (!over) return false
    engine.stats.outputBufferLimitDisconnections++
    engine.log(
      'warning',
      `Client id=${replica.client.id} addr=${replica.client.transport.remoteAddress} omem=${pending} scheduled to be closed ASAP for overcoming of output buffer limits.`,
    )
    replica.client.close('now')
    return true
  }

  // ---- acknowledgements --------------------------------------------------------------------------------------------

  /** `synced`: what the replica has on disk, -1 if it does not say. */
  acknowledge(replica: Replica, offset: number, synced: number): void {
    if (offset > replica.acknowledged) replica.acknowledged = offset
    if (synced > replica.synced) replica.synced = synced
    replica.acknowledgedAtMs = this.#engine.now
    if (replica.streamWaitsForAck && replica.state === 'online') {
      replica.streamWaitsForAck = false
      this.#engine.log('notice', `Synchronization with replica ${replica.name} succeeded`)
      // Not within the replica's own request, whose reply it would be taken for.
      setImmediate(() => {
        if (!replica.client.closing) this.feed(replica)
      })
    }
    this.onAck()
  }

  /** What each replica, by name, has acknowledged, or had when it was last connected. */
  get acknowledgements(): Map<string, number> {
    const known = new Map<string, number>()
    for (const [name, { acknowledged }] of this.#left) known.set(name, acknowledged)
    for (const { name, state, announced, isLegacy, acknowledged } of this.list) {
      if (state === 'online' && announced.listeningPort > 0 && !isLegacy) known.set(name, acknowledged)
    }
    return known
  }

  /** Replicas that are online, or were within so many milliseconds (0: ever), each name once. */
  knownSince(milliseconds: number): number {
    let known = 0
    for (const replica of this.list) if (replica.state === 'online' && !replica.isLegacy) known++
    for (const [name, { atMs }] of this.#left) {
      const isBack = this.list.some((replica) => replica.state === 'online' && replica.name === name)
      const isRecent = milliseconds === 0 || this.#engine.now - atMs <= milliseconds
      if (isRecent && !isBack) known++
    }
    return known
  }

  /** Online replicas that have acknowledged up to `offset`. */
  acknowledgedCount(offset: number): number {
    let count = 0
    for (const replica of this.list) if (replica.state === 'online' && replica.acknowledged >= offset) count++
    return count
  }

  /** Online replicas whose append-only files have it on disk. */
  syncedCount(offset: number): number {
    let count = 0
    for (const replica of this.list) if (replica.state === 'online' && replica.synced >= offset) count++
    return count
  }

  /** Asks for acknowledgements once this turn of the event loop, behind what was written in it. */
  requestAcks(): void {
    if (this.#ackWanted) return
    this.#ackWanted = true
    this.#stream.wake()
  }

  #askForAcks(): void {
    if (!this.#ackWanted) return
    this.#ackWanted = false
    if (this.list.length > 0 && this.#speaks) this.#stream.feedControl(GETACK)
  }

  /** What is in the stream is for this server to say. */
  get #speaks(): boolean {
    return this.#ownStream || this.#stream.takesApplied || !this.#engine.isReplica
  }

  /** Replicas whose last acknowledgement is recent enough for min-replicas-to-write; a lag of 0 takes all that are online. */
  get good(): number {
    const maxLagMs = this.#engine.config.get('min-replicas-max-lag') * 1000
    let good = 0
    for (const replica of this.list) {
      const lag = Math.floor(this.#engine.now / 1000) - Math.floor(replica.acknowledgedAtMs / 1000)
      if (replica.state === 'online' && (maxLagMs === 0 || lag * 1000 <= maxLagMs)) good++
    }
    return good
  }

  get infos(): readonly ReplicaInfo[] {
    const { offset } = this.#stream
    return this.list.map((replica) => ({
      ip: replica.ip,
      port: replica.announced.listeningPort,
      state: replica.shownState,
      offset: replica.acknowledged,
      lagSeconds: replica.state === 'online' ? Math.floor((this.#engine.now - replica.acknowledgedAtMs) / 1000) : 0,
      lagBytes: Math.max(0, offset - replica.acknowledged),
      lagMs: this.#stream.ageOf(replica.acknowledged),
      clientId: replica.client.id,
    }))
  }

  // ---- once a second -----------------------------------------------------------------------------------------------

  cron(pings = true): void {
    const engine = this.#engine
    const period = engine.config.get('repl-ping-replica-period')
    if (pings && this.#loops++ % period === 0 && this.list.length > 0 && this.#speaks) this.#stream.feedControl(PING)
    const timeoutMs = engine.config.get('repl-timeout') * 1000
    for (const replica of [...this.list]) {
      if (replica.state === 'online') {
        if (replica.isLegacy || engine.now - replica.acknowledgedAtMs <= timeoutMs) continue
        engine.log('warning', `Disconnecting timedout replica (streaming sync): ${replica.name}`)
        replica.client.close('now')
      } else if (replica.state === 'send_bulk' && engine.now - replica.progressAtMs > timeoutMs) {
        engine.log('warning', `Disconnecting timedout replica (full sync): ${replica.name}`)
        replica.client.close('now')
      }
    }
    this.trim()
  }
}
