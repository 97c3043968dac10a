/**
 * Keeps used memory below maxmemory by evicting sampled keys. One call may take as long as maxmemory-eviction-tenacity
 * allows; what is then still too much goes on in the next cycle while commands are accepted, as redis 7.0.15 evict.c
 * performEvictions does.
 */
import { NOTIFY_EVICTED } from '../config/units.ts'
import { EvictionPool } from '../store/eviction.ts'
import type { Engine } from './engine.ts'

export class Evictor {
  #engine: Engine
  #pool = new EvictionPool()
  #exceededSinceMs = 0
  #scheduled = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Used memory counts without what replicas have not read yet: evicting for that would feed itself. */
  get #excess(): number {
    const engine = this.#engine
    return engine.memoryUsed() - engine.replication.replicaBufferBytes - engine.maxmemory
  }

  /** Milliseconds for which memory has been above maxmemory. */
  get exceededMs(): number {
    return this.#exceededSinceMs === 0 ? 0 : this.#engine.now - this.#exceededSinceMs
  }

  /** False if memory is above maxmemory and nothing can be evicted. */
  makeRoom(): boolean {
    const engine = this.#engine
    if (engine.maxmemory === 0) return true
    if (engine.isReplica && engine.ignoresMaxmemory) return true
    if (engine.loading !== 'no' || engine.pauseMode !== 'off') return true
    if (this.#excess <= 0) {
      this.#within()
      return true
    }
    if (this.#exceededSinceMs === 0) this.#exceededSinceMs = engine.now
    const policy = engine.config.get('maxmemory-policy')
    if (policy === 'noeviction') return false
    return this.#evict(policy)
  }

  #evict(policy: string): boolean {
    const engine = this.#engine
    const samples = engine.config.get('maxmemory-samples')
    const decay = engine.config.get('lfu-decay-time')
    const limitMs = timeLimitMs(engine.config.get('maxmemory-eviction-tenacity'))
    const start = performance.now()
    for (let evicted = 0; this.#excess > 0; evicted++) {
      const victim = this.#pool.pick(engine.store, policy, samples, engine.now, engine.random, decay)
      if (victim === undefined) return false
      this.#remove(victim.keyspace, victim.hash, victim.ref)
      if (evicted % 16 === 15 && performance.now() - start > limitMs) {
        this.#goOnLater()
        return true
      }
    }
    engine.addLatency('eviction-cycle', performance.now() - start)
    this.#within()
    return true
  }

  #remove(keyspace: Engine['store']['databases'][number], hash: number, ref: number): void {
    const engine = this.#engine
    const key = engine.store.key(ref)
    keyspace.remove(hash, ref)
    engine.stats.evictedKeys++
    engine.dirty++
    const unlink = engine.config.get('lazyfree-lazy-eviction')
    engine.executor.alsoPropagate(keyspace.id, [unlink ? 'UNLINK' : 'DEL', key])
    if (engine.watchers > 0) engine.keyModified(keyspace, key, null)
    if (engine.notifies !== 0) engine.notify(NOTIFY_EVICTED, 'evicted', key, keyspace.id)
  }

  #within(): void {
    if (this.#exceededSinceMs === 0) return
    this.#engine.stats.evictionExceededMilliseconds += this.exceededMs
    this.#exceededSinceMs = 0
  }

  /** CONFIG SET maxmemory: begins without waiting for the next command. redis 7.0.15 config.c updateMaxmemory */
  limitChanged(): void {
    const { maxmemory, log } = this.#engine
    if (maxmemory === 0) return
    if (this.#excess > 0) {
      log(
        'warning',
        `WARNING: the new maxmemory value set via CONFIG SET (${maxmemory}) is smaller than the current memory usage (${this.#excess + maxmemory}). This will result in key eviction and/or the inability to accept new write commands depending on the maxmemory-policy.`,
      )
    }
    this.#goOnLater()
  }

  #goOnLater(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#engine.tick()
      this.makeRoom()
    })
  }
}

/** redis 7.0.15 evict.c evictionTimeLimitUs: 0.5 ms at 10, growing by 15 % a step, no limit at 100. */
function timeLimitMs(tenacity: number): number {
  if (tenacity <= 10) return 0.05 * tenacity
  if (tenacity < 100) return 0.5 * 1.15 ** (tenacity - 10)
  return Number.POSITIVE_INFINITY
}
