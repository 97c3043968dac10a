/** A cluster of two nodes, each behind a relay that can hold its stream back, between which keys are moved one by one. */
import type { Cleanup } from './cleanup.ts'
import { startRelayedNode } from './cluster.ts'
import type { RedisPeer } from './redis.ts'
import type { Relay } from './relay.ts'
import { waitUntil } from './wait-until.ts'
import { connectFor, type Wire } from './wire.ts'

const SLOTS = 16384
/** The one that the second node has from the start. */
export const LAST_SLOT = SLOTS - 1

export interface Side {
  readonly node: RedisPeer
  readonly relay: Relay
  readonly wire: Wire
  readonly id: string
}

export interface RelayedPair {
  readonly from: Side
  readonly to: Side
  /** A slot is on its way from the first to the second. */
  opens(slot: number): Promise<void>
  /** It has come there. */
  closes(slot: number): Promise<void>
  migrate(...keys: string[]): Promise<unknown>
}

async function startSide(t: Cleanup): Promise<Side> {
  const { node, relay } = await startRelayedNode(t)
  const wire = await connectFor(t, node.port)
  return { node, relay, wire, id: String(await wire.must('CLUSTER', 'MYID')) }
}

export async function startRelayedPair(t: Cleanup): Promise<RelayedPair> {
  const [from, to] = await Promise.all([startSide(t), startSide(t)])
  await from.wire.must('CLUSTER', 'ADDSLOTSRANGE', 0, LAST_SLOT - 1)
  await to.wire.must('CLUSTER', 'ADDSLOTS', LAST_SLOT)
  await to.wire.must('CLUSTER', 'SET-CONFIG-EPOCH', 2)
  await from.wire.must('CLUSTER', 'MEET', '127.0.0.1', to.node.port)
  for (const { wire } of [from, to]) {
    await waitUntil(async () => String(await wire.must('CLUSTER', 'INFO')).includes('cluster_state:ok'), {
      timeoutMs: 20_000,
      what: 'the cluster',
    })
  }
  return {
    from,
    to,
    async opens(slot) {
      await to.wire.must('CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
      await from.wire.must('CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
    },
    async closes(slot) {
      for (const { wire } of [to, from]) await wire.must('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
    },
    migrate: (...keys) => from.wire.must('MIGRATE', '127.0.0.1', to.node.port, '', 0, 5000, 'KEYS', ...keys),
  }
}
