/**
 * Runs scripts for EVAL, and functions for FCALL (`run`): the checks before, the unit of what they change, and the time for
 * others when one runs for longer than busy-reply-threshold.
 *
 * Such a script is held up after every 100,000 instructions, and its client waits like one that is blocked. What it has
 * changed so far is there for nobody to see, since all but a few commands get -BUSY; its operations are kept until it ends,
 * and go into the stream as one unit. Background work that would see or save half of it rests while `engine.busy` is set.
 * redis 7.0.15 script.c, eval.c
 */
import { AOF_CLIENT_ID, type Client } from '../../commands/client.ts'
import type { Command } from '../../commands/command.ts'
import { errors } from '../../commands/errors.ts'
import type { CallLike } from '../../commands/host.ts'
import type { RunningScriptInfo, ScriptsHost } from '../../commands/script-host.ts'
import { FAILED, HELD } from '../../lua/interpreter.ts'
import { Lrand48 } from '../../lua/random.ts'
import type { ScriptServer } from '../../lua/script-run.ts'
import { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Request } from '../../resp/request.ts'
import type { Engine } from '../engine.ts'
import { EvalCache, type Script } from './eval-cache.ts'
import { Functions } from './functions.ts'
import { type Invocation, RunningScript } from './running-script.ts'
import {
  commandFlags,
  readShebang,
  SCRIPT_ALLOW_OOM,
  SCRIPT_ALLOW_STALE,
  SCRIPT_EVAL_COMPAT_MODE,
  SCRIPT_NO_WRITES,
} from './script-flags.ts'

const BUSY_FUNCTION = 'BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.'
const LOG_LEVELS = ['debug', 'verbose', 'notice', 'warning'] as const
const SHA_LENGTH = 40

export class Scripts implements ScriptsHost, ScriptServer {
  readonly cache: EvalCache
  readonly functions: Functions
  readonly random = new Lrand48()
  /** The link to the primary waits for the end of the script. */
  waitingLink: Client | null = null

  #engine: Engine
  /** The one that runs. */
  #current: RunningScript | null = null
  #script: RunningScript | null = null

  constructor(engine: Engine) {
    this.#engine = engine
    this.cache = new EvalCache(this)
    this.functions = new Functions(this, (call, invocation) => this.run(call, invocation))
    engine.store.libraries = this.functions
  }

  // ---- lua/script-run.ts ----------------------------------------------------------------------------------------------

