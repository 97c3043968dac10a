/**
 * What the functions of the table `redis` ask of whoever runs the script, so that the interpreter knows no commands.
 */
import type { Request } from '../resp/request.ts'
import type { Lrand48 } from './random.ts'

/** One run of a script or function. */
export interface ScriptRun {
  /** SHA1 of the script, or the function's name: error texts and the log tell it. */
  readonly name: string
  /** Protocol version of the replies that the script gets (redis.setresp). */
  resp: 2 | 3
  /** It has changed something, so it cannot be killed any more. */
  readonly hasWritten: boolean
  /**
   * Runs a command. Null: `takeReply` has its reply. Otherwise why it was refused, as '-CODE text' or a text without code;
   * the refusal is in the statistics already. The request lies in the interpreter's memory, valid during the call.
   */
  call(request: Request): string | null
  /** A buffer that begins with the RESP bytes of the last command's reply, valid until the next call. */
  takeReply(): Buffer
  /** Whether the user may run it; undefined if there is no such command. */
  aclAllows(request: Request): boolean | undefined
  /** REPL_* bits of what is propagated from here on. */
  setRepl(flags: number): void
}

/** What the interpreter asks of the server. */
export interface ScriptServer {
  /** redis.log; levels 0 (debug) to 3 (warning). */
  log(level: number, text: string): void
  /** Messages below this level are not even put together. */
  readonly logLevel: number
  /** busy-reply-threshold; 0 for none. */
  readonly busyThresholdMs: number
  /** Behind math.random, of all interpreters. */
  readonly random: Lrand48
}

export const REPL_NONE = 0
export const REPL_AOF = 1
export const REPL_REPLICA = 2
export const REPL_ALL = 3
