/**
 * The values that arguments are given. Mostly small and few, so that commands meet what earlier ones wrote, then limits and
 * nonsense. What matters by an argument's name is told by name: an offset that would make a string of 512 MB, a count that
 * would answer 2^31 elements, a time that is over while the test runs, are nowhere in the pools.
 */
import { createHash } from 'node:crypto'
import type { Draw } from '../commands/random-steps.ts'
import { LIBRARY_PAYLOAD, PAYLOADS } from './payloads.ts'

/** What is known of the command that is being generated. */
export interface Context {
  /** 'zadd', 'xgroup|create' */
  name: string
  group: string
  /** Grows with every command of a sequence. */
  position: number
  /** Keys so far in this command's last list of keys. */
  keys: number
}

export type Value = (draw: Draw, context: Context) => string

/** Values of a list are each as likely; a value that is more likely is in it more than once. */
function pool(...values: string[]): Value {
  return (draw) => draw.of(values)
}

/** `rare` once in `n`, else `usual`. */
function mostly(usual: Value, rare: Value, n = 8): Value {
  return (draw, context) => (draw.below(n) === 0 ? rare(draw, context) : usual(draw, context))
}

export const LONG_TEXT = 'x'.repeat(16_400)
const OVER_LISTPACK = 'y'.repeat(65)

/** Not only integers: also what nearly is one. */
export const LIMITS: readonly string[] = [
  '0',
  '1',
  '-1',
  '2147483647',
  '2147483648',
  '-2147483649',
  '9007199254740991',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '-9223372036854775809',
  '18446744073709551615',
  '1.5',
  'abc',
  '',
  ' 1',
  '1 ',
  '+1',
  '01',
  '-0',
  '1e3',
  '0x10',
]

const DOUBLES: readonly string[] = [
  '0.1',
  '-0.1',
  '3.0000000000000001',
  '1e308',
  '-1e308',
  '1.7976931348623157e308',
  // No subnormal one: reading it sets errno, which SORT takes for an error.
  '1e-300',
  'inf',
  '-inf',
  '+inf',
  'Infinity',
  'nan',
  '1e400',
  '1.',
  '.5',
  '-0.0',
  '1e5',
  '123456789.123456789',
  '0.30000000000000004',
  '1e21',
  '1e-7',
]

const KEYS: Readonly<Record<string, readonly string[]>> = {
  string: ['s1', 's2', 's3', 'n1', 'n2'],
  bitmap: ['b1', 'b2', 's1', 'n1'],
  list: ['l1', 'l2', 'l3'],
  set: ['t1', 't2', 't3', 'i1', 'i2'],
  hash: ['h1', 'h2', 'h3'],
  'sorted-set': ['z1', 'z2', 'z3', 'z4'],
  stream: ['x1', 'x2', 'x3'],
  hyperloglog: ['p1', 'p2', 'p3'],
  geo: ['g1', 'g2', 'g3', 'z1'],
}
const ANY_KEY = [...new Set(Object.values(KEYS).flat()), 'missing', '', 'k\0\r\n\xff', 'a:1', '{t}x']

export const key: Value = (draw, context) => {
  const own = KEYS[context.group]
  return own === undefined || draw.below(10) === 0 ? draw.of(ANY_KEY) : draw.of(own)
}

const MEMBERS = ['a', 'b', 'c', 'd', 'm1', 'm2', 'm3', 'Aa', '0', '1', '2', '3', '5', '10', '-7', '300', '70000']
const ODD = ['', '\0', 'a\r\nb', '\xff\xfe\0\x01', 'é', 'with space', '"quoted"', OVER_LISTPACK, '$5', '*']

export const text: Value = (draw) => {
  const at = draw.below(100)
  if (at < 70) return draw.of(MEMBERS)
  if (at < 78) return draw.of(LIMITS)
  if (at < 85) return draw.of(DOUBLES)
  if (at < 93) return draw.of(ODD)
  if (at < 94) return LONG_TEXT
  return String(draw.below(1000))
}

