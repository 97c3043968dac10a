/**
 * Runs the code of a function library, which registers its functions. While it runs it sees nothing but a table `redis` of
 * its own; its functions see later what scripts see. Both through one empty table of globals, whose metatable is pointed at
 * the one or the other. redis 7.0.15 function_lua.c luaEngineCreate, luaRegisterFunction
 */
import {
  LUA_GLOBALSINDEX,
  LUA_MASKCOUNT,
  LUA_MASKLINE,
  LUA_OK,
  LUA_REGISTRYINDEX,
  LUA_TFUNCTION,
  LUA_TNIL,
  LUA_TNUMBER,
  LUA_TSTRING,
  LUA_TTABLE,
  type Lua,
} from './api.ts'
import type { RedisTable } from './redis-table.ts'
import { protect, setErrorMetatable } from './sandbox.ts'
import { pushError } from './to-lua.ts'

const CHUNK_NAME = '@user_function'
const HOOK_INSTRUCTIONS = 100_000

export interface RegisteredFunction {
  name: string
  description: string | null
  flags: number
  /** Of the Lua function, in the registry. */
  ref: number
}

export interface LibraryReceiver {
  /** The bit of a flag's name, in any case; undefined for an unknown one. */
  flag(name: string): number | undefined
  /** An error text, or null when it was taken. */
  register(fn: RegisteredFunction): string | null
}

export class LibraryLoader {
  #lua: Lua
  #redis: RedisTable
  /** References of the globals of functions, their metatable, and what code that is being loaded sees. */
  #globals: number
  #metatable: number
  #loadingGlobals: number
  #hook: number
  #receiver: LibraryReceiver | null = null
  #deadlineMs = 0

  /** To be made when the globals of the state are protected. */
  constructor(lua: Lua, redis: RedisTable) {
    this.#lua = lua
    this.#redis = redis
    const { c, L } = lua
    c.lua_createtable(L, 0, 1)
    this.#redis.pushForLoading(L, (state) => this.#registerFunction(state))
    setErrorMetatable(lua, L)
    lua.setField(L, -2, 'redis')
    setErrorMetatable(lua, L)
    protect(lua, L)
    this.#loadingGlobals = c.luaL_ref(L, LUA_REGISTRYINDEX)
    c.lua_createtable(L, 0, 0)
    c.lua_createtable(L, 0, 1)
    c.lua_pushvalue(L, LUA_GLOBALSINDEX)
    lua.setField(L, -2, '__index')
    lua.setReadonly(L, -1, true)
    c.lua_pushvalue(L, -1)
    this.#metatable = c.luaL_ref(L, LUA_REGISTRYINDEX)
    c.lua_setmetatable(L, -2)
    lua.setReadonly(L, -1, true)
    this.#globals = c.luaL_ref(L, LUA_REGISTRYINDEX)
    this.#hook = lua.hookPointer((state) => this.#onCount(state))
  }

  /** Runs the code; `timeoutMs` 0 waits for ever. An error text, or null. */
  load(code: Uint8Array, timeoutMs: number, receiver: LibraryReceiver): string | null {
    const lua = this.#lua
    const { c, L } = lua
    if (lua.load(L, code, CHUNK_NAME) !== LUA_OK) {
      const text = lua.toLatin1(L, -1) ?? ''
      lua.pop(L)
      return `Error compiling function: ${text}`
    }
    c.lua_rawgeti(L, LUA_REGISTRYINDEX, this.#globals)
    c.lua_setfenv(L, -2)
    this.#receiver = receiver
    this.#deadlineMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs
    this.#pointGlobalsAt(this.#loadingGlobals)
    c.lua_sethook(L, this.#hook, LUA_MASKCOUNT, HOOK_INSTRUCTIONS)
    try {
      if (c.lua_pcall(L, 0, 0, 0) === LUA_OK) return null
      const text = this.#errorText(L)
      lua.pop(L)
      return `Error registering functions: ${text}`
    } finally {
      c.lua_sethook(L, 0, 0, 0)
      this.#pointGlobalsAt(0)
      this.#receiver = null
    }
  }

  release(ref: number): void {
    this.#lua.c.luaL_unref(this.#lua.L, LUA_REGISTRYINDEX, ref)
  }

  /** `ref` 0 stands for the globals of the state. */
  #pointGlobalsAt(ref: number): void {
    const lua = this.#lua
    const { c, L } = lua
    c.lua_rawgeti(L, LUA_REGISTRYINDEX, this.#metatable)
    lua.setReadonly(L, -1, false)
    if (ref === 0) c.lua_pushvalue(L, LUA_GLOBALSINDEX)
    else c.lua_rawgeti(L, LUA_REGISTRYINDEX, ref)
    lua.setField(L, -2, '__index')
    lua.setReadonly(L, -1, true)
    lua.pop(L)
  }

  /** redis 7.0.15 script_lua.c luaExtractErrorInformation */
  #errorText(L: number): string {
    const lua = this.#lua
    const type = lua.c.lua_type(L, -1)
    if (type === LUA_TSTRING || type === LUA_TNUMBER) return `ERR ${lua.toLatin1(L, -1)}`
    if (type !== LUA_TTABLE) return 'ERR unknown'
    lua.rawGetField(L, -1, 'err')
    const text = lua.toLatin1(L, -1)
    lua.pop(L)
    return text ?? 'ERR unknown'
  }

  /** Once it is too late, before every line: code that catches the error does not get far. */
  #onCount(L: number): void {
    if (performance.now() < this.#deadlineMs) return
    this.#lua.c.lua_sethook(L, this.#hook, LUA_MASKLINE, 0)
    this.#redis.raise(L, 'FUNCTION LOAD timeout')
  }

  // ---- redis.register_function --------------------------------------------------------------------------------------

  #registerFunction(L: number): number {
    const lua = this.#lua
    const { c } = lua
    const receiver = this.#receiver
    if (receiver === null) {
      return this.#redis.raise(L, 'redis.register_function can only be called on FUNCTION LOAD command')
    }
    const argc = c.lua_gettop(L)
    if (argc < 1 || argc > 2) return this.#redis.raise(L, 'wrong number of arguments to redis.register_function')
    const fn = argc === 1 ? this.#namedArguments(L, receiver) : this.#positionalArguments(L)
    if (typeof fn === 'string') {
      pushError(lua, L, fn)
      return lua.throwTop(L)
    }
    const refusal = receiver.register(fn)
    if (refusal === null) return 0
    this.release(fn.ref)
    pushError(lua, L, refusal)
    return lua.throwTop(L)
  }

