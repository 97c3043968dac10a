/**
 * The table `redis` of scripts and functions (redis 7.0.15 script_lua.c luaRegisterRedisAPI). redis.call makes no copies:
 * the request that it hands over points at the strings where they lie in the interpreter's memory, since nothing of Lua
 * runs until the command is done; numbers are written beside them.
 */
import { createHash } from 'node:crypto'
import { formatDouble17 } from '../bytes/doubles.ts'
import { integerLength, writeInteger } from '../bytes/integers.ts'
import { Request } from '../resp/request.ts'
import { LUA_TNUMBER, LUA_TSTRING, type Lua } from './api.ts'
import { REPL_ALL, REPL_AOF, REPL_NONE, REPL_REPLICA, type ScriptRun, type ScriptServer } from './script-run.ts'
import { pushError, ReplyReader } from './to-lua.ts'

const VERSION = '7.0.15'
const VERSION_NUMBER = 0x0007000f
/** printf("%.17g") gives at most 24 characters. */
const NUMBER_BYTES = 32
const MAX_PLAIN_INTEGER = 2 ** 53
const LEVELS = ['LOG_DEBUG', 'LOG_VERBOSE', 'LOG_NOTICE', 'LOG_WARNING']

export class RedisTable {
  /** The script that runs; null while functions are loaded. */
  run: ScriptRun | null = null

  #lua: Lua
  #server: ScriptServer
  #reader: ReplyReader
  #request = new Request()
  #numbers = 0
  #numbersCapacity = 0
  #inUse = false

  constructor(lua: Lua, server: ScriptServer) {
    this.#lua = lua
    this.#server = server
    this.#reader = new ReplyReader(lua)
  }

