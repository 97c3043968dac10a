/**
 * What one command changed, as a handler says it: how many changes (`dirty`), and what replicas have to be told. By
 * default that is the request's own bytes, when dirty is not 0. A handler whose effect depends on time or chance says
 * something else instead. Redis does the same with rewriteClientCommandVector, alsoPropagate and
 * preventCommandPropagation (redis 7.0.15 server.c call).
 */
import { Request } from '../resp/request.ts'
import { type Argument, CommandEncoder } from './command-encoder.ts'

export type { Argument } from './command-encoder.ts'

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
  /** The encoder's last command stands for the request. */
  replaced = false
  readonly encoder = new CommandEncoder()

  reset(): void {
    this.dirty = 0
    this.forced = false
    this.prevented = false
    this.replaced = false
  }

  /** Propagates these arguments instead of the request. */
  replaceWith(...args: Argument[]): void {
    const encoder = this.replaceBy(args.length)
    for (const arg of args) encoder.add(arg)
  }

  /** The same for `argc` arguments that are given to the encoder one by one. */
  replaceBy(argc: number): CommandEncoder {
    this.replaced = true
    return this.encoder.begin(argc)
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
