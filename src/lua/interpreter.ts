/**
 * One Lua interpreter with its sandbox: compiles scripts, runs them, and can be held up.
 *
 * A run is `start(run, ...)`, and as long as that (or `resume`) says HELD, `resume()` later: the script ran for longer than
 * busy-reply-threshold and was suspended, and is again after each slice. Then DONE or FAILED, and `reply()` writes what it
 * returned or the error. Scripts run in one coroutine, which is used again unless it ended in an error; that it stays as it
 * was at the error tells where the error was raised. redis 7.0.15 script_lua.c luaCallFunction
 *
 * Where a script cannot be held up (threads.ts; or the caller does not want it, as in EXEC) it runs on, and everybody waits.
 * After ten times the threshold it is ended by an error, if it has written nothing, since nobody could kill it.
 */
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import {
  type CallSite,
  LUA_GCSTEP,
  LUA_GLOBALSINDEX,
  LUA_MASKCOUNT,
  LUA_OK,
  LUA_REGISTRYINDEX,
  LUA_TBOOLEAN,
  LUA_TNIL,
  LUA_TNUMBER,
  LUA_TSTRING,
  LUA_TTABLE,
  LUA_YIELD,
  Lua,
} from './api.ts'
import { RedisTable } from './redis-table.ts'
import { openSandbox, protectGlobals } from './sandbox.ts'
import type { ScriptRun, ScriptServer } from './script-run.ts'
import { callerSite, Threads } from './threads.ts'
import { ReplyMaker } from './to-reply.ts'

export const DONE = 0
export const FAILED = 1
export const HELD = 2

/** Of EVAL and FCALL: the script, the number of keys, then the keys. */
const FIRST_KEY = 3
const HOOK_INSTRUCTIONS = 100_000
/** A collector step this often, of this size. */
const GC_PERIOD = 50
const UNHELD_THRESHOLDS = 10
const KILLED = 'Script killed by user with SCRIPT KILL...'
const TOO_LONG = 'Script ended: it ran for too long where it could not be interrupted'

interface Failure {
  /** 'CODE text' */
  text: string
  source: string | undefined
  line: string | undefined
  /** The error is in the statistics already. */
  counted: boolean
}

export class Interpreter {
  readonly lua: Lua
  readonly redis: RedisTable

  #server: ScriptServer
  #threads: Threads
  #replies: ReplyMaker
  #hook: number
  /** Address of the globals. */
  #globals: number
  /** The coroutine of scripts and what keeps it in the registry. */
  #thread = 0
  #threadRef = 0
  #mayHold = false
  #startedMs = 0
  #thresholdMs = 0
  #failure: Failure | null = null
  #runs = 0
  /** Where the script was when it was held up. */
  #heldAt: CallSite | undefined

