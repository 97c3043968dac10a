/**
 * The sections of INFO that tell the server's state. Fields, their order and the conditions under which they are shown are those of
 * redis 7.0.15 server.c genRedisInfoString; what has no meaning here has the value of a Redis that does not use it.
 */
import { readFileSync } from 'node:fs'
import { machine, release, totalmem, type } from 'node:os'
import { REDIS_VERSION } from '../../config/redis-conf.ts'
import type { AofHost } from '../aof-host.ts'
import type { Host, PersistenceHost, ReplicationHost, UpstreamInfo } from '../host.ts'
import { flag, humanBytes, lines, section } from './info-fields.ts'
import { memoryOverhead, ratio } from './memory-overhead.ts'
import { TANDEM_VERSION } from './version.ts'

const LRU_CLOCK_MAX = 0xffffff
const SECONDS_A_DAY = 86_400

export function server(host: Host): string {
  const { config } = host
  const nowMs = host.unixMs
  const uptime = Math.max(0, Math.floor((nowMs - host.stats.startedAtMs) / 1000))
  const hz = config.get('hz')
  const text = section('Server', {
    redis_version: REDIS_VERSION,
    tandem_version: TANDEM_VERSION,
    redis_git_sha1: '00000000',
    redis_git_dirty: 0,
    redis_build_id: '0',
    redis_mode: 'standalone',
    os: `${type()} ${release()} ${machine()}`,
    arch_bits: 64,
    monotonic_clock: 'POSIX clock_gettime',
    multiplexing_api: process.platform === 'linux' ? 'epoll' : 'kqueue',
    atomicvar_api: 'c11-builtin',
    gcc_version: '0.0.0',
    process_id: process.pid,
    process_supervised: 'no',
    run_id: host.runId,
    tcp_port: config.get('port') || config.get('tls-port'),
    server_time_usec: Math.floor(nowMs * 1000),
    uptime_in_seconds: uptime,
    uptime_in_days: Math.floor(uptime / SECONDS_A_DAY),
    hz,
    configured_hz: hz,
    lru_clock: Math.floor(nowMs / 1000) & LRU_CLOCK_MAX,
    executable: process.argv[1] ?? process.execPath,
    config_file: host.configFile,
    io_threads_active: 0,
  })
  if (host.shutdownAtMs === 0) return text
  return text + lines({ shutdown_in_milliseconds: Math.max(0, Math.ceil(host.shutdownAtMs - nowMs)) })
}

export function clients(host: Host): string {
  let replicas = 0
  for (const client of host.clients.all()) if (client.replica !== null) replicas++
  return section('Clients', {
    connected_clients: host.clients.count - replicas,
    cluster_connections: 0,
    maxclients: host.config.get('maxclients'),
    client_recent_max_input_buffer: host.clients.maxInputBytes,
    client_recent_max_output_buffer: host.clients.maxOutputBytes,
    blocked_clients: host.blocked.count + host.clients.postponedCount,
    tracking_clients: host.tracking.clients,
    clients_in_timeout_table: host.blocked.timeoutCount,
  })
}

