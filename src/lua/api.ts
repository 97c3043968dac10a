/**
 * The C API of Lua 5.1 over its WebAssembly module. A `Lua` is one module instance with one Lua state; methods take the
 * lua_State (or coroutine) `L` first, as the C functions do, and stack indexes mean what they mean in C.
 *
 * Strings are bytes in both directions. `toBytes` gives a view of the interpreter's memory: valid until Lua runs or
 * allocates again (memory that grows moves). `bytes` and `view` are read anew from here after anything that allocates.
 *
 * Host functions are JavaScript functions (L) => number of results, called by Lua like C functions. Lua errors travel as
 * a thrown token: catch nothing in them without throwing it on (`isLongjmp`). Any other exception becomes a Lua error
 * here, since one that would unwind Lua's own frames leaves its call counter wrong.
 */
import {
  LUA_ERRMEM,
  LUA_GCCOUNT,
  LUA_GCCOUNTB,
  LUA_GLOBALSINDEX,
  LUA_REGISTRYINDEX,
  LUA_TNUMBER,
  LUA_TSTRING,
  type LuaExports,
} from './c-api.ts'
import { luaModule, READONLY, READONLY_MASK, READONLY_TEXT, READONLY_TEXT_AT, TABLE_FLAGS } from './wasm-module.ts'

export * from './c-api.ts'

/** Number of results; called with the lua_State (a coroutine's own inside coroutines). */
export type HostFunction = (L: number) => number

/** Where the running function was called: of lua_getinfo 'nSl'. */
export interface CallSite {
  what: string
  source: string
  line: number
}

const PAGE = 65536
const SCRATCH_BYTES = 64 * 1024
const DEBUG_BYTES = 128
const SMALL_COPY = 64
/** Offsets in lua_Debug. */
const AR_WHAT = 12
const AR_SOURCE = 16
const AR_CURRENTLINE = 20
/** Offsets in lua_State: nested calls of C code now, and when the coroutine was resumed. */
const STATE_NCCALLS = 52
const STATE_BASE_CCALLS = 54
const TABLE_METATABLE = 8
/** Offset in a table of its hash part; all empty ones share one. */
const TABLE_NODES = 16
/** Offsets in lua_State and sizes of what its stack is made of. */
const STATE_BASE = 12
const VALUE_BYTES = 16
const VALUE_TYPE = 8
const STRING_LENGTH = 12
const STRING_BYTES = 16
const LONGJMP = { name: 'longjmp' }

export class Lua {
  readonly c: LuaExports
  /** The main state. */
  readonly L: number
  /** The whole memory; another object after it grew. */
  bytes!: Buffer
  view!: DataView

  #limitBytes: number
  #scratch: number
  #scratchBytes = SCRATCH_BYTES
  #ar: number
  #names = new Map<string, number>()
  #noNodes: number

  constructor(limitBytes = 0x4000_0000) {
    this.#limitBytes = limitBytes
    const instance = new WebAssembly.Instance(luaModule(), this.#imports())
    this.c = instance.exports as unknown as LuaExports
    this.#refresh()
    this.bytes.latin1Write(`${READONLY_TEXT}\0`, READONLY_TEXT_AT)
    this.c.__wasm_call_ctors()
    this.#scratch = this.c.malloc(SCRATCH_BYTES)
    this.#ar = this.c.malloc(DEBUG_BYTES)
    this.L = this.c.luaL_newstate()
    if (this.L === 0) throw new Error('Lua: not enough memory')
    this.c.lua_createtable(this.L, 0, 0)
    this.#noNodes = this.view.getUint32(this.c.lua_topointer(this.L, -1) + TABLE_NODES, true)
    this.pop(this.L)
  }

  get memoryBytes(): number {
    return this.c.memory.buffer.byteLength
  }

  /** What the collector counts as in use. */
  get usedBytes(): number {
    return this.c.lua_gc(this.L, LUA_GCCOUNT, 0) * 1024 + this.c.lua_gc(this.L, LUA_GCCOUNTB, 0)
  }

  close(): void {
    this.c.lua_close(this.L)
  }

  // ---- strings ----------------------------------------------------------------------------------------------------

  pushBytes(L: number, bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    const length = end - start
    const at = this.#room(length)
    const memory = this.bytes
    if (length <= SMALL_COPY) for (let i = 0; i < length; i++) memory[at + i] = bytes[start + i]!
    else memory.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at)
    this.c.lua_pushlstring(L, at, length)
  }

  /** Each character is one byte. */
  pushLatin1(L: number, text: string): void {
    const at = this.#room(text.length)
    this.bytes.latin1Write(text, at)
    this.c.lua_pushlstring(L, at, text.length)
  }

