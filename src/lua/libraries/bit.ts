/**
 * The global `bit` of scripts: Lua BitOp, operations on numbers as signed 32-bit integers (redis 7.0.15
 * deps/lua/src/lua_bit.c). A number is rounded to the nearest integer, ties to even, and its lowest 32 bits are taken,
 * by adding 2^52 + 2^51 and looking at the lower half of the sum: what that does to numbers beyond 2^51 is part of the
 * contract.
 */
import { type HostFunction, LUA_GLOBALSINDEX, type Lua } from '../api.ts'

const ROUNDING = 2 ** 52 + 2 ** 51
const SUM = new DataView(new ArrayBuffer(8))
const LOWER_DIGITS = '0123456789abcdef'
const UPPER_DIGITS = '0123456789ABCDEF'

/** lua_bit.c barg. */
function argument(lua: Lua, L: number, index: number): number {
  const x = lua.c.lua_tonumber(L, index)
  let bits = x | 0
  if (bits !== x) {
    SUM.setFloat64(0, x + ROUNDING)
    bits = SUM.getInt32(4)
  }
  if (bits === 0 && lua.c.lua_isnumber(L, index) === 0) lua.c.luaL_typerror(L, index, lua.name('number'))
  return bits
}

function unary(lua: Lua, operation: (bits: number) => number): HostFunction {
  return (L) => {
    lua.c.lua_pushnumber(L, operation(argument(lua, L, 1)) | 0)
    return 1
  }
}

/** Of one argument or more, taken from the last to the second. */
function folded(lua: Lua, operation: (a: number, b: number) => number): HostFunction {
  return (L) => {
    let bits = argument(lua, L, 1)
    for (let index = lua.c.lua_gettop(L); index > 1; index--) bits = operation(bits, argument(lua, L, index))
    lua.c.lua_pushnumber(L, bits | 0)
    return 1
  }
}

function shift(lua: Lua, operation: (bits: number, count: number) => number): HostFunction {
  return (L) => {
    const bits = argument(lua, L, 1)
    lua.c.lua_pushnumber(L, operation(bits, argument(lua, L, 2) & 31) | 0)
    return 1
  }
}

function swapped(bits: number): number {
  return (bits >>> 24) | ((bits >>> 8) & 0xff00) | ((bits & 0xff00) << 8) | (bits << 24)
}

/** lua_bit.c bit_tohex; a negative number of digits means upper case. */
function toHex(lua: Lua): HostFunction {
  return (L) => {
    const bits = argument(lua, L, 1)
    const count = lua.c.lua_type(L, 2) < 0 ? 8 : argument(lua, L, 2)
    const digits = count < 0 ? UPPER_DIGITS : LOWER_DIGITS
    let text = ''
    for (let i = Math.min(Math.abs(count), 8) - 1; i >= 0; i--) text += digits[(bits >>> (4 * i)) & 15]
    lua.pushLatin1(L, text)
    return 1
  }
}

export function openBit(lua: Lua): void {
  const functions: Record<string, HostFunction> = {
    tobit: unary(lua, (bits) => bits),
    bnot: unary(lua, (bits) => ~bits),
    band: folded(lua, (a, b) => a & b),
    bor: folded(lua, (a, b) => a | b),
    bxor: folded(lua, (a, b) => a ^ b),
    lshift: shift(lua, (bits, count) => bits << count),
    rshift: shift(lua, (bits, count) => bits >>> count),
    arshift: shift(lua, (bits, count) => bits >> count),
    rol: shift(lua, (bits, count) => (bits << count) | (bits >>> (32 - count))),
    ror: shift(lua, (bits, count) => (bits << (32 - count)) | (bits >>> count)),
    bswap: unary(lua, swapped),
    tohex: toHex(lua),
  }
  const { L } = lua
  lua.c.lua_createtable(L, 0, Object.keys(functions).length)
  for (const [name, fn] of Object.entries(functions)) lua.setFunction(L, -1, name, fn)
  lua.setField(L, LUA_GLOBALSINDEX, 'bit')
}
