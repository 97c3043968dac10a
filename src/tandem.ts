/**
 * Composition: builds each part of a server, connects them, and runs the periodic work. The only file that knows all.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { errors } from './commands/errors.ts'
import type { Log } from './commands/host.ts'
import type { Config } from './config/config.ts'
import { Cycles } from './engine/cycles.ts'
import { Engine } from './engine/engine.ts'
import { Metrics } from './metrics/metrics.ts'
import { AppendOnly } from './persistence/aof/aof.ts'
import { Persistence } from './persistence/dump-file.ts'
import { OomScore } from './persistence/oom-score.ts'
import { createProxy, type ProxySetup } from './proxy/create.ts'
import { Replication } from './replication/replication.ts'
import { removeLeftSpills } from './replication/spill/spill.ts'
import { Clients } from './server/clients.ts'
import { createLog } from './server/log.ts'
import { Outgoing } from './server/outgoing.ts'
import { Ports } from './server/ports.ts'
import { Shutdown } from './server/shutdown.ts'
import { encodingLimits } from './store/values/limits.ts'
import { TlsContexts } from './tls/contexts.ts'
import { anyName } from './tls/dial.ts'

export interface TandemOptions {
  config: Config
  /** Ends the process; an embedded server ends itself instead. */
  exit: (code: number) => void
  /** Where lines of the log go instead of standard output or `logfile`. */
  log?: Log
}

const NO_CLUSTER =
  'cluster-enabled yes: there is no cluster mode here. This server takes keys of all slots, and CLUSTER says it is disabled'

export class Tandem {
  readonly config: Config
  readonly engine: Engine
  readonly clients: Clients
  readonly replication: Replication
  readonly persistence: Persistence
  readonly aof: AppendOnly
  readonly cycles: Cycles
  readonly shutdown: Shutdown
  readonly outgoing: Outgoing
  readonly tls: TlsContexts
  readonly metrics: Metrics
  /** Null in a server that is no proxy. */
  readonly proxy: ProxySetup | null

  #ports: Ports
  #exit: (code: number) => void
  #cron: NodeJS.Timeout | null = null
  #nextSecondMs = 0

  constructor(options: TandemOptions) {
    const { config } = options
    this.config = config
    this.#exit = options.exit
    let engine: Engine | null = null
    const log = options.log ?? createLog(config, () => (engine?.isReplica ? 'S' : 'M'))
    engine = new Engine({ config, log, configFile: config.file })
    this.engine = engine
    this.tls = new TlsContexts(config, log)
    // In Redis too it is the cluster's option that says how keys are moved.
    this.outgoing = new Outgoing(() => (config.get('tls-cluster') ? this.tls.clientOptions : null))
    this.clients = new Clients(engine)
    this.persistence = new Persistence(engine, {
      replicationAux: () => this.#replicationAux(),
      setLoading: (state) => {
        this.engine.loading = state
      },
      onStatus: () => this.#refreshDiskError(),
      onLoaded: (aux) => {
        if (aux.replid !== undefined && aux.offset >= 0) {
          this.replication.restore(aux.replid, aux.offset, aux.streamDb, this.config.get('replicaof') !== '')
          this.replication.lostWrites.restore(aux.unacknowledged, aux.offset)
        }
      },
      onExpired: (database, key) => this.replication.expiredAtStart.push({ database, key }),
      aof: () => this.aof,
      exit: (code) => this.#exit(code),
    })
    this.replication = new Replication(engine, this.persistence)
    this.replication.tls = () => {
      const { client } = this.tls
      return config.get('tls-replication') && client !== null ? anyName(client) : null
    }
    this.aof = new AppendOnly(engine, this.persistence, {
      offset: () => this.replication.offset,
      libraries: () => engine.store.libraries.codes(),
      line: () => this.replication.lostWrites.line,
      unacknowledged: () => this.replication.lostWrites.unacknowledged(),
      onUnacknowledged: (tail) => this.replication.lostWrites.restoreTail(tail),
      onStatus: () => this.#refreshDiskError(),
      exit: (code) => this.#exit(code),
    })
    this.cycles = new Cycles(engine)
    this.shutdown = new Shutdown(engine, this.clients, this.replication, this.persistence, this.aof, (code) =>
      this.#end(code),
    )
    this.#ports = new Ports(this.clients, this.tls)
    this.proxy = createProxy(engine, this.replication, this.clients, this.tls)
    this.#connectParts()
    this.metrics = new Metrics(engine)
  }

