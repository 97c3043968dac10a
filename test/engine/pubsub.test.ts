import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NOTIFY_ALL, NOTIFY_GENERIC, NOTIFY_KEYEVENT, NOTIFY_KEYSPACE, NOTIFY_LIST } from '../../src/config/units.ts'
import { notifyKeyspaceEvent } from '../../src/engine/keyspace-events.ts'
import { PubSub } from '../../src/engine/pubsub.ts'
import { fakeClient } from './helpers.ts'

const HELLO = Buffer.from('hello')

test('a message reaches the subscribers of its channel and of matching patterns', () => {
  const pubsub = new PubSub()
  const a = fakeClient()
  const b = fakeClient()
  assert.equal(pubsub.subscribe(a.client, 'news.x'), true)
  assert.equal(pubsub.subscribe(a.client, 'news.x'), false)
  pubsub.psubscribe(a.client, 'news.*')
  pubsub.psubscribe(b.client, 'news.*')
  pubsub.psubscribe(b.client, 'other.*')
  assert.equal(pubsub.publish('news.x', HELLO), 3)
  const message = '*3\r\n$7\r\nmessage\r\n$6\r\nnews.x\r\n$5\r\nhello\r\n'
  const patternMessage = '*4\r\n$8\r\npmessage\r\n$6\r\nnews.*\r\n$6\r\nnews.x\r\n$5\r\nhello\r\n'
  assert.equal(a.transport.take(), message + patternMessage)
  assert.equal(b.transport.take(), patternMessage)
  assert.equal(pubsub.patterns, 2)
  assert.equal(pubsub.publish('elsewhere', HELLO), 0)
})

test('a client of RESP3 gets a push', () => {
  const pubsub = new PubSub()
  const old = fakeClient()
  const one = fakeClient()
  one.client.resp = 3
  for (const { client } of [one, old]) pubsub.subscribe(client, 'c')
  assert.equal(pubsub.publish('c', Buffer.from([0, 255, 13, 10])), 2)
  assert.equal(one.transport.take(), '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\n\0\u00ff\r\n\r\n')
  assert.equal(old.transport.take(), '*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\n\0\u00ff\r\n\r\n')
})

test('shard channels are apart, and patterns do not see them', () => {
  const pubsub = new PubSub()
  const { client, transport } = fakeClient()
  pubsub.ssubscribe(client, 'c')
  pubsub.psubscribe(client, '*')
  assert.equal(pubsub.publish('c', HELLO), 1)
  transport.take()
  assert.equal(pubsub.spublish('c', HELLO), 1)
  assert.equal(transport.take(), '*3\r\n$8\r\nsmessage\r\n$1\r\nc\r\n$5\r\nhello\r\n')
  assert.deepEqual([pubsub.channelCount, pubsub.shardChannelCount, pubsub.shardSubscribers('c')], [0, 1, 1])
})

test('a client that is gone leaves nothing behind', () => {
  const pubsub = new PubSub()
  const { client } = fakeClient()
  pubsub.subscribe(client, 'a')
  pubsub.subscribe(client, 'b')
  pubsub.ssubscribe(client, 'c')
  pubsub.psubscribe(client, 'd*')
  pubsub.unsubscribeAll(client)
  assert.equal(client.subscriptions, 0)
  assert.deepEqual([pubsub.channelCount, pubsub.shardChannelCount, pubsub.patterns], [0, 0, 0])
  assert.equal(pubsub.isSilent, true)
  assert.equal(pubsub.unsubscribe(client, 'a'), false)
})

test('keyspace events are two messages, as far as the option asks for them', () => {
  const pubsub = new PubSub()
  const { client, transport } = fakeClient()
  pubsub.psubscribe(client, '__key*')
  const key = Buffer.from('k\u00e9y', 'latin1')
  const head = '*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n'
  const keyspace = `${head}$18\r\n__keyspace@3__:k\u00e9y\r\n$3\r\ndel\r\n`
  const keyevent = `${head}$18\r\n__keyevent@3__:del\r\n$3\r\nk\u00e9y\r\n`
  notifyKeyspaceEvent(pubsub, NOTIFY_ALL | NOTIFY_KEYSPACE | NOTIFY_KEYEVENT, NOTIFY_GENERIC, 'del', key, 3)
  assert.equal(transport.take(), keyspace + keyevent)
  notifyKeyspaceEvent(pubsub, NOTIFY_ALL | NOTIFY_KEYEVENT, NOTIFY_GENERIC, 'del', key, 3)
  assert.equal(transport.take(), keyevent)
  notifyKeyspaceEvent(pubsub, NOTIFY_LIST | NOTIFY_KEYEVENT, NOTIFY_GENERIC, 'del', key, 3)
  assert.equal(transport.take(), '')
})
