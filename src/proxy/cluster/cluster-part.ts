/**
 * A part of a cluster's data in the copy (`replica-filter-*`). Each shard's stream is filtered where it arrives, and keys
 * that are not kept are read at the shard of their slot, each over connections of its own, into one near cache for all.
 * While a slot may be on its way its keys' replies are neither kept nor given from there, and when the map changes all go.
 */
import type { Engine } from '../../engine/engine.ts'
import type { Part } from '../../replication/filtered/part.ts'
import type { UpstreamAddress } from '../address.ts'
import { type NearCache, nearCache } from '../near/near-cache.ts'
import type { NearLinkSetup } from '../near/near-link.ts'
import { PartReads, type PartSource } from '../near/part-reads.ts'
import type { Settings } from '../settings.ts'
import type { Shard } from './shard.ts'

export interface ClusterPartSetup {
  readonly engine: Engine
  readonly part: Part
  readonly settings: Settings
  readonly login: UpstreamAddress
  shards(): readonly Shard[]
  onProgress(): void
  onRoundTrip(milliseconds: number): void
  readonly onRedirect: NonNullable<NearLinkSetup['onRedirect']>
}

export class ClusterPart implements PartSource {
  readonly part: Part
  readonly #setup: ClusterPartSetup
  readonly #cache: NearCache

  constructor(setup: ClusterPartSetup) {
    this.#setup = setup
    this.part = setup.part
    this.#cache = nearCache(setup.engine.config)
  }

  /** A key whose value a shard has still to tell is none, whichever shard has it. */
  has(database: number, bytes: Buffer, start: number, end: number): boolean {
    if (!this.part.showsKey(database, bytes, start, end)) return false
    for (const { kept } of this.#setup.shards()) if (!kept!.isSure(database, bytes, start, end)) return false
    return true
  }

  /** For a new shard. */
  reads(shard: Shard): PartReads {
    const { engine, login, settings, onProgress, onRoundTrip, onRedirect } = this.#setup
    const { user, password } = login
    const reads = new PartReads({
      engine,
      part: this,
      copy: shard.copy,
      settings,
      cache: this.#cache,
      upstream: {
        user,
        password,
        endpoint: () => shard.endpoint,
        tls: () => shard.tls(),
        onProgress,
        onRoundTrip,
        onRedirect,
      },
    })
    shard.kept!.arrival.hidden = reads
    return reads
  }

  slotsMoved(): void {
    this.#cache.everything()
  }

  /** The counts of the cache are the same for all; a link that nothing was asked of is none that is down. */
  fields(): Record<string, number> {
    const reads = this.#setup.shards().map(({ part }) => part!)
    const isUp = reads.some((one) => one.isUp) && reads.every((one) => one.isUp || one.isIdle)
    return { ...reads[0]?.fields(), proxy_near_up: isUp ? 1 : 0 }
  }
}
