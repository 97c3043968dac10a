/** Full sync to a real replica, and the rate at which a replica applies. */

import type { Effort } from '../run.ts'
import { caughtUp, follow, type Latencies, loadKeys, paceWrites, redisBenchmark } from '../support/load.ts'
import type { Row } from '../support/report.ts'
import { Client, KINDS, type Kind, pause, startServer } from '../support/servers.ts'

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
