/**
 * Functions: libraries are loaded, listed, dumped and restored, and their functions called by FCALL. They have an interpreter
 * of their own, which is made for the first library. They are a part of the data set: snapshots save their code (as a
 * LibrarySource of the store), and loading brings it back. redis 7.0.15 functions.c
 */
import type { CallLike } from '../../commands/host.ts'
import type { FunctionsHost, LibraryInfo, RestorePolicy } from '../../commands/script-host.ts'
import { Interpreter } from '../../lua/interpreter.ts'
import { LibraryLoader } from '../../lua/library-loader.ts'
import type { ScriptServer } from '../../lua/script-run.ts'
import { dumpLibraries, readLibraries } from '../../rdb/function-payload.ts'
import type { LibrarySource } from '../../store/store.ts'
import { BAD_NAME, isValidName, Library, type LibraryFunction, LibrarySet, readLibraryHead } from './libraries.ts'
import type { Invocation } from './running-script.ts'
import { SCRIPT_FLAGS } from './script-flags.ts'

const LOAD_TIMEOUT_MS = 500

interface Machine {
  interpreter: Interpreter
  loader: LibraryLoader
}

export class Functions implements FunctionsHost, LibrarySource {
  #server: ScriptServer
  #run: (call: CallLike, invocation: Invocation) => void
  #machine: Machine | null = null
  #set = new LibrarySet()

  constructor(server: ScriptServer, run: (call: CallLike, invocation: Invocation) => void) {
    this.#server = server
    this.#run = run
  }

  get libraryCount(): number {
    return this.#set.libraries.size
  }

  get functionCount(): number {
    return this.#set.functionCount
  }

  get bytes(): number {
    return this.#set.bytes
  }

  get interpreterBytes(): number {
    return this.#machine?.interpreter.memoryBytes ?? 0
  }

  function(name: string): LibraryFunction | undefined {
    return this.#set.function(name)
  }

  // ---- libraries ------------------------------------------------------------------------------------------------------

  *list(): Iterable<LibraryInfo> {
    for (const { name, code, functions } of this.#set.libraries.values()) {
      const described = [...functions.values()].map(({ name: own, description, flags }) => ({
        name: own,
        description,
        flags: [...SCRIPT_FLAGS].flatMap(([flag, bit]) => ((flags & bit) === 0 ? [] : [flag])),
      }))
      yield { name, code, functions: described }
    }
  }

  load(code: Buffer, replaces: boolean, mayTakeLong: boolean): { name: string } | { error: string } {
    const loaded = this.#load(Buffer.from(code), replaces, this.#set, mayTakeLong ? 0 : LOAD_TIMEOUT_MS)
    return typeof loaded === 'string' ? { error: loaded } : { name: loaded.name }
  }

