/** GEOSEARCH and GEOSEARCHSTORE: all in options. */
import type { Call } from '../call.ts'
import { arg, command, key } from '../define.ts'
import type { SearchCommand } from './options.ts'
import { runSearch } from './search.ts'

const SEARCH: SearchCommand = { kind: 'options', source: 1, stores: 'never' }
const SEARCH_AND_STORE: SearchCommand = { kind: 'options', source: 2, stores: 'always' }

export const geosearch = command({
  name: 'geosearch',
  arity: -7,
  since: '6.2.0',
  summary:
    'Query a sorted set representing a geospatial index to fetch members inside an area of a box or a ' + 'circle.',
  complexity:
    'O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the ' +
    'shape provided as the filter and M is the number of items inside the shape',
  history: [['7.0.0', 'Added support for uppercase unit names.']],
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.oneof('from', [
      arg.string('member', { token: 'FROMMEMBER' }),
      arg.block('longitude_latitude', [arg.double('longitude'), arg.double('latitude')], { token: 'FROMLONLAT' }),
    ]),
    arg.oneof('by', [
      arg.block('circle', [
        arg.double('radius', { token: 'BYRADIUS' }),
        arg.oneof('unit', [arg.token('M'), arg.token('KM'), arg.token('FT'), arg.token('MI')]),
      ]),
      arg.block('box', [
        arg.double('width', { token: 'BYBOX' }),
        arg.double('height'),
        arg.oneof('unit', [arg.token('M'), arg.token('KM'), arg.token('FT'), arg.token('MI')]),
      ]),
    ]),
    arg.oneof('order', [arg.token('ASC'), arg.token('DESC')], { optional: true }),
    arg.block('count', [arg.integer('count', { token: 'COUNT' }), arg.token('ANY', { optional: true })], {
      optional: true,
    }),
    arg.token('WITHCOORD', { optional: true }),
    arg.token('WITHDIST', { optional: true }),
    arg.token('WITHHASH', { optional: true }),
  ],
  run: (call: Call) => runSearch(call, SEARCH),
})

export const geosearchstore = command({
  name: 'geosearchstore',
  arity: -8,
  since: '6.2.0',
  summary:
    'Query a sorted set representing a geospatial index to fetch members inside an area of a box or a ' +
    'circle, and store the result in another key.',
  complexity:
    'O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the ' +
    'shape provided as the filter and M is the number of items inside the shape',
  history: [['7.0.0', 'Added support for uppercase unit names.']],
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE'), key(2, 'RO', 'ACCESS')],
  args: [
    arg.key('destination'),
    arg.key('source', { keySpec: 1 }),
    arg.oneof('from', [
      arg.string('member', { token: 'FROMMEMBER' }),
      arg.block('longitude_latitude', [arg.double('longitude'), arg.double('latitude')], { token: 'FROMLONLAT' }),
    ]),
    arg.oneof('by', [
      arg.block('circle', [
        arg.double('radius', { token: 'BYRADIUS' }),
        arg.oneof('unit', [arg.token('M'), arg.token('KM'), arg.token('FT'), arg.token('MI')]),
      ]),
      arg.block('box', [
        arg.double('width', { token: 'BYBOX' }),
        arg.double('height'),
        arg.oneof('unit', [arg.token('M'), arg.token('KM'), arg.token('FT'), arg.token('MI')]),
      ]),
    ]),
    arg.oneof('order', [arg.token('ASC'), arg.token('DESC')], { optional: true }),
    arg.block('count', [arg.integer('count', { token: 'COUNT' }), arg.token('ANY', { optional: true })], {
      optional: true,
    }),
    arg.token('STOREDIST', { optional: true }),
  ],
  run: (call: Call) => runSearch(call, SEARCH_AND_STORE),
})
