import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client } from '../../src/commands/client.ts'
import { Blocked } from '../../src/engine/blocked.ts'
import { Request } from '../../src/resp/request.ts'
import { TYPE_LIST, TYPE_STREAM, TYPE_STRING, TYPE_ZSET } from '../../src/store/record.ts'
import { Store } from '../../src/store/store.ts'
import { waitUntil } from '../support/wait-until.ts'
import { commandNamed, fakeClient, put, remove } from './helpers.ts'

/** Lists of elements by key; a client's command pops one, and its key goes with the last. */
class Lists {
  readonly store = new Store(4)
  readonly elements = new Map<string, string[]>()
  readonly served: string[] = []
  readonly errors: string[] = []
  now = 1000
  /** Called after a client was served. */
  onServed: (client: Client) => void = () => {}
  readonly blocked: Blocked = new Blocked({
    store: this.store,
    run: (client, command, request) => this.#run(client, command.name, request),
    now: () => this.now,
    countError: (text) => void this.errors.push(text),
  })

  block(client: Client, names: string[], timeoutMs = 0, name = 'blpop'): void {
    const keys = names.map((key) => Buffer.from(key, 'latin1'))
    const request = Request.of([name, ...names])
    const database = this.store.databases[client.db]!
    this.blocked.onKeys(client, database, keys, request, commandNamed(name), timeoutMs, (reply) => reply.nullArray())
  }

  push(name: string, ...elements: string[]): void {
    this.elements.set(name, [...(this.elements.get(name) ?? []), ...elements])
    put(this.store, 0, name, TYPE_LIST)
    this.blocked.keyReady(this.store.databases[0]!, Buffer.from(name, 'latin1'))
  }

