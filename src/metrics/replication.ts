/**
 * Both directions of replication: each replica of this server with its lag in bytes and in seconds, the link to the primary
 * that it follows, the backlog between them, and how copies came together (full or partial) and roles changed.
 */
import { hostPort } from '../bytes/host-port.ts'
import type { Host, ReplicaInfo, UpstreamInfo } from '../commands/host.ts'
import { counter, type Family, gauge, group, infoGauge, type Labels, type Sample } from './family.ts'
import { upstreamLagMs } from './lag.ts'

const DIRECTIONS = ['to-replica', 'from-primary'] as const
const FAILOVERS = ['sentinel', 'manual', 'taken-over', 'handed-over'] as const

/**
 * A gauge for each replica. Two connections that announce the same address (an old one not yet timed out) would be the
 * same series twice, which a scrape must not hold: the worse of them is shown.
 */
function perReplica(
  name: string,
  help: string,
  labels: (replica: ReplicaInfo) => Labels,
  value: (replica: ReplicaInfo) => number,
  worse: (a: number, b: number) => number,
): Family {
  return gauge(name, help, ({ host }) => {
    const samples = new Map<string, Sample>()
    for (const replica of host.replication.replicas) {
      const key = `${replica.ip} ${replica.port} ${replica.state}`
      const before = samples.get(key)
      const now = value(replica)
      samples.set(key, { labels: labels(replica), value: before === undefined ? now : worse(before.value, now) })
    }
    return [...samples.values()]
  })
}

const named = (replica: ReplicaInfo): Labels => ({ replica: hostPort(replica.ip, replica.port), state: replica.state })

const asExporter = ({ ip, port, state }: ReplicaInfo): Labels => ({
  slave_ip: ip,
  slave_port: String(port),
  slave_state: state,
})

/** A gauge with the primary's address; nothing is shown on a primary, or where `value` is undefined. */
function ofUpstream(
  name: string,
  help: string,
  value: (upstream: UpstreamInfo, host: Host) => number | undefined,
): Family {
  return gauge(name, help, ({ host }) => {
    const { upstream } = host.replication
    if (upstream === null) return undefined
    const number = value(upstream, host)
    return number === undefined ? undefined : [{ value: number, labels: primary(upstream) }]
  })
}

function primary({ host, port }: UpstreamInfo): Labels {
  return { master_host: host, master_port: String(port) }
}

function syncs(name: string, help: string, kind: 'full' | 'partial', results: readonly [string, string]): Family {
  return counter(name, help, ({ host }) =>
    DIRECTIONS.flatMap((direction) => {
      const { ok, failed } = host.replication.counters[kind][direction]
      return [
        { value: ok, labels: { direction, result: results[0] } },
        { value: failed, labels: { direction, result: results[1] } },
      ]
    }),
  )
}

