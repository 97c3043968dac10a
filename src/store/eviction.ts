/**
 * Which key to evict next: sampled, as redis 7.0.15 evict.c. Each time some random keys of every database are looked at, and
 * the best candidates seen so far stay in a pool of 16 ordered by score, from which the best one is taken. So a few samples
 * come close to true LRU, LFU or shortest time to live without any order being kept among all keys.
 *
 * The pool names a record by database, hash and reference, and remembers the clock (or expire time) that it was judged by.
 * A record that is gone, was moved by a change, or has been used since is no candidate any more when its turn comes (Redis
 * keeps the key's name, and evicts it although it has been used meanwhile). Nothing is removed here: the engine does that
 * and tells replicas.
 */
import { hashBytes } from '../bytes/siphash.ts'
import { frequency, idleMilliseconds } from './access-clock.ts'
import type { KeyIndex } from './key-index.ts'
import type { Keyspace } from './keyspace.ts'
import type { Store } from './store.ts'

const POOL_SIZE = 16
const COUNTER_MAX = 255

export interface Victim {
  keyspace: Keyspace
  hash: number
  ref: number
}

interface Candidate extends Victim {
  score: number
  /** What the score was computed from: access clock, or expire time. */
  judgedBy: number
}

export class EvictionPool {
  /** By ascending score: the best is last. */
  #pool: Candidate[] = []
  #policy = ''
  /** Where the random policies, which take a key of each database in turn, took the last one. */
  #database = 0

  /**
   * The key to evict under this maxmemory-policy, undefined if there is none (or the policy is noeviction). `samples` is
   * maxmemory-samples, `decayMinutes` lfu-decay-time; `random` gives numbers in [0, 1).
   */
  pick(
    store: Store,
    policy: string,
    samples: number,
    nowMs: number,
    random: () => number,
    decayMinutes = 1,
  ): Victim | undefined {
    if (policy !== this.#policy) {
      // Scores of different policies cannot be compared.
      this.#policy = policy
      this.#pool.length = 0
    }
    if (policy === 'noeviction') return undefined
    if (policy.endsWith('-random')) return this.#pickRandom(store, random)
    for (;;) {
      if (!this.#populate(store, samples, nowMs, random, decayMinutes)) return undefined
      for (let best = this.#pool.pop(); best !== undefined; best = this.#pool.pop()) {
        if (this.#isCurrent(store, best)) return { keyspace: best.keyspace, hash: best.hash, ref: best.ref }
      }
    }
  }

  #pickRandom(store: Store, random: () => number): Victim | undefined {
    const { databases } = store
    for (let i = 0; i < databases.length; i++) {
      this.#database = (this.#database + 1) % databases.length
      const keyspace = databases[this.#database]!
      const ref = this.#eligible(keyspace).random(random)
      if (ref !== 0) return { keyspace, hash: hashOf(store, ref), ref }
    }
    return undefined
  }

  /** Samples all databases. False if they hold nothing that may be evicted. */
  #populate(store: Store, samples: number, nowMs: number, random: () => number, decayMinutes: number): boolean {
    let found = false
    for (const keyspace of store.databases) {
      const index = this.#eligible(keyspace)
      if (index.size === 0) continue
      found = true
      if (index.size <= samples) {
        index.visit(0, index.size, (ref) => this.#offer(store, keyspace, ref, nowMs, decayMinutes))
        continue
      }
      for (let i = 0; i < samples; i++) this.#offer(store, keyspace, index.random(random), nowMs, decayMinutes)
    }
    return found
  }

  #eligible(keyspace: Keyspace): KeyIndex {
    return this.#policy.startsWith('allkeys-') ? keyspace.index : keyspace.expires
  }

  #measure(store: Store, ref: number): number {
    return this.#policy === 'volatile-ttl' ? store.expireAt(ref) : store.clock(ref)
  }

  /** The higher, the better to evict. */
  #score(judgedBy: number, nowMs: number, decayMinutes: number): number {
    if (this.#policy === 'volatile-ttl') return -judgedBy
    if (this.#policy.endsWith('-lfu')) return COUNTER_MAX - frequency(judgedBy, nowMs, decayMinutes)
    return idleMilliseconds(judgedBy, nowMs)
  }

  /** Takes the record into the pool if there is room, or it is better than the worst one there. */
  #offer(store: Store, keyspace: Keyspace, ref: number, nowMs: number, decayMinutes: number): void {
    const pool = this.#pool
    const judgedBy = this.#measure(store, ref)
    const score = this.#score(judgedBy, nowMs, decayMinutes)
    if (pool.length === POOL_SIZE && score <= pool[0]!.score) return
    for (let i = 0; i < pool.length; i++) {
      const known = pool[i]!
      if (known.ref !== ref || known.keyspace !== keyspace) continue
      if (known.judgedBy === judgedBy) return
      pool.splice(i, 1)
      break
    }
    if (pool.length === POOL_SIZE) pool.shift()
    let at = pool.length
    while (at > 0 && pool[at - 1]!.score >= score) at--
    pool.splice(at, 0, { keyspace, hash: hashOf(store, ref), ref, score, judgedBy })
  }

  #isCurrent(store: Store, candidate: Candidate): boolean {
    const { hash, ref } = candidate
    const index = this.#eligible(candidate.keyspace)
    let found = index.first(hash)
    while (found !== 0 && found !== ref) found = index.next(hash)
    return found !== 0 && this.#measure(store, ref) === candidate.judgedBy
  }
}

function hashOf(store: Store, ref: number): number {
  store.readKey(ref)
  return hashBytes(store.keyBytes, store.keyStart, store.keyEnd)
}
