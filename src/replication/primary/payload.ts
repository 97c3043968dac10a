/**
 * The payload of a full sync on its way to the replicas of a group: a second stream beside the writes, which each of them
 * reads at its own speed. What one has not taken stays in memory and goes to a file as what it has not read of the writes
 * does (spill/), so that a replica that stops reading neither holds up the others nor grows memory by what is written
 * early because it is about to change.
 *
 * The walk that makes the payload waits (`wantsMore`) when no replica takes any, when the disk does not keep up, and when
 * the files are half full: the other half is for what cannot wait, the old values of records that change, and the stream.
 */
import type { Engine } from '../../engine/engine.ts'
import { Backlog } from '../backlog.ts'
import { Spill, type SpillBudget } from '../spill/spill.ts'
import type { Replica } from './replica.ts'

/** Bytes handed to one socket ahead of what the kernel has taken. That it takes them all is its sign of life. */
const IN_FLIGHT_BYTES = 1024 * 1024
/** Beyond repl-spill-memory: what is being written. */
const WRITING_BYTES = 8 * 1024 * 1024

interface Place {
  sent: number
  isFull: boolean
  isReading: boolean
}

export class Payload {
  /** The replica's socket has been given all of it. */
  onDelivered: (replica: Replica) => void = () => {}
  /** It went before that. */
  onGone: (replica: Replica) => void = () => {}
  /** Replicas that have it. */
  delivered = 0

  #engine: Engine
  #budget: SpillBudget
  #backlog: Backlog
  #spill: Spill
  #places = new Map<Replica, Place>()
  #isEnded = false
  #isDropped = false

  constructor(engine: Engine, replicas: readonly Replica[], budget: SpillBudget) {
    this.#engine = engine
    this.#budget = budget
    this.#backlog = new Backlog(0, 0, () => this.#held())
    this.#spill = new Spill(engine, budget)
    this.#spill.onWritten = () => this.look()
    this.#spill.onFull = (why) => this.#closeSlowest(why)
    for (const replica of replicas) this.#places.set(replica, { sent: 0, isFull: false, isReading: false })
  }

  get replicas(): readonly Replica[] {
    return [...this.#places.keys()]
  }

  get memoryBytes(): number {
    return this.#backlog.memoryBytes
  }

  append(chunk: Buffer): void {
    this.#backlog.append(chunk, 0, chunk.length)
    for (const replica of this.replicas) this.#feed(replica)
    this.look()
  }

  /** Nothing follows. */
  end(): void {
    this.#isEnded = true
    for (const replica of this.replicas) this.#feed(replica)
    this.look()
  }

  get wantsMore(): boolean {
    const { config } = this.#engine
    let takers = 0
    for (const { isFull, isReading } of this.#places.values()) if (!isFull && !isReading) takers++
    if (takers === this.#places.size) return true
    const isRoom = this.memoryBytes < config.get('repl-spill-memory') + WRITING_BYTES
    return takers > 0 && isRoom && this.#budget.fileBytes <= config.get('repl-spill-max-size') / 2
  }

  /** Forgets replicas that are gone, and what nobody needs any more. */
  look(): void {
    for (const replica of this.replicas) {
      if (replica.client.closing && this.#places.delete(replica)) this.onGone(replica)
    }
    if (this.#isDropped) return
    let slowest = this.#backlog.end
    for (const { sent } of this.#places.values()) slowest = Math.min(slowest, sent)
    this.#backlog.trim(slowest)
    this.#spill.look(this.#backlog, slowest)
  }

  /** Nobody is to get the rest. */
  drop(): void {
    this.#isDropped = true
    this.#places.clear()
    this.#spill.drop()
  }

  #feed(replica: Replica): void {
    const place = this.#places.get(replica)
    if (place === undefined || place.isFull || place.isReading || replica.client.closing) return
    const { transport } = replica.client
    while (place.sent < this.#backlog.end) {
      if (transport.pendingBytes >= IN_FLIGHT_BYTES && transport.onDrained !== undefined) {
        place.isFull = true
        transport.onDrained(() => {
          place.isFull = false
          replica.progressAtMs = this.#engine.now
          this.#feed(replica)
          this.look()
        })
        return
      }
      if (place.sent < this.#backlog.start) {
        void this.#feedFromFile(replica, place)
        return
      }
      this.#send(replica, place, this.#backlog.read(place.sent))
    }
    if (!this.#isEnded) return
    this.#places.delete(replica)
    this.delivered++
    this.onDelivered(replica)
  }

  #send(replica: Replica, place: Place, bytes: Buffer): void {
    place.sent += bytes.length
    replica.client.send(bytes)
  }

  async #feedFromFile(replica: Replica, place: Place): Promise<void> {
    place.isReading = true
    try {
      const bytes = await this.#spill.read(place.sent)
      this.#send(replica, place, bytes)
    } catch (error) {
      if (replica.client.closing) return
      this.#engine.log('warning', `Cannot read the payload of replica ${replica.name} from the spill file: ${error}`)
      replica.client.close('now')
      return
    }
    place.isReading = false
    this.#feed(replica)
    this.look()
  }

  /** The offset from which on sockets may still refer to the blocks. */
  #held(): number {
    let held = Number.POSITIVE_INFINITY
    for (const [replica, { sent }] of this.#places) held = Math.min(held, sent - replica.client.transport.pendingBytes)
    return held
  }

  #closeSlowest(why: string): boolean {
    const { config, log, stats } = this.#engine
    const { hardBytes, softBytes } = config.get('client-output-buffer-limit').replica
    const [first] = [...this.#places].sort(([, a], [, b]) => a.sent - b.sent)
    if (first === undefined || (hardBytes === 0 && softBytes === 0)) return false
    const [replica, { sent }] = first
    stats.outputBufferLimitDisconnections++
    log(
      'warning',
      `Replica ${replica.name} has not read ${this.#backlog.end - sent} bytes of its payload and is closed: ${why}`,
    )
    replica.client.close('now')
    this.look()
    return true
  }
}
