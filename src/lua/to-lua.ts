/**
 * A command's reply, as the RESP bytes that it wrote, becomes a Lua value. What becomes what: redis 7.0.15 script_lua.c
 * redisProtocolToLuaType*. In RESP3 (redis.setresp(3)) maps, sets, doubles and the like are tables with one field.
 */
import { parseDouble } from '../bytes/doubles.ts'
import { parseInteger } from '../bytes/integers.ts'
import type { Lua } from './api.ts'

const CR = 13

export class ReplyReader {
  #lua: Lua
  #bytes: Buffer = Buffer.alloc(0)
  #pos = 0

  constructor(lua: Lua) {
    this.#lua = lua
  }

  /** Pushes the reply that the buffer begins with. */
  push(L: number, reply: Buffer): void {
    this.#bytes = reply
    this.#pos = 0
    this.#value(L)
  }

  #value(L: number): void {
    const { c } = this.#lua
    const bytes = this.#bytes
    const type = bytes[this.#pos]!
    const start = this.#pos + 1
    let end = start
    while (bytes[end] !== CR) end++
    this.#pos = end + 2
    switch (type) {
      case 0x24: // $
        this.#bulk(L, parseInteger(bytes, start, end))
        break
      case 0x3a: // :
        c.lua_pushnumber(L, integer(bytes, start, end))
        break
      case 0x2b: // +
        c.lua_createtable(L, 0, 1)
        this.#lua.pushBytes(L, bytes, start, end)
        this.#lua.setField(L, -2, 'ok')
        break
      case 0x2d: // -
        pushError(this.#lua, L, bytes.latin1Slice(start - 1, end), true)
        break
      case 0x2a: // *
        this.#makeRoom(L)
        this.#array(L, parseInteger(bytes, start, end))
        break
      case 0x25: // %
        this.#makeRoom(L)
        this.#map(L, parseInteger(bytes, start, end))
        break
      case 0x7e: // ~
        this.#makeRoom(L)
        this.#set(L, parseInteger(bytes, start, end))
        break
      default:
        this.#scalar3(L, type, start, end)
    }
  }

  /** For a level of nesting; a host function has room for one value and what belongs to it. */
  #makeRoom(L: number): void {
    if (this.#lua.c.lua_checkstack(L, 6) === 0) throw new Error('reached lua stack limit')
  }

  /** Types that only RESP3 has. */
  #scalar3(L: number, type: number, start: number, end: number): void {
    const lua = this.#lua
    const { c } = lua
    const bytes = this.#bytes
    switch (type) {
      case 0x5f: // _
        c.lua_pushnil(L)
        break
      case 0x23: // #
        c.lua_pushboolean(L, bytes[start] === 0x74 ? 1 : 0)
        break
      case 0x2c: // ,
        c.lua_createtable(L, 0, 1)
        c.lua_pushnumber(L, parseDouble(bytes, start, end))
        lua.setField(L, -2, 'double')
        break
      case 0x28: // (
        c.lua_createtable(L, 0, 1)
        lua.pushBytes(L, bytes, start, end)
        lua.setField(L, -2, 'big_number')
        break
      case 0x3d: // =
        this.#verbatim(L, parseInteger(bytes, start, end))
        break
      case 0x7c: // | attributes are not shown to scripts
        for (let n = parseInteger(bytes, start, end) * 2; n > 0; n--) {
          this.#value(L)
          lua.pop(L)
        }
        this.#value(L)
        break
      default:
        throw new Error(`a reply of an unknown type: ${String.fromCharCode(type)}`)
    }
  }

  #bulk(L: number, length: number): void {
    if (length < 0) {
      this.#lua.c.lua_pushboolean(L, 0)
      return
    }
    this.#lua.pushBytes(L, this.#bytes, this.#pos, this.#pos + length)
    this.#pos += length + 2
  }

  #array(L: number, length: number): void {
    const { c } = this.#lua
    if (length < 0) {
      c.lua_pushboolean(L, 0)
      return
    }
    c.lua_createtable(L, length, 0)
    for (let i = 1; i <= length; i++) {
      this.#value(L)
      c.lua_rawseti(L, -2, i)
    }
  }

  #map(L: number, length: number): void {
    const { c } = this.#lua
    c.lua_createtable(L, 0, 1)
    c.lua_createtable(L, 0, length)
    for (let i = 0; i < length; i++) {
      this.#value(L)
      this.#value(L)
      c.lua_rawset(L, -3)
    }
    this.#lua.setField(L, -2, 'map')
  }

  #set(L: number, length: number): void {
    const { c } = this.#lua
    c.lua_createtable(L, 0, 1)
    c.lua_createtable(L, 0, length)
    for (let i = 0; i < length; i++) {
      this.#value(L)
      c.lua_pushboolean(L, 1)
      c.lua_rawset(L, -3)
    }
    this.#lua.setField(L, -2, 'set')
  }

  /** =<length>\r\ntxt:<bytes> */
  #verbatim(L: number, length: number): void {
    const lua = this.#lua
    const start = this.#pos
    lua.c.lua_createtable(L, 0, 1)
    lua.c.lua_createtable(L, 0, 2)
    lua.pushBytes(L, this.#bytes, start + 4, start + length)
    lua.setField(L, -2, 'string')
    lua.pushBytes(L, this.#bytes, start, start + 3)
    lua.setField(L, -2, 'format')
    lua.setField(L, -2, 'verbatim_string')
    this.#pos += length + 2
  }
}

function integer(bytes: Buffer, start: number, end: number): number {
  const value = parseInteger(bytes, start, end)
  return Number.isNaN(value) ? Number(bytes.latin1Slice(start, end)) : value
}

/**
 * Pushes { err = 'CODE text' }: of '-CODE text', or of a text without a code, which gets ERR. `counted` errors are in the
 * statistics already. redis 7.0.15 script_lua.c luaPushErrorBuff
 */
export function pushError(lua: Lua, L: number, error: string, counted = false): void {
  lua.c.lua_createtable(L, 0, 2)
  lua.pushLatin1(L, errorText(error))
  lua.setField(L, -2, 'err')
  if (!counted) return
  lua.c.lua_pushboolean(L, 1)
  lua.setField(L, -2, 'ignore_error_stats_update')
}

function errorText(error: string): string {
  const nul = error.indexOf('\0')
  const whole = nul < 0 ? error : error.slice(0, nul)
  let code = 'ERR'
  let text = whole
  if (whole.startsWith('-')) {
    const space = whole.indexOf(' ')
    if (space > 0) code = whole.slice(1, space)
    text = space < 0 ? whole.slice(1) : whole.slice(space + 1)
  }
  return `${code} ${text.replace(/^[\r\n]+|[\r\n]+$/g, '')}`
}
