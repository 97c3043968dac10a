/**
 * The proxy before a Redis Cluster. Clients see one server: the merged copy of all shards is read here, what writes is
 * relayed to the shard that has its slot, as to a single upstream (calls.ts), and redirections are followed, since a
 * request that was answered by MOVED or ASK was not run. Which copy has to be fresh for a read depends on its keys: that of
 * the slot's shard, of all shards while the slot may be on its way, and of all for what looks at all keys.
 */
import { keySlot } from '../../bytes/key-slot.ts'
import type { Client } from '../../commands/client.ts'
import type { Command } from '../../commands/command.ts'
import { FoundKeys, findKeys } from '../../commands/keys.ts'
import type { Engine } from '../../engine/engine.ts'
import { DONE, HELD } from '../../engine/execute.ts'
import { type Router, RUN_HERE } from '../../engine/router.ts'
import type { Replication } from '../../replication/replication.ts'
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Request } from '../../resp/request.ts'
import type { Endpoint, UpstreamAddress } from '../address.ts'
import type { Aimer, Target } from '../aim.ts'
import { Calls } from '../calls.ts'
import { consistencyText, EVENTUAL } from '../consistency.ts'
import { Held, SUBSCRIBE_WAIT_MS } from '../held.ts'
import { Pool } from '../pool.ts'
import type { Redirect } from '../redirect.ts'
import * as routes from '../routes.ts'
import type { Session } from '../session.ts'
import { Settings } from '../settings.ts'
import { ProxyStats } from '../stats.ts'
import { NOT_SENT, type Refused, type UpstreamConnection } from '../upstream-connection.ts'
import { askAllKeys } from './all-keys.ts'
import { Cluster } from './cluster.ts'
import { ClusterPart } from './cluster-part.ts'
import { Messages } from './messages.ts'
import { oneOfAll, Redirected } from './redirected.ts'
import type { Shard } from './shard.ts'
import { shardFields } from './shard-fields.ts'
import { ShardMessages } from './shard-messages.ts'
import { ToShards } from './to-shards.ts'

const ASKING = Buffer.from('*1\r\n$6\r\nASKING\r\n', 'latin1')
const NO_MAP = 'MASTERDOWN No node of the cluster has told its map yet'
const NO_MESSAGES = 'MASTERDOWN The shard of the channel cannot be asked for its messages'
const SELECT = 'ERR SELECT is not allowed in cluster mode'
const HEARTBEAT_MS = 1000
const HEARTBEAT_MIN_MS = 5
/** As clients of a cluster have it. */
const HOPS_MAX = 16
const REDIRECT_PAUSE_MS = 20
const REDIRECT_LIMIT_MS = 5000
/** Writes without keys that every shard gets. */
const EVERYWHERE = new Set([
  'flushall',
  'flushdb',
  'script|load',
  'script|flush',
  'function|load',
  'function|delete',
  'function|flush',
  'function|restore',
])
const READS = new Set([routes.READ, routes.CURSOR, routes.STREAM_READ])
/** What does not look at any keys here: it stays with what the connection was at last. */
const KEYLESS = new Set([
  routes.LOCAL,
  routes.SSUBSCRIBE,
  routes.SELECT,
  routes.RESET,
  routes.IDENTITY,
  routes.UNWATCH,
  routes.DISCARD,
  routes.WAIT,
])

interface Resend {
  readonly redirected: Redirected
  readonly redirect: Redirect
  readonly by: UpstreamConnection
}

export class ClusterProxy implements Router, Aimer {
  readonly stats = new ProxyStats()
  readonly cluster: Cluster
  isSpread = false
  isCrossing = false
  isMoving = false
  redirections = 0

  readonly #engine: Engine
  readonly #settings: Settings
  readonly #held: Held
  readonly #messages: Messages
  readonly #shardMessages: ShardMessages
  /** Where the copy is a part of the data. */
  readonly #part: ClusterPart | null
  readonly #toShards: ToShards
  #calls: Calls | null = null
  readonly #found = new FoundKeys()
  readonly #slots = new Set<number>()
  readonly #resends = new Map<Session, Resend[]>()
  #heartbeat: NodeJS.Timeout | null = null

