/**
 * For how long clients cannot write: when the primary is killed and the same Sentinels promote a replica, and when it hands
 * over by FAILOVER. A program with ioredis counts up, and the longest time between two answers is the outage.
 */
import { Redis } from 'ioredis'
import type { Effort } from '../run.ts'
import { follow } from '../support/load.ts'
import { mean, median, type Row } from '../support/report.ts'
import { startSentinels } from '../support/sentinels.ts'
import { Client, KINDS, type Kind, pause, type Server, startServer } from '../support/servers.ts'

const REPLICAS = 2
const LONGEST_MS = 30_000
const PLANNED_A_ROUND = 3
/** Sentinels act by timers of 100 ms and ask once a second: a single outage is anywhere within 150 ms. */
const KILLS_A_ROUND = 3

interface Counting {
  /** Milliseconds of the longest outage that is over. */
  worst: number
  /** Writes answered. */
  done: number
  stop(): Promise<void>
}

/** Writes all the time; a write that fails is tried again after a moment, on whatever `open` gives then. */
function count(open: () => Redis): Counting {
  let going = true
  const counting: Counting = { worst: 0, done: 0, stop: async () => {} }
  const run = async () => {
    let redis = open()
    let wellAt = performance.now()
    while (going) {
      try {
        await redis.incr('counted')
        counting.worst = Math.max(counting.worst, performance.now() - wellAt)
        counting.done++
        wellAt = performance.now()
        await pause(1)
      } catch {
        redis.disconnect()
        await pause(5)
        redis = open()
      }
    }
    redis.disconnect()
  }
  const ended = run()
  counting.stop = async () => {
    going = false
    await ended
  }
  return counting
}

const QUICK = { retryStrategy: null, maxRetriesPerRequest: 0, connectTimeout: 1000 } as const

function quiet(redis: Redis): Redis {
  redis.on('error', () => {})
  return redis
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const end = performance.now() + LONGEST_MS
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`timed out waiting for ${what}`)
    await pause(20)
  }
}

async function group(kind: Kind): Promise<Server[]> {
  const servers: Server[] = []
  for (let i = 0; i <= REPLICAS; i++) servers.push(await startServer(kind))
  for (const replica of servers.slice(1)) await follow(replica.port, servers[0]!.port)
  return servers
}

async function killed(kind: Kind): Promise<number> {
  const servers = await group(kind)
  const sentinels = await startSentinels(servers[0]!.port, REPLICAS)
  const hosts = sentinels.ports.map((port) => ({ host: '127.0.0.1', port }))
  const counting = count(() =>
    quiet(new Redis({ ...QUICK, sentinels: hosts, name: 'main', sentinelRetryStrategy: () => 20 })),
  )
  await until('the first writes', () => counting.done > 50)
  await pause(500)
  counting.worst = 0
  const before = counting.done
  await servers[0]!.stop()
  await until('writes after the failover', () => counting.done > before + 50 && counting.worst > 100)
  await counting.stop()
  sentinels.stop()
  for (const server of servers.slice(1)) await server.stop()
  return counting.worst
}

async function planned(kind: Kind): Promise<number[]> {
  const servers = await group(kind)
  const outages: number[] = []
  let primary = 0
  const counting = count(() => quiet(new Redis({ ...QUICK, port: servers[primary]!.port, host: '127.0.0.1' })))
  await until('the first writes', () => counting.done > 50)
  for (let i = 0; i < PLANNED_A_ROUND; i++) {
    const old = await Client.open(servers[primary]!.port)
    counting.worst = 0
    const next = (primary + 1) % servers.length
    // As an application that is told of the change goes to the new one when the old one refuses.
    const answer = await old.ask('FAILOVER', 'TO', '127.0.0.1', servers[next]!.port)
    if (answer !== '+OK') throw new Error(`FAILOVER answered ${answer}`)
    primary = next
    const fresh = await Client.open(servers[next]!.port)
    while ((await fresh.info('replication', 'role')) !== 'master') await pause(2)
    const before = counting.done
    await until('writes after the hand-over', () => counting.done > before + 50)
    outages.push(counting.worst)
    // Those that stayed follow the new primary, for the next round.
    for (const server of servers) if (server !== servers[next]) await follow(server.port, servers[next]!.port)
    await pause(1500)
    old.close()
    fresh.close()
  }
  await counting.stop()
  for (const server of servers) await server.stop()
  return outages
}

export async function failover(effort: Effort): Promise<Row[]> {
  const kills: Record<Kind, number[]> = { redis: [], tandem: [] }
  const plans: Record<Kind, number[]> = { redis: [], tandem: [] }
  for (let round = 0; round < effort.rounds; round++) {
    for (let i = 0; i < KILLS_A_ROUND; i++) {
      for (const kind of i % 2 === 0 ? KINDS : KINDS.toReversed()) kills[kind].push(await killed(kind))
    }
    for (const kind of KINDS) plans[kind].push(...(await planned(kind)))
  }
  const row = (scenario: string, values: Record<Kind, number[]>, of: (values: number[]) => number): Row => ({
    scenario,
    unit: 'ms',
    redis: of(values.redis),
    tandem: of(values.tandem),
    higherIsBetter: false,
  })
  const worst = (values: number[]) => Math.max(...values)
  return [
    row('no writes: primary killed, Sentinels, mean', kills, mean),
    row('no writes: primary killed, Sentinels, worst', kills, worst),
    row('no writes: FAILOVER, median', plans, median),
    row('no writes: FAILOVER, worst', plans, worst),
  ]
}
