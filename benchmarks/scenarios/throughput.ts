/** Requests per second by redis-benchmark, with the backlog active, in turns. */

import type { Effort } from '../run.ts'
import { attachLightReplica, type BenchmarkOptions, redisBenchmark } from '../support/load.ts'
import { median, type Row } from '../support/report.ts'
import { KINDS, type Kind, startServer } from '../support/servers.ts'

interface Case extends BenchmarkOptions {
  name: string
}

function cases(effort: Effort): Case[] {
  const list: Case[] = []
  for (const pipeline of [1, 16, 100]) {
    for (const test of ['set', 'get', 'incr', 'mset'] as const) {
      const requests = (pipeline === 1 ? 200_000 : test === 'mset' ? 300_000 : 1_500_000) * effort.scale
      list.push({ name: `${test.toUpperCase()} pipeline ${pipeline}`, test, requests, pipeline })
    }
  }
  for (const [size, requests] of [
    [16, 150_000],
    [1024, 150_000],
    [65_536, 30_000],
    [1_048_576, 2500],
  ] as const) {
    for (const test of ['set', 'get'] as const) {
      list.push({ name: `${test.toUpperCase()} of ${size} B`, test, requests: requests * effort.scale, size })
    }
  }
  for (const test of ['set', 'get'] as const) {
    list.push({
      name: `${test.toUpperCase()} 1,000 connections`,
      test,
      requests: 200_000 * effort.scale,
      clients: 1000,
    })
  }
  return list.map((one) => ({ ...one, requests: Math.max(1000, Math.floor(one.requests)) }))
}

export async function throughput(effort: Effort): Promise<Row[]> {
  const rows: Row[] = []
  const servers = { redis: await startServer('redis'), tandem: await startServer('tandem') }
  // A replica that came and went leaves the backlog active.
  for (const kind of KINDS) (await attachLightReplica(servers[kind].port))()
  for (const { name, ...options } of cases(effort)) {
    const rates: Record<Kind, number[]> = { redis: [], tandem: [] }
    for (let round = 0; round < effort.rounds; round++) {
      for (const kind of KINDS) rates[kind].push(await redisBenchmark(servers[kind].port, options))
    }
    rows.push({
      scenario: name,
      unit: 'requests/s',
      redis: median(rates.redis),
      tandem: median(rates.tandem),
      higherIsBetter: true,
    })
  }
  for (const kind of KINDS) await servers[kind].stop()
  return rows
}

/** SET at pipeline 16 with replicas attached. */
export async function withReplicas(effort: Effort): Promise<Row[]> {
  const rows: Row[] = []
  for (const count of [0, 1, 4, 16]) {
    const rates: Record<Kind, number[]> = { redis: [], tandem: [] }
    const servers = { redis: await startServer('redis'), tandem: await startServer('tandem') }
    const detach: (() => void)[] = []
    for (const kind of KINDS) {
      for (let i = 0; i < count; i++) detach.push(await attachLightReplica(servers[kind].port))
    }
    const requests = Math.max(20_000, Math.floor(500_000 * effort.scale))
    for (let round = 0; round < effort.rounds; round++) {
      for (const kind of KINDS) {
        rates[kind].push(await redisBenchmark(servers[kind].port, { test: 'set', requests, pipeline: 16 }))
      }
    }
    for (const end of detach) end()
    for (const kind of KINDS) await servers[kind].stop()
    rows.push({
      scenario: `SET pipeline 16, ${count} replicas`,
      unit: 'requests/s',
      redis: median(rates.redis),
      tandem: median(rates.tandem),
      higherIsBetter: true,
    })
  }
  return rows
}