  #run(client: Client, command: string, request: Request): boolean {
    const names: string[] = []
    for (let i = 1; i < request.argc; i++) names.push(request.latin1(i))
    for (const name of names) {
      const list = this.elements.get(name)
      if (list === undefined) continue
      this.served.push(`${client.id}:${list.shift()}`)
      if (list.length === 0) {
        this.elements.delete(name)
        remove(this.store.databases[0]!, name)
      }
      this.onServed(client)
      return true
    }
    this.block(client, names, 0, command)
    return false
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('clients are served in the order in which they blocked, as far as the elements go', async () => {
  const lists = new Lists()
  const [a, b, c] = [fakeClient(), fakeClient(), fakeClient()]
  for (const { client } of [a, b, c]) lists.block(client, ['k'])
  assert.equal(lists.blocked.count, 3)
  lists.push('k', 'x', 'y')
  assert.equal(lists.blocked.hasReadyKeys, true)
  lists.blocked.serveReady()
  assert.deepEqual(lists.served, [`${a.client.id}:x`, `${b.client.id}:y`])
  assert.deepEqual([a.client.isBlocked, b.client.isBlocked, c.client.isBlocked], [false, false, true])
  assert.equal(lists.blocked.count, 1)
  assert.equal(a.transport.resumed, 0, 'not before the batch that is being run is done')
  await turn()
  assert.deepEqual([a.transport.resumed, b.transport.resumed, c.transport.resumed], [1, 1, 0])
})

test('keys are served in the order in which they became ready, and those that serving makes ready too', () => {
  const lists = new Lists()
  const [a, b, c] = [fakeClient().client, fakeClient().client, fakeClient().client]
  lists.block(a, ['first'])
  lists.block(b, ['second', 'first'])
  lists.block(c, ['third'])
  lists.onServed = (client) => {
    if (client === b) lists.push('third', 'z')
  }
  lists.push('second', 'y')
  lists.push('first', 'x')
  lists.blocked.serveReady()
  assert.deepEqual(lists.served, [`${b.id}:y`, `${a.id}:x`, `${c.id}:z`])
  assert.equal(lists.blocked.count, 0)
})

test('a client that is not served keeps its place and its deadline', () => {
  const lists = new Lists()
  const [a, b] = [fakeClient(), fakeClient()]
  lists.block(a.client, ['k'], 100)
  lists.block(b.client, ['k'], 200)
  put(lists.store, 0, 'k', TYPE_LIST)
  lists.blocked.keyReady(lists.store.databases[0]!, Buffer.from('k'))
  lists.blocked.serveReady()
  assert.deepEqual([a.client.isBlocked, b.client.isBlocked, lists.blocked.timeoutCount], [true, true, 2])
  lists.push('k', 'x')
  lists.blocked.serveReady()
  assert.deepEqual(lists.served, [`${a.client.id}:x`])
  lists.blocked.expire(1199)
  assert.equal(b.transport.output, '')
  lists.blocked.expire(1200)
  assert.equal(b.transport.output, '*-1\r\n')
  assert.deepEqual([lists.blocked.count, lists.blocked.timeoutCount], [0, 0])
  lists.blocked.stop()
})

test('a key of another type than the one waited for, or one that is gone again, serves nobody', () => {
  const lists = new Lists()
  const { client } = fakeClient()
  const database = lists.store.databases[0]!
  lists.block(client, ['k'])
  for (const type of [TYPE_ZSET, TYPE_STRING]) {
    put(lists.store, 0, 'k', type)
    lists.blocked.keyReady(database, Buffer.from('k'))
    lists.blocked.serveReady()
  }
  remove(database, 'k')
  lists.blocked.keyReady(database, Buffer.from('k'))
  lists.blocked.serveReady()
  assert.equal(client.isBlocked, true)
  assert.deepEqual(lists.served, [])
  lists.push('k', 'x')
  lists.blocked.serveReady()
  assert.equal(client.isBlocked, false)
})

test('a reader of a group hears that its stream is gone', () => {
  const lists = new Lists()
  const database = lists.store.databases[0]!
  const [deleted, flushed, plain] = [fakeClient(), fakeClient(), fakeClient()]
  put(lists.store, 0, 's', TYPE_STREAM)
  put(lists.store, 0, 't', TYPE_STREAM)
  lists.block(deleted.client, ['s'], 0, 'xreadgroup')
  lists.block(flushed.client, ['t'], 0, 'xreadgroup')
  lists.block(plain.client, ['s'], 0, 'xread')
  assert.equal(lists.blocked.watchers, 2)
  remove(database, 's')
  lists.blocked.keyChanged(database, Buffer.from('s'))
  lists.blocked.serveReady()
  const gone = '-UNBLOCKED the stream key no longer exists\r\n'
  assert.deepEqual([deleted.transport.output, flushed.transport.output], [gone, ''])
  remove(database, 't')
  lists.blocked.flushed(database)
  lists.blocked.serveReady()
  assert.equal(flushed.transport.output, gone)
  assert.deepEqual([plain.client.isBlocked, lists.blocked.watchers, lists.errors.length], [true, 0, 2])
})

test('queues stay with the number of their database when two are exchanged', () => {
  const lists = new Lists()
  const [first, second] = [lists.store.databases[0]!, lists.store.databases[1]!]
  const { client } = fakeClient()
  client.db = 1
  lists.block(client, ['k'])
  lists.push('k', 'x')
  lists.blocked.serveReady()
  assert.equal(client.isBlocked, true)
  lists.store.databases[0] = second
  lists.store.databases[1] = first
  first.id = 1
  second.id = 0
  lists.blocked.swapped(first, second)
  assert.equal(lists.blocked.hasReadyKeys, true)
})

test('CLIENT UNBLOCK answers by the timeout or by an error', () => {
  const lists = new Lists()
  const [a, b, c] = [fakeClient(), fakeClient(), fakeClient()]
  for (const { client } of [a, b]) lists.block(client, ['k'], 50)
  assert.equal(lists.blocked.timeOut(a.client), true)
  assert.equal(lists.blocked.timeOut(a.client), false)
  assert.equal(
    lists.blocked.unblock(b.client, (reply) => reply.error('UNBLOCKED client unblocked')),
    true,
  )
  assert.equal(
    lists.blocked.unblock(c.client, (reply) => reply.ok()),
    false,
  )
  assert.deepEqual([a.transport.output, b.transport.output], ['*-1\r\n', '-UNBLOCKED client unblocked\r\n'])
  assert.deepEqual(lists.errors, ['UNBLOCKED client unblocked'])
  lists.push('k', 'x')
  assert.equal(lists.blocked.hasReadyKeys, false)
  lists.blocked.stop()
})

test('a client that disconnects is not served and not answered', async () => {
  const lists = new Lists()
  const { client, transport } = fakeClient()
  lists.block(client, ['k'], 50)
  lists.blocked.disconnected(client)
  assert.deepEqual([lists.blocked.count, lists.blocked.timeoutCount], [0, 0])
  lists.push('k', 'x')
  lists.blocked.serveReady()
  await turn()
  assert.deepEqual([lists.served.length, transport.output, transport.resumed], [0, '', 0])
  lists.blocked.stop()
})

test('a server that becomes a replica answers all with an error and closes them', () => {
  const lists = new Lists()
  const [a, b] = [fakeClient(), fakeClient()]
  lists.block(a.client, ['k'])
  lists.blocked.onEvent(b.client, 0, (reply) => reply.integer(0))
  lists.blocked.roleChanged()
  const text = '-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n'
  for (const { client, transport } of [a, b]) {
    assert.deepEqual([transport.output, transport.closed, client.isBlocked], [text, 'after-replies', false])
  }
})

test('the timer answers by itself, in the protocol of the client', async () => {
  const { transport, client } = fakeClient()
  client.resp = 3
  const blocked = new Blocked({ store: new Store(1), run: () => true })
  const keepAlive = setInterval(() => undefined, 1000)
  blocked.onEvent(client, 60_000, (reply) => reply.ok())
  const other = fakeClient()
  blocked.onEvent(other.client, 10, (reply) => reply.nullArray())
  await waitUntil(() => other.transport.output !== '')
  blocked.disconnected(client)
  blocked.onEvent(client, 5, (reply) => reply.nullArray())
  await waitUntil(() => transport.output !== '')
  clearInterval(keepAlive)
  assert.deepEqual([other.transport.output, transport.output], ['*-1\r\n', '_\r\n'])
  blocked.stop()
})
