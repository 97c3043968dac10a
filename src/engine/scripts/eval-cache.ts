/**
 * The scripts of EVAL and SCRIPT LOAD by their SHA1, compiled, and the interpreter that they run in: it is made when the
 * program starts, elsewhere when the first script comes, and made anew by SCRIPT FLUSH, or when one script made its memory
 * grow beyond reason (memory of WebAssembly does not shrink). Scripts are then compiled again when they are next used. redis
 * 7.0.15 eval.c
 */
import { createHash } from 'node:crypto'
import { Interpreter } from '../../lua/interpreter.ts'
import type { ScriptServer } from '../../lua/script-run.ts'
import type { Request } from '../../resp/request.ts'
import { readShebang } from './script-flags.ts'

const CHUNK_NAME = '@user_script'
/** EVAL finds scripts up to this size by their text, without hashing them. */
const TEXT_MAX_BYTES = 2048
const TEXT_MAX_COUNT = 1000
/** Bytes of an entry besides the body. */
const ENTRY_BYTES = 160
const BLOATED_BYTES = 256 * 1024 * 1024

export interface Script {
  /** In lower case hexadecimal. */
  readonly sha: string
  readonly shaBytes: Buffer
  readonly body: Buffer
  readonly flags: number
  readonly shebangLength: number
  /** The compiled function in `interpreter`. */
  ref: number
  interpreter: Interpreter
}

export class EvalCache {
  #server: ScriptServer
  #interpreter: Interpreter | null = null
  #scripts = new Map<string, Script>()
  #byText = new Map<string, Script>()
  #bodyBytes = 0
  #last: Script | null = null

  constructor(server: ScriptServer) {
    this.#server = server
  }

  get interpreter(): Interpreter {
    this.#interpreter ??= new Interpreter(this.#server, (interpreter, L) => interpreter.redis.addEvalFunctions(L))
    return this.#interpreter
  }

  get count(): number {
    return this.#scripts.size
  }

  get bytes(): number {
    return this.#bodyBytes + this.#scripts.size * ENTRY_BYTES
  }

  get interpreterBytes(): number {
    return this.#interpreter?.memoryBytes ?? 0
  }

  /** By the SHA1 that argument i is: most often the one that ran before. */
  findSha(request: Request, i: number): Script | undefined {
    const last = this.#last
    if (last !== null) {
      const { shaBytes } = last
      const start = request.start(i)
      let k = 0
      while (k < shaBytes.length && request.buf[start + k] === shaBytes[k]) k++
      if (k === shaBytes.length) return last
    }
    const script = this.get(request.latin1(i))
    if (script !== undefined) this.#last = script
    return script
  }

  /** By its SHA1 in any case. */
  get(sha: string): Script | undefined {
    return this.#scripts.get(sha) ?? this.#scripts.get(sha.toLowerCase())
  }

  /** The script whose text is argument i, if it is in the cache. */
  find(request: Request, i: number): Script | undefined {
    const last = this.#last
    if (last !== null && last.body.length === request.length(i)) {
      if (last.body.compare(request.buf, request.start(i), request.end(i)) === 0) return last
    }
    if (request.length(i) > TEXT_MAX_BYTES) return this.#scripts.get(sha1(request.view(i)))
    const text = request.latin1(i)
    const known = this.#byText.get(text)
    if (known !== undefined) {
      this.#last = known
      return known
    }
    const script = this.#scripts.get(sha1(request.view(i)))
    if (script !== undefined) this.#remember(text, script)
    return script
  }

  /** Compiles a script that is not in the cache: an error text with its code if that fails. */
  add(body: Buffer): Script | string {
    const shebang = readShebang(body)
    if (typeof shebang === 'string') return `ERR ${shebang}`
    const { interpreter } = this
    const ref = interpreter.compile(body.subarray(shebang.length), CHUNK_NAME)
    if (typeof ref === 'string') return `ERR Error compiling script (new function): ${ref}`
    const sha = sha1(body)
    const copy = Buffer.from(body)
    const shaBytes = Buffer.from(sha, 'latin1')
    const script = { sha, shaBytes, body: copy, flags: shebang.flags, shebangLength: shebang.length, ref, interpreter }
    this.#scripts.set(sha, script)
    this.#bodyBytes += copy.length
    if (copy.length <= TEXT_MAX_BYTES) this.#remember(copy.latin1Slice(), script)
    return script
  }

  /** The script can run: it is compiled anew if its interpreter was replaced. */
  prepare(script: Script): void {
    const { interpreter } = this
    if (script.interpreter === interpreter) return
    const ref = interpreter.compile(script.body.subarray(script.shebangLength), CHUNK_NAME)
    if (typeof ref === 'string') throw new Error(ref)
    script.ref = ref
    script.interpreter = interpreter
  }

  flush(): void {
    this.#scripts.clear()
    this.#last = null
    this.#byText.clear()
    this.#bodyBytes = 0
    this.#interpreter = null
  }

  /** After a run; `broken`: the interpreter's own state cannot be relied upon any more. */
  ran(broken: boolean): void {
    if (broken || (this.#interpreter !== null && this.#interpreter.lua.memoryBytes > BLOATED_BYTES)) {
      this.#interpreter = null
    }
  }

  #remember(text: string, script: Script): void {
    if (this.#byText.size >= TEXT_MAX_COUNT) this.#byText.clear()
    this.#byText.set(text, script)
  }
}

function sha1(body: Uint8Array): string {
  return createHash('sha1').update(body).digest('hex')
}
