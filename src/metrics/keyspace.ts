/** The databases: how many keys, how often found, and how they go. */
import type { Host } from '../commands/host.ts'
import type { Keyspace } from '../store/keyspace.ts'
import { gauge, group, infoCounter, infoGauge, type Sample } from './family.ts'

/** Databases that are shown even when they are empty, so that a graph of keys falls to 0 and does not just end. */
const ALWAYS_SHOWN = 16

function perDatabase(host: Host, value: (keyspace: Keyspace) => number, onlyFilled = false): Sample[] {
  const samples: Sample[] = []
  for (const keyspace of host.store.databases) {
    if (keyspace.size === 0 && (onlyFilled || keyspace.id >= ALWAYS_SHOWN)) continue
    samples.push({ value: value(keyspace), labels: { db: `db${keyspace.id}` } })
  }
  return samples
}

export const { metricNames, register } = group([
  gauge('redis_db_keys', 'Keys of each database.', ({ host }) => perDatabase(host, ({ size }) => size)),
  gauge('redis_db_keys_expiring', 'Keys with a time to live.', ({ host }) =>
    perDatabase(host, ({ expires }) => expires.size),
  ),
  gauge('redis_db_avg_ttl_seconds', 'Mean time to live of the keys that have one.', ({ host }) =>
    perDatabase(host, ({ id }) => host.averageTtlMs(id) / 1000, true),
  ),
  infoCounter('redis_keyspace_hits_total', 'keyspace_hits', 'Look-ups for reading that found the key.'),
  infoCounter('redis_keyspace_misses_total', 'keyspace_misses', 'Look-ups for reading that found nothing.'),
  infoCounter('redis_expired_keys_total', 'expired_keys', 'Keys removed because their time was over.'),
  infoCounter('redis_evicted_keys_total', 'evicted_keys', 'Keys removed because of maxmemory.'),
  infoGauge(
    'redis_expired_stale_percentage',
    'expired_stale_perc',
    'Estimated share of keys that are past their time and not yet removed, percent.',
  ),
  infoGauge(
    'redis_expired_time_cap_reached_total',
    'expired_time_cap_reached_count',
    'Times that the search for expired keys ended because of its time limit.',
  ),
  infoGauge('redis_slave_expires_tracked_keys', 'slave_expires_tracked_keys', 'Keys that a writable replica expires.'),
  infoGauge('redis_lazyfree_pending_objects', 'lazyfree_pending_objects', 'Values still to be freed.'),
  infoGauge('redis_active_defrag_running', 'active_defrag_running', 'Whether records are being moved together.'),
  infoGauge('redis_defrag_hits', 'active_defrag_hits', 'Records moved together.'),
  infoGauge('redis_defrag_misses', 'active_defrag_misses', 'Records looked at and not moved.'),
  infoGauge('redis_defrag_key_hits', 'active_defrag_key_hits', 'Keys moved together.'),
  infoGauge('redis_defrag_key_misses', 'active_defrag_key_misses', 'Keys looked at and not moved.'),
  infoCounter(
    'redis_dump_payload_sanitizations',
    'dump_payload_sanitizations',
    'Payloads of RESTORE and loading that were checked in depth.',
  ),
  gauge(
    'redis_last_key_groups_scrape_duration_milliseconds',
    'Duration of the last look at key groups, which only the exporter for Redis knows.',
    () => 0,
  ),
  gauge('tandem_index_bytes', 'Bytes of the hash indexes of all databases.', ({ host }) => {
    let bytes = 0
    for (const keyspace of host.store.databases) bytes += keyspace.indexBytes
    return bytes
  }),
])
