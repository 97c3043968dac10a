/**
 * Reads from a copy inside the process, while its primary is written to as fast as one connection can (which the scenario's
 * name tells) and all of that is applied; what redis-server has to set against it is a GET over loopback, as fast as one
 * connection with a pipeline of 100 is answered.
 */
import type { Effort } from '../run.ts'
import { keyName, loadKeys, redisBenchmark } from '../support/load.ts'
import { median, type Row } from '../support/report.ts'
import { startServer } from '../support/servers.ts'

const KEYS = 100_000
const READS_AT_ONCE = 20_000
const GETS = 2_000_000
const SETS = 400_000

export async function embedded(effort: Effort): Promise<Row[]> {
  // What is built is measured, not what the type check sees.
  const library = new URL('../../dist/index.js', import.meta.url).href
  const { createReplica } = (await import(library)) as typeof import('../../src/index.ts')
  const redis = await startServer('redis', ['--repl-diskless-sync-delay', '0'])
  await loadKeys(redis.port, 0, KEYS, 64)
  const piped = await redisBenchmark(redis.port, {
    test: 'get',
    requests: GETS * effort.scale,
    pipeline: 100,
    clients: 1,
  })
  const replica = await createReplica({ from: `redis://127.0.0.1:${redis.port}` })
  const keys = Array.from({ length: KEYS }, (_, i) => keyName(i))
  const rates: number[] = []
  const written: number[] = []
  for (let round = 0; round < effort.rounds; round++) {
    let writing = true
    const load = { test: 'set', requests: SETS * effort.scale, pipeline: 8, clients: 1 } as const
    const writes = redisBenchmark(redis.port, load).finally(() => {
      writing = false
    })
    let reads = 0
    let found = 0
    let busy = 0
    while (writing) {
      const started = performance.now()
      for (let i = 0; i < READS_AT_ONCE; i++) if (replica.get(keys[(reads++ * 7919) % KEYS]!) !== null) found++
      busy += performance.now() - started
      // The link is read between the turns.
      await new Promise((resolve) => setImmediate(resolve))
    }
    written.push(await writes)
    if (found !== reads) throw new Error(`${reads - found} of ${reads} keys were not found`)
    rates.push((reads / busy) * 1000)
  }
  await replica.caughtUp()
  await replica.close()
  await redis.stop()
  const row = { unit: 'requests/s', redis: piped, tandem: median(rates), higherIsBetter: true }
  const beside = `${Math.round(median(written) / 1000)},000 writes/s applied`
  return [{ scenario: `GET from an embedded copy, ${beside}`, ...row }]
}
