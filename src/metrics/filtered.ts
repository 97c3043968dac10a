/**
 * Replicas that are sent a part of the data: their lag in their own streams, and how much the filters keep from them. And
 * what this server leaves out itself, when it keeps a part of what its primary sends.
 */
import { hostPort } from '../bytes/host-port.ts'
import type { FilteredReplicaInfo } from '../commands/host.ts'
import { counter, type Family, gauge, group, infoCounter, infoGauge, type Sample } from './family.ts'

function perReplica(name: string, help: string, value: (replica: FilteredReplicaInfo) => number): Family {
  return gauge(name, help, ({ host }) => {
    const samples = new Map<string, Sample>()
    for (const found of host.replication.filteredReplicas) {
      const replica = hostPort(found.ip, found.port)
      const key = `${replica} ${found.filter}`
      // Two connections of one address, an old one among them: the worse is shown.
      const worst = Math.max(samples.get(key)?.value ?? 0, value(found))
      samples.set(key, { labels: { replica, filter: found.filter }, value: worst })
    }
    return [...samples.values()]
  })
}

function perFilter(name: string, help: string, value: (replica: FilteredReplicaInfo) => number): Family {
  return counter(name, help, ({ host }) => {
    const filters = new Map(host.replication.filteredReplicas.map((replica) => [replica.filter, replica]))
    return [...filters.values()].map((replica) => ({ labels: { filter: replica.filter }, value: value(replica) }))
  })
}

export const { metricNames, register } = group([
  perReplica(
    'tandem_filtered_replica_lag_bytes',
    'Bytes of its filtered stream that each replica has not acknowledged.',
    ({ lagBytes }) => lagBytes,
  ),
  perReplica(
    'tandem_filtered_replica_lag_seconds',
    'Age of the oldest write shown to each filtered replica that it has not acknowledged.',
    ({ lagMs }) => lagMs / 1000,
  ),
  perFilter(
    'tandem_filtered_seen_bytes_total',
    'Bytes of writes that each filter in use was asked about.',
    ({ seenBytes }) => seenBytes,
  ),
  perFilter(
    'tandem_filtered_stream_bytes_total',
    'Bytes of the filtered stream: what is left of those.',
    ({ streamBytes }) => streamBytes,
  ),
  infoCounter(
    'tandem_replica_filter_seen_bytes_total',
    'replica_filter_seen_bytes',
    'Bytes of the stream of the primary that the filter of this replica was asked about.',
  ),
  infoCounter(
    'tandem_replica_filter_dropped_bytes_total',
    'replica_filter_dropped_bytes',
    'Bytes of those that were not applied, because the filter hides their keys.',
  ),
  infoCounter(
    'tandem_replica_filter_fetched_keys_total',
    'replica_filter_fetched_keys',
    'Keys whose value was asked for at the primary, because hidden data was brought to them.',
  ),
  infoCounter('tandem_replica_filter_fetched_bytes_total', 'replica_filter_fetched_bytes', 'Bytes of such values.'),
  infoGauge(
    'tandem_replica_filter_pending_keys',
    'replica_filter_pending_keys',
    'Keys of which the primary has not told the value yet.',
  ),
])
