/** How fast a snapshot goes out: by the clock of a test, and by the load of a real server. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SyncPace, TokenBucket } from '../../src/replication/primary/sync-pace.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { follow, sameData, wires, write } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import type { Wire } from '../support/wire.ts'

const file = fileCleanup()

/** Takes turns that last as long as `turnMs` says, and tells how much of the time the walk had. */
function share(pace: SyncPace, clock: { ms: number }, turns: number, othersMs: number): number {
  let walked = 0
  const begin = clock.ms
  for (let i = 0; i < turns; i++) {
    const rest = pace.rest()
    if (rest > 0) clock.ms += Math.max(rest, othersMs)
    else {
      walked += pace.sliceMs
      clock.ms += pace.sliceMs + othersMs
    }
  }
  return walked / (clock.ms - begin)
}

describe('the pace of a full sync', () => {
  it('is full while clients are quick, little when they wait, and full again afterwards', () => {
    const clock = { ms: 0 }
    const pace = new SyncPace(
      () => 4,
      () => clock.ms,
    )
    assert.ok(share(pace, clock, 100, 0.5) > 0.6)
    share(pace, clock, 20, 6)
    const slow = share(pace, clock, 200, 6)
    assert.ok(slow > 0.005 && slow < 0.05, String(slow))
    share(pace, clock, 50, 0.5)
    assert.ok(share(pace, clock, 100, 0.5) > 0.6)
  })

  it('does not take a wait for the socket for a wait of clients, and looks at nothing with a target of 0', () => {
    const clock = { ms: 0 }
    let target = 4
    const pace = new SyncPace(
      () => target,
      () => clock.ms,
    )
    for (let i = 0; i < 20; i++) {
      assert.equal(pace.rest(), 0)
      pace.waits()
      clock.ms += 50
    }
    assert.equal(pace.sliceMs, 1)
    share(pace, clock, 20, 6)
    assert.ok(pace.sliceMs < 1)
    target = 0
    assert.ok(share(pace, clock, 100, 6) > 0.1)
  })

  it('keeps to a rate over any stretch of time, also after a stretch in which nothing was sent', () => {
    const clock = { ms: 0 }
    const bucket = new TokenBucket(
      () => 1_000_000,
      () => clock.ms,
    )
    clock.ms += 10_000
    let sent = 0
    const begin = clock.ms
    while (clock.ms - begin < 5000) {
      const wait = bucket.waitMs()
      clock.ms += wait
      if (wait > 0) continue
      bucket.take(64 * 1024)
      sent += 64 * 1024
    }
    assert.ok(sent > 5_000_000 && sent < 5_500_000, String(sent))
  })

  it('comes to an end although clients wait longer than the target all the time', async () => {
    const tandem = await startTandem(file, { args: ['--repl-sync-latency-target', '1'] })
    const redis = await startRedis(file)
    const [primary, replica, busy] = (await wires(tandem, redis, tandem)) as [Wire, Wire, Wire]
    await write(
      primary,
      Array.from({ length: 20_000 }, (_, i) => ['SET', `key:${i}`, `value ${i}`]),
    )
    let going = true
    const load = (async () => {
      const commands = Array.from({ length: 2000 }, (_, i): [string, string, number] => ['SET', `busy:${i}`, i])
      while (going) await busy.pipeline(commands)
    })()
    await follow(replica, tandem.port)
    going = false
    await load
    await sameData(primary, replica)
  })
})