export function memory(host: Host): string {
  const { config, scripts } = host
  const { functions } = scripts
  const memory = memoryOverhead(host)
  const total = totalmem()
  const maxmemory = config.get('maxmemory')
  const { used, peak, rss, allocated, active } = memory
  return (
    section('Memory', {
      used_memory: used,
      used_memory_human: humanBytes(used),
      used_memory_rss: rss,
      used_memory_rss_human: humanBytes(rss),
      used_memory_peak: peak,
      used_memory_peak_human: humanBytes(peak),
      used_memory_peak_perc: `${memory.peakPercent.toFixed(2)}%`,
      used_memory_overhead: memory.overhead,
      used_memory_startup: 0,
      used_memory_dataset: memory.dataset,
      used_memory_dataset_perc: `${memory.datasetPercent.toFixed(2)}%`,
      allocator_allocated: allocated,
      allocator_active: active,
      allocator_resident: rss,
      total_system_memory: total,
      total_system_memory_human: humanBytes(total),
      used_memory_lua: scripts.interpreterBytes,
      used_memory_vm_eval: scripts.interpreterBytes,
      used_memory_lua_human: humanBytes(scripts.interpreterBytes),
      used_memory_scripts_eval: scripts.cacheBytes,
      number_of_cached_scripts: scripts.cachedScripts,
      number_of_functions: functions.functionCount,
      number_of_libraries: functions.libraryCount,
      used_memory_vm_functions: functions.interpreterBytes,
      used_memory_vm_total: scripts.interpreterBytes + functions.interpreterBytes,
      used_memory_vm_total_human: humanBytes(scripts.interpreterBytes + functions.interpreterBytes),
      used_memory_functions: functions.bytes,
      used_memory_scripts: scripts.cacheBytes + functions.bytes,
      used_memory_scripts_human: humanBytes(scripts.cacheBytes + functions.bytes),
      maxmemory,
      maxmemory_human: humanBytes(maxmemory),
      maxmemory_policy: config.get('maxmemory-policy'),
    }) +
    lines({
      allocator_frag_ratio: ratio(active, allocated).toFixed(2),
      allocator_frag_bytes: active - allocated,
      allocator_rss_ratio: ratio(rss, active).toFixed(2),
      allocator_rss_bytes: rss - active,
      rss_overhead_ratio: '1.00',
      rss_overhead_bytes: 0,
      mem_fragmentation_ratio: ratio(rss, allocated).toFixed(2),
      mem_fragmentation_bytes: rss - allocated,
      mem_not_counted_for_evict: memory.clientsReplicas,
      mem_replication_backlog: memory.backlog,
      mem_total_replication_buffers: memory.backlog + memory.clientsReplicas,
      mem_clients_slaves: memory.clientsReplicas,
      mem_clients_normal: memory.clientsNormal,
      mem_cluster_links: 0,
      mem_aof_buffer: host.aof.isOn ? host.aof.bufferBytes : 0,
      mem_allocator: 'libc',
      active_defrag_running: 0,
      lazyfree_pending_objects: 0,
      lazyfreed_objects: host.stats.lazyFreedObjects,
    })
  )
}

export function persistence(host: Host): string {
  const { persistence, aof } = host
  const { saving, loading, asyncLoading } = persistence
  const reading = saving || aof.isReading
  const keysTotal = reading ? host.store.keys : 0
  const keysDone = reading ? (host.store.walk?.visited ?? 0) : 0
  const copied = reading ? (host.store.walk?.copiedBytes ?? 0) : 0
  const text = section('Persistence', {
    loading: flag(loading && !asyncLoading),
    async_loading: flag(asyncLoading),
    current_cow_peak: copied,
    current_cow_size: copied,
    current_cow_size_age: 0,
    current_fork_perc: (ratio(keysDone, keysTotal) * 100).toFixed(2),
    current_save_keys_processed: keysDone,
    current_save_keys_total: keysTotal,
    rdb_changes_since_last_save: persistence.dirty,
    rdb_bgsave_in_progress: flag(saving || host.replication.isSendingSnapshot),
    rdb_last_save_time: persistence.lastSaveSeconds,
    rdb_last_bgsave_status: persistence.lastSaveOk ? 'ok' : 'err',
    rdb_last_bgsave_time_sec: persistence.lastSaveDurationSeconds,
    rdb_current_bgsave_time_sec: saving ? persistence.currentSaveSeconds : -1,
    rdb_saves: persistence.saves,
    rdb_last_cow_size: persistence.lastSaveCopiedBytes,
    rdb_last_load_keys_expired: persistence.lastLoadKeysExpired,
    rdb_last_load_keys_loaded: persistence.lastLoadKeysLoaded,
    aof_enabled: flag(aof.isOn),
    aof_rewrite_in_progress: flag(aof.rewriting),
    aof_rewrite_scheduled: flag(aof.scheduled),
    aof_last_rewrite_time_sec: aof.lastRewriteSeconds,
    aof_current_rewrite_time_sec: aof.currentRewriteSeconds,
    aof_last_bgrewrite_status: aof.lastRewriteOk ? 'ok' : 'err',
    aof_rewrites: aof.rewrites,
    aof_rewrites_consecutive_failures: aof.consecutiveFailures,
    aof_last_write_status: aof.lastWriteOk ? 'ok' : 'err',
    aof_last_cow_size: 0,
    module_fork_in_progress: 0,
    module_fork_last_cow_size: 0,
  })
  const all = host.config.get('appendonly') ? text + aofLines(aof) : text
  return loading || asyncLoading ? all + loadingLines(persistence, host.unixMs) : all
}

