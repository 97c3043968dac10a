/**
 * The script or function that runs, of which there is one at a time: the object is used again for each. The commands that it
 * calls pass the checks of redis 7.0.15 script.c scriptCall, which are others than those of a client's commands, and run as
 * those of a client of their own, whose reply goes to the script.
 */
import { Client, type Transport } from '../../commands/client.ts'
import type { Command } from '../../commands/command.ts'
import { FLAG_DENYOOM, FLAG_MAY_REPLICATE, FLAG_NOSCRIPT, FLAG_STALE, FLAG_WRITE } from '../../commands/define.ts'
import { errors } from '../../commands/errors.ts'
import type { CallLike } from '../../commands/host.ts'
import type { Operation } from '../../effects/effects.ts'
import type { Interpreter } from '../../lua/interpreter.ts'
import { REPL_ALL, type ScriptRun } from '../../lua/script-run.ts'
import { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Request } from '../../resp/request.ts'
import type { Engine } from '../engine.ts'
import { SCRIPT_ALLOW_OOM, SCRIPT_EVAL_COMPAT_MODE, SCRIPT_NO_WRITES } from './script-flags.ts'

/** A compiled function that is to be run. */
export interface Invocation {
  readonly interpreter: Interpreter
  readonly ref: number
  /** SHA1 of the script, or the function's name. */
  readonly name: string
  /** Keys and arguments are globals; otherwise the function is called with them. */
  readonly isEval: boolean
  /** SCRIPT_* of script-flags.ts. */
  readonly flags: number
  /** Called by EVAL_RO and the like. */
  readonly readOnly: boolean
  /** The call is part of EXEC, which cannot be left and gone on with. */
  readonly inTransaction: boolean
  /** How many of the request's arguments from 3 on are keys. */
  readonly keys: number
  /** Hears that the run is over; `broken`: the interpreter cannot be used any more. */
  readonly owner: { ran(broken: boolean): void }
}

export class RunningScript implements ScriptRun {
  name = ''
  isEval = true
  resp: 2 | 3 = 2
  hasWritten = false
  /** SCRIPT KILL was called. */
  killed = false
  invocation!: Invocation
  caller!: Client
  command!: Command
  request!: Request
  startedMs = 0
  /** Time stands still for a script: Unix milliseconds when it began. */
  frozenMs = 0
  /** What it has changed, while it is held up. */
  operations: Operation[] = []
  /** Used memory was above the limit when it began. */
  isOutOfMemory = false

  #engine: Engine
  #client: Client
  #reply = new ReplyWriter()
  #readOnly = false
  #allowOom = false
  #repl = REPL_ALL

  constructor(engine: Engine) {
    this.#engine = engine
    const client = new Client(0, TRANSPORT, engine.now)
    client.authenticated = true
    client.isScript = true
    this.#client = client
  }

  begin(call: CallLike, invocation: Invocation): void {
    const engine = this.#engine
    const { flags } = invocation
    const declared = (flags & SCRIPT_EVAL_COMPAT_MODE) === 0
    const caller = call.client
    this.name = invocation.name
    this.isEval = invocation.isEval
    this.resp = 2
    this.hasWritten = false
    this.killed = false
    this.invocation = invocation
    this.caller = caller
    this.command = call.command
    this.request = call.args
    this.startedMs = performance.now()
    this.frozenMs = engine.now
    this.isOutOfMemory = engine.maxmemory !== 0 && !engine.makeRoom()
    this.#readOnly = invocation.readOnly || (declared && (flags & SCRIPT_NO_WRITES) !== 0)
    this.#allowOom = declared && (flags & SCRIPT_ALLOW_OOM) !== 0
    this.#repl = REPL_ALL
    const client = this.#client
    client.db = caller.db
    client.account = caller.account
    client.isMaster = caller.isMaster
  }

  get elapsedMs(): number {
    return Math.floor(performance.now() - this.startedMs)
  }

  call(request: Request): string | null {
    const engine = this.#engine
    const command = this.#find(request)
    const refusal = this.#refusal(command, request)
    if (refusal !== null) {
      engine.countError(refusal.startsWith('-') ? refusal.slice(1) : `ERR ${refusal}`, 1)
      if (command !== undefined) command.rejectedCalls++
      return refusal
    }
    if ((command!.flagBits & FLAG_WRITE) !== 0) this.hasWritten = true
    const reply = this.#reply
    reply.clear()
    reply.resp = this.resp
    this.#client.resp = this.resp
    this.#client.lastCommand = command
    const { executor } = engine
    const kept = this.#repl === REPL_ALL ? null : executor.swapOperations([])
    executor.executeAside(this.#client, command!, request, reply)
    if (kept === null) return null
    for (const operation of executor.swapOperations(kept)) {
      operation.target &= this.#repl
      if (operation.target !== 0) kept.push(operation)
    }
    return null
  }

  takeReply(): Buffer {
    return this.#reply.peek()
  }

  aclAllows(request: Request): boolean | undefined {
    const command = this.#find(request)
    if (command === undefined) return undefined
    const { account } = this.caller
    return !account.isRestricted || this.#engine.acl.dryRun(account.name, command, request, 0) === undefined
  }

  setRepl(flags: number): void {
    this.#repl = flags
  }

  /** redis 7.0.15 server.c lookupCommand: a container's unknown subcommand is no command. */
  #find(request: Request): Command | undefined {
    const { table } = this.#engine
    const command = table.lookup(request.buf, request.start(0), request.end(0))
    if (command?.subcommands === undefined || request.argc === 1) return command
    return table.lookupSub(command, request.buf, request.start(1), request.end(1))
  }

  /** In the order of redis 7.0.15 script.c scriptCall. */
  #refusal(command: Command | undefined, request: Request): string | null {
    const engine = this.#engine
    if (command === undefined) return 'Unknown Redis command called from script'
    if (!command.takes(request.argc)) return 'Wrong number of args calling Redis command from script'
    const flags = command.flagBits
    if ((flags & FLAG_NOSCRIPT) !== 0 && !engine.debug.allowNoscript) {
      return 'This Redis command is not allowed from script'
    }
    if (engine.isStale && (flags & FLAG_STALE) === 0) return 'Can not execute the command on a stale replica'
    if (this.caller.account.isRestricted) {
      const text = engine.acl.scriptRefusal(this.caller, command, request)
      if (text !== null) return text
    }
    if (this.#readOnly && (flags & (FLAG_WRITE | FLAG_MAY_REPLICATE)) !== 0) {
      return 'Write commands are not allowed from read-only scripts.'
    }
    // What has been begun is not stopped half way.
    if (this.hasWritten) return null
    if ((flags & FLAG_WRITE) !== 0) {
      if (engine.isReadOnly && !this.caller.isMaster) return `-${errors.readOnly}`
      if (engine.diskError !== null) return `-${engine.diskError}`
      if (engine.lacksReplicas(this.caller)) return `-${errors.noReplicas}`
    }
    if (this.isOutOfMemory && !this.#allowOom && (flags & FLAG_DENYOOM) !== 0 && !this.caller.isMaster) {
      return `-${errors.outOfMemory}`
    }
    return null
  }
}

/** Of the client that scripts' commands run as: nobody reads what it is sent. */
const TRANSPORT: Transport = {
  remoteAddress: 'lua',
  localAddress: '',
  fd: -1,
  pendingBytes: 0,
  queryBytes: 0,
  resume: () => {},
  close: () => {},
  writeText: () => {},
  writeBuffers: () => {},
}
