/**
 * The same scene played with redis-server and with Tandem, for what needs several connections or time: what the scene
 * returns must be equal. Single commands are compared by support/differential.ts.
 */
import assert from 'node:assert/strict'
import type { Cleanup } from '../support/cleanup.ts'
import { startPair } from '../support/differential.ts'
import { connectFor, type Wire } from '../support/wire.ts'

export type Open = (protocol?: 2 | 3) => Promise<Wire>

export async function sameScene(t: Cleanup, scene: (open: Open) => Promise<unknown>): Promise<void> {
  const { redis, tandem } = await startPair(t)
  const results: unknown[] = []
  for (const server of [redis, tandem]) {
    const open: Open = (protocol = 2) => connectFor(t, server.port, protocol)
    const first = await open()
    await first.must('FLUSHALL')
    results.push(await scene(open))
  }
  assert.deepEqual(results[1], results[0])
}
