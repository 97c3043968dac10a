/** GEORADIUS and GEORADIUSBYMEMBER, which may write, and their variants that only read. */
import type { Call } from '../call.ts'
import { arg, command, key, keywordKey } from '../define.ts'
import { georadiusKeys } from '../movable-keys.ts'
import type { SearchCommand } from './options.ts'
import { runSearch } from './search.ts'

const AROUND: SearchCommand = { kind: 'coordinates', source: 1, stores: 'optionally' }
const AROUND_READ_ONLY: SearchCommand = { kind: 'coordinates', source: 1, stores: 'never' }
const AROUND_MEMBER: SearchCommand = { kind: 'member', source: 1, stores: 'optionally' }
const AROUND_MEMBER_READ_ONLY: SearchCommand = { kind: 'member', source: 1, stores: 'never' }

export const georadius = command({
  name: 'georadius',
  arity: -6,
  since: '3.2.0',
  summary:
    'Query a sorted set representing a geospatial index to fetch members matching a given maximum ' +
    'distance from a point',
  complexity:
    'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area ' +
    'delimited by center and radius and M is the number of items inside the index.',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument',
  history: [
    ['6.2.0', 'Added the `ANY` option for `COUNT`.'],
    ['7.0.0', 'Added support for uppercase unit names.'],
  ],
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RO', 'ACCESS'), keywordKey('STORE', 6, 'OW', 'UPDATE'), keywordKey('STOREDIST', 6, 'OW', 'UPDATE')],
  getKeys: georadiusKeys,
  args: [
    arg.key(),
    arg.double('longitude'),
    arg.double('latitude'),
    arg.double('radius'),
    arg.oneof('unit', [arg.token('M'), arg.token('KM'), arg.token('FT'), arg.token('MI')]),
    arg.token('WITHCOORD', { optional: true }),
    arg.token('WITHDIST', { optional: true }),
    arg.token('WITHHASH', { optional: true }),
    arg.block(
      'count',
      [arg.integer('count', { token: 'COUNT' }), arg.token('ANY', { since: '6.2.0', optional: true })],
      { optional: true },
    ),
    arg.oneof('order', [arg.token('ASC'), arg.token('DESC')], { optional: true }),
    arg.key('key', { token: 'STORE', keySpec: 1, optional: true }),
    arg.key('key', { token: 'STOREDIST', keySpec: 2, optional: true }),
  ],
  run: (call: Call) => runSearch(call, AROUND),
})

export const georadiusRo = command({
  name: 'georadius_ro',
  arity: -6,
  since: '3.2.10',
  summary: 'A read-only variant for GEORADIUS',
  complexity:
    'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area ' +
    'delimited by center and radius and M is the number of items inside the index.',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`GEOSEARCH` with the `BYRADIUS` argument',
  history: [['6.2.0', 'Added the `ANY` option for `COUNT`.']],
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.double('longitude'),
    arg.double('latitude'),
    arg.double('radius'),
    arg.oneof('unit', [arg.token('M'), arg.token('KM'), arg.token('FT'), arg.token('MI')]),
    arg.token('WITHCOORD', { optional: true }),
    arg.token('WITHDIST', { optional: true }),
    arg.token('WITHHASH', { optional: true }),
    arg.block(
      'count',
      [arg.integer('count', { token: 'COUNT' }), arg.token('ANY', { since: '6.2.0', optional: true })],
      { optional: true },
    ),
    arg.oneof('order', [arg.token('ASC'), arg.token('DESC')], { optional: true }),
  ],
  run: (call: Call) => runSearch(call, AROUND_READ_ONLY),
})

export const georadiusbymember = command({
  name: 'georadiusbymember',
  arity: -5,
  since: '3.2.0',
  summary:
    'Query a sorted set representing a geospatial index to fetch members matching a given maximum ' +
    'distance from a member',
  complexity:
    'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area ' +
    'delimited by center and radius and M is the number of items inside the index.',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments',
  history: [['7.0.0', 'Added support for uppercase unit names.']],
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RO', 'ACCESS'), keywordKey('STORE', 5, 'OW', 'UPDATE'), keywordKey('STOREDIST', 5, 'OW', 'UPDATE')],
  getKeys: georadiusKeys,
  args: [
    arg.key(),
    arg.string('member'),
    arg.double('radius'),
    arg.oneof('unit', [arg.token('M'), arg.token('KM'), arg.token('FT'), arg.token('MI')]),
    arg.token('WITHCOORD', { optional: true }),
    arg.token('WITHDIST', { optional: true }),
    arg.token('WITHHASH', { optional: true }),
    arg.block('count', [arg.integer('count', { token: 'COUNT' }), arg.token('ANY', { optional: true })], {
      optional: true,
    }),
    arg.oneof('order', [arg.token('ASC'), arg.token('DESC')], { optional: true }),
    arg.key('key', { token: 'STORE', keySpec: 1, optional: true }),
    arg.key('key', { token: 'STOREDIST', keySpec: 2, optional: true }),
  ],
  run: (call: Call) => runSearch(call, AROUND_MEMBER),
})

export const georadiusbymemberRo = command({
  name: 'georadiusbymember_ro',
  arity: -5,
  since: '3.2.10',
  summary: 'A read-only variant for GEORADIUSBYMEMBER',
  complexity:
    'O(N+log(M)) where N is the number of elements inside the bounding box of the circular area ' +
    'delimited by center and radius and M is the number of items inside the index.',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.string('member'),
    arg.double('radius'),
    arg.oneof('unit', [arg.token('M'), arg.token('KM'), arg.token('FT'), arg.token('MI')]),
    arg.token('WITHCOORD', { optional: true }),
    arg.token('WITHDIST', { optional: true }),
    arg.token('WITHHASH', { optional: true }),
    arg.block('count', [arg.integer('count', { token: 'COUNT' }), arg.token('ANY', { optional: true })], {
      optional: true,
    }),
    arg.oneof('order', [arg.token('ASC'), arg.token('DESC')], { optional: true }),
  ],
  run: (call: Call) => runSearch(call, AROUND_MEMBER_READ_ONLY),
})