const member: Value = mostly((draw) => draw.of(MEMBERS), text, 6)
const limit: Value = (draw) => draw.of(LIMITS)
/** Not the least, of which BITFIELD of redis 7.0 takes the overflow for one upwards. */
const notLeast: Value = (draw) => draw.of(LIMITS.filter((value) => value !== '-9223372036854775808'))
const small: Value = (draw) => String(draw.below(14) - 3)
export const integer: Value = mostly(small, limit, 4)
const count: Value = mostly((draw) => String(draw.below(6)), limit, 5)
/** Of commands that answer as many elements as a negative count says. */
const randomCount: Value = pool(
  '0',
  '1',
  '2',
  '5',
  '-1',
  '-3',
  '1000',
  '9223372036854775807',
  '9223372036854775808',
  'a',
)
export const double: Value = mostly(
  (draw) => draw.of(['1', '2', '3', '-1', '0', '1.5', '2.25']),
  (draw, context) => (draw.below(3) === 0 ? limit(draw, context) : draw.of(DOUBLES)),
)

/** Far enough, and no two alike, so that which of two times is the later does not depend on the test's speed. */
const seconds: Value = mostly(
  (draw, context) => String(10_000_000 + context.position * 10_000 + draw.below(9000)),
  pool('0', '-1', '-100', '9223372036854775807', '-9223372036854775808', '9223372036854775', 'abc', '', '1.5'),
  4,
)
const milliseconds: Value = mostly(
  (draw, context) => String(10_000_000_000 + context.position * 10_000_000 + draw.below(9000)),
  pool('0', '-1', '-100000', '9223372036854775807', '-9223372036854775808', '9223372036854775808', 'abc', '', '1.5'),
  4,
)
const unixSeconds: Value = mostly(
  (draw, context) => String(5_000_000_000 + context.position * 10_000 + draw.below(9000)),
  pool('0', '-1', '1', '1000000000', '9223372036854775807', '-9223372036854775808', 'abc', ''),
  4,
)
const unixMilliseconds: Value = mostly(
  (draw, context) => String(5_000_000_000_000 + context.position * 10_000_000 + draw.below(9000)),
  pool('0', '-1', '1', '1000000000000', '9223372036854775807', '-9223372036854775808', 'abc', ''),
  4,
)
/** Never 0, which is for ever: shrinking may take such a command out of its MULTI. */
const timeout: Value = pool('0.001', '0.01', '0.01', '-1', 'abc', '', 'nan', '1e400', '9223372036854775808')

const bitOffset: Value = mostly(
  (draw) => String(draw.below(draw.below(10) === 0 ? 100_000 : 70)),
  pool('-1', '4294967296', '9223372036854775807', 'abc', '', '18446744073709551616'),
)
const fieldOffset: Value = mostly(bitOffset, (draw) => `#${draw.below(9)}`, 3)
const fieldType: Value = mostly(
  pool('u1', 'u8', 'i8', 'u4', 'i5', 'u16', 'i16', 'u32', 'i32', 'u63', 'i64', 'U8', 'I8'),
  pool('u64', 'i65', 'u0', 'i0', 'x8', 'u', '', '8', 'u8x', 'u-1'),
  10,
)
const byteOffset: Value = mostly(
  (draw) => String(draw.below(draw.below(20) === 0 ? 40_000 : 30)),
  pool('-1', '536870912', '2147483648', '9223372036854775807', 'abc', ''),
)
const bit: Value = mostly(pool('0', '1'), pool('2', '-1', 'a', '', '01', '256', '4294967296'), 8)

const scoreBound: Value = mostly(
  pool('-inf', '+inf', 'inf', '0', '1', '2', '3', '(1', '(2', '(-1', '1.5', '(1.5', '-1'),
  pool('(inf', '(-inf', '(nan', 'nan', 'abc', '(', '', '[1', '1e400', '(1e308', '((1', '+', '-'),
  10,
)
const lexBound: Value = mostly(
  pool('-', '+', '[a', '(a', '[b', '(m2', '[m', '[', '(', '[1', '(zz', '-', '+'),
  pool('a', '', '1', '-inf', '--', '+1', '[\0', '(\xff'),
  10,
)
const pattern: Value = pool('*', '*', 's*', '?1', '[a-m]*', 'm?', 'h[^1]', '\\*', '', 'nothing', '[a-', '*[1-2]', '**1')

