/**
 * The one path of a call: look up, arity, authentication, the server's state, memory, queue or run, then what it changed
 * goes to the stream. The order of the checks is that of redis 7.0.15 server.c processCommand, their texts too.
 *
 * Timing costs two clock reads a command in Redis. Here a run of equal cheap commands (GET GET GET in a pipeline) is
 * timed as one, and each counts with the mean (the slow log gets a slow run); others from the end of the one before.
 */
import { performance } from 'node:perf_hooks'
import { Call } from '../commands/call.ts'
import { AOF_CLIENT_ID, type Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import {
  FLAG_ALLOW_BUSY,
  FLAG_DENYOOM,
  FLAG_FAST,
  FLAG_LOADING,
  FLAG_MAY_REPLICATE,
  FLAG_NO_ASYNC_LOADING,
  FLAG_NO_AUTH,
  FLAG_NO_MULTI,
  FLAG_PROTECTED,
  FLAG_READONLY,
  FLAG_STALE,
  FLAG_TOUCHES_ARBITRARY_KEYS,
  FLAG_WRITE,
} from '../commands/define.ts'
import { errors } from '../commands/errors.ts'
import { type Operation, TO_BOTH, Unit } from '../effects/effects.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Engine } from './engine.ts'
import { observe } from './observers.ts'
import { RUN_HERE } from './router.ts'
import { Sinks } from './sinks.ts'

export const DONE = 0
/** The client waits (BLPOP, WAIT): nothing further of it may run. */
export const BLOCKED = 1
/** CLIENT PAUSE holds the command back: run the same request again afterwards. */
export const POSTPONED = 2
/** The proxy holds it back: run the same request again when the transport is told to resume. */
export const HELD = 3

/** The refusal of a client that is closed already: nothing is answered. */
const EVICTED = ''

const NEVER_QUEUED = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset'])
const SUBSCRIBER_COMMANDS = new Set(
  'ping subscribe ssubscribe unsubscribe sunsubscribe psubscribe punsubscribe quit reset'.split(' '),
)
/** Not flagged fast in Redis because of what they may free, but cheap enough to be timed in runs. */
const ALSO_CHEAP = new Set(['set', 'mset', 'getrange', 'setrange', 'append'])
/** Milliseconds for which the time of day read for one command of a batch serves the next ones; it has whole milliseconds. */
const TICK_MS = 0.25

export class Executor {
  readonly call: Call
  /** Where the bytes of what changed go; null while nobody needs them. */
  stream: StreamSink | null = null
  /** What `stream` is made of. */
  readonly sinks = new Sinks(this)
  /** Each command is timed by itself: slow log below a millisecond, latency monitor, busy tests. */
  precise = false
  /** Inside EXEC or a blocked client's retry: operations are collected for one unit. */
  depth = 0
  /** Unix milliseconds at which time stands still, for the commands of a script; 0 when none runs. */
  frozenMs = 0
  #current: Client | null = null

  #engine: Engine
  #unit = new Unit()
  #cheap: Uint8Array
  #run: Command | null = null
  #runCount = 0
  #runStart = 0
  #runArgs: Request | null = null
  /** A connection's batch is under way, in which one command ends where the next begins. */
  #isBatch = false
  /** performance.now() at the end of the last command of the batch, and when the time of day was last read in it; or 0. */
  #endedAt = 0
  #tickedAt = 0
  /** A client that was blocked has its command run again: it was counted when it blocked. */
  #again = false
  #countedErrors = 0

  constructor(engine: Engine) {
    this.#engine = engine
    this.call = new Call(engine.store, engine, engine.table)
    this.#cheap = new Uint8Array(engine.table.all.length)
    for (const command of engine.table.all) {
      const cheap = (command.flagBits & FLAG_FAST) !== 0 || ALSO_CHEAP.has(command.name)
      if (cheap && command.parent === undefined && command.name !== 'exec') this.#cheap[command.id] = 1
    }
  }

  /** The client whose command runs, also within its transactions and scripts; null between commands. */
  get running(): Client | null {
    return this.depth > 0 ? this.#current : null
  }

  /** Runs one request of a client. DONE, BLOCKED or POSTPONED. */
  process(client: Client, args: Request, reply: ReplyWriter): number {
    this.#current = client
    const engine = this.#engine
    if (engine.busy !== null && client.isMaster) {
      engine.scripts.waitingLink = client
      return POSTPONED
    }
    const table = engine.table
    let command = table.lookup(args.buf, args.start(0), args.end(0))
    if (command === undefined) {
      if (isWebRequest(args)) return this.#refuseWebRequest(client)
      const outcome = engine.proxy?.unknown(client, undefined, args, reply) ?? RUN_HERE
      if (outcome !== RUN_HERE) return outcome
      this.#reject(client, undefined, reply, unknownCommand(args))
      return DONE
    }
    if (command.subcommands !== undefined && args.argc > 1) {
      let sub = table.lookupSub(command, args.buf, args.start(1), args.end(1))
      if (sub === undefined) {
        const outcome = engine.proxy?.unknown(client, command, args, reply) ?? RUN_HERE
        if (outcome !== RUN_HERE) return outcome
        sub = engine.ownSubcommands.get(`${command.name}|${args.lower(1)}`)
      }
      if (sub === undefined) {
        const text = errors.unknownSubcommandOnly(args.latin1(1).slice(0, 128), command.name.toUpperCase())
        this.#reject(client, undefined, reply, text)
        return DONE
      }
      command = sub
    }
    client.lastCommand = command
    if (!command.takes(args.argc)) {
      this.#reject(client, command, reply, errors.wrongArity(command.fullName))
      return DONE
    }
    const refusal = this.#refusal(client, command, args)
    if (refusal === EVICTED) return DONE
    if (refusal !== null) {
      this.#reject(client, command, reply, refusal)
      return DONE
    }
    if (engine.pauseMode !== 'off' && this.#isPaused(client, command, args)) return POSTPONED
    if (engine.proxy !== null) {
      const outcome = engine.proxy.route(client, command, args, reply)
      if (outcome !== RUN_HERE) return outcome
    }
    if (client.transaction !== null && !NEVER_QUEUED.has(command.fullName)) {
      this.#queue(client, command, args, reply)
      return DONE
    }
    this.execute(client, command, args, reply)
    if (this.depth === 0) this.afterCommand(client)
    return client.isBlocked ? BLOCKED : DONE
  }

  /** Runs a command that passed the checks (also those of EXEC and of a client that was blocked). */
  execute(client: Client, command: Command, args: Request, reply: ReplyWriter): void {
    const engine = this.#engine
    const call = this.call
    const { effects } = call
    const cheap = this.#cheap[command.id] === 1 && !this.precise && this.depth === 0
    let start = 0
    if (cheap) {
      if (this.#run !== command) {
        this.#closeRun()
        this.#run = command
        this.#runStart = this.#endedAt === 0 ? performance.now() : this.#endedAt
      }
      this.#runCount++
      this.#runArgs = args
    } else {
      this.#closeRun()
      if (command.group === 'scripting') engine.tracking.enter(client, command, args)
      start = this.depth > 0 || this.#endedAt === 0 ? performance.now() : this.#endedAt
      if (this.depth === 0 && (!this.#isBatch || start - this.#tickedAt >= TICK_MS)) {
        this.#tickedAt = start
        engine.tick()
      }
    }
    call.args = args
    call.reply = reply
    call.client = client
    call.command = command
    call.db = engine.store.databases[client.db]!
    const database = client.db
    call.now = this.frozenMs === 0 ? engine.now : this.frozenMs
    call.fromPrimary = client.isMaster
    call.inTransaction = this.depth > 0 && engine.inExec
    effects.reset()
    const errorsBefore = reply.errors
    const countedBefore = this.#countedErrors
    this.depth++
    try {
      command.run!(call)
    } catch (error) {
      engine.commandFailed(client, command, error)
      reply.error('ERR internal error, see the log of the server')
    }
    this.depth--
    // Those of commands that this one ran (EXEC) are counted as theirs.
    const failures = reply.errors - errorsBefore - (this.#countedErrors - countedBefore)
    if (failures > 0) this.#countErrors(client, command, reply, failures)
    if (!cheap) {
      const end = performance.now()
      if (this.#isBatch && this.depth === 0) this.#endedAt = end
      this.#account(client, command, args, (end - start) * 1000)
    }
    this.#propagate(client, command, args, database)
    effects.reset()
    if (engine.isObserved && !this.#again) observe(engine, client, command, args, this.depth === 0)
    if (!this.#again) engine.stats.commandsProcessed++
  }

  /** Runs a command of a script, whose reply is not that of the command which is running. */
  executeAside(client: Client, command: Command, args: Request, reply: ReplyWriter): void {
    const counted = this.#countedErrors
    const outer = this.#engine.inExec
    this.#engine.inExec = true
    const { call } = this
    const { args: ownArgs, reply: ownReply, client: ownClient, command: ownCommand, db } = call
    this.execute(client, command, args, reply)
    // EXEC goes on with what it had.
    call.args = ownArgs
    call.reply = ownReply
    call.client = ownClient
    call.command = ownCommand
    call.db = db
    this.#engine.inExec = outer
    // Its errors are its own; those of the outer command are counted by that one's reply.
    this.#countedErrors = counted
  }

  /** What follows, up to leave(), belongs to a command of this client that began earlier. */
  enter(client: Client): void {
    this.endRun()
    this.#current = client
    this.depth++
  }

  leave(): void {
    this.depth--
  }

  /** The operations collected so far; those given take their place. */
  swapOperations(operations: Operation[]): Operation[] {
    const before = this.#unit.operations
    this.#unit.operations = operations
    return before
  }

  /** Runs the command of a client that was blocked once more. */
  retry(client: Client, command: Command, args: Request, reply: ReplyWriter): void {
    this.#current = client
    this.#again = true
    this.execute(client, command, args, reply)
    this.#again = false
  }

  /** What follows, up to endRun(), are the commands of one connection, one after the other. */
  beginBatch(): void {
    this.#isBatch = true
    this.#tickedAt = 0
  }

  /** Ends the timing of a run of cheap commands; called at the end of each read batch. */
  endRun(): void {
    this.#closeRun()
    this.#isBatch = false
    this.#endedAt = 0
  }

  #closeRun(): void {
    const command = this.#run
    if (command === null) return
    const end = performance.now()
    if (this.#isBatch) this.#endedAt = end
    const microseconds = (end - this.#runStart) * 1000
    this.#run = null
    this.#engine.account(command, this.#runCount, microseconds)
    if (microseconds >= this.#engine.slowlogMicroseconds && this.#engine.slowlogMicroseconds >= 0) {
      this.#engine.pushSlow(this.call.client, command, this.#runArgs!, microseconds / this.#runCount)
    }
    this.#runCount = 0
    this.#runArgs = null
  }

  #account(client: Client, command: Command, args: Request, microseconds: number): void {
    const engine = this.#engine
    if (command.group === 'scripting') engine.tracking.leave()
    // What is loaded is no work of this server's clients.
    if (client.id === AOF_CLIENT_ID) return
    if (microseconds > 1000) engine.tick()
    engine.account(command, this.#again ? 0 : 1, microseconds, client.isBlocked)
    if (client.isBlocked) return
    if (command.name !== 'exec') {
      engine.addLatency((command.flagBits & FLAG_FAST) !== 0 ? 'fast-command' : 'command', microseconds / 1000)
    }
    if (engine.slowlogMicroseconds >= 0 && microseconds >= engine.slowlogMicroseconds) {
      engine.pushSlow(client, command, args, microseconds)
    }
  }

  #countErrors(client: Client, command: Command, reply: ReplyWriter, count: number): void {
    this.#countedErrors += count
    command.failedCalls++
    this.#engine.countError(reply.lastError, count)
    if (client.isMaster || client.replica !== null) this.#engine.errorToPeer(client, reply.lastError)
  }

  // ---- what a command changed -------------------------------------------------------------------------------------

  /** An operation besides the request's own. */
  alsoPropagate(database: number, args: readonly (string | Uint8Array)[]): void {
    if (this.stream !== null) this.#unit.add(database, args)
    // Outside of any command (active expiry, eviction): a unit of its own.
    if (this.depth === 0) this.flushUnit(false)
  }

  #propagate(client: Client, command: Command, args: Request, database: number): void {
    const { effects } = this.call
    const engine = this.#engine
    if (effects.dirty !== 0) {
      engine.dirty += effects.dirty
      if (engine.localExpires.isActive && !client.isMaster) engine.localExpires.remember(command, args, database)
    }
    if (effects.dirty === 0 && !effects.forced && this.#unit.operations.length === 0) return
    const stream = this.stream
    if (stream === null || (client.isMaster && !stream.takesApplied)) {
      if (this.#unit.operations.length > 0) this.#unit.operations = []
      return
    }
    const operations = this.#unit.operations
    const own = (effects.dirty !== 0 || effects.forced) && !effects.prevented && command.name !== 'exec'
    if (own && operations.length === 0 && this.depth === 0) {
      const sink = effects.target === TO_BOTH ? stream : this.sinks.of(effects.target)
      const { encoder } = effects
      if (effects.replaced) {
        sink?.feed(database, encoder.buf, encoder.start, encoder.end)
        return
      }
      if (args.rawEnd > args.rawStart) {
        sink?.feed(database, args.buf, args.rawStart, args.rawEnd)
        return
      }
    }
    if (own) {
      if (effects.replaced) this.#unit.addEncoded(database, effects.encoder, effects.target)
      else this.#unit.addRequest(database, args, effects.target)
    }
    // Keys that SCAN or RANDOMKEY found past their time have nothing to do with each other.
    if (this.depth === 0) this.flushUnit((command.flagBits & FLAG_TOUCHES_ARBITRARY_KEYS) === 0)
  }

  /** Sends the collected operations; two and more are wrapped in MULTI and EXEC unless each stands for itself. */
  flushUnit(wrap: boolean): void {
    const operations = this.#unit.operations
    if (operations.length === 0) return
    this.#unit.operations = []
    const stream = this.stream
    if (stream === null) return
    const wrapped = wrap && operations.length > 1
    if (wrapped) stream.feed(operations[0]!.database, MULTI, 0, MULTI.length)
    for (const { database, buf, start, end, target } of operations) {
      const sink = target === TO_BOTH ? stream : this.sinks.of(target)
      sink?.feed(database, buf, start, end)
    }
    if (wrapped) stream.feed(operations.at(-1)!.database, EXEC, 0, EXEC.length)
  }

  /** Blocked clients that can be served, and the offset that WAIT will ask for. */
  afterCommand(client: Client): void {
    const engine = this.#engine
    if (this.stream !== null) client.writeOffset = this.stream.offset
    client.commands++
    if (engine.hasReadyKeys && engine.busy === null) engine.serveBlocked()
  }

  // ---- refusals ---------------------------------------------------------------------------------------------------

  #queue(client: Client, command: Command, args: Request, reply: ReplyWriter): void {
    const request = args.detach()
    client.transaction!.push({ command, request, flagBits: this.#flagsOf(command, args) })
    client.transactionBytes += request.buf.length + 100
    reply.simple('QUEUED')
  }

  #reject(client: Client, command: Command | undefined, reply: ReplyWriter, text: string): void {
    if (client.transaction !== null) client.transactionFailed = true
    if (command !== undefined) command.rejectedCalls++
    if (command?.name === 'exec') {
      this.#engine.abortTransaction(client)
      reply.error(`EXECABORT Transaction discarded because of: ${text.replace(/^ERR /, '')}`)
    } else {
      reply.error(text)
    }
    this.#engine.tracking.done(client, command)
    this.#engine.countError(reply.lastError, 1)
    if (client.isMaster || client.kind === 'replica') this.#engine.errorToPeer(client, reply.lastError)
  }

  #refusal(client: Client, command: Command, args: Request): string | null {
    const engine = this.#engine
    let flags = this.#flagsOf(command, args)
    let all = flags
    if (command.name === 'exec' && client.transaction !== null) {
      for (const queued of client.transaction) {
        flags |= queued.flagBits
        all &= queued.flagBits
      }
    }
    if ((command.flagBits & FLAG_PROTECTED) !== 0) {
      const text = engine.protectedRefusal(client, command)
      if (text !== null) return text
    }
    if (engine.requiresAuth && !client.authenticated && (command.flagBits & FLAG_NO_AUTH) === 0) return errors.noAuth
    if (client.transaction !== null && (command.flagBits & FLAG_NO_MULTI) !== 0) {
      return 'ERR Command not allowed inside a transaction'
    }
    if (client.account.isRestricted) {
      const text = engine.acl.refusal(client, command, args)
      if (text !== null) return text
    }
    const isWrite = (flags & FLAG_WRITE) !== 0
    if (engine.limitsMemory) {
      const text = this.#limit(client, command, flags)
      if (text !== null) return text
    }
    if (!client.isMaster) {
      if (engine.diskError !== null && (isWrite || command.name === 'ping')) return engine.diskError
      if (isWrite && engine.lacksReplicas(client)) return errors.noReplicas
      if (isWrite && engine.isReadOnly && engine.proxy === null) return errors.readOnly
    }
    if (client.resp === 2 && client.subscriptions > 0 && !SUBSCRIBER_COMMANDS.has(command.fullName)) {
      return `ERR Can't execute '${command.fullName}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`
    }
    if (engine.isStale && engine.proxy === null && (all & FLAG_STALE) === 0) return errors.masterDown
    // A proxy asks its upstream meanwhile.
    if (engine.loading !== 'no' && engine.proxy === null) {
      if (engine.loading === 'yes' && (all & FLAG_LOADING) === 0) return errors.loading
      if (engine.loading === 'async' && (flags & FLAG_NO_ASYNC_LOADING) !== 0) return errors.loading
    }
    if (engine.busy !== null && (command.flagBits & FLAG_ALLOW_BUSY) === 0) return engine.busy
    if (client.replica !== null && (flags & (FLAG_WRITE | FLAG_MAY_REPLICATE | FLAG_READONLY)) !== 0) {
      return "ERR Replica can't interact with the keyspace"
    }
    return null
  }

  /** Clients first: what they hold counts as used memory too. `EVICTED` when it is this one that had to go. */
  #limit(client: Client, command: Command, flags: number): string | null {
    const engine = this.#engine
    const { tracking } = engine
    if (engine.evictsClients) {
      engine.clients.evict()
      if (client.closing) return EVICTED
    }
    tracking.preparing = client
    const hasMemory = engine.maxmemory === 0 || this.#hasMemory(client, command, flags)
    if (hasMemory && tracking.clients > 0) tracking.limit()
    tracking.preparing = null
    return hasMemory ? null : errors.outOfMemory
  }

  #hasMemory(client: Client, command: Command, flags: number): boolean {
    if (client.isMaster && this.#engine.ignoresMaxmemory) return true
    if (this.#engine.makeRoom()) return true
    if ((flags & FLAG_DENYOOM) !== 0) return false
    if (client.transaction === null) return true
    return NEVER_QUEUED.has(command.fullName) && command.name !== 'multi' && command.name !== 'watch'
  }

  /** EVAL is what its script says it is. */
  #flagsOf(command: Command, args: Request): number {
    return command.group === 'scripting' ? this.#engine.scripts.flagsOf(command, args) : command.flagBits
  }

  #isPaused(client: Client, command: Command, args: Request): boolean {
    if (client.replica !== null && !client.isMaster) return false
    if (this.#engine.pauseMode === 'all') return true
    let flags = this.#flagsOf(command, args)
    if (command.name === 'exec') for (const queued of client.transaction ?? []) flags |= queued.flagBits
    return (flags & (FLAG_WRITE | FLAG_MAY_REPLICATE)) !== 0
  }

  /** A web page may post to this port: close at once. redis 7.0.15 networking.c securityWarningCommand */
  #refuseWebRequest(client: Client): number {
    this.#engine.log(
      'warning',
      `Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. Connection from ${client.transport.remoteAddress} aborted.`,
    )
    client.close('now')
    return DONE
  }
}

/** The bytes of the replication stream, one operation behind the other. */
export interface StreamSink {
  /** Offset of the last byte fed. */
  readonly offset: number
  /** It is fed what a primary's stream changed here too. */
  readonly takesApplied: boolean
  feed(database: number, bytes: Buffer, start: number, end: number): void
}

const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n', 'latin1')
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n', 'latin1')

function isWebRequest(args: Request): boolean {
  return args.is(0, 'HOST:') || args.is(0, 'POST')
}

function unknownCommand(args: Request): string {
  let text = ''
  for (let i = 1; i < args.argc && text.length < 128; i++) {
    text += `'${args.latin1(i).slice(0, 128 - text.length)}' `
  }
  return errors.unknownCommand(args.latin1(0).slice(0, 128), text)
}
