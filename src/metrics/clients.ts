/** Connections, what they subscribe to and track, and the bytes that go over them. */
import { counter, gauge, group, infoCounter, infoGauge } from './family.ts'

export const { metricNames, register } = group([
  infoGauge('redis_connected_clients', 'connected_clients', 'Client connections, without replicas.'),
  infoGauge('redis_blocked_clients', 'blocked_clients', 'Clients waiting in a blocking command.'),
  infoGauge('redis_tracking_clients', 'tracking_clients', 'Clients with client side caching.'),
  infoGauge(
    'redis_clients_in_timeout_table',
    'clients_in_timeout_table',
    'Clients waiting in a blocking command for a limited time.',
  ),
  infoGauge(
    'redis_client_recent_max_input_buffer_bytes',
    'client_recent_max_input_buffer',
    'Largest unfinished request of the current connections.',
  ),
  infoGauge(
    'redis_client_recent_max_output_buffer_bytes',
    'client_recent_max_output_buffer',
    'Largest pending reply of the current connections.',
  ),
  infoGauge('redis_cluster_connections', 'cluster_connections', 'Sockets of a cluster bus; there is none.'),
  gauge('redis_config_maxclients', 'The option maxclients.', ({ host }) => host.config.get('maxclients')),
  gauge('redis_config_io_threads', 'The option io-threads.', ({ host }) => host.config.get('io-threads')),
  infoGauge('redis_io_threads_active', 'io_threads_active', 'Whether threads serve sockets; they do not.'),
  infoCounter('redis_connections_received_total', 'total_connections_received', 'Connections accepted.'),
  infoCounter('redis_rejected_connections_total', 'rejected_connections', 'Connections refused by maxclients.'),
  infoCounter('redis_net_input_bytes_total', 'total_net_input_bytes', 'Bytes received, replication included.'),
  infoCounter('redis_net_output_bytes_total', 'total_net_output_bytes', 'Bytes sent, replication included.'),
  infoCounter('redis_total_reads_processed', 'total_reads_processed', 'Reads of sockets.'),
  infoCounter('redis_total_writes_processed', 'total_writes_processed', 'Writes to sockets.'),
  infoCounter('redis_io_threaded_reads_processed', 'io_threaded_reads_processed', 'Reads by threads.'),
  infoCounter('redis_io_threaded_writes_processed', 'io_threaded_writes_processed', 'Writes by threads.'),
  infoGauge('redis_pubsub_channels', 'pubsub_channels', 'Channels with subscribers.'),
  infoGauge('redis_pubsub_patterns', 'pubsub_patterns', 'Patterns with subscribers.'),
  infoGauge('redis_tracking_total_keys', 'tracking_total_keys', 'Keys remembered for client side caching.'),
  infoGauge('redis_tracking_total_items', 'tracking_total_items', 'Clients remembered for those keys, all added up.'),
  infoGauge('redis_tracking_total_prefixes', 'tracking_total_prefixes', 'Prefixes tracked in broadcasting mode.'),
  infoGauge('redis_migrate_cached_sockets_total', 'migrate_cached_sockets', 'Sockets kept open for MIGRATE.'),
  counter('tandem_clients_evicted_total', 'Clients closed because of maxmemory-clients.', ({ host }) => {
    return host.stats.evictedClients
  }),
  counter('tandem_clients_over_limit_total', 'Clients closed because a buffer went beyond its limit.', ({ host }) => [
    { value: host.stats.queryBufferLimitDisconnections, labels: { buffer: 'query' } },
    { value: host.stats.outputBufferLimitDisconnections, labels: { buffer: 'output' } },
  ]),
])
