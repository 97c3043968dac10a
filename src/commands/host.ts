/**
 * What a command may ask of the running server, as interfaces: commands know no engine, no sockets, no files. The
 * engine implements the hot part (`Host` itself); replication, persistence, clients and the rest are filled in by
 * tandem.ts.
 */
import type { Config } from '../config/config.ts'
import type { Argument } from '../effects/effects.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Keyspace } from '../store/keyspace.ts'
import type { Store } from '../store/store.ts'
import type { AofHost } from './aof-host.ts'
import type { Account, Client } from './client.ts'
import type { Command } from './command.ts'
import type { OutgoingHost } from './outgoing-host.ts'
import type { ProxyHost } from './proxy-host.ts'
import type { ReplicationCounters } from './replication-counters.ts'
import type { ScriptsHost } from './script-host.ts'
import type { CommandTable } from './table.ts'

/** Counters of INFO stats; each is a plain field, counted where it happens. */
export interface Stats {
  startedAtMs: number
  connectionsReceived: number
  rejectedConnections: number
  commandsProcessed: number
  keyspaceHits: number
  keyspaceMisses: number
  expiredKeys: number
  expiredStalePercent: number
  expiredTimeCapReached: number
  lazyFreedObjects: number
  expireCycleMilliseconds: number
  evictedKeys: number
  evictedClients: number
  evictionExceededMilliseconds: number
  netInputBytes: number
  netOutputBytes: number
  replInputBytes: number
  replOutputBytes: number
  syncFull: number
  syncPartialOk: number
  syncPartialErr: number
  readsProcessed: number
  writesProcessed: number
  errorReplies: number
  unexpectedErrorReplies: number
  dumpPayloadSanitizations: number
  peakMemoryBytes: number
  queryBufferLimitDisconnections: number
  outputBufferLimitDisconnections: number
  activeDefragHits: number
  /** Snapshots made in the background, each of which would be a fork of a redis-server. */
  snapshots: number
  /** INFO errorstats: error code → count. */
  errorCounts: Map<string, number>
  instantaneous: {
    commands: number
    inputBytes: number
    outputBytes: number
    replInputBytes: number
    replOutputBytes: number
  }
  reset(): void
}

export type LogLevel = 'debug' | 'verbose' | 'notice' | 'warning'

export type Log = (level: LogLevel, text: string) => void

/** Each is ended by itself; `command` is CLIENT PAUSE. */
export type PauseReason = 'command' | 'shutdown' | 'failover'

export interface ClientsHost {
  /** In order of their ids. */
  all(): Iterable<Client>
  readonly count: number
  byId(id: number): Client | undefined
  /** Hands what was written to clients so far to their sockets, rather than at the end of the turn. */
  flushAll(): void
  /** CLIENT PAUSE until `untilMs`; 'write' holds back only writes. */
  pause(untilMs: number, mode: 'write' | 'all', reason?: PauseReason): void
  unpause(reason?: PauseReason): void
  readonly pausedUntilMs: number
  readonly pauseMode: 'off' | 'write' | 'all'
  readonly maxInputBytes: number
  readonly maxOutputBytes: number
  monitors(): Iterable<Client>
  addMonitor(client: Client): void
  removeMonitor(client: Client): void
  /** Those that CLIENT PAUSE holds back. */
  readonly postponedCount: number
  /** What the client holds, or whether it may be evicted, changed (CLIENT NO-EVICT). */
  recountMemory(client: Client): void
  /** Closes the largest clients while all together are above maxmemory-clients. */
  evict(): void
}

export interface TrackingOptions {
  readonly redirect: number
  readonly broadcast: boolean
  readonly optIn: boolean
  readonly optOut: boolean
  readonly noLoop: boolean
  /** Latin-1 of the bytes. */
  readonly prefixes: readonly string[]
}

export interface TrackingHost {
  /** Turns it on, or changes its options; the caller has checked that they go together. */
  enable(client: Client, options: TrackingOptions): void
  disable(client: Client): void
  /** Clients that have it on. */
  readonly clients: number
  readonly keys: number
  /** Pairs of key and client. */
  readonly items: number
  readonly prefixes: number
}

/** A part of an account's rights as ACL GETUSER shows it. Texts are Latin-1 of the bytes. */
export interface AclSelectorView {
  readonly commands: string
  readonly keys: string
  readonly channels: string
}

export interface AclUserView extends Account {
  readonly flags: readonly string[]
  /** SHA-256 in hexadecimal. */
  readonly passwords: readonly string[]
  /** The user's own rights first, then those of its selectors. */
  readonly views: readonly AclSelectorView[]
  /** Its rules as in an ACL file, behind `user <name>`. */
  readonly description: string
}

