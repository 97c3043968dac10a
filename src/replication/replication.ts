/**
 * Both roles in one object: the history of this server, the stream with its backlog, the replicas that follow it and the
 * link to the primary that it follows, and the changes between the roles (redis 7.0.15 replication.c
 * replicationSetMaster, replicationUnsetMaster).
 */
import type { Client } from '../commands/client.ts'
import type {
  CallLike,
  FailoverRequest,
  FilteredReplicaInfo,
  ReplicaInfo,
  ReplicationHost,
  ResyncEvent,
  SyncRefusal,
  UpstreamInfo,
} from '../commands/host.ts'
import type { Engine } from '../engine/engine.ts'
import type { Tls } from '../tls/dial.ts'
import { BacklogSize, backlogInfo } from './backlog-size.ts'
import { Counters } from './counters.ts'
import { Failover } from './failover.ts'
import { FilteredFeeds } from './filtered/feeds.ts'
import { type Filter, filterOf } from './filtered/filter.ts'
import { partOf } from './filtered/part.ts'
import { PartFollower } from './filtered/part-follower.ts'
import { History, NO_ID } from './history.ts'
import { LostWrites } from './lost-writes.ts'
import { FullSync, type SnapshotFile } from './primary/full-sync.ts'
import { type Feed, Psync } from './primary/psync.ts'
import { Replicas } from './primary/replicas.ts'
import { replicaOf } from './replica-of.ts'
import { type ExpiredKey, feedExpired } from './restore.ts'
import { ResyncLog } from './resync-log.ts'
import { ReplicationStream } from './stream.ts'
import { SyncMode } from './sync/sync-mode.ts'
import { Applier } from './upstream/apply.ts'
import { ShrinkGuard } from './upstream/guard.ts'
import { upstreamInfo } from './upstream/info.ts'
import { UpstreamLink } from './upstream/link.ts'
import { type Framing, loadTarget, Payload } from './upstream/load.ts'
import type { LinkOwner } from './upstream/owner.ts'
import { Waits } from './waits.ts'

/** Several primaries that are followed together. */
export interface Merged {
  readonly isComplete: boolean
  readonly replicaFilter: ReplicationHost['replicaFilter']
}

export class Replication implements ReplicationHost, LinkOwner {
  readonly engine: Engine
  readonly history = new History()
  readonly stream: ReplicationStream
  readonly replicaSet: Replicas
  readonly fullSync: FullSync
  readonly filtered: FilteredFeeds
  readonly counters = new Counters()
  readonly resyncLog: ResyncLog
  readonly recordResync: ResyncLog['record'] = (...event) => this.resyncLog.record(...event)
  listeningPort = 0
  roleChangedAtMs: number
  /** Database in which the primary's stream was left, for a link that resumes. */
  lastDatabase = 0
  readonly handover: Failover
  readonly guard: ShrinkGuard
  readonly syncMode: SyncMode
  readonly waits: Waits
  readonly lostWrites: LostWrites
  /** Keys of the dump that were past their time at start. */
  readonly expiredAtStart: ExpiredKey[] = []
  /** A prefix of some primary's history is held, so PSYNC can ask to go on. */
  canResume = false
  syncsFromPrimary = { full: 0, partial: 0 }
  /** Tells persistence that a snapshot under way must end: the data goes. */
  onDropData: () => void = () => {}
  /** The data set of a primary was loaded, or this server is a primary now. */
  onNewHistory: () => void = () => {}
  /** The link's state, or what it follows, changed. */
  onLink: () => void = () => {}
  /** Ids come from the registry of clients, which the link is listed in. */
  nextClientId: () => number = () => 0
  /** How the primary is reached; null without TLS. */
  tls: () => Tls = () => null
  /** Shards of a cluster, in a proxy before one: then there is no primary, and nevertheless others decide about writes. */
  merged: Merged | null = null
  /** Of a primary's data only a part is kept (`replica-filter-*`): then it is followed through this; else null. */
  part: PartFollower | null
  /** More of the primary's stream was applied, of which this server's own stream may show nothing. */
  onPartApplied: () => void = () => {}

  #psync: Psync
  #file: SnapshotFile
  #link: UpstreamLink | null = null
  #backlogSize: BacklogSize

