/** The commands of Redis's group "string". */
import { arg, command, group, key, keyRange } from '../define.ts'
import { setKeys } from '../movable-keys.ts'
import * as run from './run.ts'

export const append = command({
  name: 'append',
  arity: 3,
  since: '2.0.0',
  summary: 'Append a value to a key',
  complexity:
    'O(1). The amortized time complexity is O(1) assuming the appended value is small and the already ' +
    'present value is of any size, since the dynamic string library used by Redis will double the free ' +
    'space available on every reallocation.',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'INSERT')],
  args: [arg.key(), arg.string('value')],
  run: run.appendCommand,
})

export const decr = command({
  name: 'decr',
  arity: 2,
  since: '1.0.0',
  summary: 'Decrement the integer value of a key by one',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key()],
  run: run.decrCommand,
})

export const decrby = command({
  name: 'decrby',
  arity: 3,
  since: '1.0.0',
  summary: 'Decrement the integer value of a key by the given number',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.integer('decrement')],
  run: run.decrbyCommand,
})

export const get = command({
  name: 'get',
  arity: 2,
  since: '1.0.0',
  summary: 'Get the value of a key',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key()],
  run: run.getCommand,
})

export const getdel = command({
  name: 'getdel',
  arity: 2,
  since: '6.2.0',
  summary: 'Get the value of a key and delete the key',
  complexity: 'O(1)',
  flags: ['write', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'DELETE')],
  args: [arg.key()],
  run: run.getdelCommand,
})

export const getex = command({
  name: 'getex',
  arity: -2,
  since: '6.2.0',
  summary: 'Get the value of a key and optionally set its expiration',
  complexity: 'O(1)',
  flags: ['write', 'fast'],
  keys: [{ ...key(1, 'RW', 'ACCESS', 'UPDATE'), notes: 'RW and UPDATE because it changes the TTL' }],
  args: [
    arg.key(),
    arg.oneof(
      'expiration',
      [
        arg.integer('seconds', { token: 'EX' }),
        arg.integer('milliseconds', { token: 'PX' }),
        arg.unixTime('unix-time-seconds', { token: 'EXAT' }),
        arg.unixTime('unix-time-milliseconds', { token: 'PXAT' }),
        arg.token('PERSIST'),
      ],
      { optional: true },
    ),
  ],
  run: run.getexCommand,
})

export const getrange = command({
  name: 'getrange',
  arity: 4,
  since: '2.4.0',
  summary: 'Get a substring of the string stored at a key',
  complexity:
    'O(N) where N is the length of the returned string. The complexity is ultimately determined by the ' +
    'returned length, but because creating a substring from an existing string is very cheap, it can be ' +
    'considered O(1) for small strings.',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.integer('start'), arg.integer('end')],
  run: run.getrangeCommand,
})

export const getset = command({
  name: 'getset',
  arity: 3,
  since: '1.0.0',
  summary: 'Set the string value of a key and return its old value',
  complexity: 'O(1)',
  docFlags: ['deprecated'],
  deprecatedSince: '6.2.0',
  replacedBy: '`SET` with the `!GET` argument',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.string('value')],
  run: run.getsetCommand,
})

export const incr = command({
  name: 'incr',
  arity: 2,
  since: '1.0.0',
  summary: 'Increment the integer value of a key by one',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key()],
  run: run.incrCommand,
})

export const incrby = command({
  name: 'incrby',
  arity: 3,
  since: '1.0.0',
  summary: 'Increment the integer value of a key by the given amount',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.integer('increment')],
  run: run.incrbyCommand,
})

export const incrbyfloat = command({
  name: 'incrbyfloat',
  arity: 3,
  since: '2.6.0',
  summary: 'Increment the float value of a key by the given amount',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'RW', 'ACCESS', 'UPDATE')],
  args: [arg.key(), arg.double('increment')],
  run: run.incrbyfloatCommand,
})

export const mget = command({
  name: 'mget',
  arity: -2,
  since: '1.0.0',
  summary: 'Get the values of all the given keys',
  complexity: 'O(N) where N is the number of keys to retrieve.',
  flags: ['readonly', 'fast'],
  hints: ['request_policy:multi_shard'],
  keys: [keyRange(1, -1, 1, 'RO', 'ACCESS')],
  args: [arg.key('key', { multiple: true })],
  run: run.mgetCommand,
})

export const mset = command({
  name: 'mset',
  arity: -3,
  since: '1.0.1',
  summary: 'Set multiple keys to multiple values',
  complexity: 'O(N) where N is the number of keys to set.',
  flags: ['write', 'denyoom'],
  hints: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
  keys: [keyRange(1, -1, 2, 'OW', 'UPDATE')],
  args: [arg.block('key_value', [arg.key(), arg.string('value')], { multiple: true })],
  run: run.msetCommand,
})

