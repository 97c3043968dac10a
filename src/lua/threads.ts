/**
 * pcall and coroutines that a held-up script can be taken out of. A script that runs for too long is suspended in the
 * count hook with lua_yield, so that the server can serve others meanwhile; Lua 5.1 cannot yield through C functions that
 * call Lua, and pcall is one. So pcall runs its function in a coroutine of its own: when the hook suspends that one, a
 * piece of Lua around it suspends the coroutine which called pcall, and so on out to the script. When the script goes
 * on, each resumes the one inside of it. coroutine.resume and wrap do the same; coroutine.yield works as it always did,
 * in coroutines that the script made.
 *
 * Metamethods, table.sort's and string.gsub's functions and xpcall remain places where a script cannot be held up.
 */
import {
  type CallSite,
  type HostFunction,
  LUA_OK,
  LUA_TSTRING,
  LUA_TTABLE,
  LUA_TTHREAD,
  LUA_YIELD,
  type Lua,
} from './api.ts'

/** As many as Lua allows C calls inside of each other (LUAI_MAXCCALLS). */
const MAX_DEPTH = 190

const IN_PCALL = 0
const IN_COROUTINE = 1

/** `held` functions return (coroutine, nil) when it was suspended by the hook, else (coroutine, true or false, ...). */
const CHUNK = '=pcall'
const PRELUDE = `
local pcall, pcall_on, resume, resume_on, interrupt, create, raise = ...
local function settle_pcall(co, state, ...)
  if state == nil then
    interrupt()
    return settle_pcall(pcall_on(co))
  end
  return state, ...
end
local function settle_resume(co, state, ...)
  if state == nil then
    interrupt()
    return settle_resume(resume_on(co))
  end
  return state, ...
end
local function unwrap(state, ...)
  if state then return ... end
  return raise((...))
end
return function(...) return settle_pcall(pcall(...)) end,
  function(...) return settle_resume(resume(...)) end,
  function(f)
    local co = create(f)
    return function(...) return unwrap(settle_resume(resume(co, ...))) end
  end
`

/**
 * Where the error was raised, or the caller of what raised it if that is a C function: what a user wants to know. What is
 * Lua here only on behalf of pcall and coroutine counts as C.
 */
export function callerSite(lua: Lua, L: number): CallSite | undefined {
  const first = lua.callSite(L, 0)
  if (first === undefined || (first.what !== 'C' && first.source !== CHUNK)) return first
  let level = 1
  let site = lua.callSite(L, level)
  if (first.source !== CHUNK && site?.source !== CHUNK) return site
  while (site !== undefined && (site.source === CHUNK || site.what === 'tail')) site = lua.callSite(L, ++level)
  return site
}

export class Threads {
  #lua: Lua
  /** What the running coroutine is, behind those that wait for it; the script itself is none of them. */
  #kinds: number[] = []
  #states: number[] = []
  /** Of those that wait, how many could not be suspended now. */
  #stuck = 0
  #held = false

  constructor(lua: Lua) {
    this.#lua = lua
  }

