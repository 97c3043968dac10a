/**
 * Tandem keeps a part of a redis-server's data (`replica-filter-*`): the primary sends everything, and what is kept equals
 * the shown part of it, whatever commands cross the border.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { crossingWrites, picker } from '../support/crossing-writes.ts'
import { startRedis } from '../support/redis.ts'
import { startRelay } from '../support/relay.ts'
import { field, info, linkUp, wires } from '../support/replicas.ts'
import { startTandem, type TandemPeer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { type Argument, connectFor, type Wire } from '../support/wire.ts'

const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 20261127)
const ROUNDS = Number(process.env.ROUNDS ?? 400)
const DATABASES = [0, 1, 2]

interface Shown {
  keys?: string
  databases?: string
  types?: string
}

function options({ keys, databases, types }: Shown): string[] {
  const args: string[] = []
  if (keys !== undefined) args.push('--replica-filter-keys', keys)
  if (databases !== undefined) args.push('--replica-filter-databases', databases)
  if (types !== undefined) args.push('--replica-filter-types', types)
  return args
}

/** Database, key, digest of the value and time of each key that the filter shows. */
async function shown(wire: Wire, filter: Shown): Promise<string[]> {
  const found: string[] = []
  for (const database of DATABASES) {
    await wire.must('SELECT', database)
    if (filter.databases?.split(' ').includes(String(database)) === false) continue
    const keys = new Set<string>()
    for (const glob of filter.keys?.split(' ') ?? ['*'])
      for (const key of (await wire.must('KEYS', glob)) as string[]) keys.add(key)
    for (const key of [...keys].sort()) {
      const type = String(await wire.must('TYPE', key))
      if (filter.types?.split(' ').includes(type) === false) continue
      const [digest] = (await wire.must('DEBUG', 'DIGEST-VALUE', key)) as string[]
      found.push(`${database} ${key} ${type} ${digest} ${await wire.must('PEXPIRETIME', key)}`)
    }
  }
  await wire.must('SELECT', 0)
  return found
}

async function caughtUp(primary: Wire, copy: Wire): Promise<void> {
  let state = ''
  await waitUntil(
    async () => {
      const wanted = await field(primary, 'replication', 'master_repl_offset')
      const reached = await field(copy, 'replication', 'slave_repl_offset')
      const pending = await field(copy, 'replication', 'replica_filter_pending_keys')
      state = `${reached} of ${wanted}, ${pending} keys pending`
      return reached === wanted && pending === '0'
    },
    { timeoutMs: 20_000, what: () => `the copy to catch up: ${state}` },
  )
}

/** The copy holds what is shown, and nothing else. */
async function same(primary: Wire, copy: Wire, filter: Shown, hint = ''): Promise<void> {
  await caughtUp(primary, copy)
  const expected = await shown(primary, filter)
  assert.deepEqual(await shown(copy, {}), expected, hint)
}

async function follow(port: number, filter: Shown, args: string[] = []): Promise<[TandemPeer, Wire]> {
  const tandem = await startTandem(file, { args: [...options(filter), ...args] })
  const copy = await connectFor(file, tandem.port)
  await copy.must('REPLICAOF', '127.0.0.1', port)
  await linkUp(copy)
  return [tandem, copy]
}

const CROSSING: Argument[][] = [
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
  ['RPOPLPUSH', 'eu:list', 'us:list'],
  ['SADD', 'us:s1', 1, 2, 3],
  ['SADD', 'eu:s2', 2, 3, 4],
  ['SINTERSTORE', 'eu:s3', 'us:s1', 'eu:s2'],
  ['SUNIONSTORE', 'us:s4', 'us:s1', 'eu:s2'],
  ['SMOVE', 'us:s1', 'eu:s2', '1'],
  ['SMOVE', 'eu:s2', 'us:s1', '4'],
  ['ZADD', 'us:z', 1, 'a', 2, 'b'],
  ['ZRANGESTORE', 'eu:z', 'us:z', 0, 0],
  ['ZUNIONSTORE', 'eu:z2', 2, 'us:z', 'eu:z'],
  ['ZUNIONSTORE', 'eu:z3', 2, 'us:s1', 'eu:s2'],
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
  ['HSET', 'eu:h', 'f', 'v'],
  ['XADD', 'eu:x', '1-1', 'f', 'v'],
  ['SET', 'eu:h', 'now a string', 'KEEPTTL'],
  ['SET', 'eu:x', 'too', 'XX'],
  ['SWAPDB', 1, 2],
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
  ['EXEC'],
]

