/** The request parser: well-formed requests, however cut up, against redis-parser; malformed bytes against redis-server. */
import assert from 'node:assert/strict'
import { connect as connectSocket } from 'node:net'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import RedisParser from 'redis-parser'
import { COMPLETE, FAILED, INCOMPLETE, RequestParser } from '../../src/resp/request-parser.ts'
import { Unfinished } from '../../src/resp/unfinished.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { startTandem } from '../support/tandem.ts'
import { encodeCommand } from '../support/wire.ts'

const LIMITS = { maxBulkBytes: 512 * 1024 * 1024 }

/**
 * All requests of a stream that arrives in these pieces, as a connection reads them: up to `batch` at once, and of each
 * batch only `run` are run before the rest is parsed again, as after a request that blocks.
 */
function parsePieces(pieces: Buffer[], batch = 32, run = batch): { requests: string[][]; error: string } {
  const requests: string[][] = []
  const shared = new RequestParser(LIMITS)
  const readBuffer = Buffer.alloc(4 << 20)
  let used = 0
  let unfinished: Unfinished | null = null
  for (const piece of pieces) {
    // The shared buffer is used again for each read, as in server/listener.ts.
    readBuffer.fill(0x2a, 0, used)
    used = piece.length
    piece.copy(readBuffer)
    let parser = shared
    if (unfinished === null) shared.begin(readBuffer, 0, piece.length)
    else {
      unfinished.append(readBuffer, piece.length)
      parser = unfinished.parser
    }
    for (let again = true; again; ) {
      const count = parser.nextBatch(batch)
      for (const request of parser.batch.slice(0, Math.min(run, count))) {
        if (request.argc > 0) requests.push(request.toArguments().map((arg) => arg.toString('latin1')))
      }
      again = parser.status === COMPLETE || count > run
      if (count > run) parser.rewind(parser.batch[run]!)
      else if (parser.status === FAILED) return { requests, error: parser.error }
    }
    assert.equal(parser.status, INCOMPLETE)
    if (!parser.midRequest) unfinished = null
    else if (unfinished === null) unfinished = new Unfinished(LIMITS, parser, readBuffer, piece.length)
  }
  return { requests, error: '' }
}

function cut(bytes: Buffer, places: number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  const pieces: Buffer[] = []
  let from = 0
  for (const place of [...at, bytes.length]) {
    if (place > from) pieces.push(bytes.subarray(from, place))
    from = place
  }
  return pieces
}

const argument = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ maxLength: 20 }).map((text) => Buffer.from(text, 'utf8')),
  fc.integer({ min: 0, max: 70_000 }).map((length) => Buffer.alloc(length, 'x')),
)
const requests = fc.array(fc.array(argument, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 })

describe('request parser', () => {
  it('agrees with redis-parser on every well-formed request, cut anywhere', () => {
    fc.assert(
      fc.property(requests, fc.array(fc.nat(), { maxLength: 12 }), fc.nat(5), fc.nat(5), (sent, places, batch, run) => {
        const bytes = Buffer.concat(sent.map((args) => encodeCommand(args)))
        const expected: string[][] = []
        const oracle = new RedisParser({
          returnBuffers: true,
          returnReply: (reply: Buffer[]) => expected.push(reply.map((arg) => arg.toString('latin1'))),
          returnError: (error: Error) => assert.fail(error),
        })
        oracle.execute(Buffer.from(bytes))
        assert.deepEqual(parsePieces(cut(bytes, places), batch + 1, run + 1), { requests: expected, error: '' })
      }),
      { numRuns: 300 },
    )
  })

  it('never throws on random bytes, and says the same however they are cut', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .array(
          fc.constantFrom(
            '*1\r\n',
            '$4\r\n',
            'PING\r\n',
            '*',
            '$',
            '-1',
            '\r\n',
            '\n',
            '"',
            "'",
            '\\x',
            '3',
            ' ',
            '\0',
          ),
          {
            maxLength: 20,
          },
        )
        .map((parts) => Buffer.from(parts.join(''), 'latin1')),
    )
    fc.assert(
      fc.property(noise, fc.array(fc.nat(), { maxLength: 10 }), (bytes, places) => {
        const whole = Buffer.from(bytes)
        assert.deepEqual(parsePieces(cut(whole, places)), parsePieces([whole]))
      }),
      { numRuns: 2000 },
    )
  })

  it('reads a request of 100,000 arguments that arrives byte by byte in part', () => {
    const args = Array.from({ length: 100_000 }, (_, i) => `argument ${i}`)
    const bytes = encodeCommand(args)
    const places = Array.from({ length: 2000 }, (_, i) => 500_000 + i)
    assert.deepEqual(parsePieces(cut(bytes, places)).requests, [args])
  })
})

