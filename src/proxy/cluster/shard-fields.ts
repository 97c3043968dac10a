/** A shard's line in INFO proxy, in the form of slaveN in INFO replication. */
import type { Shard } from './shard.ts'

export function shardFields(shard: Shard): string {
  const { copy, history, pool, syncs } = shard
  const age = Number.isFinite(copy.ageMs) ? Math.round(copy.ageMs) : -1
  const fields = {
    addr: shard.name,
    link: shard.linkUp ? 'up' : 'down',
    state: shard.isLoading ? 'load' : shard.linkState,
    upstream: pool.lastError === '' ? 'up' : 'down',
    slots: shard.cluster.ownership.slotsOf(shard),
    offset: history.offset,
    age_ms: age,
    full: syncs.full,
    partial: syncs.partial,
  }
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
}
