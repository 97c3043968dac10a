/**
 * The lag under a steady load: the age of a heartbeat, read at a replica while its primary takes 20,000 writes a second. Four
 * pairs of a primary and a replica, of each kind, are started and warmed up; then one after the other has the load, for a second
 * each time. What the machine does besides (other guests, which take whole milliseconds of both cores) is so in all of them
 * alike: pairs measured one after another for ten seconds each differ by more from themselves than from each other.
 */

import type { Effort } from '../run.ts'
import { follow, type Latencies, summary } from '../support/load.ts'
import type { Row } from '../support/report.ts'
import { Client, encode, KINDS, type Kind, pause, type Server, startServer } from '../support/servers.ts'

const WRITES_PER_MS = 20
/** Of servers that have just been started: compilers settle, tables grow. */
const WARM_UP_MS = 20_000
const TURN_MS = 1000
/** From the start of a turn: the sockets' windows and the caches are another pair's. */
const SETTLE_MS = 100
/** A p99 needs thousands of samples: each turn gives about 550. */
const TURNS_OF_A_ROUND = 20

interface Pair {
  primary: Kind
  replica: Kind
  servers: Server[]
  writer: Client
  reader: Client
  /** Writes so far. */
  writes: number
  ages: number[]
}

export async function lag(effort: Effort): Promise<Row[]> {
  const quick = effort.scale < 1
  const pairs: Pair[] = []
  for (const primary of KINDS) for (const replica of KINDS) pairs.push(await start(primary, replica))
  for (const pair of pairs) await load(pair, quick ? TURN_MS : WARM_UP_MS, async () => {})
  const turns = quick ? 2 : effort.rounds * TURNS_OF_A_ROUND
  for (let turn = 0; turn < turns; turn++) {
    // Who comes first, and after whom, changes.
    for (const pair of turn % 2 === 0 ? pairs : pairs.toReversed())
      await load(pair, TURN_MS, (until) => sample(pair, until))
  }
  for (const pair of pairs) {
    pair.writer.close()
    pair.reader.close()
    for (const server of pair.servers) await server.stop()
  }
  const of = (primary: Kind, replica: Kind): Latencies =>
    summary(pairs.find((pair) => pair.primary === primary && pair.replica === replica)!.ages)
  return [
    ...rows('lag at 20,000 writes/s', of('redis', 'redis'), of('tandem', 'tandem')),
    ...rows('lag behind a redis-server', of('redis', 'redis'), of('redis', 'tandem')),
    ...rows('lag behind a Tandem', of('tandem', 'redis'), of('tandem', 'tandem')),
  ]
}

function rows(scenario: string, redis: Latencies, tandem: Latencies): Row[] {
  return (['p50', 'p99', 'max'] as const).map((part) => ({
    scenario: `${scenario}, ${part}`,
    unit: 'ms',
    redis: redis[part],
    tandem: tandem[part],
    higherIsBetter: false,
  }))
}

async function start(primaryKind: Kind, replicaKind: Kind): Promise<Pair> {
  const primary = await startServer(primaryKind, ['--repl-diskless-sync-delay', '0'])
  const replica = await startServer(replicaKind)
  await follow(replica.port, primary.port)
  const writer = await Client.open(primary.port)
  writer.socket.removeAllListeners('data')
  writer.socket.resume()
  const reader = await Client.open(replica.port)
  return {
    primary: primaryKind,
    replica: replicaKind,
    servers: [primary, replica],
    writer,
    reader,
    writes: 0,
    ages: [],
  }
}

/** Writes to the pair for `milliseconds`, with a heartbeat every millisecond; `during` gets the time at which that ends. */
async function load(pair: Pair, milliseconds: number, during: (until: number) => Promise<void>): Promise<void> {
  const begin = performance.now()
  const first = pair.writes
  const timer = setInterval(() => {
    const due = first + (performance.now() - begin) * WRITES_PER_MS
    let text = ''
    for (; pair.writes < due; pair.writes++) {
      text += encode(['SET', `key:${pair.writes % 100_000}`, 'x'.repeat(64)])
    }
    pair.writer.socket.write(text + encode(['SET', 'heartbeat', String(performance.now())]))
  }, 1)
  await pause(SETTLE_MS)
  await during(begin + milliseconds)
  await pause(Math.max(0, begin + milliseconds - performance.now()))
  clearInterval(timer)
}

async function sample({ reader, ages }: Pair, until: number): Promise<void> {
  while (performance.now() < until) {
    const beat = Number(await reader.ask('GET', 'heartbeat'))
    ages.push(performance.now() - beat)
    await pause(1)
  }
}