  /** `extend` adds to the table `redis`, which is on top, before all is protected. */
  constructor(server: ScriptServer, extend: (interpreter: Interpreter, L: number) => void) {
    this.#server = server
    this.lua = new Lua()
    this.#threads = new Threads(this.lua)
    this.#replies = new ReplyMaker(this.lua)
    this.redis = new RedisTable(this.lua, server)
    openSandbox(this.lua, server.random, this.#threads, this.redis, (L) => extend(this, L))
    protectGlobals(this.lua)
    this.#globals = this.lua.globalsPointer
    this.#hook = this.lua.hookPointer((L) => this.#onCount(L))
    this.#newThread()
  }

  get memoryBytes(): number {
    return this.lua.usedBytes
  }

  /** Milliseconds since the script that runs was started. */
  get elapsedMs(): number {
    return Math.floor(performance.now() - this.#startedMs)
  }

  /** A reference to the compiled function, or the message. */
  compile(code: Uint8Array, chunkName: string): number | string {
    const { lua } = this
    const { c, L } = lua
    if (lua.load(L, code, chunkName) === LUA_OK) return c.luaL_ref(L, LUA_REGISTRYINDEX)
    const message = lua.toLatin1(L, -1) ?? ''
    lua.pop(L)
    return message
  }

  release(ref: number): void {
    this.lua.c.luaL_unref(this.lua.L, LUA_REGISTRYINDEX, ref)
  }

  /** Gives the value on top of L's stack to a global of the protected globals, and pops it. */
  #setGlobal(L: number, name: string): void {
    const { lua } = this
    lua.setTableReadonly(this.#globals, false)
    lua.setField(L, LUA_GLOBALSINDEX, name)
    lua.setTableReadonly(this.#globals, true)
  }

  /** Pushes a table of the request's arguments from..to-1. */
  #pushArguments(L: number, request: Request, from: number, to: number): void {
    const { lua } = this
    lua.c.lua_createtable(L, to - from, 0)
    for (let i = from; i < to; i++) {
      lua.pushBytes(L, request.buf, request.starts[i]!, request.ends[i]!)
      lua.c.lua_rawseti(L, -2, i - from + 1)
    }
  }

  // ---- running ------------------------------------------------------------------------------------------------------

  /**
   * Runs a function. The request's arguments from 3 on are the keys and then the others: globals for a script (`asGlobals`),
   * tables that a function is called with.
   */
  start(run: ScriptRun, ref: number, request: Request, keys: number, asGlobals: boolean, mayHold: boolean): number {
    const { c } = this.lua
    const L = this.#thread
    this.redis.run = run
    this.#mayHold = mayHold
    this.#failure = null
    this.#startedMs = performance.now()
    this.#thresholdMs = this.#server.busyThresholdMs
    c.lua_settop(L, 0)
    c.lua_rawgeti(L, LUA_REGISTRYINDEX, ref)
    this.#pushArguments(L, request, FIRST_KEY, FIRST_KEY + keys)
    if (asGlobals) this.#setGlobal(L, 'KEYS')
    this.#pushArguments(L, request, FIRST_KEY + keys, request.argc)
    if (asGlobals) this.#setGlobal(L, 'ARGV')
    return this.#enter(asGlobals ? 0 : 2)
  }

  /** The next slice of a script that was held up. */
  resume(): number {
    return this.#enter(0)
  }

  #enter(args: number): number {
    const { c } = this.lua
    this.#threads.reset()
    const status = c.lua_resume(this.#thread, args)
    if (status === LUA_YIELD) return HELD
    this.redis.run = null
    if (++this.#runs % GC_PERIOD === 0) c.lua_gc(this.lua.L, LUA_GCSTEP, GC_PERIOD)
    this.lua.trim()
    if (status === LUA_OK) {
      c.lua_settop(this.#thread, 1)
      return DONE
    }
    this.#failure = this.#describeFailure(this.#thread)
    this.#newThread()
    return FAILED
  }

  /** Ends a script that is held up, as SCRIPT KILL wants it. */
  kill(): void {
    const site = this.#heldAt
    this.redis.run = null
    this.#failure = { text: `ERR ${KILLED}`, source: site?.source, line: site && String(site.line), counted: false }
    this.#newThread()
  }

  /**
   * Replies what the script returned, or its error. Returns how many of the errors in it are in the statistics already.
   * redis 7.0.15 script_lua.c luaCallFunction
   */
  reply(reply: ReplyWriter, run: ScriptRun): number {
    const failure = this.#failure
    if (failure === null) {
      this.#replies.reply(this.#thread, reply, run.resp)
      this.lua.c.lua_settop(this.#thread, 0)
      return this.#replies.counted
    }
    this.#failure = null
    const { text, source, line } = failure
    const place = source !== undefined && line !== undefined ? ` script: ${run.name}, on ${source}:${line}.` : ''
    reply.error(`${text}${place}`)
    return failure.counted ? 1 : 0
  }

  #newThread(): void {
    const { lua } = this
    const { c, L } = lua
    if (this.#threadRef !== 0) c.luaL_unref(L, LUA_REGISTRYINDEX, this.#threadRef)
    this.#thread = c.lua_newthread(L)
    this.#threadRef = c.luaL_ref(L, LUA_REGISTRYINDEX)
    c.lua_sethook(this.#thread, this.#hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS)
  }

  /** Once in HOOK_INSTRUCTIONS. redis 7.0.15 script_lua.c luaMaskCountHook, script.c scriptInterrupt */
  #onCount(L: number): void {
    const { run } = this.redis
    const threshold = this.#thresholdMs
    if (run === null || threshold === 0) return
    const elapsed = performance.now() - this.#startedMs
    if (elapsed < threshold) return
    if (this.#mayHold && this.#threads.canHold(L)) {
      this.#heldAt = this.lua.callSite(L, 0)
      this.#threads.hold()
      this.lua.c.lua_yield(L, 0)
    } else if (elapsed > threshold * UNHELD_THRESHOLDS && !run.hasWritten) {
      this.redis.raise(L, TOO_LONG)
    }
  }

  // ---- errors -------------------------------------------------------------------------------------------------------

  /** The error on top of a coroutine that it ended. redis 7.0.15 eval.c __redis__err__handler, luaExtractErrorInformation */
  #describeFailure(L: number): Failure {
    const { lua } = this
    const site = callerSite(lua, L)
    const failure: Failure = {
      text: 'ERR unknown',
      source: site?.source,
      line: site && String(site.line),
      counted: false,
    }
    if (lua.c.lua_type(L, -1) !== LUA_TTABLE) {
      failure.text = `ERR ${this.#describe(L)}`
      return failure
    }
    failure.text = this.#field(L, 'err') ?? failure.text
    if (site === undefined) {
      failure.source = this.#field(L, 'source')
      failure.line = this.#field(L, 'line')
    }
    lua.rawGetField(L, -1, 'ignore_error_stats_update')
    failure.counted = lua.c.lua_type(L, -1) === LUA_TBOOLEAN && lua.c.lua_toboolean(L, -1) !== 0
    lua.pop(L)
    return failure
  }

  #field(L: number, name: string): string | undefined {
    this.lua.rawGetField(L, -1, name)
    const text = this.lua.toLatin1(L, -1)
    this.lua.pop(L)
    return text
  }

  /** tostring of the value on top. */
  #describe(L: number): string {
    const { lua } = this
    const type = lua.c.lua_type(L, -1)
    if (type === LUA_TSTRING || type === LUA_TNUMBER) return lua.toLatin1(L, -1)!
    if (type === LUA_TNIL) return 'nil'
    if (type === LUA_TBOOLEAN) return lua.c.lua_toboolean(L, -1) !== 0 ? 'true' : 'false'
    return `(error object of type ${type})`
  }
}