  constructor(engine: Engine, replication: Replication, address: UpstreamAddress) {
    this.#engine = engine
    this.#settings = new Settings(engine.config)
    this.#held = new Held(engine, this.#settings, this.stats)
    this.#toShards = new ToShards({ engine, held: this.#held, settings: this.#settings, stats: this.stats })
    this.cluster = new Cluster({
      engine,
      replication,
      address,
      settings: this.#settings,
      pool: (endpoint, shard) => this.#pool(endpoint, shard, replication, address),
      reads: (shard) => this.#part?.reads(shard) ?? null,
      onApplied: () => this.#held.wakeAll(),
      onLink: () => this.#held.wakeSoon(),
      onMap: (moved) => {
        if (moved) this.#part?.slotsMoved()
        this.#shardMessages.look()
      },
    })
    this.#part = this.#partOf(address)
    this.#messages = new Messages(
      address,
      () => this.cluster.shards,
      (channel, message) => this.cluster.shards[0]?.publish('PUBLISH', channel, message),
      (text) => engine.log('warning', text),
    )
    this.#shardMessages = new ShardMessages({
      login: address,
      shardOf: (slot) => this.cluster.routeOf(slot),
      listeners: (channel) => engine.pubsub.shardSubscribers(channel),
      publish: (shard, channel, message) => shard.publish('SPUBLISH', channel, message),
      onChange: () => this.#held.wakeSoon(),
      onMoved: () => this.cluster.refreshSoon(),
      log: (text) => engine.log('warning', text),
    })
  }

  #partOf(login: UpstreamAddress): ClusterPart | null {
    const { part } = this.cluster
    if (part === null) return null
    return new ClusterPart({
      engine: this.#engine,
      part,
      settings: this.#settings,
      login,
      shards: () => this.cluster.shards,
      onProgress: () => this.#held.wakeSoon(),
      onRoundTrip: (milliseconds) => this.stats.roundTrip(milliseconds),
      onRedirect: (redirect, refused, by) => this.#redirect(redirect, refused, by),
    })
  }

  #pool(endpoint: Endpoint, shard: () => Shard, replication: Replication, address: UpstreamAddress): Pool {
    const { stats } = this
    const engine = this.#engine
    return new Pool(endpoint, {
      tls: () => replication.tls(),
      copy: () => shard().copy,
      user: address.user,
      password: address.password,
      width: engine.config.get('proxy-connections'),
      unixMs: () => engine.unixMs,
      log: (text) => engine.log('warning', text),
      onProbe: (probe) => {
        shard().copy.answered(probe)
        this.cluster.fences.check()
        this.#held.wakeSoon()
      },
      onProgress: () => this.#held.wakeSoon(),
      onRoundTrip: (milliseconds) => stats.roundTrip(milliseconds),
      onUncertain: (count) => {
        stats.uncertainWrites += count
      },
      onDown: () => this.cluster.refreshSoon(),
      onRedirect: (redirect, refused, by) => this.#redirect(redirect, refused, by),
    })
  }

  start(): void {
    this.cluster.start()
    this.#messages.start()
    this.#beat()
  }

  stop(): void {
    if (this.#heartbeat !== null) clearTimeout(this.#heartbeat)
    this.#heartbeat = null
    this.#held.stop()
    this.#messages.stop()
    this.#shardMessages.stop()
    this.cluster.stop()
  }

  /** Dates the copies, and finds out that a shard is away. */
  #beat(): void {
    const wait = Math.max(HEARTBEAT_MIN_MS, Math.min(HEARTBEAT_MS, this.#settings.smallestBoundMs / 4))
    this.#heartbeat = setTimeout(() => this.#beat(), wait)
    for (const { part, pool } of this.cluster.shards) {
      pool.shared(0, 2).connection?.date()
      part?.beat()
    }
  }

  cron(): void {
    this.cluster.cron(this.#engine.config.get('repl-timeout') * 1000)
  }

  batchEnded(): void {
    for (const { pool } of this.cluster.shards) pool.gather()
  }

  passesOn(client: Client): boolean {
    return routes.wroteLast(client)
  }

  clientGone(client: Client): void {
    this.#held.clientGone(client)
  }

  // ---- the path of a call ------------------------------------------------------------------------------------------

  route(client: Client, command: Command, args: Request, reply: ReplyWriter): number {
    if (client.isMaster) return RUN_HERE
    const calls = this.#callsIfAny()
    if (calls !== null) return calls.route(client, command, args, reply)
    if (routes.routeOf(command) === routes.LOCAL) return RUN_HERE
    reply.error(NO_MAP)
    return DONE
  }

  unknown(client: Client, container: Command | undefined, args: Request, reply: ReplyWriter): number {
    return this.#callsIfAny()?.unknown(client, container, args, reply) ?? RUN_HERE
  }

  /** None before there is a shard. */
  #callsIfAny(): Calls | null {
    const shard = this.cluster.shards[0]
    if (this.#calls !== null || shard === undefined) return this.#calls
    const { copy, pool } = shard
    this.#calls = new Calls({
      engine: this.#engine,
      copy,
      held: this.#held,
      pool,
      settings: this.#settings,
      stats: this.stats,
      aimer: this,
    })
    return this.#calls
  }

  // ---- which shard -------------------------------------------------------------------------------------------------

  get pools(): Pool[] {
    return this.cluster.shards.map(({ pool }) => pool)
  }

  aim(session: Session | null, client: Client, kind: number, command: Command, args: Request): Target {
    this.isSpread = false
    this.isCrossing = false
    this.isMoving = false
    if (KEYLESS.has(kind)) return this.#same(session)
    if (kind === routes.UNBLOCK) return this.#blockingOf(args) ?? this.#same(session)
    this.#findSlots(client, kind, command, args)
    const slots = this.#slots
    // No shard has all of the keys.
    this.isCrossing = slots.size > 1 || (kind === routes.EXEC && asksForAllKeys(client))
    const isRead = READS.has(kind)
    this.isSpread = isRead && slots.size !== 1
    const [slot] = slots
    const route =
      (slot === undefined ? this.cluster.ownership.owner(0) : this.cluster.routeOf(slot)) ?? this.cluster.shards[0]!
    if (this.#part !== null && slot !== undefined) {
      this.isMoving = this.cluster.ownership.isUnsettled(slot, this.#engine.now)
    }
    const { copy } = this.#leastReady(session, slots, route)
    session?.turnTo(copy)
    return { copy, pool: route.pool, part: route.part }
  }

  #same(session: Session | null): Target {
    const shard = this.cluster.shards.find(({ copy }) => copy === session?.copy) ?? this.cluster.shards[0]!
    return shard
  }

  #blockingOf(args: Request): Target | undefined {
    const id = args.argc > 2 ? args.integer(2) : Number.NaN
    const other = Number.isNaN(id) ? undefined : this.#engine.clients.byId(id)
    const copy = (other?.session as Session | null | undefined)?.blocking?.copy
    return this.cluster.shards.find((shard) => shard.copy === copy)
  }

  #findSlots(client: Client, kind: number, command: Command, args: Request): void {
    this.#slots.clear()
    if (kind !== routes.EXEC) return this.#addSlots(command, args)
    for (const queued of client.transaction ?? []) this.#addSlots(queued.command, queued.request)
  }

  #addSlots(command: Command, args: Request): void {
    const found = this.#found
    if (command.name === 'spublish') {
      this.#slots.add(keySlot(args.buf, args.start(1), args.end(1)))
      return
    }
    const count = findKeys(command, args, found)
    for (let i = 0; i < count; i++) {
      const at = found.index(i)
      this.#slots.add(keySlot(args.buf, args.start(at), args.end(at)))
    }
  }

  /** Of the shards whose copies have to be fresh for these slots, the one that has to be waited for. */
  #leastReady(session: Session | null, slots: ReadonlySet<number>, route: Shard): Shard {
    const { ownership, shards } = this.cluster
    let candidates: readonly Shard[] = shards
    if (slots.size > 0) {
      const owners = new Set<Shard>([route])
      for (const slot of slots) {
        if (ownership.isUnsettled(slot, this.#engine.now)) for (const shard of shards) owners.add(shard)
        const owner = ownership.owner(slot)
        if (owner !== null) owners.add(owner)
      }
      candidates = owners.size === 1 ? [route] : [...owners]
    }
    let oldest = candidates[0]!
    for (const shard of candidates) {
      if (!shard.copy.isUsable) return shard
      const probe = session?.probeOf(shard.copy) ?? null
      if (probe !== null && (probe.state !== 'known' || !shard.copy.covers(probe))) return shard
      if (shard.copy.ageMs > oldest.copy.ageMs) oldest = shard
    }
    return oldest
  }

  special(session: Session, kind: number, command: Command, args: Request, reply: ReplyWriter): number | undefined {
    if (kind === routes.SELECT && args.integer(1) !== 0) {
      reply.error(SELECT)
      return DONE
    }
    if (session.client.transaction !== null) return undefined
    if (kind === routes.SSUBSCRIBE) return this.#subscribe(session, args, reply)
    if (this.#part !== null && routes.OF_ALL_KEYS.has(command.name)) return this.#readAll(session, command, args, reply)
    if (!EVERYWHERE.has(command.fullName)) return undefined
    const { shards } = this.cluster
    const errand = { shards, request: Buffer.from(args.encoded()), isWrite: true, merge: oneOfAll }
    const outcome = this.#toShards.send(session, command, errand, reply)
    if (outcome === DONE) shards[0]?.part?.wrote(session, command, args)
    return outcome
  }

  #readAll(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    if (session.outstanding > 0) return HELD
    const { shards } = this.cluster
    const question = askAllKeys(command.name, args, shards.length)
    if (!Buffer.isBuffer(question)) {
      const asked = question.shards.map((at) => shards[at]!)
      return this.#toShards.send(session, command, { ...question, shards: asked, isWrite: false }, reply)
    }
    reply.raw(question)
    return DONE
  }

  /** It is answered when the messages come: those that are sent behind the reply are heard. */
  #subscribe(session: Session, args: Request, reply: ReplyWriter): number {
    if (session.outstanding > 0) return HELD
    let isMissing = false
    for (let i = 1; i < args.argc; i++) if (!this.#shardMessages.has(args.latin1(i))) isMissing = true
    if (!isMissing) return RUN_HERE
    if (this.#held.mayWait(session, SUBSCRIBE_WAIT_MS)) return HELD
    const { lastError } = this.#shardMessages
    reply.error(lastError === '' ? NO_MESSAGES : `${NO_MESSAGES} (${lastError})`)
    return DONE
  }

  // ---- redirections ------------------------------------------------------------------------------------------------

  #redirect(redirect: Redirect, refused: Refused, by: UpstreamConnection): boolean {
    const from = this.cluster.shards.find((shard) => shard.copy === by.copy)
    const host = redirect.endpoint.host === '' ? (from?.endpoint.host ?? '') : redirect.endpoint.host
    const endpoint = { host, port: redirect.endpoint.port }
    this.cluster.redirected(redirect.slot, redirect.isAsk, endpoint)
    // What was watched on this connection is watched nowhere else.
    if (by.isWatching) return false
    const { session } = refused
    const isSecond = session instanceof Redirected
    if (!isSecond && !('client' in session)) return false
    const redirected = isSecond ? session : new Redirected(session as Session, refused.request, refused.how)
    if (++redirected.hops > HOPS_MAX) {
      redirected.refuse(
        `${redirect.isAsk ? 'ASK' : 'MOVED'} ${redirect.slot} ${redirect.endpoint.host}:${redirect.endpoint.port}`,
      )
      redirected.answered()
      return true
    }
    this.redirections++
    const waiting = this.#resends.get(redirected.session)
    const again = { redirected, redirect: { ...redirect, endpoint }, by }
    if (waiting !== undefined) {
      waiting.push(again)
    } else {
      this.#resends.set(redirected.session, [again])
      this.#resendAll(redirected.session)
    }
    return true
  }

  /** One after the other: two requests of a client may be for the same key. */
  #resendAll(session: Session): void {
    const waiting = this.#resends.get(session)!
    while (waiting.length > 0) {
      if (!this.#resend(waiting[0]!)) {
        setTimeout(() => this.#resendAll(session), REDIRECT_PAUSE_MS)
        return
      }
      waiting.shift()
    }
    this.#resends.delete(session)
  }

  /** It was not run, so it may wait until the other node is known and reached: then false. */
  #resend({ redirected, redirect, by }: Resend): boolean {
    const { session, request, how } = redirected
    const shard = this.cluster.at(redirect.endpoint)
    const { client } = session
    const shared = shard?.pool.sharedBy(client).connection
    if (shard === undefined || shared?.isReady !== true) {
      if (performance.now() - redirected.startedAt < REDIRECT_LIMIT_MS) return false
      redirected.refuse(
        `${NOT_SENT} (redirected to ${redirect.endpoint.host}:${redirect.endpoint.port}, which cannot be reached)`,
      )
      redirected.answered()
      this.#held.wakeSoon()
      return true
    }
    if (!redirect.isAsk) this.cluster.moved(redirect.slot, shard)
    const connection = by.isOwn ? shard.pool.own(client.db, client.resp) : shared
    const bytes = redirect.isAsk ? Buffer.concat([ASKING, request]) : request
    connection.sendSpecial(redirected, bytes, { ...how, skip: how.skip + (redirect.isAsk ? 1 : 0) })
    if (by.isOwn) {
      connection.retire = 'reuse'
      if (session.blocking === by) session.blocking = connection
    }
    if (session.consistency.level !== EVENTUAL) session.note(connection.copy, connection.probe())
    return true
  }

  // ---- INFO --------------------------------------------------------------------------------------------------------

  info(): Record<string, string | number> {
    const { shards, counts, lastError, ownership, fences } = this.cluster
    const { channels, up } = this.#shardMessages.counts
    const sum = (of: (shard: Shard) => number) => shards.reduce((total, shard) => total + of(shard), 0)
    const age = Math.max(...shards.map(({ copy }) => copy.ageMs), shards.length === 0 ? Number.POSITIVE_INFINITY : 0)
    const away = shards.filter(({ pool }) => pool.lastError !== '')
    return {
      proxy_upstream: 'cluster',
      proxy_upstream_status: away.length === 0 && shards.length > 0 ? 'up' : 'down',
      proxy_upstream_error: (away[0]?.pool.lastError ?? lastError).replace(/[\r\n]/g, ' '),
      proxy_consistency: consistencyText(this.#settings.consistency),
      proxy_copy_ready: this.cluster.isComplete ? 1 : 0,
      proxy_copy_age_ms: Number.isFinite(age) ? Math.round(age) : -1,
      proxy_connections_shared: sum(({ pool }) => pool.counts.shared),
      proxy_connections_own: sum(({ pool }) => pool.counts.own),
      proxy_connections_idle: sum(({ pool }) => pool.counts.idle),
      proxy_connections_lost: sum(({ pool }) => pool.lost),
      proxy_clients_waiting: this.#held.count,
      ...this.stats.fields(),
      ...this.#part?.fields(),
      proxy_shards: shards.length,
      ...Object.fromEntries(shards.map((shard, i) => [`proxy_shard${i}`, shardFields(shard)])),
      proxy_redirections: this.redirections,
      proxy_slots_handed_over: counts.handedOver,
      proxy_keys_on_their_way: ownership.guestCount,
      proxy_keys_left_nowhere: counts.strays,
      proxy_shards_taken_over: counts.takenOver,
      proxy_fences_expired: fences.expired,
      proxy_messages: this.#messages.isUp ? 'up' : 'down',
      proxy_shard_channels: channels,
      proxy_shard_channels_up: up,
      proxy_map_error: lastError.replace(/[\r\n]/g, ' '),
    }
  }
}

function asksForAllKeys(client: Client): boolean {
  return client.transaction?.some(({ command }) => routes.OF_ALL_KEYS.has(command.name)) === true
}