function aofLines(aof: AofHost): string {
  return lines({
    aof_current_size: aof.currentSize,
    aof_base_size: aof.baseSize,
    aof_pending_rewrite: flag(aof.scheduled),
    aof_buffer_length: aof.bufferBytes,
    aof_pending_bio_fsync: aof.pendingSyncs,
    aof_delayed_fsync: aof.delayedSyncs,
  })
}

function loadingLines(persistence: PersistenceHost, nowMs: number): string {
  const { loadStartSeconds, loadTotalBytes, loadedBytes } = persistence
  const elapsed = Math.max(0, Math.floor(nowMs / 1000) - loadStartSeconds)
  const remaining = loadTotalBytes > 0 ? loadTotalBytes - loadedBytes : 1
  return lines({
    loading_start_time: loadStartSeconds,
    loading_total_bytes: loadTotalBytes,
    loading_rdb_used_mem: 0,
    loading_loaded_bytes: loadedBytes,
    loading_loaded_perc: (ratio(loadedBytes, loadTotalBytes) * 100).toFixed(2),
    // In the first second there is nothing to reckon with.
    loading_eta_seconds: elapsed === 0 ? 1 : Math.floor((elapsed * remaining) / (loadedBytes + 1)),
  })
}

export function replication(host: Host): string {
  const { config, replication } = host
  const { upstream, backlog, replicas } = replication
  let text = section('Replication', { role: replication.role })
  if (upstream !== null && replication.role === 'slave') text += upstreamLines(host, upstream)
  text += lines({ connected_slaves: replicas.length })
  if (config.get('min-replicas-to-write') > 0 && config.get('min-replicas-max-lag') > 0) {
    text += lines({ min_slaves_good_slaves: replication.goodReplicas })
  }
  text += replicaLines(replication)
  const { syncMode, lostWrites, spill, replicaFilter } = replication
  if (replicaFilter !== null) {
    text += lines({
      replica_filter: replicaFilter.text,
      replica_filter_seen_bytes: replicaFilter.seenBytes,
      replica_filter_dropped_bytes: replicaFilter.droppedBytes,
      replica_filter_fetched_keys: replicaFilter.fetched,
      replica_filter_fetched_bytes: replicaFilter.fetchedBytes,
      replica_filter_pending_keys: replicaFilter.pending,
    })
  }
  if (lostWrites.files > 0) {
    text += lines({ lost_writes: lostWrites.commands, lost_writes_last_file: lostWrites.lastFile })
  }
  if (spill.writtenBytes > 0) {
    text += lines({
      repl_spill_written_bytes: spill.writtenBytes,
      repl_spill_file_bytes: spill.fileBytes,
      repl_spill_replicas: spill.replicas,
      repl_spill_closed_replicas: spill.closedReplicas,
    })
  }
  if (syncMode.isWanted) {
    text += lines({
      sync_replicas_wanted: syncMode.copies,
      sync_group_size: syncMode.groupSize,
      sync_waits: syncMode.counts.waits,
      sync_timeouts: syncMode.counts.timeouts,
      sync_degraded: syncMode.counts.degraded,
      sync_waiting: syncMode.holding,
    })
  }
  // Under a name of their own: Sentinel must not take one for a whole copy.
  replication.filteredReplicas.forEach(({ ip, port, state, offset, lagBytes, filter }, i) => {
    text += lines({
      [`filtered_replica${i}`]: `ip=${ip},port=${port},state=${state},offset=${offset},lag_bytes=${lagBytes},filter=${filter}`,
    })
  })
  return (
    text +
    lines({
      master_failover_state: replication.failoverState,
      master_replid: replication.replid,
      master_replid2: replication.replid2,
      master_repl_offset: replication.offset,
      second_repl_offset: replication.secondOffset,
      repl_backlog_active: flag(backlog.active),
      repl_backlog_size: backlog.size,
      repl_backlog_first_byte_offset: backlog.active ? backlog.firstByteOffset : 0,
      repl_backlog_histlen: backlog.active ? backlog.histlen : 0,
    })
  )
}

