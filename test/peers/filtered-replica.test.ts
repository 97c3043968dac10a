/** A user with key patterns is a filter: an unmodified redis-server that logs in as it has the shown keys only. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { crossingWrites, picker } from '../support/crossing-writes.ts'
import { type RedisPeer, startRedis } from '../support/redis.ts'
import { startRelay } from '../support/relay.ts'
import { field, info, linkUp, sameData, wires } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { Argument, Wire } from '../support/wire.ts'

const file = fileCleanup()
const USER = ['ACL', 'SETUSER', 'europe', 'on', '>secret', '~eu:*', '&news', '+psync', '+replconf', '+ping'] as const

async function filteredReplica(
  primary: Wire,
  port: number,
  user: readonly Argument[] = USER,
): Promise<[RedisPeer, Wire]> {
  await primary.must(...(user as [string, ...Argument[]]))
  const redis = await startRedis(file, { args: ['--masteruser', 'europe', '--masterauth', 'secret'] })
  const [replica] = (await wires(redis)) as [Wire]
  await replica.must('REPLICAOF', '127.0.0.1', port)
  await linkUp(replica)
  return [redis, replica]
}

/** Waits until the replica has all of its stream. */
async function caughtUp(primary: Wire, replica: Wire): Promise<void> {
  await primary.must('SET', 'eu:mark', String(Math.random()))
  const mark = await primary.must('GET', 'eu:mark')
  await waitUntil(async () => (await replica.must('GET', 'eu:mark')) === mark, { timeoutMs: 10_000, what: 'the mark' })
  await primary.must('DEL', 'eu:mark')
  await waitUntil(async () => (await replica.must('EXISTS', 'eu:mark')) === 0, { timeoutMs: 10_000, what: 'its end' })
}

/** Per database, the digest of each shown key. */
async function shown(wire: Wire): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (const database of [0, 1, 2]) {
    await wire.must('SELECT', database)
    const keys = (await wire.must('KEYS', 'eu:*')) as string[]
    for (const key of keys.sort()) {
      const [digest] = (await wire.must('DEBUG', 'DIGEST-VALUE', key)) as string[]
      found[`${database} ${key}`] = [digest, await wire.must('PEXPIRETIME', key)]
    }
  }
  await wire.must('SELECT', 0)
  return found
}

async function same(primary: Wire, replica: Wire): Promise<void> {
  await caughtUp(primary, replica)
  assert.deepEqual(await shown(replica), await shown(primary))
  for (const database of [0, 1, 2]) {
    await replica.must('SELECT', database)
    const hidden = ((await replica.must('KEYS', '*')) as string[]).filter((key) => !key.startsWith('eu:'))
    assert.deepEqual(hidden, [], `hidden keys in database ${database}`)
  }
  await replica.must('SELECT', 0)
}

