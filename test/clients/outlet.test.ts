/** What a connection sends arrives whole and in order, whoever reads it and when, past Node's streams and through them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { Outlet } from '../../src/server/outlet.ts'

async function pair(t: TestContext): Promise<{ ours: Socket; theirs: Socket }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const theirs = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [ours] = (await once(server, 'connection')) as [Socket]
  ours.on('error', () => {})
  theirs.on('error', () => {})
  t.after(() => {
    ours.destroy()
    theirs.destroy()
    server.close()
  })
  return { ours, theirs }
}

/** Bytes that differ from place to place. */
function filled(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (seed * 31 + i * 7) & 0xff
  return bytes
}

function read(socket: Socket, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let got = 0
    socket.on('data', (chunk) => {
      chunks.push(chunk)
      got += chunk.length
      if (got >= length) resolve(Buffer.concat(chunks))
    })
    socket.on('close', () => reject(new Error(`closed after ${got} of ${length} bytes`)))
  })
}

const pieces = fc.array(
  fc.record({
    bytes: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 1, max: 200 }) },
      { weight: 2, arbitrary: fc.integer({ min: 10_000, max: 64 * 1024 }) },
      { weight: 1, arbitrary: fc.integer({ min: 64 * 1024, max: 3_000_000 }) },
    ),
    as: fc.constantFrom('text', 'buffer', 'two buffers'),
    turn: fc.boolean(),
  }),
  { minLength: 1, maxLength: 40 },
)

describe('the outlet of a connection', () => {
  for (const isPlain of [true, false]) {
    test(`sends all in order, ${isPlain ? 'by the handle itself' : 'by the stream'}`, (t) =>
      fc.assert(
        fc.asyncProperty(pieces, fc.integer({ min: 0, max: 30 }), async (list, waitMs) => {
          const { ours, theirs } = await pair(t)
          const outlet = new Outlet(ours, isPlain)
          theirs.pause()
          const expected: Buffer[] = []
          for (const [i, { bytes, as, turn }] of list.entries()) {
            const piece = filled(bytes, i)
            expected.push(piece)
            if (as === 'text') outlet.writeText(piece.toString('latin1'))
            else if (as === 'buffer') outlet.writeBuffers([piece])
            else outlet.writeBuffers([piece.subarray(0, bytes >> 1), piece.subarray(bytes >> 1)])
            if (turn) await new Promise((resolve) => setImmediate(resolve))
          }
          const all = Buffer.concat(expected)
          setTimeout(() => theirs.resume(), waitMs)
          assert.ok((await read(theirs, all.length)).equals(all))
          while (outlet.pendingBytes > 0) await new Promise((resolve) => setImmediate(resolve))
          ours.destroy()
        }),
        { numRuns: 25 },
      ))
  }

  test('counts what the kernel has not taken, and tells once when it has', async (t) => {
    const { ours, theirs } = await pair(t)
    const outlet = new Outlet(ours, true)
    theirs.pause()
    const piece = filled(60_000, 1)
    let count = 0
    // The kernel's buffers are of any size: until the first that it does not take.
    while (outlet.pendingBytes === 0) {
      outlet.writeBuffers([piece])
      count++
    }
    assert.equal(outlet.pendingBytes, 60_000)
    assert.equal(ours.writableLength, 0, 'not by the stream')
    let drained = 0
    outlet.onDrained(() => drained++)
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(drained, 0)
    assert.equal(outlet.pendingBytes, 60_000)
    outlet.writeText('behind')
    assert.equal(outlet.pendingBytes, 60_006)
    const wanted = Buffer.concat([...Array.from({ length: count }, () => piece), Buffer.from('behind')])
    theirs.resume()
    assert.ok((await read(theirs, wanted.length)).equals(wanted))
    assert.equal(drained, 1)
    assert.equal(outlet.pendingBytes, 0)
    await new Promise<void>((resolve) => outlet.onDrained(resolve))
  })

  test('a peer that is gone closes the socket, also while something waits for it', async (t) => {
    for (const waits of [false, true]) {
      const { ours, theirs } = await pair(t)
      const outlet = new Outlet(ours, true)
      theirs.pause()
      if (waits) while (outlet.pendingBytes === 0) outlet.writeBuffers([filled(60_000, 2)])
      theirs.resetAndDestroy()
      const closed = new Promise((resolve) => ours.on('close', resolve))
      const timer = setInterval(() => outlet.writeText('+OK\r\n'), 1)
      await closed
      outlet.writeText('+OK\r\n')
      clearInterval(timer)
      assert.equal(ours.destroyed, true)
    }
  })

  test('ends behind what is pending', async (t) => {
    const { ours, theirs } = await pair(t)
    const outlet = new Outlet(ours, true)
    theirs.pause()
    const sent: Buffer[] = []
    while (outlet.pendingBytes === 0) {
      sent.push(filled(60_000, sent.length))
      outlet.writeBuffers([sent.at(-1)!])
    }
    outlet.end()
    const chunks: Buffer[] = []
    theirs.on('data', (chunk) => chunks.push(chunk)).resume()
    await once(theirs, 'end')
    assert.ok(Buffer.concat(chunks).equals(Buffer.concat(sent)))
  })
})