function upstreamLines(host: Host, upstream: UpstreamInfo): string {
  const { config } = host
  const { syncInProgress, syncTotalBytes, syncReadBytes, linkDownSinceSeconds } = upstream
  const isUp = upstream.linkStatus === 'up'
  // An empty copy must not win Sentinel's election; Redis leaves that to the offset alone.
  const neverSynced = !isUp && linkDownSinceSeconds < 0
  let text = lines({
    master_host: upstream.host,
    master_port: upstream.port,
    master_link_status: upstream.linkStatus,
    master_last_io_seconds_ago: isUp ? upstream.lastIoSecondsAgo : -1,
    master_sync_in_progress: flag(syncInProgress),
    slave_read_repl_offset: upstream.readOffset,
    slave_repl_offset: upstream.appliedOffset,
  })
  if (syncInProgress) {
    text += lines({
      master_sync_total_bytes: syncTotalBytes,
      master_sync_read_bytes: syncReadBytes,
      master_sync_left_bytes: syncTotalBytes - syncReadBytes,
      master_sync_perc: (ratio(syncReadBytes, syncTotalBytes) * 100).toFixed(2),
      master_sync_last_io_seconds_ago: upstream.syncLastIoSecondsAgo,
    })
  }
  const { refusedSync } = host.replication
  if (refusedSync !== null) {
    const { keysHere, keysThere, replid } = refusedSync
    text += lines({ master_sync_refused: `keys_here=${keysHere},keys_there=${keysThere},replid=${replid}` })
  }
  if (!isUp) text += lines({ master_link_down_since_seconds: linkDownSinceSeconds })
  return (
    text +
    lines({
      slave_priority: neverSynced ? 0 : config.get('replica-priority'),
      slave_read_only: flag(host.replication.readOnly),
      replica_announced: flag(config.get('replica-announced')),
    })
  )
}

function replicaLines(replication: ReplicationHost): string {
  let text = ''
  let id = 0
  for (const replica of replication.replicas) {
    const { ip, port, state, offset } = replica
    const lag = state === 'online' ? Math.floor(replica.lagSeconds) : 0
    text += `slave${id++}:ip=${ip},port=${port},state=${state},offset=${offset},lag=${lag}\r\n`
  }
  return text
}

export function cpu(): string {
  const { systemCPUTime, userCPUTime } = process.resourceUsage()
  const thread = mainThreadCpu() ?? { system: systemCPUTime, user: userCPUTime }
  return section('CPU', {
    used_cpu_sys: seconds(systemCPUTime),
    used_cpu_user: seconds(userCPUTime),
    used_cpu_sys_children: seconds(0),
    used_cpu_user_children: seconds(0),
    used_cpu_sys_main_thread: seconds(thread.system),
    used_cpu_user_main_thread: seconds(thread.user),
  })
}

function seconds(microseconds: number): string {
  return (microseconds / 1e6).toFixed(6)
}

const MICROSECONDS_A_TICK = 10_000

/** Microseconds of the thread that runs commands; Linux tells them in ticks, other systems not at all. */
function mainThreadCpu(): { system: number; user: number } | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const stat = readFileSync('/proc/thread-self/stat', 'latin1')
    // The second field is the program's name in parentheses, which may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { user: Number(fields[11]) * MICROSECONDS_A_TICK, system: Number(fields[12]) * MICROSECONDS_A_TICK }
  } catch {
    return undefined
  }
}

export function modules(): string {
  return section('Modules')
}

export function cluster(): string {
  return section('Cluster', { cluster_enabled: 0 })
}

export function keyspace(host: Host): string {
  let text = section('Keyspace')
  for (const { id, size, expires } of host.store.databases) {
    if (size === 0) continue
    text += `db${id}:keys=${size},expires=${expires.size},avg_ttl=${host.averageTtlMs(id)}\r\n`
  }
  return text
}