export interface AclLogEntry {
  readonly count: number
  readonly reason: string
  readonly context: string
  readonly object: string
  readonly user: string
  readonly updatedAtMs: number
  readonly clientInfo: string
}

/** Names and rules are Latin-1 strings of their bytes; texts that are returned are errors with their code. */
export interface AclHost {
  /** A new connection's account: that of the user `default`, logged in if it needs no password. */
  welcome(client: Client): void
  /** False, and an entry in the log, if the user or the password is wrong. `request` is the AUTH or HELLO. */
  authenticate(client: Client, user: string, password: Uint8Array, request: Request): boolean
  /** AUTH with one argument makes no sense: the default user takes any password. */
  readonly defaultTakesAnyPassword: boolean
  user(name: string): AclUserView | undefined
  /** Sorted by name. */
  users(): readonly AclUserView[]
  setUser(name: string, rules: readonly string[], client: Client): string | undefined
  /** Closes their connections. Returns how many there were. */
  deleteUsers(names: readonly string[], client: Client): number
  load(client: Client): string | undefined
  save(): string | undefined
  /** The latest first. */
  readonly logEntries: readonly AclLogEntry[]
  resetLog(): void
  /** Why the user may not run the command that begins at argument `from`; undefined if it may. */
  dryRun(user: string, command: Command, request: Request, from: number): string | undefined
  /** The refusal of a queued command that was allowed when it was queued, logged; null if it still is. */
  queuedRefusal(client: Client, command: Command, request: Request): string | null
  /** The refusal of a command in a script, logged, without a code; null if it may run. */
  scriptRefusal(client: Client, command: Command, request: Request): string | null
  /** The client may run the command and besides read every key there is. */
  readsAllKeys(client: Client, command: Command, request: Request): boolean
}

export interface PubSubHost {
  subscribe(client: Client, channel: string): boolean
  unsubscribe(client: Client, channel: string): boolean
  psubscribe(client: Client, pattern: string): boolean
  punsubscribe(client: Client, pattern: string): boolean
  ssubscribe(client: Client, channel: string): boolean
  sunsubscribe(client: Client, channel: string): boolean
  /** Names are Latin-1 strings of the channel's bytes. Returns the number of receivers. */
  publish(channel: string, message: Buffer): number
  spublish(channel: string, message: Buffer): number
  channels(): Iterable<string>
  shardChannels(): Iterable<string>
  subscribers(channel: string): number
  shardSubscribers(channel: string): number
  readonly patterns: number
  readonly channelCount: number
  readonly shardChannelCount: number
  unsubscribeAll(client: Client): void
}

export interface WatchHost {
  watch(client: Client, keyspace: Keyspace, key: string, expired: boolean): void
  unwatchAll(client: Client): void
}

/** Why a blocked client goes on. */
export type Unblocked = 'ready' | 'timeout' | 'error' | 'killed'

export interface BlockHost {
  /**
   * Blocks the client of the call until one of the keys (argument indexes) gets elements, then runs the command again;
   * `timeoutMs` 0 waits for ever. `onTimeout` writes the reply when time is up.
   */
  onKeys(
    client: Client,
    keyspace: Keyspace,
    keys: readonly Buffer[],
    request: Request,
    command: Command,
    timeoutMs: number,
    onTimeout: (reply: ReplyWriter) => void,
  ): void
  /** Blocks for anything else (WAIT); `unblock` is called by who knows. Returns a token. */
  onEvent(client: Client, timeoutMs: number, onTimeout: (reply: ReplyWriter) => void): void
  /** Writes the reply through `answer` and lets the client go on. False if it is not blocked. */
  unblock(client: Client, answer: (reply: ReplyWriter) => void): boolean
  /** Answers as if the client's time were up (CLIENT UNBLOCK). False if it is not blocked. */
  timeOut(client: Client): boolean
  /** While a blocked client's command runs again: the key that became ready, as Latin-1 text. */
  readonly retryKey: string | null
  readonly count: number
  /** Those of them that wait for a limited time. */
  readonly timeoutCount: number
}

export interface SlowLogEntry {
  id: number
  unixSeconds: number
  microseconds: number
  args: Buffer[]
  address: string
  clientName: string
}

export interface SlowLogHost {
  readonly entries: readonly SlowLogEntry[]
  reset(): void
  readonly nextId: number
}

export interface LatencyHost {
  add(event: string, milliseconds: number): void
  /** event → samples (unix second, ms), oldest first, and the all-time maximum. */
  readonly events: ReadonlyMap<string, { samples: readonly (readonly [number, number])[]; maxMs: number }>
  reset(events: readonly string[]): number
}

