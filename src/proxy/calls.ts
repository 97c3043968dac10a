/**
 * Decides for each call whether it runs on the local copy or is passed upstream, and keeps each connection's replies in
 * order. While replies to a connection are due from upstream, its further reads and writes are passed along behind them
 * on the same upstream connection (a pipeline stays one), and what can only run here waits for them. A read that has to
 * see more than the copy has waits until it is applied, or goes upstream after session-wait.
 */
import type { Client } from '../commands/client.ts'
import { Command } from '../commands/command.ts'
import { FLAG_LOADING } from '../commands/define.ts'
import { errors } from '../commands/errors.ts'
import type { Engine } from '../engine/engine.ts'
import { BLOCKED, DONE, HELD } from '../engine/execute.ts'
import { observe } from '../engine/observers.ts'
import { RUN_HERE } from '../engine/router.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import { Request } from '../resp/request.ts'
import type { Aimer } from './aim.ts'
import { clientConsistency } from './client-consistency.ts'
import { BOUNDED, EVENTUAL, LINEARIZABLE } from './consistency.ts'
import type { Copy } from './copy.ts'
import type { Held } from './held.ts'
import type { PartReads } from './near/part-reads.ts'
import type { Pool } from './pool.ts'
import { ageText, CROSSES, CURSOR_NOT_HERE, NO_HELLO_WHILE_WATCHING, notReadable, SPREAD_NOT_HERE } from './refusals.ts'
import * as routes from './routes.ts'
import { Session } from './session.ts'
import type { Settings } from './settings.ts'
import type { ProxyStats } from './stats.ts'
import { afterTransaction, kindsIn, transactionBytes } from './transaction.ts'
import { NOT_READ, NOT_SENT, type UpstreamConnection } from './upstream-connection.ts'

const HERE = 0
const UPSTREAM = 1
const WAITS = 2
/** The copy is older than it may be, and the upstream is not to be asked. */
const TOO_OLD = 3

const PING = Buffer.from('*1\r\n$4\r\nPING\r\n', 'latin1')
const UNWATCH = Buffer.from('*1\r\n$7\r\nUNWATCH\r\n', 'latin1')
const SENTINEL_HELLO = '__SENTINEL__:HELLO'

export interface CallsSetup {
  readonly aimer?: Aimer
  readonly engine: Engine
  readonly copy: Copy
  readonly held: Held
  readonly pool: Pool
  readonly settings: Settings
  readonly stats: ProxyStats
  /** Where the copy is a part of the data. */
  readonly part?: PartReads | null
}

export class Calls {
  readonly #engine: Engine
  #copy: Copy
  readonly #held: Held
  #pool: Pool
  readonly #aimer: Aimer | null
  readonly #settings: Settings
  readonly #stats: ProxyStats
  #part: PartReads | null
  readonly #routes: Uint8Array
  readonly #unknown: Command

  constructor({ engine, copy, held, pool, settings, stats, aimer, part }: CallsSetup) {
    this.#aimer = aimer ?? null
    this.#part = part ?? null
    this.#engine = engine
    this.#copy = copy
    this.#held = held
    this.#pool = pool
    this.#settings = settings
    this.#stats = stats
    this.#routes = Uint8Array.from(engine.table.all, (command) => routes.routeOf(command))
    // Taken for a write, and counted apart from those that are known.
    const likeSet = engine.table.original('set')!
    this.#unknown = new Command(likeSet.id, 'generic', { name: 'unknown', arity: -1, since: '', summary: '' })
  }

