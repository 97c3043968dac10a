/**
 * Background work in slices of about a millisecond, so that no client waits for it: removing keys past their time that
 * nobody asks for, and emptying sparse slab pages. Expiry goes through the index of expiring keys by hash from where it
 * stopped, 20 keys a step, and goes on in a database while more than a tenth of a step was past its time (redis 7.0.15
 * expire.c activeExpireCycle takes random keys under the same rule, up to 25 ms at once).
 */

import type { Keyspace } from '../store/keyspace.ts'
import { NO_EXPIRE } from '../store/record.ts'
import type { Engine } from './engine.ts'

const SLICE_MS = 1
const KEYS_PER_STEP = 20
const COMPACT_RECORDS = 256
const HASHES = 0x100000000

export class Cycles {
  #engine: Engine
  #database = 0
  #cursors: number[] = []
  #again: NodeJS.Timeout | null = null
  #avgTtlMs: number[] = []

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Called hz times a second. */
  run(): void {
    const engine = this.#engine
    if (engine.loading !== 'no' || engine.busy !== null) return
    const more = this.#expire()
    if (engine.store.walk === null) this.#compact()
    // Many keys to remove: slices of 1 ms with 3 ms between them, a quarter of the time at the most.
    if (more && this.#again === null) {
      this.#again = setTimeout(() => {
        this.#again = null
        engine.tick()
        this.run()
      }, 3)
      this.#again.unref()
    }
  }

  stop(): void {
    if (this.#again !== null) clearTimeout(this.#again)
    this.#again = null
  }

  /** Mean time to live of a database's sampled keys, milliseconds, for INFO keyspace. */
  averageTtlMs(database: number): number {
    return Math.floor(this.#avgTtlMs[database] ?? 0)
  }

  #expire(): boolean {
    const engine = this.#engine
    if (engine.localExpires.count > 0) engine.localExpires.run()
    if (!engine.activeExpire || engine.isReplica || engine.pauseMode !== 'off') return false
    const start = performance.now()
    const { databases } = engine.store
    let more = false
    for (let i = 0; i < databases.length; i++) {
      const database = this.#database++ % databases.length
      const keyspace = databases[database]!
      while (keyspace.expires.size > 0) {
        if (!this.#expireStep(keyspace)) break
        if (performance.now() - start > SLICE_MS) {
          engine.stats.expiredTimeCapReached++
          more = true
          this.#database--
          break
        }
      }
      if (more) break
    }
    const spent = performance.now() - start
    engine.stats.expireCycleMilliseconds += spent
    engine.addLatency('expire-cycle', spent)
    return more
  }

  /** One step in one database. True if enough of it was past its time to go on at once. */
  #expireStep(keyspace: Keyspace): boolean {
    const engine = this.#engine
    const { store } = engine
    const due: number[] = []
    const hashes: number[] = []
    let seen = 0
    let ttlSum = 0
    const next = keyspace.expires.visit(this.#cursors[keyspace.id] ?? 0, KEYS_PER_STEP, (ref, hash) => {
      const expireAt = store.expireAt(ref)
      seen++
      if (expireAt === NO_EXPIRE || expireAt >= engine.now) {
        ttlSum += expireAt - engine.now
        return
      }
      due.push(ref)
      hashes.push(hash)
    })
    this.#cursors[keyspace.id] = next >= HASHES ? 0 : next
    for (let i = 0; i < due.length; i++) engine.removeExpired(keyspace, hashes[i]!, due[i]!)
    const alive = seen - due.length
    if (alive > 0) {
      const average = this.#avgTtlMs[keyspace.id] ?? 0
      const sample = ttlSum / alive
      this.#avgTtlMs[keyspace.id] = average === 0 ? sample : average * 0.98 + sample * 0.02
    }
    const stats = engine.stats
    stats.expiredStalePercent = (seen === 0 ? 0 : (due.length / seen) * 100) * 0.05 + stats.expiredStalePercent * 0.95
    return due.length > seen * 0.1
  }

  #compact(): void {
    const start = performance.now()
    while (performance.now() - start < SLICE_MS) {
      if (!this.#engine.store.compact(COMPACT_RECORDS)) return
    }
  }
}
