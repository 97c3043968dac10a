/** MEMORY: what a key takes, what all of it takes, and advice. The figures are those of memory-overhead.ts. */
import { getHeapStatistics } from 'node:v8'
import { MAX_KEY_IN_RECORD } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { replyHelp } from '../help.ts'
import type { Host } from '../host.ts'
import { humanBytes } from './info-fields.ts'
import { memoryOverhead, ratio } from './memory-overhead.ts'

const HELP = [
  'DOCTOR',
  '    Return memory problems reports.',
  'MALLOC-STATS',
  '    Return internal statistics report from the memory allocator.',
  'PURGE',
  '    Attempt to purge dirty pages for reclamation by the allocator.',
  'STATS',
  '    Return information about the memory usage of the server.',
  'USAGE <key> [SAMPLES <count>]',
  '    Return memory in bytes used by <key> and its value. Nested values are',
  '    sampled up to <count> times (default: 5, 0 means sample all).',
]

/** A key past its time counts too. The size is kept exactly, so SAMPLES is checked and not needed. */
function runUsage(call: Call): void {
  const { args, db, reply, store } = call
  for (let i = 3; i < args.argc; i += 2) {
    if (!args.is(i, 'SAMPLES') || i + 1 === args.argc) {
      call.syntaxError()
      return
    }
    const samples = call.integer(i + 1)
    if (samples === undefined) return
    if (samples < 0) {
      call.syntaxError()
      return
    }
  }
  const ref = db.findKey(args.view(2))
  if (ref === 0) {
    reply.nullBulk()
    return
  }
  store.readKey(ref)
  const longKeyBytes = store.keyEnd - store.keyStart > MAX_KEY_IN_RECORD ? store.keyEnd - store.keyStart : 0
  reply.integer(db.recordMemory(ref) + longKeyBytes + store.externalBytes(ref))
}

/** redis 7.0.15 object.c memoryCommand */
function runStats(call: Call): void {
  const { reply } = call
  const memory = memoryOverhead(call.host)
  const { rss, allocated, active } = memory
  const integer = (name: string, value: number): void => {
    reply.bulkString(name)
    reply.integer(value)
  }
  const double = (name: string, value: number): void => {
    reply.bulkString(name)
    reply.double(value)
  }
  reply.map(27 + memory.databases.length)
  integer('peak.allocated', memory.peak)
  integer('total.allocated', memory.used)
  integer('startup.allocated', 0)
  integer('replication.backlog', memory.backlog)
  integer('clients.slaves', memory.clientsReplicas)
  integer('clients.normal', memory.clientsNormal)
  for (const name of ['cluster.links', 'aof.buffer', 'lua.caches', 'functions.caches']) integer(name, 0)
  for (const { id, mainBytes, expiresBytes } of memory.databases) {
    reply.bulkString(`db.${id}`)
    reply.map(3)
    integer('overhead.hashtable.main', mainBytes)
    integer('overhead.hashtable.expires', expiresBytes)
    integer('overhead.hashtable.slot-to-keys', 0)
  }
  integer('overhead.total', memory.overhead)
  integer('keys.count', memory.keys)
  integer('keys.bytes-per-key', memory.bytesPerKey)
  integer('dataset.bytes', memory.dataset)
  double('dataset.percentage', memory.datasetPercent)
  double('peak.percentage', memory.peakPercent)
  integer('allocator.allocated', allocated)
  integer('allocator.active', active)
  integer('allocator.resident', rss)
  double('allocator-fragmentation.ratio', ratio(active, allocated))
  integer('allocator-fragmentation.bytes', active - allocated)
  double('allocator-rss.ratio', ratio(rss, active))
  integer('allocator-rss.bytes', rss - active)
  double('rss-overhead.ratio', 1)
  integer('rss-overhead.bytes', 0)
  double('fragmentation', ratio(rss, allocated))
  integer('fragmentation.bytes', rss - allocated)
}

const MEGABYTE = 1024 * 1024