export interface ReplicaInfo {
  ip: string
  port: number
  state: 'wait_bgsave' | 'send_bulk' | 'online'
  offset: number
  /** Seconds since its last acknowledgement. */
  lagSeconds: number
  /** Stream bytes not acknowledged yet. */
  lagBytes: number
  /** Age of the oldest write that it has not acknowledged, milliseconds; 0 when it has all. */
  lagMs: number
  clientId: number
}

/** A replica that is sent a part of the data. */
export interface FilteredReplicaInfo {
  readonly filter: string
  readonly ip: string
  readonly port: number
  readonly state: string
  /** In the filtered stream. */
  readonly offset: number
  readonly lagBytes: number
  readonly lagMs: number
  /** Bytes of writes that its filter was asked about, and those of them that it shows. */
  readonly seenBytes: number
  readonly streamBytes: number
}

export interface UpstreamInfo {
  host: string
  port: number
  linkStatus: 'up' | 'down'
  /** connect, connecting, handshake, sync, connected: ROLE's words. */
  state: string
  lastIoSecondsAgo: number
  syncInProgress: boolean
  syncTotalBytes: number
  syncReadBytes: number
  syncLastIoSecondsAgo: number
  linkDownSinceSeconds: number
  /** Offset read from the link, and offset applied. */
  readOffset: number
  appliedOffset: number
  /** Age of the newest applied write as seen here, milliseconds. */
  lagMs: number
}

export interface ResyncEvent {
  atMs: number
  peer: string
  direction: 'to-replica' | 'from-primary' | 'role'
  kind: string
  why: string
  bytes: number
  durationMs: number
}

/** A full synchronisation that would have dropped nearly everything. */
export interface SyncRefusal {
  readonly keysHere: number
  readonly keysThere: number
  readonly replid: string
}

/** sync-replicas: what waited for replicas, since the start. */
export interface SyncModeInfo {
  readonly isWanted: boolean
  /** How many replicas a write has to reach now: a number, or what a majority of the group comes to. */
  readonly copies: number
  /** Servers of the group, this one among them. */
  readonly groupSize: number
  readonly counts: { readonly waits: number; readonly timeouts: number; readonly degraded: number }
  readonly waitedMs: number
  /** Connections whose replies wait now. */
  readonly holding: number
}

export interface FailoverRequest {
  /** Null: the first replica that has everything. */
  target: { host: string; port: number } | null
  /** Hand over to the target when the time is up, whatever it has. */
  force: boolean
  /** 0 waits for ever. */
  timeoutMs: number
}

export interface ReplicationHost {
  readonly role: 'master' | 'slave'
  readonly replid: string
  readonly replid2: string
  readonly offset: number
  readonly secondOffset: number
  readonly replicas: readonly ReplicaInfo[]
  readonly syncMode: SyncModeInfo
  /** Replicas are being sent a snapshot. */
  readonly isSendingSnapshot: boolean
  /** Writes of this server that its successor lacked, kept in files since the start. */
  readonly lostWrites: {
    readonly commands: number
    readonly bytes: number
    readonly files: number
    readonly lastFile: string
  }
  readonly filteredReplicas: readonly FilteredReplicaInfo[]
  /** Null when none is refused now. */
  readonly refusedSync: SyncRefusal | null
  /** Null while all of a primary's data is kept. Bytes and fetched keys since the start, pending ones now. */
  readonly replicaFilter: {
    readonly text: string
    readonly seenBytes: number
    readonly droppedBytes: number
    readonly fetched: number
    readonly fetchedBytes: number
    readonly pending: number
  } | null
  readonly upstream: UpstreamInfo | null
  readonly backlog: { active: boolean; size: number; firstByteOffset: number; histlen: number }
  /** What replicas have not read and memory had no room for; bytes on disk now, the others since the start. */
  readonly spill: { writtenBytes: number; fileBytes: number; replicas: number; closedReplicas: number }
  readonly goodReplicas: number
  readonly memoryBytes: number
  /** Bytes of connected replicas' pending output. */
  readonly replicaBufferBytes: number
  readonly failoverState: string
  /** FAILOVER: an error text, or null when it has begun. */
  failover(request: FailoverRequest): string | null
  /** False if there is none. */
  abortFailover(): boolean
  readonly resyncs: readonly ResyncEvent[]
  readonly counters: ReplicationCounters
  /** The last snapshot that was sent to replicas. */
  readonly lastSnapshot: { durationMs: number; bytes: number }
  /** Bytes a second that are added to the stream, over the last minute. */
  readonly bytesPerSecond: number
  readonly roleChangedAtMs: number
  /** REPLICAOF host port, or null for NO ONE. Returns the text to reply. */
  replicaOf(target: { host: string; port: number } | null, client: Client): string
  /** Handles PSYNC and SYNC of a connection that becomes a replica. */
  sync(call: CallLike): void
  replconf(call: CallLike): void
  /** DEBUG CHANGE-REPL-ID: a new history, which no replica can continue. */
  changeId(): void
  readonly waits: { wait(call: CallLike): void; waitAof(call: CallLike): void }
  /** A replica whose link is down serves stale data. */
  readonly stale: boolean
  readonly readOnly: boolean
  /** Replicas with an acknowledgement at least as far as offset. */
  acknowledged(offset: number): number
}

