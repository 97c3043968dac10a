/**
 * The order in which the streams of two shards are applied to one copy, where it matters: a key that MIGRATE takes from one
 * to the other. A relay before each node holds its stream back. Keyspace events of the proxy are the witness: they tell
 * each change of the copy, however short.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { keySlot } from '../../src/bytes/key-slot.ts'
import { addArrivals } from '../../src/proxy/cluster/shard-stream.ts'
import { Request } from '../../src/resp/request.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { proxyField } from '../support/proxy.ts'
import { LAST_SLOT, startRelayedPair } from '../support/relayed-pair.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, type Wire } from '../support/wire.ts'

const file = fileCleanup()
/** Of `{tag}…`, which the first node has. */
const SLOT = 8338

/** A slot with keys is on its way from one node to the other; and a proxy. */
async function start() {
  const pair = await startRelayedPair(file)
  const { from } = pair
  const args = ['--proxy-upstream', `cluster://127.0.0.1:${from.relay.port}`, '--notify-keyspace-events', 'KA']
  const tandem = await startTandem(file, { args })
  const proxy = await connectFor(file, tandem.port)
  await waitUntil(async () => (await proxyField(proxy, 'copy_ready')) === '1', { timeoutMs: 20_000, what: 'the copy' })
  await from.wire.must('MSET', '{tag}a', 1, '{tag}b', 2, '{tag}c', 3, '{tag}d', 4)
  await from.wire.must('SADD', '{tag}s', 1, 2)
  await from.wire.must('SADD', '{tag}u', 3)
  await waitUntil(async () => (await proxy.must('DBSIZE')) === 6, { what: 'the keys' })
  await pair.opens(SLOT)
  const events = await connectFor(file, tandem.port)
  await events.must('PSUBSCRIBE', '__keyspace@0__:*')
  return { ...pair, proxy, events }
}

/** What happened to keys of the copy up to (not including) this event, as `key event`. */
async function eventsUntil(events: Wire, last: string): Promise<string[]> {
  const seen: string[] = []
  for (;;) {
    const [, , channel, event] = (await events.next()) as [string, string, string, string]
    const text = `${channel.slice(channel.indexOf(':') + 1)} ${event}`
    if (text === last) return seen
    seen.push(text)
  }
}

/** Reads a key again and again, so that what has come to the proxy is gone through: it has to be there all the time. */
async function stays(proxy: Wire, key: string, value: string): Promise<void> {
  for (let i = 0; i < 50; i++) assert.equal(await proxy.must('GET', key), value)
}

function keyOf(slot: number): string {
  for (let i = 0; ; i++) {
    const key = Buffer.from(`key:${i}`)
    if (keySlot(key, 0, key.length) === slot) return key.toString()
  }
}

/** A key of the second node. */
const MARK = keyOf(LAST_SLOT)

describe('a key that goes from one shard to another', () => {
  const started = start()

  it('may be removed where it is, though the other shard does not say whether it has come there', async () => {
    const { from, to, proxy, events } = await started
    const key = keyOf(0)
    process.kill(to.node.pid, 'SIGSTOP')
    try {
      // Together within the time for one.
      for (let i = 0; i < 10; i++) {
        await from.wire.must('SET', key, i)
        await waitUntil(async () => (await proxy.must('EXISTS', key)) === 1, { timeoutMs: 2000, what: 'the key' })
        await from.wire.must('DEL', key)
        await waitUntil(async () => (await proxy.must('EXISTS', key)) === 0, { timeoutMs: 2000, what: 'its removal' })
        assert.deepEqual(await eventsUntil(events, `${key} del`), [`${key} set`])
      }
    } finally {
      process.kill(to.node.pid, 'SIGCONT')
    }
  })

  it('is there all the time, though the stream that it arrives in is late', async () => {
    const { to, proxy, events, migrate } = await started
    // Of the first nobody has said that keys are on their way.
    to.relay.freezeReplicas()
    await migrate('{tag}a')
    await stays(proxy, '{tag}a', '1')
    to.relay.thaw()
    await waitUntil(async () => (await proxyField(proxy, 'keys_on_their_way')) === '1', { what: 'the first key' })
    to.relay.freezeReplicas()
    await migrate('{tag}b', '{tag}c')
    await stays(proxy, '{tag}b', '2')
    await stays(proxy, '{tag}c', '3')
    to.relay.thaw()
    await to.wire.must('SET', MARK, 'mark')
    assert.deepEqual(await eventsUntil(events, `${MARK} set`), ['{tag}a restore', '{tag}b restore', '{tag}c restore'])
  })

  it('is there all the time, though its arrival waits behind something else', async () => {
    const { from, to, proxy, events, migrate } = await started
    const others = [`{${MARK}}1`, `{${MARK}}2`] as const
    for (const other of others) await to.wire.must('SET', other, 1)
    await eventsUntil(events, `${others[1]} set`)
    from.relay.freezeReplicas()
    to.relay.freezeReplicas()
    for (const other of others) await to.wire.must('DEL', other)
    await migrate('{tag}d')
    await to.wire.must('SET', MARK, 'c')
    from.relay.thaw()
    await stays(proxy, '{tag}d', '4')
    // The arrival comes in one piece with removals, which ask how far the first stream is.
    to.relay.thaw()
    assert.deepEqual(await eventsUntil(events, `${MARK} set`), [
      `${others[0]} del`,
      `${others[1]} del`,
      '{tag}d restore',
    ])
  })

  it('arrives behind what its former shard did with it and others', async () => {
    const { from, to, proxy, events, migrate } = await started
    from.relay.freezeReplicas()
    await from.wire.must('SUNIONSTORE', '{tag}u', '{tag}s')
    await migrate('{tag}s')
    await stays(proxy, '{tag}a', '1')
    from.relay.thaw()
    await to.wire.must('SET', MARK, 'mark')
    assert.deepEqual(await eventsUntil(events, `${MARK} set`), ['{tag}u sunionstore', '{tag}s restore'])
    assert.deepEqual(await proxy.must('SMEMBERS', '{tag}u'), ['1', '2'])
  })

  it('waits, as all that shards send, while CLIENT PAUSE holds writes back', async () => {
    const { from, proxy } = await started
    await proxy.must('CLIENT', 'PAUSE', 60_000, 'WRITE')
    await from.wire.must('SET', keyOf(0), 1)
    for (let i = 0; i < 50; i++) assert.equal(await proxy.must('DBSIZE'), 7)
    await proxy.must('CLIENT', 'UNPAUSE')
    await waitUntil(async () => (await proxy.must('DBSIZE')) === 8, { what: 'the write' })
  })
})

describe('arrivals in a stream', () => {
  it('are found by their keys, once these are whole', () => {
    const restore = (key: string) => Request.of(['RESTORE-ASKING', key, '0', 'payload\r\n']).buf
    const [first, second] = [restore('one'), restore('a\r\nb')]
    const stream = Buffer.concat([first, Request.of(['SET', 'two', '2']).buf, second])
    const found = (end: number) => {
      const keys = new Set<string>()
      addArrivals(stream.subarray(0, end), keys)
      return [...keys]
    }
    assert.deepEqual(found(stream.length), ['one', 'a\r\nb'])
    const whole = stream.indexOf('a\r\nb') + 4
    for (let end = first.length; end < whole; end++) assert.deepEqual(found(end), ['one'])
    assert.deepEqual(found(whole), ['one', 'a\r\nb'])
    for (let end = 0; end < stream.indexOf('one') + 3; end++) assert.deepEqual(found(end), [])
  })
})