async function run(wire: Wire, commands: readonly (readonly Argument[])[]): Promise<void> {
  for (const command of commands) await wire.must(...(command as [string, ...Argument[]]))
}

async function randomly(primary: Wire, extra: (() => Argument[])[] = [], between: (round: number) => void = () => {}) {
  const pick = picker(SEED)
  const all = [...crossingWrites(pick, DATABASES), ...extra]
  for (let round = 0; round < ROUNDS; round++) {
    const inTransaction = pick([true, false, false])
    const batch: Argument[][] = []
    if (inTransaction) batch.push(['MULTI'])
    for (let j = 0; j < 12; j++) batch.push(pick(all)())
    if (inTransaction) batch.push(['EXEC'])
    await Promise.all(batch.map((command) => primary.send(...(command as [string, ...Argument[]]))))
    between(round)
  }
}

const FILTERS: Record<string, Shown> = {
  'keys by a glob': { keys: 'eu:*' },
  'two globs': { keys: 'eu:k* us:l*' },
  'some types': { types: 'hash zset' },
  'strings and lists of a glob': { keys: 'eu:*', types: 'string list' },
  'some databases': { databases: '0 2' },
  'all of these': { keys: 'eu:* us:s*', databases: '0 1', types: 'string set' },
}

describe('Tandem as a replica that keeps a part of a redis-server', () => {
  for (const [name, filter] of Object.entries(FILTERS)) {
    it(`keeps ${name}: of the snapshot, and of commands that cross the border`, async () => {
      const redis = await startRedis(file)
      const [primary] = (await wires(redis)) as [Wire]
      for (let i = 0; i < 100; i++) await primary.must('SET', `${i % 2 === 0 ? 'eu' : 'us'}:k${i}`, i)
      await primary.must('HSET', 'eu:hash', 'f', 'v')
      await primary.must('SADD', 'us:set', 'm')
      const [, copy] = await follow(redis.port, filter)
      await same(primary, copy, filter, 'the snapshot')
      // What exchanges a shown database with a hidden one is in a test of its own.
      await run(
        primary,
        CROSSING.filter(([word]) => word !== 'SWAPDB'),
      )
      await same(primary, copy, filter, 'one by one')
      assert.equal(((await copy.must('FUNCTION', 'LIST')) as unknown[]).length, 1)
      await randomly(primary)
      await same(primary, copy, filter, `SEED=${SEED}`)
      assert.equal(await field(copy, 'replication', 'master_link_status'), 'up')
      assert.equal((await info(copy, 'stats')).get('sync_full'), '0')
      await primary.must('FLUSHDB')
      await same(primary, copy, filter, 'FLUSHDB')
      await primary.must('FLUSHALL')
      await same(primary, copy, filter, 'FLUSHALL')
    })
  }

  it('keeps a part of a Tandem too, which may be a replica itself', async () => {
    const first = await startRedis(file)
    const [primary] = (await wires(first)) as [Wire]
    const middle = await startTandem(file)
    const between = await connectFor(file, middle.port)
    await between.must('REPLICAOF', '127.0.0.1', first.port)
    await linkUp(between)
    const filter = { keys: 'eu:*', types: 'string list hash' }
    const [, copy] = await follow(middle.port, filter)
    await randomly(primary, [() => ['SWAPDB', 1, 2]])
    await same(primary, copy, filter, `SEED=${SEED}`)
  })

  it('is sent its keys alone by a Tandem, and resumes there', async () => {
    const first = await startTandem(file)
    const relay = await startRelay(file, first.port)
    const primary = await connectFor(file, first.port)
    const filter = { keys: 'eu:*' }
    const [, copy] = await follow(relay.port, { keys: 'eu:* ü*' })
    const other = Buffer.from('über')
    const write = async (from: number) => {
      for (let i = from; i < from + 500; i++)
        await primary.must('SET', `${i % 50 === 0 ? 'eu' : 'us'}:${i}`, 'x'.repeat(200))
      await run(primary, [
        ['SET', 'us:a', from],
        ['RENAME', 'us:a', 'eu:a'],
        ['SET', other, from],
      ])
    }
    const all = async () => {
      await waitUntil(
        async () =>
          JSON.stringify(await shown(copy, filter)) === JSON.stringify(await shown(primary, filter)) &&
          (await copy.must('GET', other)) === (await primary.must('GET', other)),
        { timeoutMs: 20_000, what: 'the shown keys' },
      )
    }
    await write(0)
    await all()
    relay.cutAll()
    await write(500)
    await linkUp(copy)
    await all()
    assert.ok(relay.bytes.down < 12_000, `${relay.bytes.down} bytes`)
    assert.equal(await field(primary, 'stats', 'sync_full'), '1')
    assert.equal(await field(primary, 'stats', 'sync_partial_ok'), '1')
    assert.match(await field(primary, 'replication', 'filtered_replica0'), /filter=~eu:\* ~/)
    assert.equal(await field(copy, 'replication', 'replica_filter_fetched_keys'), '0')
  })

  it('is the same after cuts in the middle of it, and resumes partially', async () => {
    const redis = await startRedis(file, { args: ['--repl-backlog-size', '64mb'] })
    const relay = await startRelay(file, redis.port)
    const [primary] = (await wires(redis)) as [Wire]
    const filter = { keys: 'eu:*' }
    const [, copy] = await follow(relay.port, filter)
    const swap = () => ['SWAPDB', 1, 2]
    let cuts = 0
    await randomly(primary, [swap], (round) => {
      if (round % 20 !== 19) return
      cuts++
      if (round % 40 === 19) relay.cutAll()
      else relay.cutAfter(100 + round)
    })
    await linkUp(copy)
    await same(primary, copy, filter, `SEED=${SEED}`)
    assert.equal(await field(primary, 'stats', 'sync_full'), '1', 'loaded once')
    assert.ok(Number(await field(primary, 'stats', 'sync_partial_ok')) > 0, `${cuts} cuts`)
  })

  it('waits for a value that crosses the border while the primary is slow to tell it', async () => {
    const redis = await startRedis(file)
    const relay = await startRelay(file, redis.port)
    const [primary] = (await wires(redis)) as [Wire]
    const filter = { keys: 'eu:*' }
    const [, copy] = await follow(relay.port, filter)
    await primary.must('RPUSH', 'us:l', ...Array.from({ length: 300 }, (_, i) => i))
    // Links of others than replicas: what is asked for comes late, and later writes of the same key come before it.
    relay.delay(30)
    relay.delayReplicas(-30)
    for (let i = 0; i < 100; i++) {
      await primary.must('LMOVE', 'us:l', `eu:l${i % 3}`, 'LEFT', 'RIGHT')
      await primary.must('RPUSH', `eu:l${i % 3}`, 'own')
      await primary.must('SUNIONSTORE', 'eu:s', 'eu:none')
      await primary.must('INCR', 'eu:counter')
      if (i % 10 === 0) await primary.must('RENAME', `eu:l${i % 3}`, 'eu:moved')
    }
    await same(primary, copy, filter)
    assert.ok(Number(await field(copy, 'replication', 'replica_filter_fetched_keys')) > 2)
  })

  it('loads anew when a kept database is exchanged with one that is not', async () => {
    const redis = await startRedis(file)
    const [primary] = (await wires(redis)) as [Wire]
    const filter = { databases: '0' }
    const [, copy] = await follow(redis.port, filter)
    await primary.must('SET', 'a', 'zero')
    await primary.must('SELECT', 1)
    await primary.must('SET', 'a', 'one')
    await same(primary, copy, filter)
    await primary.must('SWAPDB', 0, 1)
    await waitUntil(async () => (await copy.must('GET', 'a')) === 'one', { timeoutMs: 20_000, what: 'the other data' })
    await same(primary, copy, filter)
    assert.equal(await field(primary, 'stats', 'sync_full'), '2')
  })

  it('has a history of its own, which own replicas follow through cuts', async () => {
    const redis = await startRedis(file)
    const [primary] = (await wires(redis)) as [Wire]
    const filter = { keys: 'eu:*' }
    const [tandem, copy] = await follow(redis.port, filter)
    assert.notEqual(
      await field(copy, 'replication', 'master_replid'),
      await field(primary, 'replication', 'master_replid'),
    )
    assert.equal(await field(copy, 'replication', 'role'), 'slave')
    assert.equal(await field(copy, 'replication', 'slave_priority'), '0')
    const relay = await startRelay(file, tandem.port)
    const below = await startRedis(file)
    const [last] = (await wires(below)) as [Wire]
    await last.must('REPLICAOF', '127.0.0.1', relay.port)
    await linkUp(last)
    await randomly(primary, [], (round) => {
      if (round === ROUNDS / 2) relay.cutAll()
    })
    await caughtUp(primary, copy)
    const settled = async () =>
      (await field(copy, 'replication', 'master_repl_offset')) ===
      (await field(last, 'replication', 'slave_repl_offset'))
    await waitUntil(settled, { timeoutMs: 20_000, what: 'the replica of the copy' })
    assert.deepEqual(await shown(last, {}), await shown(primary, filter), `SEED=${SEED}`)
    assert.equal(await field(copy, 'stats', 'sync_full'), '1')
    assert.equal(await field(copy, 'stats', 'sync_partial_ok'), '1')
  })

  it('begins anew after a restart, with another filter too, and does not show what it kept before', async () => {
    const redis = await startRedis(file)
    const relay = await startRelay(file, redis.port)
    const [primary] = (await wires(redis)) as [Wire]
    await run(primary, [
      ['SET', 'eu:1', 'a'],
      ['SET', 'us:1', 'a'],
    ])
    const [tandem, copy] = await follow(relay.port, { keys: 'eu:*' })
    assert.equal(await copy.must('DBSIZE'), 1)
    await copy.must('SAVE')
    await copy.close()
    await tandem.stop()
    await relay.stop()
    const args = [...options({ keys: 'us:*' }), '--replicaof', '127.0.0.1', String(relay.port)]
    const next = await startTandem(file, { dir: tandem.dir, args })
    const again = await connectFor(file, next.port)
    assert.equal(await again.must('DBSIZE'), 0)
    await relay.start()
    await linkUp(again)
    await same(primary, again, { keys: 'us:*' })
    assert.equal(await again.must('GET', 'us:1'), 'a')
    assert.equal(await again.must('GET', 'eu:1'), null)
  })

  it('does not ask more of the primary than it is allowed to: without DUMP it loads anew', async () => {
    const redis = await startRedis(file)
    const [primary] = (await wires(redis)) as [Wire]
    await primary.must('ACL', 'SETUSER', 'copy', 'on', '>secret', '~*', '+psync', '+replconf', '+ping')
    const filter = { keys: 'eu:*' }
    const [, copy] = await follow(redis.port, filter, ['--masteruser', 'copy', '--masterauth', 'secret'])
    await primary.must('SET', 'us:1', 'a')
    await primary.must('RENAME', 'us:1', 'eu:1')
    await waitUntil(async () => (await copy.must('GET', 'eu:1')) === 'a', { timeoutMs: 20_000, what: 'the key' })
    assert.ok(Number(await field(primary, 'stats', 'sync_full')) >= 2)
  })

  it('tells what the filter keeps away', async () => {
    const redis = await startRedis(file)
    const [primary] = (await wires(redis)) as [Wire]
    const [tandem, copy] = await follow(redis.port, { keys: 'eu:*', types: 'string' })
    for (let i = 0; i < 200; i++) await primary.must('SET', i % 100 === 0 ? `eu:${i}` : `us:${i}`, 'x'.repeat(100))
    await caughtUp(primary, copy)
    const fields = await info(copy, 'replication')
    assert.equal(fields.get('replica_filter'), 'keys=eu:*,types=string')
    const seen = Number(fields.get('replica_filter_seen_bytes'))
    const dropped = Number(fields.get('replica_filter_dropped_bytes'))
    assert.ok(dropped > seen * 0.9 && dropped < seen, `${dropped} of ${seen}`)
    const metrics = await (await fetch(`http://127.0.0.1:${tandem.metricsPort}/metrics`)).text()
    assert.match(metrics, new RegExp(`tandem_replica_filter_dropped_bytes_total ${dropped}\n`))
    assert.match(metrics, /tandem_replica_filter_fetched_keys_total 0\n/)
  })
})
