/**
 * Reads from a copy inside the process, of keys in no order, while 50,000 writes a second come from its primary and are
 * applied; what redis-server has to set against it is a GET over loopback, as fast as one connection with a pipeline of 100
 * is answered, with nothing written.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Effort } from '../run.ts'
import { keyName, loadKeys, redisBenchmark } from '../support/load.ts'
import { median, type Row } from '../support/report.ts'
import { encode, startServer } from '../support/servers.ts'

const KEYS = 100_000
const READS_AT_ONCE = 20_000
const GETS = 2_000_000
const WRITES_A_SECOND = 50_000
/** Of one of them in the stream. */
const WRITE_BYTES = Buffer.byteLength(encode(['SET', keyName(0), 'y'.repeat(64)]))
const WRITER = fileURLToPath(new URL('../support/writer.ts', import.meta.url))

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
  const writer = spawn(process.execPath, [
    ...process.execArgv,
    WRITER,
    `${redis.port}`,
    `${KEYS}`,
    `${WRITES_A_SECOND}`,
  ])
  const rates: number[] = []
  const applied: number[] = []
  // The first is not counted: the writer starts, compilers settle.
  for (let round = -1; round < effort.rounds; round++) {
    const began = performance.now()
    const from = replica.offset
    let reads = 0
    let found = 0
    let busy = 0
    while (performance.now() - began < effort.milliseconds / 2) {
      const started = performance.now()
      for (let i = 0; i < READS_AT_ONCE; i++) if (replica.get(keys[(reads++ * 7919) % KEYS]!) !== null) found++
      busy += performance.now() - started
      // The link is read between the turns.
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (found !== reads) throw new Error(`${reads - found} of ${reads} keys were not found`)
    if (round < 0) continue
    rates.push((reads / busy) * 1000)
    applied.push((replica.offset - from) / WRITE_BYTES / ((performance.now() - began) / 1000))
  }
  writer.kill()
  await replica.caughtUp()
  await replica.close()
  await redis.stop()
  const row = { unit: 'requests/s', redis: piped, tandem: median(rates), higherIsBetter: true }
  const beside = `${Math.round(median(applied) / 1000)},000 writes/s applied`
  return [{ scenario: `GET from an embedded copy, ${beside}`, ...row }]
}
