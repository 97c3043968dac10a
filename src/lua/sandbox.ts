/**
 * The globals of scripts: Lua's own base, table, string and math, the libraries that Redis adds, and nothing that reaches
 * outside. Everything that can be reached from the globals is read only; a global that does not exist is an error.
 * redis 7.0.15 script_lua.c luaRegisterRedisAPI, eval.c scriptingInit
 */
import { LUA_GLOBALSINDEX, LUA_OK, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, type Lua } from './api.ts'
import { openLibraries } from './libraries/index.ts'
import { type Lrand48, RANDOM_MAX } from './random.ts'
import type { RedisTable } from './redis-table.ts'
import type { Threads } from './threads.ts'

/** What Lua's libraries put there that scripts must not have: files, and ways out of the sandbox. */
const REMOVED = ['dofile', 'loadfile', 'print', 'getfenv', 'setfenv', 'newproxy']

/** Opens all that scripts see. What is to be added to `redis` first is added by `extend`, with the table on top. */
export function openSandbox(
  lua: Lua,
  random: Lrand48,
  threads: Threads,
  redis: RedisTable,
  extend: (L: number) => void,
): void {
  const { c, L } = lua
  lua.pushFunction(L, (state) => {
    c.luaopen_base(state)
    c.luaopen_table(state)
    c.luaopen_string(state)
    c.luaopen_math(state)
    c.lua_settop(state, 0)
    for (const name of REMOVED) {
      c.lua_pushnil(state)
      lua.setField(state, LUA_GLOBALSINDEX, name)
    }
    openLibraries(lua)
    threads.install(state, LUA_GLOBALSINDEX)
    replaceRandom(lua, state, random, redis)
    redis.push(state)
    extend(state)
    lua.setField(state, LUA_GLOBALSINDEX, 'redis')
    return 0
  })
  if (c.lua_pcall(L, 0, 0, 0) !== LUA_OK) throw new Error(`Lua: ${lua.toLatin1(L, -1)}`)
}

/** From here on globals can neither be changed nor be asked for in vain. */
export function protectGlobals(lua: Lua): void {
  const { c, L } = lua
  c.lua_pushvalue(L, LUA_GLOBALSINDEX)
  setErrorMetatable(lua, L)
  protect(lua, L)
  lua.pop(L)
  // That of strings can be reached from every string.
  lua.pushLatin1(L, '')
  if (c.lua_getmetatable(L, -1) !== 0) {
    protect(lua, L)
    lua.pop(L)
  }
  lua.pop(L)
}

/** The table on top raises an error for each key that it does not have. */
export function setErrorMetatable(lua: Lua, L: number): void {
  lua.c.lua_createtable(L, 0, 1)
  lua.setFunction(L, -1, '__index', (state) => {
    if (lua.c.lua_gettop(state) !== 2) lua.error(state, 'Wrong number of arguments to luaProtectedTableError')
    const type = lua.c.lua_type(state, -1)
    if (type !== LUA_TSTRING && type !== LUA_TNUMBER) {
      lua.error(state, 'Second argument to luaProtectedTableError must be a string or number')
    }
    return lua.error(state, `Script attempted to access nonexistent global variable '${lua.toLatin1(state, -1)}'`)
  })
  lua.c.lua_setmetatable(L, -2)
}

/** Makes the table on top read only, and all tables and metatables that can be reached from it. */
export function protect(lua: Lua, L: number): void {
  const { c } = lua
  if (lua.isReadonly(L, -1)) return
  lua.setReadonly(L, -1, true)
  c.lua_checkstack(L, 4)
  c.lua_pushnil(L)
  while (c.lua_next(L, -2) !== 0) {
    if (c.lua_type(L, -1) === LUA_TTABLE) protect(lua, L)
    lua.pop(L)
  }
  if (c.lua_getmetatable(L, -1) !== 0) {
    protect(lua, L)
    lua.pop(L)
  }
}

/** math.random and math.randomseed over Redis's own generator. */
function replaceRandom(lua: Lua, L: number, generator: Lrand48, redis: RedisTable): void {
  const { c } = lua
  const inScript = (state: number, name: string) => {
    if (redis.run === null) lua.error(state, `math.${name} can only be called inside a script invocation`)
  }
  lua.getField(L, LUA_GLOBALSINDEX, 'math')
  lua.setFunction(L, -1, 'random', (state) => {
    inScript(state, 'random')
    const r = (generator.next() % RANDOM_MAX) / RANDOM_MAX
    const argc = c.lua_gettop(state)
    if (argc > 2) lua.error(state, 'wrong number of arguments')
    if (argc === 0) {
      c.lua_pushnumber(state, r)
      return 1
    }
    const low = argc === 1 ? 1 : c.luaL_checkinteger(state, 1)
    const high = c.luaL_checkinteger(state, argc)
    if (low > high) lua.argumentError(state, argc, 'interval is empty')
    c.lua_pushnumber(state, Math.floor(r * (high - low + 1)) + low)
    return 1
  })
  lua.setFunction(L, -1, 'randomseed', (state) => {
    inScript(state, 'randomseed')
    generator.seed(c.luaL_checkinteger(state, 1))
    return 0
  })
  lua.pop(L)
}
