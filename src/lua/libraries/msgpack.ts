/**
 * The global `cmsgpack` of scripts: Lua values to MessagePack and back (redis 7.0.15 deps/lua/src/lua_cmsgpack.c).
 *
 *   00-7f, e0-ff  small integer      c0 nil, c2 c3 boolean        80-8f, de, df  map: count, then keys and values
 *   cc cd ce cf   unsigned 8..64     ca float                     90-9f, dc, dd  array: count, then elements
 *   d0 d1 d2 d3   signed 8..64       cb double                    a0-bf, d9, da, db  string: length, bytes
 *
 * Decoding reads the stream where it lies in the interpreter's memory, and pushes strings from there. Tables grow
 * element by element, as in Redis, and not at their known size: the order of pairs() and # of a table with holes
 * depend on it. Nesting is kept in a list instead of in JavaScript's stack; the limit is Lua's own.
 */
import {
  type HostFunction,
  LUA_GLOBALSINDEX,
  LUA_TBOOLEAN,
  LUA_TNUMBER,
  LUA_TSTRING,
  LUA_TTABLE,
  type Lua,
} from '../api.ts'
import { argumentError, checkInteger, checkString, optionalInteger } from './arguments.ts'
import { fromHalves, lowerHalf, upperHalf } from './numbers.ts'
import { Output } from './output.ts'

const NAME = 'cmsgpack'
const VERSION = 'lua-cmsgpack 0.4.0'
const COPYRIGHT = 'Copyright (C) 2012, Salvatore Sanfilippo'
const DESCRIPTION = 'MessagePack C implementation for Lua'

/** Tables deeper than this are packed as nil. */
const MAX_NESTING = 16
const INT_MAX = 0x7fffffff
const TWO_63 = 2 ** 63

const TOO_MANY_VALUES = 'too many return values at once; use unpack_one or unpack_limit instead.'

const VALUE = 0
const ARRAY = 1
const MAP = 2

const NIL = 0xc0
const FALSE = 0xc2
const TRUE = 0xc3
const FLOAT = 0xca
const DOUBLE = 0xcb

class MessagePack {
  readonly #lua: Lua
  readonly #out = new Output()

  /** The stream that is being unpacked: pointers into the interpreter's memory. */
  #pos = 0
  #end = 0
  /** Of each open table: how many keys and values (or elements) are still to come, and the last index, -1 for a map. */
  readonly #left: number[] = []
  readonly #index: number[] = []
  /** What the last head was: VALUE, ARRAY or MAP. */
  #opened = VALUE

  constructor(lua: Lua) {
    this.#lua = lua
  }

  // ---- packing ----------------------------------------------------------------------------------------------------

  readonly pack: HostFunction = (L) => {
    const { c } = this.#lua
    const count = c.lua_gettop(L)
    if (count === 0) argumentError(this.#lua, L, 0, 'MessagePack pack needs input.')
    if (c.lua_checkstack(L, count) === 0) {
      argumentError(this.#lua, L, 0, 'Too many arguments for MessagePack pack.')
    }
    this.#out.reset()
    for (let index = 1; index <= count; index++) {
      c.lua_pushvalue(L, index)
      this.#encode(L, 0)
    }
    this.#lua.pushBytes(L, this.#out.bytes, 0, this.#out.length)
    return 1
  }

  /** The value on top, which it pops. */
  #encode(L: number, level: number): void {
    const { c } = this.#lua
    switch (c.lua_type(L, -1)) {
      case LUA_TSTRING: {
        const from = this.#lua.toPointer(L, -1)
        const length = this.#lua.stringLength
        this.#encodeStringHead(length)
        this.#out.copy(this.#lua.bytes, from, from + length)
        break
      }
      case LUA_TNUMBER:
        this.#encodeNumber(c.lua_tonumber(L, -1))
        break
      case LUA_TBOOLEAN:
        this.#out.byte(c.lua_toboolean(L, -1) !== 0 ? TRUE : FALSE)
        break
      case LUA_TTABLE:
        if (level === MAX_NESTING) this.#out.byte(NIL)
        else this.#encodeTable(L, level)
        break
      default:
        this.#out.byte(NIL)
    }
    c.lua_settop(L, -2)
  }

  #encodeNumber(x: number): void {
    const out = this.#out
    if (Math.trunc(x) === x && x >= -TWO_63 && x < TWO_63) this.#encodeInteger(x)
    else if (Math.fround(x) === x) {
      out.byte(FLOAT)
      out.float(x, false)
    } else {
      out.byte(DOUBLE)
      out.double(x, false)
    }
  }