describe('a real redis-server as a filtered replica of Tandem', () => {
  it('is told of by its patterns, whatever letters they are of', async () => {
    const tandem = await startTandem(file)
    const [primary] = (await wires(tandem)) as [Wire]
    const rules = [Buffer.from('~schlüssel:*'), Buffer.from('~ü*', 'latin1'), '+psync', '+replconf', '+ping']
    const [, replica] = await filteredReplica(primary, tandem.port, [
      'ACL',
      'SETUSER',
      'europe',
      'on',
      '>secret',
      ...rules,
    ])
    await primary.must('SET', Buffer.from('schlüssel:1'), 'a')
    await primary.must('SET', Buffer.from('ü1', 'latin1'), 'b')
    await waitUntil(async () => (await replica.must('DBSIZE')) === 2, { timeoutMs: 10_000, what: 'both keys' })
    // The test reads a letter for each byte.
    const filter = async () =>
      Buffer.from(await field(primary, 'replication', 'filtered_replica0'), 'latin1')
        .toString()
        .replace(/.*filter=/, '')
    // Not all of it is text: each byte of it is shown as a letter.
    assert.equal(await filter(), '~schlÃ¼ssel:* ~ü*')
    await primary.must('ACL', 'SETUSER', 'europe', 'resetkeys', Buffer.from('~schlüssel:*'))
    const what = 'the replica with its new pattern'
    await waitUntil(async () => (await filter()) === '~schlüssel:*', { timeoutMs: 20_000, what })
  })

  it('receives the shown keys, of the snapshot and of the stream, and few bytes', async () => {
    const tandem = await startTandem(file)
    const [primary] = (await wires(tandem)) as [Wire]
    for (let i = 0; i < 2000; i++) await primary.must('SET', i % 100 === 0 ? `eu:${i}` : `us:${i}`, 'x'.repeat(100))
    const [redis, replica] = await filteredReplica(primary, tandem.port)
    assert.equal(await replica.must('DBSIZE'), 20)
    for (let i = 2000; i < 4000; i++) await primary.must('SET', i % 100 === 0 ? `eu:${i}` : `us:${i}`, 'x'.repeat(100))
    await same(primary, replica)
    const line = String((await info(primary, 'replication')).get('filtered_replica0'))
    assert.match(
      line,
      new RegExp(
        `^ip=127\\.0\\.0\\.1,port=${redis.port},state=online,offset=\\d+,lag_bytes=\\d+,filter=~eu:\\* &news$`,
      ),
    )
    assert.equal(await field(primary, 'replication', 'connected_slaves'), '0')
    const metrics = await (await fetch(`http://127.0.0.1:${tandem.metricsPort}/metrics`)).text()
    assert.match(metrics, /tandem_filtered_replica_lag_bytes\{replica="[^"]+",filter="~eu:\* &news"\} \d+/)
    assert.match(metrics, /tandem_filtered_seen_bytes_total\{filter="[^"]+"\} [1-9]\d+/)
    // 1 % of the writes, with what keeps the link alive.
    const received = Number(await field(replica, 'replication', 'slave_repl_offset'))
    assert.ok(received < 2000 * 140 * 0.02, `${received} bytes`)
  })

  it('has commands that touch both sides in their effect on the shown keys', async () => {
    const tandem = await startTandem(file)
    const [primary] = (await wires(tandem)) as [Wire]
    const [, replica] = await filteredReplica(primary, tandem.port)
    const commands: Argument[][] = [
      ['MSET', 'eu:a', 1, 'us:a', 2, 'eu:b', 3],
      ['RENAME', 'us:a', 'eu:c'],
      ['RENAME', 'eu:a', 'us:d'],
      ['SET', 'us:e', 'v', 'PX', 5_000_000],
      ['COPY', 'us:e', 'eu:e'],
      ['COPY', 'us:e', 'eu:f', 'DB', 1],
      ['MOVE', 'eu:e', 2],
      ['MOVE', 'us:e', 2],
      ['RPUSH', 'us:list', 'a', 'b', 'c'],
      ['LMOVE', 'us:list', 'eu:list', 'LEFT', 'RIGHT'],
      ['RPOPLPUSH', 'us:list', 'eu:list'],
      ['LMOVE', 'eu:list', 'us:list', 'LEFT', 'RIGHT'],
      ['SADD', 'us:s1', 1, 2, 3],
      ['SADD', 'eu:s2', 2, 3, 4],
      ['SINTERSTORE', 'eu:s3', 'us:s1', 'eu:s2'],
      ['SUNIONSTORE', 'us:s4', 'us:s1', 'eu:s2'],
      ['SMOVE', 'us:s1', 'eu:s2', '1'],
      ['ZADD', 'us:z', 1, 'a', 2, 'b'],
      ['ZRANGESTORE', 'eu:z', 'us:z', 0, 0],
      ['ZUNIONSTORE', 'eu:z2', 2, 'us:z', 'eu:z'],
      ['SORT', 'us:s1', 'STORE', 'eu:sorted'],
      ['SETBIT', 'us:bits', 7, 1],
      ['BITOP', 'OR', 'eu:bits', 'us:bits', 'eu:b'],
      ['PFADD', 'us:hll', 'a', 'b'],
      ['PFMERGE', 'eu:hll', 'us:hll'],
      ['GEOADD', 'us:geo', 13.36, 38.11, 'x'],
      ['GEOSEARCHSTORE', 'eu:geo', 'us:geo', 'FROMLONLAT', 15, 37, 'BYRADIUS', 300, 'km'],
      ['DEL', 'eu:b', 'us:bits'],
      ['MSETNX', 'eu:n', 1, 'us:n', 2],
      ['EVAL', "redis.call('INCR', 'us:n') redis.call('INCR', 'eu:n') return redis.call('RENAME', 'us:n', 'eu:n2')", 0],
      ['FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 1 end)"],
      ['SWAPDB', 1, 2],
    ]
    for (const command of commands) await primary.must(...(command as [string, ...Argument[]]))
    for (const command of [
      ['MULTI'],
      ['INCR', 'eu:n'],
      ['SET', 'us:x', 5],
      ['RENAME', 'us:x', 'eu:x'],
      ['INCR', 'eu:x'],
      ['INCR', 'us:y'],
      ['DEL', 'eu:n2', 'us:y'],
      ['EXEC'],
      ['MULTI'],
      ['INCR', 'eu:m'],
      ['INCR', 'us:m'],
      ['INCR', 'eu:m'],
      ['EXEC'],
    ] as [string, ...Argument[]][])
      await primary.must(...command)
    await same(primary, replica)
    assert.equal(await replica.must('GET', 'eu:x'), '6')
    assert.equal(((await replica.must('FUNCTION', 'LIST')) as unknown[]).length, 1)
    await primary.must('FLUSHDB')
    await same(primary, replica)
  })

  it('equals the shown part after thousands of random commands over both sides', async () => {
    const tandem = await startTandem(file)
    const [primary] = (await wires(tandem)) as [Wire]
    const [, replica] = await filteredReplica(primary, tandem.port)
    const pick = picker(20261123)
    const swap = () => ['SWAPDB', pick([0, 1]), pick([1, 2])]
    const makers = [...crossingWrites(pick, [0, 1, 2]), swap]
    for (let i = 0; i < 400; i++) {
      const inTransaction = pick([true, false])
      if (inTransaction) await primary.send('MULTI')
      for (let j = 0; j < 10; j++) await primary.send(...(pick(makers)() as [string, ...Argument[]]))
      if (inTransaction) await primary.send('EXEC')
    }
    await primary.must('SELECT', 0)
    await same(primary, replica)
  })

  it('resumes partially after a cut, and gets other keys when its user may read others', async () => {
    const tandem = await startTandem(file)
    const [primary] = (await wires(tandem)) as [Wire]
    const relay = await startRelay(file, tandem.port)
    await primary.must('SET', 'us:1', 'a')
    const [, replica] = await filteredReplica(primary, relay.port)
    await primary.must('SET', 'eu:1', 'a')
    await caughtUp(primary, replica)
    const before = await info(primary, 'stats')
    relay.cutAll()
    await primary.must('SET', 'eu:2', 'b')
    await primary.must('SET', 'us:2', 'b')
    await linkUp(replica)
    await same(primary, replica)
    const after = await info(primary, 'stats')
    assert.equal(after.get('sync_full'), before.get('sync_full'))
    assert.equal(Number(after.get('sync_partial_ok')), Number(before.get('sync_partial_ok')) + 1)
    await primary.must('ACL', 'SETUSER', 'europe', 'resetkeys', '~us:*')
    await waitUntil(async () => (await replica.must('GET', 'us:2')) === 'b', {
      timeoutMs: 15_000,
      what: 'the other keys',
    })
    assert.equal(await replica.must('EXISTS', 'eu:2'), 0)
  })

  it('gets 2 % of the bytes at most for 1 % of the keys, with the snapshot, and again after a cut', async () => {
    const tandem = await startTandem(file)
    const [primary] = (await wires(tandem)) as [Wire]
    const write = async (from: number, to: number) => {
      for (let i = from; i < to; i += 100) {
        const batch = Array.from({ length: 100 }, (_, j) => [
          'SET',
          (i + j) % 100 === 0 ? `eu:${i + j}` : `us:${i + j}`,
          `${i + j} ${'x'.repeat(200)}`,
        ])
        await Promise.all(batch.map((command) => primary.must(...(command as [string, ...Argument[]]))))
      }
    }
    await write(0, 10_000)
    const all = await startRelay(file, tandem.port)
    const part = await startRelay(file, tandem.port)
    const whole = await startRedis(file)
    const [plain] = (await wires(whole)) as [Wire]
    await plain.must('REPLICAOF', '127.0.0.1', all.port)
    const [, replica] = await filteredReplica(primary, part.port)
    await linkUp(plain)
    await write(10_000, 20_000)
    part.cutAll()
    all.cutAll()
    await write(20_000, 30_000)
    await Promise.all([linkUp(replica), linkUp(plain)])
    await same(primary, replica)
    await sameData(primary, plain)
    assert.equal(await replica.must('DBSIZE'), 300)
    const [few, many] = [part.bytes.down, all.bytes.down]
    assert.ok(few <= many * 0.02, `${few} of ${many} bytes`)
    assert.equal(await field(primary, 'stats', 'sync_full'), '2')
    assert.equal(await field(primary, 'stats', 'sync_partial_ok'), '2')
    process.stdout.write(`# ${few} of ${many} bytes: ${((few / many) * 100).toFixed(2)} %\n`)
  })

  it('hears messages of the channels that its user may read', async () => {
    const tandem = await startTandem(file)
    const [primary] = (await wires(tandem)) as [Wire]
    const [redis, replica] = await filteredReplica(primary, tandem.port)
    const [listener] = (await wires(redis)) as [Wire]
    await listener.send('PSUBSCRIBE', '*')
    await primary.must('PUBLISH', 'secret', 'no')
    await primary.must('PUBLISH', 'news', 'yes')
    assert.deepEqual(await listener.next(), ['pmessage', '*', 'news', 'yes'])
    await replica.must('PING')
  })

  it('gets everything without key patterns, as Redis has it', async () => {
    const tandem = await startTandem(file)
    const [primary] = (await wires(tandem)) as [Wire]
    await primary.must('SET', 'us:1', 'a')
    const user = ['ACL', 'SETUSER', 'europe', 'on', '>secret', '+psync', '+replconf', '+ping']
    const [, replica] = await filteredReplica(primary, tandem.port, user)
    await sameData(primary, replica)
    assert.equal(await field(primary, 'replication', 'connected_slaves'), '1')
  })

  it('is served by a Tandem that follows a redis-server itself', async () => {
    const redis = await startRedis(file)
    const tandem = await startTandem(file)
    const [primary, middle] = (await wires(redis, tandem)) as [Wire, Wire]
    await primary.must('SET', 'eu:1', 'a')
    await primary.must('SET', 'us:1', 'a')
    await middle.must('REPLICAOF', '127.0.0.1', redis.port)
    await linkUp(middle)
    const [, replica] = await filteredReplica(middle, tandem.port)
    await primary.must('RENAME', 'us:1', 'eu:2')
    await primary.must('MULTI')
    await primary.must('INCR', 'eu:n')
    await primary.must('INCR', 'us:n')
    await primary.must('EXEC')
    await same(primary, replica)
    assert.equal(await replica.must('GET', 'eu:2'), 'a')
  })
})
