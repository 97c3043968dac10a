/**
 * Names of Lua 5.1's lua.h, and the functions that the WebAssembly module exports, as they are: pointers and numbers,
 * booleans as 0 and 1. What makes them comfortable is in api.ts.
 */
export const LUA_MULTRET = -1
export const LUA_REGISTRYINDEX = -10000
export const LUA_ENVIRONINDEX = -10001
export const LUA_GLOBALSINDEX = -10002

export const LUA_OK = 0
export const LUA_YIELD = 1
export const LUA_ERRRUN = 2
export const LUA_ERRSYNTAX = 3
export const LUA_ERRMEM = 4
export const LUA_ERRERR = 5

export const LUA_TNONE = -1
export const LUA_TNIL = 0
export const LUA_TBOOLEAN = 1
export const LUA_TLIGHTUSERDATA = 2
export const LUA_TNUMBER = 3
export const LUA_TSTRING = 4
export const LUA_TTABLE = 5
export const LUA_TFUNCTION = 6
export const LUA_TUSERDATA = 7
export const LUA_TTHREAD = 8

export const LUA_MASKLINE = 4
export const LUA_MASKCOUNT = 8
export const LUA_GCCOLLECT = 2
export const LUA_GCCOUNT = 3
export const LUA_GCCOUNTB = 4
export const LUA_GCSTEP = 5

/** The functions of the module as they are: pointers and numbers. Booleans are 0 and 1. */
export interface LuaExports {
  readonly memory: WebAssembly.Memory
  readonly __indirect_function_table: WebAssembly.Table
  __wasm_call_ctors(): void
  malloc(size: number): number
  free(pointer: number): void
  setThrew(threw: number, value: number): void
  stackSave(): number
  stackRestore(pointer: number): void
  luaL_newstate(): number
  lua_close(L: number): void
  lua_newthread(L: number): number
  lua_gettop(L: number): number
  lua_settop(L: number, index: number): void
  lua_pushvalue(L: number, index: number): void
  lua_remove(L: number, index: number): void
  lua_insert(L: number, index: number): void
  lua_replace(L: number, index: number): void
  lua_checkstack(L: number, extra: number): number
  lua_xmove(from: number, to: number, n: number): void
  lua_type(L: number, index: number): number
  lua_iscfunction(L: number, index: number): number
  lua_isnumber(L: number, index: number): number
  lua_isstring(L: number, index: number): number
  lua_rawequal(L: number, a: number, b: number): number
  lua_equal(L: number, a: number, b: number): number
  lua_lessthan(L: number, a: number, b: number): number
  lua_tonumber(L: number, index: number): number
  lua_tointeger(L: number, index: number): number
  lua_toboolean(L: number, index: number): number
  lua_tolstring(L: number, index: number, length: number): number
  lua_objlen(L: number, index: number): number
  lua_touserdata(L: number, index: number): number
  lua_tothread(L: number, index: number): number
  lua_topointer(L: number, index: number): number
  lua_pushnil(L: number): void
  lua_pushnumber(L: number, x: number): void
  lua_pushinteger(L: number, n: number): void
  lua_pushlstring(L: number, bytes: number, length: number): void
  lua_pushcclosure(L: number, fn: number, upvalues: number): void
  lua_pushboolean(L: number, b: number): void
  lua_pushlightuserdata(L: number, pointer: number): void
  lua_pushthread(L: number): number
  lua_gettable(L: number, index: number): void
  lua_getfield(L: number, index: number, name: number): void
  lua_rawget(L: number, index: number): void
  lua_rawgeti(L: number, index: number, n: number): void
  lua_createtable(L: number, array: number, record: number): void
  lua_newuserdata(L: number, size: number): number
  lua_getmetatable(L: number, index: number): number
  lua_getfenv(L: number, index: number): void
  lua_settable(L: number, index: number): void
  lua_setfield(L: number, index: number, name: number): void
  lua_rawset(L: number, index: number): void
  lua_rawseti(L: number, index: number, n: number): void
  lua_setmetatable(L: number, index: number): number
  lua_setfenv(L: number, index: number): number
  lua_call(L: number, args: number, results: number): void
  lua_pcall(L: number, args: number, results: number, errorHandler: number): number
  lua_yield(L: number, results: number): number
  lua_resume(L: number, args: number): number
  lua_status(L: number): number
  lua_gc(L: number, what: number, data: number): number
  lua_error(L: number): number
  lua_next(L: number, index: number): number
  lua_concat(L: number, n: number): void
  lua_getstack(L: number, level: number, ar: number): number
  lua_getinfo(L: number, what: number, ar: number): number
  lua_sethook(L: number, hook: number, mask: number, count: number): number
  luaL_loadbuffer(L: number, bytes: number, length: number, name: number): number
  luaL_where(L: number, level: number): void
  luaL_argerror(L: number, argument: number, text: number): number
  luaL_typerror(L: number, argument: number, name: number): number
  luaL_checknumber(L: number, argument: number): number
  luaL_checkinteger(L: number, argument: number): number
  luaL_optinteger(L: number, argument: number, otherwise: number): number
  luaL_checklstring(L: number, argument: number, length: number): number
  luaL_checktype(L: number, argument: number, type: number): void
  luaL_checkany(L: number, argument: number): void
  luaL_checkstack(L: number, extra: number, text: number): void
  luaL_getmetafield(L: number, index: number, name: number): number
  luaL_callmeta(L: number, index: number, name: number): number
  luaL_ref(L: number, table: number): number
  luaL_unref(L: number, table: number, ref: number): void
  luaopen_base(L: number): number
  luaopen_table(L: number): number
  luaopen_string(L: number): number
  luaopen_math(L: number): number
  luaopen_debug(L: number): number
}
