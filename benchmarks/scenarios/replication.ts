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
const WARM_UP_MS = 8000

/** Age of a heartbeat read at the replica under 20,000 writes a second: both roles by the same server; medians of the rounds. */
export async function lag(effort: Effort): Promise<Row[]> {
  const found: Record<Kind, Latencies[]> = { redis: [], tandem: [] }
  for (let round = 0; round < effort.rounds; round++) {
    for (const kind of KINDS) found[kind].push(await lagOf(kind, effort.milliseconds))
  }
  return (['p50', 'p99', 'max'] as const).map((part) => ({
    scenario: `lag at 20,000 writes/s, ${part}`,
    unit: 'ms',
    redis: median(found.redis.map((latencies) => latencies[part])),
    tandem: median(found.tandem.map((latencies) => latencies[part])),
    higherIsBetter: false,
  }))
}

async function lagOf(kind: Kind, milliseconds: number): Promise<Latencies> {
  const primary = await startServer(kind)
  const replica = await startServer(kind)
  await follow(replica.port, primary.port)
  const writer = await Client.open(primary.port)
  const reader = await Client.open(replica.port)
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
  const ages: number[] = []
  while (performance.now() - start < WARM_UP_MS + milliseconds) {
    const beat = Number(await reader.ask('GET', 'heartbeat'))
    ages.push(performance.now() - beat)
    await pause(1)
  }
  clearInterval(timer)
  writer.close()
  reader.close()
  await primary.stop()
  await replica.stop()
  return summary(ages)
}
