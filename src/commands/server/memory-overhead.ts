/**
 * Where the memory goes, for INFO memory, MEMORY STATS and MEMORY DOCTOR. The names are those of redis 7.0.15 object.c
 * getMemoryOverheadData; "used" is what the data set and its buffers take, since that is what maxmemory limits, while the
 * allocator figures are those of the JavaScript runtime with all that it has allocated.
 */
import { clientMemory } from '../connection/client-info.ts'
import type { Host } from '../host.ts'

export interface DatabaseOverhead {
  readonly id: number
  readonly mainBytes: number
  readonly expiresBytes: number
}

export interface MemoryOverhead {
  readonly used: number
  readonly peak: number
  readonly peakPercent: number
  readonly overhead: number
  readonly dataset: number
  readonly datasetPercent: number
  readonly keys: number
  readonly bytesPerKey: number
  readonly databases: readonly DatabaseOverhead[]
  readonly backlog: number
  readonly clientsReplicas: number
  readonly clientsNormal: number
  readonly rss: number
  readonly allocated: number
  readonly active: number
}

export function memoryOverhead(host: Host): MemoryOverhead {
  const used = host.memoryUsed()
  const peak = Math.max(used, host.stats.peakMemoryBytes)
  const backlog = host.replication.memoryBytes - host.replication.replicaBufferBytes
  const clientsReplicas = host.replication.replicaBufferBytes
  const clientsNormal = clientBytes(host)
  const databases = databaseOverheads(host)
  let overhead = backlog + clientsReplicas + clientsNormal
  for (const database of databases) overhead += database.mainBytes + database.expiresBytes
  overhead = Math.min(overhead, used)
  const dataset = used - overhead
  const { keys } = host.store
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage()
  return {
    used,
    peak,
    peakPercent: ratio(used, peak) * 100,
    overhead,
    dataset,
    datasetPercent: ratio(dataset, used) * 100,
    keys,
    bytesPerKey: keys === 0 ? 0 : Math.floor(used / keys),
    databases,
    backlog,
    clientsReplicas,
    clientsNormal,
    rss,
    allocated: heapUsed + external,
    active: heapTotal + external,
  }
}

export function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

function databaseOverheads(host: Host): DatabaseOverhead[] {
  const overheads: DatabaseOverhead[] = []
  for (const keyspace of host.store.databases) {
    if (keyspace.size === 0) continue
    overheads.push({ id: keyspace.id, mainBytes: keyspace.index.bytes, expiresBytes: keyspace.expires.bytes })
  }
  return overheads
}

function clientBytes(host: Host): number {
  let bytes = 0
  for (const client of host.clients.all()) {
    if (client.replica !== null) continue
    bytes += clientMemory(client)
  }
  return bytes
}
