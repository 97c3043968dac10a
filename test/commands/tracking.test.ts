/** CLIENT TRACKING: who hears of which changed key, when and in what form, against redis-server. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { differential, startPair } from '../support/differential.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, encodeCommand, type Reply, type Wire } from '../support/wire.ts'
import { type Open, sameScene } from './transcript.ts'

/** The invalidations that a RESP3 connection has been sent so far. */
async function told(wire: Wire): Promise<Reply[]> {
  await wire.must('PING')
  return wire.pushes.splice(0)
}

/** The messages that a RESP2 subscriber has been sent so far. */
async function messages(wire: Wire): Promise<Reply[]> {
  const received: Reply[] = []
  wire.raw('PING\r\n')
  for (;;) {
    const message = await wire.next()
    if (Array.isArray(message) && message[0] === 'pong') return received
    received.push(message)
  }
}

/** A RESP2 connection that listens for redirected messages, and its id. */
async function listener(open: Open): Promise<{ wire: Wire; id: number }> {
  const wire = await open()
  const id = Number(await wire.must('CLIENT', 'ID'))
  await wire.must('SUBSCRIBE', '__redis__:invalidate')
  return { wire, id }
}

async function infoField(wire: Wire, name: string): Promise<string | undefined> {
  return new RegExp(`${name}:(\\S*)`).exec(String(await wire.must('INFO', 'everything')))?.[1]
}

/** The reply of a command, and what comes right behind it, whether push or not. */
async function replyAndPush(wire: Wire, ...args: string[]): Promise<Reply[]> {
  const first = wire.nextRaw(true)
  const second = wire.nextRaw(true)
  wire.raw(encodeCommand(args))
  return [(await first).reply, (await second).reply]
}