  #connectParts(): void {
    const { engine, clients, replication, persistence, aof } = this
    engine.clients = clients
    engine.replication = replication
    engine.persistence = persistence
    engine.aof = aof
    engine.cycles = this.cycles
    engine.outgoing = this.outgoing
    clients.onRemoved = (client) => {
      replication.clientGone(client)
      this.proxy?.clientGone(client)
    }
    clients.link = () => replication.linkClient
    replication.nextClientId = () => clients.nextId()
    replication.onDropData = () => {
      aof.turnOff()
      persistence.abort()
    }
    replication.onNewHistory = () => void aof.turnOnAgain()
    clients.beforeReplies = () => aof.file.beforeReplies()
    aof.file.onSynced = () => replication.diskSynced()
    const { syncMode } = replication
    syncMode.onChange = () => {
      clients.sync = syncMode.isWanted ? syncMode : null
    }
    syncMode.onChange()
    const feedReplicas = replication.stream.onBytes
    clients.stream = replication.stream
    const { proxy } = this
    if (proxy !== null) clients.onBatchEnd = () => proxy.batchEnded()
    replication.stream.onBytes = () => {
      aof.file.beforeReplies()
      feedReplicas()
      proxy?.applied()
    }
    replication.onPartApplied = () => proxy?.applied()
    engine.extraMemory = () => replication.memoryBytes + clients.bufferedBytes
    engine.onShutdown = (options, client) => this.shutdown.begin(options, client)
    engine.onAbortShutdown = () => this.shutdown.abort()
    engine.shutdownEndsAtMs = () => this.shutdown.endsAtMs
    const limits = encodingLimits as unknown as Record<string, number>
    for (const name of Object.keys(limits) as Parameters<Config['get']>[0][]) {
      this.config.watch(name, (value) => {
        limits[name] = value as number
      })
    }
    this.config.on('stop-writes-on-bgsave-error', () => this.#refreshDiskError())
    this.config.on('save', () => this.#refreshDiskError())
    const oomScore = new OomScore(this.config, engine.log)
    engine.onChild = (pid) => oomScore.child(pid)
    this.config.onApply(['port', 'bind'], () => this.#listenAgain())
    this.config.onApply(['metrics-port', 'metrics-bind'], () => this.metrics.listenAgain())
  }

  #replicationAux() {
    const { replication } = this
    if (replication.stream.backlog === null && replication.role === 'master') return undefined
    const streamDb = replication.role === 'slave' ? replication.streamDatabase : replication.stream.database
    const unacknowledged = replication.lostWrites.acknowledged()
    return { replid: replication.replid, offset: replication.offset, streamDb: Math.max(0, streamDb), unacknowledged }
  }

  /** Writes are refused while save points are set and the last save failed. redis 7.0.15 server.c writeCommandsDeniedByDiskError */
  #refreshDiskError(): void {
    const { config } = this
    const denied =
      config.get('stop-writes-on-bgsave-error') && config.get('save').length > 0 && !this.persistence.lastSaveOk
    this.engine.diskError = denied ? errors.bgsaveError : this.aof.diskError
  }

  /** The port really listened on, that of TLS if there is no other. */
  get port(): number {
    return this.#ports.port
  }

  /** Listens, loads the dump (unless `loads` is false), begins to follow the primary. Rejects with `Failed listening on port …`. */
  async start(options: { port?: number; onListening?: () => void; loads?: boolean } = {}): Promise<void> {
    const { config, engine } = this
    const { log } = engine
    // Before anybody can connect.
    engine.acl.loadAtStart()
    await this.#ports.listen(options.port)
    if (config.get('pidfile') !== '') this.#writePidFile()
    this.replication.listeningPort = this.port
    removeLeftSpills(engine)
    this.#startCron()
    await this.metrics.start()
    options.onListening?.()
    // Behind the line with the pid, as programs that wait for the start look for both.
    log('notice', `Server initialized`)
    if (config.get('cluster-enabled')) log('warning', NO_CLUSTER)
    await this.proxy?.findUpstream()
    const upstream = config.get('replicaof')
    if (upstream !== '') engine.isReplica = true
    if (options.loads !== false && !(await this.aof.load())) await this.persistence.load()
    // What was kept may have been another part.
    if (upstream !== '' && this.replication.part !== null) engine.flushAll()
    this.aof.openAtStart()
    if (upstream !== '') {
      const [host, port] = upstream.split(' ') as [string, string]
      this.replication.follow(host, Number(port))
    }
    this.proxy?.start()
    this.replication.syncMode.refresh()
    if (this.port > 0) log('notice', 'Ready to accept connections')
    if (config.get('unixsocket') !== '') {
      log('notice', `The server is now ready to accept connections at ${config.get('unixsocket')}`)
    }
  }

  async #listenAgain(): Promise<string | undefined> {
    const problem = await this.#ports.listenAgain()
    if (problem === undefined) this.replication.listeningPort = this.port
    return problem
  }

  #writePidFile(): void {
    try {
      writeFileSync(this.config.resolvePath(this.config.get('pidfile')), `${process.pid}\n`)
    } catch (error) {
      this.engine.log('warning', `Can't write the pid file: ${error}`)
    }
  }

  #startCron(): void {
    const tick = () => {
      const hz = Math.min(500, Math.max(1, this.config.get('hz')))
      this.#cron = setTimeout(tick, 1000 / hz)
      if (!this.engine.debug.pauseCron) this.#runCron()
    }
    tick()
  }

  #runCron(): void {
    const { engine } = this
    this.shutdown.cron()
    const now = engine.tick()
    engine.stats.sample(now)
    engine.memoryUsed()
    this.cycles.run()
    this.clients.cron()
    engine.tracking.cron()
    this.persistence.cron()
    this.aof.cron()
    // Not when the clock was set back: nobody would be acknowledged or pinged until it is that late again.
    if (now < this.#nextSecondMs && this.#nextSecondMs - now <= 1000) return
    this.#nextSecondMs = now - (now % 1000) + 1000
    this.replication.cron()
    this.proxy?.cron()
  }

  /** Everything is closed; the process may end. */
  async stop(): Promise<void> {
    if (this.#cron !== null) clearTimeout(this.#cron)
    this.#cron = null
    this.cycles.stop()
    this.proxy?.stop()
    this.replication.stop()
    this.engine.blocked.stop()
    // First, so that nobody whose connection is closed gets another one.
    this.#ports.stop()
    this.clients.closeAll()
    this.aof.stop()
    this.outgoing.stop()
    await this.metrics.stop()
  }

  #end(code: number): void {
    const pidfile = this.config.get('pidfile')
    if (pidfile !== '') {
      this.engine.log('notice', 'Removing the pid file.')
      rmSync(this.config.resolvePath(pidfile), { force: true })
    }
    void this.stop().then(() => this.#exit(code))
  }
}
