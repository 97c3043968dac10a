/**
 * The settings of one cjson module table, which scripts change by its functions (redis 7.0.15 deps/lua/src/lua_cjson.c
 * json_config_t). They are eight ints in a userdata that is the upvalue of all of the table's functions, so that
 * cjson.new() can be called any number of times: the collector takes a module that nobody uses with its settings.
 */
import { LUA_TBOOLEAN, type Lua } from '../api.ts'
import { argumentError, checkInteger, checkString, FIRST_UPVALUE } from './arguments.ts'

/** What encoding and decoding look at. */
export interface JsonConfig {
  readonly sparseConvert: boolean
  readonly sparseRatio: number
  readonly sparseSafe: number
  readonly encodeMaxDepth: number
  readonly decodeMaxDepth: number
  readonly encodeInvalidNumbers: number
  readonly decodeInvalidNumbers: boolean
  readonly numberPrecision: number
}

export const SPARSE_CONVERT = 0
export const SPARSE_RATIO = 1
export const SPARSE_SAFE = 2
export const ENCODE_MAX_DEPTH = 3
export const DECODE_MAX_DEPTH = 4
export const ENCODE_INVALID_NUMBERS = 5
export const DECODE_INVALID_NUMBERS = 6
export const ENCODE_KEEP_BUFFER = 7
export const NUMBER_PRECISION = 8

const DEFAULTS = [0, 2, 10, 1000, 1000, 0, 1, 1, 14]

const OFF_ON = ['off', 'on']
export const OFF_ON_NULL = ['off', 'on', 'null']

/** The settings of the module whose function is running. */
export class RunningConfig implements JsonConfig {
  readonly #lua: Lua
  #at = 0

  constructor(lua: Lua) {
    this.#lua = lua
  }

  /** Pushes a userdata with the defaults. */
  create(L: number): void {
    const at = this.#lua.c.lua_newuserdata(L, DEFAULTS.length * 4)
    for (const [setting, value] of DEFAULTS.entries()) this.#lua.view.setInt32(at + setting * 4, value, true)
  }

  find(L: number): this {
    this.#at = this.#lua.c.lua_touserdata(L, FIRST_UPVALUE)
    return this
  }

  get sparseConvert(): boolean {
    return this.#get(SPARSE_CONVERT) !== 0
  }

  get sparseRatio(): number {
    return this.#get(SPARSE_RATIO)
  }

  get sparseSafe(): number {
    return this.#get(SPARSE_SAFE)
  }

  get encodeMaxDepth(): number {
    return this.#get(ENCODE_MAX_DEPTH)
  }

  get decodeMaxDepth(): number {
    return this.#get(DECODE_MAX_DEPTH)
  }

  get encodeInvalidNumbers(): number {
    return this.#get(ENCODE_INVALID_NUMBERS)
  }

  get decodeInvalidNumbers(): boolean {
    return this.#get(DECODE_INVALID_NUMBERS) !== 0
  }

  get numberPrecision(): number {
    return this.#get(NUMBER_PRECISION)
  }

  /** json_arg_init: at most so many arguments, the missing ones nil. */
  begin(L: number, most: number): void {
    const count = this.#lua.c.lua_gettop(L)
    if (count > most) argumentError(this.#lua, L, most + 1, 'found too many arguments')
    this.#lua.c.lua_settop(L, most)
    this.find(L)
  }

  /** json_integer_option: takes the argument unless it is nil, and pushes what is set then. */
  integer(L: number, argument: number, setting: number, min: number, max: number): void {
    const { c } = this.#lua
    if (c.lua_type(L, argument) !== 0) {
      const value = checkInteger(this.#lua, L, argument) | 0
      if (value < min || value > max) {
        argumentError(this.#lua, L, 1, `expected integer between ${min} and ${max}`)
      }
      this.#set(setting, value)
    }
    c.lua_pushnumber(L, this.#get(setting))
  }

  /** json_enum_option: the same for one of some words, the first two of which are also false and true. */
  choice(L: number, argument: number, setting: number, words: readonly string[] = OFF_ON): void {
    const { c } = this.#lua
    const type = c.lua_type(L, argument)
    if (type === LUA_TBOOLEAN) this.#set(setting, c.lua_toboolean(L, argument))
    else if (type !== 0) this.#set(setting, this.#word(L, argument, words))
    const value = this.#get(setting)
    if (value <= 1) c.lua_pushboolean(L, value)
    else this.#lua.pushLatin1(L, words[value]!)
  }

  /** luaL_checkoption, for which a word ends at a NUL. */
  #word(L: number, argument: number, words: readonly string[]): number {
    const from = checkString(this.#lua, L, argument)
    const { bytes } = this.#lua
    const text = bytes.latin1Slice(from, bytes.indexOf(0, from))
    const found = words.indexOf(text)
    if (found < 0) argumentError(this.#lua, L, argument, `invalid option '${text}'`)
    return found
  }

  #get(setting: number): number {
    return this.#lua.view.getInt32(this.#at + setting * 4, true)
  }

  #set(setting: number, value: number): void {
    this.#lua.view.setInt32(this.#at + setting * 4, value, true)
  }
}