  /** Replaces pcall and the coroutine functions in the globals; to be called inside a protected call. */
  install(L: number, globals: number): void {
    const lua = this.#lua
    const { c } = lua
    lua.getField(L, globals, 'coroutine')
    if (lua.load(L, Buffer.from(PRELUDE), CHUNK) !== LUA_OK) throw new Error(lua.toLatin1(L, -1))
    lua.pushFunction(L, (state) => this.#pcall(state))
    lua.pushFunction(L, (state) => this.#again(state, IN_PCALL))
    lua.pushFunction(L, (state) => this.#resume(state))
    lua.pushFunction(L, (state) => this.#again(state, IN_COROUTINE))
    lua.pushFunction(L, (state) => c.lua_yield(state, 0))
    lua.getField(L, -7, 'create')
    lua.pushFunction(L, (state) => this.#raise(state))
    c.lua_call(L, 7, 3)
    lua.setField(L, -4, 'wrap')
    lua.setField(L, -3, 'resume')
    lua.setField(L, globals, 'pcall')
    lua.setFunction(L, -1, 'yield', (state) => this.#yield(state))
    lua.setFunction(L, -1, 'running', this.#running())
    lua.pop(L)
  }

  /** No coroutine runs: a script begins, or goes on. */
  reset(): void {
    if (this.#kinds.length > 0) this.#kinds.length = 0
    if (this.#states.length > 0) this.#states.length = 0
    this.#stuck = 0
    this.#held = false
  }

  /** The hook of coroutine L may suspend it, and all that wait for it. */
  canHold(L: number): boolean {
    return this.#stuck === 0 && this.#lua.canYield(L)
  }

  /** To be said when the hook suspends. */
  hold(): void {
    this.#held = true
  }

  #pcall(L: number): number {
    const lua = this.#lua
    const { c } = lua
    const n = c.lua_gettop(L)
    if (n === 0) this.#argumentError(L, 'pcall', 'value expected')
    const co = c.lua_newthread(L)
    c.lua_insert(L, 1)
    if (this.#kinds.length >= MAX_DEPTH || c.lua_checkstack(co, n) === 0) return this.#overflow(L)
    c.lua_xmove(L, co, n)
    return this.#run(L, co, n - 1, IN_PCALL)
  }

  #overflow(L: number): number {
    const lua = this.#lua
    lua.c.lua_settop(L, 1)
    lua.c.lua_pushboolean(L, 0)
    lua.pushLatin1(L, 'stack overflow')
    return 3
  }

  #again(L: number, kind: number): number {
    return this.#run(L, this.#lua.c.lua_tothread(L, 1), 0, kind)
  }

  /** lbaselib.c luaB_coresume */
  #resume(L: number): number {
    const lua = this.#lua
    const { c } = lua
    if (c.lua_type(L, 1) !== LUA_TTHREAD) this.#argumentError(L, 'resume', 'coroutine expected')
    const co = c.lua_tothread(L, 1)
    const n = c.lua_gettop(L) - 1
    const refusal = this.#refusal(L, co)
    if (refusal !== undefined) {
      c.lua_settop(L, 1)
      c.lua_pushboolean(L, 0)
      lua.pushLatin1(L, refusal)
      return 3
    }
    if (this.#kinds.length >= MAX_DEPTH || c.lua_checkstack(co, n) === 0) return this.#overflow(L)
    c.lua_xmove(L, co, n)
    return this.#run(L, co, n, IN_COROUTINE)
  }

  #refusal(L: number, co: number): string | undefined {
    const { c } = this.#lua
    if (L === co) return 'cannot resume running coroutine'
    const status = c.lua_status(co)
    if (status === LUA_YIELD) return undefined
    if (status !== LUA_OK) return 'cannot resume dead coroutine'
    if (this.#states.includes(co)) return 'cannot resume normal coroutine'
    return c.lua_gettop(co) === 0 ? 'cannot resume dead coroutine' : undefined
  }

  /** Resumes co, which is value 1 on L's stack, and leaves its results behind it. */
  #run(L: number, co: number, args: number, kind: number): number {
    const { c } = this.#lua
    const stuck = this.#lua.canYield(L) ? 0 : 1
    const status = this.#enter(L, co, args, kind, stuck)
    c.lua_settop(L, 1)
    if (status === LUA_YIELD && this.#held) {
      c.lua_pushnil(L)
      return 2
    }
    if (status === LUA_OK || status === LUA_YIELD) {
      const n = c.lua_gettop(co)
      if (c.lua_checkstack(L, n + 2) === 0) throw new Error('too many results to resume')
      c.lua_pushboolean(L, 1)
      c.lua_xmove(co, L, n)
      return 2 + n
    }
    c.lua_pushboolean(L, 0)
    c.lua_xmove(co, L, 1)
    return kind === IN_PCALL ? this.#caught(L) : 3
  }

  #enter(L: number, co: number, args: number, kind: number, stuck: number): number {
    this.#kinds.push(kind)
    this.#states.push(L)
    this.#stuck += stuck
    this.#held = false
    try {
      return this.#lua.c.lua_resume(co, args)
    } finally {
      this.#kinds.pop()
      this.#states.pop()
      this.#stuck -= stuck
    }
  }

  /** Scripts older than error tables expect a text: it stands for the table. redis 7.0.15 script_lua.c luaRedisPcall */
  #caught(L: number): number {
    const lua = this.#lua
    const { c } = lua
    if (c.lua_type(L, -1) !== LUA_TTABLE) return 3
    lua.getField(L, -1, 'err')
    if (c.lua_isstring(L, -1) !== 0) c.lua_replace(L, -2)
    return c.lua_gettop(L)
  }

  #yield(L: number): number {
    const lua = this.#lua
    if (this.#kinds.at(-1) !== IN_COROUTINE) {
      lua.pushLatin1(L, 'attempt to yield across metamethod/C-call boundary')
      lua.throwTop(L)
    }
    return lua.c.lua_yield(L, lua.c.lua_gettop(L))
  }

  /** The error of a coroutine that coroutine.wrap made goes on; a text tells where it was called. */
  #raise(L: number): never {
    const lua = this.#lua
    if (lua.c.lua_type(L, -1) === LUA_TSTRING) {
      lua.pushLatin1(L, this.#where(L))
      lua.c.lua_insert(L, -2)
      lua.c.lua_concat(L, 2)
    }
    return lua.throwTop(L)
  }

  #argumentError(L: number, name: string, text: string): never {
    this.#lua.pushLatin1(L, `${this.#where(L)}bad argument #1 to '${name}' (${text})`)
    return this.#lua.throwTop(L)
  }

  /** As luaL_where, for the script's function and not the piece of Lua between. */
  #where(L: number): string {
    const site = callerSite(this.#lua, L)
    return site === undefined || site.line < 0 ? '' : `${site.source.replace(/^[@=]/, '')}:${site.line}: `
  }

  #running(): HostFunction {
    const { c } = this.#lua
    return (L) => {
      if (this.#kinds.at(-1) === IN_COROUTINE) c.lua_pushthread(L)
      else c.lua_pushnil(L)
      return 1
    }
  }
}
