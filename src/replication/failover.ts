/**
 * FAILOVER: writes are held back, a replica gets everything, takes over on this server's word (PSYNC … FAILOVER), and this
 * server goes on as its replica. redis 7.0.15 replication.c failoverCommand, updateFailoverStatus, abortFailover.
 *
 * Redis looks once a second; here the replicas are asked to acknowledge at once, and what they answer is looked at at once.
 */
import type { Client } from '../commands/client.ts'
import type { FailoverRequest } from '../commands/host.ts'
import type { Engine } from '../engine/engine.ts'
import type { Replica } from './primary/replica.ts'
import type { Replication } from './replication.ts'

const FOR_EVER = Number.MAX_SAFE_INTEGER
const TIMER_MAX_MS = 0x7fffffff

export class Failover {
  state: 'no-failover' | 'waiting-for-sync' | 'failover-in-progress' = 'no-failover'
  /** How long the last one that was completed held writes back, milliseconds. */
  lastDurationMs = 0

  #replication: Replication
  #engine: Engine
  #target: { host: string; port: number } | null = null
  #force = false
  /** Unix milliseconds; 0 waits for ever. */
  #endsAtMs = 0
  #startedAtMs = 0
  /** All writes lie below. */
  #offset = 0
  #isLookQueued = false
  #timer: NodeJS.Timeout | null = null

  constructor(replication: Replication) {
    this.#replication = replication
    this.#engine = replication.engine
  }

  get isActive(): boolean {
    return this.state !== 'no-failover'
  }

  /** It is for this server to send PSYNC … FAILOVER. */
  get isHandingOver(): boolean {
    return this.state === 'failover-in-progress'
  }

  /** PSYNC … FAILOVER from the primary. An error text, or null once this server is the primary. */
  takeOver(replid: string, client: Client): string | null {
    const replication = this.#replication
    const { log } = this.#engine
    log('warning', `Failover request received for replid ${replid}.`)
    if (replication.link === null) return "ERR PSYNC FAILOVER can't be sent to a master."
    if (replid.toLowerCase() !== replication.history.replid) return 'ERR PSYNC FAILOVER replid must match my replid.'
    replication.promote()
    replication.counters.failover('taken-over')
    log('notice', `MASTER MODE enabled (failover request from 'id=${client.id}')`)
    return null
  }

  /** An error text, or null. */
  begin({ target, force, timeoutMs }: FailoverRequest): string | null {
    const engine = this.#engine
    const { replicaSet, stream, role } = this.#replication
    if (this.isActive) return 'ERR FAILOVER already in progress.'
    if (role === 'slave') return 'ERR FAILOVER is not valid when server is a replica.'
    if (replicaSet.list.length === 0) return 'ERR FAILOVER requires connected replicas.'
    if (force && (timeoutMs === 0 || target === null)) {
      return 'ERR FAILOVER with force option requires both a timeout and target HOST and IP.'
    }
    if (target !== null) {
      const replica = this.#find(target)
      if (replica === undefined) return 'ERR FAILOVER target HOST and PORT is not a replica.'
      if (replica.state !== 'online') return 'ERR FAILOVER target replica is not online.'
      engine.log('notice', `FAILOVER requested to ${target.host}:${target.port}.`)
    } else {
      engine.log('notice', 'FAILOVER requested to any replica.')
    }
    this.state = 'waiting-for-sync'
    this.#target = target
    this.#force = force
    this.#startedAtMs = engine.unixMs
    this.#endsAtMs = timeoutMs === 0 ? 0 : engine.unixMs + timeoutMs
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.look(), Math.min(timeoutMs + 1, TIMER_MAX_MS))
    engine.clients.pause(FOR_EVER, 'write', 'failover')
    stream.flush()
    this.#offset = stream.offset
    replicaSet.requestAcks()
    this.acknowledged()
    return null
  }

  #find({ host, port }: { host: string; port: number }): Replica | undefined {
    return this.#replication.replicaSet.list.find(
      (replica) => replica.ip === host && replica.announced.listeningPort === port,
    )
  }

  /** FAILOVER ABORT. False if there is none. */
  abortByCommand(): boolean {
    if (!this.isActive) return false
    this.abort('Failover manually aborted')
    return true
  }

  /** `why` goes into the log. Writes go on, here. */
  abort(why: string): void {
    if (!this.isActive) return
    const target = this.#target === null ? 'any replica' : `${this.#target.host}:${this.#target.port}`
    this.#engine.log('notice', `FAILOVER to ${target} aborted: ${why}`)
    const wasHandingOver = this.isHandingOver
    this.#clear()
    if (wasHandingOver) this.#replication.promote()
  }

  /** The target has taken over: it accepted to be followed. */
  completed(): void {
    if (!this.isHandingOver) return
    this.lastDurationMs = this.#engine.unixMs - this.#startedAtMs
    this.#replication.counters.failover('handed-over', this.lastDurationMs)
    this.#clear()
  }

  #clear(): void {
    this.state = 'no-failover'
    this.#target = null
    this.#force = false
    this.#endsAtMs = 0
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#engine.clients.unpause('failover')
  }

  /** A replica acknowledged something. Looked at later: a failover closes the connections of replicas. */
  acknowledged(): void {
    if (this.state !== 'waiting-for-sync' || this.#isLookQueued) return
    this.#isLookQueued = true
    setImmediate(() => {
      this.#isLookQueued = false
      this.look()
    })
  }

  /** Also once a second. */
  look(): void {
    if (this.state !== 'waiting-for-sync') return
    const { log, unixMs } = this.#engine
    if (this.#endsAtMs !== 0 && this.#endsAtMs <= unixMs) {
      if (!this.#force) return this.abort('Replica never caught up before timeout')
      const { host, port } = this.#target!
      log('notice', `FAILOVER to ${host}:${port} time out exceeded, failing over.`)
      return this.#handOver(host, port)
    }
    const hasAll = (replica: Replica) => replica.state === 'online' && replica.acknowledged >= this.#offset
    const replica =
      this.#target === null
        ? this.#replication.replicaSet.list.find((one) => hasAll(one) && one.announced.listeningPort > 0)
        : this.#find(this.#target)
    if (replica === undefined || !hasAll(replica)) return
    const host = replica.ip
    const port = replica.announced.listeningPort
    log('notice', `Failover target ${host}:${port} is synced, failing over.`)
    this.#handOver(host, port)
  }

  #handOver(host: string, port: number): void {
    this.#target = { host, port }
    this.state = 'failover-in-progress'
    this.#replication.follow(host, port)
  }
}