  /** The library, linked into the set; or an error text. redis 7.0.15 functions.c functionsCreateWithLibraryCtx */
  #load(code: Buffer, replaces: boolean, set: LibrarySet, timeoutMs: number): Library | string {
    const head = readLibraryHead(code)
    if (typeof head === 'string') return head
    if (!isValidName(head.name)) return BAD_NAME
    if (head.engine.toLowerCase() !== 'lua') return `Engine '${head.engine}' not found`
    const old = set.libraries.get(head.name)
    if (old !== undefined && !replaces) return `Library '${head.name}' already exists`
    if (old !== undefined) set.unlink(old)
    const library = new Library(head.name, code)
    const error = this.#define(library, head.bodyStart, set, timeoutMs)
    if (error === null) {
      set.link(library)
      if (old !== undefined) this.#release(old)
      return library
    }
    this.#release(library)
    if (old !== undefined) set.link(old)
    return error
  }

  /** Runs the library's code, which registers its functions. */
  #define(library: Library, bodyStart: number, set: LibrarySet, timeoutMs: number): string | null {
    const { loader } = this.#ready()
    const error = loader.load(library.code.subarray(bodyStart), timeoutMs, {
      flag: (name) => SCRIPT_FLAGS.get(name),
      register: (fn) => {
        if (!isValidName(fn.name)) return BAD_NAME
        if (library.functions.has(fn.name)) return 'Function already exists in the library'
        library.functions.set(fn.name, { ...fn, library })
        return null
      },
    })
    if (error !== null) return error
    if (library.functions.size === 0) return 'No functions registered'
    const name = set.collision(library)
    return name === undefined ? null : `Function ${name} already exists`
  }

  delete(name: string): boolean {
    const library = this.#set.libraries.get(name)
    if (library === undefined) return false
    this.#set.unlink(library)
    this.#release(library)
    return true
  }

  /** All libraries, and the interpreter with them. */
  flush(): void {
    this.#set = new LibrarySet()
    this.#machine = null
  }

  #release(library: Library): void {
    const loader = this.#machine?.loader
    for (const { ref } of library.functions.values()) loader?.release(ref)
  }

  dump(compress: boolean): Buffer {
    return dumpLibraries(this.codes(), compress)
  }

  /** An error text, or null. redis 7.0.15 functions.c functionRestoreCommand */
  restore(payload: Buffer, policy: RestorePolicy, skipsChecksum: boolean): string | null {
    const codes = readLibraries(payload, skipsChecksum)
    if (typeof codes === 'string') return codes
    const set = new LibrarySet()
    for (const code of codes) {
      const loaded = this.#load(code, false, set, 0)
      if (typeof loaded !== 'string') continue
      for (const library of set.libraries.values()) this.#release(library)
      return loaded
    }
    if (policy === 'flush') {
      for (const library of this.#set.libraries.values()) this.#release(library)
      this.#set = set
      return null
    }
    const joined = this.#set.join(set, policy === 'replace')
    const dropped = typeof joined === 'string' ? set.libraries.values() : joined
    for (const library of dropped) this.#release(library)
    return typeof joined === 'string' ? joined : null
  }

  // ---- the data set's part --------------------------------------------------------------------------------------------

  *codes(): Iterable<Buffer> {
    for (const { code } of this.#set.libraries.values()) yield code
  }

  loadCode(code: Buffer, replaces: boolean): void {
    const loaded = this.#load(Buffer.from(code), replaces, this.#set, 0)
    if (typeof loaded === 'string') throw new Error(loaded)
  }

  // ---- calling --------------------------------------------------------------------------------------------------------

  call(call: CallLike, how: { readOnly: boolean; inTransaction: boolean }): void {
    const { args, reply } = call
    const fn = this.#set.function(args.latin1(1))
    if (fn === undefined) {
      reply.error('ERR Function not found')
      return
    }
    const keys = args.int64(2)
    if (keys === undefined) reply.error('ERR Bad number of keys provided')
    else if (keys > args.argc - 3) reply.error("ERR Number of keys can't be greater than number of args")
    else if (keys < 0n) reply.error("ERR Number of keys can't be negative")
    else {
      this.#run(call, {
        interpreter: this.#ready().interpreter,
        ref: fn.ref,
        name: fn.name,
        isEval: false,
        flags: fn.flags,
        readOnly: how.readOnly,
        inTransaction: how.inTransaction,
        keys: Number(keys),
        owner: this,
      })
    }
  }

  /** After a run; `broken`: the interpreter is made anew, and all libraries are loaded into it again. */
  ran(broken: boolean): void {
    if (!broken) return
    const libraries = [...this.#set.libraries.values()]
    this.flush()
    for (const { code } of libraries) this.loadCode(code, true)
  }

  #ready(): Machine {
    if (this.#machine === null) {
      const interpreter = new Interpreter(this.#server, () => {})
      this.#machine = { interpreter, loader: new LibraryLoader(interpreter.lua, interpreter.redis) }
    }
    return this.#machine
  }
}
