/** Publish and subscribe over the wire, against redis-server. */
import { suite, test } from 'node:test'
import { differential } from '../support/differential.ts'
import type { Wire } from '../support/wire.ts'
import { type Open, sameScene } from './transcript.ts'

/** The next `count` messages, which come as replies in RESP2 and as pushes in RESP3. */
async function messages(wire: Wire, protocol: 2 | 3, count: number): Promise<unknown[]> {
  if (protocol === 3) {
    await wire.waitForPushes(count)
    return wire.pushes.splice(0, count)
  }
  const received: unknown[] = []
  for (let i = 0; i < count; i++) received.push(await wire.next())
  return received
}

/** Sends a command that is answered by `count` messages. */
async function subscribe(wire: Wire, protocol: 2 | 3, count: number, ...args: string[]): Promise<unknown[]> {
  wire.raw(`${args.join(' ')}\r\n`)
  return messages(wire, protocol, count)
}

function inBoth(name: string, scene: (open: Open, protocol: 2 | 3) => Promise<unknown>): void {
  for (const protocol of [2, 3] as const) {
    test(`RESP${protocol}: ${name}`, (t) => sameScene(t, (open) => scene(open, protocol)))
  }
}

suite('pubsub', () => {
  test('replies of a connection that subscribes to nothing', async (t) => {
    await differential(t, [
      'PUBLISH nobody hello',
      'SPUBLISH nobody hello',
      'PUBLISH nobody',
      'PUBSUB CHANNELS',
      'PUBSUB CHANNELS a b',
      'PUBSUB CHANNELS x*',
      'PUBSUB NUMSUB',
      'PUBSUB NUMSUB a b a',
      'PUBSUB NUMPAT',
      'PUBSUB NUMPAT x',
      'PUBSUB SHARDCHANNELS',
      'PUBSUB SHARDNUMSUB a b',
      'PUBSUB HELP',
      'PUBSUB NOSUCH',
      'PUBSUB',
      'UNSUBSCRIBE',
      'PUNSUBSCRIBE',
      'UNSUBSCRIBE a',
      'SUBSCRIBE',
      'PSUBSCRIBE',
    ])
  })

  inBoth('subscriptions are counted and messages arrive in order', async (open, protocol) => {
    const subscriber = await open(protocol)
    const publisher = await open()
    const seen = [
      await subscribe(subscriber, protocol, 3, 'SUBSCRIBE', 'a', 'b', 'a'),
      await subscribe(subscriber, protocol, 2, 'PSUBSCRIBE', 'a*', 'x?'),
      await subscribe(subscriber, protocol, 2, 'SSUBSCRIBE', 'a', 'z'),
      await publisher.send('PUBLISH', 'a', 'one'),
      await publisher.send('PUBLISH', 'ab', Buffer.from([0, 13, 10, 255])),
      await publisher.send('SPUBLISH', 'z', 'two'),
      await messages(subscriber, protocol, 4),
      await publisher.send('PUBSUB', 'NUMSUB', 'a', 'b', 'c'),
      await publisher.send('PUBSUB', 'NUMPAT'),
      await publisher.send('PUBSUB', 'SHARDNUMSUB', 'a', 'b'),
      await subscribe(subscriber, protocol, 2, 'UNSUBSCRIBE', 'a', 'nosuch'),
      await subscribe(subscriber, protocol, 2, 'PUNSUBSCRIBE', 'a*', 'x?'),
      await subscribe(subscriber, protocol, 1, 'SUNSUBSCRIBE', 'a'),
      await subscribe(subscriber, protocol, 1, 'UNSUBSCRIBE'),
      await subscribe(subscriber, protocol, 1, 'SUNSUBSCRIBE'),
      await subscribe(subscriber, protocol, 1, 'SUNSUBSCRIBE'),
      await publisher.send('PUBLISH', 'a', 'three'),
      await subscriber.send('PING'),
    ]
    return seen
  })

  inBoth('a subscriber may run few commands in RESP2 and all in RESP3', async (open, protocol) => {
    const subscriber = await open(protocol)
    await subscribe(subscriber, protocol, 1, 'SUBSCRIBE', 'a')
    const replies = await subscriber.pipeline([
      ['PING'],
      ['PING', 'text'],
      ['GET', 'a'],
      ['CLIENT', 'ID', 'x'],
      ['MULTI'],
      ['DISCARD'],
      ['RESET'],
      ['PING'],
    ])
    return replies
  })

  inBoth('a client that publishes to itself gets the message before the reply', async (open, protocol) => {
    const wire = await open(protocol)
    await subscribe(wire, protocol, 1, 'SUBSCRIBE', 'a')
    if (protocol === 2) return 'refused in RESP2'
    return [await wire.send('PUBLISH', 'a', 'x'), await messages(wire, protocol, 1)]
  })

  inBoth('subscriptions in a transaction answer in its array', async (open, protocol) => {
    const wire = await open(protocol)
    await wire.pipeline([['MULTI'], ['SET', 'k', 'v'], ['SSUBSCRIBE', 'b'], ['GET', 'k']])
    return await wire.send('EXEC')
  })

  inBoth('subscribing is answered even when replies are off', async (open, protocol) => {
    const subscriber = await open(protocol)
    const publisher = await open()
    subscriber.raw('CLIENT REPLY OFF\r\n')
    const seen = [await subscribe(subscriber, protocol, 1, 'SUBSCRIBE', 'a')]
    await publisher.send('PUBLISH', 'a', 'x')
    seen.push(await messages(subscriber, protocol, 1), await subscribe(subscriber, protocol, 1, 'UNSUBSCRIBE', 'a'))
    return seen
  })

  inBoth('keyspace events tell the event and the key', async (open, protocol) => {
    const subscriber = await open(protocol)
    const wire = await open()
    await wire.must('CONFIG', 'SET', 'notify-keyspace-events', 'KEA')
    await subscribe(subscriber, protocol, 1, 'PSUBSCRIBE', '__key*')
    await wire.pipeline([
      ['SET', 'foo', 'bar'],
      ['SELECT', '3'],
      ['SET', 'x', '1', 'EX', '100'],
      ['DEL', 'x'],
    ])
    const seen = await messages(subscriber, protocol, 8)
    await wire.must('CONFIG', 'SET', 'notify-keyspace-events', '')
    return seen
  })

  test('a closed connection is no subscriber any more', (t) =>
    sameScene(t, async (open) => {
      const subscriber = await open()
      const publisher = await open()
      await subscribe(subscriber, 2, 1, 'SUBSCRIBE', 'gone')
      const before = await publisher.send('PUBLISH', 'gone', 'x')
      await subscriber.close()
      let count = await publisher.send('PUBLISH', 'gone', 'x')
      while (count !== 0) count = await publisher.send('PUBLISH', 'gone', 'x')
      return [before, count, await publisher.send('PUBSUB', 'CHANNELS')]
    }))
})
