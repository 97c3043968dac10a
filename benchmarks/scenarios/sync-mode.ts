/**
 * What it costs to wait for a replica: fifty clients, SET of 64 bytes, answered at once, and answered when a replica has it.
 * redis-server's way is WAIT 1 behind each SET; both have one redis-server as their replica. One round goes before those
 * that count, so that what is measured is compiled code and grown tables on both sides.
 */
import { connect } from 'node:net'
import type { Effort } from '../run.ts'
import { follow } from '../support/load.ts'
import { median, type Row } from '../support/report.ts'
import { encode, KINDS, startServer } from '../support/servers.ts'

const CLIENTS = 50
const REQUESTS = 200_000
const VALUE = 'x'.repeat(64)

/** Each client sends its request when the last was answered. `lines` a request gets; gives requests a second. */
function closedLoop(port: number, request: (n: number) => string, lines: number, total: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = performance.now()
    let sent = 0
    let done = 0
    for (let i = 0; i < CLIENTS; i++) {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      let left = 0
      const next = () => {
        if (sent >= total) {
          socket.end()
          return
        }
        left = lines
        socket.write(request(sent++), 'latin1')
      }
      socket.on('connect', next)
      socket.on('error', reject)
      socket.on('data', (chunk) => {
        for (const byte of chunk) {
          if (byte === 45) return reject(new Error(chunk.toString('latin1')))
          if (byte === 10) left--
        }
        if (left > 0) return
        if (++done === total) resolve((total / (performance.now() - started)) * 1000)
        next()
      })
    }
  })
}

export async function syncMode(effort: Effort): Promise<Row[]> {
  const servers = new Map<string, { port: number }>()
  const all = []
  for (const kind of KINDS) {
    const primary = await startServer(kind, ['--repl-diskless-sync-delay', '0'])
    const replica = await startServer('redis')
    await follow(replica.port, primary.port)
    servers.set(kind, primary)
    all.push(primary, replica)
  }
  const synced = await startServer('tandem', ['--repl-diskless-sync-delay', '0', '--sync-timeout', '10000'])
  const replica = await startServer('redis')
  await follow(replica.port, synced.port)
  await closedLoop(synced.port, () => encode(['CONFIG', 'SET', 'sync-replicas', '1']), 1, CLIENTS)
  all.push(synced, replica)
  const set = (n: number) => encode(['SET', `key:${n % 10_000}`, VALUE])
  const setAndWait = (n: number) => set(n) + encode(['WAIT', '1', '10000'])
  const total = REQUESTS * effort.scale
  const rates: Record<'async' | 'redisAsync' | 'sync' | 'wait', number[]> = {
    async: [],
    redisAsync: [],
    sync: [],
    wait: [],
  }
  for (let round = 0; round <= effort.rounds; round++) {
    const redisAsync = await closedLoop(servers.get('redis')!.port, set, 1, total)
    const async = await closedLoop(servers.get('tandem')!.port, set, 1, total)
    const wait = await closedLoop(servers.get('redis')!.port, setAndWait, 2, total / 2)
    const sync = await closedLoop(synced.port, set, 1, total / 2)
    if (round === 0) continue
    rates.redisAsync.push(redisAsync)
    rates.async.push(async)
    rates.wait.push(wait)
    rates.sync.push(sync)
  }
  for (const server of all) await server.stop()
  const unit = 'requests/s'
  return [
    {
      scenario: 'SET, 50 clients, one replica, not waited for',
      unit,
      redis: median(rates.redisAsync),
      tandem: median(rates.async),
      higherIsBetter: true,
    },
    {
      scenario: 'SET, 50 clients, one replica has it (WAIT 1; sync-replicas 1)',
      unit,
      redis: median(rates.wait),
      tandem: median(rates.sync),
      higherIsBetter: true,
    },
  ]
}
