/**
 * The global `cjson` of scripts, lua-cjson 2.1.0 as Redis builds it: encode, decode, the functions that change how
 * they work, and new(), which makes another such table with settings of its own (redis 7.0.15
 * deps/lua/src/lua_cjson.c).
 */
import { type HostFunction, LUA_GLOBALSINDEX, type Lua } from '../api.ts'
import { argumentError, checkString } from './arguments.ts'
import * as setting from './json-config.ts'
import { JsonDecoder } from './json-decoder.ts'
import { JsonEncoder } from './json-encoder.ts'

const NAME = 'cjson'
const VERSION = '2.1.0'
const INT_MAX = 0x7fffffff
const MAX_PRECISION = 14

class Json {
  readonly #lua: Lua
  readonly #config: setting.RunningConfig
  readonly #encoder: JsonEncoder
  readonly #decoder: JsonDecoder
  /** Name and pointer, in the order in which they are put into the table. */
  readonly #functions: [name: string, pointer: number][]

  constructor(lua: Lua) {
    this.#lua = lua
    this.#config = new setting.RunningConfig(lua)
    this.#encoder = new JsonEncoder(lua)
    this.#decoder = new JsonDecoder(lua)
    const functions: [string, HostFunction][] = [
      ['encode', this.#encode],
      ['decode', this.#decode],
      ['encode_sparse_array', this.#sparseArray],
      ['encode_max_depth', this.#integer(setting.ENCODE_MAX_DEPTH, INT_MAX)],
      ['decode_max_depth', this.#integer(setting.DECODE_MAX_DEPTH, INT_MAX)],
      ['encode_number_precision', this.#integer(setting.NUMBER_PRECISION, MAX_PRECISION)],
      ['encode_keep_buffer', this.#choice(setting.ENCODE_KEEP_BUFFER)],
      ['encode_invalid_numbers', this.#choice(setting.ENCODE_INVALID_NUMBERS, setting.OFF_ON_NULL)],
      ['decode_invalid_numbers', this.#choice(setting.DECODE_INVALID_NUMBERS)],
      ['new', this.#new],
    ]
    this.#functions = functions.map(([name, fn]) => [name, lua.functionPointer(fn)])
  }

  /** Pushes a module table with default settings. */
  readonly #new: HostFunction = (L) => {
    const lua = this.#lua
    const { c } = lua
    c.lua_createtable(L, 0, 0)
    this.#config.create(L)
    for (const [name, pointer] of this.#functions) {
      c.lua_pushvalue(L, -1)
      c.lua_pushcclosure(L, pointer, 1)
      lua.setField(L, -3, name)
    }
    lua.pop(L)
    c.lua_pushlightuserdata(L, 0)
    lua.setField(L, -2, 'null')
    lua.setText(L, -1, '_NAME', NAME)
    lua.setText(L, -1, '_VERSION', VERSION)
    return 1
  }

  readonly #encode: HostFunction = (L) => {
    if (this.#lua.c.lua_gettop(L) !== 1) argumentError(this.#lua, L, 1, 'expected 1 argument')
    this.#encoder.encode(L, this.#config.find(L))
    return 1
  }

  readonly #decode: HostFunction = (L) => {
    if (this.#lua.c.lua_gettop(L) !== 1) argumentError(this.#lua, L, 1, 'expected 1 argument')
    const pointer = checkString(this.#lua, L, 1)
    this.#decoder.decode(L, this.#config.find(L), pointer, this.#lua.stringLength)
    return 1
  }

  readonly #sparseArray: HostFunction = (L) => {
    this.#config.begin(L, 3)
    this.#config.choice(L, 1, setting.SPARSE_CONVERT)
    this.#config.integer(L, 2, setting.SPARSE_RATIO, 0, INT_MAX)
    this.#config.integer(L, 3, setting.SPARSE_SAFE, 0, INT_MAX)
    return 3
  }

  #integer(which: number, max: number): HostFunction {
    return (L) => {
      this.#config.begin(L, 1)
      this.#config.integer(L, 1, which, 1, max)
      return 1
    }
  }

  #choice(which: number, words?: readonly string[]): HostFunction {
    return (L) => {
      this.#config.begin(L, 1)
      this.#config.choice(L, 1, which, words)
      return 1
    }
  }

  open(): void {
    const { L } = this.#lua
    this.#new(L)
    this.#lua.setField(L, LUA_GLOBALSINDEX, NAME)
  }
}

export function openJson(lua: Lua): void {
  new Json(lua).open()
}
