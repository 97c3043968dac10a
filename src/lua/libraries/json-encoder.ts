/**
 * Lua values to JSON text as lua-cjson 2.1.0 writes it (redis 7.0.15 deps/lua/src/lua_cjson.c json_append_data and
 * what it calls). A table whose keys are all positive integers is an array, with null where it has holes, unless they
 * are too many; any other is an object, and so is an empty one. Nesting is kept in a list instead of in JavaScript's
 * stack.
 */
import { LUA_TBOOLEAN, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, type Lua } from '../api.ts'
import { TYPE_NAMES } from './arguments.ts'
import type { JsonConfig } from './json-config.ts'
import { formatG } from './numbers.ts'
import { Output } from './output.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const HEX = Buffer.from('0123456789abcdef')

/** For a byte in a string: 0 if it stands for itself, 'u' for \u00xx, otherwise the letter behind the backslash. */
const ESCAPES = new Uint8Array(256)
ESCAPES.fill(0x75, 0, 0x20)
ESCAPES[0x7f] = 0x75
for (const [byte, letter] of ['\bb', '\tt', '\nn', '\ff', '\rr', '""', '//', '\\\\']) {
  ESCAPES[byte!.charCodeAt(0)] = letter!.charCodeAt(0)
}

const NOT_AN_ARRAY = -1

export class JsonEncoder {
  readonly #lua: Lua
  readonly #out = new Output()
  #config!: JsonConfig
  /** Of each open table: the length of an array (not positive: an object), and the index in it. */
  readonly #length: number[] = []
  readonly #index: number[] = []

  constructor(lua: Lua) {
    this.#lua = lua
  }

  /** Pushes the text of the value on top. */
  encode(L: number, config: JsonConfig): void {
    this.#config = config
    this.#out.reset()
    this.#values(L)
    this.#lua.pushBytes(L, this.#out.bytes, 0, this.#out.length)
  }

  /** json_append_data: of the value on top with all that is inside it; it stays. */
  #values(L: number): void {
    const { c } = this.#lua
    const out = this.#out
    const length = this.#length
    const index = this.#index
    let depth = 0
    for (;;) {
      const type = c.lua_type(L, -1)
      if (type === LUA_TTABLE) {
        this.#descend(L, ++depth)
        length[depth] = this.#arrayLength(L)
        if (length[depth]! > 0) {
          out.byte(0x5b)
          index[depth] = 1
          c.lua_rawgeti(L, -1, 1)
          continue
        }
        out.byte(0x7b)
        c.lua_pushnil(L)
        if (this.#nextMember(L, true)) continue
        depth--
      } else this.#leaf(L, type)
      // A value is complete: the table around it goes on, or is complete as well.
      for (;;) {
        if (depth === 0) return
        c.lua_settop(L, -2)
        if (length[depth]! > 0) {
          if (index[depth]! < length[depth]!) {
            out.byte(COMMA)
            c.lua_rawgeti(L, -1, ++index[depth]!)
            break
          }
          out.byte(0x5d)
        } else if (this.#nextMember(L, false)) break
        depth--
      }
    }
  }

  #leaf(L: number, type: number): void {
    const { c } = this.#lua
    const out = this.#out
    switch (type) {
      case LUA_TSTRING:
        this.#string(L, -1)
        break
      case LUA_TNUMBER:
        this.#number(L, -1)
        break
      case LUA_TBOOLEAN:
        out.text(c.lua_toboolean(L, -1) !== 0 ? 'true' : 'false')
        break
      case LUA_TNIL:
        out.text('null')
        break
      default:
        if (type === LUA_TLIGHTUSERDATA && c.lua_touserdata(L, -1) === 0) out.text('null')
        else this.#refuse(L, type, 'type not supported')
    }
  }

  /** json_check_encode_depth. */
  #descend(L: number, depth: number): void {
    if (depth <= this.#config.encodeMaxDepth && this.#lua.c.lua_checkstack(L, 3) !== 0) return
    this.#lua.error(L, `Cannot serialise, excessive nesting (${depth})`)
  }

  /** Of the object whose last key is on top: writes the next key and pushes it and its value, or ends the object. */
  #nextMember(L: number, first: boolean): boolean {
    const { c } = this.#lua
    const out = this.#out
    if (c.lua_next(L, -2) === 0) {
      out.byte(0x7d)
      return false
    }
    if (!first) out.byte(COMMA)
    const type = c.lua_type(L, -2)
    if (type === LUA_TSTRING) this.#string(L, -2)
    else if (type === LUA_TNUMBER) {
      out.byte(QUOTE)
      this.#number(L, -2)
      out.byte(QUOTE)
    } else this.#refuse(L, type, 'table key must be a number or string')
    out.byte(COLON)
    return true
  }

  /** lua_array_length: the greatest index, or NOT_AN_ARRAY. It is an int: an index beyond that makes it negative. */
  #arrayLength(L: number): number {
    const { c } = this.#lua
    let max = 0
    let items = 0
    c.lua_pushnil(L)
    while (c.lua_next(L, -2) !== 0) {
      const key = c.lua_type(L, -2) === LUA_TNUMBER ? c.lua_tonumber(L, -2) : 0
      if (key < 1 || Math.floor(key) !== key) {
        c.lua_settop(L, -3)
        return NOT_AN_ARRAY
      }
      if (key > max) max = key > 0x7fffffff ? -0x80000000 : key
      items++
      c.lua_settop(L, -2)
    }
    const { sparseRatio, sparseSafe } = this.#config
    if (sparseRatio > 0 && max > Math.imul(items, sparseRatio) && max > sparseSafe) {
      if (!this.#config.sparseConvert) this.#refuse(L, LUA_TTABLE, 'excessively sparse array')
      return NOT_AN_ARRAY
    }
    return max
  }

  #string(L: number, index: number): void {
    const out = this.#out
    const from = this.#lua.toPointer(L, index)
    const end = from + this.#lua.stringLength
    const source = this.#lua.bytes
    out.reserve(end - from + 2)
    let { bytes } = out
    let at = out.length
    bytes[at++] = QUOTE
    for (let pos = from; pos < end; pos++) {
      const byte = source[pos]!
      const letter = ESCAPES[byte]!
      if (letter === 0) {
        bytes[at++] = byte
        continue
      }
      out.length = at
      // Six for this one, and for each byte that is left one and the quote.
      out.reserve(end - pos + 6)
      bytes = out.bytes
      bytes[at++] = BACKSLASH
      bytes[at++] = letter
      if (letter === 0x75) {
        bytes[at++] = 0x30
        bytes[at++] = 0x30
        bytes[at++] = HEX[byte >> 4]!
        bytes[at++] = HEX[byte & 15]!
      }
    }
    bytes[at++] = QUOTE
    out.length = at
  }

  #number(L: number, index: number): void {
    const x = this.#lua.c.lua_tonumber(L, index)
    if (Number.isFinite(x)) this.#out.text(formatG(x, this.#config.numberPrecision))
    else if (this.#config.encodeInvalidNumbers === 0) this.#refuse(L, LUA_TNUMBER, 'must not be NaN or Inf')
    else this.#out.text(this.#config.encodeInvalidNumbers === 1 ? formatG(x, 14) : 'null')
  }

  /** json_encode_exception. */
  #refuse(L: number, type: number, reason: string): never {
    return this.#lua.error(L, `Cannot serialise ${TYPE_NAMES[type]}: ${reason}`)
  }
}
