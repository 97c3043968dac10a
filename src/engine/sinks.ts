/**
 * Where the bytes of what changed go: the replication stream, the append-only file, filtered streams, or nowhere. With one
 * of them the executor feeds it without anything in between.
 */
import { TO_LOG, TO_REPLICAS } from '../effects/effects.ts'
import type { Executor, StreamSink } from './execute.ts'

export class Sinks {
  #executor: Executor
  #replication: StreamSink | null = null
  #log: StreamSink | null = null
  #filtered: StreamSink | null = null
  #suspended = false
  #replicas: StreamSink | null = null

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

  /** Streams of a part of the data. */
  set filtered(sink: StreamSink | null) {
    this.#filtered = sink
    this.#connect()
  }

  /** What runs now is in both already: an append-only file is loaded. */
  set suspended(on: boolean) {
    this.#suspended = on
    this.#connect()
  }

  #connect(): void {
    const replicas = several([this.#replication, this.#filtered])
    this.#replicas = replicas
    this.#executor.stream = this.#suspended ? null : several([this.#replication, this.#log, this.#filtered])
  }

  /** Where an operation for `target` goes. */
  of(target: number): StreamSink | null {
    if (this.#executor.stream === null) return null
    return target === TO_LOG ? this.#log : target === TO_REPLICAS ? this.#replicas : this.#executor.stream
  }
}

function several(sinks: readonly (StreamSink | null)[]): StreamSink | null {
  const present = sinks.filter((sink) => sink !== null)
  return present.length > 1 ? new Tee(present) : (present[0] ?? null)
}

/** The first one's offset is that of all. */
class Tee implements StreamSink {
  readonly takesApplied: boolean
  #first: StreamSink
  #sinks: readonly StreamSink[]

  constructor(sinks: readonly StreamSink[]) {
    this.#sinks = sinks
    this.#first = sinks[0]!
    this.takesApplied = sinks.every((sink) => sink.takesApplied)
  }

  get offset(): number {
    return this.#first.offset
  }

  feed(database: number, bytes: Buffer, start: number, end: number): void {
    for (let i = 0; i < this.#sinks.length; i++) this.#sinks[i]!.feed(database, bytes, start, end)
  }
}
