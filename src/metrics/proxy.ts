/** The proxy: where reads and writes went, who had to wait, how old the copy is and how far the upstream. Nothing is shown by a server that is no proxy. */
import { counter, gauge, group, infoCounter, infoGauge } from './family.ts'

const CONNECTIONS = {
  shared: 'Connections to the upstream that clients share.',
  own: 'Connections to the upstream that one client has for itself: watching, blocking.',
  idle: 'Connections to the upstream that are kept for the next client that needs its own.',
}

const where = (place: string) => ({ place })

const families = group([
  infoGauge(
    'tandem_proxy_copy_age_seconds',
    'proxy_copy_age_ms',
    'All that was written before so long ago is in the copy; below 0 if that is not known.',
    0.001,
  ),
  infoGauge('tandem_proxy_copy_ready', 'proxy_copy_ready', '1 while reads can be answered from the copy.'),
  counter('tandem_proxy_reads_total', 'Reads, by where they were answered.', ({ info }) =>
    info.has('proxy_reads_local')
      ? [
          { value: Number(info.get('proxy_reads_local')), labels: where('local') },
          { value: Number(info.get('proxy_reads_upstream')), labels: where('upstream') },
          ...(info.has('proxy_near_hits')
            ? [{ value: Number(info.get('proxy_near_hits')), labels: where('near') }]
            : []),
        ]
      : undefined,
  ),
  infoCounter(
    'tandem_proxy_writes_total',
    'proxy_writes_upstream',
    'Requests that were passed upstream because they may write.',
  ),
  infoCounter('tandem_proxy_transactions_total', 'proxy_transactions_upstream', 'Transactions that went upstream.'),
  infoCounter(
    'tandem_proxy_waits_total',
    'proxy_waits',
    'Requests that were held back: for the copy, for replies before them, for the upstream.',
  ),
  counter('tandem_proxy_wait_seconds_total', 'Time for which requests were held back.', ({ info }) =>
    scaled(info.get('proxy_waited_ms')),
  ),
  infoCounter(
    'tandem_proxy_session_waits_expired_total',
    'proxy_session_waits_expired',
    'Reads that went upstream because the copy did not catch up within session-wait.',
  ),
  infoCounter(
    'tandem_proxy_reads_refused_total',
    'proxy_reads_refused',
    'Reads that neither the copy nor the upstream could answer.',
  ),
  infoCounter(
    'tandem_proxy_writes_refused_total',
    'proxy_writes_refused',
    'Writes that were not sent because the upstream was away.',
  ),
  infoCounter(
    'tandem_proxy_writes_uncertain_total',
    'proxy_writes_uncertain',
    'Writes that were sent and whose reply was lost.',
  ),
  infoCounter('tandem_proxy_round_trips_total', 'proxy_round_trips', 'Batches of requests that the upstream answered.'),
  counter('tandem_proxy_round_trip_seconds_total', 'Time from sending batches to their last reply.', ({ info }) =>
    scaled(info.get('proxy_round_trip_ms')),
  ),
  infoGauge('tandem_proxy_clients_waiting', 'proxy_clients_waiting', 'Clients whose request is held back now.'),
  ...(['shared', 'own', 'idle'] as const).map((kind) =>
    infoGauge(`tandem_proxy_${kind}_connections`, `proxy_connections_${kind}`, CONNECTIONS[kind]),
  ),
  infoCounter(
    'tandem_proxy_connections_lost_total',
    'proxy_connections_lost',
    'Connections to the upstream that were up and ended.',
  ),
  infoGauge('tandem_proxy_near_up', 'proxy_near_up', '1 while changes of what the near cache keeps are heard of.'),
  infoCounter(
    'tandem_proxy_near_hits_total',
    'proxy_near_hits',
    'Reads outside of the filter that the near cache answered.',
  ),
  infoCounter(
    'tandem_proxy_near_misses_total',
    'proxy_near_misses',
    'Reads outside of the filter that went upstream to be kept in the near cache.',
  ),
  infoGauge('tandem_proxy_near_entries', 'proxy_near_entries', 'Replies in the near cache.'),
  infoGauge('tandem_proxy_near_bytes', 'proxy_near_bytes', 'Bytes of the near cache.'),
  infoCounter(
    'tandem_proxy_near_invalidations_total',
    'proxy_near_invalidations',
    'Replies that left the near cache because a key of theirs changed, or nobody would have said so.',
  ),
  infoCounter(
    'tandem_proxy_near_evictions_total',
    'proxy_near_evictions',
    'Replies that left the near cache because it was full.',
  ),
  gauge('tandem_proxy_shard_up', '1 while the link to this shard of a cluster is up.', ({ info }) =>
    ofShards(info, (shard) => (shard.get('link') === 'up' ? 1 : 0)),
  ),
  gauge('tandem_proxy_shard_slots', "Slots of which this shard's word counts in the copy.", ({ info }) =>
    ofShards(info, (shard) => Number(shard.get('slots'))),
  ),
  gauge('tandem_proxy_shard_offset', "How far this shard's stream is applied, bytes.", ({ info }) =>
    ofShards(info, (shard) => Number(shard.get('offset'))),
  ),
  gauge(
    'tandem_proxy_shard_age_seconds',
    'All that was written to this shard before so long ago is in the copy; below 0 if that is not known.',
    ({ info }) => ofShards(info, (shard) => Number(shard.get('age_ms')) / 1000),
  ),
  infoCounter(
    'tandem_proxy_redirections_total',
    'proxy_redirections',
    'Requests that were sent again because of MOVED or ASK.',
  ),
  infoCounter(
    'tandem_proxy_slots_handed_over_total',
    'proxy_slots_handed_over',
    'Slots that went from one shard to another in the copy.',
  ),
])

export const { metricNames, register } = families

function scaled(milliseconds: string | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Number(milliseconds) / 1000
}

/** `proxy_shard0:addr=…,link=up,…`; undefined when the upstream is no cluster. */
function ofShards(
  info: ReadonlyMap<string, string>,
  read: (shard: ReadonlyMap<string, string>) => number,
): { value: number; labels: { shard: string } }[] | undefined {
  const samples: { value: number; labels: { shard: string } }[] = []
  for (const [name, text] of info) {
    if (!/^proxy_shard\d+$/.test(name)) continue
    const shard = new Map(text.split(',').map((pair) => pair.split('=', 2) as [string, string]))
    samples.push({ value: read(shard), labels: { shard: shard.get('addr') ?? '' } })
  }
  return samples.length === 0 ? undefined : samples
}