  route(client: Client, command: Command, args: Request, reply: ReplyWriter): number {
    const kind = this.#routes[command.id]!
    let session = client.session as Session | null
    if (this.#aimer !== null && !client.isMaster) {
      const { copy, pool, part } = this.#aimer.aim(session, client, kind, command, args)
      this.#copy = copy
      this.#pool = pool
      this.#part = part
    }
    if (session === null) {
      const isLocal = kind === routes.LOCAL || (kind === routes.SSUBSCRIBE && this.#aimer === null)
      if (isLocal && this.#engine.loading === 'no') return RUN_HERE
      if (
        kind === routes.READ &&
        this.#settings.consistency.level < BOUNDED &&
        this.#copy.isUsable &&
        client.transaction === null &&
        this.#part?.isHere(client.db, command, args) !== false
      ) {
        this.#stats.localReads++
        return RUN_HERE
      }
      if (client.isMaster || client.replica !== null) return RUN_HERE
      session = new Session(client, this.#settings.consistency, this.#copy)
      client.session = session
    }
    const outcome = this.#decide(session, kind, command, args, reply)
    if (outcome === HELD) this.#held.hold(session)
    else if (session.heldSinceMs !== 0) this.#held.release(session)
    return outcome
  }

  #decide(session: Session, kind: number, command: Command, args: Request, reply: ReplyWriter): number {
    const { client } = session
    const special = this.#aimer?.special(session, kind, command, args, reply)
    if (special !== undefined) return special
    if (client.transaction !== null) return this.#inTransaction(session, kind, command, args, reply)
    switch (kind) {
      case routes.READ:
        return this.#read(session, command, args, reply)
      case routes.WRITE:
        return this.#pass(session, command, args, reply, true)
      case routes.CURSOR:
        return this.#cursor(session, command, args, reply)
      case routes.STREAM_READ:
        return this.#streamRead(session, command, args, reply)
      case routes.SCRIPT:
        return this.#script(session, command, args, reply)
      case routes.BLOCKING:
        if (command.name === 'xreadgroup' && !routes.blocks(args))
          return this.#pass(session, command, args, reply, true)
        return this.#block(session, command, args, reply, true)
      case routes.PUBLISH:
        // Sentinels that watch this server announce themselves by it.
        if (args.is(1, SENTINEL_HELLO)) return this.#local(session, command, reply)
        return this.#pass(session, command, args, reply, true)
      case routes.KILL:
        if (this.#engine.busy !== null) return this.#local(session, command, reply)
        return this.#pass(session, command, args, reply, true)
      case routes.WATCH:
        return this.#watch(session, command, args, reply)
      case routes.UNWATCH:
        return this.#unwatch(session, command, args, reply)
      case routes.UNBLOCK:
        return this.#unblock(session, command, args, reply)
      case routes.WAIT:
        return this.#block(session, command, args, reply, false)
      case routes.SELECT:
        return this.#select(session, command, args, reply)
      case routes.RESET:
        if (session.outstanding > 0) return HELD
        this.#forgetWatch(session)
        session.consistency = this.#settings.consistency
        return RUN_HERE
      case routes.IDENTITY:
        if (session.watching === null || args.argc < 2 || command.name === 'auth') {
          return this.#local(session, command, reply)
        }
        reply.error(NO_HELLO_WHILE_WATCHING)
        return DONE
      default:
        return this.#local(session, command, reply)
    }
  }

  /** What concerns this server alone waits until nothing is due from the other. */
  #local(session: Session, command: Command, reply: ReplyWriter): number {
    if (session.outstanding > 0) return HELD
    if (this.#engine.loading === 'no' || (command.flagBits & FLAG_LOADING) !== 0) return RUN_HERE
    reply.error(errors.loading)
    return DONE
  }

  #read(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    if (this.#aimer?.isSpread === true) {
      if (session.outstanding > 0) return HELD
      if (this.#part?.isHere(session.client.db, command, args) === false) {
        reply.error(CROSSES)
        return DONE
      }
      const where = this.#where(session)
      if (where !== UPSTREAM) return this.#here(session, where, reply)
      this.#stats.refusedReads++
      reply.error(SPREAD_NOT_HERE)
      return DONE
    }
    if (this.#part?.isHere(session.client.db, command, args) === false) {
      return this.#readElsewhere(this.#part, session, command, args, reply)
    }
    if (session.watching !== null || session.outstanding > 0) return this.#pass(session, command, args, reply, false)
    const where = this.#where(session)
    if (where === UPSTREAM) return this.#pass(session, command, args, reply, false)
    return this.#here(session, where, reply)
  }

  /** A read of what the copy does not keep. */
  #readElsewhere(part: PartReads, session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    const mayKeep = session.watching === null && this.#aimer?.isMoving !== true
    const reader = mayKeep ? part.reader(session, command) : null
    if (reader === null) return this.#pass(session, command, args, reply, false)
    const entry = part.find(session, args)
    if (entry === undefined) {
      part.cache.misses++
      part.fetch(session, reader, command, args, reply.muted)
      this.#sent(session, reader, command, args, false)
    } else {
      part.cache.hits++
      reply.raw(entry.reply)
      this.#counted(session, command, args)
    }
    session.client.commands++
    return DONE
  }

