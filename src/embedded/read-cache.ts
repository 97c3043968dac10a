/**
 * Values that are read again and again, as the strings that get() returns. Finding a record costs a hash of the key's
 * bytes and a walk through memory that is seldom in the processor's cache, and its bytes become a new string each time; a
 * Map finds the string of the last time in a third of that. Every change of a key comes here by the key's hash
 * (Engine.onTouched) and takes the value away, so what is kept is never older than the copy.
 *
 * A key is taken in when it is asked for a second time before many others are, so that one pass over all keys costs
 * nothing but that question. What is full is emptied as a whole: an order of use would cost every read a write.
 */
import { NO_EXPIRE } from '../store/record.ts'

/** What a key's place costs beside the characters, and what a value does: estimates. */
const PLACE_BYTES = 128
const VALUE_BYTES = 32
/** No single value may take more than this part of the room. */
const MAX_SHARE = 1 / 16
/** A Map holds no more. */
const MAX_ENTRIES = 1 << 24
/** Hashes of keys that were asked for once; a power of two. */
const SEEN = 1 << 16

/** A key that was taken in. */
interface Place {
  readonly key: string
  readonly hash: number
  /** Of its value; 0 while it has none. */
  bytes: number
  /** Of the same bucket. */
  readonly next: Place | undefined
}

interface Timed {
  readonly value: string
  /** Unix milliseconds. */
  readonly expireAt: number
}

export class ReadCache {
  #maxEntries: number
  #maxBytes: number
  /** Straight from key to value, as most have no end: every object on the way is another wait for memory. */
  #values = new Map<string, string | undefined>()
  #timed = new Map<string, Timed>()
  #buckets: (Place | undefined)[] = []
  #places = 0
  #bytes = 0
  #seen = new Uint32Array(SEEN)
  #coin = 1

  /** 0 of either turns it off. Throws a RangeError for what is no whole number, or more than 2^24 entries. */
  constructor(maxEntries: number, maxBytes: number) {
    if (!Number.isInteger(maxEntries) || maxEntries < 0 || maxEntries > MAX_ENTRIES)
      throw new RangeError(`readCache.maxEntries has to be a whole number from 0 to ${MAX_ENTRIES}`)
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 0)
      throw new RangeError('readCache.maxBytes has to be a whole number, 0 or more')
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  /** Keys that have a place. */
  get size(): number {
    return this.#places
  }

  /** Estimate of what it takes; at most `maxBytes`. */
  get bytes(): number {
    return this.#bytes
  }

  /** The value of a key without an end; undefined if it is not kept. */
  get(key: string): string | undefined {
    return this.#values.get(key)
  }

  /** Whether getTimed() may know more: it needs the time, which costs as much as get(). */
  get hasTimed(): boolean {
    return this.#timed.size > 0
  }

  /** The value of a key that has an end; undefined if it is not kept, or its end was before this Unix millisecond. */
  getTimed(key: string, unixMs: number): string | undefined {
    const timed = this.#timed.get(key)
    return timed === undefined || timed.expireAt < unixMs ? undefined : timed.value
  }

  /** Tells a value that was just found in the copy. `hash` is hashBytes() of the key, `expireAt` Unix ms or NO_EXPIRE. */
  offer(key: string, hash: number, value: string, expireAt: number): void {
    if (this.#maxEntries === 0) return
    const bytes = VALUE_BYTES + sizeOf(value)
    if (bytes > this.#maxBytes * MAX_SHARE) return
    let place = this.#find(key, hash)
    if (place === undefined) {
      if (!this.#wasSeen(hash)) return
      const added = PLACE_BYTES + sizeOf(key)
      if (this.#places >= this.#maxEntries || this.#bytes + added + bytes > this.#maxBytes) this.clear()
      place = this.#add(key, hash)
      this.#bytes += added
    }
    this.#bytes += bytes - place.bytes
    place.bytes = bytes
    if (expireAt === NO_EXPIRE) this.#values.set(place.key, value)
    else this.#timed.set(place.key, { value, expireAt })
    if (this.#bytes > this.#maxBytes) this.clear()
  }

  /** A key with this hash changed. */
  changed(hash: number): void {
    if (this.#places === 0) return
    for (let place = this.#buckets[this.#bucket(hash)]; place !== undefined; place = place.next) {
      if (place.hash !== hash || place.bytes === 0) continue
      this.#bytes -= place.bytes
      place.bytes = 0
      if (this.#timed.size === 0 || !this.#timed.delete(place.key)) this.#values.set(place.key, undefined)
    }
  }

  /** Any key may have changed. */
  clear(): void {
    if (this.#places === 0) return
    this.#values = new Map()
    this.#timed = new Map()
    this.#buckets = []
    this.#places = 0
    this.#bytes = 0
  }

  #bucket(hash: number): number {
    return hash & (this.#buckets.length - 1)
  }

  #find(key: string, hash: number): Place | undefined {
    if (this.#places === 0) return undefined
    let place = this.#buckets[this.#bucket(hash)]
    while (place !== undefined && (place.hash !== hash || place.key !== key)) place = place.next
    return place
  }

  /** Of two keys that share a spot and take turns, one would never find itself there: half of the time the first stays. */
  #wasSeen(hash: number): boolean {
    const spot = hash & (SEEN - 1)
    if (this.#seen[spot] === hash) return true
    this.#coin = (Math.imul(this.#coin, 1_664_525) + 1_013_904_223) | 0
    if (this.#coin < 0) this.#seen[spot] = hash
    return false
  }

  #add(key: string, hash: number): Place {
    if (this.#buckets.length === 0) {
      let length = 1
      while (length < this.#maxEntries) length *= 2
      this.#buckets = new Array<Place | undefined>(length).fill(undefined)
    }
    const bucket = this.#bucket(hash)
    const place: Place = { key: ownString(key), hash, bytes: 0, next: this.#buckets[bucket] }
    this.#buckets[bucket] = place
    this.#places++
    return place
  }
}

/** At most: text of one byte a character takes half. */
function sizeOf(text: string): number {
  return text.length * 2
}

const names: Record<string, true> = Object.create(null)

/**
 * The same string, without what it was cut out of. V8 keeps `body.slice(…)` as a reference into `body`, all of which would
 * live as long as the key does here; the name of a property is always a string of its own, and the one given refers to that
 * from then on.
 */
function ownString(text: string): string {
  names[text] = true
  delete names[text]
  return text
}
