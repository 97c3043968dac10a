/**
 * What one command changed, as a handler says it: how many changes (`dirty`), and what replicas have to be told. By
 * default that is the request's own bytes, when dirty is not 0. A handler whose effect depends on time or chance says
 * something else instead. Redis does the same with rewriteClientCommandVector, alsoPropagate and
 * preventCommandPropagation (redis 7.0.15 server.c call).
 */
import type { Request } from '../resp/request.ts'
import { type Argument, CommandEncoder } from './command-encoder.ts'

export type { Argument } from './command-encoder.ts'

/** One command of the stream: bytes that stay as they are. */
export interface Operation {
  database: number
  buf: Buffer
  start: number
  end: number
  /** TO_REPLICAS, TO_LOG or both. */
  target: number
}

/** Where an operation goes: the append-only file, the replicas. */
export const TO_LOG = 1
export const TO_REPLICAS = 2
export const TO_BOTH = 3

export class Effects {
  dirty = 0
  /** Propagated even when dirty is 0 (PUBLISH, FLUSHALL of an empty server). */
  forced = false
  /** The request itself is not propagated. */
  prevented = false
  /** The encoder's last command stands for the request. */
  replaced = false
  /** Where the request, or what stands for it, goes. */
  target = TO_BOTH
  readonly encoder = new CommandEncoder()

  reset(): void {
    this.dirty = 0
    this.forced = false
    this.prevented = false
    this.replaced = false
    this.target = TO_BOTH
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
  readonly #encoder = new CommandEncoder()

  /** In order, in addition to the request itself, and before it. */
  add(database: number, args: readonly Argument[]): void {
    const encoder = this.#encoder.begin(args.length)
    for (const arg of args) encoder.add(arg)
    this.#push(database, TO_BOTH)
  }

  /** A request as it was sent. */
  addRequest(database: number, request: Request, target: number): void {
    if (request.rawEnd > request.rawStart) this.#encoder.raw(request.buf, request.rawStart, request.rawEnd)
    else {
      const encoder = this.#encoder.begin(request.argc)
      for (let i = 0; i < request.argc; i++) encoder.argument(request, i)
    }
    this.#push(database, target)
  }

  /** What another encoder has just made. */
  addEncoded(database: number, encoder: CommandEncoder, target: number): void {
    this.#encoder.raw(encoder.buf, encoder.start, encoder.end)
    this.#push(database, target)
  }

  #push(database: number, target: number): void {
    const { buf, start, end } = this.#encoder
    this.operations.push({ database, buf, start, end, target })
  }
}
