/**
 * The way to the end: writes are paused until replicas have caught up (shutdown-timeout), the data set is saved when
 * save points say so, and only then the process ends. A save that fails keeps the server alive unless FORCE says
 * otherwise. redis 7.0.15 server.c prepareForShutdown, finishShutdown.
 */
import type { Client } from '../commands/client.ts'
import type { ShutdownOptions } from '../commands/host.ts'
import type { Engine } from '../engine/engine.ts'
import type { AppendOnly } from '../persistence/aof/aof.ts'
import type { Persistence } from '../persistence/dump-file.ts'
import type { Replication } from '../replication/replication.ts'
import type { Clients } from './clients.ts'

const FAILED = 'ERR Errors trying to SHUTDOWN. Check logs.'
const CHECK_MS = 100
const FOR_EVER = Number.MAX_SAFE_INTEGER

export class Shutdown {
  /** Unix ms at which waiting for replicas ends; 0 when no shutdown is under way. */
  endsAtMs = 0

  #engine: Engine
  #clients: Clients
  #replication: Replication
  #persistence: Persistence
  #aof: AppendOnly
  #exit: (code: number) => void
  #timer: NodeJS.Timeout | null = null
  #options: ShutdownOptions | null = null
  #waiting: Client[] = []
  /** By a signal: begins with the next cron. */
  #asked: ShutdownOptions | null = null

  constructor(
    engine: Engine,
    clients: Clients,
    replication: Replication,
    persistence: Persistence,
    aof: AppendOnly,
    exit: (code: number) => void,
  ) {
    this.#engine = engine
    this.#clients = clients
    this.#replication = replication
    this.#persistence = persistence
    this.#aof = aof
    this.#exit = exit
  }

  get underWay(): boolean {
    return this.#options !== null
  }

  /** A signal: not in the middle of something. redis 7.0.15 server.c sigShutdownHandler */
  ask(options: ShutdownOptions): void {
    this.#asked = options
  }

  cron(): void {
    const asked = this.#asked
    this.#asked = null
    if (asked !== null) this.begin(asked, null)
  }

  /** Null when it is under way or done; the client then waits for its end, or for an error. */
  begin(options: ShutdownOptions, client: Client | null): string | null {
    const engine = this.#engine
    if (client !== null) {
      engine.blocked.onEvent(client, 0, () => {})
      this.#waiting.push(client)
    }
    if (this.#options !== null && !options.now) return null
    this.#options = options
    const timeout = engine.config.get('shutdown-timeout')
    const lagging = this.#lagging()
    if (options.now || timeout === 0 || lagging === 0 || engine.isReplica) {
      setImmediate(() => void this.#finish())
      return null
    }
    this.endsAtMs = engine.unixMs + timeout * 1000
    this.#clients.pause(FOR_EVER, 'write', 'shutdown')
    this.#replication.replicaSet.requestAcks()
    engine.log('notice', `Waiting for replicas before shutting down.`)
    this.#timer = setInterval(() => {
      if (this.#lagging() > 0 && engine.unixMs < this.endsAtMs) return
      if (this.#timer !== null) clearInterval(this.#timer)
      this.#timer = null
      void this.#finish()
    }, CHECK_MS)
    return null
  }

  /** Online replicas that have not acknowledged everything. */
  #lagging(): number {
    const { list } = this.#replication.replicaSet
    return list.filter((r) => r.state === 'online' && r.acknowledged < this.#replication.offset).length
  }

  /** SHUTDOWN ABORT. False when there is nothing to abort. */
  abort(): boolean {
    if (this.#options === null && this.#asked === null) return false
    this.#asked = null
    this.#engine.log('notice', 'Shutdown manually aborted.')
    this.#cancel()
    return true
  }

  #cancel(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#options = null
    this.endsAtMs = 0
    this.#clients.unpause('shutdown')
    for (const client of this.#waiting.splice(0)) {
      this.#engine.blocked.unblock(client, (reply) => reply.error(FAILED))
    }
  }

  async #finish(): Promise<void> {
    const engine = this.#engine
    const options = this.#options
    if (options === null) return
    const { log, config } = engine
    this.#logReplicas()
    if (!this.#aof.prepareForEnd(options.force)) {
      log('warning', 'Errors trying to shut down the server. Check the logs for more information.')
      this.#cancel()
      return
    }
    const wanted = options.save === 'save' || (options.save === 'default' && config.get('save').length > 0)
    if (wanted && engine.loading === 'no') {
      log('notice', 'Saving the final RDB snapshot before exiting.')
      this.#replication.fullSync.abort()
      const saved = await this.#persistence.finalSave()
      if (this.#options !== options) return
      if (!saved && !options.force) {
        log('warning', "Error trying to save the DB, can't exit.")
        this.#cancel()
        return
      }
      if (!saved) log('warning', 'Error trying to save the DB, but shutting down anyway (FORCE).')
    } else {
      this.#persistence.abort()
    }
    log('warning', `Redis is now ready to exit, bye bye...`)
    this.#exit(0)
  }

  #logReplicas(): void {
    const { list } = this.#replication.replicaSet
    if (list.length === 0) return
    const { log } = this.#engine
    let lagging = 0
    for (const replica of list) {
      if (replica.acknowledged >= this.#replication.offset) continue
      lagging++
      const lag = replica.state === 'online' ? Math.floor((this.#engine.now - replica.acknowledgedAtMs) / 1000) : 0
      log(
        'warning',
        `Lagging replica ${replica.name} reported offset ${this.#replication.offset - replica.acknowledged} behind master, lag=${lag}, state=${replica.state}.`,
      )
    }
    const inSync = list.length - lagging
    log('notice', `${inSync} of ${list.length} replicas are in sync when shutting down.`)
  }
}
