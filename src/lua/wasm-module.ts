/**
 * Lua 5.1 as WebAssembly: the file of the package wasmoon-lua5.1, without the package's JavaScript (which cuts strings
 * at NUL). Redis has one change in its Lua that this needs as well: tables that are read only, also for rawset and
 * table.insert. So the compiled code is changed before it is instantiated, at the three places where Redis changed the
 * source (redis 7.0.15 deps/lua lvm.c luaV_settable, lapi.c lua_rawset, lua_rawseti, lua_setmetatable):
 *
 *     luaH_set, luaH_setnum   at their beginning      if ((table.flags & 0xe0) == 0x80)
 *     lua_setmetatable        before the store          luaG_runerror(L, "Attempt to modify a readonly table")
 *
 * Byte 6 of a table is `flags`; Lua uses its low five bits (absent metamethods) and sets all eight in a new table, so
 * "bit 7 without bits 5 and 6" is free to mean read only. Likewise f_parser (ldo.c) no longer takes compiled chunks: code that
 * begins with ESC is parsed as text. The places are those of one build: another file is refused.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const FILE_SHA256 = 'cba969b97e8a319eba8996b5df488aed5cdd22a56f2de53b42598e474014e610'
const IMPORTED_FUNCTIONS = 27
const LUA_SETMETATABLE = 78
const LUAG_RUNERROR = 228
const LUAH_SET = 418
const LUAH_SETNUM = 419
const F_PARSER = 243
const CODE_SECTION = 10

/** Where in a table its `flags` are, and which of them mean read only. */
export const TABLE_FLAGS = 6
export const READONLY_MASK = 0xe0
export const READONLY = 0x80

/** The first kilobyte of the memory is used by nobody: the text is put there after instantiation. */
export const READONLY_TEXT_AT = 16
export const READONLY_TEXT = 'Attempt to modify a readonly table'

let compiled: WebAssembly.Module | undefined

export function luaModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(patched(readFileSync(luaFile())))
  return compiled
}

function luaFile(): string {
  const main = createRequire(import.meta.url).resolve('wasmoon-lua5.1')
  return join(dirname(main), 'liblua5.1.wasm')
}

function patched(wasm: Buffer): Uint8Array {
  const sum = createHash('sha256').update(wasm).digest('hex')
  if (sum !== FILE_SHA256) throw new Error(`liblua5.1.wasm is another build than the one that is known (sha256 ${sum})`)
  // magic and version, then sections: id, length, content
  const parts: Buffer[] = [wasm.subarray(0, 8)]
  let pos = 8
  while (pos < wasm.length) {
    const id = wasm[pos]!
    const [length, start] = readNumber(wasm, pos + 1)
    const content = wasm.subarray(start, start + length)
    const next = id === CODE_SECTION ? patchCode(content) : content
    parts.push(Buffer.from([id, ...number(next.length)]), next)
    pos = start + length
  }
  return new Uint8Array(Buffer.concat(parts))
}

/** The code section: a count, then functions, each with its length in front. */
function patchCode(section: Buffer): Buffer {
  const [count, first] = readNumber(section, 0)
  const parts: Buffer[] = [section.subarray(0, first)]
  let pos = first
  for (let i = 0; i < count; i++) {
    const [length, start] = readNumber(section, pos)
    const body = patchFunction(IMPORTED_FUNCTIONS + i, section.subarray(start, start + length))
    parts.push(Buffer.from(number(body.length)), body)
    pos = start + length
  }
  return Buffer.concat(parts)
}

function patchFunction(index: number, body: Buffer): Buffer {
  if (index === LUAH_SET || index === LUAH_SETNUM) return insert(body, endOfLocals(body), refuseIfReadonly([0x20, 1]))
  if (index === F_PARSER) return parseTextOnly(body)
  if (index !== LUA_SETMETATABLE) return body
  // local.get 2; i32.load (the table); local.get 1 (the metatable); i32.store offset=8
  const store = Buffer.from([0x20, 2, 0x28, 2, 0, 0x20, 1, 0x36, 2, 8])
  return insert(body, body.indexOf(store), refuseIfReadonly([0x20, 2, 0x28, 2, 0]))
}

/** local.get 2 (the first character); i32.const 27; i32.eq: compares with -2 instead, which no character is. */
function parseTextOnly(body: Buffer): Buffer {
  const at = body.indexOf(Buffer.from([0x20, 2, 0x41, 27, 0x46]))
  if (at < 0) throw new Error('liblua5.1.wasm: the place to change was not found')
  const patched = Buffer.from(body)
  patched[at + 3] = 0x7e
  return patched
}

/** Code that raises the error if the table that `table` (code) gives is read only; the Lua state is parameter 0. */
function refuseIfReadonly(table: number[]): number[] {
  return [
    ...table,
    ...[0x2d, 0, TABLE_FLAGS], // i32.load8_u offset=6
    ...[0x41, ...signed(READONLY_MASK), 0x71], // i32.const, i32.and
    ...[0x41, ...signed(READONLY), 0x46], // i32.const, i32.eq
    ...[0x04, 0x40], // if
    ...[0x20, 0, 0x41, ...signed(READONLY_TEXT_AT), 0x41, 0, 0x10, ...number(LUAG_RUNERROR)],
    0x0b,
  ]
}

function insert(body: Buffer, at: number, code: number[]): Buffer {
  if (at < 0) throw new Error('liblua5.1.wasm: the place to change was not found')
  return Buffer.concat([body.subarray(0, at), Buffer.from(code), body.subarray(at)])
}

function endOfLocals(body: Buffer): number {
  let [groups, pos] = readNumber(body, 0)
  for (; groups > 0; groups--) pos = readNumber(body, pos)[1] + 1
  return pos
}

/** LEB128: the number and where it ends. */
function readNumber(bytes: Buffer, from: number): [value: number, end: number] {
  let value = 0
  let shift = 0
  let pos = from
  for (;;) {
    const byte = bytes[pos++]!
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return [value >>> 0, pos]
    shift += 7
  }
}

function number(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  bytes.push(rest)
  return bytes
}

/** The same for constants, whose last byte's bit 6 is the sign. */
function signed(value: number): number[] {
  return value > 0x3f ? [(value & 0x7f) | 0x80, ...signed(value >>> 7)] : [value]
}
