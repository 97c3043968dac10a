/**
 * MIGRATE: the same migrations with redis-server and with Tandem as the source, to a redis-server and to a Tandem. Every
 * reply, the data on both sides, what replicas are told and the kept sockets are equal.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { wires } from '../support/replicas.ts'
import { attachReplica } from '../support/stream.ts'
import { type ServerKind, startServer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { Command, Wire } from '../support/wire.ts'

const file = fileCleanup()

const FILL: Command[] = [
  ['SET', 'text', 'value'],
  ['SET', 'binary', Buffer.from([0, 1, 2, 255, 13, 10])],
  ['SET', 'large', Buffer.alloc(300_000, 'x')],
  ['SET', 'timed', 'soon', 'PX', 600_000],
  ['RPUSH', 'list', 'a', 'b', 'c'],
  ['ZADD', 'zset', 1, 'one', 2, 'two'],
  ['HSET', 'hash', 'f', 'v'],
  ['SET', 'busy', 'here'],
  ['SET', 'other', 'x'],
  ['SET', 'third', 'x'],
]

/** All replies of the migrations, with the port left out. */
async function migrations(source: Wire, target: Wire, otherPort: number): Promise<string[]> {
  const replies: string[] = []
  const { port } = target
  const run = async (...args: Command) => {
    const reply = await source.send(...args)
    replies.push(`${args.slice(3).join(' ').slice(0, 80)} → ${JSON.stringify(reply)}`)
  }
  for (const command of FILL) await source.must(...command)
  await target.must('SET', 'busy', 'there')
  await run('MIGRATE', '127.0.0.1', port, 'missing', 0, 1000)
  await run('MIGRATE', '127.0.0.1', port, 'text', 0, 1000)
  await run('MIGRATE', '127.0.0.1', port, 'binary', 1, 1000, 'COPY')
  await run('MIGRATE', '127.0.0.1', port, 'large', 0, 5000)
  await run('MIGRATE', '127.0.0.1', port, 'busy', 0, 1000)
  await run('MIGRATE', '127.0.0.1', port, '', 0, 1000, 'KEYS', 'other', 'busy', 'missing', 'third')
  await run('MIGRATE', '127.0.0.1', port, 'busy', 0, 1000, 'REPLACE')
  await run('MIGRATE', '127.0.0.1', port, '', 0, 1000, 'COPY', 'REPLACE', 'KEYS', 'list', 'zset', 'timed')
  await run('MIGRATE', '127.0.0.1', port, 'hash', 99, 1000)
  await run('MIGRATE', '127.0.0.1', port, 'hash', 0, 1000, 'AUTH', 'nobody')
  await run('MIGRATE', '127.0.0.1', port, 'hash', 0, 1000, 'AUTH2', 'nobody', 'knows')
  await run('MIGRATE', '127.0.0.1', port, 'hash', 0, 1000, 'AUTH')
  await run('MIGRATE', '127.0.0.1', port, 'hash', 0, 1000, 'BOGUS')
  await run('MIGRATE', '127.0.0.1', port, 'hash', 0, 1000, 'KEYS', 'hash')
  await run('MIGRATE', '127.0.0.1', port, 'hash', 'x', 1000)
  await run('MIGRATE', '127.0.0.1', port, 'hash', 0, 'x')
  await run('MIGRATE', '127.0.0.1', otherPort, 'hash', 0, 100)
  await run('MIGRATE', '127.0.0.1', 1, 'hash', 0, 100)
  await source.must('MULTI')
  await source.send('MIGRATE', '127.0.0.1', port, 'hash', 0, 1000)
  await source.send('SET', 'after', 'it')
  replies.push(JSON.stringify(await source.send('EXEC')))
  const seconds = Number(await target.must('PTTL', 'timed'))
  assert.ok(seconds > 500_000 && seconds <= 600_000, `time to live ${seconds}`)
  await target.must('PERSIST', 'timed')
  return replies.map((reply) => reply.replaceAll(String(port), 'PORT'))
}

async function outcome(kind: ServerKind, targetKind: ServerKind) {
  const [source, target] = await Promise.all([startServer(file, kind), startServer(file, targetKind)])
  const [from, to] = (await wires(source, target)) as [Wire, Wire]
  // Accepts and never answers.
  const silent = createServer()
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  silent.on('connection', (socket) => socket.on('error', () => {}).unref())
  silent.unref()
  const replica = await attachReplica(source.port, {}, file)
  const replies = await migrations(from, to, (silent.address() as { port: number }).port)
  const sockets = /migrate_cached_sockets:(\d+)/.exec(String(await from.must('INFO', 'stats')))?.[1]
  await from.must('SET', 'the', 'end')
  const stream = (await replica.waitForCommand('SET', 'the', 'end'))
    .map((command) =>
      command
        .join(' ')
        .replace(/PXAT \d+/, 'PXAT …')
        .slice(0, 60),
    )
    .filter((command) => command !== 'PING')
  return { replies, stream, sockets, left: await from.must('DEBUG', 'DIGEST'), moved: await to.must('DEBUG', 'DIGEST') }
}

describe('MIGRATE', () => {
  it('does what redis-server does, to a redis-server', async () => {
    const expected = await outcome('redis', 'redis')
    const { sockets, ...rest } = expected
    assert.equal(sockets, '1')
    assert.deepEqual(await outcome('tandem', 'redis'), { sockets, ...rest })
  })

  it('does what redis-server does, to a Tandem', async () => {
    assert.deepEqual(await outcome('tandem', 'tandem'), await outcome('redis', 'tandem'))
  })

  it('opens another socket when the kept one was closed, and lets go of it when idle', async () => {
    const [source, target] = await Promise.all([startServer(file, 'tandem'), startServer(file, 'redis')])
    const [from, to] = (await wires(source, target)) as [Wire, Wire]
    await from.must('MSET', 'a', '1', 'b', '2')
    assert.equal(await from.must('MIGRATE', '127.0.0.1', target.port, 'a', 0, 1000), 'OK')
    await to.must('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    assert.equal(await from.must('MIGRATE', '127.0.0.1', target.port, 'b', 0, 1000), 'OK')
    assert.equal(await to.must('DBSIZE'), 2)
    const kept = async () => String(await from.must('INFO', 'stats')).includes('migrate_cached_sockets:1')
    assert.equal(await kept(), true)
    await waitUntil(async () => !(await kept()), { timeoutMs: 20_000, what: 'no kept sockets' })
  })
})
