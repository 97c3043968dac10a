/** The proxy before a real cluster. */
import type { Cleanup } from './cleanup.ts'
import { type Cluster, differences, digests, keyDigests } from './cluster.ts'
import { proxyField } from './proxy.ts'
import { info } from './replicas.ts'
import { startTandem, type TandemPeer } from './tandem.ts'
import { waitUntil } from './wait-until.ts'
import { connectFor, type Wire } from './wire.ts'

export async function startClusterProxy(
  t: Cleanup,
  cluster: Cluster,
  args: string[] = [],
  scheme = 'cluster',
): Promise<TandemPeer> {
  const seeds = cluster.nodes.slice(0, 2).map(({ port }) => `127.0.0.1:${port}`)
  const tandem = await startTandem(t, { args: ['--proxy-upstream', `${scheme}://${seeds.join(',')}`, ...args] })
  const wire = await connectFor(t, tandem.port)
  await waitUntil(async () => (await proxyField(wire, 'copy_ready')) === '1', { timeoutMs: 20_000, what: 'the copy' })
  return tandem
}

/** Waits until the copy has what the shards have, and says what differs at last. */
export async function sameAsShards(cluster: Cluster, proxy: Wire): Promise<void> {
  let found: string[] = []
  await waitUntil(
    async () => {
      // KEYS is refused until the copy has what this connection has written (session-wait).
      const copied = await keyDigests(proxy).catch((error: Error) => {
        if (!error.message.includes('TRYAGAIN')) throw error
        return null
      })
      found = copied === null ? ['the copy is behind'] : differences(await digests(cluster), copied)
      return found.length === 0
    },
    { timeoutMs: 15_000, intervalMs: 200, what: () => `equal data: ${found.join('; ')}` },
  )
}

export interface ShardLine {
  addr: string
  link: string
  full: number
  partial: number
  slots: number
}

/** What INFO proxy tells of the shards. */
export async function shardLines(proxy: Wire): Promise<ShardLine[]> {
  const fields = [...(await info(proxy, 'proxy'))].filter(([name]) => /^proxy_shard\d/.test(name))
  return fields.map(([, text]) => {
    const of = Object.fromEntries(text.split(',').map((pair) => pair.split('=')))
    return { ...of, full: Number(of.full), partial: Number(of.partial), slots: Number(of.slots) } as ShardLine
  })
}
