/** The log of how this server and its peers came together, and of its changes of role: TANDEM RESYNCS, and lines in the log. */
import type { ResyncEvent } from '../commands/host.ts'
import type { Engine } from '../engine/engine.ts'
import type { Counters } from './counters.ts'

const EVENTS_MAX = 1024

export class ResyncLog {
  /** Oldest first. */
  readonly events: ResyncEvent[] = []

  #engine: Engine
  #counters: Counters

  constructor(engine: Engine, counters: Counters) {
    this.#engine = engine
    this.#counters = counters
  }

  record(
    peer: string,
    direction: ResyncEvent['direction'],
    kind: string,
    why: string,
    bytes: number,
    durationMs: number,
  ): void {
    this.events.push({ atMs: this.#engine.unixMs, peer, direction, kind, why, bytes, durationMs })
    this.#counters.resync(direction, kind)
    if (this.events.length > EVENTS_MAX) this.events.shift()
    this.#engine.log(
      'notice',
      `Resync event: ${direction} ${kind}${peer === '' ? '' : ` with ${peer}`}: ${why}; ${bytes} bytes in ${durationMs} ms`,
    )
  }
}
