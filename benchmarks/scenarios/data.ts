/** Memory by number of keys; latency with many keys, at rest and during BGSAVE. */

import type { Effort } from '../run.ts'
import { type Latencies, loadKeys, paceWrites } from '../support/load.ts'
import type { Row } from '../support/report.ts'
import { Client, KINDS, type Kind, pause, startServer } from '../support/servers.ts'

export async function memoryAndLatency(effort: Effort): Promise<Row[]> {
  const steps = [100_000, 1_000_000, 2_000_000, 5_000_000].filter((keys) => keys <= effort.keys)
  const resident: Record<Kind, number[]> = { redis: [], tandem: [] }
  const rest = {} as Record<Kind, Latencies>
  const saving = {} as Record<Kind, Latencies>
  for (const kind of KINDS) {
    const server = await startServer(kind)
    let loaded = 0
    for (const keys of steps) {
      await loadKeys(server.port, loaded, keys, 64)
      loaded = keys
      await pause(1500)
      resident[kind].push(server.rss)
    }
    rest[kind] = await paceWrites(server.port, loaded, effort.milliseconds)
    const client = await Client.open(server.port)
    setTimeout(() => void client.ask('BGSAVE'), 300)
    saving[kind] = await paceWrites(server.port, loaded, effort.milliseconds)
    client.close()
    await server.stop()
  }
  const rows: Row[] = steps.map((keys, i) => ({
    scenario: `memory, ${keys.toLocaleString('en-US')} keys of 64 B`,
    unit: 'MB resident',
    redis: resident.redis[i]! / 1e6,
    tandem: resident.tandem[i]! / 1e6,
    higherIsBetter: false,
  }))
  const keys = steps.at(-1)!.toLocaleString('en-US')
  for (const [name, found] of [
    [`latency, ${keys} keys, at rest`, rest],
    [`latency, ${keys} keys, BGSAVE`, saving],
  ] as const) {
    for (const part of ['p50', 'p99', 'p999', 'max'] as const) {
      const { redis, tandem } = found
      rows.push({
        scenario: `${name}, ${part}`,
        unit: 'ms',
        redis: redis[part],
        tandem: tandem[part],
        higherIsBetter: false,
      })
    }
  }
  return rows
}
