/** Where the memory goes: what maxmemory counts, what the runtime has allocated, what the process holds. */
import { gauge, group, infoGauge } from './family.ts'

export const { metricNames, register } = group([
  infoGauge('redis_memory_used_bytes', 'used_memory', 'Bytes of the data set and its buffers, which maxmemory limits.'),
  infoGauge('redis_memory_used_rss_bytes', 'used_memory_rss', 'Bytes of the process that are in memory.'),
  infoGauge('redis_memory_used_peak_bytes', 'used_memory_peak', 'Most that used_memory has been.'),
  infoGauge('redis_memory_used_overhead_bytes', 'used_memory_overhead', 'Bytes that are not data: indexes, buffers.'),
  infoGauge('redis_memory_used_startup_bytes', 'used_memory_startup', 'Bytes used at the start.'),
  infoGauge('redis_memory_used_dataset_bytes', 'used_memory_dataset', 'Bytes of keys and values.'),
  infoGauge('redis_memory_used_lua_bytes', 'used_memory_lua', 'Bytes of the Lua interpreter.'),
  infoGauge('redis_memory_used_scripts_bytes', 'used_memory_scripts', 'Bytes of the cached scripts.'),
  infoGauge('redis_memory_max_bytes', 'maxmemory', 'The option maxmemory; 0 is no limit.'),
  gauge('redis_config_maxmemory', 'The option maxmemory; 0 is no limit.', ({ host }) => host.config.get('maxmemory')),
  infoGauge('redis_mem_fragmentation_ratio', 'mem_fragmentation_ratio', 'Resident bytes by allocated bytes.'),
  infoGauge('redis_mem_fragmentation_bytes', 'mem_fragmentation_bytes', 'Resident bytes less allocated bytes.'),
  infoGauge('redis_mem_clients_slaves', 'mem_clients_slaves', 'Bytes of replicas beyond the size of the backlog.'),
  infoGauge('redis_mem_clients_normal', 'mem_clients_normal', 'Bytes of clients: requests, replies, transactions.'),
  infoGauge(
    'redis_mem_not_counted_for_eviction_bytes',
    'mem_not_counted_for_evict',
    'Bytes that eviction could not free.',
  ),
  infoGauge('redis_allocator_active_bytes', 'allocator_active', 'Bytes that the runtime has reserved.'),
  infoGauge('redis_allocator_allocated_bytes', 'allocator_allocated', 'Bytes that the runtime has allocated.'),
  infoGauge('redis_allocator_resident_bytes', 'allocator_resident', 'Bytes of the runtime that are in memory.'),
  infoGauge('redis_allocator_frag_ratio', 'allocator_frag_ratio', 'Reserved by allocated bytes.'),
  infoGauge('redis_allocator_frag_bytes', 'allocator_frag_bytes', 'Reserved less allocated bytes.'),
  infoGauge('redis_allocator_rss_ratio', 'allocator_rss_ratio', 'Resident by reserved bytes.'),
  infoGauge('redis_allocator_rss_bytes', 'allocator_rss_bytes', 'Resident less reserved bytes.'),
  gauge('tandem_slab_reserved_bytes', 'Bytes of the segments that hold records.', ({ host }) => {
    return host.store.slab.reservedBytes
  }),
  gauge('tandem_slab_used_bytes', 'Bytes of records in those segments.', ({ host }) => host.store.slab.usedBytes),
])