  get logLevel(): number {
    return LOG_LEVELS.indexOf(this.#engine.config.get('loglevel') as 'notice')
  }

  get busyThresholdMs(): number {
    return this.#engine.config.get('busy-reply-threshold')
  }

  log(level: number, text: string): void {
    this.#engine.log(LOG_LEVELS[level]!, text)
  }

  /** Makes the interpreter of EVAL, so that the first script need not wait for it. redis 7.0.15 server.c initServer */
  warmUp(): void {
    const { interpreter } = this.cache
    const ref = interpreter.compile(Buffer.from('return KEYS'), '@warm_up')
    if (typeof ref === 'number') interpreter.release(ref)
  }

  // ---- commands/script-host.ts ----------------------------------------------------------------------------------------

  get busy(): string | null {
    return this.#engine.busy
  }

  get cachedScripts(): number {
    return this.cache.count
  }

  get cacheBytes(): number {
    return this.cache.bytes
  }

  get interpreterBytes(): number {
    return this.cache.interpreterBytes
  }

  get running(): RunningScriptInfo | null {
    const script = this.#current
    if (script === null) return null
    const { name, isEval, elapsedMs } = script
    return { name, isEval, elapsedMs, request: script.request.toArguments() }
  }

  has(sha: string): boolean {
    return this.cache.get(sha) !== undefined
  }

  load(request: Request, i: number): { sha: string } | { error: string } {
    const script = this.cache.find(request, i) ?? this.cache.add(request.view(i))
    return typeof script === 'string' ? { error: script } : { sha: script.sha }
  }

  flush(): void {
    this.cache.flush()
  }

  /** redis 7.0.15 script.c scriptKill */
  kill(isEval: boolean): string | null {
    const script = this.#current
    if (script === null) return 'NOTBUSY No scripts in execution right now.'
    if (script.caller.isMaster) {
      return 'UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed.'
    }
    if (script.hasWritten) {
      return 'UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.'
    }
    if (isEval !== script.isEval) return script.isEval ? errors.busy : BUSY_FUNCTION
    script.killed = true
    return null
  }

  /** The flags of EVAL and its like, as the script that it is to run has it. redis 7.0.15 eval.c evalGetCommandFlags */
  flagsOf(command: Command, request: Request): number {
    const { name, flagBits } = command
    if (name === 'evalsha' || name === 'evalsha_ro') {
      const script = request.length(1) === SHA_LENGTH ? this.cache.findSha(request, 1) : undefined
      return script === undefined ? flagBits : commandFlags(flagBits, script.flags)
    }
    if (name === 'fcall' || name === 'fcall_ro') {
      const fn = this.functions.function(request.latin1(1))
      return fn === undefined ? flagBits : commandFlags(flagBits, fn.flags)
    }
    if (name !== 'eval' && name !== 'eval_ro') return flagBits
    const at = request.start(1)
    if (request.length(1) < 2 || request.buf[at] !== 0x23 || request.buf[at + 1] !== 0x21) return flagBits
    const shebang = readShebang(request.view(1))
    return typeof shebang === 'string' ? flagBits : commandFlags(flagBits, shebang.flags)
  }

  /** redis 7.0.15 eval.c evalGenericCommand */
  eval(call: CallLike, how: { bySha: boolean; readOnly: boolean; inTransaction: boolean }): void {
    const { args, reply } = call
    const engine = this.#engine
    if (engine.monitorCount > 0) engine.feedMonitors(call.client, args)
    if (how.bySha && args.length(1) !== SHA_LENGTH) {
      reply.error(errors.noScript)
      return
    }
    const keys = numberOfKeys(call)
    if (keys < 0) return
    const script = this.#find(call, how.bySha)
    if (script === null) return
    this.cache.prepare(script)
    this.run(call, {
      interpreter: script.interpreter,
      ref: script.ref,
      name: script.sha,
      isEval: true,
      flags: script.flags,
      readOnly: how.readOnly,
      inTransaction: how.inTransaction,
      keys,
      owner: this.cache,
    })
  }

  #find(call: CallLike, bySha: boolean): Script | null {
    const { args, reply } = call
    if (bySha) {
      const script = this.cache.findSha(args, 1)
      if (script === undefined) reply.error(errors.noScript)
      return script ?? null
    }
    const script = this.cache.find(args, 1) ?? this.cache.add(args.view(1))
    if (typeof script !== 'string') return script
    reply.error(script)
    return null
  }

  // ---- running --------------------------------------------------------------------------------------------------------

  /** Runs it, and replies, now or later. The call is of use to nobody afterwards. */
  run(call: CallLike, invocation: Invocation): void {
    const engine = this.#engine
    const { client, reply } = call
    if (this.#current !== null) {
      reply.error('ERR A script cannot be run inside of another one')
      return
    }
    if (!invocation.isEval && engine.monitorCount > 0) engine.feedMonitors(client, call.args)
    this.#script ??= new RunningScript(engine)
    const script = this.#script
    script.begin(call, invocation)
    const refusal = this.#refusal(script, invocation)
    if (refusal !== null) {
      reply.error(refusal)
      return
    }
    this.#current = script
    engine.executor.frozenMs = script.frozenMs
    const { interpreter, ref, keys, isEval } = invocation
    const mayHold = !invocation.inTransaction && (!client.isMaster || client.id === AOF_CLIENT_ID)
    let status = FAILED
    try {
      status = interpreter.start(script, ref, call.args, keys, isEval, mayHold)
    } catch (error) {
      // The interpreter's end: errors of scripts are none.
      this.#end(script, true)
      throw error
    }
    engine.executor.frozenMs = 0
    if (status === HELD) {
      this.#hold(script)
      return
    }
    this.#write(script, reply)
    this.#end(script, false)
  }

