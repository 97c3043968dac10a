/**
 * Consumer groups of a stream: what was delivered to whom and is not acknowledged yet. A pending entry (NACK) is in two
 * lists ordered by id, its group's and its consumer's, which share the one object. Names are bytes; maps have them as
 * latin1 text, whose order is that of the bytes, which is the order in which Redis lists groups and consumers.
 */
import type { StreamId } from './stream-id.ts'

/** The logical read counter of a group is not known. redis 7.0.15 stream.h SCG_INVALID_ENTRIES_READ */
export const INVALID_ENTRIES_READ = -1

const CHUNK_NACKS = 128
const GROUP_BYTES = 400
const CONSUMER_BYTES = 300
const NACK_BYTES = 160

export class Nack {
  /** Never changed. */
  readonly id: StreamId
  /** Unix time in milliseconds. */
  deliveryTime: number
  deliveryCount: number
  /** Set by who moves it from one consumer's list to another's. */
  consumer: Consumer

  /** `id` must not be changed by its maker any more. */
  constructor(id: StreamId, consumer: Consumer, deliveryTime: number, deliveryCount = 1) {
    this.id = id
    this.consumer = consumer
    this.deliveryTime = deliveryTime
    this.deliveryCount = deliveryCount
  }
}

/**
 * A pending entries list: NACKs by ascending id, in sorted chunks. `first`, `last`, `find`, `atOrAfter` and `after` are
 * searches, so a loop over `after(nack.id)` may add and delete as it goes; iterating (`for of`) must not.
 */
export class PendingList {
  size = 0
  /** None of them empty. */
  #chunks: Nack[][] = []
  /** Set by #search(): where the id is, or would be. */
  #chunk = 0
  #index = 0

  get first(): Nack | undefined {
    return this.#chunks[0]?.[0]
  }

  get last(): Nack | undefined {
    const chunk = this.#chunks[this.#chunks.length - 1]
    return chunk === undefined ? undefined : chunk[chunk.length - 1]
  }

  find(id: StreamId): Nack | undefined {
    return this.#search(id) ? this.#chunks[this.#chunk]![this.#index]! : undefined
  }

  /** The first of an id not less than this one. */
  atOrAfter(id: StreamId): Nack | undefined {
    this.#search(id)
    return this.#here()
  }

  /** The first of an id greater than this one. */
  after(id: StreamId): Nack | undefined {
    if (this.#search(id)) this.#index++
    return this.#here()
  }

  #here(): Nack | undefined {
    const chunk = this.#chunks[this.#chunk]
    if (chunk === undefined) return undefined
    return this.#index < chunk.length ? chunk[this.#index] : this.#chunks[this.#chunk + 1]?.[0]
  }