const mirrored: readonly Family[] = [
  infoGauge('redis_connected_slaves', 'connected_slaves', 'Replicas connected to this server.'),
  perReplica(
    'redis_connected_slave_offset_bytes',
    'Offset that each replica has acknowledged.',
    asExporter,
    ({ offset }) => offset,
    Math.min,
  ),
  perReplica(
    'redis_connected_slave_lag_seconds',
    'Seconds since each replica acknowledged anything.',
    asExporter,
    ({ state, lagSeconds }) => (state === 'online' ? Math.floor(lagSeconds) : 0),
    Math.max,
  ),
  infoGauge('redis_master_repl_offset', 'master_repl_offset', 'Offset that the replication stream has reached.'),
  infoGauge('redis_second_repl_offset', 'second_repl_offset', 'Offset up to which the former history is valid.'),
  infoGauge('redis_repl_backlog_is_active', 'repl_backlog_active', 'Whether there is a backlog.'),
  infoGauge('redis_replication_backlog_bytes', 'repl_backlog_size', 'Size of the backlog.'),
  infoGauge('redis_repl_backlog_first_byte_offset', 'repl_backlog_first_byte_offset', 'Oldest offset in the backlog.'),
  infoGauge('redis_repl_backlog_history_bytes', 'repl_backlog_histlen', 'Bytes in the backlog.'),
  infoGauge('redis_replica_resyncs_full', 'sync_full', 'Full synchronisations that replicas asked for.'),
  infoGauge('redis_replica_partial_resync_accepted', 'sync_partial_ok', 'Replicas that could go on where they were.'),
  infoGauge('redis_replica_partial_resync_denied', 'sync_partial_err', 'Replicas that asked to go on and could not.'),
  ofUpstream('redis_master_link_up', 'Whether the link to the primary is up.', ({ linkStatus }) =>
    linkStatus === 'up' ? 1 : 0,
  ),
  ofUpstream('redis_master_last_io_seconds_ago', 'Seconds since the primary sent anything.', (upstream) =>
    upstream.linkStatus === 'up' ? upstream.lastIoSecondsAgo : -1,
  ),
  ofUpstream('redis_master_sync_in_progress', 'Whether a full synchronisation is under way.', ({ syncInProgress }) =>
    syncInProgress ? 1 : 0,
  ),
  ofUpstream('redis_slave_repl_offset', 'Offset applied here.', ({ appliedOffset }) => appliedOffset),
  gauge('redis_slave_info', 'The primary that this replica follows.', ({ host }) => {
    const { upstream, readOnly } = host.replication
    return upstream === null ? [] : [{ value: 1, labels: { ...primary(upstream), read_only: readOnly ? '1' : '0' } }]
  }),
  infoGauge('redis_slave_priority', 'slave_priority', 'Priority of this replica in a failover.'),
]

/** This server, whom it follows and who follows it: laid side by side they show whether all agree. */
function members(host: Host): Sample[] {
  const { role, replid, replicas, upstream } = host.replication
  const samples = new Map<string, Sample>()
  const add = (member: string, memberRole: string, link: string) => {
    samples.set(`${member} ${link}`, { labels: { member, role: memberRole, link, replid }, value: 1 })
  }
  add('self', role, 'self')
  // Its own state if it is followed, connected or not: never that of a primary which is not asked.
  if (upstream !== null) add(`${upstream.host}:${upstream.port}`, 'master', upstream.linkStatus)
  for (const replica of replicas) add(hostPort(replica.ip, replica.port), 'slave', replica.state)
  return [...samples.values()]
}