  /** A read that does not go upstream. */
  #here(session: Session, where: number, reply: ReplyWriter): number {
    if (where === WAITS) return HELD
    if (where === HERE) {
      this.#stats.localReads++
      return RUN_HERE
    }
    this.#stats.refusedReads++
    if (where === TOO_OLD) {
      reply.error(`STALE The copy is ${ageText(this.#copy)}: more than ${session.consistency.boundMs} ms`)
    } else {
      reply.error(this.#engine.loading === 'no' ? CURSOR_NOT_HERE : errors.loading)
    }
    return DONE
  }

  /** Where a read may be answered, and whether it has to wait for that. */
  #where(session: Session): number {
    const { level, boundMs, fails } = session.consistency
    if (level === LINEARIZABLE || !this.#copy.isUsable) return UPSTREAM
    if (level === EVENTUAL) return HERE
    if (level === BOUNDED && this.#copy.ageMs > boundMs) return fails ? TOO_OLD : UPSTREAM
    const { probe } = session
    if (probe !== null) {
      if (probe.state === 'failed') return UPSTREAM
      if (probe.state === 'asked' || !this.#copy.covers(probe)) {
        if (this.#held.mayWait(session, this.#settings.sessionWaitMs)) return WAITS
        this.#stats.sessionWaitsExpired++
        return UPSTREAM
      }
      session.probe = null
    }
    return HERE
  }

  /** Passes a request on, behind what this connection has sent already. */
  #pass(session: Session, command: Command, args: Request, reply: ReplyWriter, isWrite: boolean): number {
    const { client } = session
    const connection = session.watching ?? this.#sharedFor(session, isWrite, reply)
    if (typeof connection === 'number') return connection
    if (session.outstanding > 0 && session.connection !== connection) return HELD
    if (connection.isFull) return HELD
    // One that watched keys.
    if (connection.isClosed) {
      reply.error(isWrite ? NOT_SENT : NOT_READ)
      return DONE
    }
    const bytes = args.rawEnd > args.rawStart ? args.buf : args.encoded()
    const start = bytes === args.buf ? args.rawStart : 0
    const end = bytes === args.buf ? args.rawEnd : bytes.length
    connection.send(session, bytes, start, end, isWrite, reply.muted)
    this.#sent(session, connection, command, args, isWrite)
    client.commands++
    return DONE
  }

  /** The shared connection; or HELD while it may still come up; or DONE after an error. */
  #sharedFor(session: Session, isWrite: boolean, reply: ReplyWriter): UpstreamConnection | number {
    const shared = this.#pool.sharedBy(session.client)
    if (shared.isReady) return shared.connection!
    if (session.outstanding > 0) return session.connection === shared.connection ? shared.connection! : HELD
    if (isWrite && this.#held.mayWait(session, this.#settings.writeTimeoutMs)) return HELD
    // The first attempt is under way: what is given to it now is sent when it is ready, or refused when it fails.
    if (!shared.isDown && shared.connection !== null) return shared.connection
    reply.error(
      isWrite
        ? `${NOT_SENT} (${this.#pool.lastError})`
        : notReadable(this.#copy, session, this.#settings, this.#engine, this.#pool.lastError),
    )
    if (isWrite) this.#stats.refusedWrites++
    else this.#stats.refusedReads++
    return DONE
  }

  #sent(session: Session, connection: UpstreamConnection, command: Command, args: Request, isWrite: boolean): void {
    session.outstanding++
    session.connection = connection
    if (session.consistency.level !== EVENTUAL) session.note(connection.copy, connection.probe())
    if (isWrite) this.#stats.upstreamWrites++
    else this.#stats.upstreamReads++
    if (isWrite) this.#part?.wrote(session, command, args)
    this.#counted(session, command, args)
  }

  #counted(session: Session, command: Command, args: Request): void {
    const engine = this.#engine
    command.calls++
    engine.stats.commandsProcessed++
    if (engine.isObserved) observe(engine, session.client, command, args, true)
  }

  // ---- commands with rules of their own ----------------------------------------------------------------------------

