/** Streams that are not what they should be, streams of other versions, and the encodings of servers long gone. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RdbError } from '../../src/rdb/format.ts'
import { Store } from '../../src/store/store.ts'
import {
  contents,
  loadBytes,
  NOW,
  put,
  rdbStream,
  rdbString,
  sampleStore,
  snapshotBytes,
  ziplist,
  zipmap,
} from './support.ts'

function failure(bytes: Buffer, options: Parameters<typeof loadBytes>[1] = {}): RdbError {
  try {
    loadBytes(bytes, options)
  } catch (error) {
    assert.ok(error instanceof RdbError, String(error))
    return error
  }
  return assert.fail('it was loaded')
}

function only(bytes: Buffer) {
  const entries = contents(loadBytes(bytes).store)
  assert.equal(entries.length, 1)
  return entries[0]!
}

/** A double as RDB 8 and later have it. */
function double(value: number): Buffer {
  const out = Buffer.alloc(8)
  out.writeDoubleLE(value)
  return out
}

describe('versions', () => {
  it('1 to 12 are read', () => {
    for (let version = 1; version <= 12; version++) {
      assert.deepEqual(only(rdbStream(version, 0, rdbString('k'), rdbString('v'))).content, {
        type: 'string',
        value: 'v',
      })
    }
  })

  it("Valkey's 80 is read", () => {
    const bytes = Buffer.concat([
      Buffer.from('VALKEY080'),
      Buffer.from([0]),
      rdbString('k'),
      rdbString('v'),
      Buffer.from([255]),
      Buffer.alloc(8),
    ])
    const { store, log } = loadBytes(bytes)
    assert.equal(store.keys, 1)
    assert.ok(log.includes('warning RDB file was saved with checksum disabled: no check performed.'))
  })

  it('others are refused before anything is touched', () => {
    for (const [header, code, text] of [
      ['REDIS0000', 'RDB_VERSION', "Can't handle RDB format version 0"],
      ['REDIS0013', 'RDB_VERSION', "Can't handle RDB format version 13"],
      ['VALKEY012', 'RDB_VERSION', "Can't handle RDB format version 12"],
      ['REDISabcd', 'RDB_VERSION', "Can't handle RDB format version 0"],
      ['RADIS0010', 'RDB_SIGNATURE', 'Wrong signature trying to load DB from file'],
    ]) {
      const error = failure(Buffer.concat([Buffer.from(header!), Buffer.from([255]), Buffer.alloc(8)]))
      assert.equal(error.code, code)
      assert.equal(error.reason, text)
    }
  })
})