const streamId: Value = mostly(
  (draw, context) =>
    draw.of([
      '0',
      '0-1',
      '1',
      '1-1',
      `${1 + draw.below(context.position + 1)}`,
      `${1 + draw.below(context.position + 1)}-${draw.below(3)}`,
      `${context.position}-1`,
    ]),
  pool(
    '0-0',
    '-',
    '+',
    '$',
    '>',
    '(1',
    '(1-1',
    '(-',
    '18446744073709551615-18446744073709551615',
    'abc',
    '1-',
    '-1',
    '',
    '1-1-1',
    '1-a',
    '18446744073709551616-1',
    '1 -1',
  ),
  12,
)
const newStreamId: Value = mostly(
  (draw, context) =>
    draw.of([`${context.position + 1}-${draw.below(3)}`, `${context.position + 1}-*`, `${context.position + 1}`]),
  streamId,
  10,
)
const rangeId: Value = mostly(pool('-', '+', '-', '+'), streamId, 2)
/** Counters that Tandem keeps as numbers: beyond 2^53 they are not exact. */
// Small enough to be added to: a counter is a double here, and rounds beyond 2^53.
const entries: Value = pool('0', '1', '2', '5', '100', '9007199254700000', '-1', 'abc', '', '9223372036854775808')
const group: Value = pool('g1', 'g1', 'g1', 'g1', 'g1', 'g1', 'g2', 'none')
const consumer: Value = pool('alice', 'alice', 'bob', 'carol', '')
const idle: Value = mostly(pool('0'), pool('1000000000000', '-1', 'abc', ''))

const longitude: Value = mostly(
  (draw) => `${draw.below(40)}.${draw.below(10_000)}`,
  pool('-180', '180', '180.1', '-181', '0', '13.361389', '1e-5', 'abc', '', 'nan', '-122.4194', '179.999999'),
  5,
)
const latitude: Value = mostly(
  (draw) => `${draw.below(40)}.${draw.below(10_000)}`,
  pool('85.05112878', '-85.05112878', '85.06', '-90', '0', '38.115556', 'abc', '', 'inf', '37.7749'),
  5,
)
const distance: Value = mostly(
  pool('1', '100', '1000', '2000', '500.5', '5000'),
  pool('0', '-1', '1e10', '1e-3', 'abc', '', 'nan', 'inf', '20000000', '1e308'),
  8,
)

const SCRIPTS: readonly string[] = [
  'return 1',
  'return KEYS[1]',
  'return {KEYS[1],KEYS[2],ARGV[1],ARGV[2]}',
  "return redis.call('get',KEYS[1])",
  "return redis.call('set',KEYS[1],ARGV[1])",
  "return redis.pcall('incr',KEYS[1])",
  "return redis.call('incrby',KEYS[1],ARGV[1])",
  'return redis.call(unpack(ARGV))',
  'return {1,2,{3,"x"},nil,4}',
  'return {err="MY error"}',
  'return {ok="fine"}',
  'return redis.error_reply("MY err")',
  'return redis.error_reply("-MY err")',
  'return redis.status_reply("fine")',
  'error("boom")',
  'error({err="ERR of a table"})',
  'return 3.99',
  'return -3.99',
  'return tostring(3.99)',
  'return false',
  'return true',
  'return nil',
  'return {double=3.5}',
  'return {map={a=1}}',
  'return {false,true,1.5,"x"}',
  'return #ARGV + #KEYS',
  "redis.call('select',ARGV[1] or '1') return redis.call('dbsize')",
  'return cjson.encode({1,2,"a",{b=ARGV[1]}})',
  'return cjson.decode(ARGV[1] or "[1,2]")',
  'return redis.sha1hex(ARGV[1] or "")',
  'return cmsgpack.unpack(cmsgpack.pack({1,"a",ARGV[1]}))',
  'return struct.pack(">I2h", 258, -2)',
  'return bit.band(tonumber(ARGV[1]) or 7, 5)',
  'syntax error here(',
  'x = 1',
  'return y',
  '#!lua flags=no-writes\nreturn redis.call("set",KEYS[1],1)',
  '#!lua name=x\nreturn 1',
  '#!lua\nreturn redis.call("get",KEYS[1])',
  '#!python\nreturn 1',
  "local r = redis.pcall('lpush',KEYS[1],'a') if r.err then return 'E:' .. r.err end return r",
  "redis.setresp(3) return redis.call('zscore',KEYS[1],'a')",
  "redis.setresp(3) return redis.call('hget',KEYS[1],'a')",
  "return redis.call('lrange',KEYS[1],0,-1)",
  "return redis.call('zrange',KEYS[1],0,-1,'withscores')",
  "redis.call('del',KEYS[1]) redis.call('rpush',KEYS[1],unpack(ARGV)) return redis.call('llen',KEYS[1])",
  "return redis.call('blpop',KEYS[1],'0')",
  "return redis.call('nosuch')",
  "return redis.call('get')",
  'return redis.call()',
  'return {redis.call("type",KEYS[1])}',
  'return redis.pcall("hset",KEYS[1],"a","b")["err"]',
  'return redis.replicate_commands()',
  'return redis.set_repl(redis.REPL_ALL)',
  'return string.rep("a",70)',
  'return math.floor(tonumber(ARGV[1]) or 2.5)',
  'local t = {} for i=1,300 do t[i]=i end return t',
]
const script: Value = mostly((draw) => draw.of(SCRIPTS), pool('', '\0', 'return "a\\0b"', 'return 1 -- \r\n'), 30)
const SHA1S = SCRIPTS.slice(0, 12).map((source) => createHash('sha1').update(source, 'latin1').digest('hex'))
const sha1: Value = mostly(
  (draw) => draw.of(SHA1S),
  (draw) => draw.of([draw.of(SHA1S).toUpperCase(), 'f'.repeat(40), 'abc', '', `${'f'.repeat(40)}0`]),
  6,
)
/** Arguments of scripts: some begin a command for redis.call(unpack(ARGV)). */
const scriptArgument: Value = mostly(text, pool('get', 'ping', 'incr', 'echo', 's1', 'n1', 'llen', 'l1', 'select'), 2)

