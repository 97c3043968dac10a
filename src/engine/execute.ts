/**
 * The one path of a call: look up, arity, authentication, the server's state, memory, queue or run, then what it changed
 * goes to the stream. The order of the checks is that of redis 7.0.15 server.c processCommand, their texts too.
 *
 * Timing costs two clock reads a command in Redis. Here a run of equal cheap commands (GET GET GET in a pipeline) is
 * timed as one, and each of them counts with the mean; a slow one among them still reaches the slow log with the run.
 */
import { Call } from '../commands/call.ts'
import type { Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import {
  FLAG_ADMIN,
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
  FLAG_SKIP_MONITOR,
  FLAG_STALE,
  FLAG_TOUCHES_ARBITRARY_KEYS,
  FLAG_WRITE,
} from '../commands/define.ts'
import { errors } from '../commands/errors.ts'
import { Unit } from '../effects/effects.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Engine } from './engine.ts'

export const DONE = 0
/** The client waits (BLPOP, WAIT): nothing further of it may run. */
export const BLOCKED = 1
/** CLIENT PAUSE holds the command back: run the same request again afterwards. */
export const POSTPONED = 2

const NEVER_QUEUED = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset'])
const SUBSCRIBER_COMMANDS = new Set([
  'ping',
  'subscribe',
  'ssubscribe',
  'unsubscribe',
  'sunsubscribe',
  'psubscribe',
  'punsubscribe',
  'quit',
  'reset',
])
/** Not flagged fast in Redis because of what they may free, but cheap enough to be timed in runs. */
const ALSO_CHEAP = new Set(['set', 'mset', 'getrange', 'setrange', 'append'])

export class Executor {
  readonly call: Call
  /** Where the bytes of what changed go; null while nobody needs them. */
  stream: StreamSink | null = null
  /** Each command is timed by itself: slow log below a millisecond, latency monitor, busy tests. */
  precise = false
  /** Inside EXEC or a blocked client's retry: operations are collected for one unit. */
  depth = 0

  #engine: Engine
  #unit = new Unit()
  #cheap: Uint8Array
  #run: Command | null = null
  #runCount = 0
  #runStart = 0
  #runArgs: Request | null = null
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

  /** Runs one request of a client. DONE, BLOCKED or POSTPONED. */
  process(client: Client, args: Request, reply: ReplyWriter): number {
    const engine = this.#engine
    const table = engine.table
    let command = table.lookup(args.buf, args.start(0), args.end(0))
    if (command === undefined) {
      if (isWebRequest(args)) return this.#refuseWebRequest(client)
      this.#reject(client, undefined, reply, unknownCommand(args))
      return DONE
    }
    if (command.subcommands !== undefined && args.argc > 1) {
      const sub = table.lookupSub(command, args.buf, args.start(1), args.end(1))
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
    const refusal = this.#refusal(client, command)
    if (refusal !== null) {
      this.#reject(client, command, reply, refusal)
      return DONE
    }
    if (engine.pauseMode !== 'off' && this.#isPaused(client, command)) return POSTPONED
    if (client.transaction !== null && !NEVER_QUEUED.has(command.name)) {
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
        this.endRun()
        this.#run = command
        this.#runStart = performance.now()
      }
      this.#runCount++
      this.#runArgs = args
    } else {
      this.endRun()
      start = performance.now()
      if (this.depth === 0) engine.tick()
    }
    call.args = args
    call.reply = reply
    call.client = client
    call.command = command
    call.db = engine.store.databases[client.db]!
    const database = client.db
    call.now = engine.now
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
    if (!cheap) this.#account(client, command, args, (performance.now() - start) * 1000)
    if (engine.hasMonitors && !this.#again && (command.flagBits & (FLAG_SKIP_MONITOR | FLAG_ADMIN)) === 0) {
      engine.feedMonitors(client, args)
    }
    this.#propagate(client, command, args, database)
    effects.reset()
    if (!this.#again) engine.stats.commandsProcessed++
  }

  /** Runs the command of a client that was blocked once more. */
  retry(client: Client, command: Command, args: Request, reply: ReplyWriter): void {
    this.#again = true
    this.execute(client, command, args, reply)
    this.#again = false
  }

  /** Ends the timing of a run of cheap commands; called at the end of each read batch. */
  endRun(): void {
    const command = this.#run
    if (command === null) return
    const microseconds = (performance.now() - this.#runStart) * 1000
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
    if (effects.dirty !== 0) engine.dirty += effects.dirty
    if (effects.dirty === 0 && !effects.forced && this.#unit.operations.length === 0) return
    const stream = this.stream
    if (stream === null || client.isMaster) {
      this.#unit.operations.length = 0
      return
    }
    const operations = this.#unit.operations
    const own = (effects.dirty !== 0 || effects.forced) && !effects.prevented && command.name !== 'exec'
    if (own && operations.length === 0 && this.depth === 0) {
      const { encoder } = effects
      if (effects.replaced) {
        stream.feed(database, encoder.buf, encoder.start, encoder.end)
        return
      }
      if (args.rawEnd > args.rawStart) {
        stream.feed(database, args.buf, args.rawStart, args.rawEnd)
        return
      }
    }
    if (own) {
      const bytes = effects.replaced ? effects.encoder.copy() : Buffer.from(args.encoded())
      operations.push({ database, bytes })
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
    for (const { database, bytes } of operations) stream.feed(database, bytes, 0, bytes.length)
    if (wrapped) stream.feed(operations.at(-1)!.database, EXEC, 0, EXEC.length)
  }

  /** Blocked clients that can be served, and the offset that WAIT will ask for. */
  afterCommand(client: Client): void {
    const engine = this.#engine
    if (this.stream !== null) client.writeOffset = this.stream.offset
    client.commands++
    if (engine.hasReadyKeys) engine.serveBlocked()
  }

  // ---- refusals ---------------------------------------------------------------------------------------------------

  #queue(client: Client, command: Command, args: Request, reply: ReplyWriter): void {
    const request = args.detach()
    client.transaction!.push({ command, request })
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
    this.#engine.countError(reply.lastError, 1)
    if (client.isMaster) this.#engine.errorToPeer(client, reply.lastError)
  }

  #refusal(client: Client, command: Command): string | null {
    const engine = this.#engine
    let flags = command.flagBits
    let all = flags
    if (command.name === 'exec' && client.transaction !== null) {
      for (const queued of client.transaction) {
        flags |= queued.command.flagBits
        all &= queued.command.flagBits
      }
    }
    if ((flags & FLAG_PROTECTED) !== 0) {
      const text = engine.protectedRefusal(client, command)
      if (text !== null) return text
    }
    if (engine.requiresAuth && !client.authenticated && (command.flagBits & FLAG_NO_AUTH) === 0) return errors.noAuth
    if (client.transaction !== null && (command.flagBits & FLAG_NO_MULTI) !== 0) {
      return 'ERR Command not allowed inside a transaction'
    }
    const isWrite = (flags & FLAG_WRITE) !== 0
    if (engine.maxmemory !== 0 && !this.#hasMemory(client, command, flags)) return errors.outOfMemory
    if (!client.isMaster) {
      if (engine.diskError !== null && (isWrite || command.name === 'ping')) return engine.diskError
      if (isWrite && engine.lacksGoodReplicas) return errors.noReplicas
      if (isWrite && engine.isReadOnly) return errors.readOnly
    }
    if (client.resp === 2 && client.subscriptions > 0 && !SUBSCRIBER_COMMANDS.has(command.name)) {
      return `ERR Can't execute '${command.fullName}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`
    }
    if (engine.isStale && (all & FLAG_STALE) === 0) return errors.masterDown
    if (engine.loading !== 'no') {
      if (engine.loading === 'yes' && (all & FLAG_LOADING) === 0) return errors.loading
      if (engine.loading === 'async' && (flags & FLAG_NO_ASYNC_LOADING) !== 0) return errors.loading
    }
    if (engine.busy && (command.flagBits & FLAG_ALLOW_BUSY) === 0) return errors.busy
    if (client.replica !== null && (flags & (FLAG_WRITE | FLAG_MAY_REPLICATE | FLAG_READONLY)) !== 0) {
      return "ERR Replica can't interact with the keyspace"
    }
    return null
  }

  #hasMemory(client: Client, command: Command, flags: number): boolean {
    if (client.isMaster && this.#engine.ignoresMaxmemory) return true
    if (this.#engine.makeRoom()) return true
    if ((flags & FLAG_DENYOOM) !== 0) return false
    if (client.transaction === null) return true
    return NEVER_QUEUED.has(command.name) && command.name !== 'multi' && command.name !== 'watch'
  }

  #isPaused(client: Client, command: Command): boolean {
    if (client.isMaster || client.replica !== null) return false
    if (this.#engine.pauseMode === 'all') return true
    let flags = command.flagBits
    if (command.name === 'exec') for (const queued of client.transaction ?? []) flags |= queued.command.flagBits
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