  constructor(engine: Engine, file: SnapshotFile) {
    this.engine = engine
    this.roleChangedAtMs = engine.now
    this.resyncLog = new ResyncLog(engine, this.counters)
    this.#backlogSize = new BacklogSize(this)
    this.guard = new ShrinkGuard(engine)
    this.lostWrites = new LostWrites(this)
    this.stream = new ReplicationStream(this.history, () => engine.unixMs)
    this.replicaSet = new Replicas(engine, this.stream)
    this.fullSync = new FullSync(engine, this.history, this.stream, this.replicaSet, file)
    this.#psync = new Psync(this)
    this.#file = file
    this.handover = new Failover(this)
    this.waits = new Waits(engine, this.replicaSet, this.stream)
    this.syncMode = new SyncMode(engine, this.replicaSet, this.stream)
    this.syncMode.onNeedsStream = () => this.ensureBacklog()
    this.replicaSet.onAck = () => {
      this.waits.serve()
      this.handover.acknowledged()
      this.syncMode.acknowledged()
    }
    this.stream.onBytes = () => this.replicaSet.feedAll()
    this.stream.held = () => this.replicaSet.held()
    this.filtered = new FilteredFeeds(engine, file)
    this.fullSync.onDone = ({ replica, why, bytes, durationMs, ok }) => {
      this.recordResync(replica.name, 'to-replica', ok ? 'full' : 'full failed', why, bytes, durationMs)
    }
    this.filtered.onDone = this.fullSync.onDone
    engine.config.on('repl-backlog-size', () => {
      if (this.stream.backlog !== null) this.stream.backlog.size = engine.config.get('repl-backlog-size')
    })
    const part = partOf(engine.config)
    this.part = part === null ? null : new PartFollower(this, part)
    this.stream.takesApplied = part !== null
    const shown = ['replica-serve-stale-data', 'replica-read-only', 'sync-reads'] as const
    for (const name of shown) engine.config.on(name, () => this.linkChanged())
  }

  // ---- the stream --------------------------------------------------------------------------------------------------

  /** A backlog from scratch begins a new history: what came before it cannot be told. */
  ensureBacklog(): void {
    if (this.stream.backlog !== null) return
    this.history.renew()
    this.createBacklog()
    this.engine.log(
      'notice',
      `Replication backlog created, my new replication IDs are '${this.history.replid}' and '${this.history.replid2}'`,
    )
  }

  createBacklog(): void {
    this.stream.createBacklog(this.engine.config.get('repl-backlog-size'))
    this.#connectStream()
  }

  /** What is written here goes into the stream only while this server decides about writes. */
  #connectStream(): void {
    const active = this.stream.backlog !== null && (this.#link === null || this.part !== null)
    this.engine.executor.sinks.replication = active ? this.stream : null
  }

  /**
   * Continues the history that the RDB file says: as the replica that it was, or as a primary that lets replicas of its
   * former life go on under the old name. redis 7.0.15 server.c loadDataFromDisk
   */
  restore(replid: string, offset: number, streamDb: number, asReplica: boolean): void {
    // Everything is loaded anew: the filter may be another one now.
    if (asReplica && this.part !== null) return
    this.history.offset = offset
    if (asReplica) {
      this.history.replid = replid
      this.lastDatabase = Math.max(0, streamDb)
    } else {
      this.history.replid2 = replid
      this.history.secondOffset = offset + 1
    }
    this.createBacklog()
    this.replicaSet.noneSinceMs = this.engine.now
    if (!asReplica) feedExpired(this.stream, this.expiredAtStart, this.engine.config.get('lazyfree-lazy-expire'))
    this.expiredAtStart.length = 0
  }

  // ---- roles -------------------------------------------------------------------------------------------------------

  get role(): 'master' | 'slave' {
    return this.#link === null ? 'master' : 'slave'
  }

  get linkUp(): boolean {
    return this.merged?.isComplete ?? this.#link?.state === 'connected'
  }

  /** The data comes from several primaries whose writes are merged here, into a history of its own. */
  merge(merged: Merged): void {
    this.merged = merged
    // Each of them has its own.
    this.part?.kept.stop()
    this.part = null
    this.stream.takesApplied = true
    this.ensureBacklog()
    this.#connectStream()
    this.linkChanged()
  }

  replicaOf(target: { host: string; port: number } | null, client: Client): string {
    return replicaOf(this, target, client)
  }

  /** To the primary; null in a primary. */
  get link(): UpstreamLink | null {
    return this.#link
  }

