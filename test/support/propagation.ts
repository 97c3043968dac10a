/** What commands put into the replication stream, of Tandem or of redis-server. */
import assert from 'node:assert/strict'
import type { Cleanup } from './cleanup.ts'
import { attachReplica } from './stream.ts'
import { type ServerKind, startServer } from './tandem.ts'
import { type Command, connectFor } from './wire.ts'

/** Asserts that both servers propagate the same, and returns what Tandem does. Sets and hashes must have one order only. */
export async function comparePropagation(t: Cleanup, commands: readonly Command[]): Promise<string[][]> {
  const [expected, actual] = await Promise.all([propagated(t, 'redis', commands), propagated(t, 'tandem', commands)])
  assert.deepEqual(actual, expected)
  return actual
}

/** The commands in the stream while these were run by one client, without SELECT. Errors are answers like others. */
export async function propagated(t: Cleanup, kind: ServerKind, commands: readonly Command[]): Promise<string[][]> {
  const server = await startServer(t, kind)
  const stream = await attachReplica(server.port, {}, t)
  const wire = await connectFor(t, server.port)
  for (const command of commands) await wire.send(...command)
  await wire.send('SET', 'the end', '')
  const seen = await stream.waitForCommand('SET', 'the end')
  return seen.slice(0, -1).filter(([name]) => name!.toUpperCase() !== 'SELECT')
}
