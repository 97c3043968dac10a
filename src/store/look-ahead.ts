/**
 * Looks the keys of a pipeline up together before its requests run one by one. In a large database each look-up waits
 * for memory twice, for the slot of the index and then for the record. These loops do nothing but read, and no read
 * depends on the one before it, so the processor has many under way at once; the look-ups proper then find everything in
 * its cache. With a million keys this is worth a third of the throughput of a pipeline; a small database is in the cache
 * anyway. Nothing is decided here: a key that the pipeline itself creates or moves is found by its own look-up.
 */
import { hashBytes } from '../bytes/siphash.ts'
import type { Request } from '../resp/request.ts'
import type { Keyspace } from './keyspace.ts'
import { TYPE_ZSET } from './record.ts'
import { UNIT_MASK, UNIT_SHIFT } from './slab.ts'
import type { Store } from './store.ts'
import type { ElementTable } from './values/element-table.ts'

const MIN_KEYS = 10_000
/** Longer first arguments are scripts or messages rather than keys. */
const MAX_KEY_BYTES = 128
const MIN_STRUCTURE_BYTES = 1024 * 1024
const CACHE_LINE = 64

export class LookAhead {
  /** What was read: the compiler must not find the reads superfluous. */
  sum = 0
  #hashes = new Uint32Array(64)
  #refs = new Uint32Array(64)
  #requests = new Uint8Array(64)
  #tables: ElementTable[] = []
  #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Takes argument 1 of each of the first `count` requests (at most 64) for a key and leaves its hash with it. */
  run(db: Keyspace, requests: readonly Request[], count: number): void {
    const { index } = db
    const hasElements = this.#store.structureBytes > MIN_STRUCTURE_BYTES
    if (index.size < MIN_KEYS && !hasElements) return
    const hashes = this.#hashes
    const refs = this.#refs
    const owners = this.#requests
    let keys = 0
    for (let i = 0; i < count; i++) {
      const request = requests[i]!
      if (request.argc < 2 || request.length(1) > MAX_KEY_BYTES) continue
      const hash = hashBytes(request.buf, request.start(1), request.end(1))
      request.keyHash = hash
      request.hashed = true
      owners[keys] = i
      hashes[keys++] = hash
    }
    let sum = 0
    for (let i = 0; i < keys; i++) sum ^= index.touch(hashes[i]!)
    for (let i = 0; i < keys; i++) refs[i] = index.first(hashes[i]!)
    for (let i = 0; i < keys; i++) {
      const ref = refs[i]!
      if (ref === 0) continue
      const segment = this.#store.segment(ref)
      const at = (ref & UNIT_MASK) << UNIT_SHIFT
      sum ^= segment[at]! ^ segment[Math.min(at + CACHE_LINE, segment.length - 1)]!
    }
    if (hasElements) sum ^= this.#elements(requests, keys)
    this.sum = sum
  }

  /** The same for argument 2 of those whose key has a large hash, set or sorted set: the field or member, if it is one. */
  #elements(requests: readonly Request[], keys: number): number {
    const store = this.#store
    const tables = this.#tables
    const hashes = this.#hashes
    let sum = 0
    let found = 0
    for (let i = 0; i < keys; i++) {
      const ref = this.#refs[i]!
      const request = requests[this.#requests[i]!]!
      if (ref === 0 || request.argc < 3) continue
      const table = store.elementTable(ref)
      if (table === undefined || table.size < MIN_KEYS) continue
      // ZADD and ZINCRBY have the score in between.
      const at = store.type(ref) === TYPE_ZSET && request.argc > 3 ? 3 : 2
      if (request.length(at) > MAX_KEY_BYTES) continue
      tables[found] = table
      hashes[found++] = hashBytes(request.buf, request.start(at), request.end(at))
    }
    for (let i = 0; i < found; i++) sum ^= tables[i]!.touchSlot(hashes[i]!)
    for (let i = 0; i < found; i++) sum ^= tables[i]!.touchEntry(hashes[i]!)
    return sum
  }
}