  /** redis 7.0.15 script.c scriptPrepareForRun */
  #refusal(script: RunningScript, { flags, readOnly }: Invocation): string | null {
    const engine = this.#engine
    if ((flags & SCRIPT_EVAL_COMPAT_MODE) !== 0) return engine.isStale ? errors.masterDown : null
    const obeys = script.caller.isMaster
    if (engine.isStale && (flags & SCRIPT_ALLOW_STALE) === 0) {
      return "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script."
    }
    if ((flags & SCRIPT_NO_WRITES) === 0) {
      if (engine.isReadOnly && !obeys) return 'READONLY Can not run script with write flag on readonly replica'
      if (engine.diskError !== null && !obeys) {
        if (engine.diskError !== errors.bgsaveError) return aofError(engine.diskError)
        return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts."
      }
      if (readOnly) return 'ERR Can not execute a script with write flag using *_ro command.'
      if (engine.lacksReplicas(script.caller)) return errors.noReplicas
    }
    if (script.isOutOfMemory && (flags & (SCRIPT_ALLOW_OOM | SCRIPT_NO_WRITES)) === 0) {
      return "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
    }
    return null
  }

  /** Errors that commands of the script gave are in the statistics already, but this command failed as well. */
  #write(script: RunningScript, reply: ReplyWriter): void {
    const counted = script.invocation.interpreter.reply(reply, script)
    reply.errors -= counted
    script.command.failedCalls += counted
  }

  #end(script: RunningScript, broken: boolean): void {
    this.#current = null
    this.#engine.executor.frozenMs = 0
    script.invocation.owner.ran(broken)
  }

  // ---- held up --------------------------------------------------------------------------------------------------------

  #hold(script: RunningScript): void {
    const engine = this.#engine
    const { isEval, caller, name, elapsedMs } = script
    const kill = isEval ? 'SCRIPT KILL' : 'FUNCTION KILL'
    engine.log(
      'warning',
      `Slow script detected: still in execution after ${elapsedMs} milliseconds. You can try killing the script using the ${kill} command. Script name is: ${name}.`,
    )
    // The bytes of the request are in a buffer that is read into again.
    script.request = script.request.detach()
    script.operations = engine.executor.swapOperations([])
    engine.busy = isEval ? errors.busy : BUSY_FUNCTION
    engine.blocked.onEvent(caller, 0, () => {})
    setImmediate(() => this.#goOn(script))
  }

  #goOn(script: RunningScript): void {
    const engine = this.#engine
    const { interpreter } = script.invocation
    let status = FAILED
    if (script.killed) {
      engine.log('warning', 'Lua script killed by user with SCRIPT KILL.')
      interpreter.kill()
    } else {
      try {
        status = this.#slice(script)
      } catch (error) {
        engine.commandFailed(script.caller, script.command, error)
        this.#release(script, true, (reply) => reply.error('ERR internal error, see the log of the server'))
        return
      }
    }
    if (status === HELD) setImmediate(() => this.#goOn(script))
    else this.#release(script, false, (reply) => this.#write(script, reply))
  }

  /** A part of the script, within the unit of its command. */
  #slice(script: RunningScript): number {
    const { executor, tracking } = this.#engine
    const others = executor.swapOperations(script.operations)
    executor.enter(script.caller)
    executor.frozenMs = script.frozenMs
    tracking.enter(script.caller, script.command, script.request)
    try {
      return script.invocation.interpreter.resume()
    } finally {
      tracking.leave()
      executor.frozenMs = 0
      executor.leave()
      script.operations = executor.swapOperations(others)
    }
  }

  #release(script: RunningScript, broken: boolean, write: (reply: ReplyWriter) => void): void {
    const engine = this.#engine
    const { executor } = engine
    const { caller, command, request } = script
    engine.busy = null
    executor.swapOperations(script.operations)
    executor.flushUnit(true)
    // If the client has gone, the result is taken from the interpreter all the same.
    if (!engine.blocked.unblock(caller, write)) write(new ReplyWriter())
    this.#end(script, broken)
    const microseconds = (performance.now() - script.startedMs) * 1000
    engine.account(command, 0, microseconds)
    if (engine.slowlogMicroseconds >= 0 && microseconds >= engine.slowlogMicroseconds) {
      engine.pushSlow(caller, command, request, microseconds)
    }
    executor.afterCommand(caller)
    const link = this.waitingLink
    this.waitingLink = null
    if (link === null) return
    link.paused = false
    setImmediate(() => link.transport.resume())
  }
}

/** redis 7.0.15 script.c scriptPrepareForRun; the system's reason is what the text for commands ends with. */
function aofError(text: string): string {
  const reason = text.slice(text.indexOf(': ') + 2)
  return `MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: ${reason}`
}

/** redis 7.0.15 eval.c evalGenericCommand: how many arguments are keys; -1 after an error reply. */
export function numberOfKeys({ args, reply }: CallLike): number {
  const simple = args.integer(2)
  if (simple >= 0 && simple <= args.argc - 3) return simple
  const count = args.int64(2)
  if (count === undefined) reply.error(errors.notInteger)
  else if (count > args.argc - 3) reply.error("ERR Number of keys can't be greater than number of args")
  else if (count < 0n) reply.error("ERR Number of keys can't be negative")
  else return Number(count)
  return -1
}
