/**
 * Where the bytes of what changed go: the replication stream, the append-only file, both or neither. With one of them the
 * executor feeds it without anything in between.
 */
import { TO_LOG, TO_REPLICAS } from '../effects/effects.ts'
import type { Executor, StreamSink } from './execute.ts'

export class Sinks {
  #executor: Executor
  #replication: StreamSink | null = null
  #log: StreamSink | null = null
  #suspended = false

  constructor(executor: Executor) {
    this.#executor = executor
  }

  get replication(): StreamSink | null {
    return this.#replication
  }

  set replication(sink: StreamSink | null) {
    this.#replication = sink
    this.#connect()
  }

  /** The append-only file. */
  get log(): StreamSink | null {
    return this.#log
  }

  set log(sink: StreamSink | null) {
    this.#log = sink
    this.#connect()
  }

  /** What runs now is in both already: an append-only file is loaded. */
  set suspended(on: boolean) {
    this.#suspended = on
    this.#connect()
  }

  #connect(): void {
    const replication = this.#replication
    const log = this.#log
    if (this.#suspended) this.#executor.stream = null
    else if (replication !== null && log !== null) this.#executor.stream = new Tee(replication, log)
    else this.#executor.stream = replication ?? log
  }

  /** Where an operation for `target` goes. */
  of(target: number): StreamSink | null {
    if (this.#executor.stream === null) return null
    return target === TO_LOG ? this.#log : target === TO_REPLICAS ? this.#replication : this.#executor.stream
  }
}

class Tee implements StreamSink {
  readonly takesApplied = false
  #replication: StreamSink
  #log: StreamSink

  constructor(replication: StreamSink, log: StreamSink) {
    this.#replication = replication
    this.#log = log
  }

  get offset(): number {
    return this.#replication.offset
  }

  feed(database: number, bytes: Buffer, start: number, end: number): void {
    this.#replication.feed(database, bytes, start, end)
    this.#log.feed(database, bytes, start, end)
  }
}
