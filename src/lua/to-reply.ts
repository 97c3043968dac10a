/**
 * The Lua value that a script returned becomes a reply (redis 7.0.15 script_lua.c luaReplyToRedisReply). Tables with one
 * of the fields err, ok, double, big_number, verbatim_string, map or set stand for that type; any other is an array up
 * to its first nil. Fields are read without metamethods, so nothing of the script runs here.
 */
import type { ReplyWriter } from '../resp/reply-writer.ts'
import { LUA_TBOOLEAN, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, type Lua } from './api.ts'

const INT64_MIN = -(2n ** 63n)
const TWO_63 = 2 ** 63
/** Lua's stack would hold 8000 tables inside of each other, JavaScript's does not. */
const MAX_DEPTH = 2000

export class ReplyMaker {
  /** Errors of the last reply that are in the statistics already. */
  counted = 0

  #lua: Lua
  #depth = 0

  constructor(lua: Lua) {
    this.#lua = lua
  }

  /** Replies the value on top of the stack and pops it. `resp` is the script's own protocol version. */
  reply(L: number, reply: ReplyWriter, resp: 2 | 3): void {
    this.counted = 0
    this.#depth = 0
    this.#value(L, reply, resp)
  }

  #value(L: number, reply: ReplyWriter, resp: 2 | 3): void {
    const lua = this.#lua
    const { c } = lua
    if (this.#depth > MAX_DEPTH || c.lua_checkstack(L, 4) === 0) {
      reply.error('ERR reached lua stack limit')
      lua.pop(L)
      return
    }
    switch (c.lua_type(L, -1)) {
      case LUA_TSTRING:
        this.#string(L, reply)
        break
      case LUA_TNUMBER:
        reply.integer(toInteger(c.lua_tonumber(L, -1)))
        break
      case LUA_TBOOLEAN: {
        const value = c.lua_toboolean(L, -1) !== 0
        if (resp === 3) reply.boolean(value)
        else if (value) reply.integer(1)
        else reply.nullBulk()
        break
      }
      case LUA_TTABLE:
        this.#depth++
        this.#table(L, reply, resp)
        this.#depth--
        break
      default:
        reply.nullBulk()
    }
    lua.pop(L)
  }

  #string(L: number, reply: ReplyWriter): void {
    const at = this.#lua.toPointer(L, -1)
    reply.bulk(this.#lua.bytes, at, at + this.#lua.stringLength)
  }

  #table(L: number, reply: ReplyWriter, resp: 2 | 3): void {
    const lua = this.#lua
    if (!lua.mayHaveFields(L, -1)) {
      this.#array(L, reply, resp)
      return
    }
    if (this.#fieldType(L, 'err') === LUA_TSTRING) {
      const text = this.#text(L)
      lua.pop(L)
      this.#error(L, reply, text)
      return
    }
    lua.pop(L)
    if (this.#fieldType(L, 'ok') === LUA_TSTRING) this.#status(L, reply)
    else if (this.#next(L, 'double') === LUA_TNUMBER) reply.double(lua.c.lua_tonumber(L, -1))
    else if (this.#next(L, 'big_number') === LUA_TSTRING) {
      reply.bigNumber(lua.toLatin1(L, -1)!.replace(/[\r\n]/g, ' '))
    } else if (this.#next(L, 'verbatim_string') === LUA_TTABLE && this.#verbatim(L, reply)) {
      // replied
    } else if (this.#next(L, 'map') === LUA_TTABLE) this.#map(L, reply, resp)
    else if (this.#next(L, 'set') === LUA_TTABLE) this.#set(L, reply, resp)
    else {
      lua.pop(L)
      this.#array(L, reply, resp)
      return
    }
    lua.pop(L)
  }

  #status(L: number, reply: ReplyWriter): void {
    const text = this.#text(L)
    if (text === 'OK') reply.ok()
    else reply.simple(text.replace(/[\r\n]/g, ' '))
  }

  #error(L: number, reply: ReplyWriter, text: string): void {
    const lua = this.#lua
    reply.error(text.replace(/[\r\n]+$/, ''))
    if (this.#fieldType(L, 'ignore_error_stats_update') === LUA_TBOOLEAN && lua.c.lua_toboolean(L, -1) !== 0) {
      this.counted++
    }
    lua.pop(L)
  }

  /** =<length>\r\ntxt:<bytes>, or a bulk in RESP2. False if the table lacks a part of it. */
  #verbatim(L: number, reply: ReplyWriter): boolean {
    const lua = this.#lua
    const hasFormat = this.#fieldType(L, 'format') === LUA_TSTRING
    const format = hasFormat ? this.#text(L) : ''
    lua.pop(L)
    const hasText = hasFormat && this.#fieldType(L, 'string') === LUA_TSTRING
    if (!hasText) {
      if (hasFormat) lua.pop(L)
      return false
    }
    if (reply.resp === 2) this.#string(L, reply)
    else {
      const bytes = lua.toBytes(L, -1)!
      reply.raw(Buffer.from(`=${bytes.length + 4}\r\n${format.slice(0, 3).padEnd(3)}:`, 'latin1'))
      reply.raw(bytes)
      reply.raw(CRLF)
    }
    lua.pop(L)
    return true
  }

  #map(L: number, reply: ReplyWriter, resp: 2 | 3): void {
    const { c } = this.#lua
    const mark = reply.openLength()
    let n = 0
    c.lua_pushnil(L)
    while (c.lua_next(L, -2) !== 0) {
      c.lua_pushvalue(L, -2)
      this.#value(L, reply, resp)
      this.#value(L, reply, resp)
      n++
    }
    if (reply.resp === 2) reply.closeLength(mark, '*', n * 2)
    else reply.closeLength(mark, '%', n)
  }

  #set(L: number, reply: ReplyWriter, resp: 2 | 3): void {
    const { c } = this.#lua
    const mark = reply.openLength()
    let n = 0
    c.lua_pushnil(L)
    while (c.lua_next(L, -2) !== 0) {
      this.#lua.pop(L)
      c.lua_pushvalue(L, -1)
      this.#value(L, reply, resp)
      n++
    }
    reply.closeLength(mark, reply.resp === 2 ? '*' : '~', n)
  }

  #array(L: number, reply: ReplyWriter, resp: 2 | 3): void {
    const { c } = this.#lua
    const mark = reply.openLength()
    let n = 0
    for (;;) {
      c.lua_rawgeti(L, -1, n + 1)
      if (c.lua_type(L, -1) === LUA_TNIL) break
      this.#value(L, reply, resp)
      n++
    }
    this.#lua.pop(L)
    reply.closeLength(mark, '*', n)
  }

  /** Pushes table[name]. */
  #fieldType(L: number, name: string): number {
    this.#lua.rawGetField(L, -1, name)
    return this.#lua.c.lua_type(L, -1)
  }

  /** The same in place of the field pushed before. */
  #next(L: number, name: string): number {
    this.#lua.pop(L)
    return this.#fieldType(L, name)
  }

  /** As C sees it: up to the first NUL. */
  #text(L: number): string {
    const text = this.#lua.toLatin1(L, -1)!
    const nul = text.indexOf('\0')
    return nul < 0 ? text : text.slice(0, nul)
  }
}

/** (long long)x: towards zero; what does not fit is the smallest. */
function toInteger(x: number): number | bigint {
  const whole = Math.trunc(x)
  if (Number.isSafeInteger(whole)) return whole + 0
  return Math.abs(x) < TWO_63 ? BigInt(whole) : INT64_MIN
}

const CRLF = Buffer.from('\r\n', 'latin1')
