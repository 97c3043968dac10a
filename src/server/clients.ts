/**
 * The registry of connections: who there is, limits on number, idleness and output, CLIENT PAUSE, monitors. It owns the
 * two buffers that all connections share.
 */
import type { Client, ClientKind } from '../commands/client.ts'
import { clientInfo } from '../commands/connection/client-info.ts'
import type { ClientsHost, PauseReason } from '../commands/host.ts'
import type { Engine } from '../engine/engine.ts'
import type { SyncMode } from '../replication/sync/sync-mode.ts'
import { ReplyWriter } from '../resp/reply-writer.ts'
import { type ParserLimits, RequestParser } from '../resp/request-parser.ts'
import { LookAhead } from '../store/look-ahead.ts'
import { ClientMemory } from './client-memory.ts'
import type { Connection } from './connection.ts'
import { type PauseMode, Pauses } from './pauses.ts'

export class Clients implements ClientsHost {
  readonly engine: Engine
  readonly reply = new ReplyWriter()
  readonly limits: ParserLimits
  readonly parser: RequestParser
  readonly lookAhead: LookAhead
  readonly memory: ClientMemory
  /** Whose batch is running. */
  current: Client | null = null
  /** Called after each batch of requests, before the shared read buffer is used again. */
  onBatchEnd: (() => void) | null = null
  /** What batches write is fed to it. */
  stream: { isInBatch: boolean; flush(): void } | null = null
  /** Called before replies leave: what they acknowledge must be in the append-only file. */
  beforeReplies: () => void = () => {}
  /** Null while no reply has to wait for replicas. */
  sync: SyncMode | null = null
  onRemoved: (client: Client) => void = () => {}
  link: () => Client | null = () => null
  /** Database of a new connection. */
  firstDatabase = 0

  #connections = new Map<number, Connection>()
  #lastId = 0
  #toFlush: Connection[] = []
  #monitors = new Set<Client>()
  #postponed = new Set<Connection>()
  #pauses: Pauses
  #normalLimit = { hardBytes: 0 }

  constructor(engine: Engine) {
    this.engine = engine
    this.#pauses = new Pauses(
      () => engine.unixMs,
      () => this.#pauseChanged(),
    )
    this.lookAhead = new LookAhead(engine.store)
    this.limits = { maxBulkBytes: engine.config.get('proto-max-bulk-len') }
    engine.config.on('proto-max-bulk-len', () => {
      this.limits.maxBulkBytes = engine.config.get('proto-max-bulk-len')
    })
    engine.config.watch('client-output-buffer-limit', ({ normal }) => {
      this.#normalLimit = normal
    })
    this.parser = new RequestParser(this.limits)
    this.memory = new ClientMemory(engine, () => this.#connections.values())
  }

  nextId(): number {
    return ++this.#lastId
  }

  add(connection: Connection): void {
    connection.client.db = this.firstDatabase
    this.#connections.set(connection.client.id, connection)
    this.engine.stats.connectionsReceived++
  }

