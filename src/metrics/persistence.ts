/** Dumps: when the last one was, whether it was good, what would be lost now, and what snapshots cost. */
import { gauge, group, infoGauge } from './family.ts'

export const { metricNames, register } = group([
  infoGauge('redis_loading_dump_file', 'loading', 'Whether a data set is being loaded.'),
  infoGauge('redis_rdb_changes_since_last_save', 'rdb_changes_since_last_save', 'Changes that no dump holds.'),
  infoGauge('redis_rdb_bgsave_in_progress', 'rdb_bgsave_in_progress', 'Whether a snapshot is under way.'),
  infoGauge('redis_rdb_last_save_timestamp_seconds', 'rdb_last_save_time', 'When the last good dump was made.'),
  infoGauge('redis_rdb_last_bgsave_status', 'rdb_last_bgsave_status', 'Whether the last dump succeeded.'),
  infoGauge(
    'redis_rdb_last_bgsave_duration_sec',
    'rdb_last_bgsave_time_sec',
    'Duration of the last dump; -1 for none.',
  ),
  infoGauge(
    'redis_rdb_current_bgsave_duration_sec',
    'rdb_current_bgsave_time_sec',
    'Duration so far of the dump under way; -1 for none.',
  ),
  infoGauge('redis_rdb_last_cow_size_bytes', 'rdb_last_cow_size', 'Bytes copied for the last dump; nothing is forked.'),
  infoGauge('redis_latest_fork_seconds', 'latest_fork_usec', 'Duration of the last fork; nothing is forked.', 1e-6),
  infoGauge('redis_aof_enabled', 'aof_enabled', 'Whether an append only file is kept.'),
  infoGauge('redis_aof_rewrite_in_progress', 'aof_rewrite_in_progress', 'Whether it is being rewritten.'),
  infoGauge('redis_aof_rewrite_scheduled', 'aof_rewrite_scheduled', 'Whether it will be rewritten after the dump.'),
  infoGauge('redis_aof_last_rewrite_duration_sec', 'aof_last_rewrite_time_sec', 'Duration of the last rewrite.'),
  infoGauge('redis_aof_current_rewrite_duration_sec', 'aof_current_rewrite_time_sec', 'Duration of this rewrite.'),
  infoGauge('redis_aof_last_bgrewrite_status', 'aof_last_bgrewrite_status', 'Whether the last rewrite succeeded.'),
  infoGauge('redis_aof_last_write_status', 'aof_last_write_status', 'Whether the last write to it succeeded.'),
  infoGauge('redis_aof_last_cow_size_bytes', 'aof_last_cow_size', 'Bytes copied for the last rewrite.'),
  infoGauge('redis_aof_current_size_bytes', 'aof_current_size', 'Size of all parts of the append only file.'),
  infoGauge('redis_aof_base_size_bytes', 'aof_base_size', 'Size of it after the last rewrite, or at start.'),
  infoGauge('redis_aof_pending_rewrite', 'aof_pending_rewrite', 'Whether a rewrite of it waits.'),
  infoGauge('redis_aof_buffer_length', 'aof_buffer_length', 'Bytes that are not written to it yet.'),
  infoGauge('redis_aof_pending_bio_fsync', 'aof_pending_bio_fsync', 'Flushes to disk under way.'),
  infoGauge('redis_aof_delayed_fsync', 'aof_delayed_fsync', 'Writes that did not wait for a flush to disk.'),
  infoGauge('redis_module_fork_in_progress', 'module_fork_in_progress', 'Whether a module has forked.'),
  infoGauge('redis_module_fork_last_cow_size', 'module_fork_last_cow_size', 'Bytes copied for a fork of a module.'),
  gauge(
    'tandem_snapshot_duration_seconds',
    'Duration of the last snapshot, to a file or to replicas.',
    ({ host: { persistence, replication } }) => {
      const { durationMs, bytes } = replication.lastSnapshot
      const samples = bytes > 0 ? [{ value: durationMs / 1000, labels: { target: 'replicas' } }] : []
      const { lastSaveDurationSeconds: seconds } = persistence
      return seconds < 0 ? samples : [...samples, { value: seconds, labels: { target: 'file' } }]
    },
  ),
  gauge('tandem_snapshot_bytes', 'Size of the last snapshot sent to replicas.', ({ host }) => {
    return host.replication.lastSnapshot.bytes
  }),
])
