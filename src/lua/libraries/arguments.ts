/**
 * Arguments of the libraries' functions, checked as lauxlib.c does. The interpreter is a 32-bit program while Redis's
 * is a 64-bit one, so integer arguments are taken as numbers and cut here to what a 64-bit lua_Integer would hold.
 */
import type { Lua } from '../api.ts'
import { toInt64 } from './numbers.ts'

/** The n-th upvalue's stack index. */
export const FIRST_UPVALUE = -10003

/** lua_typename, by type. */
export const TYPE_NAMES = [
  'nil',
  'boolean',
  'userdata',
  'number',
  'string',
  'table',
  'function',
  'userdata',
  'thread',
] as const

/** "bad argument #n to 'f' (text)"; the text lives on the Lua stack, so any number of different ones costs nothing. */
export function argumentError(lua: Lua, L: number, argument: number, text: string): never {
  lua.pushLatin1(L, text)
  lua.c.luaL_argerror(L, argument, lua.toPointer(L, -1))
  throw new Error(text)
}

/** luaL_checkinteger where lua_Integer has 64 bits. */
export function checkInteger(lua: Lua, L: number, argument: number): number {
  return toInt64(lua.c.luaL_checknumber(L, argument))
}

/** luaL_optinteger. */
export function optionalInteger(lua: Lua, L: number, argument: number, otherwise: number): number {
  return lua.c.lua_type(L, argument) <= 0 ? otherwise : checkInteger(lua, L, argument)
}

/** luaL_checklstring: where the bytes are; `lua.stringLength` is how many. */
export function checkString(lua: Lua, L: number, argument: number): number {
  const pointer = lua.toPointer(L, argument)
  if (pointer === 0) lua.c.luaL_typerror(L, argument, lua.name('string'))
  return pointer
}