/** A Call, without importing it (it imports this file). */
export interface CallLike {
  args: Request
  reply: ReplyWriter
  client: Client
  command: Command
}

export interface PersistenceHost {
  readonly dirty: number
  readonly lastSaveSeconds: number
  readonly lastSaveOk: boolean
  /** Bytes written early by the last save, because they were about to change. */
  readonly lastSaveCopiedBytes: number
  readonly saving: boolean
  readonly lastSaveDurationSeconds: number
  readonly currentSaveSeconds: number
  readonly saves: number
  readonly loading: boolean
  readonly asyncLoading: boolean
  readonly loadStartSeconds: number
  readonly loadTotalBytes: number
  readonly loadedBytes: number
  readonly lastLoadKeysExpired: number
  readonly lastLoadKeysLoaded: number
  /** SAVE: throws with the reason when it fails. */
  saveNow(): void
  /** BGSAVE: the text to reply or an error text that begins with '-'. */
  saveInBackground(schedule: boolean): string
  /** DEBUG RELOAD: save (unless told not to), empty, load. */
  reload(options: { save: boolean; flush: boolean; merge: boolean }): Promise<void> | void
  /** FLUSHALL: stops a snapshot under way and saves the empty set if save points are set. */
  flushed(): void
}

/** Switches of DEBUG, for tests; all false in a server that nobody debugs. */
export interface DebugSwitches {
  /** RESTORE and loading take payloads whose checksum is wrong. */
  skipChecksums: boolean
  /** No periodic work. */
  pauseCron: boolean
  /** Scripts may call commands that are flagged noscript. */
  allowNoscript: boolean
}

export interface ShutdownOptions {
  save: 'default' | 'save' | 'nosave'
  now: boolean
  force: boolean
}

export interface Host {
  readonly config: Config
  readonly store: Store
  readonly table: CommandTable
  readonly stats: Stats
  readonly log: Log
  readonly clients: ClientsHost
  readonly pubsub: PubSubHost
  readonly acl: AclHost
  readonly watch: WatchHost
  readonly tracking: TrackingHost
  readonly blocked: BlockHost
  readonly scripts: ScriptsHost
  readonly slowlog: SlowLogHost
  readonly latency: LatencyHost
  readonly replication: ReplicationHost
  readonly persistence: PersistenceHost
  readonly aof: AofHost
  readonly outgoing: OutgoingHost
  readonly proxy: ProxyHost | null
  readonly runId: string
  readonly configFile: string
  readonly unixMs: number
  /** Numbers in [0, 1); tests give their own. */
  readonly random: () => number

  /** notify-keyspace-events as bits; 0 lets callers skip notify(). */
  readonly notifies: number
  /** Number of watched keys plus tracking clients and what they were served; 0 lets callers skip keyModified(). */
  readonly watchers: number
  readonly blockedClients: number
  /** Changes go into a replication stream. */
  readonly propagates: boolean
  notify(type: number, event: string, key: Uint8Array, database: number): void
  /** `by` is the client that changed it, null if the key expired or was evicted; without it, the one that runs. */
  keyModified(db: Keyspace, key: Uint8Array, by?: Client | null): void
  keyReady(db: Keyspace, key: Buffer): void
  /** Touches the access clock of a record that was looked up. */
  touch(ref: number): void
  /** A record is past its time: removes and propagates it if this server may. */
  expire(db: Keyspace, hash: number, ref: number, forWrite: boolean): void
  alsoPropagate(database: number, args: readonly Argument[]): void

  /** used_memory. */
  memoryUsed(): number
  /** Runs what is queued (EXEC). */
  execute(client: Client, command: Command, request: Request): void
  /** Removes every key of all databases, or of one. */
  flushAll(): void
  flushDatabase(db: Keyspace): void
  swapDatabases(a: number, b: number): void
  /** Begins to shut down; an error text when it cannot. Null: it is under way. */
  shutdown(options: ShutdownOptions, client: Client | null): string | null
  abortShutdown(): boolean
  activeExpire: boolean
  readonly debug: DebugSwitches
  /** When a shutdown that waits for replicas will end, Unix milliseconds; 0 when none is under way. */
  readonly shutdownAtMs: number
  /** Mean time to live of a database's keys that expire, milliseconds. */
  averageTtlMs(database: number): number
  /** DEBUG REPLYBUFFER, SLEEP and others block the loop on purpose. */
  sleep(milliseconds: number): void
}
