/**
 * The global `struct` of scripts: numbers and strings packed as C structures are (redis 7.0.15
 * deps/lua/src/lua_struct.c, as compiled for x86-64). A format is a C string of options, each one byte and perhaps a
 * number:
 *
 *   > <      big, little endian          b B h H l L T   integers of 1 1 2 2 8 8 8 bytes, capital: unsigned
 *   !n       align to at most n (8)      iN IN           integers of N bytes (4), N <= 32
 *   space    ignored                     f d             float, double
 *   x        a byte of padding           cN             N bytes (1); 0: all, or as many as the number before it
 *                                        s              bytes and a NUL
 *
 * Offsets and sizes beyond 2^53 are not told apart from one another; Redis answers all of them with an error.
 */
import { type HostFunction, LUA_GLOBALSINDEX, type Lua } from '../api.ts'
import { argumentError, checkString, optionalInteger } from './arguments.ts'
import { fromHalves, isDigit, lowerHalf, toInt64, upperHalf } from './numbers.ts'
import { Output } from './output.ts'

const MAX_INTEGER_BYTES = 32
const MAX_ALIGN = 8
const INT_MAX = 0x7fffffff
const TWO_63 = 2 ** 63
const TWO_64 = 2 ** 64

const SPACE = 0x20
const BANG = 0x21
const LESS = 0x3c
const GREATER = 0x3e
const UPPER_B = 0x42
const UPPER_H = 0x48
const UPPER_I = 0x49
const UPPER_L = 0x4c
const UPPER_T = 0x54
const LOWER_B = 0x62
const LOWER_C = 0x63
const LOWER_D = 0x64
const LOWER_F = 0x66
const LOWER_H = 0x68
const LOWER_I = 0x69
const LOWER_L = 0x6c
const LOWER_S = 0x73
const LOWER_X = 0x78

/** (unsigned long)x as gcc compiles it, as a double; what would be 2^63 for NaN and below zero is negative here. */
function toUint64(x: number): number {
  if (x >= TWO_64) return 0
  return x >= TWO_63 ? x : toInt64(x)
}

/** A format that is being read, and what its control options have set. */
class Format {
  readonly #lua: Lua
  #L = 0
  #pos = 0
  littleEndian = true
  #align = 1

  constructor(lua: Lua) {
    this.#lua = lua
  }

  begin(L: number): void {
    this.#L = L
    this.#pos = checkString(this.#lua, L, 1)
    this.littleEndian = true
    this.#align = 1
  }

  /** The next option, 0 at the end. */
  next(): number {
    const option = this.#lua.bytes[this.#pos]!
    if (option !== 0) this.#pos++
    return option
  }

  /** lua_struct.c optsize: the option's size, reading the number behind it. */
  size(option: number): number {
    switch (option) {
      case UPPER_B:
      case LOWER_B:
      case LOWER_X:
        return 1
      case UPPER_H:
      case LOWER_H:
        return 2
      case LOWER_F:
        return 4
      case UPPER_L:
      case LOWER_L:
      case UPPER_T:
      case LOWER_D:
        return 8
      case LOWER_C:
        return this.#number(1)
      case UPPER_I:
      case LOWER_I: {
        const size = this.#number(4)
        if (size <= MAX_INTEGER_BYTES) return size
        return this.#lua.error(this.#L, `integral size ${size} is larger than limit of ${MAX_INTEGER_BYTES}`)
      }
      default:
        return 0
    }
  }