  /** Becomes a replica of this primary. A history of its own is offered to it: the primary may know it. */
  follow(host: string, port: number): void {
    const { engine } = this
    const wasPrimary = this.#link === null
    this.#link?.stop()
    engine.blocked.roleChanged()
    this.syncMode.failAll()
    this.stream.flush()
    if (wasPrimary) {
      this.lostWrites.demoted(host, port)
      this.canResume = true
      if (this.stream.backlog === null) this.createBacklog()
      this.#roleChanged(`replica of ${host}:${port}`)
    }
    this.#link = new UpstreamLink(this.part ?? this, host, port)
    this.part?.kept.attach(this.#link)
    engine.config.setDerived('replicaof', `${host} ${port}`)
    this.#connectStream()
    this.linkChanged()
    this.#link.start()
  }

  /** Becomes a primary; the old history stays valid up to here, so siblings and own replicas resume. */
  promote(): void {
    if (this.#link === null) return
    this.#link.stop()
    this.#link = null
    this.part?.kept.attach(null)
    this.canResume = false
    this.lostWrites.decided()
    this.lastDatabase = 0
    this.stream.flush()
    this.history.shift()
    this.replicaSet.disconnectAll()
    this.stream.forgetDatabase()
    this.replicaSet.noneSinceMs = this.engine.now
    this.engine.config.setDerived('replicaof', '')
    this.#connectStream()
    this.linkChanged()
    this.#roleChanged('primary')
    this.onNewHistory()
  }

  #roleChanged(kind: string): void {
    this.roleChangedAtMs = this.engine.unixMs
    this.recordResync('', 'role', kind, 'REPLICAOF', 0, 0)
  }

  // ---- what the link tells -----------------------------------------------------------------------------------------

  linkChanged(): void {
    const { engine } = this
    this.counters.linkState(this.#link?.state ?? '', this.canResume)
    engine.isReplica = this.#link !== null || this.merged !== null
    engine.isReadOnly = engine.isReplica && (this.merged !== null || engine.config.get('replica-read-only'))
    engine.localExpires.isActive = engine.isReplica && !engine.isReadOnly
    if (!engine.isReplica) engine.localExpires.forget()
    // What its successor may lack is not shown again (sync-reads), until it is known that nothing is lost or it is gone.
    const showsStale = engine.config.get('replica-serve-stale-data') && !this.lostWrites.hides
    engine.isStale = engine.isReplica && !this.linkUp && !showsStale
    this.onLink()
    this.stream.onApplied()
  }

  /** The primary continues our history, perhaps under a new name. */
  continued(replid: string): void {
    this.syncsFromPrimary.partial++
    this.lostWrites.decided()
    this.canResume = true
    if (replid === '' || replid === this.history.replid) return
    this.engine.log('warning', `Master replication ID changed to ${replid}`)
    this.history.shift(replid)
    // Own replicas learn the new name by resuming.
    this.replicaSet.disconnectAll()
  }

  /** A full synchronisation was loaded. */
  synchronised(replid: string, offset: number, streamDb: number): void {
    this.syncsFromPrimary.full++
    this.guard.taken()
    this.lostWrites.decided()
    this.lastDatabase = Math.max(0, streamDb)
    this.history.replid = replid === '' ? NO_ID : replid
    this.history.offset = Math.max(0, offset)
    this.history.clearSecond()
    this.canResume = replid !== ''
    this.createBacklog()
    this.onNewHistory()
  }

  /** DEBUG CHANGE-REPL-ID */
  changeId(): void {
    this.history.renew()
  }

  /** The client that applies the primary's stream; null while the link is down. */
  get linkClient(): Client | null {
    return this.#link?.applier?.client ?? null
  }

  /** Database in which the primary's stream is, while this server is a replica. */
  get streamDatabase(): number {
    return this.part !== null ? this.stream.database : (this.#link?.applier?.client.db ?? this.lastDatabase)
  }

  forgetHistory(): void {
    this.canResume = false
  }

  payload(framing: Framing): Payload {
    const { engine } = this
    return new Payload(engine, framing, loadTarget(engine), () => {
      // The payload's header was accepted: now the old data may go.
      engine.log('notice', 'MASTER <-> REPLICA sync: Flushing old data')
      this.dropData()
    })
  }

  applier(link: UpstreamLink, database: number): Applier {
    return new Applier(this.engine, this.stream, link, database, this.nextClientId())
  }

  loadingBegan(totalBytes: number, async: boolean): void {
    this.#file.beginLoading(totalBytes, async)
  }

  /** `isLost`: what the databases hold is a part of what was to be loaded. */
  loadingEnded(isLost: boolean): void {
    this.#file.endLoading()
    if (isLost) this.dropData()
  }

  /** The old data set goes, and with it what own replicas follow. */
  dropData(): void {
    this.replicaSet.disconnectAll()
    this.stream.freeBacklog()
    this.#connectStream()
    this.canResume = false
    this.onDropData()
    this.fullSync.abort()
    this.filtered.closeAll()
    this.engine.localExpires.forget()
    this.engine.flushAll()
    this.engine.store.libraries.flush()
  }

  /** What a replica follows that logged in as this client's user, and asks for a part; undefined when there are too many. */
  feedFor(client: Client, wanted: Filter | null): Feed | undefined {
    const filter = filterOf(client.account)
    if (filter !== null) return this.filtered.of(filter)
    // Who gets everything can leave out the rest itself.
    return wanted === null ? this : (this.filtered.of(wanted) ?? this)
  }

  get failoverState(): string {
    return this.handover.state
  }

  failover(request: FailoverRequest): string | null {
    return this.handover.begin(request)
  }

  abortFailover(): boolean {
    return this.handover.abortByCommand()
  }

  // ---- commands ----------------------------------------------------------------------------------------------------

  sync(call: CallLike): void {
    this.#psync.sync(call)
  }

  replconf(call: CallLike): void {
    this.#psync.replconf(call)
  }

  /** The primary asks for it. */
  sendAck(): void {
    this.#link?.sendAck(true)
  }

  /** The append-only file has more on disk than before, or was turned off. */
  diskSynced(): void {
    this.waits.serve()
    this.#link?.diskSynced()
  }

  acknowledged(offset: number): number {
    return this.replicaSet.acknowledgedCount(offset)
  }

  clientGone(client: Client): void {
    this.waits.clientGone(client)
    this.replicaSet.clientGone(client)
    if (client.replica !== null) this.fullSync.clientGone()
    this.filtered.clientGone(client)
  }

  // ---- what INFO, ROLE and metrics read ----------------------------------------------------------------------------

  get resyncs(): readonly ResyncEvent[] {
    return this.resyncLog.events
  }
  get syncedOffset(): number {
    return this.engine.aof.syncedOffset
  }
  get replid(): string {
    return this.history.replid
  }
  get replid2(): string {
    return this.history.replid2
  }
  get offset(): number {
    return this.history.offset
  }
  /** Of the primary's stream. */
  get upstreamOffset(): number {
    return this.part?.history.offset ?? this.offset
  }
  get secondOffset(): number {
    return this.history.secondOffset
  }
  get spill(): ReplicationHost['spill'] {
    return this.replicaSet.spilled
  }
  get bytesPerSecond(): number {
    return this.stream.bytesPerSecond
  }
  get goodReplicas(): number {
    return this.replicaSet.good
  }
  get readOnly(): boolean {
    return this.engine.isReadOnly
  }
  get stale(): boolean {
    return this.engine.isStale
  }

  get replicas(): readonly ReplicaInfo[] {
    return this.replicaSet.infos
  }

  get refusedSync(): SyncRefusal | null {
    return this.guard.refused
  }

  get filteredReplicas(): readonly FilteredReplicaInfo[] {
    return this.filtered.replicas
  }

  get replicaFilter(): ReplicationHost['replicaFilter'] {
    return this.merged?.replicaFilter ?? this.part?.kept.counts ?? null
  }

  get upstream(): UpstreamInfo | null {
    return this.#link === null ? null : upstreamInfo(this.#link, this.engine, this.upstreamOffset)
  }

  get backlog(): ReplicationHost['backlog'] {
    return backlogInfo(this)
  }

  get lastSnapshot(): { durationMs: number; bytes: number } {
    return { durationMs: this.fullSync.lastDurationMs, bytes: this.fullSync.lastBytes }
  }

  get isSendingSnapshot(): boolean {
    return this.fullSync.isDelivering
  }

  get memoryBytes(): number {
    return (this.stream.backlog?.memoryBytes ?? 0) + this.fullSync.memoryBytes + this.filtered.memoryBytes
  }

  /** What replicas keep of the stream beyond the backlog's size: not to be counted for eviction. */
  get replicaBufferBytes(): number {
    return (this.stream.backlog?.extraBytes ?? 0) + this.fullSync.memoryBytes
  }

  // ---- once a second -----------------------------------------------------------------------------------------------

  cron(): void {
    this.#link?.cron()
    this.part?.kept.cron()
    this.handover.look()
    // A PING would put whom the failover waits for behind again.
    this.replicaSet.cron(!this.handover.isActive)
    this.fullSync.cron()
    this.filtered.cron()
    this.syncMode.refresh()
    this.#backlogSize.cron()
  }

  /** And with it the name of this history. */
  freeBacklog(): void {
    this.history.renew()
    this.stream.freeBacklog()
    this.#connectStream()
  }

  stop(): void {
    this.#link?.stop()
    this.part?.kept.stop()
    this.fullSync.abort()
    this.replicaSet.budget.stop()
    this.filtered.stop()
    this.syncMode.stop()
  }
}
