/**
 * What one command changed, as a handler says it: how many changes (`dirty`), and what replicas have to be told. By
 * default that is the request's own bytes, when dirty is not 0. A handler whose effect depends on time or chance says
 * something else instead. Redis does the same with rewriteClientCommandVector, alsoPropagate and
 * preventCommandPropagation (redis 7.0.15 server.c call).
 */
import { Request } from '../resp/request.ts'

export type Argument = string | Uint8Array

/** One command of the stream. */
export interface Operation {
  database: number
  bytes: Buffer
}

export class Effects {
  dirty = 0
  /** Propagated even when dirty is 0 (PUBLISH, FLUSHALL of an empty server). */
  forced = false
  /** The request itself is not propagated. */
  prevented = false
  /** Stands for the request. */
  replacement: Buffer | null = null

  reset(): void {
    this.dirty = 0
    this.forced = false
    this.prevented = false
    this.replacement = null
  }

  /** Propagates these arguments instead of the request. */
  replaceWith(...args: Argument[]): void {
    this.replacement = Request.of(args).buf
  }
}

/** The operations of one execution unit: a command, or all of a transaction or script. */
export class Unit {
  operations: Operation[] = []

  /** In order, in addition to the request itself, and before it. */
  add(database: number, args: readonly Argument[]): void {
    this.operations.push({ database, bytes: Request.of(args).buf })
  }
}
