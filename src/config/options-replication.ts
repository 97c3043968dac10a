/** Options of replication and of the cluster. They follow redis 7.0.15 config.c static_configs. */
import { checkConsistency, checkHostname, checkSyncReplicas } from './checks.ts'
import {
  bool,
  choice,
  IMMUTABLE,
  INT_MAX,
  integer,
  LLONG_MAX,
  MILLISECONDS,
  memory,
  NULLABLE,
  SECONDS,
  SECRET,
  special,
  text,
  ULLONG_MAX,
} from './option.ts'

const MB = 1024 * 1024

export const REPLICATION_OPTIONS = [
  special('replicaof', '', 'The primary to follow', { alias: 'slaveof', immutable: true }),
  text('masteruser', '', 'User at the primary', SECRET),
  text('masterauth', '', 'Password at the primary', SECRET),
  // Redis: 1mb. Replication adapts the size to the rate of writes as long as it was not set (Config.isExplicit).
  memory('repl-backlog-size', 16 * MB, 1, LLONG_MAX, 'Stream kept for replicas that come back'),
  integer('repl-backlog-ttl', 3600, 0, LLONG_MAX, 'Frees the backlog when no replica came for so long', SECONDS),
  integer('repl-timeout', 60, 1, INT_MAX, 'A link without a sign of life for so long is closed', SECONDS),
  integer('repl-ping-replica-period', 10, 1, INT_MAX, 'How often a primary pings its replicas', {
    alias: 'repl-ping-slave-period',
    unit: 'seconds',
  }),
  bool('repl-disable-tcp-nodelay', false, 'Fewer and larger packets to replicas'),
  bool('repl-diskless-sync', true, 'Sends the dump of a full sync without a file'),
  integer('repl-diskless-sync-delay', 5, 0, INT_MAX, 'Waits for more replicas before a full sync', SECONDS),
  integer('repl-diskless-sync-max-replicas', 0, 0, INT_MAX, 'Does not wait when so many are there; 0 always waits'),
  choice(
    'repl-diskless-load',
    'disabled',
    ['disabled', 'on-empty-db', 'swapdb'],
    'When a replica loads from the socket, without a file',
    { denyLoading: true },
  ),
  memory(
    'repl-sync-max-rate',
    0,
    0,
    LLONG_MAX,
    'Bytes of a full sync sent to a replica in a second; 0 as fast as it goes',
  ),
  integer(
    'repl-max-concurrent-syncs',
    0,
    0,
    INT_MAX,
    'Replicas that get a full sync at the same time; 0 as many as ask',
  ),
  integer(
    'repl-guard-shrink',
    90,
    0,
    100,
    'Refuses a full sync that comes by itself and would drop more than so many percent of the keys; 0 takes all',
  ),
  text('sync-replicas', '0', 'Replicas that must have a write before it is answered: 0 to 64, or quorum', {
    check: checkSyncReplicas,
  }),
  integer('sync-group-size', 0, 0, 65, 'Servers of the group that quorum is a majority of; 0 are those that are known'),
  integer('sync-timeout', 1000, 1, INT_MAX, 'How long an answer waits for them', MILLISECONDS),
  choice('sync-timeout-action', 'fail', ['fail', 'degrade'], 'What becomes of an answer that waited so long'),
  text('sync-keys', '', 'Globs of the keys whose writes wait; none is all keys'),
  bool('sync-reads', false, 'Reads do not show writes that wait'),
  bool('replica-serve-stale-data', true, 'Answers reads while the link is down', { alias: 'slave-serve-stale-data' }),
  bool('replica-read-only', true, 'Clients cannot write to a replica', { alias: 'slave-read-only' }),
  bool('replica-lazy-flush', false, 'Frees the old data set later when a new one comes', { alias: 'slave-lazy-flush' }),
  bool('replica-ignore-maxmemory', true, 'Only the primary evicts', { alias: 'slave-ignore-maxmemory' }),
  bool('replica-ignore-disk-write-errors', false, 'A replica goes on when it cannot write its files'),
  integer('replica-priority', 100, 0, INT_MAX, 'Sentinel promotes the lowest; 0 never', { alias: 'slave-priority' }),
  bool('replica-announced', true, 'Sentinel shows this replica to clients'),
  text('replica-announce-ip', '', 'Address that the primary reports for this replica', {
    alias: 'slave-announce-ip',
    emptyIsNull: true,
  }),
  integer('replica-announce-port', 0, 0, 65535, 'Port that the primary reports for this replica', {
    alias: 'slave-announce-port',
  }),
  integer('min-replicas-to-write', 0, 0, INT_MAX, 'Refuses writes with fewer good replicas', {
    alias: 'min-slaves-to-write',
  }),
  integer('min-replicas-max-lag', 10, 0, INT_MAX, 'A good replica was heard of within', {
    alias: 'min-slaves-max-lag',
    unit: 'seconds',
  }),

  text('proxy-upstream', '', 'Passes writes on to redis://[user:password@]host[:port][/db] and follows it', {
    immutable: true,
    sensitive: true,
  }),
  text('proxy-consistency', 'session', 'What reads of the proxy see: eventual, session, bounded <ms>, linearizable', {
    check: checkConsistency,
  }),
  integer(
    'proxy-connections',
    4,
    1,
    64,
    'Connections to the upstream that clients share, for each database',
    IMMUTABLE,
  ),
  integer('session-wait', 100, 0, INT_MAX, 'A read that the copy is behind of waits so long, then goes upstream', {
    unit: 'milliseconds',
  }),
  integer('stale-reads-max-age', 0, 0, INT_MAX, 'An older copy is not read from; 0 any', MILLISECONDS),
  integer('write-timeout', 0, 0, INT_MAX, 'Writes wait so long for an upstream that is away', MILLISECONDS),

  bool('cluster-enabled', false, 'Cluster mode', IMMUTABLE),
  text('cluster-config-file', 'nodes.conf', 'File of the cluster state', IMMUTABLE),
  integer('cluster-node-timeout', 15000, 0, LLONG_MAX, 'A node that is silent for so long has failed', MILLISECONDS),
  integer('cluster-port', 0, 0, 65535, 'Port of the cluster bus; 0 is port + 10000', IMMUTABLE),
  text('cluster-announce-ip', '', 'Address told to other nodes', NULLABLE),
  text('cluster-announce-hostname', '', 'Host name told to clients', { emptyIsNull: true, check: checkHostname }),
  integer('cluster-announce-port', 0, 0, 65535, 'Port told to other nodes'),
  integer('cluster-announce-tls-port', 0, 0, 65535, 'TLS port told to other nodes'),
  integer('cluster-announce-bus-port', 0, 0, 65535, 'Port of the cluster bus told to other nodes'),
  choice(
    'cluster-preferred-endpoint-type',
    'ip',
    ['ip', 'hostname', 'unknown-endpoint'],
    'What clients are told to connect to',
  ),
  bool('cluster-require-full-coverage', true, 'Stops when a slot has no node'),
  bool('cluster-allow-reads-when-down', false, 'Answers reads when the cluster is down'),
  bool('cluster-allow-pubsubshard-when-down', true, 'Serves sharded channels when the cluster is down'),
  bool('cluster-allow-replica-migration', true, 'Replicas move to primaries without one'),
  integer('cluster-migration-barrier', 1, 0, INT_MAX, 'Replicas that a primary keeps when others move'),
  bool('cluster-replica-no-failover', false, 'This replica is never promoted', { alias: 'cluster-slave-no-failover' }),
  integer('cluster-replica-validity-factor', 10, 0, INT_MAX, 'A replica that is older does not stand for election', {
    alias: 'cluster-slave-validity-factor',
  }),
  memory('cluster-link-sendbuf-limit', 0, 0, ULLONG_MAX, 'Unsent bytes of a cluster link; 0 without limit'),
] as const
