/**
 * One shard of the cluster as the proxy sees it: a link that follows its primary by PSYNC (the same one as of a replica),
 * the account of how much of its history is in the merged copy, and the connections for requests. When another node takes
 * the shard over, the link asks that one to continue the history that it holds, as a replica of the shard would.
 */
import { keySlot } from '../../bytes/key-slot.ts'
import { Client } from '../../commands/client.ts'
import type { Engine } from '../../engine/engine.ts'
import { Kept } from '../../replication/filtered/kept.ts'
import type { Part } from '../../replication/filtered/part.ts'
import { History, NO_ID } from '../../replication/history.ts'
import type { Replication } from '../../replication/replication.ts'
import { Applier } from '../../replication/upstream/apply.ts'
import { UpstreamLink } from '../../replication/upstream/link.ts'
import { type Framing, Payload } from '../../replication/upstream/load.ts'
import type { LinkOwner } from '../../replication/upstream/owner.ts'
import type { Staged } from '../../replication/upstream/staged.ts'
import { ReplyWriter } from '../../resp/reply-writer.ts'
import { Request } from '../../resp/request.ts'
import type { Tls } from '../../tls/dial.ts'
import type { Endpoint } from '../address.ts'
import { Copy, Probe } from '../copy.ts'
import type { PartReads } from '../near/part-reads.ts'
import type { Pool } from '../pool.ts'
import type { Settings } from '../settings.ts'
import type { Cluster } from './cluster.ts'
import { mergeData } from './merge.ts'
import { ShardStream } from './shard-stream.ts'

/** Messages that wait while clients are paused; then the oldest go. */
const MESSAGES_MAX = 10_000
/** How often is looked whether CLIENT PAUSE, or a long script, is over: what ends them knows of one link to a primary. */
const PAUSED_LOOK_MS = 10

class ShardApplier extends Applier {
  /** Before a chunk is applied. */
  onChunk: (chunk: Buffer) => void = () => {}
  /** It is read, and applied as far as it may be. */
  onReceived: () => void = () => {}

  override receive(chunk: Buffer): string | null {
    this.onChunk(chunk)
    const error = super.receive(chunk)
    this.onReceived()
    return error
  }
}

export class Shard implements LinkOwner {
  /** The append-only file here is that of the merged stream. */
  readonly syncedOffset = -1
  readonly engine: Engine
  readonly cluster: Cluster
  readonly history = new History()
  readonly copy: Copy
  readonly pool: Pool
  readonly stream: ShardStream
  /** What is kept of its stream, if that is a part; else null. */
  readonly kept: Kept | null
  /** And where its other keys are read. */
  part: PartReads | null = null
  /** Id of the node that is its primary. */
  nodeId: string
  canResume = false
  lastDatabase = 0
  isLoading = false
  /** It is no part of the cluster any more. */
  isGone = false
  syncs = { full: 0, partial: 0 }

  readonly handover = { isHandingOver: false, abort: () => {}, completed: () => {} }
  readonly lostWrites = { save: () => {} }
  /** What a former primary has, that is a replica by now, comes from its shard already. */
  readonly guard = {
    isWatching: true,
    refuses: (_: number, replid: string) => {
      const refuses = this.cluster.ownership.slotsOf(this) === 0 && this.cluster.hasHistory(this, replid)
      if (refuses) this.engine.log('notice', `${this.name} is no shard of its own: it has the history of another`)
      return refuses
    },
  }

  readonly #replication: Replication
  readonly #reply = new ReplyWriter()
  #link: UpstreamLink | null = null
  #applier: ShardApplier | null = null
  #publisher: Client | null = null
  /** Of the cluster, which could not be published yet. */
  #messages: [string, Buffer, Buffer][] = []

