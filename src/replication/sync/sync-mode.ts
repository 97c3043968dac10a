/**
 * Synchronous replication as a setting: the replies of a batch that wrote are held until `sync-replicas` replicas have
 * acknowledged an offset that covers it; so is everything later on that connection, and nothing of others. Replicas are
 * asked for acknowledgements once a turn of the event loop, however many clients wait.
 *
 * What is held keeps where each request's reply ends, so that a write that was not copied in time is answered with an
 * error (`sync-timeout-action fail`) while what stands around it in the pipeline is as it was. What is held when the
 * setting is turned off goes on waiting, and what comes after it stays behind it.
 */
import { globMatch } from '../../bytes/glob.ts'
import type { Call } from '../../commands/call.ts'
import type { Client } from '../../commands/client.ts'
import { Command } from '../../commands/command.ts'
import { FLAG_BLOCKING, FLAG_READONLY, FLAG_WRITE } from '../../commands/define.ts'
import { FoundKeys, findKeys } from '../../commands/keys.ts'
import { SYNC_REPLICAS_MAX } from '../../config/checks.ts'
import type { Engine } from '../../engine/engine.ts'
import type { Request } from '../../resp/request.ts'
import type { Replicas } from '../primary/replicas.ts'
import type { ReplicationStream } from '../stream.ts'
import { GroupSize } from './group-size.ts'
import { type HeldOutput, type Mark, withErrors } from './held-output.ts'