const LIBRARIES: readonly string[] = [
  "#!lua name=lib1\nredis.register_function('f1', function(keys, args) return {keys[1], args[1]} end)",
  "#!lua name=lib1\nredis.register_function('f1', function(keys, args) return redis.call('set', keys[1], args[1]) end)",
  "#!lua name=lib2\nredis.register_function{function_name='f2', callback=function(keys, args) return redis.call('get', keys[1]) end, flags={'no-writes'}, description='reads'}",
  "#!lua name=lib2\nredis.register_function('f1', function() return 1 end)",
  '#!lua name=lib3\nreturn 1',
  '#!lua name=lib3\nsyntax error(',
  "redis.register_function('f1', function() return 1 end)",
  '#!lua\nreturn 1',
  "#!lua name=lib4 bad=1\nredis.register_function('f4', function() return 1 end)",
  "#!js name=lib4\nredis.register_function('f4', function() return 1 end)",
  "#!lua name=lib-5\nredis.register_function('f5', function() return 1 end)",
]

const database: Value = mostly(pool('0', '1', '2', '0', '1'), pool('16', '15', '-1', 'abc', '', '2147483648'), 8)
const payload: Value = (draw) => {
  const bytes = Buffer.from(draw.of(PAYLOADS), 'base64').toString('latin1')
  if (draw.below(6) > 0) return bytes
  const at = draw.below(bytes.length)
  return draw.of([bytes.slice(0, at), `${bytes.slice(0, at)}\x01${bytes.slice(at + 1)}`, '', 'abc'])
}
const COMMAND_NAMES = 'get|set|GET|mset|sort|zunionstore|eval|nosuch|config|config|get|client|xadd|acl|object'.split(
  '|',
)
const commandName: Value = (draw) => draw.of(COMMAND_NAMES)
const userName: Value = pool('default', 'default', 'nobody', '')