  /** Pushes the table. */
  push(L: number): void {
    const lua = this.#lua
    const { c } = lua
    c.lua_createtable(L, 0, 32)
    lua.setFunction(L, -1, 'call', (state) => this.#call(state, true))
    lua.setFunction(L, -1, 'pcall', (state) => this.#call(state, false))
    lua.setFunction(L, -1, 'log', (state) => this.#log(state))
    lua.setFunction(L, -1, 'setresp', (state) => this.#setResp(state))
    lua.setFunction(L, -1, 'sha1hex', (state) => this.#sha1hex(state))
    lua.setFunction(L, -1, 'error_reply', (state) => this.#errorReply(state))
    lua.setFunction(L, -1, 'status_reply', (state) => this.#statusReply(state))
    lua.setFunction(L, -1, 'set_repl', (state) => this.#setRepl(state))
    lua.setFunction(L, -1, 'acl_check_cmd', (state) => this.#aclCheck(state))
    this.#addConstants(L)
    lua.setNumber(L, -1, 'REPL_NONE', REPL_NONE)
    lua.setNumber(L, -1, 'REPL_AOF', REPL_AOF)
    lua.setNumber(L, -1, 'REPL_SLAVE', REPL_REPLICA)
    lua.setNumber(L, -1, 'REPL_REPLICA', REPL_REPLICA)
    lua.setNumber(L, -1, 'REPL_ALL', REPL_ALL)
  }

  #addConstants(L: number): void {
    const lua = this.#lua
    LEVELS.forEach((name, level) => {
      lua.setNumber(L, -1, name, level)
    })
    lua.setNumber(L, -1, 'REDIS_VERSION_NUM', VERSION_NUMBER)
    lua.setText(L, -1, 'REDIS_VERSION', VERSION)
  }

  /** The table that the code of a library sees while it is loaded: it registers functions, and may log. */
  pushForLoading(L: number, register: (state: number) => number): void {
    const lua = this.#lua
    lua.c.lua_createtable(L, 0, 8)
    lua.setFunction(L, -1, 'register_function', register)
    lua.setFunction(L, -1, 'log', (state) => this.#log(state))
    this.#addConstants(L)
  }

  /** Adds what only EVAL's scripts have: the debugger's hooks, which do nothing outside of it, and replicate_commands. */
  addEvalFunctions(L: number): void {
    const lua = this.#lua
    lua.setFunction(L, -1, 'breakpoint', (state) => {
      lua.c.lua_pushboolean(state, 0)
      return 1
    })
    lua.setFunction(L, -1, 'debug', () => 0)
    lua.setFunction(L, -1, 'replicate_commands', (state) => {
      lua.c.lua_pushboolean(state, 1)
      return 1
    })
  }

  /** Raises { err = 'ERR text' }. */
  raise(L: number, text: string): never {
    pushError(this.#lua, L, text)
    return this.#lua.throwTop(L)
  }

  // ---- redis.call and redis.pcall -----------------------------------------------------------------------------------

  #call(L: number, raises: boolean): number {
    const lua = this.#lua
    const { run } = this
    if (run === null) this.raise(L, 'redis.call/pcall can only be called inside a script invocation')
    const failure = this.#readArguments(L)
    if (failure !== null) {
      if (raises) this.raise(L, failure)
      pushError(lua, L, failure)
      return 1
    }
    if (this.#inUse) {
      pushError(
        lua,
        L,
        'luaRedisGenericCommand() recursive call detected. Are you doing funny stuff with Lua debug hooks?',
      )
      return 1
    }
    this.#inUse = true
    let refusal: string | null
    try {
      refusal = run.call(this.#request)
    } finally {
      this.#inUse = false
    }
    lua.c.lua_settop(L, 0)
    let failed = refusal !== null
    if (refusal !== null) {
      pushError(lua, L, refusal, true)
    } else {
      const reply = run.takeReply()
      failed = reply[0] === 0x2d
      this.#reader.push(L, reply)
    }
    return failed && raises ? lua.throwTop(L) : 1
  }

  /** The arguments on the stack as a request, or why they are none. redis 7.0.15 script_lua.c luaArgsToRedisArgv */
  #readArguments(L: number): string | null {
    const lua = this.#lua
    const argc = lua.c.lua_gettop(L)
    if (argc === 0) return 'Please specify at least one argument for this redis lib call'
    const request = this.#request
    request.argc = 0
    let isReserved = false
    for (let i = 1; i <= argc; i++) {
      const type = lua.argument(L, i)
      if (type === LUA_TSTRING) {
        request.addArgument(lua.stringStart, lua.stringStart + lua.stringLength)
      } else if (type === LUA_TNUMBER) {
        if (!isReserved) this.#reserve(argc)
        isReserved = true
        const at = this.#numbers + (i - 1) * NUMBER_BYTES
        request.addArgument(at, at + this.#writeNumber(at, lua.number))
      } else {
        return 'Lua redis lib command arguments must be strings or integers'
      }
    }
    request.buf = lua.bytes
    return null
  }

  /** Room for as many numbers, so that no memory moves while they are written. */
  #reserve(n: number): void {
    if (n <= this.#numbersCapacity) return
    const { c } = this.#lua
    if (this.#numbers !== 0) c.free(this.#numbers)
    this.#numbersCapacity = Math.max(16, n * 2)
    this.#numbers = c.malloc(this.#numbersCapacity * NUMBER_BYTES)
  }

  #writeNumber(at: number, x: number): number {
    const { bytes } = this.#lua
    if (Number.isInteger(x) && x > -MAX_PLAIN_INTEGER && x < MAX_PLAIN_INTEGER && (x !== 0 || 1 / x > 0)) {
      writeInteger(bytes, at, x)
      return integerLength(x)
    }
    const text = Number.isNaN(x) && this.#lua.numberIsNegative ? '-nan' : formatDouble17(x)
    return bytes.latin1Write(text, at)
  }

  // ---- the others -----------------------------------------------------------------------------------------------------

  #aclCheck(L: number): number {
    if (this.run === null) this.raise(L, 'redis.acl_check_cmd can only be called inside a script invocation')
    const failure = this.#readArguments(L)
    if (failure !== null) this.raise(L, failure)
    const allowed = this.run.aclAllows(this.#request)
    if (allowed === undefined) this.raise(L, 'Invalid command passed to redis.acl_check_cmd()')
    this.#lua.c.lua_pushboolean(L, allowed ? 1 : 0)
    return 1
  }

  #setRepl(L: number): number {
    if (this.run === null) this.raise(L, 'redis.set_repl can only be called inside a script invocation')
    const { c } = this.#lua
    if (c.lua_gettop(L) !== 1) this.raise(L, 'redis.set_repl() requires two arguments.')
    const flags = c.lua_tonumber(L, -1) | 0
    if ((flags & ~REPL_ALL) !== 0) {
      this.raise(L, 'Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
    }
    this.run.setRepl(flags)
    return 0
  }

  #setResp(L: number): number {
    if (this.run === null) this.raise(L, 'redis.setresp can only be called inside a script invocation')
    const { c } = this.#lua
    if (c.lua_gettop(L) !== 1) this.raise(L, 'redis.setresp() requires one argument.')
    const resp = c.lua_tonumber(L, -1) | 0
    if (resp !== 2 && resp !== 3) this.raise(L, 'RESP version must be 2 or 3.')
    this.run.resp = resp
    return 0
  }

  #log(L: number): number {
    const lua = this.#lua
    const { c } = lua
    const argc = c.lua_gettop(L)
    if (argc < 2) this.raise(L, 'redis.log() requires two arguments or more.')
    if (c.lua_isnumber(L, 1) === 0) this.raise(L, 'First argument must be a number (log level).')
    const level = c.lua_tonumber(L, 1) | 0
    if (level < 0 || level >= LEVELS.length) this.raise(L, 'Invalid debug level.')
    if (level < this.#server.logLevel) return 0
    let text = ''
    for (let i = 2; i <= argc; i++) {
      const part = lua.toBytes(L, i)
      if (part !== undefined) text += (i === 2 ? '' : ' ') + part.toString('utf8')
    }
    this.#server.log(level, text)
    return 0
  }

  #sha1hex(L: number): number {
    const lua = this.#lua
    if (lua.c.lua_gettop(L) !== 1) this.raise(L, 'wrong number of arguments')
    const bytes = lua.toBytes(L, 1) ?? Buffer.alloc(0)
    lua.pushLatin1(L, createHash('sha1').update(bytes).digest('hex'))
    return 1
  }

  #errorReply(L: number): number {
    const lua = this.#lua
    if (!this.#isOneString(L)) return 1
    const text = lua.toLatin1(L, 1)!
    pushError(lua, L, text.startsWith('-') ? text : `-${text}`)
    return 1
  }

  #statusReply(L: number): number {
    const lua = this.#lua
    if (!this.#isOneString(L)) return 1
    lua.c.lua_createtable(L, 0, 1)
    lua.c.lua_pushvalue(L, 1)
    lua.setField(L, -2, 'ok')
    return 1
  }

  /** Pushes the error that stands for a reply if it is not so. */
  #isOneString(L: number): boolean {
    const { c } = this.#lua
    if (c.lua_gettop(L) === 1 && c.lua_type(L, 1) === LUA_TSTRING) return true
    pushError(this.#lua, L, 'wrong number or type of arguments')
    return false
  }
}