const TICK_MS = 10
const UNSET = -1

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
  /** What the setting comes to now. */
  copies = 0
  /** Called when isWanted may have changed. */
  onChange: () => void = () => {}
  /** What is written has to have an offset, although there may be no replica yet. */
  onNeedsStream: () => void = () => {}

  #engine: Engine
  #replicas: Replicas
  #stream: ReplicationStream
  #group: GroupSize
  #holders = new Set<Holder>()
  #timer: NodeJS.Timeout | null = null
  #found = new FoundKeys()
  #keys: readonly Buffer[] = []
  #setting = '0'
  #reads = false
  /** Some connection has asked for copies of its own. */
  #isAsked = false

  constructor(engine: Engine, replicas: Replicas, stream: ReplicationStream) {
    this.#engine = engine
    this.#replicas = replicas
    this.#stream = stream
    const { config } = engine
    this.#group = new GroupSize(config, replicas)
    engine.ownSubcommands.set('client|sync-replicas', this.#ownSubcommand())
    config.watch('sync-replicas', (setting) => {
      this.#setting = setting
      this.refresh()
    })
    for (const name of ['sync-group-size', 'sync-timeout-action', 'repl-backlog-ttl'] as const) {
      config.on(name, () => this.refresh())
    }
    config.watch('sync-reads', (reads) => {
      this.#reads = reads
    })
    config.watch('sync-keys', (text) => {
      const words = text.split(' ').filter((word) => word !== '')
      this.#keys = words.map((word) => Buffer.from(word, 'utf8'))
      this.refresh()
    })
  }

  /** The setting is on, some connection has asked for copies of its own, or something waits. */
  get isWanted(): boolean {
    return this.copies > 0 || this.#isAsked || this.#holders.size > 0
  }

  get groupSize(): number {
    return this.#group.servers
  }

  /** The settings or the group changed. Also once a second: who left long ago is forgotten. */
  refresh(): void {
    this.copies = this.#setting === 'quorum' ? this.#group.copies : Number(this.#setting)
    const engine = this.#engine
    engine.syncFails = engine.config.get('sync-timeout-action') === 'fail'
    engine.syncCopies = engine.syncFails && this.#keys.length === 0 ? this.copies : 0
    this.onChange()
    if ((this.copies > 0 || this.#isAsked) && !engine.isReplica && engine.loading === 'no') this.onNeedsStream()
  }

  /** CLIENT SYNC-REPLICAS n, or `default` for what sync-replicas says. */
  #ownSubcommand(): Command {
    const container = this.#engine.table.original('client')!
    const declaration = {
      name: 'sync-replicas',
      arity: 3,
      since: '',
      summary: 'Sets how many replicas must have a write of this connection before it is answered',
      flags: ['noscript', 'loading', 'stale'] as const,
      run: (call: Call) => this.#setOwn(call),
    }
    return new Command(container.id, 'connection', declaration, container)
  }

  #setOwn({ args, client, reply }: Call): void {
    const isDefault = args.is(2, 'DEFAULT')
    const copies = isDefault ? UNSET : args.integer(2)
    if (!isDefault && !(copies >= 0 && copies <= SYNC_REPLICAS_MAX)) {
      return reply.error(`ERR The number of replicas must be between 0 and ${SYNC_REPLICAS_MAX}, or DEFAULT`)
    }
    client.syncReplicas = copies
    if (copies > 0 && !this.#isAsked) {
      this.#isAsked = true
      this.refresh()
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
    return client.isMaster || client.replica !== null ? 0 : own === UNSET ? this.copies : own
  }

  get offset(): number {
    return this.#stream.offset
  }

  /** What the reply of a request that just ran is; `before` is the stream's offset at its beginning. */
  kindOf(client: Client, request: Request, before: number): Mark['kind'] {
    const command = client.lastCommand
    if (command === undefined || client.transaction !== null) return 'other'
    const isMany = command.group === 'scripting' || command.name === 'exec'
    const writes = (command.flagBits & FLAG_WRITE) !== 0 || isMany
    // A message is in the stream too, and so is the end of a key that a read found past its time: nobody waits for those.
    if (writes && this.#stream.offset > before) return this.#covers(command, request) ? 'write' : 'other'
    // A write that changed nothing tells what is there, as a read does.
    if (!this.#reads || !(writes || (command.flagBits & FLAG_READONLY) !== 0)) return 'other'
    return this.#covers(command, request) ? 'read' : 'other'
  }

  /** What a client that was blocked is given. */
  servedKind(client: Client): Mark['kind'] {
    const flags = client.lastCommand?.flagBits ?? 0
    if ((flags & FLAG_BLOCKING) === 0) return 'other'
    if ((flags & FLAG_WRITE) !== 0) return 'write'
    return this.#reads && (flags & FLAG_READONLY) !== 0 ? 'read' : 'other'
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
    // Asked for each request: the usual number without a list.
    if (copies === 1) {
      let most = -1
      for (const { state, acknowledged } of this.#replicas.list) {
        if (state === 'online' && acknowledged > most) most = acknowledged
      }
      return most
    }
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
  mustHold(marks: readonly Mark[]): boolean {
    const copies = copiesOf(marks)
    return copies > 0 && this.#isMissing(offsetOf(marks), copies)
  }

  /** Output that has to wait now. */
  hold(holder: Holder, output: Buffer | string, marks: readonly Mark[]): void {
    const now = this.#engine.unixMs
    const offset = offsetOf(marks)
    this.counts.waits++
    const expiresAtMs = now + this.#engine.config.get('sync-timeout')
    holder.held.push({ output, marks, offset, copies: copiesOf(marks), sinceMs: now, expiresAtMs })
    this.#holders.add(holder)
    this.#replicas.requestAcks()
    this.#timer ??= setInterval(() => this.#expire(), TICK_MS)
  }

  /** Some replica acknowledged something: what that covers leaves. */
  acknowledged(): void {
    if (this.#holders.size === 0) return
    let copies = 0
    let reached = Number.POSITIVE_INFINITY
    for (const holder of this.#holders) {
      const first = holder.held[0]
      if (first === undefined) {
        this.#holders.delete(holder)
        continue
      }
      // Mostly all wait for as many.
      if (first.copies !== copies) {
        copies = first.copies
        reached = this.acknowledgedBy(copies)
      }
      if (first.offset === 0 || reached >= first.offset) this.#advance(holder)
    }
    this.#stopTimer()
  }

  #expire(): void {
    for (const holder of this.#holders) this.#advance(holder)
    this.#stopTimer()
  }

  /** Lets go what has its copies, or has waited too long for them, up to the first that still waits. */
  #advance(holder: Holder): void {
    const now = this.#engine.unixMs
    for (let first = holder.held[0]; first !== undefined; first = holder.held[0]) {
      if (this.#isMissing(first.offset, first.copies)) {
        if (first.expiresAtMs > now) return
        this.counts.timeouts++
        if (this.#engine.config.get('sync-timeout-action') === 'degrade') this.counts.degraded++
        else first.output = withErrors(first)
      }
      this.waitedMs += now - first.sinceMs
      holder.release()
    }
    this.#holders.delete(holder)
  }

  #stopTimer(): void {
    if (this.#holders.size > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
    // It may have been turned off meanwhile.
    if (!this.isWanted) this.onChange()
  }

  gone(holder: Holder): void {
    this.#holders.delete(holder)
    this.#stopTimer()
  }

  /** This server is a replica now: what was not copied may be lost, and nobody will acknowledge it here. */
  failAll(): void {
    for (const holder of [...this.#holders]) {
      for (const held of holder.held) {
        if (held.copies === 0) continue
        this.counts.timeouts++
        held.output = withErrors(held)
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

/** Where the last stands that waits for any; 0 if none does. */
function offsetOf(marks: readonly Mark[]): number {
  for (let i = marks.length - 1; i >= 0; i--) if (marks[i]!.copies > 0) return marks[i]!.offset
  return 0
}

/** All of a batch waits for as many as the most demanding reply in it. */
function copiesOf(marks: readonly Mark[]): number {
  let most = 0
  for (const { copies } of marks) if (copies > most) most = copies
  return most
}
