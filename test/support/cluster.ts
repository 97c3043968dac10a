/** A real Redis Cluster of redis-servers, made and resharded with redis-cli. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Cleanup } from './cleanup.ts'
import { isFree } from './ports.ts'
import { type RedisPeer, startRedis } from './redis.ts'
import { type Relay, startRelay } from './relay.ts'
import { waitUntil } from './wait-until.ts'
import { connect, type Wire } from './wire.ts'

const run = promisify(execFile)
const BUS_OFFSET = 10_000
const FIRST = 12_000
const LAST = 19_000

export interface Cluster {
  readonly nodes: readonly RedisPeer[]
  /** By port; the connection is kept. */
  wire(node: RedisPeer): Promise<Wire>
  /** Those that are primaries with slots now. */
  primaries(): Promise<RedisPeer[]>
  id(node: RedisPeer): Promise<string>
  cli(...args: string[]): Promise<string>
}

/** One whose bus port is free as well. */
export async function clusterPort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST))
    if ((await isFree(port)) && (await isFree(port + BUS_OFFSET))) return port
  }
}

/** A node that tells others that it is reached at the relay's port. */
export async function startRelayedNode(t: Cleanup): Promise<{ node: RedisPeer; relay: Relay }> {
  const port = await clusterPort()
  const relay = await startRelay(t, port)
  const announced = [
    '--cluster-announce-port',
    String(relay.port),
    '--cluster-announce-bus-port',
    String(port + BUS_OFFSET),
  ]
  const node = await startRedis(t, { args: ['--cluster-enabled', 'yes', ...announced] }, port)
  return { node, relay }
}

export async function startClusterNode(t: Cleanup, args: string[] = []): Promise<RedisPeer> {
  const port = await clusterPort()
  const own = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1500', '--repl-backlog-size', '64mb']
  return startRedis(t, { args: [...own, ...args] }, port)
}

/** `replicas` of each of the shards. Resolves when all slots are covered and all replicas are in line. */
export async function startCluster(t: Cleanup, shards = 3, replicas = 0, args: string[] = []): Promise<Cluster> {
  const count = shards * (1 + replicas)
  const nodes = await Promise.all(Array.from({ length: count }, () => startClusterNode(t, args)))
  const wires = new Map<RedisPeer, Wire>()
  const cluster: Cluster = {
    nodes,
    async wire(node) {
      let wire = wires.get(node)
      if (wire === undefined || wire.closed) {
        wire = await connect(node.port)
        const opened = wire
        t.after(() => opened.close())
        wires.set(node, wire)
      }
      return wire
    },
    async primaries() {
      const found: RedisPeer[] = []
      for (const node of nodes) {
        if (!node.running) continue
        const wire = await cluster.wire(node)
        const own = String(await wire.must('CLUSTER', 'NODES'))
          .split('\n')
          .find((line) => line.includes('myself'))!
        if (own.includes('master') && own.split(' ').length > 8) found.push(node)
      }
      return found
    },
    async id(node) {
      return String(await (await cluster.wire(node)).must('CLUSTER', 'MYID'))
    },
    async cli(...cliArgs) {
      try {
        const { stdout } = await run('redis-cli', ['--cluster', ...cliArgs, '--cluster-yes'], { timeout: 120_000 })
        return stdout
      } catch (error) {
        // It says what went wrong at the end of a list of all slots.
        const { stdout } = error as { stdout: string }
        throw Object.assign(new Error(`redis-cli --cluster ${cliArgs[0]}: ${stdout.slice(-400)}`), { stdout })
      }
    },
  }
  await cluster.cli('create', ...nodes.map(({ port }) => `127.0.0.1:${port}`), '--cluster-replicas', String(replicas))
  await waitUntil(() => isWhole(cluster, shards, replicas), { timeoutMs: 30_000, what: 'the cluster' })
  return cluster
}

async function isWhole(cluster: Cluster, shards: number, replicas: number): Promise<boolean> {
  for (const node of cluster.nodes) {
    const wire = await cluster.wire(node)
    if (!String(await wire.must('CLUSTER', 'INFO')).includes('cluster_state:ok')) return false
    const lines = String(await wire.must('CLUSTER', 'NODES'))
      .trim()
      .split('\n')
    if (lines.filter((line) => line.includes('slave')).length !== shards * replicas) return false
    const info = String(await wire.must('INFO', 'replication'))
    if (info.includes('role:slave') && !info.includes('master_link_status:up')) return false
  }
  return true
}

export async function replicaOf(cluster: Cluster, primary: RedisPeer): Promise<RedisPeer> {
  const id = await cluster.id(primary)
  for (const node of cluster.nodes) {
    const lines = String(await (await cluster.wire(node)).must('CLUSTER', 'NODES')).split('\n')
    if (lines.some((line) => line.includes('myself,slave') && line.includes(id))) return node
  }
  throw new Error('it has no replica')
}

/** Moves slots from one primary to another, by their ids, once the nodes agree on whose they are: redis-cli asks for that. */
export async function reshard(cluster: Cluster, from: string, to: string, slots: number): Promise<void> {
  const [{ port }] = (await cluster.primaries()) as [RedisPeer]
  const at = `127.0.0.1:${port}`
  const agree = async () => {
    const said = await cluster.cli('check', at).catch((error: { stdout: string }) => error.stdout)
    return said.includes('All nodes agree')
  }
  await waitUntil(agree, { timeoutMs: 20_000, intervalMs: 200, what: 'the nodes to agree' })
  await cluster.cli('reshard', at, '--cluster-from', from, '--cluster-to', to, '--cluster-slots', String(slots))
}

/** All keys of the primaries with their digests, sorted. */
export async function digests(cluster: Cluster): Promise<Map<string, string>> {
  const all = new Map<string, string>()
  for (const node of await cluster.primaries()) {
    for (const [key, digest] of await keyDigests(await cluster.wire(node))) all.set(key, digest)
  }
  return all
}

export async function keyDigests(wire: Wire): Promise<Map<string, string>> {
  const keys = ((await wire.must('KEYS', '*')) as string[]).sort()
  const found = new Map<string, string>()
  for (let i = 0; i < keys.length; i += 500) {
    const some = keys.slice(i, i + 500)
    const replies = (await wire.must('DEBUG', 'DIGEST-VALUE', ...some)) as string[]
    for (const [j, key] of some.entries()) found.set(key, replies[j]!)
  }
  return found
}

/** What differs between two sets of keys, a few lines. */
export function differences(wanted: Map<string, string>, found: Map<string, string>): string[] {
  const lines: string[] = []
  for (const [key, digest] of wanted) {
    if (!found.has(key)) lines.push(`${key} is missing`)
    else if (found.get(key) !== digest) lines.push(`${key} differs`)
  }
  for (const key of found.keys()) if (!wanted.has(key)) lines.push(`${key} is too much`)
  return lines.slice(0, 10)
}
