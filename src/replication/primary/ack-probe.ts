/**
 * Acknowledgements as often as the lag in time needs them. A Tandem replica says so (REPLCONF capa ack) and sends them by
 * itself within repl-ack-period of what it applied; redis-server's come once a second, so it is asked each period
 * (REPLCONF GETACK) while it has not acknowledged all writes. Nobody is asked while nothing is written, nor one that is
 * silent: a server at rest adds nothing to the stream.
 */
import type { Engine } from '../../engine/engine.ts'
import type { ReplicationStream } from '../stream.ts'
import type { Replica } from './replica.ts'

/** It acknowledges once a second by itself. */
const SILENT_MS = 2000

export class AckProbe {
  #engine: Engine
  #stream: ReplicationStream
  #replicas: readonly Replica[]
  #ask: () => void
  #timer: NodeJS.Timeout | null = null

  constructor(engine: Engine, stream: ReplicationStream, replicas: readonly Replica[], ask: () => void) {
    this.#engine = engine
    this.#stream = stream
    this.#replicas = replicas
    this.#ask = ask
  }

  /** Replicas were sent more of the stream. */
  fed(): void {
    if (this.#timer !== null || !this.#replicas.some((replica) => this.#needsToBeAsked(replica))) return
    const period = this.#engine.config.get('repl-ack-period')
    if (period === 0) return
    this.#timer = setTimeout(() => this.#look(), period).unref()
  }

  #look(): void {
    this.#timer = null
    if (!this.#replicas.some((replica) => this.#needsToBeAsked(replica))) return
    this.#ask()
    this.fed()
  }

  #needsToBeAsked({ announced, state, isLegacy, streamWaitsForAck, acknowledged, acknowledgedAtMs }: Replica): boolean {
    if (announced.capaAck || state !== 'online' || isLegacy || streamWaitsForAck) return false
    return acknowledged < this.#stream.dataOffset && this.#engine.now - acknowledgedAtMs < SILENT_MS
  }
}
