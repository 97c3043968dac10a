/**
 * Links cut at random byte positions, both ways round: after each cut the replica resumes, and in the end the data is
 * equal with one full sync. `CUTS` (default 12 each) and `SEED` may be given.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { startRelay } from '../support/relay.ts'
import { field, follow, linkUp, sameData, wires, write, writes } from '../support/replicas.ts'
import { type ServerKind, startServer } from '../support/tandem.ts'
import type { Wire } from '../support/wire.ts'

const file = fileCleanup()
const CUTS = Number(process.env.CUTS ?? 12)
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))

async function cutOften(primaryKind: ServerKind, replicaKind: ServerKind): Promise<void> {
  const first = await startServer(file, primaryKind, { args: ['--repl-backlog-size', '32mb'] })
  const second = await startServer(file, replicaKind)
  const relay = await startRelay(file, first.port)
  const [primary, replica] = (await wires(first, second)) as [Wire, Wire]
  await write(primary, writes(SEED, 2000))
  await follow(replica, relay.port)
  let state = SEED
  for (let cut = 0; cut < CUTS; cut++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    // Somewhere in what the next writes send, often inside a command and sometimes inside a transaction.
    if (cut % 3 === 2) relay.truncateAfter(state % 60_000)
    else relay.cutAfter(state % 60_000)
    await write(primary, writes(SEED + cut, 1500))
    relay.cutAll()
    await linkUp(replica)
  }
  await sameData(primary, replica)
  assert.equal(await field(primary, 'stats', 'sync_full'), '1')
  assert.ok(Number(await field(primary, 'stats', 'sync_partial_ok')) >= CUTS)
}

describe(`links cut at random bytes (seed ${SEED}, ${CUTS} cuts)`, () => {
  it('redis-server follows Tandem', () => cutOften('tandem', 'redis'))
  it('Tandem follows redis-server', () => cutOften('redis', 'tandem'))
  it('Tandem follows Tandem', () => cutOften('tandem', 'tandem'))
})