  /** Where room for `length` bytes is that lua_pushlstring may take: write into `bytes` there, nothing else between. */
  scratch(length: number): number {
    return this.#room(length)
  }

  /** The string (or number, which it turns into a string) at `index`; undefined if it is neither. */
  toBytes(L: number, index: number): Buffer | undefined {
    const pointer = this.c.lua_tolstring(L, index, this.#ar)
    if (pointer === 0) return undefined
    return this.bytes.subarray(pointer, pointer + this.view.getUint32(this.#ar, true))
  }

  /** The same without an object: where it begins (0 if it is no string); `stringLength` is its length. */
  toPointer(L: number, index: number): number {
    const pointer = this.c.lua_tolstring(L, index, this.#ar)
    this.stringLength = pointer === 0 ? 0 : this.view.getUint32(this.#ar, true)
    return pointer
  }

  stringLength = 0

  /**
   * Argument n (from 1) of the host function that runs, read from the stack in memory, which costs less than calls into
   * the module: its type; then `stringStart` and `stringLength`, or `number`.
   */
  argument(L: number, n: number): number {
    const { view } = this
    const at = view.getUint32(L + STATE_BASE, true) + (n - 1) * VALUE_BYTES
    const type = view.getUint32(at + VALUE_TYPE, true)
    if (type === LUA_TSTRING) {
      const string = view.getUint32(at, true)
      this.stringStart = string + STRING_BYTES
      this.stringLength = view.getUint32(string + STRING_LENGTH, true)
    } else if (type === LUA_TNUMBER) {
      this.number = view.getFloat64(at, true)
      this.numberIsNegative = view.getUint8(at + 7) > 0x7f
    }
    return type
  }

  stringStart = 0
  number = 0
  /** Its sign bit, which a NaN has as well. */
  numberIsNegative = false

  toLatin1(L: number, index: number): string | undefined {
    const at = this.toPointer(L, index)
    return at === 0 ? undefined : this.bytes.latin1Slice(at, at + this.stringLength)
  }

  // ---- tables -----------------------------------------------------------------------------------------------------

  /** Pushes table[name], with metamethods. `name` should be one of few: its bytes are kept. */
  getField(L: number, index: number, name: string): void {
    this.c.lua_getfield(L, index, this.name(name))
  }

  /** table[name] = top, and pops it. */
  setField(L: number, index: number, name: string): void {
    this.c.lua_setfield(L, index, this.name(name))
  }

  /** table[name] without metamethods. */
  rawGetField(L: number, index: number, name: string): void {
    if (this.view.getUint32(this.c.lua_topointer(L, index) + TABLE_METATABLE, true) === 0) {
      this.getField(L, index, name)
      return
    }
    const table = index < 0 && index > LUA_REGISTRYINDEX ? index - 1 : index
    this.pushLatin1(L, name)
    this.c.lua_rawget(L, table)
  }

  setFunction(L: number, index: number, name: string, fn: HostFunction): void {
    const table = index < 0 && index > LUA_REGISTRYINDEX ? index - 1 : index
    this.pushFunction(L, fn)
    this.setField(L, table, name)
  }

  setNumber(L: number, index: number, name: string, value: number): void {
    const table = index < 0 && index > LUA_REGISTRYINDEX ? index - 1 : index
    this.c.lua_pushnumber(L, value)
    this.setField(L, table, name)
  }

  setText(L: number, index: number, name: string, value: string): void {
    const table = index < 0 && index > LUA_REGISTRYINDEX ? index - 1 : index
    this.pushLatin1(L, value)
    this.setField(L, table, name)
  }

  /** Address of the globals of the main state. */
  get globalsPointer(): number {
    return this.c.lua_topointer(this.L, LUA_GLOBALSINDEX)
  }

  isReadonly(L: number, index: number): boolean {
    return (this.bytes[this.c.lua_topointer(L, index) + TABLE_FLAGS]! & READONLY_MASK) === READONLY
  }

  setReadonly(L: number, index: number, readonly: boolean): void {
    this.setTableReadonly(this.c.lua_topointer(L, index), readonly)
  }

  /** The same of a table whose address (lua_topointer) is known. */
  setTableReadonly(table: number, readonly: boolean): void {
    const at = table + TABLE_FLAGS
    this.bytes[at] = (this.bytes[at]! & ~READONLY_MASK) | (readonly ? READONLY : 0)
  }

  /** False if a table has no fields besides 1..n of its array part, which is told without looking any up. */
  mayHaveFields(L: number, index: number): boolean {
    return this.view.getUint32(this.c.lua_topointer(L, index) + TABLE_NODES, true) !== this.#noNodes
  }

  pop(L: number, n = 1): void {
    this.c.lua_settop(L, -n - 1)
  }

  /** A NUL-terminated name that stays in memory. */
  name(text: string): number {
    let pointer = this.#names.get(text)
    if (pointer === undefined) {
      pointer = this.c.malloc(text.length + 1)
      this.bytes.latin1Write(`${text}\0`, pointer)
      this.#names.set(text, pointer)
    }
    return pointer
  }

  // ---- functions and errors ---------------------------------------------------------------------------------------

  pushFunction(L: number, fn: HostFunction, upvalues = 0): void {
    this.c.lua_pushcclosure(L, this.functionPointer(fn), upvalues)
  }

  /** A pointer that Lua can call; each lives as long as the module, so make each function once. */
  functionPointer(fn: HostFunction): number {
    return this.#addToTable(FUNCTION_WRAPPER, (L: number) => this.#guarded(fn, L))
  }

  /** A hook: (L, ar). It may end with lua_yield. */
  hookPointer(hook: (L: number, ar: number) => void): number {
    return this.#addToTable(HOOK_WRAPPER, (L: number, ar: number) => {
      try {
        hook(L, ar)
      } catch (error) {
        this.#raise(L, error)
      }
    })
  }

  /** Compiles a chunk onto the stack (or the message when it is not LUA_OK). */
  load(L: number, code: Uint8Array, name: string): number {
    const at = this.c.malloc(Math.max(1, code.length))
    if (at === 0) {
      this.pushLatin1(L, 'not enough memory')
      return LUA_ERRMEM
    }
    this.bytes.set(code, at)
    const status = this.c.luaL_loadbuffer(L, at, code.length, this.name(name))
    this.c.free(at)
    return status
  }

  /** Raises `text` with the caller's place in front, as luaL_error does. */
  error(L: number, text: string): never {
    this.c.luaL_where(L, 1)
    this.pushLatin1(L, text)
    this.c.lua_concat(L, 2)
    this.c.lua_error(L)
    throw LONGJMP
  }

  /** Raises the value on top. */
  throwTop(L: number): never {
    this.c.lua_error(L)
    throw LONGJMP
  }

  /** "bad argument #n to 'f' (text)" */
  argumentError(L: number, argument: number, text: string): never {
    const pointer = this.c.malloc(text.length + 1)
    this.bytes.latin1Write(`${text}\0`, pointer)
    this.c.luaL_argerror(L, argument, pointer)
    throw LONGJMP
  }

  /** A string argument's bytes, or the usual error. */
  checkBytes(L: number, argument: number): Buffer {
    const pointer = this.c.luaL_checklstring(L, argument, this.#ar)
    return this.bytes.subarray(pointer, pointer + this.view.getUint32(this.#ar, true))
  }

  /** Whether a caught value is a Lua error on its way, which has to be thrown on. */
  isLongjmp(error: unknown): boolean {
    return error === LONGJMP
  }

  /** The function at a level of the stack (0 is the running one); undefined beyond its end. */
  callSite(L: number, level: number): CallSite | undefined {
    const { c } = this
    const ar = this.#ar
    if (c.lua_getstack(L, level, ar) === 0) return undefined
    c.lua_getinfo(L, this.name('nSl'), ar)
    return {
      what: this.#cString(this.view.getUint32(ar + AR_WHAT, true)),
      source: this.#cString(this.view.getUint32(ar + AR_SOURCE, true)),
      line: this.view.getInt32(ar + AR_CURRENTLINE, true),
    }
  }

  /** No C code is between here and where the coroutine was resumed: a hook may yield. */
  canYield(L: number): boolean {
    const { view } = this
    return view.getUint16(L + STATE_NCCALLS, true) <= view.getUint16(L + STATE_BASE_CCALLS, true)
  }

  #cString(pointer: number): string {
    return pointer === 0 ? '' : this.bytes.latin1Slice(pointer, this.bytes.indexOf(0, pointer))
  }

  #room(length: number): number {
    if (length <= this.#scratchBytes) return this.#scratch
    this.c.free(this.#scratch)
    this.#scratch = this.c.malloc(length)
    this.#scratchBytes = length
    if (this.#scratch === 0) {
      this.#scratch = this.c.malloc(SCRATCH_BYTES)
      this.#scratchBytes = SCRATCH_BYTES
      throw new Error('not enough memory')
    }
    return this.#scratch
  }

  /** A large string passed through: its room is given back. */
  trim(): void {
    if (this.#scratchBytes === SCRATCH_BYTES) return
    this.c.free(this.#scratch)
    this.#scratch = this.c.malloc(SCRATCH_BYTES)
    this.#scratchBytes = SCRATCH_BYTES
  }

  #guarded(fn: HostFunction, L: number): number {
    try {
      return fn(L)
    } catch (error) {
      return this.#raise(L, error)
    }
  }

  #raise(L: number, error: unknown): never {
    if (error === LONGJMP) throw error
    const text = error instanceof RangeError ? 'stack overflow' : error instanceof Error ? error.message : String(error)
    this.c.luaL_where(L, 1)
    this.pushLatin1(L, text)
    this.c.lua_concat(L, 2)
    this.c.lua_error(L)
    throw LONGJMP
  }

  #addToTable(wrapper: WebAssembly.Module, fn: (...args: number[]) => unknown): number {
    const { exports } = new WebAssembly.Instance(wrapper, { e: { f: fn } })
    return this.c.__indirect_function_table.grow(1, exports.f)
  }

  #refresh(): void {
    this.bytes = Buffer.from(this.c.memory.buffer)
    this.view = new DataView(this.c.memory.buffer)
  }

  // ---- what the module imports ------------------------------------------------------------------------------------

  #imports(): WebAssembly.Imports {
    const missing = () => -52
    const env: Record<string, WebAssembly.ImportValue> = {
      exit: () => {
        throw new Error('Lua: an error outside of a protected call')
      },
      invoke_vii: (index, a, b) => this.#invoke(index!, a!, b!),
      _emscripten_throw_longjmp: () => {
        throw LONGJMP
      },
      emscripten_memcpy_js: (to, from, n) => this.bytes.copyWithin(to!, from!, from! + n!),
      emscripten_resize_heap: (wanted) => this.#grow(wanted! >>> 0),
      emscripten_date_now: Date.now,
      _emscripten_get_now_is_monotonic: () => 1,
    }
    const names = ['strftime', '_emscripten_system', '_tzset_js', '_mktime_js', '_localtime_js', '_gmtime_js']
    for (const call of ['openat', 'fcntl64', 'ioctl', 'dup3', 'unlinkat', 'rmdir', 'renameat', 'readlinkat']) {
      names.push(`__syscall_${call}`)
    }
    for (const name of names) env[name] = missing
    const calls = ['fd_write', 'fd_read', 'fd_close', 'fd_seek', 'environ_sizes_get', 'environ_get']
    const wasi = Object.fromEntries(calls.map((name) => [name, missing]))
    return { env, wasi_snapshot_preview1: wasi }
  }

  /** A call inside of which setjmp is in force: f(L, data). */
  #invoke(index: number, L: number, data: number): void {
    const { c } = this
    const stack = c.stackSave()
    try {
      c.__indirect_function_table.get(index)(L, data)
    } catch (error) {
      c.stackRestore(stack)
      if (error !== LONGJMP) this.#turnIntoError(L, error)
      c.setThrew(1, 0)
    }
  }

  /** The stack ran out, or the like, inside of the interpreter: it goes on as a Lua error of this protected call. */
  #turnIntoError(L: number, error: unknown): void {
    if (!(error instanceof RangeError)) throw error
    try {
      this.pushLatin1(L, 'stack overflow')
      this.c.lua_error(L)
    } catch (thrown) {
      if (thrown !== LONGJMP) throw thrown
    }
  }

  #grow(wanted: number): number {
    const now = this.c.memory.buffer.byteLength
    if (wanted > this.#limitBytes) return 0
    const target = Math.min(this.#limitBytes, Math.max(wanted, Math.min(now * 2, now + 64 * 1024 * 1024)))
    try {
      this.c.memory.grow(Math.ceil((target - now) / PAGE))
    } catch {
      return 0
    }
    this.#refresh()
    return 1
  }
}

/** A module that exports the function which it imports, so that it can stand in a table of WebAssembly functions. */
function wrapper(type: number[]): WebAssembly.Module {
  const name = (text: string) => [text.length, ...Buffer.from(text)]
  const section = (id: number, content: number[]) => [id, content.length, ...content]
  return new WebAssembly.Module(
    new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(1, [1, 0x60, ...type]),
      ...section(2, [1, ...name('e'), ...name('f'), 0, 0]),
      ...section(7, [1, ...name('f'), 0, 0]),
    ]),
  )
}

const I32 = 0x7f
const FUNCTION_WRAPPER = wrapper([1, I32, 1, I32])
const HOOK_WRAPPER = wrapper([2, I32, I32, 0])
