/**
 * JSON text to Lua values as lua-cjson 2.1.0 reads it (redis 7.0.15 deps/lua/src/lua_cjson.c json_decode and what it
 * calls). It is more than JSON: a NUL ends the text, strings may hold any other byte, numbers are all that strtod
 * takes unless decode_invalid_numbers is off. null becomes cjson.null, a light userdata, since a table cannot hold
 * nil.
 *
 * The text is read where it lies in the interpreter's memory; the NUL that follows every Lua string ends it, so no
 * bound is checked. A string without escapes is pushed from there. Tables grow member by member, as in Redis, for the
 * order of pairs() depends on it. Nesting is kept in a list instead of in JavaScript's stack.
 */
import type { Lua } from '../api.ts'
import type { JsonConfig } from './json-config.ts'
import { hexDigit, NumberScanner, startsWith } from './numbers.ts'
import { Output } from './output.ts'

type Token = number

const ERROR = 0
const OBJECT_BEGIN = 1
const OBJECT_END = 2
const ARRAY_BEGIN = 3
const ARRAY_END = 4
const STRING = 5
const NUMBER = 6
const BOOLEAN = 7
const NULL = 8
const COLON = 9
const COMMA = 10
const END = 11
const WHITESPACE = 12
const UNKNOWN = 13

/** What errors call them. */
const TOKEN_NAMES = [
  '',
  'T_OBJ_BEGIN',
  'T_OBJ_END',
  'T_ARR_BEGIN',
  'T_ARR_END',
  'T_STRING',
  'T_NUMBER',
  'T_BOOLEAN',
  'T_NULL',
  'T_COLON',
  'T_COMMA',
  'T_END',
]

/** The token that a byte is, or UNKNOWN if more bytes must be looked at. */
const TOKENS = new Uint8Array(256)
TOKENS[0] = END
for (const [bytes, token] of [
  ['{', OBJECT_BEGIN],
  ['}', OBJECT_END],
  ['[', ARRAY_BEGIN],
  [']', ARRAY_END],
  [',', COMMA],
  [':', COLON],
  [' \t\n\r', WHITESPACE],
  ['fiInNt"+-0123456789', UNKNOWN],
] as const) {
  for (const byte of Buffer.from(bytes)) TOKENS[byte] = token
}

/** What stands for itself, or for a control character, behind a backslash. */
const ESCAPED = new Uint8Array(256)
for (const [letter, byte] of ['""', '\\\\', '//', 'b\b', 't\t', 'n\n', 'f\f', 'r\r']) {
  ESCAPED[letter!.charCodeAt(0)] = byte!.charCodeAt(0)
}

const QUOTE = 0x22
const PLUS = 0x2b
const MINUS = 0x2d
const BACKSLASH = 0x5c
const LOWER_U = 0x75

/** In the list of open tables: an object. An array is the last index. */
const OBJECT = -1

const SLOTS_OF_OBJECT = 3
const SLOTS_OF_ARRAY = 2

export class JsonDecoder {
  readonly #lua: Lua
  readonly #unescaped = new Output()
  readonly #numbers = new NumberScanner()
  readonly #open: number[] = []
  #config!: JsonConfig

  /** The interpreter's memory; another object when it has grown. */
  #bytes!: Buffer
  /** Where the text begins in it, and where it is read. */
  #start = 0
  #pos = 0

  /** The token that was read last: where it (or its error) is, and its value. */
  #at = 0
  #problem = ''
  #truth = false
  /** Of a string: it lies here, or in #unescaped if `from` is 0. */
  #from = 0
  #end = 0

  constructor(lua: Lua) {
    this.#lua = lua
  }

