/**
 * The part that is kept of one primary's stream: what arrives of it (arrival.ts), what is asked for beside it (missing.ts),
 * and whether it can go on from where it is. A server that follows one primary has one of these (part-follower.ts), a proxy
 * before a cluster has one for each shard.
 */
import type { Client } from '../../commands/client.ts'
import type { Engine } from '../../engine/engine.ts'
import type { Tls } from '../../tls/dial.ts'
import type { History } from '../history.ts'
import type { UpstreamLink } from '../upstream/link.ts'
import { Arrival } from './arrival.ts'
import { Missing } from './missing.ts'
import type { Part } from './part.ts'

export interface KeptSetup {
  readonly engine: Engine
  readonly part: Part
  /** Of the stream. */
  readonly history: History
  tls(): Tls
  /** The next link must not ask to continue. */
  onLost(): void
  /** Calls back when the stream may be applied. */
  whenWritable(then: () => void): void
  /** See ArrivalSetup. */
  holds?(key: Buffer): boolean
  /** See MissingSetup. */
  isElsewhere?(key: Buffer, isAsk: boolean): boolean
}

export class Kept {
  readonly part: Part
  readonly arrival: Arrival
  readonly missing: Missing

  readonly #setup: KeptSetup
  #link: UpstreamLink | null = null
  #client: Client | null = null
  /** Offset at which it began. */
  #start = 0
  /** What is here is not what the stream has; until everything is loaded anew. */
  #isLost = false

  constructor(setup: KeptSetup) {
    const { engine, part, history, holds, isElsewhere } = setup
    const { config, log } = engine
    this.#setup = setup
    this.part = part
    this.missing = new Missing({
      config,
      history,
      tls: () => setup.tls(),
      endpoint: () => (this.#link === null ? null : { host: this.#link.host, port: this.#link.port }),
      log: (text) => log('warning', text),
      onAnswer: () => setup.whenWritable(() => this.#answered()),
      onRefused: (why) => this.#lose(`the primary refuses to tell values: ${why}`),
      ...(isElsewhere === undefined ? {} : { isElsewhere }),
    })
    this.arrival = new Arrival({
      engine,
      part,
      missing: this.missing,
      onLost: (why) => this.#lose(why),
      ...(holds === undefined ? {} : { holds }),
    })
  }

  /** Whether this key is here as the stream has it, if there is one. */
  has(database: number, bytes: Buffer, start: number, end: number): boolean {
    return this.part.showsKey(database, bytes, start, end) && this.isSure(database, bytes, start, end)
  }

  /** Nothing of this stream is to come first that would change this key. */
  isSure(database: number, bytes: Buffer, start: number, end: number): boolean {
    if (this.#isLost) return false
    return this.missing.size === 0 || this.missing.stateOf(database, bytes.subarray(start, end)) === undefined
  }

  /** What of a payload is loaded. */
  readonly accepts = (database: number, key: Buffer, type: number): boolean =>
    this.part.showsKey(database, key, 0, key.length) && this.part.showsType(type)

  get counts() {
    const { arrival, missing, part } = this
    const { seenBytes, droppedBytes } = arrival
    const { fetched, fetchedBytes, size } = missing
    return { text: part.text, seenBytes, droppedBytes, fetched, fetchedBytes, pending: size }
  }

  /** The copy cannot go on from where it is. */
  #lose(why: string): void {
    this.#setup.engine.log('warning', `The filtered copy has to be loaded anew: ${why}`)
    this.#setup.onLost()
    this.#isLost = true
    const link = this.#link
    if (link === null) return
    if (this.#client !== null) this.#client.closing = true
    // Not in the middle of applying.
    setImmediate(() => {
      if (link === this.#link) link.close()
    })
  }

  #answered(): void {
    this.settle()
    this.#link?.resume()
  }

  /** Puts values in their places that were waited for. */
  settle(): void {
    const { engine } = this.#setup
    const client = this.#client
    if (client === null || client.closing || this.missing.size === 0) return
    engine.tick()
    this.arrival.settle(client)
    engine.executor.endRun()
  }

  // ---- what the link's owner tells ---------------------------------------------------------------------------------

  /** The link that is going to follow; another one than before may lead to another server. */
  attach(link: UpstreamLink | null): void {
    this.#link = link
    this.#client = null
    if (link === null) this.missing.clear()
    else this.missing.moved()
  }

  /** The stream goes on at this offset, applied as this client. */
  begin(client: Client, offset: number): void {
    this.#client = client
    this.#start = offset
    this.arrival.offset = offset
  }

  /** So many bytes since then are done with, whether they came by `arrival` or not. */
  reached(bytes: number): void {
    this.arrival.offset = this.#start + bytes
    if (this.missing.size > 0) this.arrival.settle(this.#client!)
  }

  /** Everything was loaded anew. */
  renewed(): void {
    this.missing.clear()
    this.#isLost = false
    this.arrival.hidden?.everything()
  }

  cron(): void {
    this.missing.cron()
  }

  stop(): void {
    this.missing.stop()
  }
}
