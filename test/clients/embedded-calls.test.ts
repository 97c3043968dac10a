/**
 * call() of an embedded replica against redis-server: the values are those that redis-parser makes of the server's replies,
 * as text and as Buffers, for chosen calls and for random ones of every command that only reads.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import RedisParser from 'redis-parser'
import type { Replica } from '../../src/index.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { picker } from '../support/crossing-writes.ts'
import { errorText, replicaOf, told } from '../support/embedded.ts'
import { startRedis } from '../support/redis.ts'
import { type Command, connect, type Wire } from '../support/wire.ts'

const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 20261127)

const FILL: Command[] = [
  ['SET', 'text', 'hello world'],
  ['SET', 'number', '12'],
  ['SET', Buffer.from('käse'), Buffer.from('schön')],
  ['SET', 'bytes', Buffer.from([0, 255, 13, 10, 200])],
  ['SET', 'empty', ''],
  ['SET', 'large', 'x'.repeat(100_000)],
  ['HSET', 'hash', 'a', '1', 'b', 'zwei', 'c', Buffer.from([255, 0])],
  ['RPUSH', 'list', 'a', 'b', 'c', '4', 'b'],
  ['RPUSH', 'numbers', '3', '1', '2'],
  ['SADD', 'ints', '1', '2', '3'],
  ['SADD', 'others', '2', '3', '4'],
  ['ZADD', 'zset', '1.5', 'a', '2', 'b', '+inf', 'c', '-3.25', 'd'],
  ['ZADD', 'same', '0', 'a', '0', 'b', '0', 'c'],
  ['GEOADD', 'geo', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania'],
  ['XADD', 'stream', '1-1', 'f', 'v', 'g', 'w'],
  ['XADD', 'stream', '2-1', 'f', 'x'],
  ['XGROUP', 'CREATE', 'stream', 'group', '0'],
  ['XREADGROUP', 'GROUP', 'group', 'consumer', 'COUNT', '1', 'STREAMS', 'stream', '>'],
  ['PFADD', 'hll', 'a', 'b', 'c'],
  ['SETBIT', 'bits', '7', '1'],
]

const CHOSEN: Command[] = [
  ['GET', 'käse'],
  ['GET', 'bytes'],
  ['GET', 'large'],
  ['GET', 'none'],
  ['GET', 'hash'],
  ['MGET', 'text', 'none', 'hash', 'käse'],
  ['HGETALL', 'hash'],
  ['HGETALL', 'none'],
  ['LRANGE', 'list', '0', '-1'],
  ['LRANGE', 'list', '5', '9'],
  ['LPOS', 'list', 'b', 'COUNT', '0'],
  ['LPOS', 'list', 'nothing'],
  ['ZRANGE', 'zset', '0', '-1', 'WITHSCORES'],
  ['ZMSCORE', 'zset', 'a', 'none', 'c'],
  ['ZUNION', '2', 'zset', 'same', 'WITHSCORES'],
  ['GEOPOS', 'geo', 'Palermo', 'none'],
  ['GEODIST', 'geo', 'Palermo', 'Catania', 'km'],
  ['GEOSEARCH', 'geo', 'FROMLONLAT', '15', '37', 'BYRADIUS', '200', 'km', 'ASC', 'WITHCOORD', 'WITHDIST', 'WITHHASH'],
  ['XRANGE', 'stream', '-', '+'],
  ['XREVRANGE', 'stream', '+', '-', 'COUNT', '1'],
  ['XREAD', 'STREAMS', 'stream', '0'],
  ['XREAD', 'STREAMS', 'stream', '$'],
  ['XINFO', 'GROUPS', 'stream'],
  ['XPENDING', 'stream', 'group'],
  ['SORT_RO', 'numbers', 'DESC', 'GET', '#', 'GET', 'none*'],
  ['BITFIELD_RO', 'bits', 'GET', 'u8', '0', 'GET', 'i4', '4'],
  ['LCS', 'text', 'number', 'IDX'],
  ['OBJECT', 'ENCODING', 'number'],
  ['EXPIRETIME', 'text'],
  ['SMISMEMBER', 'ints', '1', '9'],
  ['SINTER', 'ints', 'others'],
  ['TYPE', 'zset'],
  ['GETRANGE', 'text', '-5', '-1'],
  ['GETRANGE', 'bytes', '0', '-1'],
  ['GET'],
  ['LRANGE', 'list', 'x', 'y'],
]

/** By chance, by memory or by time; or what is no reading of data. */
const NO_EQUAL =
  /^(randomkey|srandmember|hrandfield|zrandmember|.*scan|memory\|.*|object\|.*|xinfo\|consumers|dump|touch|pfcount|keys|command.*|.*help)$/