  /** False, and nothing is changed, if there is one of this id. */
  insert(nack: Nack): boolean {
    const { last } = this
    const chunks = this.#chunks
    if (last === undefined || last.id.compare(nack.id) < 0) {
      const tail = chunks[chunks.length - 1]
      if (tail === undefined || tail.length >= CHUNK_NACKS) chunks.push([nack])
      else tail.push(nack)
      this.size++
      return true
    }
    if (this.#search(nack.id)) return false
    const chunk = chunks[this.#chunk]!
    chunk.splice(this.#index, 0, nack)
    if (chunk.length > CHUNK_NACKS) chunks.splice(this.#chunk + 1, 0, chunk.splice(CHUNK_NACKS >> 1))
    this.size++
    return true
  }

  /** The one that was there. */
  delete(id: StreamId): Nack | undefined {
    if (!this.#search(id)) return undefined
    const chunk = this.#chunks[this.#chunk]!
    const nack = chunk[this.#index]!
    if (chunk.length > 1) {
      if (this.#index === 0) chunk.shift()
      else chunk.splice(this.#index, 1)
    } else if (this.#chunk === 0) {
      this.#chunks.shift()
    } else {
      this.#chunks.splice(this.#chunk, 1)
    }
    this.size--
    return nack
  }

  *[Symbol.iterator](): Iterator<Nack> {
    for (const chunk of this.#chunks) yield* chunk
  }

  /** Whether the id is there. The place that is set may be behind the end of a chunk. */
  #search(id: StreamId): boolean {
    const chunks = this.#chunks
    let low = 0
    let high = chunks.length - 1
    // The last chunk that does not begin behind the id.
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (chunks[middle]![0]!.id.compare(id) <= 0) low = middle
      else high = middle - 1
    }
    this.#chunk = low
    this.#index = 0
    const chunk = chunks[low]
    if (chunk === undefined) return false
    let from = 0
    let to = chunk.length
    while (from < to) {
      const middle = (from + to) >> 1
      const order = chunk[middle]!.id.compare(id)
      if (order === 0) {
        this.#index = middle
        return true
      }
      if (order < 0) from = middle + 1
      else to = middle
    }
    this.#index = from
    return false
  }
}

export class Consumer {
  readonly name: Buffer
  /** Unix time in milliseconds of when it last asked for something. */
  seenTime: number
  readonly pending = new PendingList()

  constructor(name: Buffer, seenTime: number) {
    this.name = name
    this.seenTime = seenTime
  }
}

export class Group {
  readonly name: Buffer
  /** The last id delivered to any of its consumers. */
  readonly lastId: StreamId
  /** How many entries it has read since the stream's first ever, INVALID_ENTRIES_READ if that is not known. */
  entriesRead: number
  /** Of all consumers. */
  readonly pending = new PendingList()
  /** By name as latin1 text. */
  readonly consumers = new Map<string, Consumer>()

  constructor(name: Buffer, lastId: StreamId, entriesRead: number) {
    this.name = name
    this.lastId = lastId.copy()
    this.entriesRead = entriesRead
  }

  get memoryBytes(): number {
    return GROUP_BYTES + this.consumers.size * CONSUMER_BYTES + this.pending.size * NACK_BYTES
  }

  /** redis 7.0.15 t_stream.c streamLookupConsumer, without setting its seenTime. */
  consumer(name: Buffer, start = 0, end: number = name.length): Consumer | undefined {
    return this.consumers.get(name.latin1Slice(start, end))
  }

  /** Undefined if there is one of this name, of which a copy is made. redis 7.0.15 t_stream.c streamCreateConsumer */
  createConsumer(name: Buffer, now: number, start = 0, end: number = name.length): Consumer | undefined {
    const text = name.latin1Slice(start, end)
    if (this.consumers.has(text)) return undefined
    const consumer = new Consumer(Buffer.from(name.subarray(start, end)), now)
    this.consumers.set(text, consumer)
    return consumer
  }

  /** Removes a consumer with what it has pending. redis 7.0.15 t_stream.c streamDelConsumer */
  deleteConsumer(consumer: Consumer): void {
    for (const nack of consumer.pending) this.pending.delete(nack.id)
    this.consumers.delete(consumer.name.latin1Slice())
  }

  /** Gives a pending entry to another consumer. The counts and times are the caller's. */
  reassign(nack: Nack, consumer: Consumer): void {
    if (nack.consumer === consumer) return
    nack.consumer.pending.delete(nack.id)
    nack.consumer = consumer
    consumer.pending.insert(nack)
  }

  /** Adds an entry to both lists; false if it is pending already. */
  addPending(nack: Nack): boolean {
    if (!this.pending.insert(nack)) return false
    nack.consumer.pending.insert(nack)
    return true
  }

  /** Removes an entry from both lists. */
  deletePending(id: StreamId): Nack | undefined {
    const nack = this.pending.delete(id)
    nack?.consumer.pending.delete(id)
    return nack
  }

  /** By the bytes of their names. */
  sortedConsumers(): Consumer[] {
    return sortedByName(this.consumers)
  }

  clone(): Group {
    const copy = new Group(Buffer.from(this.name), this.lastId, this.entriesRead)
    for (const [text, consumer] of this.consumers) {
      copy.consumers.set(text, new Consumer(consumer.name, consumer.seenTime))
    }
    for (const nack of this.pending) {
      const owner = copy.consumers.get(nack.consumer.name.latin1Slice())!
      copy.addPending(new Nack(nack.id, owner, nack.deliveryTime, nack.deliveryCount))
    }
    return copy
  }
}

export function sortedByName<T>(named: ReadonlyMap<string, T>): T[] {
  return [...named].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
}