  #positionalArguments(L: number): RegisteredFunction | string {
    const { c } = this.#lua
    const name = this.#text(L, 1)
    if (name === undefined) return 'first argument to redis.register_function must be a string'
    if (c.lua_type(L, 2) !== LUA_TFUNCTION) return 'second argument to redis.register_function must be a function'
    return { name, description: null, flags: 0, ref: c.luaL_ref(L, LUA_REGISTRYINDEX) }
  }

  #namedArguments(L: number, receiver: LibraryReceiver): RegisteredFunction | string {
    const { c } = this.#lua
    if (c.lua_type(L, 1) !== LUA_TTABLE) {
      return 'calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).'
    }
    const found: { name?: string; description?: string; flags: number; ref: number } = { flags: 0, ref: 0 }
    c.lua_pushnil(L)
    while (c.lua_next(L, 1) !== 0) {
      const error = this.#namedArgument(L, receiver, found)
      if (error === null) continue
      if (found.ref !== 0) this.release(found.ref)
      return error
    }
    const { name, description, flags, ref } = found
    if (name === undefined) {
      if (ref !== 0) this.release(ref)
      return 'redis.register_function must get a function name argument'
    }
    if (ref === 0) return 'redis.register_function must get a callback argument'
    return { name, description: description ?? null, flags, ref }
  }

  /** One key and value on top, of which the value is popped. */
  #namedArgument(
    L: number,
    receiver: LibraryReceiver,
    found: { name?: string; description?: string; flags: number; ref: number },
  ): string | null {
    const lua = this.#lua
    const { c } = lua
    const keyType = c.lua_type(L, -2)
    // Turning a number into a string in place would lead lua_next astray; no argument has such a name.
    if (keyType === LUA_TNUMBER) return 'unknown argument given to redis.register_function'
    if (keyType !== LUA_TSTRING) return 'named argument key given to redis.register_function is not a string'
    switch (lua.toLatin1(L, -2)!.toLowerCase()) {
      case 'function_name': {
        const text = this.#text(L, -1)
        if (text === undefined) return 'function_name argument given to redis.register_function must be a string'
        found.name = text
        break
      }
      case 'description': {
        const text = this.#text(L, -1)
        if (text === undefined) return 'description argument given to redis.register_function must be a string'
        found.description = text
        break
      }
      case 'callback':
        if (c.lua_type(L, -1) !== LUA_TFUNCTION) {
          return 'callback argument given to redis.register_function must be a function'
        }
        found.ref = c.luaL_ref(L, LUA_REGISTRYINDEX)
        return null
      case 'flags': {
        if (c.lua_type(L, -1) !== LUA_TTABLE) {
          return 'flags argument to redis.register_function must be a table representing function flags'
        }
        const flags = this.#flags(L, receiver)
        if (flags === undefined) return 'unknown flag given'
        found.flags = flags
        break
      }
      default:
        return 'unknown argument given to redis.register_function'
    }
    lua.pop(L)
    return null
  }

  /** Of the array on top. */
  #flags(L: number, receiver: LibraryReceiver): number | undefined {
    const lua = this.#lua
    let flags = 0
    for (let i = 1; ; i++) {
      lua.c.lua_rawgeti(L, -1, i)
      if (lua.c.lua_type(L, -1) === LUA_TNIL) {
        lua.pop(L)
        return flags
      }
      const name = this.#text(L, -1)
      lua.pop(L)
      const flag = name === undefined ? undefined : receiver.flag(name.toLowerCase())
      if (flag === undefined) return undefined
      flags |= flag
    }
  }

  #text(L: number, index: number): string | undefined {
    const type = this.#lua.c.lua_type(L, index)
    return type === LUA_TSTRING || type === LUA_TNUMBER ? this.#lua.toLatin1(L, index) : undefined
  }
}
