/**
 * Reads from a copy inside the process, of keys in no order, while 50,000 writes a second come from its primary and are
 * applied: once by names that the program has, once by names that it makes for each read. A row counts the reads of a second
 * in which both was done, the next one those of a second of reading. What redis-server has to set against it is a GET over
 * loopback, as fast as one connection with a pipeline of 100 is answered, with nothing written.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Replica } from '../../src/index.ts'
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
  // As names come out of a request or a file: text that was concatenated takes another step to be read.
  const keys = JSON.parse(JSON.stringify(Array.from({ length: KEYS }, (_, i) => keyName(i)))) as string[]
  const writer = spawn(process.execPath, [
    ...process.execArgv,
    WRITER,
    `${redis.port}`,
    `${KEYS}`,
    `${WRITES_A_SECOND}`,
  ])
  const row = (what: string, writes: number, rate: number): Row => ({
    scenario: `GET from an embedded copy, ${what}, ${Math.round(writes / 1000)},000 writes/s applied`,
    unit: 'requests/s',
    redis: piped,
    tandem: rate,
    higherIsBetter: true,
  })
  const rows: Row[] = []
  for (const [what, nameOf] of [
    ['names at hand', (i: number) => keys[i]!],
    ['names made anew', (i: number) => keyName(i)],
  ] as const) {
    const rates: number[] = []
    const readingRates: number[] = []
    const applied: number[] = []
    // The first is not counted: the writer starts, compilers settle.
    for (let round = -1; round < effort.rounds; round++) {
      const found = await readFor(replica, effort.milliseconds / 2, nameOf)
      if (round < 0) continue
      rates.push(found.reads / found.seconds)
      readingRates.push(found.reads / found.readingSeconds)
      applied.push(found.writes / found.seconds)
    }
    rows.push(row(what, median(applied), median(rates)))
    rows.push(row(`${what} (a second of reading)`, median(applied), median(readingRates)))
  }
  writer.kill()
  await replica.caughtUp()
  await replica.close()
  await redis.stop()
  return rows
}

/** Reads all keys in turns, between which the link is read. */
async function readFor(replica: Replica, milliseconds: number, nameOf: (i: number) => string) {
  const began = performance.now()
  const from = replica.offset
  let reads = 0
  let found = 0
  let reading = 0
  while (performance.now() - began < milliseconds) {
    const started = performance.now()
    for (let i = 0; i < READS_AT_ONCE; i++) if (replica.get(nameOf((reads++ * 7919) % KEYS)) !== null) found++
    reading += performance.now() - started
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (found !== reads) throw new Error(`${reads - found} of ${reads} keys were not found`)
  const writes = (replica.offset - from) / WRITE_BYTES
  return { reads, writes, seconds: (performance.now() - began) / 1000, readingSeconds: reading / 1000 }
}
