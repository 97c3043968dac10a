/**
 * A database without a network: the store, the command table, the path of a call and the time-sliced background work in
 * one object. It implements what commands ask of their server (commands/host.ts); replication, persistence and the
 * clients' registry are given to it by tandem.ts.
 */
import { randomBytes } from 'node:crypto'
import { Acl } from '../acl/acl.ts'
import type { AofHost } from '../commands/aof-host.ts'
import { AOF_CLIENT_ID, type Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import { allGroups } from '../commands/groups.ts'
import type {
  ClientsHost,
  DebugSwitches,
  Host,
  Log,
  PersistenceHost,
  ReplicationHost,
  ShutdownOptions,
} from '../commands/host.ts'
import type { OutgoingHost } from '../commands/outgoing-host.ts'
import { renameCommands } from '../commands/rename.ts'
import { CommandTable } from '../commands/table.ts'
import type { Config } from '../config/config.ts'
import { NOTIFY_EXPIRED } from '../config/units.ts'
import { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import { initialClock, touchedClock } from '../store/access-clock.ts'
import { Keyspace } from '../store/keyspace.ts'
import { Store } from '../store/store.ts'
import { Blocked } from './blocked.ts'
import { Evictor } from './evictor.ts'
import { Executor } from './execute.ts'
import { LatencyHistogram } from './histogram.ts'
import { notifyKeyspaceEvent } from './keyspace-events.ts'
import { LatencyMonitor } from './latency.ts'
import { monitorLine } from './monitor.ts'
import { PubSub } from './pubsub.ts'
import { ReplicaExpires } from './replica-expires.ts'
import type { Router } from './router.ts'
import { Scripts } from './scripts/scripts.ts'
import { SlowLog } from './slowlog.ts'
import { ServerStats } from './stats.ts'
import { Tracking } from './tracking.ts'
import { Watches } from './watch.ts'

export interface EngineOptions {
  config: Config
  log: Log
  configFile: string
  /** Unix milliseconds; tests give their own. */
  clock?: () => number
  random?: () => number
}

export class Engine implements Host {
  readonly config: Config
  readonly log: Log
  readonly configFile: string
  readonly store: Store
  readonly table: CommandTable
  readonly executor: Executor
  readonly stats = new ServerStats()
  readonly pubsub = new PubSub()
  readonly acl: Acl
  readonly watch: Watches
  readonly tracking: Tracking
  readonly blocked: Blocked
  readonly slowlog: SlowLog
  readonly latency: LatencyMonitor
  readonly scripts: Scripts
  readonly evictor: Evictor
  readonly localExpires = new ReplicaExpires(this)
  readonly runId = randomBytes(20).toString('hex')
  readonly random: () => number

  clients!: ClientsHost
  replication!: ReplicationHost
  persistence!: PersistenceHost
  aof!: AofHost
  outgoing!: OutgoingHost
  /** Ends the process or the embedded server; set by tandem.ts. */
  /** A child process that stands for a background save has been started. */
  onChild: (pid: number) => void = () => {}
  onShutdown: (options: ShutdownOptions, client: Client | null) => string | null = () => null
  onAbortShutdown: () => boolean = () => false

  /** Unix milliseconds, read once a batch of requests and once a cycle. */
  now: number
  dirty = 0
  inExec = false
  notifies = 0
  /** Hears of every event of a class that notify-keyspace-events names; `key` is null when a whole database was emptied. */
  onKeyEvent: ((event: string, key: Uint8Array | null, database: number) => void) | null = null
  /** Hears of each key that changed, however it did; null: any key of that database may have. */
  onTouched: ((database: number, key: Uint8Array | null) => void) | null = null
  activeExpire = true
  /** Subcommands that Redis does not have, so that COMMAND does not tell of them: `client|sync-replicas`. */
  readonly ownSubcommands = new Map<string, Command>()

  // State that the checks of each command read; kept up by who owns it.
  maxmemory = 0
  /** maxmemory-clients is set. */
  evictsClients = false
  /** Keys, clients or the tracking table have a limit that is looked at before each command. */
  limitsMemory = false
  requiresAuth = false
  slowlogMicroseconds = 10_000
  pauseMode: 'off' | 'write' | 'all' = 'off'
  loading: 'no' | 'yes' | 'async' = 'no'
  isReplica = false
  isReadOnly = false
  isStale = false
  /** What all but a few commands are answered while a script is held up (scripts/). */
  busy: string | null = null
  /** Passes writes on to an upstream; null in a server that is no proxy. */
  proxy: Router | null = null
  /** min-replicas-to-write; 0 also when min-replicas-max-lag turns the check off. */
  minReplicas = 0
  /** Replicas without which a write that has to be copied is refused before it runs (sync-replicas). */
  syncCopies = 0
  /** A write that is not copied in time is an error (sync-timeout-action). */
  syncFails = true
  diskError: string | null = null
  ignoresMaxmemory = true
  latencyTracking = true
  latencyThresholdMs = 0

  readonly debug: DebugSwitches = { skipChecksums: false, pauseCron: false, allowNoscript: false }
  cycles: { averageTtlMs(database: number): number } | null = null
  shutdownEndsAtMs: () => number = () => 0

  /** Memory besides the data set: clients' buffers, backlog; kept up by their owners. */
  extraMemory: () => number = () => 0

  #clock: () => number
  #accessClock = 0
  #lfu = false
  #aside = new ReplyWriter()

  constructor(options: EngineOptions) {
    this.config = options.config
    this.log = options.log
    this.configFile = options.configFile
    this.#clock = options.clock ?? Date.now
    this.random = options.random ?? Math.random
    this.now = this.#clock()
    this.store = new Store(this.config.get('databases'))
    this.table = new CommandTable(allGroups)
    renameCommands(this.table, this.config.directives('rename-command'))
    this.acl = this.#createAcl()
    this.executor = new Executor(this)
    this.scripts = new Scripts(this)
    this.slowlog = new SlowLog()
    this.latency = new LatencyMonitor(() => this.unixMs)
    this.watch = new Watches(this.store, () => this.now)
    this.tracking = new Tracking({
      clients: () => this.clients,
      maxKeys: () => this.config.get('tracking-table-max-keys'),
      running: () => this.executor.running,
      onClients: () => this.refreshLimits(),
    })
    this.blocked = new Blocked({
      store: this.store,
      now: () => this.unixMs,
      run: (client, command, request) => this.#retry(client, command, request),
      countError: (text, count) => this.countError(text, count),
    })
    this.evictor = new Evictor(this)
    this.stats.startedAtMs = this.now
    this.#followConfig()
    this.tick()
  }

  get unixMs(): number {
    return this.#clock()
  }

  /** Reads the clock; at the start of each batch of requests and in each cycle. */
  tick(): number {
    this.now = this.#clock()
    this.#accessClock = Math.floor(this.now / 1000) & 0xffffff
    Keyspace.newClock = this.#lfu ? initialClock(this.now) : this.#accessClock
    return this.now
  }

  get shutdownAtMs(): number {
    return this.shutdownEndsAtMs()
  }

  averageTtlMs(database: number): number {
    return this.cycles?.averageTtlMs(database) ?? 0
  }

  // ---- what the path of a call needs ------------------------------------------------------------------------------

  get watchers(): number {
    return this.watch.count + this.blocked.watchers + this.tracking.watchers + (this.onTouched === null ? 0 : 1)
  }

  /** What changed goes into a stream: rewriting a command for it is worth while. */
  get propagates(): boolean {
    return this.executor.stream !== null
  }

  get blockedClients(): number {
    return this.blocked.count
  }

  get hasReadyKeys(): boolean {
    return this.blocked.hasReadyKeys
  }

  /** Monitors or tracking want to hear of the commands that are run. */
  get isObserved(): boolean {
    return this.monitorCount + this.tracking.clients > 0
  }

  monitorCount = 0

  feedMonitors(client: Client, args: Request): void {
    const line = monitorLine(client, args, this.unixMs)
    for (const monitor of this.clients.monitors()) monitor.send(line)
  }

  account(command: Command, calls: number, microseconds: number, blocked = false): void {
    command.calls += calls
    command.usec += microseconds
    if (!this.latencyTracking || blocked) return
    const histogram = (command.histogram ??= new LatencyHistogram()) as LatencyHistogram
    histogram.record(microseconds / Math.max(1, calls), Math.max(1, calls))
  }

  pushSlow(client: Client, command: Command, args: Request, microseconds: number): void {
    this.slowlog.push(client, command, args, microseconds, this.unixMs)
  }

  addLatency(event: string, milliseconds: number): void {
    const threshold = this.latencyThresholdMs
    if (threshold > 0 && milliseconds >= threshold) this.latency.add(event, Math.floor(milliseconds))
  }

  countError(text: string, count: number): void {
    this.stats.errorReplies += count
    const space = text.slice(0, 32).indexOf(' ')
    this.stats.countError(space > 0 ? text.slice(0, space) : 'ERR', count)
  }

  /** A primary's or replica's command was answered by an error, which nobody will read. */
  errorToPeer(client: Client, text: string): void {
    this.stats.unexpectedErrorReplies++
    const isAof = client.id === AOF_CLIENT_ID
    const [to, from] = isAof
      ? ['AOF-loading-client', 'server']
      : client.isMaster
        ? ['master', 'replica']
        : ['replica', 'master']
    const command = client.lastCommand?.fullName ?? '<unknown>'
    this.log(
      'warning',
      `== CRITICAL == This ${from} is sending an error to its ${to}: '-${text}' after processing the command '${command}'`,
    )
  }

  commandFailed(client: Client, command: Command, error: unknown): void {
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.log('warning', `Command '${command.fullName}' of client ${client.transport.remoteAddress} failed: ${cause}`)
  }

  protectedRefusal(client: Client, command: Command): string | null {
    const name = (command.parent ?? command).name
    const option = name === 'debug' ? 'enable-debug-command' : 'enable-module-command'
    const allowed = this.config.get(option)
    if (allowed === 'yes' || (allowed === 'local' && isLocal(client))) return null
    return `ERR ${name.toUpperCase()} command not allowed. If the ${option} option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.`
  }

  /** Whether a write of this client has to be refused: min-replicas-to-write, sync-replicas. */
  lacksReplicas(client: Client): boolean {
    const own = client.syncReplicas
    const copies = own < 0 ? this.syncCopies : this.syncFails ? own : 0
    const wanted = Math.max(this.minReplicas, copies)
    return wanted !== 0 && !this.isReplica && this.replication.goodReplicas < wanted
  }

  /** Evicts until used memory is below maxmemory. False if that is not possible. */
  makeRoom(): boolean {
    return this.evictor.makeRoom()
  }

  abortTransaction(client: Client): void {
    client.transaction = null
    client.transactionFailed = false
    client.transactionBytes = 0
    client.watchFailed = false
    this.watch.unwatchAll(client)
  }

  serveBlocked(): void {
    this.blocked.serveReady()
  }

  /** A client that was blocked runs its command again, with a reply of its own. True when it was served. */
  #retry(client: Client, command: Command, request: Request): boolean {
    const reply = this.#aside
    reply.resp = client.resp
    reply.muted = client.replyMode === 'off'
    client.isBlocked = false
    this.executor.retry(client, command, request, reply)
    reply.muted = false
    if (!client.isBlocked) reply.drain(client.transport)
    this.tracking.sendPending(client)
    if (client.isBlocked) return false
    this.executor.afterCommand(client)
    return true
  }

  /** Runs `write` with a writer for this client, and sends what it wrote. */
  replyTo(client: Client, write: (reply: ReplyWriter) => void): void {
    const reply = this.#aside
    reply.resp = client.resp
    write(reply)
    reply.drain(client.transport)
  }

  // ---- commands/host.ts --------------------------------------------------------------------------------------------

  notify(type: number, event: string, key: Uint8Array, database: number): void {
    if (this.onKeyEvent !== null && (this.notifies & type) !== 0) this.onKeyEvent(event, key, database)
    notifyKeyspaceEvent(this.pubsub, this.notifies, type, event, key, database)
  }

  keyModified(db: Keyspace, key: Uint8Array, by: Client | null = this.executor.call.client): void {
    if (this.watch.count > 0) this.watch.touched(db, key)
    if (this.blocked.watchers > 0) this.blocked.keyChanged(db, key)
    if (this.tracking.watchers > 0) this.tracking.invalidate(key, by)
    this.onTouched?.(db.id, key)
  }

  refreshLimits(): void {
    this.limitsMemory = this.maxmemory !== 0 || this.evictsClients || this.tracking.clients > 0
  }

  keyReady(db: Keyspace, key: Buffer): void {
    this.blocked.keyReady(db, key)
  }

  touch(ref: number): void {
    const { store } = this
    if (!this.#lfu) {
      store.setClock(ref, this.#accessClock)
      return
    }
    const factor = this.config.get('lfu-log-factor')
    const decay = this.config.get('lfu-decay-time')
    store.setClock(ref, touchedClock(store.clock(ref), this.now, factor, decay, this.random))
  }

  expire(db: Keyspace, hash: number, ref: number, forWrite: boolean): void {
    // Only a primary decides that a key is gone; a replica hides it and waits for the DEL, unless it is written here.
    if ((this.isReplica && (this.isReadOnly || !forWrite)) || this.pauseMode !== 'off') return
    this.removeExpired(db, hash, ref)
  }

  /** Deletes a key past its time, with all that hangs on it. redis 7.0.15 db.c deleteExpiredKeyAndPropagate */
  removeExpired(db: Keyspace, hash: number, ref: number): void {
    const key = this.store.key(ref)
    db.remove(hash, ref)
    this.stats.expiredKeys++
    this.dirty++
    const unlink = this.config.get('lazyfree-lazy-expire')
    this.executor.alsoPropagate(db.id, [unlink ? 'UNLINK' : 'DEL', key])
    if (this.watchers > 0) this.keyModified(db, key, null)
    if (this.notifies !== 0) this.notify(NOTIFY_EXPIRED, 'expired', key, db.id)
  }

  alsoPropagate(database: number, args: readonly (string | Uint8Array)[]): void {
    this.executor.alsoPropagate(database, args)
  }

  memoryUsed(): number {
    const used = this.store.dataBytes + this.extraMemory()
    if (used > this.stats.peakMemoryBytes) this.stats.peakMemoryBytes = used
    return used
  }

  execute(client: Client, command: Command, request: Request): void {
    const outer = this.inExec
    this.inExec = true
    this.executor.execute(client, command, request, this.executor.call.reply)
    this.inExec = outer
  }

  flushAll(): void {
    for (const keyspace of this.store.databases) {
      this.onKeyEvent?.('flush', null, keyspace.id)
      this.onTouched?.(keyspace.id, null)
      if (this.watch.count > 0) this.watch.touchAll(keyspace)
      if (this.blocked.watchers > 0) this.blocked.flushed(keyspace)
    }
    this.tracking.flushed()
    // A new base of the append-only file is of the data as it was, like a forked child's.
    if (this.aof?.isReading === true) {
      for (const keyspace of this.store.databases) keyspace.clear()
      return
    }
    this.store.walk?.abort()
    this.store.clear()
  }

  flushDatabase(db: Keyspace): void {
    this.onKeyEvent?.('flush', null, db.id)
    this.onTouched?.(db.id, null)
    if (this.watch.count > 0) this.watch.touchAll(db)
    if (this.blocked.watchers > 0) this.blocked.flushed(db)
    this.tracking.flushed()
    const others = this.store.databases.some((other) => other !== db && other.size > 0)
    if (others || this.store.walk !== null) db.clear()
    else this.store.clear()
  }

  swapDatabases(a: number, b: number): void {
    const { databases } = this.store
    const first = databases[a]!
    const second = databases[b]!
    if (this.watch.count > 0) this.watch.swapped(first, second)
    databases[a] = second
    databases[b] = first
    second.id = a
    first.id = b
    this.onTouched?.(a, null)
    this.onTouched?.(b, null)
    this.blocked.swapped(first, second)
  }

  shutdown(options: ShutdownOptions, client: Client | null): string | null {
    return this.onShutdown(options, client)
  }

  abortShutdown(): boolean {
    return this.onAbortShutdown()
  }

  sleep(milliseconds: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
  }

  #createAcl(): Acl {
    return new Acl({
      config: this.config,
      table: this.table,
      log: this.log,
      unixMs: () => this.unixMs,
      clients: () => this.clients.all(),
      onRequiresAuth: (requires) => {
        this.requiresAuth = requires
      },
    })
  }

  #followConfig(): void {
    const { config } = this
    const follow = <T>(apply: () => T, ...names: Parameters<Config['on']>[0][]) => {
      apply()
      for (const name of names) config.on(name, apply)
    }
    follow(
      () => {
        this.maxmemory = config.get('maxmemory')
        this.refreshLimits()
        this.#lfu = config.get('maxmemory-policy').includes('lfu')
        this.ignoresMaxmemory = config.get('replica-ignore-maxmemory')
      },
      'maxmemory',
      'maxmemory-policy',
      'replica-ignore-maxmemory',
    )
    config.on('maxmemory', () => this.evictor.limitChanged())
    follow(
      () => {
        this.minReplicas = config.get('min-replicas-max-lag') === 0 ? 0 : config.get('min-replicas-to-write')
      },
      'min-replicas-to-write',
      'min-replicas-max-lag',
    )
    follow(() => {
      this.notifies = config.get('notify-keyspace-events')
    }, 'notify-keyspace-events')
    follow(
      () => {
        this.slowlogMicroseconds = config.get('slowlog-log-slower-than')
        this.slowlog.setMaxLength(config.get('slowlog-max-len'))
        this.latencyTracking = config.get('latency-tracking')
        const slow = this.slowlogMicroseconds
        this.latencyThresholdMs = config.get('latency-monitor-threshold')
        this.executor.precise = (slow >= 0 && slow < 1000) || this.latencyThresholdMs > 0
      },
      'slowlog-log-slower-than',
      'slowlog-max-len',
      'latency-tracking',
      'latency-monitor-threshold',
    )
  }
}

function isLocal(client: Client): boolean {
  return client.isUnixSocket || /^(127\.|\[?::1\]?:|::1:)/.test(client.transport.remoteAddress)
}
