/** maxmemory-clients: which clients have to go, and which stay, with redis-server and with Tandem. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startPair } from '../support/differential.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, type Wire } from '../support/wire.ts'

const MB = 1024 * 1024

interface Scene {
  /** Does not go itself. */
  control: Wire
  open: () => Promise<Wire>
  lines: () => Promise<string[]>
  field: (name: string, field: string) => Promise<string | undefined>
}

/** Runs the scene with both servers; what it does must hold for both, since their sizes differ. */
function inBoth(name: string, scene: (scene: Scene) => Promise<void>): void {
  test(name, async (t) => {
    const { redis, tandem } = await startPair(t)
    for (const server of [redis, tandem]) {
      const control = await connectFor(t, server.port)
      await control.must('FLUSHALL')
      await control.must('CONFIG', 'RESETSTAT')
      await control.must('CLIENT', 'SETNAME', 'control')
      await control.must('CLIENT', 'NO-EVICT', 'ON')
      const lines = async () =>
        String(await control.must('CLIENT', 'LIST'))
          .trim()
          .split('\n')
      const field = async (client: string, field: string) => {
        const line = (await lines()).find((text) => text.includes(` name=${client} `))
        return line === undefined ? undefined : new RegExp(` ${field}=(\\S*)`).exec(line)?.[1]
      }
      await scene({ control, open: () => connectFor(t, server.port), lines, field })
      await control.must('CONFIG', 'SET', 'maxmemory-clients', '0')
      await control.close()
    }
  })
}

/** Sends all of a request but its end. */
async function fillQuery({ open, field }: Scene, name: string, bytes: number, wait = true): Promise<Wire> {
  const wire = await open()
  await wire.must('CLIENT', 'SETNAME', name)
  wire.raw(`*2\r\n$${bytes}\r\n`)
  wire.raw(Buffer.alloc(bytes, 'v'))
  if (wait) await waitUntil(async () => Number(await field(name, 'qbuf')) >= bytes, { what: `${name} to be read` })
  return wire
}

async function evicted({ control }: Scene): Promise<number> {
  return Number(/evicted_clients:(\d+)/.exec(String(await control.must('INFO', 'stats')))?.[1])
}

suite('client eviction', () => {
  inBoth('a request that is too large closes its client, one below the limit does not', async (scene) => {
    const { control, field, open } = scene
    await control.must('CONFIG', 'SET', 'maxmemory-clients', 3_000_000)
    const wire = await open()
    await wire.must('MSET', 'k', 'v', 'k2', Buffer.alloc(1_000_000, 'v'))
    assert.equal(await wire.must('GET', 'k'), 'v')
    await wire.close()
    const half = await fillQuery(scene, 'half', 1_500_000)
    assert.equal(await field('half', 'qbuf'), '1500000')
    assert.ok(Number(await field('half', 'tot-mem')) >= 1_500_000)
    await half.close()
    const large = await fillQuery(scene, 'large', 3_000_000, false)
    await large.ended()
    assert.equal(await field('large', 'qbuf'), undefined)
    assert.equal(await evicted(scene), 1)
  })

  inBoth('a share of maxmemory', async (scene) => {
    const { control } = scene
    await control.must('CONFIG', 'SET', 'maxmemory', 100 * MB)
    await control.must('CONFIG', 'SET', 'maxmemory-clients', '2%')
    const small = await fillQuery(scene, 'small', 256 * 1024)
    const large = await fillQuery(scene, 'large', 2 * MB, false)
    await large.ended()
    assert.equal(small.closed, false)
    await small.close()
    await control.must('CONFIG', 'SET', 'maxmemory', 0)
  })

  for (const [what, command] of [
    ['watched keys', 'WATCH'],
    ['channels', 'SUBSCRIBE'],
    ['patterns', 'PSUBSCRIBE'],
    ['shard channels', 'SSUBSCRIBE'],
    ['tracked prefixes', 'CLIENT TRACKING ON BCAST PREFIX'],
  ] as const) {
    inBoth(`many ${what}`, async ({ control, open }) => {
      await control.must('CONFIG', 'SET', 'maxmemory-clients', 200_000)
      const wire = await open()
      let next = 0
      const more = () => {
        for (let i = 0; i < 500; i++) wire.raw(`${command} ${String(next++).padStart(12, '0')}\r\n`)
        return wire.closed
      }
      await waitUntil(more, { what: 'the client to be closed' })
      assert.ok(next > 500)
    })
  }

  inBoth('a transaction that grows', async ({ control, open }) => {
    await control.must('CONFIG', 'SET', 'maxmemory-clients', 3_000_000)
    const wire = await open()
    const value = Buffer.alloc(750_000, 'v')
    await wire.must('MULTI')
    await wire.must('SET', 'k', value)
    await wire.must('SET', 'k', value)
    assert.deepEqual(await wire.must('EXEC'), ['OK', 'OK'])
    await wire.must('MULTI')
    await assert.rejects(async () => {
      for (let i = 0; i < 5; i++) await wire.must('SET', 'k', value)
    })
  })

  inBoth('output that nobody reads, unless the client is exempt', async (scene) => {
    const { control, field, open } = scene
    await control.must('SETRANGE', 'k', MB, 'v')
    await control.must('CONFIG', 'SET', 'maxmemory-clients', 1)
    const wire = await open()
    await wire.must('CLIENT', 'SETNAME', 'silent')
    await wire.must('CLIENT', 'NO-EVICT', 'ON')
    // The wire reads; so ask for far more at once than it can have taken when the server looks.
    wire.raw('GET k\r\n'.repeat(64))
    wire.raw('CLIENT NO-EVICT OFF\r\n')
    wire.raw('GET k\r\n'.repeat(64))
    await wire.ended()
    assert.equal(await field('silent', 'omem'), undefined)
    assert.equal(await evicted(scene), 1)
  })

  inBoth('the largest go first, and only until there is room', async (scene) => {
    const { control, field, lines } = scene
    await control.must('CONFIG', 'SET', 'maxmemory-clients', 0)
    const sizes = [128 * 1024, MB, 3 * MB]
    const wires: Wire[] = []
    for (const size of sizes) {
      for (let i = 0; i < 3; i++) wires.push(await fillQuery(scene, `client-${size}-${i}`, size))
    }
    let total = 0
    for (const size of sizes) {
      for (let i = 0; i < 3; i++) total += Number(await field(`client-${size}-${i}`, 'tot-mem'))
    }
    const left = async () => {
      const all = await lines()
      return sizes.map((size) => all.filter((line) => line.includes(` name=client-${size}-`)).length)
    }
    const own = Number(await field('control', 'tot-mem')) + 64 * 1024
    for (let i = 0; i < 2; i++) {
      total -= Number(await field(`client-${3 * MB}-${i}`, 'tot-mem'))
    }
    await control.must('CONFIG', 'SET', 'maxmemory-clients', total + own)
    assert.deepEqual(await left(), [3, 3, 1])
    await control.must('CONFIG', 'SET', 'maxmemory-clients', 2 * MB)
    assert.deepEqual(await left(), [3, 1, 0])
    for (const wire of wires) await wire.close()
  })
})