/** What a server answers to these bytes until it closes or is silent after a PING of ours. */
function answer(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connectSocket({ port, host: '127.0.0.1' })
    let text = ''
    const timer = setTimeout(() => {
      socket.destroy()
      resolve(`${text}[open]`)
    }, 250)
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(`${text}[closed]`)
    })
    socket.write(bytes)
  })
}

const MALFORMED = [
  '*-10\r\nPING\r\n',
  '*3\r\n$-5\r\n',
  '*1\r\n$600000000\r\n',
  '*99999999999\r\n',
  '*2147483648\r\n',
  '*1x\r\nPING\r\n',
  '*01\r\n$4\r\nPING\r\n',
  '*1\r\n$04\r\nPING\r\n',
  '*1\r\n4\r\nPING\r\n',
  '*1\r\nPING\r\n',
  '*1\r\n\r\n',
  '*\r\n',
  '*-1\r\nPING\r\n',
  '*0\r\nPING\r\n',
  '\r\n\r\nPING\r\n',
  'PING "\r\n',
  'PING "a"b\r\n',
  "PING 'a\r\n",
  'PING "\\x41\\n"\r\n',
  "PING 'it\\'s'\r\n",
  'ping\n',
  'SET a\r\n',
  'nonsense \x01\xff\r\n',
  '*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n',
  '*2\r\n$4\r\nPING\r\n$2\r\nab\r\n*1\r\n$x\r\n',
  `*${'1'.repeat(70_000)}`,
  `*1\r\n$${'1'.repeat(70_000)}`,
  'A'.repeat(70_000),
  'POST / HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  // A NUL hides the line's end, as in the first bytes that a TLS client sends.
  '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\nPING\r\n',
  'PING\0\r\nPING\r\n',
  'PING\r\n\0\r\nPING\r\n',
  `PING\0\r\n${'A'.repeat(70_000)}`,
  '*1\0\r\n$4\r\nPING\r\n',
  '*1\r\n$4\0\r\nPING\r\n',
  `*1\0\r\n${'1'.repeat(70_000)}`,
]

describe('malformed requests', () => {
  it('get the same answer as from redis-server', async () => {
    const file = fileCleanup()
    const redis = await startRedis(file)
    const tandem = await startTandem(file)
    for (let at = 0; at < MALFORMED.length; at += 10) {
      await Promise.all(
        MALFORMED.slice(at, at + 10).map(async (text) => {
          const bytes = Buffer.from(text, 'latin1')
          const [ours, theirs] = await Promise.all([answer(tandem.port, bytes), answer(redis.port, bytes)])
          assert.equal(ours, theirs, JSON.stringify(text.slice(0, 80)))
        }),
      )
    }
  })

  it('are answered alike when they are random', async () => {
    const file = fileCleanup()
    const redis = await startRedis(file)
    const tandem = await startTandem(file)
    const part = fc.constantFrom(
      '*1\r\n',
      '*2\r\n',
      '$4\r\n',
      'PING\r\n',
      '*',
      '$',
      '-1',
      '\r\n',
      '\n',
      '"',
      "'",
      '\\x4',
      '3',
      ' ',
      'a',
      '\0',
    )
    const samples = fc.sample(fc.array(part, { minLength: 1, maxLength: 12 }), 120)
    for (let at = 0; at < samples.length; at += 40) {
      await Promise.all(
        samples.slice(at, at + 40).map(async (parts) => {
          const bytes = Buffer.from(parts.join(''), 'latin1')
          const [ours, theirs] = await Promise.all([answer(tandem.port, bytes), answer(redis.port, bytes)])
          assert.equal(ours, theirs, JSON.stringify(parts.join('')))
        }),
      )
    }
  })
})
