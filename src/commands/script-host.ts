/** What commands ask of the part of the server that runs scripts (engine/scripts/). */
import type { Request } from '../resp/request.ts'
import type { CallLike } from './host.ts'

export interface LibraryInfo {
  readonly name: string
  readonly code: Buffer
  readonly functions: readonly {
    readonly name: string
    readonly description: string | null
    readonly flags: readonly string[]
  }[]
}

export type RestorePolicy = 'flush' | 'append' | 'replace'

/** FUNCTION and FCALL. */
export interface FunctionsHost {
  /** Error texts without code. `mayTakeLong`: the primary could load it. */
  load(code: Buffer, replaces: boolean, mayTakeLong: boolean): { name: string } | { error: string }
  delete(name: string): boolean
  flush(): void
  list(): Iterable<LibraryInfo>
  dump(compress: boolean): Buffer
  restore(payload: Buffer, policy: RestorePolicy, skipsChecksum: boolean): string | null
  call(call: CallLike, how: { readOnly: boolean; inTransaction: boolean }): void
  readonly libraryCount: number
  readonly functionCount: number
  /** Bytes of their code and entries, and of their interpreter. */
  readonly bytes: number
  readonly interpreterBytes: number
}

export interface ScriptsHost {
  readonly functions: FunctionsHost
  /** EVAL and its like: argument 1 is the body, or its SHA1. */
  eval(call: CallLike, how: { bySha: boolean; readOnly: boolean; inTransaction: boolean }): void
  /** Compiles argument i as a script into the cache: its SHA1, or an error text with its code. */
  load(request: Request, i: number): { sha: string } | { error: string }
  has(sha: string): boolean
  /** SCRIPT FLUSH: the cache, and the interpreter with all that scripts left in it. */
  flush(): void
  /** SCRIPT KILL, or FUNCTION KILL: an error text with its code, or null when the script will end. */
  kill(isEval: boolean): string | null
  /** What others are answered while a script is held up since it runs for too long; null when none is. */
  readonly busy: string | null
  readonly running: RunningScriptInfo | null
  readonly cachedScripts: number
  /** Bytes of the scripts' bodies and their entries. */
  readonly cacheBytes: number
  /** Bytes that EVAL's interpreter uses. */
  readonly interpreterBytes: number
}

export interface RunningScriptInfo {
  readonly name: string
  readonly isEval: boolean
  readonly elapsedMs: number
  /** The command and its arguments. */
  readonly request: readonly Buffer[]
}
