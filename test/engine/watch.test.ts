import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Watches } from '../../src/engine/watch.ts'
import { TYPE_STRING } from '../../src/store/record.ts'
import { Store } from '../../src/store/store.ts'
import { fakeClient, put, remove } from './helpers.ts'

const NOW = 1_000_000

function setUp() {
  const store = new Store(4)
  return { store, watches: new Watches(store, () => NOW), db: store.databases[0]!, other: store.databases[1]! }
}

const bytes = (text: string) => Buffer.from(text, 'latin1')

test('a change of a watched key fails its watchers once and forgets their watches', () => {
  const { watches, db, other } = setUp()
  const a = fakeClient().client
  const b = fakeClient().client
  watches.watch(a, db, 'x', false)
  watches.watch(a, db, 'x', false)
  watches.watch(a, db, 'y', false)
  watches.watch(b, db, 'y', false)
  assert.equal(watches.count, 3)
  watches.touched(other, bytes('x'))
  watches.touched(db, bytes('z'))
  assert.deepEqual([a.watchFailed, b.watchFailed], [false, false])
  watches.touched(db, bytes('x'))
  assert.deepEqual([a.watchFailed, b.watchFailed, watches.count, a.watched.length], [true, false, 1, 0])
  watches.unwatchAll(b)
  assert.equal(watches.count, 0)
  watches.touched(db, bytes('y'))
  assert.equal(b.watchFailed, false)
})

test('a key that had expired before WATCH may go; what comes after that counts', () => {
  const { store, watches, db } = setUp()
  const { client } = fakeClient()
  put(store, 0, 'x', TYPE_STRING, NOW - 1)
  watches.watch(client, db, 'x', true)
  remove(db, 'x')
  watches.touched(db, bytes('x'))
  assert.equal(client.watchFailed, false)
  put(store, 0, 'x')
  watches.touched(db, bytes('x'))
  assert.equal(client.watchFailed, true)
})

test('a flush fails watchers of keys that exist', () => {
  const { store, watches, db } = setUp()
  const [missing, present, stale] = [fakeClient().client, fakeClient().client, fakeClient().client]
  put(store, 0, 'present')
  put(store, 0, 'stale', TYPE_STRING, NOW - 1)
  watches.watch(missing, db, 'missing', false)
  watches.watch(present, db, 'present', false)
  watches.watch(stale, db, 'stale', true)
  watches.touchAll(db)
  assert.deepEqual([missing.watchFailed, present.watchFailed, stale.watchFailed], [false, true, false])
  assert.equal(stale.watched[0]!.expired, false)
})

test('watches stay with the number of their database when two are exchanged', () => {
  const { store, watches, db, other } = setUp()
  const [quiet, gone, comes, expires] = [fakeClient(), fakeClient(), fakeClient(), fakeClient()].map((f) => f.client)
  put(store, 0, 'gone')
  put(store, 1, 'comes')
  put(store, 1, 'expires', TYPE_STRING, NOW - 1)
  watches.watch(quiet!, db, 'quiet', false)
  watches.watch(gone!, db, 'gone', false)
  watches.watch(comes!, db, 'comes', false)
  watches.watch(expires!, db, 'expires', false)
  watches.swapped(db, other)
  store.databases[0] = other
  store.databases[1] = db
  other.id = 0
  db.id = 1
  const failed = [quiet!, gone!, comes!, expires!].map((client) => client.watchFailed)
  assert.deepEqual(failed, [false, true, true, false])
  assert.equal(expires!.watched[0]!.expired, true)
  assert.equal(quiet!.watched[0]!.keyspace, other)
  watches.touched(other, bytes('quiet'))
  assert.equal(quiet!.watchFailed, true)
  for (const client of [gone!, comes!, expires!]) watches.unwatchAll(client)
  assert.equal(watches.count, 0)
})
