/** What is written is what is read: every type and encoding, any chunking, DUMP payloads, and one instant while writes go on. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Crc64 } from '../../src/bytes/crc64.ts'
import { hashBytes } from '../../src/bytes/siphash.ts'
import { dumpValue, restoreValue, storeRestored, verifyPayload } from '../../src/rdb/dump-payload.ts'
import { RdbError } from '../../src/rdb/format.ts'
import { Snapshot } from '../../src/rdb/snapshot.ts'
import { NO_EXPIRE } from '../../src/store/record.ts'
import { Store } from '../../src/store/store.ts'
import {
  type Content,
  configWith,
  contentOf,
  contents,
  loadBytes,
  NOW,
  put,
  remove,
  sampleStore,
  snapshotBytes,
} from './support.ts'

describe('a snapshot', () => {
  for (const settings of ['', 'rdbcompression no', 'rdbchecksum no', 'rdbcompression no\nrdbchecksum no']) {
    it(`loads as it was (${settings.replace('\n', ', ') || 'defaults'})`, () => {
      const store = sampleStore()
      const { store: loaded, loader } = loadBytes(snapshotBytes(store, settings))
      assert.deepEqual(contents(loaded), contents(store))
      assert.equal(loader.keysLoaded, store.keys)
    })
  }

  it('keeps encodings', () => {
    const store = sampleStore()
    const { store: loaded } = loadBytes(snapshotBytes(store))
    const encodings = (from: Store) => {
      const found: [string, number][] = []
      for (const db of from.databases) {
        db.index.visit(0, db.size, (ref) => found.push([from.key(ref).toString('latin1'), from.encoding(ref)]))
      }
      return found.sort(([a], [b]) => (a < b ? -1 : 1))
    }
    assert.deepEqual(encodings(loaded), encodings(store))
  })

  it('loads the same from chunks of any size', () => {
    const store = sampleStore()
    const bytes = snapshotBytes(store)
    const expected = contents(store)
    for (const chunkBytes of [3, 100, 4096, 65_537]) {
      assert.deepEqual(contents(loadBytes(bytes, { chunkBytes }).store), expected, `chunks of ${chunkBytes}`)
    }
  })

  it('of an empty store is a header and an end', () => {
    const { store, log } = loadBytes(snapshotBytes(new Store(16)))
    assert.equal(store.keys, 0)
    assert.ok(log.includes('notice Done loading RDB, keys loaded: 0, keys expired: 0.'))
  })

  it('carries its replication history', () => {
    const chunks: Buffer[] = []
    const aux = { replid: 'ab'.repeat(20), offset: 2 ** 40 + 7, streamDb: 3 }
    new Snapshot(sampleStore(), {
      config: configWith(''),
      now: NOW,
      aux,
      onChunk: (chunk) => chunks.push(chunk),
    }).finish()
    const { loader } = loadBytes(Buffer.concat(chunks))
    assert.equal(loader.info.replid, aux.replid)
    assert.equal(loader.info.offset, aux.offset)
    assert.equal(loader.info.streamDb, aux.streamDb)
    assert.equal(loader.info.version, '7.0.15')
  })

  it('leaves out expired keys on a primary and keeps them on a replica', () => {
    const store = new Store(16)
    put(store, 0, 'gone', { type: 'string', value: 'x' }, NOW - 1)
    put(store, 0, 'alive', { type: 'string', value: 'x' }, NOW + 1)
    const bytes = snapshotBytes(store)
    const primary = loadBytes(bytes)
    assert.deepEqual(
      contents(primary.store).map(({ key }) => key),
      ['alive'],
    )
    assert.equal(primary.loader.keysExpired, 1)
    const replica = loadBytes(bytes, { keepExpired: true })
    assert.deepEqual(contents(replica.store), contents(store))
  })

  it('saves idle times and frequencies under policies that use them', () => {
    for (const policy of ['allkeys-lru', 'allkeys-lfu']) {
      const store = sampleStore()
      const loaded = loadBytes(snapshotBytes(store, `maxmemory-policy ${policy}`))
      assert.deepEqual(contents(loaded.store), contents(store))
    }
  })

  it('is of one instant, whatever is written meanwhile', () => {
    const operation = fc.record({
      steps: fc.integer({ min: 0, max: 3 }),
      database: fc.constantFrom(0, 1),
      key: fc.integer({ min: 0, max: 400 }),
      kind: fc.constantFrom('put', 'remove', 'expire', 'hash'),
    })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const store = new Store(2)
        for (let i = 0; i < 300; i++) put(store, i % 2, `key-${i}`, { type: 'string', value: `old-${i}` })
        const before = contents(store)
        const chunks: Buffer[] = []
        const snapshot = new Snapshot(store, {
          config: configWith(''),
          now: NOW,
          onChunk: (chunk) => chunks.push(chunk),
        })
        for (const { steps, database, key, kind } of operations) {
          if (steps > 0) snapshot.step(1000, steps)
          const name = `key-${key}`
          if (kind === 'remove') remove(store, database, name)
          else if (kind === 'expire') put(store, database, name, { type: 'string', value: 'new' }, NOW + 5)
          else if (kind === 'hash') put(store, database, name, { type: 'hash', value: [['a', 'b']] })
          else put(store, database, name, { type: 'string', value: 'new and longer than it was before' })
        }
        snapshot.finish()
        assert.deepEqual(contents(loadBytes(Buffer.concat(chunks)).store), before)
      }),
      { numRuns: 30 },
    )
  })

  it('fails when the databases are emptied under it', () => {
    const store = sampleStore()
    let failure: unknown
    const snapshot = new Snapshot(store, {
      config: configWith(''),
      now: NOW,
      onChunk: () => undefined,
      onEnd: () => assert.fail('it is not complete'),
      onError: (error) => {
        failure = error
      },
    })
    snapshot.step(1000, 2)
    store.walk?.abort()
    store.clear()
    assert.equal(snapshot.step(1000), false)
    assert.match(String(failure), /emptied/)
    assert.equal(snapshot.isLost, true)
  })

  it('ends when its receiver fails, and leaves the store usable', () => {
    const store = sampleStore()
    const fail = () => {
      throw new Error('no space')
    }
    const snapshot = new Snapshot(store, { config: configWith('rdbcompression no'), now: NOW, onChunk: fail })
    assert.throws(() => snapshot.finish(), /no space/)
    assert.equal(store.walk, null)
    assert.deepEqual(contents(loadBytes(snapshotBytes(store)).store), contents(sampleStore()))
  })
})

const text = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 80,
})
const unique = fc.uniqueArray(text, { minLength: 1, maxLength: 60 })
const scores = fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value))
const value: fc.Arbitrary<Content> = fc.oneof(
  fc.oneof(text, fc.integer().map(String)).map((content): Content => ({ type: 'string', value: content })),
  fc.array(text, { minLength: 1, maxLength: 60 }).map((content): Content => ({ type: 'list', value: content })),
  fc
    .oneof(unique, fc.uniqueArray(fc.maxSafeInteger().map(String), { minLength: 1, maxLength: 60 }))
    .map((content): Content => ({ type: 'set', value: content })),
  unique.map((fields): Content => ({ type: 'hash', value: fields.map((field, i) => [field, `${field}${i}`]) })),
  fc
    .tuple(unique, fc.array(scores, { minLength: 60, maxLength: 60 }))
    .map(([members, values]): Content => ({ type: 'zset', value: members.map((member, i) => [member, values[i]!]) })),
)

describe('a DUMP payload', () => {
  it('restores to the value that it was made of', () => {
    const key = Buffer.from('k')
    const hash = hashBytes(key, 0, 1)
    fc.assert(
      fc.property(value, (content) => {
        const store = new Store(1)
        put(store, 0, 'k', content)
        const db = store.databases[0]!
        const before = contents(store)
        const payload = dumpValue(store, db.findKey(key))
        const restored = restoreValue(payload)
        assert.ok(restored)
        db.remove(hash, db.findKey(key))
        const ref = storeRestored(db, hash, key, restored, NO_EXPIRE)
        assert.deepEqual(contentOf(store, ref), before[0]!.content)
        assert.deepEqual(contents(store), before)
      }),
      { numRuns: 300 },
    )
  })

  it('is refused when any byte of it is another', () => {
    const store = new Store(1)
    put(store, 0, 'k', { type: 'hash', value: [['field', 'value']] })
    const payload = dumpValue(store, store.databases[0]!.findKey(Buffer.from('k')))
    for (let at = 0; at < payload.length; at++) {
      const changed = Buffer.from(payload)
      changed[at]! ^= 0x10
      assert.equal(restoreValue(changed), undefined, `byte ${at}`)
    }
    assert.equal(restoreValue(Buffer.alloc(0)), undefined)
    assert.equal(restoreValue(payload.subarray(1)), undefined)
  })

  it('with a good checksum and bad contents throws an RdbError, or is a value that can be stored', () => {
    const store = sampleStore()
    const payloads: Buffer[] = []
    for (const db of store.databases) db.index.visit(0, db.size, (ref) => payloads.push(dumpValue(store, ref)))
    const small = payloads.filter((payload) => payload.length < 2000)
    const key = Buffer.from('k')
    fc.assert(
      fc.property(
        fc.constantFrom(...small),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (payload, position, change) => {
          const changed = resealed(payload, position % (payload.length - 10), change)
          assert.ok(verifyPayload(changed))
          const target = new Store(1)
          try {
            const restored = restoreValue(changed)!
            const ref = storeRestored(target.databases[0]!, hashBytes(key, 0, 1), key, restored, NO_EXPIRE)
            contentOf(target, ref)
            dumpValue(target, ref)
          } catch (error) {
            assert.ok(error instanceof RdbError, String(error))
            assert.ok(error.offset <= changed.length)
          }
        },
      ),
      { numRuns: 3000 },
    )
  })
})

/** One byte changed, and the checksum made good again. */
function resealed(payload: Buffer, at: number, change: number): Buffer {
  const changed = Buffer.from(payload)
  changed[at] = changed[at]! ^ change
  const crc = new Crc64()
  crc.update(changed, 0, changed.length - 8)
  crc.writeLE(changed, changed.length - 8)
  return changed
}