  #cursor(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    const isElsewhere = this.#part?.isHere(session.client.db, command, args) === false
    if (isElsewhere || (session.consistency.level === LINEARIZABLE && this.#aimer?.isSpread !== true)) {
      return this.#pass(session, command, args, reply, false)
    }
    if (session.outstanding > 0) return HELD
    return this.#here(session, this.#where(session), reply)
  }

  #streamRead(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    if (!routes.blocks(args)) return this.#read(session, command, args, reply)
    if (session.outstanding > 0) return HELD
    const isElsewhere = this.#part?.isHere(session.client.db, command, args) === false
    const where = session.watching === null && !isElsewhere ? this.#where(session) : UPSTREAM
    if (where === UPSTREAM) return this.#block(session, command, args, reply, false)
    return this.#here(session, where, reply)
  }

  #script(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    const { scripts } = this.#engine
    if (routes.mayWrite(scripts.flagsOf(command, args))) return this.#pass(session, command, args, reply, true)
    // Scripts are not replicated (functions are): one that is not known here may be known there.
    const isKnown = !command.name.startsWith('evalsha') || scripts.has(args.latin1(1))
    // A script may read any key.
    if (!isKnown || this.#part !== null) return this.#pass(session, command, args, reply, false)
    return this.#read(session, command, args, reply)
  }

  /** A connection of its own for as long as the command blocks. */
  #block(session: Session, command: Command, args: Request, reply: ReplyWriter, isWrite: boolean): number {
    if (session.outstanding > 0) return HELD
    const { client } = session
    const shared = this.#sharedFor(session, isWrite, reply)
    if (typeof shared === 'number') return shared
    const connection = session.watching ?? this.#pool.own(client.db, client.resp)
    const isWait = command.name === 'wait'
    const bytes = args.encoded()
    connection.sendSpecial(session, isWait ? Buffer.concat([PING, bytes]) : bytes, {
      isWrite,
      muted: reply.muted,
      // WAIT waits for what a connection's commands before it had written at most.
      skip: isWait ? 1 : 0,
      take: null,
    })
    if (session.watching === null) connection.retire = 'reuse'
    session.blocking = connection
    this.#sent(session, connection, command, args, isWrite)
    client.isBlocked = true
    return BLOCKED
  }

  #unblock(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    const id = args.integer(2)
    const other = (Number.isNaN(id) ? undefined : this.#engine.clients.byId(id))?.session as Session | null | undefined
    const blocking = other?.blocking?.upstreamId ?? 0
    if (blocking === 0 || session.outstanding > 0) return this.#local(session, command, reply)
    const shared = this.#sharedFor(session, true, reply)
    if (typeof shared === 'number') return shared
    const how = args.argc > 3 ? [args.latin1(3)] : []
    const { buf } = Request.of(['CLIENT', 'UNBLOCK', String(blocking), ...how])
    shared.send(session, buf, 0, buf.length, true, reply.muted)
    this.#sent(session, shared, command, args, true)
    return DONE
  }

  #watch(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    if (session.watching === null) {
      if (session.outstanding > 0) return HELD
      const shared = this.#sharedFor(session, false, reply)
      if (typeof shared === 'number') return shared
      session.watching = this.#pool.own(session.client.db, session.client.resp)
      session.watching.isWatching = true
    } else if (session.watching.copy !== this.#pool.copy) {
      reply.error(CROSSES)
      return DONE
    }
    return this.#pass(session, command, args, reply, false)
  }

  #unwatch(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    const { watching } = session
    if (watching === null) return this.#local(session, command, reply)
    const outcome = this.#pass(session, command, args, reply, false)
    if (outcome === DONE) this.#letGo(session)
    return outcome
  }

  /** The connection that watched is nobody's when its replies have come. */
  #letGo(session: Session): void {
    if (session.watching !== null) session.watching.retire = session.watching.isMoved ? 'close' : 'reuse'
    session.watching = null
  }

  #forgetWatch(session: Session): void {
    const { watching } = session
    if (watching === null) return
    watching.sendSpecial(null, UNWATCH, { isWrite: false, muted: true, skip: 0, take: null })
    this.#letGo(session)
  }

  /** The connection that watches goes along; an index that is wrong is refused by both. */
  #select(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    const outcome = this.#local(session, command, reply)
    if (outcome !== RUN_HERE || session.watching === null) return outcome
    const watching = session.watching
    watching.isMoved = true
    watching.sendSpecial(null, Buffer.from(args.encoded()), { isWrite: false, muted: true, skip: 0, take: null })
    return outcome
  }

  // ---- transactions ------------------------------------------------------------------------------------------------

  #inTransaction(session: Session, kind: number, command: Command, args: Request, reply: ReplyWriter): number {
    if (kind === routes.EXEC) return this.#exec(session, command, args, reply)
    if (kind === routes.DISCARD || kind === routes.RESET) {
      if (session.outstanding > 0) return HELD
      this.#forgetWatch(session)
      return RUN_HERE
    }
    // Queued, or refused, by the path of a call.
    return this.#local(session, command, reply)
  }

  #exec(session: Session, command: Command, args: Request, reply: ReplyWriter): number {
    const { client } = session
    const engine = this.#engine
    const queued = client.transaction!
    if (session.outstanding > 0 && session.connection !== session.watching) return HELD
    if (client.transactionFailed) {
      this.#forgetWatch(session)
      return session.outstanding > 0 ? HELD : RUN_HERE
    }
    const { writes, reads } = kindsIn(queued, this.#routes)
    if (!writes && session.watching === null) {
      const isElsewhere = reads && this.#part?.hasAll(client.db, queued) === false
      const where = isElsewhere ? UPSTREAM : reads ? this.#where(session) : HERE
      if (where === HERE && !reads) return this.#local(session, command, reply)
      if (where !== UPSTREAM) return this.#here(session, where, reply)
    }
    if (this.#aimer?.isCrossing === true) {
      reply.error(CROSSES)
      return this.#aborted(session)
    }
    const wrong = queued.find((one) => routes.changesConnection(one.command))
    if (wrong !== undefined) {
      reply.error(`EXECABORT ${wrong.command.fullName} cannot be in a transaction that goes upstream`)
      return this.#aborted(session)
    }
    // Nobody knows whether the keys changed since.
    if (session.watching?.isClosed === true) {
      reply.nullArray()
      session.watching = null
      engine.abortTransaction(client)
      return DONE
    }
    const selects = queued.some((one) => this.#routes[one.command.id] === routes.SELECT)
    const shared = this.#sharedFor(session, writes, reply)
    if (typeof shared === 'number') {
      if (shared === DONE) engine.abortTransaction(client)
      return shared
    }
    const connection = session.watching ?? (selects ? this.#pool.own(client.db, client.resp) : shared)
    connection.sendSpecial(session, transactionBytes(queued), {
      isWrite: writes,
      muted: reply.muted,
      skip: queued.length + 1,
      take: selects ? (bytes) => afterTransaction(client, queued, bytes) : null,
    })
    if (connection !== shared) connection.retire = selects || connection.isMoved ? 'close' : 'reuse'
    session.watching = null
    engine.abortTransaction(client)
    this.#sent(session, connection, command, args, writes)
    if (this.#part !== null) for (const one of queued) this.#part.wrote(session, one.command, one.request)
    this.#stats.transactions++
    return DONE
  }

  #aborted(session: Session): number {
    this.#forgetWatch(session)
    this.#engine.abortTransaction(session.client)
    return DONE
  }

  // ---- what only the proxy, or only the upstream, knows ---------------------------------------------------------------

  /** CLIENT CONSISTENCY */
  consistency(client: Client, args: Request, reply: ReplyWriter): number {
    const session = (client.session as Session | null) ?? new Session(client, this.#settings.consistency, this.#copy)
    if (session.outstanding > 0) {
      this.#held.hold(session)
      return HELD
    }
    this.#held.release(session)
    clientConsistency(session, args, reply, this.#settings, this.#aimer?.pools ?? [this.#pool])
    return DONE
  }

  /** A command that only the upstream may know is passed on. */
  unknown(client: Client, container: Command | undefined, args: Request, reply: ReplyWriter): number {
    if (this.#engine.requiresAuth && !client.authenticated) return RUN_HERE
    if (container !== undefined) {
      if (container.name !== 'client' || !args.is(1, 'CONSISTENCY')) return RUN_HERE
      return this.consistency(client, args, reply)
    }
    if (client.account.isRestricted || client.transaction !== null || client.isMaster) return RUN_HERE
    if (client.resp === 2 && client.subscriptions > 0) return RUN_HERE
    return this.route(client, this.#unknown, args, reply)
  }
}