suite('CLIENT TRACKING', () => {
  test('options that do not go together', async (t) => {
    await differential(t, [
      'CLIENT TRACKING ON BCAST PREFIX FOOBAR PREFIX FOO',
      'CLIENT TRACKING ON BCAST PREFIX FOO PREFIX FOOBAR',
      'CLIENT TRACKING ON BCAST PREFIX FOO PREFIX BAR',
      'CLIENT TRACKING ON BCAST PREFIX FO',
      'CLIENT TRACKING ON BCAST PREFIX BARB',
      'CLIENT TRACKINGINFO',
      'CLIENT TRACKING ON',
      'CLIENT TRACKING ON BCAST OPTIN PREFIX q',
      'CLIENT CACHING YES',
      'CLIENT TRACKING OFF',
      'CLIENT TRACKING ON OPTIN',
      'CLIENT TRACKING ON OPTOUT',
      'CLIENT TRACKING ON BCAST',
      'CLIENT CACHING NO',
      'CLIENT CACHING MAYBE',
      'CLIENT CACHING YES',
      'CLIENT TRACKINGINFO',
      'CLIENT TRACKINGINFO',
      'GET a',
      'CLIENT TRACKINGINFO',
      'CLIENT TRACKING OFF',
      'CLIENT TRACKING ON OPTOUT NOLOOP',
      'CLIENT CACHING YES',
      'CLIENT CACHING NO',
      'CLIENT TRACKINGINFO',
      'NOSUCH',
      'CLIENT TRACKINGINFO',
      'CLIENT GETREDIR',
      'CLIENT TRACKING OFF',
      'CLIENT GETREDIR',
      'CLIENT TRACKING ON BCAST',
      'CLIENT TRACKINGINFO',
      'CLIENT TRACKING OFF',
      'CLIENT TRACKINGINFO',
    ])
  })

  test('a key that was read is reported once, whoever changes it', (t) =>
    sameScene(t, async (open) => {
      const reader = await open(3)
      const writer = await open()
      const heard: unknown[] = []
      await reader.must('CLIENT', 'TRACKING', 'ON')
      await reader.must('MGET', 'a', 'b', 'c')
      for (const command of ['SET a 1', 'SET a 2', 'SET d 1', 'DEL b', 'RENAME a c', 'FLUSHDB']) {
        await writer.must(...command.split(' '))
        heard.push(await told(reader))
      }
      await reader.must('STRLEN', 'c')
      await writer.must('FLUSHALL', 'ASYNC')
      heard.push(await told(reader))
      // A key is a key in every database.
      await reader.must('GET', 'e')
      await writer.must('SELECT', '5')
      await writer.must('SET', 'e', '1')
      heard.push(await told(reader))
      await reader.must('CLIENT', 'TRACKING', 'OFF')
      await writer.must('SET', 'e', '2')
      heard.push(await told(reader))
      return heard
    }))

  test('own changes come behind the reply, of a transaction too', (t) =>
    sameScene(t, async (open) => {
      const wire = await open(3)
      const heard: unknown[] = []
      await wire.must('CLIENT', 'TRACKING', 'ON')
      await wire.must('HSET', 'h', 'f', '1')
      await wire.must('HGET', 'h', 'f')
      heard.push(await replyAndPush(wire, 'HDEL', 'h', 'f'))
      await wire.must('MSET', 'a', '1', 'b', '2')
      await wire.must('GET', 'a')
      await wire.must('MULTI')
      await wire.must('INCR', 'a')
      await wire.must('GET', 'b')
      heard.push(await replyAndPush(wire, 'EXEC'))
      await wire.must('GET', 'a')
      await wire.must('MULTI')
      await wire.must('FLUSHDB')
      heard.push(await replyAndPush(wire, 'EXEC'))
      await wire.must('CLIENT', 'TRACKING', 'ON', 'NOLOOP')
      await wire.must('GET', 'a')
      await wire.must('SET', 'a', '1')
      heard.push(await told(wire))
      return heard
    }))

  test('redirected to a RESP2 subscriber and to a RESP3 connection', (t) =>
    sameScene(t, async (open) => {
      const { wire: subscriber, id } = await listener(open)
      const three = await open(3)
      const threeId = Number(await three.must('CLIENT', 'ID'))
      const reader = await open()
      const writer = await open()
      const heard: unknown[] = []
      await reader.must('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)
      await reader.must('GET', 'a')
      await writer.must('SET', 'a', '1')
      heard.push(await messages(subscriber))
      heard.push(Number(await reader.must('CLIENT', 'GETREDIR')) === id)
      await reader.must('CLIENT', 'TRACKING', 'ON', 'REDIRECT', threeId)
      await reader.must('GET', 'a')
      await writer.must('SET', 'a', '2')
      heard.push(await told(three), await messages(subscriber))
      await reader.must('GET', 'a')
      await writer.must('FLUSHALL')
      heard.push(await told(three))
      return heard
    }))

  test('a redirection whose target is gone', (t) =>
    sameScene(t, async (open) => {
      const target = await open(3)
      const id = Number(await target.must('CLIENT', 'ID'))
      const reader = await open(3)
      const writer = await open()
      await reader.must('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)
      await reader.must('GET', 'a')
      await target.must('QUIT')
      await target.ended()
      await writer.must('SET', 'a', '1')
      const pushes = (await told(reader)).map((push) => (push as Reply[])[0])
      const info = (await reader.must('CLIENT', 'TRACKINGINFO')) as Map<Reply, Reply>
      const line = String(await reader.must('CLIENT', 'INFO'))
      return [pushes, info.get('flags'), /flags=(\w+)/.exec(line)?.[1], Number(/redir=(\d+)/.exec(line)?.[1]) === id]
    }))

  test('BCAST collects the changes below each prefix', (t) =>
    sameScene(t, async (open) => {
      const reader = await open(3)
      const writer = await open()
      const heard: unknown[] = []
      await reader.must('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'b:', 'PREFIX', 'a:')
      await writer.must('MULTI')
      for (const key of ['b:2', 'a:2', 'a:1', 'c:1', 'b:1', 'a:2']) await writer.must('INCR', key)
      await writer.must('EXEC')
      heard.push(await told(reader))
      await reader.must('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'c:')
      await writer.must('DEL', 'c:1')
      heard.push(await told(reader))
      heard.push((await reader.must('CLIENT', 'TRACKINGINFO')) as Map<Reply, Reply>)
      await reader.must('CLIENT', 'TRACKING', 'OFF')
      await reader.must('CLIENT', 'TRACKING', 'ON', 'BCAST', 'NOLOOP')
      await reader.must('SET', 'mine', '1')
      await writer.must('SET', 'theirs', '1')
      heard.push(await told(reader))
      heard.push(/flags=(\w+)/.exec(String(await reader.must('CLIENT', 'INFO')))?.[1])
      return heard
    }))

  test('OPTIN and OPTOUT ask for each command or transaction', (t) =>
    sameScene(t, async (open) => {
      const reader = await open(3)
      const writer = await open()
      const heard: unknown[] = []
      const change = async () => {
        await writer.must('MSET', 'a', '1', 'b', '1', 'c', '1')
        heard.push((await told(reader)).map(String).sort())
      }
      await reader.must('CLIENT', 'TRACKING', 'ON', 'OPTIN')
      await reader.must('GET', 'a')
      await change()
      await reader.must('CLIENT', 'CACHING', 'YES')
      await reader.must('GET', 'a')
      await reader.must('GET', 'b')
      await change()
      await reader.must('CLIENT', 'CACHING', 'YES')
      await reader.must('MULTI')
      await reader.must('GET', 'a')
      await reader.must('GET', 'b')
      await reader.must('EXEC')
      await reader.must('GET', 'c')
      await change()
      await reader.must('CLIENT', 'TRACKING', 'OFF')
      await reader.must('CLIENT', 'TRACKING', 'ON', 'OPTOUT')
      await reader.must('CLIENT', 'CACHING', 'NO')
      await reader.must('GET', 'a')
      await reader.must('GET', 'b')
      await change()
      return heard
    }))

  test('a key that expires', (t) =>
    sameScene(t, async (open) => {
      const reader = await open(3)
      const writer = await open()
      await reader.must('CLIENT', 'TRACKING', 'ON')
      await writer.must('SET', 'a', '1', 'PX', '30')
      await reader.must('GET', 'a')
      await waitUntil(() => reader.pushes.length > 0, { what: 'the active expiry to be told' })
      return reader.pushes.splice(0)
    }))

  test('CLIENT REPLY OFF does not silence invalidations', (t) =>
    sameScene(t, async (open) => {
      const reader = await open(3)
      const writer = await open()
      await reader.must('CLIENT', 'TRACKING', 'ON')
      await reader.must('MGET', 'a', 'b')
      reader.raw('CLIENT REPLY OFF\r\nSET b 1\r\n')
      await waitUntil(() => reader.pushes.length > 0, { what: 'the own change to be told' })
      await writer.must('SET', 'a', '1')
      await waitUntil(() => reader.pushes.length > 1, { what: 'the change to be told' })
      return [await reader.send('CLIENT', 'REPLY', 'ON'), await reader.send('PING'), reader.pushes.splice(0)]
    }))

  test('a client that was blocked hears of its own change behind the reply', (t) =>
    sameScene(t, async (open) => {
      const blocked = await open(3)
      const writer = await open()
      await writer.must('RPUSH', 'list2', 'a')
      await blocked.must('CLIENT', 'TRACKING', 'ON')
      await blocked.must('LRANGE', 'list2', '0', '-1')
      const both = replyAndPush(blocked, 'BLMOVE', 'list1', 'list2', 'left', 'left', '0')
      await waitUntil(async () => (await infoField(writer, 'blocked_clients')) === '1', { what: 'BLMOVE to block' })
      await writer.must('RPUSH', 'list1', 'foo')
      return both
    }))

  test('RESET and closing turn it off; INFO counts', (t) =>
    sameScene(t, async (open) => {
      const reader = await open(3)
      const other = await open(3)
      const watcher = await open()
      const counted: unknown[] = []
      const count = async () => {
        for (const name of ['clients', 'total_keys', 'total_items', 'total_prefixes']) {
          counted.push(await infoField(watcher, `tracking_${name}`))
        }
      }
      await reader.must('CLIENT', 'TRACKING', 'ON')
      await reader.must('MGET', 'a', 'b', 'a')
      await other.must('CLIENT', 'TRACKING', 'ON')
      await other.must('GET', 'b')
      await count()
      await other.must('CLIENT', 'TRACKING', 'OFF')
      await other.must('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'x', 'PREFIX', 'y')
      await count()
      await watcher.must('SET', 'b', '1')
      await count()
      await reader.must('RESET')
      await other.close()
      await waitUntil(async () => (await infoField(watcher, 'tracking_clients')) === '0', { what: 'nobody to track' })
      await count()
      return counted
    }))

  test('the table keeps to its limit and says what it forgets', async (t) => {
    const { redis, tandem } = await startPair(t)
    for (const server of [redis, tandem]) {
      const reader = await connectFor(t, server.port, 3)
      const other = await connectFor(t, server.port)
      await other.must('FLUSHALL')
      await reader.must('CLIENT', 'TRACKING', 'ON')
      for (let i = 0; i < 250; i++) await reader.must('GET', `key${i}`)
      await other.must('CONFIG', 'SET', 'tracking-table-max-keys', '1')
      await reader.waitForPushes(249)
      assert.equal((await told(reader)).length, 249)
      assert.equal(await infoField(other, 'tracking_total_keys'), '1')
      await other.must('CONFIG', 'SET', 'tracking-table-max-keys', '1000000')
      await reader.close()
    }
  })
})