const WORDS = (
  'text number käse bytes empty hash list numbers ints others zset same geo stream hll bits none a b c 0 1 -1 2 3 1.5 (1 [a - + ' +
  'inf WITHSCORES COUNT BYSCORE BYLEX REV LIMIT STREAMS IDX BYTE BIT Palermo Catania km FROMMEMBER BYRADIUS ASC group FULL LEN'
).split(' ')

function parsed(raw: Buffer, returnBuffers: boolean): unknown {
  let value: unknown
  const take = (found: unknown) => {
    value = found instanceof Error ? errorText(found) : found
  }
  new RedisParser({ returnBuffers, returnReply: take, returnError: take, returnFatalError: take }).execute(raw)
  return value
}

async function compare(wire: Wire, replica: Replica, command: Command): Promise<boolean> {
  const [name, ...args] = command as [string, ...string[]]
  const { raw } = await wire.sendRaw(command.map((arg) => Buffer.from(arg as string)))
  const where = command.join(' ')
  const own = told(() => replica.call(name, ...args))
  assert.deepEqual(own, parsed(raw, false), where)
  const ownBytes = told(() => replica.callBuffer(name, ...args))
  assert.deepEqual(ownBytes, parsed(raw, true), where)
  return !String(own).startsWith('error:')
}

async function start(): Promise<{ wire: Wire; replica: Replica }> {
  const redis = await startRedis(file)
  const wire = await connect(redis.port)
  for (const command of FILL) await wire.must(...command)
  return { wire, replica: await replicaOf(file, `redis://127.0.0.1:${redis.port}`) }
}

describe('call() of an embedded replica', () => {
  it('gives the values of the replies of redis-server', async () => {
    const { wire, replica } = await start()
    const refused: string[] = []
    for (const command of CHOSEN) if (!(await compare(wire, replica, command))) refused.push(command.join(' '))
    assert.deepEqual(refused, ['GET hash', 'GET', 'LRANGE list x y'])
  })

  it('does so for random arguments of every command that reads', async () => {
    const { wire, replica } = await start()
    const pick = picker(SEED)
    const commands = (await wire.must('COMMAND')) as [string, number, string[], ...unknown[]][]
    const names: string[] = []
    for (const [name, , flags, , , , , , , subcommands] of commands) {
      if (flags.includes('readonly') && !flags.includes('blocking')) names.push(name)
      for (const [subcommand, , its] of (subcommands ?? []) as [string, number, string[]][]) {
        if (its.includes('readonly') && !flags.includes('readonly')) names.push(subcommand)
      }
    }
    const reading = names.filter((name) => !NO_EQUAL.test(name) && !/^(eval|fcall)/.test(name))
    assert.ok(reading.length > 50, `${reading.length} commands`)
    const answered = new Set<string>()
    for (const name of reading) {
      for (let n = 0; n < 120; n++) {
        const args = Array.from({ length: pick([0, 1, 1, 2, 2, 3, 3, 4, 6]) }, () => pick(WORDS))
        if (await compare(wire, replica, [...name.split('|'), ...args])) answered.add(name)
      }
    }
    assert.ok(answered.size > reading.length / 2, `only ${[...answered].join(' ')} were answered, seed ${SEED}`)
  })
})
