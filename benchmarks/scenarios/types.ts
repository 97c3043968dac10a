/** Requests per second of the other data types and of scripts, by redis-benchmark, in turns. */
import type { Effort } from '../run.ts'
import { attachLightReplica, redisBenchmark } from '../support/load.ts'
import { median, type Row } from '../support/report.ts'
import { Client, KINDS, type Kind, startServer } from '../support/servers.ts'

interface Case {
  name: string
  /** Sent before each round. */
  prepare?: string[][]
  command: string[]
  /** Part of the usual number of requests. */
  weight?: number
}

const FIELD = 'field:__rand_int__'
const HUNDRED = Array.from({ length: 100 }, (_, i) => String(i))

const TYPES: readonly Case[] = [
  { name: 'LPUSH', prepare: [['DEL', 'list']], command: ['LPUSH', 'list', 'element'] },
  {
    name: 'LRANGE_100',
    prepare: [
      ['DEL', 'list'],
      ['RPUSH', 'list', ...HUNDRED],
    ],
    command: ['LRANGE', 'list', '0', '99'],
    weight: 0.1,
  },
  { name: 'SADD', prepare: [['DEL', 'set']], command: ['SADD', 'set', FIELD] },
  { name: 'SPOP', command: ['SPOP', 'set'] },
  { name: 'HSET', prepare: [['DEL', 'hash']], command: ['HSET', 'hash', FIELD, 'value'] },
  { name: 'HGET', command: ['HGET', 'hash', FIELD] },
  { name: 'HSET small hashes', command: ['HSET', 'hash:__rand_int__', 'name', 'value', 'other', '1'] },
  { name: 'ZADD', prepare: [['DEL', 'zset']], command: ['ZADD', 'zset', '__rand_int__', FIELD], weight: 0.5 },
  { name: 'ZRANGE of 10', command: ['ZRANGE', 'zset', '0', '9'], weight: 0.5 },
  { name: 'SET with EX', command: ['SET', 'key:__rand_int__', 'value', 'EX', '1000'] },
  {
    name: 'XADD',
    prepare: [
      ['DEL', 'stream'],
      ['XGROUP', 'CREATE', 'stream', 'group', '0', 'MKSTREAM'],
    ],
    command: ['XADD', 'stream', '*', 'field', 'value'],
    weight: 0.5,
  },
  {
    name: 'XREADGROUP',
    command: ['XREADGROUP', 'GROUP', 'group', 'me', 'COUNT', '1', 'STREAMS', 'stream', '>'],
    weight: 0.25,
  },
]

const CALLS = "for i = 1, 10 do redis.call('incr', KEYS[1]) end return 1"

const SCRIPTS: readonly Case[] = [
  {
    name: 'EVAL of one SET',
    command: ['EVAL', "return redis.call('set', KEYS[1], ARGV[1])", '1', 'key:__rand_int__', 'value'],
    weight: 0.2,
  },
  { name: 'EVAL of ten INCR', command: ['EVAL', CALLS, '1', 'counter'], weight: 0.1 },
]

async function measure(cases: readonly Case[], effort: Effort): Promise<Row[]> {
  const rows: Row[] = []
  for (const pipeline of [1, 16]) {
    const servers = { redis: await startServer('redis'), tandem: await startServer('tandem') }
    // A replica that came and went leaves the backlog active.
    for (const kind of KINDS) (await attachLightReplica(servers[kind].port))()
    for (const { name, prepare = [], command, weight = 1 } of cases) {
      const rates: Record<Kind, number[]> = { redis: [], tandem: [] }
      const requests = Math.max(2000, Math.floor((pipeline === 1 ? 100_000 : 500_000) * weight * effort.scale))
      for (let round = 0; round < effort.rounds; round++) {
        for (const kind of KINDS) {
          const client = await Client.open(servers[kind].port)
          for (const one of prepare) await client.ask(...one)
          client.close()
          rates[kind].push(await redisBenchmark(servers[kind].port, { command, requests, pipeline }))
        }
      }
      const [redis, tandem] = [median(rates.redis), median(rates.tandem)]
      rows.push({ scenario: `${name} pipeline ${pipeline}`, unit: 'requests/s', redis, tandem, higherIsBetter: true })
    }
    for (const kind of KINDS) await servers[kind].stop()
  }
  return rows
}

export function types(effort: Effort): Promise<Row[]> {
  return measure(TYPES, effort)
}

export function scripts(effort: Effort): Promise<Row[]> {
  return measure(SCRIPTS, effort)
}
