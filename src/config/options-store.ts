/** Options of the keyspace: memory, eviction, expiry, encodings. They follow redis 7.0.15 config.c static_configs. */
import { bool, choice, IMMUTABLE, INT_MAX, INT_MIN, integer, LLONG_MAX, memory, ULLONG_MAX } from './option.ts'

const MB = 1024 * 1024
/** Redis without its own jemalloc answers the same; memory here is moved by compaction instead. */
const NO_DEFRAG =
  'Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like the one shipped by default with the Redis source distribution'

export const STORE_OPTIONS = [
  integer('databases', 16, 1, INT_MAX, 'Number of databases', IMMUTABLE),
  memory('maxmemory', 0, 0, ULLONG_MAX, 'Memory for data; 0 without limit'),
  choice(
    'maxmemory-policy',
    'noeviction',
    [
      'volatile-lru',
      'volatile-lfu',
      'volatile-random',
      'volatile-ttl',
      'allkeys-lru',
      'allkeys-lfu',
      'allkeys-random',
      'noeviction',
    ],
    'Which keys go when memory is full',
  ),
  integer('maxmemory-samples', 5, 1, INT_MAX, 'Keys looked at to find one to evict'),
  integer('maxmemory-eviction-tenacity', 10, 0, 100, 'How much time eviction may take'),
  integer('lfu-log-factor', 10, 0, INT_MAX, 'How slowly the counter of accesses grows'),
  integer('lfu-decay-time', 1, 0, INT_MAX, 'Minutes after which the counter of accesses shrinks'),
  integer('active-expire-effort', 1, 1, 10, 'How much time expiry may take'),
  bool('activerehashing', true, 'Grows the index in idle time'),

  bool('lazyfree-lazy-eviction', false, 'Evicted values are freed later'),
  bool('lazyfree-lazy-expire', false, 'Expired values are freed later'),
  bool('lazyfree-lazy-server-del', false, 'Overwritten values are freed later'),
  bool('lazyfree-lazy-user-del', false, 'DEL is UNLINK'),
  bool('lazyfree-lazy-user-flush', false, 'FLUSHALL is ASYNC unless told otherwise'),

  integer('hash-max-listpack-entries', 512, 0, LLONG_MAX, 'Fields of a packed hash', {
    alias: 'hash-max-ziplist-entries',
  }),
  memory('hash-max-listpack-value', 64, 0, LLONG_MAX, 'Length of a value in a packed hash', {
    alias: 'hash-max-ziplist-value',
  }),
  integer('list-max-listpack-size', -2, INT_MIN, INT_MAX, 'Elements of a list node, or its size class when negative', {
    alias: 'list-max-ziplist-size',
  }),
  integer('list-compress-depth', 0, 0, INT_MAX, 'List nodes at each end that are not compressed; 0 compresses none'),
  integer('set-max-intset-entries', 512, 0, LLONG_MAX, 'Members of a set kept as integers'),
  integer('zset-max-listpack-entries', 128, 0, LLONG_MAX, 'Members of a packed sorted set', {
    alias: 'zset-max-ziplist-entries',
  }),
  memory('zset-max-listpack-value', 64, 0, LLONG_MAX, 'Length of a member in a packed sorted set', {
    alias: 'zset-max-ziplist-value',
  }),
  memory('hll-sparse-max-bytes', 3000, 0, LLONG_MAX, 'Size of a sparse HyperLogLog'),
  memory('stream-node-max-bytes', 4096, 0, LLONG_MAX, 'Size of a stream node; 0 without limit'),
  integer('stream-node-max-entries', 100, 0, LLONG_MAX, 'Entries of a stream node; 0 without limit'),

  bool('activedefrag', false, 'Moves values to reduce fragmentation', { refuseYes: NO_DEFRAG }),
  memory('active-defrag-ignore-bytes', 100 * MB, 1, LLONG_MAX, 'Waste below which nothing is moved'),
  integer('active-defrag-threshold-lower', 10, 0, 1000, 'Percent of fragmentation at which it starts'),
  integer('active-defrag-threshold-upper', 100, 0, 1000, 'Percent of fragmentation at which it does most'),
  integer('active-defrag-cycle-min', 1, 1, 99, 'Percent of CPU at the lower threshold'),
  integer('active-defrag-cycle-max', 25, 1, 99, 'Percent of CPU at the upper threshold'),
  integer('active-defrag-max-scan-fields', 1000, 1, LLONG_MAX, 'Larger values are moved in steps'),
] as const