  removed(connection: Connection): void {
    const { client } = connection
    if (!this.#connections.delete(client.id)) return
    client.closing = true
    this.bufferedBytes -= connection.countedBytes
    connection.countedBytes = 0
    this.memory.forget(connection)
    const { engine } = this
    engine.tracking.disable(client)
    this.#postponed.delete(connection)
    if (this.#monitors.delete(client)) engine.monitorCount--
    engine.pubsub.unsubscribeAll(client)
    engine.watch.unwatchAll(client)
    engine.blocked.disconnected(client)
    client.transaction = null
    this.onRemoved(client)
  }

  /**
   * Sends what the connection has written once all requests of this turn of the event loop are done. As in Redis, which
   * writes before it sleeps: peers are woken when the work is done instead of competing with it, one by one.
   */
  flushSoon(connection: Connection): void {
    if (this.#toFlush.push(connection) === 1) setImmediate(this.flushAll)
  }

  flushAll = (): void => {
    const connections = this.#toFlush
    this.#toFlush = []
    for (const connection of connections) connection.flush()
  }

  beginBatch(client: Client): void {
    this.current = client
    if (this.stream !== null) this.stream.isInBatch = true
  }

  endBatch(): void {
    if (this.stream !== null) {
      this.stream.isInBatch = false
      this.stream.flush()
    }
    this.onBatchEnd?.()
    this.current = null
  }

  /** The link to the primary is a client as well, for CLIENT LIST and CLIENT KILL. */
  *all(): Iterable<Client> {
    const link = this.link()
    for (const connection of this.#connections.values()) yield connection.client
    if (link !== null) yield link
  }

  connections(): Iterable<Connection> {
    return this.#connections.values()
  }

  get count(): number {
    return this.#connections.size
  }

  byId(id: number): Client | undefined {
    const link = this.link()
    return this.#connections.get(id)?.client ?? (link?.id === id ? link : undefined)
  }

  // ---- CLIENT PAUSE ------------------------------------------------------------------------------------------------

  get pausedUntilMs(): number {
    return this.#pauses.untilMs
  }

  get pauseMode(): 'off' | 'write' | 'all' {
    return this.engine.pauseMode
  }

  pause(untilMs: number, mode: PauseMode, reason: PauseReason = 'command'): void {
    this.#pauses.add(reason, untilMs, mode)
  }

  unpause(reason: PauseReason = 'command'): void {
    this.#pauses.remove(reason)
  }

  #pauseChanged(): void {
    this.engine.pauseMode = this.#pauses.mode
    if (this.engine.pauseMode === 'all') return
    // Those that still have to wait are postponed again.
    const waiting = [...this.#postponed]
    this.#postponed.clear()
    for (const connection of waiting) {
      connection.client.paused = false
      connection.client.isBlocked = false
      setImmediate(() => connection.resume())
    }
    const link = this.link()
    if (link?.paused !== true) return
    link.paused = false
    setImmediate(() => link.transport.resume())
  }

  postponed(connection: Connection): void {
    connection.client.paused = true
    this.#postponed.add(connection)
  }

  get postponedCount(): number {
    return this.#postponed.size + (this.link()?.paused === true ? 1 : 0)
  }

  recountMemory(client: Client): void {
    const connection = this.#connections.get(client.id)
    if (connection !== undefined) this.memory.count(connection)
  }

  evict(): void {
    this.memory.evict()
  }

  // ---- monitors ----------------------------------------------------------------------------------------------------

  monitors(): Iterable<Client> {
    return this.#monitors
  }

  addMonitor(client: Client): void {
    if (this.#monitors.has(client)) return
    this.#monitors.add(client)
    client.isMonitor = true
    this.engine.monitorCount++
  }

  removeMonitor(client: Client): void {
    if (!this.#monitors.delete(client)) return
    client.isMonitor = false
    this.engine.monitorCount--
  }

  // ---- limits ------------------------------------------------------------------------------------------------------

  /** Bytes of all connections' buffers. */
  bufferedBytes = 0

  /** Brings what a connection holds up to date in the total. */
  recount(connection: Connection): void {
    if (connection.isClosed) return
    const bytes = connection.bufferBytes
    this.bufferedBytes += bytes - connection.countedBytes
    connection.countedBytes = bytes
    this.memory.count(connection)
  }

  get maxInputBytes(): number {
    let max = 0
    for (const { queryBytes, argumentBytes } of this.#connections.values()) {
      max = Math.max(max, queryBytes + argumentBytes)
    }
    return max
  }

  get maxOutputBytes(): number {
    let max = 0
    for (const connection of this.#connections.values()) max = Math.max(max, connection.pendingBytes)
    return max
  }

  /** Bytes of buffers of clients of a kind. */
  bufferBytes(kind: ClientKind): number {
    let bytes = 0
    for (const connection of this.#connections.values()) {
      if (connection.client.kind === kind)
        bytes += connection.pendingBytes + connection.queryBytes + connection.argumentBytes
    }
    return bytes
  }

  /** Closes a client whose unsent output is above the limits of its class (client-output-buffer-limit). */
  checkOutput(connection: Connection): void {
    const { client } = connection
    const kind = client.kind
    // Replicas are measured by what they have not read of the stream: Replicas.trim().
    if (kind === 'master' || kind === 'replica' || client.closing) return
    const limits = this.engine.config.get('client-output-buffer-limit')
    const limit = kind === 'pubsub' ? limits.pubsub : limits.normal
    if (limit.hardBytes === 0 && limit.softBytes === 0) return
    const pending = connection.pendingBytes
    const now = this.engine.unixMs
    let over = limit.hardBytes > 0 && pending > limit.hardBytes
    if (limit.softBytes > 0 && pending > limit.softBytes) {
      if (connection.softLimitSinceMs === 0) connection.softLimitSinceMs = now
      else if (now - connection.softLimitSinceMs > limit.softSeconds * 1000) over = true
    } else {
      connection.softLimitSinceMs = 0
    }
    if (over) this.closeForOutput(connection)
  }

  /** What the hard limit leaves for a batch of replies, in bytes. redis 7.0.15 networking.c checkClientOutputBufferLimits */
  replyLimit(connection: Connection): number {
    const { hardBytes } = this.#normalLimit
    if (hardBytes === 0 || connection.client.kind !== 'normal') return Number.POSITIVE_INFINITY
    return hardBytes - connection.pendingBytes
  }

  closeForOutput(connection: Connection): void {
    const { client } = connection
    const now = this.engine.unixMs
    this.engine.stats.outputBufferLimitDisconnections++
    this.engine.log(
      'warning',
      `Client ${clientInfo(client, now, null)} scheduled to be closed ASAP for overcoming of output buffer limits.`,
    )
    client.close('now')
  }

  /** Several times a second: soft output limits and idle clients (timeout). */
  cron(): void {
    const timeout = this.engine.config.get('timeout')
    const now = this.engine.now
    for (const connection of this.#connections.values()) {
      const { client } = connection
      if (connection.pendingBytes > 0) this.checkOutput(connection)
      else connection.softLimitSinceMs = 0
      if (connection.pendingBytes > 0 || connection.countedBytes > 0) this.recount(connection)
      else this.memory.count(connection)
      if (timeout === 0 || client.isBlocked || client.kind !== 'normal') continue
      if (now - client.lastInteractionMs > timeout * 1000) {
        this.engine.log('verbose', 'Closing idle client')
        client.close('now')
      }
    }
  }

  closeAll(): void {
    for (const connection of [...this.#connections.values()]) connection.client.close('now')
    this.#pauses.stop()
  }
}