  constructor(cluster: Cluster, nodeId: string, pool: Pool, settings: Settings) {
    this.cluster = cluster
    this.engine = cluster.engine
    this.#replication = cluster.replication
    this.nodeId = nodeId
    this.pool = pool
    this.stream = new ShardStream(this)
    this.copy = new Copy(this.engine, this, settings)
    this.#reply.muted = true
    this.history.replid = NO_ID
    this.kept = cluster.part === null ? null : this.#keptOf(cluster.part)
  }

  #keptOf(part: Part): Kept {
    const { cluster, engine, history } = this
    return new Kept({
      engine,
      part,
      history,
      tls: () => this.tls(),
      onLost: () => this.forgetHistory(),
      whenWritable: (then) => this.whenWritable(then),
      holds: (key) => cluster.ownership.holderOf(key) === this,
      isElsewhere: (key, isAsk) => {
        cluster.refreshSoon()
        return isAsk || cluster.routeOf(keySlot(key, 0, key.length)) !== this
      },
    })
  }

  start(): void {
    this.#follow(this.endpoint)
  }

  get endpoint(): Endpoint {
    return this.pool.endpoint
  }

  get name(): string {
    return `${this.endpoint.host}:${this.endpoint.port}`
  }

  get linkUp(): boolean {
    return this.#link?.state === 'connected'
  }

  get linkState(): string {
    return this.#link?.state ?? 'none'
  }

  /** Another node is its primary now. */
  moveTo(nodeId: string, endpoint: Endpoint): void {
    this.nodeId = nodeId
    if (this.endpoint.host === endpoint.host && this.endpoint.port === endpoint.port) return
    this.engine.log('warning', `Shard ${this.name}: its primary is ${endpoint.host}:${endpoint.port} now`)
    this.pool.moveTo(endpoint)
    this.part?.moved()
    this.#follow(endpoint)
  }

  #follow({ host, port }: Endpoint): void {
    this.#link?.stop()
    this.#link = new UpstreamLink(this, host, port)
    this.kept?.attach(this.#link)
    this.#link.start()
  }

  stop(): void {
    this.isGone = true
    this.#link?.stop()
    this.#link = null
    this.#applier = null
    this.kept?.stop()
    this.part?.stop()
    this.pool.stop()
  }

  cron(silenceMs: number): void {
    this.#link?.cron()
    this.kept?.cron()
    this.part?.cron(silenceMs)
    this.pool.cron(silenceMs)
  }

  // ---- how far it is -----------------------------------------------------------------------------------------------

  /** Where the shard is now, behind all that was sent to it; null if it cannot be asked. The first question connects. */
  probe(): Probe | null {
    return this.pool.shared(0, 2).connection?.probe() ?? null
  }

  /** Its primary has not replied to anything for so long. */
  isSilent(milliseconds: number): boolean {
    const since = this.pool.shared(0, 2).connection?.waitingSince
    return since !== undefined && performance.now() - since > milliseconds
  }

  /** Read, if not applied. */
  hasReceived(probe: Probe): boolean {
    if (this.copy.covers(probe)) return true
    return probe.replid === this.history.replid && this.#receivedOffset >= probe.offset
  }

  get #receivedOffset(): number {
    return this.history.offset + (this.#applier?.pendingBytes ?? 0)
  }

  /** As far as it has been read. */
  received(): Probe {
    const probe = new Probe()
    probe.replid = this.history.replid
    probe.offset = this.#receivedOffset
    probe.state = 'known'
    return probe
  }

  /** Requests of its stream that wait to be applied, in pieces. */
  get pending(): Buffer[] {
    return this.#applier?.pending ?? []
  }

  /** What waited in its stream may go on. */
  resume(): void {
    this.#link?.resume()
  }

  /** What a stream brings may run now: not while clients are paused, nor beside a script that takes long. */
  get mayWrite(): boolean {
    return this.engine.pauseMode === 'off' && this.engine.busy === null
  }

  /** Calls back when mayWrite is true, or the shard is gone. */
  whenWritable(then: () => void): void {
    if (this.mayWrite || this.isGone) then()
    else setTimeout(() => this.whenWritable(then), PAUSED_LOOK_MS)
  }

  /** Runs a command as if its stream had brought it; only while mayWrite. */
  execute(client: Client, args: readonly (string | Uint8Array)[]): void {
    this.engine.executor.process(client, Request.of(args), this.#reply)
  }

  /** A message of the cluster, as if a stream had brought it. */
  publish(command: 'PUBLISH' | 'SPUBLISH', channel: Buffer, message: Buffer): void {
    this.#messages.push([command, channel, message])
    if (this.#messages.length > MESSAGES_MAX) this.#messages.shift()
    if (this.#messages.length === 1) this.whenWritable(() => this.#publishAll())
  }

  #publishAll(): void {
    if (this.isGone) return
    this.#publisher ??= this.maintenanceClient()
    this.engine.tick()
    for (const message of this.#messages.splice(0)) this.execute(this.#publisher, message)
    this.engine.executor.endRun()
  }

  // ---- what the link asks and tells --------------------------------------------------------------------------------

  get listeningPort(): number {
    return this.#replication.listeningPort
  }

  tls(): Tls {
    return this.#replication.tls()
  }

  linkChanged(): void {
    this.copy.refresh()
    if (this.isLoading) this.copy.isReady = false
    this.cluster.linkChanged()
  }

  forgetHistory(): void {
    this.canResume = false
  }

  continued(replid: string): void {
    this.syncs.partial++
    this.canResume = true
    if (replid !== '' && replid !== this.history.replid) this.history.shift(replid)
  }

  synchronised(replid: string, offset: number): void {
    this.syncs.full++
    this.history.replid = replid === '' ? NO_ID : replid
    this.history.offset = Math.max(0, offset)
    this.history.clearSecond()
    this.canResume = replid !== ''
    this.kept?.renewed()
  }

  loadingBegan(): void {}

  loadingEnded(): void {
    this.isLoading = false
  }

  payload(framing: Framing): Payload {
    return new Payload(
      this.engine,
      framing,
      'staged',
      () => {},
      (staged) => this.#merge(staged),
      this.kept?.accepts,
    )
  }

  async #merge(staged: Staged): Promise<void> {
    this.isLoading = true
    this.copy.isReady = false
    this.canResume = false
    const client = this.maintenanceClient()
    const link = this.#link
    await mergeData(this, client, staged.store, () => this.isGone || this.#link !== link)
    if (!this.cluster.isFirst(this)) return
    const { libraries } = this.engine.store
    libraries.flush()
    for (const code of staged.codes) libraries.loadCode(code, true)
  }

  /** Who runs what no stream brought. */
  maintenanceClient(): Client {
    const client = new Client(this.#replication.nextClientId(), this.#link!, this.engine.now)
    client.isMaster = true
    client.authenticated = true
    return client
  }

  applier(link: UpstreamLink): Applier {
    this.stream.reset()
    const bytes = {
      feedVerbatim: (_: Buffer, start: number, end: number) => {
        this.history.offset += end - start
      },
      onApplied: () => {
        if (this.mayWrite) this.kept?.settle()
        this.cluster.applied(this)
      },
    }
    const id = this.#replication.nextClientId()
    const applier = new ShardApplier(this.engine, bytes, link, 0, id, (client, request, reply) =>
      this.stream.run(client, request, reply),
    )
    applier.onChunk = (chunk) => this.stream.received(chunk)
    applier.onReceived = () => this.cluster.fences.check()
    this.#applier = applier
    this.kept?.begin(applier.client, this.history.offset)
    return applier
  }

  recordResync(
    peer: string,
    direction: 'from-primary',
    kind: string,
    why: string,
    bytes: number,
    durationMs: number,
  ): void {
    this.#replication.recordResync(peer, direction, kind, why, bytes, durationMs)
  }
}
