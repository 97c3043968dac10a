/** A proxy in front of a redis-server, with a relay between them. */
import type { Cleanup } from './cleanup.ts'
import { type RedisPeer, startRedis } from './redis.ts'
import { type Relay, startRelay } from './relay.ts'
import { field, linkUp } from './replicas.ts'
import { startTandem, type TandemPeer } from './tandem.ts'
import { waitUntil } from './wait-until.ts'
import { type Argument, connect, connectFor, type Wire } from './wire.ts'

export interface Proxied {
  readonly redis: RedisPeer
  readonly relay: Relay
  readonly tandem: TandemPeer
}

/** `args` are the proxy's; its copy is complete. */
export async function startProxy(t: Cleanup, args: string[] = [], upstreamArgs: string[] = []): Promise<Proxied> {
  const redis = await startRedis(t, { args: ['--repl-backlog-size', '64mb', ...upstreamArgs] })
  const relay = await startRelay(t, redis.port)
  const tandem = await startTandem(t, { args: ['--proxy-upstream', `redis://127.0.0.1:${relay.port}`, ...args] })
  await ready(tandem)
  return { redis, relay, tandem }
}

export async function ready(tandem: TandemPeer): Promise<void> {
  const wire = await connect(tandem.port)
  await linkUp(wire)
  await wire.close()
}

export async function proxyField(wire: Wire, name: string): Promise<string> {
  return field(wire, 'proxy', `proxy_${name}`)
}

export async function counts(wire: Wire): Promise<{ local: number; reads: number; writes: number }> {
  const [local, reads, writes] = await Promise.all([
    proxyField(wire, 'reads_local'),
    proxyField(wire, 'reads_upstream'),
    proxyField(wire, 'writes_upstream'),
  ])
  return { local: Number(local), reads: Number(reads), writes: Number(writes) }
}

/** Where a read was answered. `other` is another connection, which counts. */
export async function place(proxy: Wire, other: Wire, ...read: [string, ...Argument[]]): Promise<string> {
  const before = await counts(other)
  await proxy.must(...read)
  const after = await counts(other)
  if (after.local > before.local) return 'here'
  return after.reads > before.reads ? 'upstream' : 'near'
}

/** A connection to the upstream and one to the proxy. */
export async function ends(t: Cleanup, { redis, tandem }: Proxied, protocol: 2 | 3 = 2): Promise<[Wire, Wire]> {
  return [await connectFor(t, redis.port), await connectFor(t, tandem.port, protocol)]
}

/** Waits until the copy has all that the upstream has. */
export async function caughtUp(upstream: Wire, proxy: Wire): Promise<void> {
  await waitUntil(
    async () =>
      (await field(upstream, 'replication', 'master_repl_offset')) ===
      (await field(proxy, 'replication', 'slave_repl_offset')),
    { timeoutMs: 20_000, what: 'the copy to catch up' },
  )
}

/** The upstream hands over to its replica at `port`, and the proxy is told. */
export async function handOver(old: Wire, next: Wire, proxy: Wire, port: number): Promise<void> {
  await old.must('FAILOVER', 'TO', '127.0.0.1', port, 'TIMEOUT', 10_000)
  await waitUntil(async () => String(await next.must('ROLE')).startsWith('master'), { what: 'the successor' })
  await proxy.must('REPLICAOF', '127.0.0.1', port)
}