/** By 'command.argument', then by 'argument'. */
export const HINTS: Readonly<Record<string, Value>> = {
  numkeys: integer,
  index: integer,
  start: integer,
  stop: integer,
  end: integer,
  count,
  offset: count,
  /** Not the least integer, which LPOS of redis 7.0 negates. */
  rank: mostly(pool('1', '2', '-1', '-2'), pool('0', '9223372036854775807', '-9223372036854775809', 'abc', '', '1.5')),
  'num-matches': count,
  len: count,
  limit: count,
  seconds,
  milliseconds,
  'unix-time-seconds': unixSeconds,
  'unix-time-milliseconds': unixMilliseconds,
  ttl: pool('0', '0', '0', '100000000000', '9223372036854775807', '-1', 'abc'),
  timeout,
  pattern,
  element: member,
  pivot: member,
  member,
  member1: member,
  member2: member,
  field: member,
  score: mostly(double, integer),
  weight: mostly(double, integer),
  min: scoreBound,
  max: scoreBound,
  cursor: mostly(
    pool('0'),
    pool('1', '5', '-1', 'abc', '', '18446744073709551615', '18446744073709551616', ' 0', '0a'),
    8,
  ),
  'scan.cursor': mostly(pool('0'), pool('-', 'abc', '', '18446744073709551616', ' 0', '0a', '+0', '00'), 8),
  type: pool('string', 'list', 'set', 'zset', 'hash', 'stream', 'STRING', 'nosuch', ''),
  'destination-db': database,
  db: database,
  index1: database,
  index2: database,
  'select.index': database,
  'serialized-value': payload,
  'function|restore.serialized-value': mostly(
    () => Buffer.from(LIBRARY_PAYLOAD, 'base64').toString('latin1'),
    payload,
    5,
  ),
  operation: pool('AND', 'OR', 'XOR', 'NOT', 'and', 'nosuch', ''),
  encoding: fieldType,
  bit,
  'bitfield.offset': fieldOffset,
  'bitfield_ro.offset': fieldOffset,
  'bitfield.value': mostly(small, notLeast, 3),
  'getbit.offset': bitOffset,
  'setbit.offset': bitOffset,
  'setbit.value': bit,
  'setrange.offset': byteOffset,
  'zincrby.increment': double,
  'zrange.start': integer,
  'zrange.stop': integer,
  'zrangestore.min': integer,
  'zrangestore.max': integer,
  'zrangebylex.min': lexBound,
  'zrangebylex.max': lexBound,
  'zrevrangebylex.min': lexBound,
  'zrevrangebylex.max': lexBound,
  'zlexcount.min': lexBound,
  'zlexcount.max': lexBound,
  'zremrangebylex.min': lexBound,
  'zremrangebylex.max': lexBound,
  'srandmember.count': randomCount,
  'hrandfield.count': randomCount,
  'zrandmember.count': randomCount,
  'spop.count': pool('0', '100000', '100000', '9223372036854775807', '-1', 'abc', '9223372036854775808'),
  longitude,
  latitude,
  radius: distance,
  width: distance,
  height: distance,
  id: streamId,
  'xadd.id': newStreamId,
  'xsetid.last-id': newStreamId,
  'xrange.start': rangeId,
  'xrange.end': rangeId,
  'xrevrange.start': rangeId,
  'xrevrange.end': rangeId,
  'xpending.start': rangeId,
  'xpending.end': rangeId,
  'xautoclaim.start': rangeId,
  'xread.id': mostly(streamId, pool('0', '$'), 2),
  'xreadgroup.id': mostly(pool('>', '>', '0', '$'), streamId, 3),
  'xread.milliseconds': pool('1', '5', '-1', 'abc'),
  'xreadgroup.milliseconds': pool('1', '5', '-1', 'abc'),
  threshold: mostly(count, streamId, 2),
  max_deleted_entry_id: streamId,
  max_deleted_id: streamId,
  entries_added: entries,
  'entries-read': mostly(entries, pool('-1', '-2')),
  entries_read: mostly(entries, pool('-1', '-2')),
  group,
  groupname: group,
  consumer,
  consumername: consumer,
  'min-idle-time': idle,
  ms: mostly(pool('0', '1000', '2000000000000'), pool('-1', 'abc')),
  'xclaim.unix-time-milliseconds': pool('0', '1', '1000000000000', '-1', 'abc'),
  numreplicas: pool('0', '0', '-1', 'abc', ''),
  'wait.timeout': pool('1', '5', '-1', 'abc', ''),
  script,
  'script|load.script': script,
  sha1,
  arg: scriptArgument,
  function: pool('f1', 'f1', 'f2', 'nosuch', ''),
  'function-code': (draw) => draw.of(draw.below(2) === 0 ? LIBRARIES.slice(0, 4) : LIBRARIES),
  'library-name': pool('lib1', 'lib2', 'nosuch', ''),
  'library-name-pattern': pool('*', 'lib*', 'lib1', 'x'),
  channel: pool('ch', 'a', ''),
  shardchannel: pool('ch', 'a', ''),
  message: text,
  'connection-name': pool('tester', '', 'with space', 'a\nb', 'x'.repeat(100)),
  'client-id': pool('0', '-1', '99999999', 'abc', '9223372036854775808'),
  username: userName,
  password: pool('x', '', 'secret'),
  categoryname: pool('string', 'geo', 'scripting', 'nosuch', 'STRING', 'sortedset', ''),
  command: commandName,
  'command-name': commandName,
  subcommand: pool('GETREG', 'DECODE', 'ENCODING', 'TODENSE', 'getreg', 'nosuch'),
}

/** By type, when nothing is known by name. */
export const BY_TYPE: Readonly<Record<string, Value>> = {
  string: text,
  integer,
  double,
  pattern,
  'unix-time': unixSeconds,
}

/** What a mutation puts in the place of any argument, of commands that no value can do harm to. */
export const ANYTHING: Value = (draw) => (draw.below(2) === 0 ? draw.of(LIMITS) : draw.of([...ODD, ...DOUBLES]))