  #encodeInteger(n: number): void {
    const out = this.#out
    if (n >= 0) {
      if (n <= 0x7f) return out.byte(n)
      if (n <= 0xffffffff) return this.#encodeSized(0xcc, 0xcd, 0xce, n)
      out.byte(0xcf)
    } else {
      if (n >= -32) return out.byte(n & 0xff)
      if (n >= -0x80) {
        out.byte(0xd0)
        return out.byte(n & 0xff)
      }
      if (n >= -0x8000) {
        out.byte(0xd1)
        return out.uint16(n)
      }
      if (n >= -0x80000000) {
        out.byte(0xd2)
        return out.uint32(n)
      }
      out.byte(0xd3)
    }
    out.uint32(upperHalf(n))
    out.uint32(lowerHalf(n))
  }

  /** A type byte and the number in 8, 16 or 32 bits; a type of 0 is one that the format does not have. */
  #encodeSized(type8: number, type16: number, type32: number, n: number): void {
    const out = this.#out
    if (type8 !== 0 && n <= 0xff) {
      out.byte(type8)
      out.byte(n)
    } else if (n <= 0xffff) {
      out.byte(type16)
      out.uint16(n)
    } else {
      out.byte(type32)
      out.uint32(n)
    }
  }

  #encodeStringHead(length: number): void {
    if (length < 32) this.#out.byte(0xa0 | length)
    else this.#encodeSized(0xd9, 0xda, 0xdb, length)
  }

  #encodeTable(L: number, level: number): void {
    const { c } = this.#lua
    const counted = this.#countArray(L)
    c.luaL_checkstack(L, 3, this.#lua.name('in function mp_encode_lua_table_as_map'))
    if (counted >= 0) {
      if (counted <= 15) this.#out.byte(0x90 | counted)
      else this.#encodeSized(0, 0xdc, 0xdd, counted)
      for (let i = 1; i <= counted; i++) {
        c.lua_rawgeti(L, -1, i)
        this.#encode(L, level + 1)
      }
      return
    }
    let count = 0
    for (c.lua_pushnil(L); c.lua_next(L, -2) !== 0; c.lua_settop(L, -2)) count++
    if (count <= 15) this.#out.byte(0x80 | count)
    else this.#encodeSized(0, 0xde, 0xdf, count)
    c.lua_pushnil(L)
    while (c.lua_next(L, -2) !== 0) {
      c.lua_pushvalue(L, -2)
      this.#encode(L, level + 1)
      this.#encode(L, level + 1)
    }
  }

  /** lua_cmsgpack.c table_is_an_array: the number of elements if the keys are 1 to it, otherwise -1. */
  #countArray(L: number): number {
    const { c } = this.#lua
    let count = 0
    let max = 0
    c.luaL_checkstack(L, 2, this.#lua.name('in function table_is_an_array'))
    c.lua_pushnil(L)
    while (c.lua_next(L, -2) !== 0) {
      c.lua_settop(L, -2)
      const n = c.lua_type(L, -1) === LUA_TNUMBER ? c.lua_tonumber(L, -1) : 0
      if (n <= 0 || (n | 0) !== n) {
        c.lua_settop(L, -2)
        return -1
      }
      if (n > max) max = n
      count++
    }
    return max === count ? count : -1
  }

  // ---- unpacking --------------------------------------------------------------------------------------------------

  readonly unpack: HostFunction = (L) => this.#unpack(L, 0, 0)

  readonly unpackOne: HostFunction = (L) => {
    const offset = optionalInteger(this.#lua, L, 2, 0)
    this.#keepFirst(L)
    return this.#unpack(L, 1, offset)
  }

  readonly unpackLimit: HostFunction = (L) => {
    const limit = checkInteger(this.#lua, L, 2)
    const offset = optionalInteger(this.#lua, L, 3, 0)
    this.#keepFirst(L)
    return this.#unpack(L, limit, offset)
  }

  #keepFirst(L: number): void {
    if (this.#lua.c.lua_gettop(L) > 1) this.#lua.c.lua_settop(L, 1)
  }

  /**
   * lua_cmsgpack.c mp_unpack_full. With a limit or an offset the first result is where the next value begins, -1 at
   * the end.
   */
  #unpack(L: number, limit: number, offset: number): number {
    const lua = this.#lua
    const all = limit === 0 && offset === 0
    const from = checkString(lua, L, 1)
    const length = lua.stringLength
    if (offset < 0 || limit < 0) {
      lua.error(L, `Invalid request to unpack with offset of ${offset | 0} and limit of ${length}.`)
    }
    if (offset > length) lua.error(L, `Start offset ${offset | 0} greater than input length ${length}.`)
    this.#pos = from + offset
    this.#end = from + length
    const most = all ? INT_MAX : limit
    let count = 0
    for (; this.#pos < this.#end && count < most; count++) this.#decode(L)
    if (all) return count
    lua.c.luaL_checkstack(L, 1, lua.name('in function mp_unpack_full'))
    lua.c.lua_pushnumber(L, this.#pos === this.#end ? -1 : this.#pos - from)
    lua.c.lua_insert(L, 2)
    return count + 1
  }

  /** Pushes the next value of the stream with all that is inside it. */
  #decode(L: number): void {
    const lua = this.#lua
    const { c } = lua
    const left = this.#left
    const index = this.#index
    const tooMany = lua.name(TOO_MANY_VALUES)
    let depth = 0
    // Of the open arrays: each has the next index on the stack in Redis, which counts for how deep they may be nested.
    let arrays = 0
    for (;;) {
      if (this.#pos >= this.#end) this.#missing(L)
      c.luaL_checkstack(L, 1 + arrays, tooMany)
      const size = this.#decodeHead(L, lua.bytes[this.#pos]!)
      if (this.#opened === ARRAY) c.luaL_checkstack(L, 1 + arrays, lua.name('in function mp_decode_to_lua_array'))
      if (size > 0) {
        left[depth] = size
        index[depth] = this.#opened === MAP ? -1 : 0
        if (this.#opened === ARRAY) arrays++
        depth++
        continue
      }
      // A value is complete: it goes into its table, which may complete that one.
      for (;;) {
        if (depth === 0) return
        const top = depth - 1
        const remaining = --left[top]!
        if (index[top]! >= 0) c.lua_rawseti(L, -2, ++index[top]!)
        else if ((remaining & 1) === 0) c.lua_settable(L, -3)
        if (remaining > 0) break
        if (index[top]! >= 0) arrays--
        depth--
      }
    }
  }

  /** Pushes a value, or a table that `result` keys and values (or elements) have to be put into. */
  #decodeHead(L: number, type: number): number {
    const { c } = this.#lua
    this.#opened = VALUE
    if (type < 0x80 || type >= 0xe0) c.lua_pushnumber(L, type < 0x80 ? type : type - 0x100)
    else if (type < 0x90) return this.#decodeTable(L, true, type & 0x0f, 1)
    else if (type < 0xa0) return this.#decodeTable(L, false, type & 0x0f, 1)
    else if (type < 0xc0) {
      this.#decodeString(L, type & 0x1f, 1)
      return 0
    } else return this.#decodeTyped(L, type)
    this.#pos++
    return 0
  }

  #decodeTyped(L: number, type: number): number {
    const { c } = this.#lua
    switch (type) {
      case NIL:
        c.lua_pushnil(L)
        this.#pos++
        return 0
      case FALSE:
      case TRUE:
        c.lua_pushboolean(L, type - FALSE)
        this.#pos++
        return 0
      case 0xd9:
        this.#need(L, 2)
        this.#decodeString(L, this.#lua.view.getUint8(this.#pos + 1), 2)
        return 0
      case 0xda:
        this.#need(L, 3)
        this.#decodeString(L, this.#lua.view.getUint16(this.#pos + 1), 3)
        return 0
      case 0xdb:
        this.#need(L, 5)
        this.#decodeString(L, this.#lua.view.getUint32(this.#pos + 1), 5)
        return 0
      case 0xdc:
      case 0xde:
        this.#need(L, 3)
        return this.#decodeTable(L, type === 0xde, this.#lua.view.getUint16(this.#pos + 1), 3)
      case 0xdd:
      case 0xdf:
        this.#need(L, 5)
        return this.#decodeTable(L, type === 0xdf, this.#lua.view.getUint32(this.#pos + 1), 5)
      default:
        c.lua_pushnumber(L, this.#decodeNumber(L, type))
        return 0
    }
  }

  #decodeNumber(L: number, type: number): number {
    const { view } = this.#lua
    const size = NUMBER_BYTES[type]!
    if (size === 0) this.#lua.error(L, 'Bad data format in input.')
    this.#need(L, 1 + size)
    const at = this.#pos + 1
    this.#pos = at + size
    switch (type) {
      case FLOAT:
        return view.getFloat32(at)
      case DOUBLE:
        return view.getFloat64(at)
      case 0xcc:
        return view.getUint8(at)
      case 0xcd:
        return view.getUint16(at)
      case 0xce:
        return view.getUint32(at)
      case 0xd0:
        return view.getInt8(at)
      case 0xd1:
        return view.getInt16(at)
      case 0xd2:
        return view.getInt32(at)
      default:
        // Unsigned ones of 64 bits are taken for signed ones as well.
        return fromHalves(view.getInt32(at), view.getInt32(at + 4))
    }
  }

  #decodeString(L: number, length: number, head: number): void {
    this.#need(L, head + length)
    this.#lua.c.lua_pushlstring(L, this.#pos + head, length)
    this.#pos += head + length
  }

  #decodeTable(L: number, isMap: boolean, count: number, head: number): number {
    this.#lua.c.lua_createtable(L, 0, 0)
    this.#opened = isMap ? MAP : ARRAY
    this.#pos += head
    return isMap ? count * 2 : count
  }

  #need(L: number, bytes: number): void {
    if (this.#end - this.#pos < bytes) this.#missing(L)
  }

  #missing(L: number): never {
    return this.#lua.error(L, 'Missing bytes in input.')
  }
}

/** How many bytes follow a type byte that is a number; 0 for what is none. */
const NUMBER_BYTES = new Uint8Array(256)
for (const [bytes, types] of [
  [1, [0xcc, 0xd0]],
  [2, [0xcd, 0xd1]],
  [4, [0xce, 0xd2, FLOAT]],
  [8, [0xcf, 0xd3, DOUBLE]],
] as const) {
  for (const type of types) NUMBER_BYTES[type] = bytes
}

export function openMessagePack(lua: Lua): void {
  const { L } = lua
  const library = new MessagePack(lua)
  lua.c.lua_createtable(L, 0, 0)
  lua.setFunction(L, -1, 'pack', library.pack)
  lua.setFunction(L, -1, 'unpack', library.unpack)
  lua.setFunction(L, -1, 'unpack_one', library.unpackOne)
  lua.setFunction(L, -1, 'unpack_limit', library.unpackLimit)
  lua.setText(L, -1, '_NAME', NAME)
  lua.setText(L, -1, '_VERSION', VERSION)
  lua.setText(L, -1, '_COPYRIGHT', COPYRIGHT)
  lua.setText(L, -1, '_DESCRIPTION', DESCRIPTION)
  lua.setField(L, LUA_GLOBALSINDEX, NAME)
}