describe('broken streams', () => {
  it('cut anywhere are an error that says where, in any chunking', () => {
    const store = new Store(16)
    put(store, 0, 'string', { type: 'string', value: 'value of the string' }, NOW + 1000)
    put(store, 3, 'hash', {
      type: 'hash',
      value: [
        ['field', 'value'],
        ['other', '17'],
      ],
    })
    put(store, 3, 'list', { type: 'list', value: ['a', 'b'] })
    put(store, 4, 'set', { type: 'set', value: ['a', 'b'] })
    put(store, 4, 'zset', { type: 'zset', value: [['a', 1]] })
    put(store, 4, 'long', { type: 'string', value: 'abc'.repeat(100) })
    const bytes = snapshotBytes(store)
    for (let length = 0; length < bytes.length; length++) {
      for (const chunkBytes of [1, 1000]) {
        const error = failure(bytes.subarray(0, length), { chunkBytes })
        assert.equal(error.code, 'RDB_TRUNCATED', error.message)
        assert.ok(error.offset <= length)
        assert.match(error.message, /Unexpected EOF reading RDB file at offset \d+ while reading \S/)
      }
    }
  })

  it('name the key and the type', () => {
    const error = failure(rdbStream(10, 2, rdbString('set of two'), 2, rdbString('a'), rdbString('a')))
    assert.equal(error.reason, 'Duplicate set members detected')
    assert.equal(error.key?.toString(), 'set of two')
    assert.equal(error.type, 2)
    assert.match(error.message, /the value of key 'set of two' \(type 2, set\)/)
  })

  it('modules and hashes with expiring fields are refused by name', () => {
    for (const type of [6, 7, 22, 24, 25]) {
      const error = failure(rdbStream(12, type, rdbString('the key'), rdbString('anything')))
      assert.equal(error.code, 'RDB_UNSUPPORTED')
      assert.equal(error.type, type)
      assert.match(error.message, new RegExp(`key 'the key' \\(type ${type}, `))
    }
  })

  it('a type that nobody writes is corruption', () => {
    for (const type of [8, 26, 100, 243]) assert.equal(failure(rdbStream(12, type, rdbString('k'))).code, 'RDB_CORRUPT')
  })

  it('a wrong checksum is an error, unless it is off or not asked for', () => {
    const bytes = snapshotBytes(sampleStore())
    bytes[bytes.length - 1]! ^= 1
    assert.equal(failure(bytes).reason, 'RDB CRC error')
    assert.ok(loadBytes(bytes, { checksum: false }).store.keys > 0)
  })

  it('a database that is not configured and a key that comes twice are errors', () => {
    const database = failure(rdbStream(10, 254, 20, 0, rdbString('k'), rdbString('v')))
    assert.equal(database.code, 'RDB_DATABASE')
    assert.match(database.reason, /more than 16 databases/)
    const twice = failure(rdbStream(10, 0, rdbString('k'), rdbString('v'), 0, rdbString('k'), rdbString('w')))
    assert.equal(twice.code, 'RDB_DUPLICATE_KEY')
    assert.match(twice.reason, /duplicated key 'k' in DB 0/)
  })

  it('lengths that lie allocate nothing', () => {
    const huge = Buffer.from([0x81, 0, 0, 0, 10, 0, 0, 0, 0])
    const large = Buffer.from([0x80, 0xff, 0xff, 0xff, 0])
    const before = process.memoryUsage()
    for (const type of [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 16, 17, 18, 20]) {
      for (const length of [huge, large]) {
        const error = failure(rdbStream(10, type, rdbString('k'), length, Buffer.alloc(100, 1)))
        assert.ok(['RDB_TRUNCATED', 'RDB_CORRUPT'].includes(error.code), error.message)
      }
      // LZF of three bytes that claims four gigabytes.
      const lzf = Buffer.concat([Buffer.from([0xc3, 3]), large, Buffer.from([0, 0, 0])])
      if (![1, 2, 3, 4, 5, 14, 18].includes(type))
        assert.equal(failure(rdbStream(10, type, rdbString('k'), lzf)).code, 'RDB_CORRUPT')
    }
    const after = process.memoryUsage()
    assert.ok(after.external - before.external < 64 * 1024 * 1024)
  })

  it('changed bytes never crash or hang it', () => {
    const bytes = snapshotBytes(smallStore())
    const changes = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(changes, fc.constantFrom(1, 50, bytes.length), (positions, chunkBytes) => {
        const changed = Buffer.from(bytes)
        for (const [position, byte] of positions) changed[position] = byte
        try {
          contents(loadBytes(changed, { chunkBytes, checksum: false, keepExpired: true }).store)
        } catch (error) {
          assert.ok(error instanceof RdbError, (error as Error).stack ?? '')
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('random bytes behind a header never crash or hang it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        try {
          loadBytes(Buffer.concat([Buffer.from('REDIS0010'), noise]), { chunkBytes: 7 })
        } catch (error) {
          assert.ok(error instanceof RdbError, String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })
})

function smallStore(): Store {
  const store = new Store(16)
  put(store, 0, 'string', { type: 'string', value: 'x'.repeat(30) }, NOW + 1000)
  put(store, 0, 'list', { type: 'list', value: ['a', '1', 'ccc'] })
  put(store, 1, 'ints', { type: 'set', value: ['1', '2', '70000'] })
  put(store, 1, 'set', { type: 'set', value: ['a', 'b'] })
  put(store, 2, 'hash', {
    type: 'hash',
    value: [
      ['f', 'v'],
      ['g', '7'],
    ],
  })
  put(store, 2, 'zset', {
    type: 'zset',
    value: [
      ['a', 1],
      ['b', 2.5],
    ],
  })
  return store
}

describe('encodings of older servers', () => {
  const list = [
    'a',
    '5',
    'b'.repeat(300),
    '-129',
    '40000',
    '-9000000',
    '9223372036854775807',
    'x'.repeat(20_000),
    '12',
    '13',
  ]
  const packed = ziplist([
    'a',
    5,
    'b'.repeat(300),
    -129,
    40000,
    -9000000,
    9223372036854775807n,
    'x'.repeat(20_000),
    12,
    13,
  ])

  it('a list of elements', () => {
    const { content } = only(rdbStream(6, 1, rdbString('k'), 3, rdbString('a'), Buffer.from([0xc0, 5]), rdbString('')))
    assert.deepEqual(content, { type: 'list', value: ['a', '5', ''] })
  })

  it('a list as one ziplist, and as several', () => {
    assert.deepEqual(only(rdbStream(6, 10, rdbString('k'), rdbString(packed))).content, { type: 'list', value: list })
    const several = rdbStream(
      9,
      14,
      rdbString('k'),
      3,
      rdbString(packed),
      rdbString(ziplist([])),
      rdbString(ziplist(['end'])),
    )
    assert.deepEqual(only(several).content, { type: 'list', value: [...list, 'end'] })
  })

  it('a list with plain nodes', () => {
    const bytes = rdbStream(10, 18, rdbString('k'), 2, 1, rdbString('one element'), 1, rdbString('12'))
    assert.deepEqual(only(bytes).content, { type: 'list', value: ['one element', '12'] })
  })

  it('a hash as zipmap and as ziplist', () => {
    const expected = {
      type: 'hash',
      value: [
        ['f', '1'],
        ['g', 'y'.repeat(300)],
      ],
    }
    for (const unused of [0, 3]) {
      const bytes = rdbStream(2, 9, rdbString('k'), rdbString(zipmap(['f', '1', 'g', 'y'.repeat(300)], unused)))
      assert.deepEqual(only(bytes).content, expected)
    }
    const bytes = rdbStream(8, 13, rdbString('k'), rdbString(ziplist(['f', 1, 'g', 'y'.repeat(300)])))
    assert.deepEqual(only(bytes).content, expected)
  })

  it('a sorted set with scores as text, and as ziplist', () => {
    const scores = [rdbString('1.5'), Buffer.from([254]), Buffer.from([255])]
    const bytes = rdbStream(
      6,
      3,
      rdbString('k'),
      3,
      rdbString('a'),
      scores[0]!,
      rdbString('b'),
      scores[1]!,
      rdbString('c'),
      scores[2]!,
    )
    const expected = [
      ['a', 1.5],
      ['b', Number.POSITIVE_INFINITY],
      ['c', Number.NEGATIVE_INFINITY],
    ]
    assert.deepEqual(only(bytes).content, { type: 'zset', value: expected })
    const packedSet = rdbStream(6, 12, rdbString('k'), rdbString(ziplist(['a', '1.5', 'b', 7])))
    assert.deepEqual(only(packedSet).content, {
      type: 'zset',
      value: [
        ['a', 1.5],
        ['b', 7],
      ],
    })
  })

  it('a sorted set with a score that is no number is refused', () => {
    assert.match(failure(rdbStream(6, 3, rdbString('k'), 1, rdbString('a'), 253)).reason, /NAN/)
    assert.match(failure(rdbStream(8, 5, rdbString('k'), 1, rdbString('a'), double(Number.NaN))).reason, /NAN/)
  })

  it('expire times in seconds, and empty values, which are left out', () => {
    const seconds = Buffer.alloc(4)
    seconds.writeInt32LE(1_800_000_000)
    const { expireAt } = only(rdbStream(2, 253, seconds, 0, rdbString('k'), rdbString('v')))
    assert.equal(expireAt, 1_800_000_000_000)
    const empty = loadBytes(
      rdbStream(9, 2, rdbString('e'), 0, 4, rdbString('f'), 0, 10, rdbString('g'), rdbString(ziplist([]))),
    )
    assert.equal(empty.store.keys, 0)
    assert.equal(empty.loader.emptyKeysSkipped, 3)
    assert.ok(empty.log.includes('warning Done loading RDB, keys loaded: 0, keys expired: 0, empty keys skipped: 3.'))
  })

  it('packed values that are not well formed are refused at every byte', () => {
    const sound = ziplist(['field', 'value', 'g', 70000])
    for (let at = 0; at < sound.length; at++) {
      const changed = Buffer.from(sound)
      changed[at]! ^= 0x81
      try {
        contents(loadBytes(rdbStream(8, 13, rdbString('k'), rdbString(changed))).store)
      } catch (error) {
        assert.ok(error instanceof RdbError, String(error))
      }
    }
  })
})

describe('what this server has no use for', () => {
  it('functions are handed over, module data are passed over with a warning', () => {
    const function2 = [245, rdbString('#!lua name=x\n')]
    const preGa = [246, rdbString('name'), rdbString('LUA'), 1, rdbString('what it does'), rdbString('code')]
    const module = [
      247,
      Buffer.from([0x81, 1, 2, 3, 4, 5, 6, 7, 8]),
      2,
      1,
      2,
      5,
      5,
      rdbString('data'),
      4,
      double(1),
      3,
      Buffer.alloc(4),
      0,
    ]
    const slot = [244, 1, 2, 3]
    const bytes = rdbStream(12, ...function2, ...preGa, ...module, ...slot, 0, rdbString('k'), rdbString('v'))
    for (const chunkBytes of [1, 1000]) {
      const { store, log, libraries } = loadBytes(bytes, { chunkBytes })
      assert.equal(store.keys, 1)
      assert.deepEqual(libraries, ['#!lua name=x\n', '#!LUA name=name\ncode'])
      assert.equal(log.filter((line) => line.startsWith('warning Skipping')).length, 1)
    }
  })

  it('bytes behind the end are given back', () => {
    const bytes = Buffer.concat([rdbStream(10, 0, rdbString('k'), rdbString('v')), Buffer.from('*1\r\n$4\r\nPING\r\n')])
    for (const chunkBytes of [1, 5, 1000]) {
      assert.equal(loadBytes(bytes, { chunkBytes }).loader.reader.rest.toString(), '*1\r\n$4\r\nPING\r\n')
    }
  })
})