/** The thresholds are those of redis 7.0.15 object.c getMemoryDoctorReport. */
function doctorReport(host: Host): string {
  const memory = memoryOverhead(host)
  if (memory.used < 5 * MEGABYTE) {
    return (
      'Hi Sam, this instance is empty or is using very little memory, my issues detector ' +
      "can't be used in these conditions. Please, leave for your mission on Earth and fill it with some data. " +
      'The new Sam and I will be back to our programming as soon as I finished rebooting.\n'
    )
  }
  const issues: string[] = []
  if (memory.peak / memory.used > 1.5) {
    issues.push(
      'Peak memory: this instance used more than 150% of what it uses now. Its pages are given back as they empty; MEMORY PURGE does so at once.',
    )
  }
  const waste = memory.rss - memory.allocated
  if (memory.rss / memory.allocated > 1.4 && waste > 10 * MEGABYTE) {
    issues.push(
      `High fragmentation: the process holds ${humanBytes(waste)} more than it has allocated. After a peak this is harmless.`,
    )
  }
  const clients = Math.max(1, host.clients.count - host.replication.replicas.length)
  if (memory.clientsNormal / clients > 200 * 1024) {
    issues.push('Big client buffers: more than 200K per client on average. CLIENT LIST shows whose they are.')
  }
  if (memory.clientsReplicas > 10 * MEGABYTE) {
    issues.push('Big replica buffers: more than 10 MB wait to be sent. INFO replication shows which replica is behind.')
  }
  if (issues.length === 0) {
    return "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
  }
  const list = issues.map((issue) => ` * ${issue}\n\n`).join('')
  return `Sam, I detected a few issues in this Redis instance memory implants:\n\n${list}I'm here to keep you safe, Sam. I want to help you.\n`
}

function mallocStats(host: Host): string {
  const { slab } = host.store
  const heap = getHeapStatistics()
  return (
    `records: ${slab.chunks}, ${slab.usedBytes} bytes used, ${slab.pageBytes} in pages, ${slab.reservedBytes} reserved\n` +
    `data set: ${host.store.dataBytes} bytes\n` +
    `JavaScript heap: ${heap.used_heap_size} bytes used, ${heap.total_heap_size} held, limit ${heap.heap_size_limit}\n` +
    `outside the heap: ${heap.external_memory} bytes, ${heap.malloced_memory} by the runtime itself\n`
  )
}

const PURGE_RECORDS = 1_000_000

/** Empties sparse pages now instead of little by little. */
function runPurge(call: Call): void {
  if (call.store.walk === null) call.store.compact(PURGE_RECORDS)
  call.reply.ok()
}

export const memory = command({
  name: 'memory',
  arity: -2,
  since: '4.0.0',
  summary: 'A container for memory diagnostics commands',
  complexity: 'Depends on subcommand.',
  subcommands: [
    {
      name: 'doctor',
      arity: 2,
      since: '4.0.0',
      summary: 'Outputs memory problems report',
      complexity: 'O(1)',
      hints: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
      run: (call) => call.reply.verbatim(doctorReport(call.host)),
    },
    {
      name: 'help',
      arity: 2,
      since: '4.0.0',
      summary: 'Show helpful text about the different subcommands',
      complexity: 'O(1)',
      flags: ['loading', 'stale'],
      run: (call) => replyHelp(call, HELP),
    },
    {
      name: 'malloc-stats',
      differs: 'there is no jemalloc to ask',
      arity: 2,
      since: '4.0.0',
      summary: 'Show allocator internal stats',
      complexity: 'Depends on how much memory is allocated, could be slow',
      hints: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
      run: (call) => call.reply.verbatim(mallocStats(call.host)),
    },
    {
      name: 'purge',
      differs: 'nothing to do: free slab pages are given back all the time',
      arity: 2,
      since: '4.0.0',
      summary: 'Ask the allocator to release memory',
      complexity: 'Depends on how much memory is allocated, could be slow',
      hints: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      run: runPurge,
    },
    {
      name: 'stats',
      arity: 2,
      since: '4.0.0',
      summary: 'Show memory usage details',
      complexity: 'O(1)',
      hints: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
      run: runStats,
    },
    {
      name: 'usage',
      arity: -3,
      since: '4.0.0',
      summary: 'Estimate the memory usage of a key',
      complexity: 'O(N) where N is the number of samples.',
      flags: ['readonly'],
      keys: [key(2, 'RO')],
      args: [arg.key(), arg.integer('count', { token: 'SAMPLES', optional: true })],
      run: runUsage,
    },
  ],
})