  /** Pushes the value of the text that begins there. */
  decode(L: number, config: JsonConfig, pointer: number, length: number): void {
    this.#config = config
    this.#bytes = this.#lua.bytes
    if (length >= 2 && (this.#bytes[pointer] === 0 || this.#bytes[pointer + 1] === 0)) {
      this.#lua.error(L, 'JSON parser does not support UTF-16 or UTF-32')
    }
    this.#start = pointer
    this.#pos = pointer
    this.#unescaped.reset()
    this.#values(L)
    const token = this.#next()
    if (token !== END) this.#unexpected(L, 'the end', token)
  }

  /** json_process_value: one value with all that is inside it. */
  #values(L: number): void {
    const open = this.#open
    const { c } = this.#lua
    let depth = 0
    let token = this.#next()
    for (;;) {
      if (token === OBJECT_BEGIN) {
        this.#descend(L, ++depth, SLOTS_OF_OBJECT)
        c.lua_createtable(L, 0, 0)
        this.#bytes = this.#lua.bytes
        token = this.#next()
        if (token !== OBJECT_END) {
          open[depth] = OBJECT
          token = this.#key(L, token)
          continue
        }
        depth--
      } else if (token === ARRAY_BEGIN) {
        this.#descend(L, ++depth, SLOTS_OF_ARRAY)
        c.lua_createtable(L, 0, 0)
        this.#bytes = this.#lua.bytes
        token = this.#next()
        if (token !== ARRAY_END) {
          open[depth] = 0
          continue
        }
        depth--
      } else this.#leaf(L, token)
      // A value is complete: it goes into its table, which may end there and then be complete as well.
      for (;;) {
        if (depth === 0) return
        const index = open[depth]!
        if (index === OBJECT) c.lua_rawset(L, -3)
        else c.lua_rawseti(L, -2, (open[depth] = index + 1))
        this.#bytes = this.#lua.bytes
        token = this.#next()
        if (token === COMMA) {
          token = this.#next()
          if (index === OBJECT) token = this.#key(L, token)
          break
        }
        if (token !== (index === OBJECT ? OBJECT_END : ARRAY_END)) {
          this.#unexpected(L, index === OBJECT ? 'comma or object end' : 'comma or array end', token)
        }
        depth--
      }
    }
  }

