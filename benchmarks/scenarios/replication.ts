/** Full sync to a real replica, the rate at which a replica applies, the lag under a steady load. */

import type { Effort } from '../run.ts'
import { caughtUp, follow, type Latencies, loadKeys, paceWrites, redisBenchmark, summary } from '../support/load.ts'
import { median, type Row } from '../support/report.ts'
import { Client, encode, KINDS, type Kind, pause, startServer } from '../support/servers.ts'

/** Either server as the primary; the replica is redis-server both times. */
export async function fullSync(effort: Effort): Promise<Row[]> {
  const time = {} as Record<Kind, number>
  const stall = {} as Record<Kind, Latencies>
  const extra = {} as Record<Kind, number>
  for (const kind of KINDS) {
    const primary = await startServer(kind)
    const replica = await startServer('redis')
    await loadKeys(primary.port, 0, effort.keys, 64)
    await pause(1000)
    const before = primary.rss
    let peak = before
    const watch = setInterval(() => {
      peak = Math.max(peak, primary.rss)
    }, 50)
    const pacing = paceWrites(primary.port, effort.keys, effort.milliseconds * 2)
    await pause(300)
    time[kind] = await follow(replica.port, primary.port)
    stall[kind] = await pacing
    clearInterval(watch)
    extra[kind] = (peak - before) / 1e6
    await primary.stop()
    await replica.stop()
  }
  const keys = effort.keys.toLocaleString('en-US')
  const row = (what: string, unit: string, redis: number, tandem: number): Row => ({
    scenario: `full sync of ${keys} keys, ${what}`,
    unit,
    redis,
    tandem,
    higherIsBetter: false,
  })
  return [
    row('time', 'ms', time.redis, time.tandem),
    row('p99.9 of clients', 'ms', stall.redis.p999, stall.tandem.p999),
    row('worst stall', 'ms', stall.redis.max, stall.tandem.max),
    row('extra memory', 'MB', Math.max(0.1, extra.redis), Math.max(0.1, extra.tandem)),
  ]
}

/** Either server as the replica of a redis-server that is written to while the link is down. */
export async function applyRate(effort: Effort): Promise<Row[]> {
  const rate = {} as Record<Kind, number>
  const requests = Math.max(50_000, Math.floor(2_000_000 * effort.scale))
  for (const kind of KINDS) {
    const primary = await startServer('redis', [
      '--repl-backlog-size',
      '1gb',
      '--client-output-buffer-limit',
      'replica 0 0 0',
    ])
    const replica = await startServer(kind)
    await follow(replica.port, primary.port)
    const client = await Client.open(replica.port)
    // The replica looks away while the primary is written to, then has all of it to apply at once.
    const asleep = client.ask('DEBUG', 'SLEEP', '6')
    await redisBenchmark(primary.port, { test: 'set', requests, pipeline: 100 })
    await asleep
    const milliseconds = await caughtUp(replica.port, primary.port)
    rate[kind] = requests / (milliseconds / 1000)
    client.close()
    await primary.stop()
    await replica.stop()
  }
  return [
    {
      scenario: 'applying as a replica',
      unit: 'writes/s',
      redis: rate.redis,
      tandem: rate.tandem,
      higherIsBetter: true,
    },
  ]
}

/** Of servers that have just been started: compilers settle, tables grow. */
const WARM_UP_MS = 20_000

/**
 * Age of a heartbeat, read at replicas under 20,000 writes a second. Of groups of one kind of server, in turns; and of one
 * primary with a replica of each kind, of which the same heartbeats are read alternately. Medians of the rounds.
 */
export async function lag(effort: Effort): Promise<Row[]> {
  const alone: Record<Kind, Latencies[]> = { redis: [], tandem: [] }
  const together: Record<Kind, Record<Kind, Latencies>[]> = { redis: [], tandem: [] }
  for (let round = 0; round < effort.rounds; round++) {
    for (const kind of KINDS) alone[kind].push((await lagOf(kind, [kind], effort.milliseconds))[kind])
    // Who is fed first changes with the rounds.
    const replicas = round % 2 === 0 ? KINDS : KINDS.toReversed()
    for (const kind of KINDS) together[kind].push(await lagOf(kind, replicas, effort.milliseconds))
  }
  const rows: Row[] = []
  const add = (scenario: string, redis: Latencies[], tandem: Latencies[]) => {
    for (const part of ['p50', 'p99', 'max'] as const) {
      const of = (latencies: Latencies[]) => median(latencies.map((one) => one[part]))
      rows.push({
        scenario: `${scenario}, ${part}`,
        unit: 'ms',
        redis: of(redis),
        tandem: of(tandem),
        higherIsBetter: false,
      })
    }
  }
  add('lag at 20,000 writes/s', alone.redis, alone.tandem)
  for (const kind of KINDS) {
    const of = (replica: Kind) => together[kind].map((round) => round[replica])
    add(`lag of replicas of one ${kind === 'redis' ? 'redis-server' : 'Tandem'}`, of('redis'), of('tandem'))
  }
  return rows
}

async function lagOf(
  kind: Kind,
  replicaKinds: readonly Kind[],
  milliseconds: number,
): Promise<Record<Kind, Latencies>> {
  const primary = await startServer(kind, ['--repl-diskless-sync-delay', '0'])
  const servers = [primary]
  const readers: { kind: Kind; client: Client; ages: number[] }[] = []
  for (const replicaKind of replicaKinds) {
    const replica = await startServer(replicaKind)
    servers.push(replica)
    await follow(replica.port, primary.port)
    readers.push({ kind: replicaKind, client: await Client.open(replica.port), ages: [] })
  }
  const writer = await Client.open(primary.port)
  writer.socket.removeAllListeners('data')
  writer.socket.resume()
  let n = 0
  const start = performance.now()
  const timer = setInterval(() => {
    const due = (performance.now() - start) * 20
    let text = ''
    for (; n < due; n++) text += encode(['SET', `key:${n % 100_000}`, 'x'.repeat(64)])
    writer.socket.write(text + encode(['SET', 'heartbeat', String(performance.now())]))
  }, 1)
  await pause(WARM_UP_MS)
  while (performance.now() - start < WARM_UP_MS + milliseconds) {
    for (const { client, ages } of readers) {
      const beat = Number(await client.ask('GET', 'heartbeat'))
      ages.push(performance.now() - beat)
      await pause(1)
    }
  }
  clearInterval(timer)
  writer.close()
  const found = {} as Record<Kind, Latencies>
  for (const { kind: replicaKind, client, ages } of readers) {
    client.close()
    found[replicaKind] = summary(ages)
  }
  for (const server of servers) await server.stop()
  return found
}
