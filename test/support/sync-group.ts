/** A Tandem primary with replicas, for tests of sync-replicas: one can be frozen, and whether a reply waits can be seen. */
import type { TestContext } from 'node:test'
import type { Cleanup } from './cleanup.ts'
import { field, follow, wires } from './replicas.ts'
import type { ServerProcess } from './server-process.ts'
import { type ServerKind, startServer, startTandem, type TandemPeer } from './tandem.ts'
import { waitUntil } from './wait-until.ts'
import type { Wire } from './wire.ts'

export const MISSED = { error: 'NOREPLICAS The write was applied here, but 1 replicas did not acknowledge it in time.' }

export interface SyncGroup {
  tandem: TandemPeer
  primary: Wire
  servers: ServerProcess[]
  replicas: Wire[]
}

export async function startSyncGroup(
  file: Cleanup,
  kinds: readonly ServerKind[],
  args: readonly string[],
): Promise<SyncGroup> {
  const tandem = await startTandem(file, { args: ['--sync-timeout', '30000', ...args] })
  const servers = await Promise.all(kinds.map((kind) => startServer(file, kind)))
  const [primary, ...replicas] = (await wires(tandem, ...servers)) as [Wire, ...Wire[]]
  for (const replica of replicas) await follow(replica, tandem.port)
  await waitUntil(async () => (await field(primary, 'replication', 'connected_slaves')) === String(kinds.length), {
    what: 'the replicas',
  })
  return { tandem, primary, servers, replicas }
}

export function freeze(t: TestContext, server: ServerProcess): () => void {
  process.kill(server.pid, 'SIGSTOP')
  let isFrozen = true
  const thaw = () => {
    if (isFrozen) process.kill(server.pid, 'SIGCONT')
    isFrozen = false
  }
  t.after(thaw)
  return thaw
}

/** Whether it is settled after others have been answered in between. */
export async function isAnswered(reply: Promise<unknown>, other: Wire): Promise<boolean> {
  let answered = false
  void reply.then(() => {
    answered = true
  })
  for (let i = 0; i < 20; i++) await other.must('PING')
  return answered
}