  /** A key with its colon; the token behind them. */
  #key(L: number, token: Token): Token {
    if (token !== STRING) this.#unexpected(L, 'object key string', token)
    this.#pushString(L)
    const colon = this.#next()
    if (colon !== COLON) this.#unexpected(L, 'colon', colon)
    return this.#next()
  }

  #leaf(L: number, token: Token): void {
    const { c } = this.#lua
    switch (token) {
      case STRING:
        this.#pushString(L)
        break
      case NUMBER:
        c.lua_pushnumber(L, this.#numbers.value)
        break
      case BOOLEAN:
        c.lua_pushboolean(L, this.#truth ? 1 : 0)
        break
      case NULL:
        c.lua_pushlightuserdata(L, 0)
        break
      default:
        this.#unexpected(L, 'value', token)
    }
  }

  #pushString(L: number): void {
    const unescaped = this.#unescaped
    if (this.#from === 0) this.#lua.pushBytes(L, unescaped.bytes, 0, unescaped.length)
    else this.#lua.c.lua_pushlstring(L, this.#from, this.#end - this.#from)
    this.#bytes = this.#lua.bytes
  }

  /** json_decode_descend. */
  #descend(L: number, depth: number, slots: number): void {
    if (depth <= this.#config.decodeMaxDepth && this.#lua.c.lua_checkstack(L, slots) !== 0) return
    const at = this.#pos - this.#start
    this.#lua.error(L, `Found too many nested data structures (${depth}) at character ${at}`)
  }

  /** json_throw_parse_error. */
  #unexpected(L: number, expected: string, token: Token): never {
    const found = token === ERROR ? this.#problem : TOKEN_NAMES[token]
    const at = this.#at - this.#start + 1
    return this.#lua.error(L, `Expected ${expected} but found ${found} at character ${at}`)
  }

  // ---- tokens -----------------------------------------------------------------------------------------------------

  /** json_next_token. */
  #next(): Token {
    const bytes = this.#bytes
    let byte = bytes[this.#pos]!
    let token = TOKENS[byte]!
    while (token === WHITESPACE) {
      byte = bytes[++this.#pos]!
      token = TOKENS[byte]!
    }
    this.#at = this.#pos
    if (token === UNKNOWN) return byte === QUOTE ? this.#string() : this.#word(byte)
    if (token === ERROR) return this.#error('invalid token')
    if (token !== END) this.#pos++
    return token
  }

  #error(problem: string): Token {
    this.#at = this.#pos
    this.#problem = problem
    return ERROR
  }

  #word(byte: number): Token {
    const invalidAllowed = this.#config.decodeInvalidNumbers
    if (byte === MINUS || (byte >= 0x30 && byte <= 0x39)) {
      if (!invalidAllowed && this.#isInvalidNumber()) return this.#error('invalid number')
      return this.#number()
    }
    if (this.#isLiteral('true')) {
      this.#truth = true
      return BOOLEAN
    }
    if (this.#isLiteral('false')) {
      this.#truth = false
      return BOOLEAN
    }
    if (this.#isLiteral('null')) return NULL
    if (invalidAllowed && this.#isInvalidNumber()) return this.#number()
    return this.#error('invalid token')
  }

  #isLiteral(word: string): boolean {
    for (let i = 0; i < word.length; i++) if (this.#bytes[this.#pos + i] !== word.charCodeAt(i)) return false
    this.#pos += word.length
    return true
  }

  #number(): Token {
    this.#numbers.scan(this.#bytes, this.#pos)
    if (this.#numbers.end === this.#pos) return this.#error('invalid number')
    this.#pos = this.#numbers.end
    return NUMBER
  }

  /** json_is_invalid_number: strtod may take it, but it is no JSON. */
  #isInvalidNumber(): boolean {
    const bytes = this.#bytes
    let pos = this.#pos
    if (bytes[pos] === PLUS) return true
    if (bytes[pos] === MINUS) pos++
    const byte = bytes[pos]!
    if (byte === 0x30) {
      const second = bytes[pos + 1]!
      return (second | 0x20) === 0x78 || (second >= 0x30 && second <= 0x39)
    }
    // Bytes from 0x80 are below '9' there: char is signed.
    if (byte <= 0x39 || byte >= 0x80) return false
    return startsWith(bytes, pos, 'inf') || startsWith(bytes, pos, 'nan')
  }

  /** json_next_string_token. */
  #string(): Token {
    const bytes = this.#bytes
    const from = this.#pos + 1
    let pos = from
    let byte = bytes[pos]!
    while (byte !== QUOTE && byte !== BACKSLASH && byte !== 0) byte = bytes[++pos]!
    this.#pos = pos
    if (byte === BACKSLASH) return this.#escapedString(from)
    if (byte === 0) return this.#error('unexpected end of string')
    this.#from = from
    this.#end = pos
    this.#pos = pos + 1
    return STRING
  }

  #escapedString(from: number): Token {
    const bytes = this.#bytes
    const out = this.#unescaped
    out.length = 0
    let run = from
    for (;;) {
      const byte = bytes[this.#pos]!
      if (byte !== QUOTE && byte !== BACKSLASH && byte !== 0) {
        this.#pos++
        continue
      }
      out.copy(bytes, run, this.#pos)
      if (byte === QUOTE) break
      if (byte === 0) return this.#error('unexpected end of string')
      const letter = bytes[this.#pos + 1]!
      if (letter === LOWER_U) {
        if (!this.#unicodeEscape()) return this.#error('invalid unicode escape code')
      } else {
        const escaped = ESCAPED[letter]!
        if (escaped === 0) return this.#error('invalid escape code')
        out.byte(escaped)
        this.#pos += 2
      }
      run = this.#pos
    }
    this.#pos++
    this.#from = 0
    return STRING
  }

  /** json_append_unicode_escape: at a backslash and u; false if what follows is not right. */
  #unicodeEscape(): boolean {
    const unit = this.#hex4(this.#pos + 2)
    if (unit < 0) return false
    if ((unit & 0xf800) !== 0xd800) {
      this.#utf8(unit)
      this.#pos += 6
      return true
    }
    if ((unit & 0x400) !== 0) return false
    if (this.#bytes[this.#pos + 6] !== BACKSLASH || this.#bytes[this.#pos + 7] !== LOWER_U) return false
    const low = this.#hex4(this.#pos + 8)
    if (low < 0 || (low & 0xfc00) !== 0xdc00) return false
    this.#utf8((((unit & 0x3ff) << 10) | (low & 0x3ff)) + 0x10000)
    this.#pos += 12
    return true
  }

  /** The value of four hexadecimal digits, or -1. */
  #hex4(pos: number): number {
    let value = 0
    for (let i = 0; i < 4; i++) {
      const digit = hexDigit(this.#bytes[pos + i]!)
      if (digit < 0) return -1
      value = (value << 4) | digit
    }
    return value
  }

  #utf8(codepoint: number): void {
    const out = this.#unescaped
    if (codepoint <= 0x7f) return out.byte(codepoint)
    if (codepoint <= 0x7ff) out.byte((codepoint >> 6) | 0xc0)
    else {
      if (codepoint <= 0xffff) out.byte((codepoint >> 12) | 0xe0)
      else {
        out.byte((codepoint >> 18) | 0xf0)
        out.byte(((codepoint >> 12) & 0x3f) | 0x80)
      }
      out.byte(((codepoint >> 6) & 0x3f) | 0x80)
    }
    out.byte((codepoint & 0x3f) | 0x80)
  }
}
