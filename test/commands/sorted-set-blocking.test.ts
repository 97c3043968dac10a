/** Pops of sorted sets that block, what they propagate, and keyspace events, against redis-server. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { attachReplica } from '../support/stream.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { Wire } from '../support/wire.ts'
import { type Open, sameScene } from './transcript.ts'

async function untilBlocked(wire: Wire, count: number): Promise<void> {
  const isBlocked = async () => String(await wire.must('INFO', 'clients')).includes(`blocked_clients:${count}\r\n`)
  await waitUntil(isBlocked, { what: `${count} blocked clients` })
}

/** A client that sent a command which blocks; the reply comes later. */
async function blocked(open: Open, other: Wire, count: number, ...args: string[]): Promise<Wire> {
  const wire = await open()
  wire.raw(`${args.join(' ')}\r\n`)
  await untilBlocked(other, count)
  return wire
}

suite('blocking pops', () => {
  test('are served in the order in which they blocked', (t) =>
    sameScene(t, async (open) => {
      const other = await open()
      const first = await blocked(open, other, 1, 'BZPOPMIN', 'a', 'b', '0')
      const second = await blocked(open, other, 2, 'BZPOPMAX', 'b', '0')
      const third = await blocked(open, other, 3, 'BZMPOP', '0', '2', 'x', 'b', 'MAX', 'COUNT', '10')
      const added = await other.send('ZADD', 'b', '1', 'one', '2', 'two', '3', 'three', '4', 'four')
      const replies = [await first.next(), await second.next(), await third.next()]
      return [added, replies, await other.send('EXISTS', 'b')]
    }))

  test('by stores, renames and increments, and not by other types', (t) =>
    sameScene(t, async (open) => {
      const other = await open()
      const replies: unknown[] = []
      const writes = [
        ['ZINCRBY', 'z', '2', 'm'],
        ['ZUNIONSTORE', 'z', '1', 'source'],
        ['ZRANGESTORE', 'z', 'source', '0', '0'],
        ['RENAME', 'source', 'z'],
      ]
      await other.must('ZADD', 'source', '1', 'm')
      for (const write of writes) {
        const client = await blocked(open, other, 1, 'BZPOPMIN', 'z', '0')
        await other.must('RPUSH', 'z', 'x')
        await other.must('DEL', 'z')
        replies.push(await other.send(...write), await client.next())
      }
      return replies
    }))

  test('of a transaction are served once it is done', (t) =>
    sameScene(t, async (open) => {
      const other = await open()
      const client = await blocked(open, other, 1, 'BZPOPMIN', 'z', '0')
      const seen = await other.pipeline([['MULTI'], ['ZADD', 'z', '5', 'a'], ['ZADD', 'z', '1', 'b'], ['EXEC']])
      return [seen, await client.next(), await other.send('ZRANGE', 'z', '0', '-1')]
    }))

  test('give up when time is over', (t) =>
    sameScene(t, async (open) => {
      const client = await open()
      return [await client.send('BZPOPMIN', 'z', '0.01'), await client.send('BZMPOP', '0.01', '1', 'z', 'MIN')]
    }))

  test('and ZMPOP propagate what they did', (t) =>
    sameScene(t, async (open) => {
      const other = await open()
      const stream = await attachReplica(other.port, {}, t)
      const client = await blocked(open, other, 1, 'BZPOPMAX', 'z', '0')
      await other.must('ZADD', 'z', '1', 'a', '2', 'b', '3', 'c', '4', 'd', '5', 'e')
      const served = await client.next()
      await other.must('BZPOPMIN', 'z', '0')
      await other.must('ZMPOP', '1', 'z', 'MIN')
      await other.must('BZMPOP', '0', '1', 'z', 'MAX', 'COUNT', '9')
      await other.must('SET', 'end', '1')
      const commands = await stream.waitForCommand('SET', 'end', '1')
      assert.ok(commands.some(([name]) => name === 'ZPOPMAX'))
      return [served, commands.filter(([name]) => name !== 'SELECT')]
    }))
})

suite('keyspace events', () => {
  test('name what happened', (t) =>
    sameScene(t, async (open) => {
      const other = await open()
      const listener = await open()
      await other.must('CONFIG', 'SET', 'notify-keyspace-events', 'KEA')
      await listener.send('PSUBSCRIBE', '__keyevent@0__:*')
      const writes = [
        'ZADD z 1 a 2 b 3 c 4 d 5 e 6 f',
        'ZADD z 1 a',
        'ZADD z INCR 1 a',
        'ZINCRBY z 1 a',
        'ZREM z a nobody',
        'ZREM z nobody',
        'ZPOPMIN z',
        'ZPOPMAX z',
        'ZREMRANGEBYRANK z 0 0',
        'ZRANGESTORE out z 0 0',
        'ZUNIONSTORE out 1 z',
        'ZINTERSTORE out 1 z',
        'ZDIFFSTORE out 1 z',
        'ZDIFFSTORE out 2 z z',
        'ZREMRANGEBYSCORE z 0 100',
        'SET end 1',
      ]
      for (const write of writes) await other.must(...write.split(' '))
      const seen: string[] = []
      while (!seen.at(-1)?.endsWith(':set end')) {
        const message = (await listener.next()) as unknown[]
        seen.push(`${message[2]} ${message[3]}`)
      }
      await other.must('CONFIG', 'SET', 'notify-keyspace-events', '')
      return seen
    }))
})