const own: readonly Family[] = [
  gauge(
    'tandem_group_member',
    'Servers of the replication group as this one sees them, with the history it is in.',
    (source) => members(source.host),
  ),
  perReplica(
    'tandem_replica_lag_bytes',
    'Bytes of the stream that each replica has not acknowledged.',
    named,
    ({ lagBytes }) => lagBytes,
    Math.max,
  ),
  perReplica(
    'tandem_replica_lag_seconds',
    'Age of the oldest write that each replica has not acknowledged, end to end.',
    named,
    ({ lagMs }) => lagMs / 1000,
    Math.max,
  ),
  ofUpstream('tandem_upstream_link_up', 'Whether the link to the primary is up.', ({ linkStatus }) =>
    linkStatus === 'up' ? 1 : 0,
  ),
  ofUpstream('tandem_upstream_lag_seconds', 'For how long the data here may be old.', (_, host) => {
    return (upstreamLagMs(host) ?? 0) / 1000
  }),
  ofUpstream('tandem_upstream_last_applied_age_seconds', 'Age of the last bytes applied.', (upstream) =>
    upstream.linkStatus === 'up' ? Math.max(0, upstream.lagMs) / 1000 : undefined,
  ),
  ofUpstream('tandem_upstream_unapplied_bytes', 'Bytes read from the primary and not applied.', (upstream) =>
    Math.max(0, upstream.readOffset - upstream.appliedOffset),
  ),
  ofUpstream('tandem_upstream_sync_read_bytes', 'Bytes received of the full synchronisation under way.', (upstream) =>
    upstream.syncInProgress ? upstream.syncReadBytes : undefined,
  ),
  gauge('tandem_sync_refused', 'Whether a full sync that would drop nearly all keys is being refused.', ({ host }) =>
    host.replication.refusedSync === null ? 0 : 1,
  ),
  counter(
    'tandem_lost_writes_total',
    'Writes of this former primary that its successor had not acknowledged, kept in lost-writes files.',
    ({ host }) => host.replication.lostWrites.commands,
  ),
  counter(
    'tandem_lost_bytes_total',
    'Bytes of the stream of this former primary that its successors had not acknowledged.',
    ({ host }) => host.replication.lostWrites.bytes,
  ),
  counter(
    'tandem_failover_seconds_total',
    'Time that changes of the primary took, by kind: writes held back, or from the loss of the primary to the promotion.',
    ({ host }) =>
      FAILOVERS.map((kind) => ({ value: host.replication.counters.failoverMs[kind] / 1000, labels: { kind } })),
  ),
  counter('tandem_sync_waits_total', 'Batches of replies that waited for replicas (sync-replicas).', ({ host }) => {
    return host.replication.syncMode.counts.waits
  }),
  counter('tandem_sync_wait_seconds_total', 'Time for which they waited, all together.', ({ host }) => {
    return host.replication.syncMode.waitedMs / 1000
  }),
  counter('tandem_sync_timeouts_total', 'Of those, batches that replicas did not acknowledge in time.', ({ host }) => {
    return host.replication.syncMode.counts.timeouts
  }),
  counter('tandem_sync_degraded_total', 'Of those, batches that were answered nevertheless.', ({ host }) => {
    return host.replication.syncMode.counts.degraded
  }),
  gauge('tandem_sync_waiting', 'Connections whose replies wait for replicas now.', ({ host }) => {
    return host.replication.syncMode.holding
  }),
  syncs('tandem_full_syncs_total', 'Full synchronisations, by direction and whether they came to their end.', 'full', [
    'ok',
    'failed',
  ]),
  syncs(
    'tandem_partial_syncs_total',
    'Requests to go on in the stream, by direction and whether that was possible.',
    'partial',
    ['ok', 'refused'],
  ),
  gauge('tandem_backlog_used_bytes', 'Bytes in the backlog.', ({ host }) => host.replication.backlog.histlen),
  gauge('tandem_backlog_size_bytes', 'Size of the backlog.', ({ host }) => host.replication.backlog.size),
  gauge('tandem_backlog_window_seconds', 'For how long a replica may be away at this rate of writes.', ({ host }) => {
    const { backlog, bytesPerSecond } = host.replication
    return backlog.size / bytesPerSecond
  }),
  counter('tandem_spill_written_bytes_total', 'Bytes of the stream written to the spill file.', ({ host }) => {
    return host.replication.spill.writtenBytes
  }),
  gauge('tandem_spill_file_bytes', 'Size of the spill file: what slow replicas have not read.', ({ host }) => {
    return host.replication.spill.fileBytes
  }),
  gauge('tandem_spill_replicas', 'Replicas that have to read from the spill file.', ({ host }) => {
    return host.replication.spill.replicas
  }),
  counter(
    'tandem_spill_closed_replicas_total',
    'Replicas closed because the spill file was full or could not be written.',
    ({ host }) => host.replication.spill.closedReplicas,
  ),
  counter('tandem_replication_input_bytes_total', 'Bytes received from the primary.', ({ host }) => {
    return host.stats.replInputBytes
  }),
  counter('tandem_replication_output_bytes_total', 'Bytes of the stream sent to replicas.', ({ host }) => {
    return host.stats.replOutputBytes
  }),
  gauge('tandem_role_change_age_seconds', 'Time in the present role.', ({ host }) => {
    return Math.max(0, host.unixMs - host.replication.roleChangedAtMs) / 1000
  }),
  counter('tandem_role_changes_total', 'Changes between primary and replica.', ({ host }) => {
    return host.replication.counters.roleChanges
  }),
  counter(
    'tandem_failovers_total',
    'Became the primary by a Sentinel, by REPLICAOF NO ONE (manual) or by its primary (taken-over), or handed that over.',
    ({ host }) => FAILOVERS.map((kind) => ({ value: host.replication.counters.failovers[kind], labels: { kind } })),
  ),
]

export const { metricNames, register } = group([...mirrored, ...own])
