/**
 * The lag that the primary shows of each replica against a heartbeat: a key with the time in it that is written at the primary
 * and read at the replica. Both are looked at in the same moment, many times; half of the differences are below the limit
 * however busy the machine is, since each is of two looks that may be some milliseconds apart.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { fetchMetrics, parseMetrics } from '../support/prometheus.ts'
import { startRelay } from '../support/relay.ts'
import { follow } from '../support/replicas.ts'
import { type ServerKind, startServer, startTandem, type TandemPeer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, type Wire } from '../support/wire.ts'

const AGREES_MS = 50
const BEAT_MS = 10
const LOOKS = 25
const LOOK_MS = 40
/** A machine that is busy with something else may hold up the test itself. */
const ATTEMPTS = 5

const file = fileCleanup()

async function shownMs(primary: TandemPeer, port: number): Promise<number> {
  const family = parseMetrics(await fetchMetrics(primary.metricsPort)).get('tandem_replica_lag_seconds')
  const sample = family?.samples.find(({ labels }) => labels.replica === `127.0.0.1:${port}`)
  assert.ok(sample !== undefined, 'no lag is shown')
  return sample.value * 1000
}

/** Writes the time every few milliseconds, and as many other keys as asked for beside it. */
async function beating(port: number, writesPerBeat: number): Promise<void> {
  const wire = await connectFor(file, port)
  let n = 0
  const timer = setInterval(() => {
    const commands: (string | number)[][] = []
    for (let i = 0; i < writesPerBeat; i++) commands.push(['SET', `key:${n++ % 10_000}`, n])
    commands.push(['SET', 'heartbeat', Date.now()])
    void wire.pipeline(commands).catch(() => undefined)
  }, BEAT_MS)
  file.after(async () => clearInterval(timer))
}

interface Compared {
  off: number
  age: number
}

async function agreement(primary: TandemPeer, port: number, reader: Wire): Promise<Compared> {
  let best: Compared = { off: Number.POSITIVE_INFINITY, age: 0 }
  for (let i = 0; i < ATTEMPTS && best.off > AGREES_MS; i++) {
    const found = await compare(primary, port, reader)
    if (found.off < best.off) best = found
  }
  return best
}

/** Milliseconds by which the metric and the heartbeat differ, and what the heartbeat said: medians. */
async function compare(primary: TandemPeer, port: number, reader: Wire): Promise<Compared> {
  const offs: number[] = []
  const ages: number[] = []
  for (let i = 0; i < LOOKS; i++) {
    const [shown, age] = await Promise.all([
      shownMs(primary, port),
      reader.must('GET', 'heartbeat').then((beat) => Date.now() - Number(beat)),
    ])
    offs.push(Math.abs(shown - age))
    ages.push(age)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!
  return { off: median(offs), age: median(ages) }
}

describe('the lag that a primary shows agrees with a heartbeat', () => {
  for (const kind of ['tandem', 'redis'] as const satisfies readonly ServerKind[]) {
    for (const [load, writesPerBeat] of [
      ['at rest', 0],
      ['under load', 50],
    ] as const) {
      it(`of ${kind} ${load}, near and behind a slow link`, async (t) => {
        const primary = await startTandem(file)
        const relay = await startRelay(file, primary.port)
        const replica = await startServer(file, kind)
        const reader = await connectFor(file, replica.port)
        await follow(reader, relay.port)
        await beating(primary.port, writesPerBeat)
        await waitUntil(async () => (await reader.must('GET', 'heartbeat')) !== null, { what: 'the first heartbeat' })
        const near = await agreement(primary, replica.port, reader)
        relay.delayDown(400)
        await waitUntil(async () => Date.now() - Number(await reader.must('GET', 'heartbeat')) > 350, {
          what: 'the delay to be seen',
        })
        const far = await agreement(primary, replica.port, reader)
        t.diagnostic(`${JSON.stringify({ near, far })}`)
        assert.ok(near.off <= AGREES_MS, `near: ${near.off} ms apart at ${near.age} ms`)
        assert.ok(far.age > 350, `the heartbeat is ${far.age} ms old`)
        assert.ok(far.off <= AGREES_MS, `far: ${far.off} ms apart at ${far.age} ms`)
      })
    }
  }

  it('of a replica that stops reading', async () => {
    const primary = await startTandem(file)
    const replica = await startServer(file, 'redis')
    await follow(await connectFor(file, replica.port), primary.port)
    await beating(primary.port, 5)
    await waitUntil(async () => (await shownMs(primary, replica.port)) < 100, { what: 'a small lag' })
    process.kill(replica.pid, 'SIGSTOP')
    const stoppedAt = Date.now()
    await waitUntil(async () => Date.now() - stoppedAt > 1500, { what: 'some time' })
    const shown = await shownMs(primary, replica.port)
    const age = Date.now() - stoppedAt
    process.kill(replica.pid, 'SIGCONT')
    // What it had acknowledged last may be as old as the period of acknowledgements.
    assert.ok(Math.abs(shown - age) < 150, `${shown} ms shown after ${age} ms`)
    await waitUntil(async () => (await shownMs(primary, replica.port)) < 100, { what: 'a small lag again' })
  })

  it('without a question to a replica that has nothing to acknowledge', async () => {
    const primary = await startTandem(file)
    const replica = await startServer(file, 'redis', { args: ['--repl-timeout', '60'] })
    const wire = await connectFor(file, primary.port)
    await follow(await connectFor(file, replica.port), primary.port)
    await wire.must('SET', 'a', 1)
    await waitUntil(async () => (await shownMs(primary, replica.port)) === 0, { what: 'the acknowledgement' })
    const offset = async () =>
      Number(/master_repl_offset:(\d+)/.exec(String(await wire.must('INFO', 'replication')))![1])
    const before = await offset()
    // The replica acknowledges twice by itself meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 2200))
    const grown = (await offset()) - before
    assert.equal(grown % 14, 0, `${grown} bytes besides PINGs`)
  })
})