export const msetnx = command({
  name: 'msetnx',
  arity: -3,
  since: '1.0.1',
  summary: 'Set multiple keys to multiple values, only if none of the keys exist',
  complexity: 'O(N) where N is the number of keys to set.',
  flags: ['write', 'denyoom'],
  hints: ['request_policy:multi_shard', 'response_policy:agg_min'],
  keys: [keyRange(1, -1, 2, 'OW', 'INSERT')],
  args: [arg.block('key_value', [arg.key(), arg.string('value')], { multiple: true })],
  run: run.msetnxCommand,
})

export const psetex = command({
  name: 'psetex',
  arity: 4,
  since: '2.6.0',
  summary: 'Set the value and expiration in milliseconds of a key',
  complexity: 'O(1)',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE')],
  args: [arg.key(), arg.integer('milliseconds'), arg.string('value')],
  run: run.psetexCommand,
})

export const set = command({
  name: 'set',
  arity: -3,
  since: '1.0.0',
  summary: 'Set the string value of a key',
  complexity: 'O(1)',
  history: [
    ['2.6.12', 'Added the `EX`, `PX`, `NX` and `XX` options.'],
    ['6.0.0', 'Added the `KEEPTTL` option.'],
    ['6.2.0', 'Added the `GET`, `EXAT` and `PXAT` option.'],
    ['7.0.0', 'Allowed the `NX` and `GET` options to be used together.'],
  ],
  flags: ['write', 'denyoom'],
  keys: [
    {
      ...key(1, 'RW', 'ACCESS', 'UPDATE', 'VARIABLE_FLAGS'),
      notes: 'RW and ACCESS due to the optional `GET` argument',
    },
  ],
  getKeys: setKeys,
  args: [
    arg.key(),
    arg.string('value'),
    arg.oneof('condition', [arg.token('NX'), arg.token('XX')], { since: '2.6.12', optional: true }),
    arg.token('GET', { since: '6.2.0', optional: true }),
    arg.oneof(
      'expiration',
      [
        arg.integer('seconds', { token: 'EX', since: '2.6.12' }),
        arg.integer('milliseconds', { token: 'PX', since: '2.6.12' }),
        arg.unixTime('unix-time-seconds', { token: 'EXAT', since: '6.2.0' }),
        arg.unixTime('unix-time-milliseconds', { token: 'PXAT', since: '6.2.0' }),
        arg.token('KEEPTTL', { since: '6.0.0' }),
      ],
      { optional: true },
    ),
  ],
  run: run.setCommand,
})

export const setex = command({
  name: 'setex',
  arity: 4,
  since: '2.0.0',
  summary: 'Set the value and expiration of a key',
  complexity: 'O(1)',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'OW', 'UPDATE')],
  args: [arg.key(), arg.integer('seconds'), arg.string('value')],
  run: run.setexCommand,
})

export const setnx = command({
  name: 'setnx',
  arity: 3,
  since: '1.0.0',
  summary: 'Set the value of a key, only if the key does not exist',
  complexity: 'O(1)',
  flags: ['write', 'denyoom', 'fast'],
  keys: [key(1, 'OW', 'INSERT')],
  args: [arg.key(), arg.string('value')],
  run: run.setnxCommand,
})

export const setrange = command({
  name: 'setrange',
  arity: 4,
  since: '2.2.0',
  summary: 'Overwrite part of a string at key starting at the specified offset',
  complexity:
    'O(1), not counting the time taken to copy the new string in place. Usually, this string is very ' +
    'small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of ' +
    'the value argument.',
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [arg.key(), arg.integer('offset'), arg.string('value')],
  run: run.setrangeCommand,
})

export const strlen = command({
  name: 'strlen',
  arity: 2,
  since: '2.2.0',
  summary: 'Get the length of the value stored in a key',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key()],
  run: run.strlenCommand,
})

export const substr = command({
  name: 'substr',
  arity: 4,
  since: '1.0.0',
  summary: 'Get a substring of the string stored at a key',
  complexity:
    'O(N) where N is the length of the returned string. The complexity is ultimately determined by the ' +
    'returned length, but because creating a substring from an existing string is very cheap, it can be ' +
    'considered O(1) for small strings.',
  docFlags: ['deprecated'],
  deprecatedSince: '2.0.0',
  replacedBy: '`GETRANGE`',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.integer('start'), arg.integer('end')],
  run: run.getrangeCommand,
})

export default group('string', [
  append,
  decr,
  decrby,
  get,
  getdel,
  getex,
  getrange,
  getset,
  incr,
  incrby,
  incrbyfloat,
  mget,
  mset,
  msetnx,
  psetex,
  set,
  setex,
  setnx,
  setrange,
  strlen,
  substr,
])
