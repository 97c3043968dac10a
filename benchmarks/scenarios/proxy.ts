/**
 * The proxy against going to its upstream directly (the column redis-server): with 20 ms between them (10 ms each way, by
 * a relay in this process), and without. The last row compares with Tandem as a server of its own.
 */
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net'
import type { Effort } from '../run.ts'
import { redisBenchmark } from '../support/load.ts'
import { median, type Row } from '../support/report.ts'
import { Client, pause, startServer } from '../support/servers.ts'

const ONE_WAY_MS = 10

/** Passes bytes on in both directions, each chunk later. */
async function startDelay(target: number): Promise<{ port: number; stop(): void }> {
  const sockets = new Set<Socket>()
  const pass = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.setNoDelay(true)
    from.on('data', (chunk) => setTimeout(() => to.write(chunk), ONE_WAY_MS))
    from.on('error', () => {})
    from.on('close', () => setTimeout(() => to.destroy(), ONE_WAY_MS))
  }
  const server: NetServer = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    pass(client, upstream)
    pass(upstream, client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stop = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port: (server.address() as { port: number }).port, stop }
}

async function startProxy(upstreamPort: number) {
  const proxy = await startServer('tandem', ['--proxy-upstream', `redis://127.0.0.1:${upstreamPort}`])
  const client = await Client.open(proxy.port)
  while ((await client.info('replication', 'master_link_status')) !== 'up') await pause(10)
  client.close()
  return proxy
}

export async function proxyScenario(effort: Effort): Promise<Row[]> {
  const rows: Row[] = []
  const rates = async (
    direct: () => Promise<number>,
    through: () => Promise<number>,
    scenario: string,
    unit = 'requests/s',
  ) => {
    const measured: [number[], number[]] = [[], []]
    for (let round = 0; round < effort.rounds; round++) {
      measured[0].push(await direct())
      measured[1].push(await through())
    }
    rows.push({ scenario, unit, redis: median(measured[0]), tandem: median(measured[1]), higherIsBetter: true })
  }
  const many = Math.max(20_000, Math.floor(500_000 * effort.scale))
  const redis = await startServer('redis')
  const delay = await startDelay(redis.port)
  const far = await startProxy(delay.port)
  const one = { clients: 1, pipeline: 1 }
  await redisBenchmark(far.port, { test: 'set', requests: 20_000, pipeline: 16 })
  await rates(
    () => redisBenchmark(delay.port, { ...one, test: 'get', requests: 150 }),
    () => redisBenchmark(far.port, { ...one, test: 'get', requests: Math.floor(many / 10) }),
    'proxy, 20 ms away: GET of one connection',
  )
  await rates(
    () => redisBenchmark(delay.port, { ...one, test: 'set', requests: 150 }),
    () => redisBenchmark(far.port, { ...one, test: 'set', requests: 150 }),
    'proxy, 20 ms away: SET of one connection',
  )
  await far.stop()
  delay.stop()
  const near = await startProxy(redis.port)
  for (const pipeline of [1, 16]) {
    await rates(
      () => redisBenchmark(redis.port, { test: 'set', requests: pipeline === 1 ? many / 5 : many, pipeline }),
      () => redisBenchmark(near.port, { test: 'set', requests: pipeline === 1 ? many / 5 : many, pipeline }),
      `proxy, no delay: SET pipeline ${pipeline}`,
    )
  }
  const own = await startServer('tandem')
  await redisBenchmark(own.port, { test: 'set', requests: many, pipeline: 16 })
  for (const pipeline of [1, 16]) {
    await rates(
      () => redisBenchmark(own.port, { test: 'get', requests: pipeline === 1 ? many / 5 : many, pipeline }),
      () => redisBenchmark(near.port, { test: 'get', requests: pipeline === 1 ? many / 5 : many, pipeline }),
      `proxy against Tandem itself: GET pipeline ${pipeline}`,
    )
  }
  await own.stop()
  await near.stop()
  await redis.stop()
  return rows
}