  /** lua_struct.c gettoalign: the padding in front of an element at this offset. */
  padding(offset: number, option: number, size: number): number {
    if (size === 0 || option === LOWER_C) return 0
    const unit = Math.min(size, this.#align)
    return (unit - (offset & (unit - 1))) & (unit - 1)
  }

  /** lua_struct.c controloptions. */
  control(option: number): void {
    if (option === SPACE) return
    if (option === GREATER) this.littleEndian = false
    else if (option === LESS) this.littleEndian = true
    else if (option === BANG) {
      const align = this.#number(MAX_ALIGN)
      if (align <= 0 || (align & (align - 1)) !== 0) {
        this.#lua.error(this.#L, `alignment ${align} is not a power of 2`)
      }
      this.#align = align
    } else {
      argumentError(this.#lua, this.#L, 1, `invalid format option '${String.fromCharCode(option)}'`)
    }
  }

  #number(otherwise: number): number {
    const { bytes } = this.#lua
    if (!isDigit(bytes[this.#pos]!)) return otherwise
    let value = 0
    for (; isDigit(bytes[this.#pos]!); this.#pos++) {
      value = value * 10 + bytes[this.#pos]! - 0x30
      if (value > INT_MAX) this.#lua.error(this.#L, 'integral size overflow')
    }
    return value
  }
}

class Struct {
  readonly #lua: Lua
  readonly #format: Format
  readonly #out = new Output()

  constructor(lua: Lua) {
    this.#lua = lua
    this.#format = new Format(lua)
  }

  /** struct.pack(format, values...) */
  readonly pack: HostFunction = (L) => {
    const format = this.#format
    const out = this.#out
    format.begin(L)
    out.reset()
    // Makes the first missing argument nil instead of none, as the error says.
    this.#lua.c.lua_pushnil(L)
    let argument = 2
    for (let option = format.next(); option !== 0; option = format.next()) {
      const size = format.size(option)
      out.zeros(format.padding(out.length, option, size))
      if (option === LOWER_X) out.byte(0)
      else if (isValue(option)) this.#packValue(L, option, size, argument++)
      else format.control(option)
    }
    this.#lua.pushBytes(L, out.bytes, 0, out.length)
    return 1
  }

  #packValue(L: number, option: number, size: number, argument: number): void {
    const out = this.#out
    const { littleEndian } = this.#format
    if (option === LOWER_C || option === LOWER_S) {
      const from = checkString(this.#lua, L, argument)
      const length = this.#lua.stringLength
      // Redis counts the argument before it checks, and so names the one behind it.
      if (length < size) argumentError(this.#lua, L, argument + 1, 'string too short')
      out.copy(this.#lua.bytes, from, from + (size === 0 ? length : size))
      if (option === LOWER_S) out.byte(0)
      return
    }
    const x = this.#lua.c.luaL_checknumber(L, argument)
    if (option === LOWER_F) out.float(x, littleEndian)
    else if (option === LOWER_D) out.double(x, littleEndian)
    else this.#packInteger(x, size)
  }

  /** lua_struct.c putinteger: 64 bits, and zeros above them whatever the sign. */
  #packInteger(x: number, size: number): void {
    const out = this.#out
    const { littleEndian } = this.#format
    const value = x < 0 ? toInt64(x) : toUint64(x)
    const lower = lowerHalf(value)
    const upper = upperHalf(value)
    out.reserve(size)
    const start = out.length
    for (let i = 0; i < size; i++) {
      const byte = i < 4 ? lower >>> (8 * i) : i < 8 ? upper >>> (8 * i - 32) : 0
      out.bytes[littleEndian ? start + i : start + size - 1 - i] = byte
    }
    out.length = start + size
  }

  /** struct.unpack(format, data, first = 1): the values, and where the next would begin. */
  readonly unpack: HostFunction = (L) => {
    const lua = this.#lua
    const format = this.#format
    format.begin(L)
    const data = checkString(lua, L, 2)
    const length = lua.stringLength
    const first = optionalInteger(lua, L, 3, 1)
    if (first === 0) argumentError(lua, L, 3, 'offset must be 1 or greater')
    let option = format.next()
    if (option === 0) {
      lua.c.lua_pushnumber(L, first)
      return 1
    }
    let pos = first - 1
    let results = 0
    for (; option !== 0; option = format.next()) {
      let size = format.size(option)
      pos += format.padding(pos, option, size)
      this.#checkRoom(L, pos, size, length)
      lua.c.luaL_checkstack(L, 2, lua.name('too many results'))
      if (option === LOWER_C) {
        if (size === 0) {
          size = this.#previousNumber(L, results--)
          this.#checkRoom(L, pos, size, length)
        }
        lua.c.lua_pushlstring(L, data + pos, size)
        results++
      } else if (option === LOWER_S) {
        const end = lua.bytes.indexOf(0, data + pos)
        if (end >= data + length) lua.error(L, 'unfinished string in data')
        size = end - (data + pos) + 1
        lua.c.lua_pushlstring(L, data + pos, size - 1)
        results++
      } else if (isValue(option)) {
        lua.c.lua_pushnumber(L, this.#number(option, data + pos, size))
        results++
      } else if (option !== LOWER_X) format.control(option)
      pos += size
    }
    lua.c.lua_pushnumber(L, pos + 1)
    return results + 1
  }

  #checkRoom(L: number, pos: number, size: number, length: number): void {
    if (pos < 0 || size < 0 || pos + size > length) argumentError(this.#lua, L, 2, 'data string too short')
  }

  /** The size of a 'c0': the value before it, which is no result then. */
  #previousNumber(L: number, results: number): number {
    const { c } = this.#lua
    if (results === 0 || c.lua_isnumber(L, -1) === 0) this.#lua.error(L, "format 'c0' needs a previous size")
    const size = toUint64(c.lua_tonumber(L, -1))
    this.#lua.pop(L)
    return size
  }

  #number(option: number, at: number, size: number): number {
    const { littleEndian } = this.#format
    if (option === LOWER_F) return this.#lua.view.getFloat32(at, littleEndian)
    if (option === LOWER_D) return this.#lua.view.getFloat64(at, littleEndian)
    return this.#integer(at, size, option >= LOWER_B)
  }

  /**
   * lua_struct.c getinteger; of more than eight bytes the lowest eight count, and the sign is looked for in odd
   * places.
   */
  #integer(at: number, size: number, signed: boolean): number {
    const { bytes } = this.#lua
    const { littleEndian } = this.#format
    let lower = 0
    let upper = 0
    for (let i = Math.min(size, 8) - 1; i >= 0; i--) {
      const byte = bytes[littleEndian ? at + i : at + size - 1 - i]!
      if (i >= 4) upper = (upper << 8) | byte
      else lower = (lower << 8) | byte
    }
    if (!signed) return fromHalves(upper >>> 0, lower)
    const signBit = (size * 8 - 1) & 63
    const lowerMask = signBit < 32 ? -1 << signBit : 0
    const upperMask = signBit < 32 ? -1 : -1 << (signBit - 32)
    if ((lower & lowerMask) !== 0 || (upper & upperMask) !== 0) {
      lower |= lowerMask
      upper |= upperMask
    }
    return fromHalves(upper, lower)
  }

  /** struct.size(format) */
  readonly size: HostFunction = (L) => {
    const format = this.#format
    format.begin(L)
    let pos = 0
    for (let option = format.next(); option !== 0; option = format.next()) {
      const size = format.size(option)
      pos += format.padding(pos, option, size)
      if (option === LOWER_S) argumentError(this.#lua, L, 1, "option 's' has no fixed size")
      if (option === LOWER_C && size === 0) argumentError(this.#lua, L, 1, "option 'c0' has no fixed size")
      if (!isAlphanumeric(option)) format.control(option)
      pos += size
    }
    this.#lua.c.lua_pushnumber(L, pos)
    return 1
  }
}

/** Options that take an argument or give a result. */
function isValue(option: number): boolean {
  switch (option) {
    case UPPER_B:
    case UPPER_H:
    case UPPER_I:
    case UPPER_L:
    case UPPER_T:
    case LOWER_B:
    case LOWER_C:
    case LOWER_D:
    case LOWER_F:
    case LOWER_H:
    case LOWER_I:
    case LOWER_L:
    case LOWER_S:
      return true
    default:
      return false
  }
}

function isAlphanumeric(byte: number): boolean {
  const letter = byte | 0x20
  return isDigit(byte) || (letter >= 0x61 && letter <= 0x7a)
}

export function openStruct(lua: Lua): void {
  const { L } = lua
  const struct = new Struct(lua)
  lua.c.lua_createtable(L, 0, 3)
  lua.setFunction(L, -1, 'pack', struct.pack)
  lua.setFunction(L, -1, 'unpack', struct.unpack)
  lua.setFunction(L, -1, 'size', struct.size)
  lua.setField(L, LUA_GLOBALSINDEX, 'struct')
}
