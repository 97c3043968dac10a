/**
 * The sections of INFO that count: stats, and one line for each command or error. Fields and order are those of
 * redis 7.0.15 server.c genRedisInfoString; commands come in the order of declaration, a container before its subcommands.
 */
import { formatPercentile } from '../../config/units.ts'
import type { Command } from '../command.ts'
import type { Host } from '../host.ts'
import { safeName, section } from './info-fields.ts'

export function stats(host: Host): string {
  const { pubsub, stats } = host
  const { instantaneous } = stats
  return section('Stats', {
    total_connections_received: stats.connectionsReceived,
    total_commands_processed: stats.commandsProcessed,
    instantaneous_ops_per_sec: Math.floor(instantaneous.commands),
    total_net_input_bytes: stats.netInputBytes + stats.replInputBytes,
    total_net_output_bytes: stats.netOutputBytes + stats.replOutputBytes,
    total_net_repl_input_bytes: stats.replInputBytes,
    total_net_repl_output_bytes: stats.replOutputBytes,
    instantaneous_input_kbps: kilobytes(instantaneous.inputBytes),
    instantaneous_output_kbps: kilobytes(instantaneous.outputBytes),
    instantaneous_input_repl_kbps: kilobytes(instantaneous.replInputBytes),
    instantaneous_output_repl_kbps: kilobytes(instantaneous.replOutputBytes),
    rejected_connections: stats.rejectedConnections,
    sync_full: stats.syncFull,
    sync_partial_ok: stats.syncPartialOk,
    sync_partial_err: stats.syncPartialErr,
    expired_keys: stats.expiredKeys,
    expired_stale_perc: stats.expiredStalePercent.toFixed(2),
    expired_time_cap_reached_count: stats.expiredTimeCapReached,
    expire_cycle_cpu_milliseconds: Math.floor(stats.expireCycleMilliseconds),
    evicted_keys: stats.evictedKeys,
    evicted_clients: stats.evictedClients,
    total_eviction_exceeded_time: Math.floor(stats.evictionExceededMilliseconds),
    current_eviction_exceeded_time: 0,
    keyspace_hits: stats.keyspaceHits,
    keyspace_misses: stats.keyspaceMisses,
    pubsub_channels: pubsub.channelCount,
    pubsub_patterns: pubsub.patterns,
    pubsubshard_channels: pubsub.shardChannelCount,
    latest_fork_usec: 0,
    total_forks: stats.snapshots,
    migrate_cached_sockets: host.outgoing.sockets,
    slave_expires_tracked_keys: 0,
    active_defrag_hits: stats.activeDefragHits,
    active_defrag_misses: 0,
    active_defrag_key_hits: 0,
    active_defrag_key_misses: 0,
    total_active_defrag_time: 0,
    current_active_defrag_time: 0,
    tracking_total_keys: host.tracking.keys,
    tracking_total_items: host.tracking.items,
    tracking_total_prefixes: host.tracking.prefixes,
    unexpected_error_replies: stats.unexpectedErrorReplies,
    total_error_replies: stats.errorReplies,
    dump_payload_sanitizations: stats.dumpPayloadSanitizations,
    total_reads_processed: stats.readsProcessed,
    total_writes_processed: stats.writesProcessed,
    io_threaded_reads_processed: 0,
    io_threaded_writes_processed: 0,
    reply_buffer_shrinks: 0,
    reply_buffer_expands: 0,
  })
}

function kilobytes(bytes: number): string {
  return (bytes / 1024).toFixed(2)
}

export function commandstats(host: Host): string {
  let text = section('Commandstats')
  for (const command of host.table.all) {
    const { calls, rejectedCalls, failedCalls } = command
    if (calls === 0 && rejectedCalls === 0 && failedCalls === 0) continue
    const usec = Math.floor(command.usec)
    const mean = calls === 0 ? 0 : command.usec / calls
    text +=
      `cmdstat_${safeName(command.fullName)}:calls=${calls},usec=${usec},usec_per_call=${mean.toFixed(2)}` +
      `,rejected_calls=${rejectedCalls},failed_calls=${failedCalls}\r\n`
  }
  return text
}

export function errorstats(host: Host): string {
  let text = section('Errorstats')
  for (const code of [...host.stats.errorCounts.keys()].sort()) {
    text += `errorstat_${safeName(code)}:count=${host.stats.errorCounts.get(code)}\r\n`
  }
  return text
}

/** What a command's histogram must be able to tell. */
interface Distribution {
  /** Microseconds that so many of a hundred calls did not exceed. */
  percentile(percent: number): number
}

export function latencystats(host: Host): string {
  const text = section('Latencystats')
  if (!host.config.get('latency-tracking')) return text
  const percentiles = host.config.get('latency-tracking-info-percentiles')
  return text + host.table.all.map((command) => latencyLine(command, percentiles)).join('')
}

/** redis 7.0.15 server.c fillPercentileDistributionLatencies */
function latencyLine(command: Command, percentiles: readonly number[]): string {
  if (command.histogram === undefined) return ''
  const histogram = command.histogram as Distribution
  const values = percentiles.map(
    (percent) => `p${formatPercentile(percent)}=${histogram.percentile(percent).toFixed(3)}`,
  )
  return `latency_percentiles_usec_${safeName(command.fullName)}:${values.join(',')}\r\n`
}
