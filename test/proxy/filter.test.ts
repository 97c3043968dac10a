/**
 * A proxy that keeps a part of its upstream's data (`--filter-keys` and others): clients see all of it. What is kept is read
 * here, everything else there, and nobody can tell but by the counts.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fileCleanup } from '../support/cleanup.ts'
import { picker } from '../support/crossing-writes.ts'
import { freePort } from '../support/ports.ts'
import { caughtUp, counts, ends, place, proxyField, startProxy } from '../support/proxy.ts'
import { startRedis } from '../support/redis.ts'
import { field } from '../support/replicas.ts'
import { startProcess } from '../support/server-process.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { type Argument, connectFor } from '../support/wire.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 20261127)
const ROUNDS = Number(process.env.ROUNDS ?? 300)
const KEYS = ['--replica-filter-keys', 'eu:*']

describe('a proxy with a filter', () => {
  it('holds the shown keys only, reads them here and the others upstream', async () => {
    const proxied = await startProxy(file, KEYS)
    const [upstream, proxy] = await ends(file, proxied)
    const other = await connectFor(file, proxied.tandem.port)
    for (let i = 0; i < 50; i++) await upstream.must('MSET', `eu:${i}`, i, `us:${i}`, i)
    await upstream.must('RPUSH', 'us:l', 'a')
    await upstream.must('SADD', 'eu:s', 'a', 'b')
    await caughtUp(upstream, other)
    assert.match(String(await proxyField(proxy, 'copy_ready')), /1/)
    assert.equal(await place(proxy, other, 'GET', 'eu:1'), 'here')
    assert.equal(await place(proxy, other, 'MGET', 'eu:1', 'eu:2'), 'here')
    assert.equal(await place(proxy, other, 'SSCAN', 'eu:s', 0), 'here')
    assert.equal(await place(proxy, other, 'GET', 'eu:none'), 'here')
    assert.equal(await place(proxy, other, 'LRANGE', 'us:l', 0, -1), 'upstream')
    assert.equal(await place(proxy, other, 'EVAL_RO', "return redis.call('GET', KEYS[1])", 1, 'eu:1'), 'upstream')
    assert.equal(await place(proxy, other, 'SORT_RO', 'eu:s', 'BY', 'us:*', 'ALPHA'), 'upstream')
    assert.equal(await proxy.must('DBSIZE'), 102)
    assert.equal(((await proxy.must('KEYS', '*')) as string[]).length, 102)
    let cursor = '0'
    const scanned = new Set<string>()
    do {
      const [next, keys] = (await proxy.must('SCAN', cursor)) as [string, string[]]
      for (const key of keys) scanned.add(key)
      cursor = next
    } while (cursor !== '0')
    assert.equal(scanned.size, 102)
    assert.deepEqual(await proxy.must('MGET', 'eu:1', 'us:1', 'us:none'), ['1', '1', null])
    // Transactions of reads go where all of them can be answered.
    const exec = async (key: string) => {
      await proxy.must('MULTI')
      await proxy.must('GET', 'eu:1')
      await proxy.must('GET', key)
      return proxy.must('EXEC')
    }
    const before = await proxyField(other, 'transactions_upstream')
    assert.deepEqual(await exec('eu:2'), ['1', '2'])
    assert.equal(await proxyField(other, 'transactions_upstream'), before)
    assert.deepEqual(await exec('us:2'), ['1', '2'])
    assert.equal(await proxyField(other, 'transactions_upstream'), String(Number(before) + 1))
    // WATCH and blocking reads.
    await proxy.must('WATCH', 'us:1')
    await upstream.must('SET', 'us:1', 'changed')
    await proxy.must('MULTI')
    await proxy.must('GET', 'us:1')
    assert.equal(await proxy.must('EXEC'), null)
    const blocked = proxy.must('XREAD', 'BLOCK', 10_000, 'STREAMS', 'us:x', '$')
    await waitUntil(async () => (await field(upstream, 'clients', 'blocked_clients')) === '1', { what: 'the reader' })
    await upstream.must('XADD', 'us:x', '1-1', 'f', 'v')
    assert.deepEqual(await blocked, [['us:x', [['1-1', ['f', 'v']]]]])
  })

  it('reads its own writes on both sides, and what crosses from one to the other', async () => {
    const proxied = await startProxy(file, KEYS)
    const [, proxy] = await ends(file, proxied)
    proxied.relay.delayReplicas(5)
    await proxy.must('RPUSH', 'us:q', ...Array.from({ length: 200 }, (_, i) => i))
    for (let i = 0; i < 200; i++) {
      await proxy.must('LMOVE', 'us:q', 'eu:q', 'LEFT', 'RIGHT')
      assert.equal(await proxy.must('LINDEX', 'eu:q', -1), String(i))
      assert.equal(await proxy.must('LLEN', 'us:q'), 199 - i)
      await proxy.must('SET', 'us:n', i)
      await proxy.must('RENAME', 'us:n', 'eu:n')
      assert.equal(await proxy.must('GET', 'eu:n'), String(i))
      assert.equal(await proxy.must('GET', 'us:n'), null)
    }
  })

  const filters: Record<string, string[]> = {
    keys: KEYS,
    types: ['--replica-filter-types', 'hash string'],
    'databases, keys and types': [...KEYS, '--replica-filter-databases', '0 1', '--replica-filter-types', 'string set'],
  }
  for (const [name, args] of Object.entries(filters)) {
    for (const protocol of [2, 3] as const) {
      it(`answers as the upstream does in RESP${protocol}, whatever is written, with a filter of ${name}`, async () => {
        const proxied = await startProxy(file, args)
        const [upstream, proxy] = await ends(file, proxied, protocol)
        if (protocol === 3) await upstream.must('HELLO', 3)
        const pick = picker(SEED)
        const key = (kind = pick(['k', 's', 'h', 'l'])) => `${pick(['eu', 'us'])}:${kind}${pick([1, 2])}`
        const writes: (() => [string, ...Argument[]])[] = [
          () => ['SET', key('k'), pick(['a', 'b', 'c'])],
          () => ['SET', key(), pick(['a', 'b'])],
          () => ['APPEND', key('k'), 'x'],
          () => ['SADD', key('s'), pick([1, 2, 3])],
          () => ['SPOP', key('s')],
          () => ['HSET', key('h'), pick(['f', 'g']), pick([1, 2, 3])],
          () => ['HDEL', key('h'), pick(['f', 'g'])],
          () => ['RPUSH', key('l'), pick([1, 2, 3])],
          () => ['LMOVE', key('l'), key('l'), 'LEFT', 'RIGHT'],
          () => ['RENAME', key(), key()],
          () => ['COPY', key(), key(), 'REPLACE'],
          () => ['SMOVE', key('s'), key('s'), pick([1, 2, 3])],
          () => ['SUNIONSTORE', key('s'), key('s'), key('s')],
          () => ['DEL', key(), key()],
          () => ['PEXPIRE', key(), 100_000],
          () => ['MOVE', key(), pick([0, 1, 2])],
          () => ['EVAL', "return redis.call('INCR', KEYS[1])", 1, key('k')],
          () => ['SWAPDB', 0, 1],
          () => ['FLUSHDB'],
        ]
        const reads: (() => [string, ...Argument[]])[] = [
          () => ['GET', key('k')],
          () => ['GET', key()],
          () => ['TYPE', key()],
          () => ['EXISTS', key(), key()],
          () => ['MGET', key('k'), key('k')],
          () => ['SCARD', key('s')],
          () => ['SINTERCARD', 2, key('s'), key('s')],
          () => ['HGETALL', key('h')],
          () => ['HMGET', key('h'), 'f', 'g'],
          () => ['LRANGE', key('l'), 0, -1],
          () => ['STRLEN', key('k')],
          () => ['PEXPIRETIME', key()],
          () => ['DBSIZE'],
        ]
        for (let round = 0; round < ROUNDS; round++) {
          // Through the proxy, so that it has to know; single connections, so that both see the same moment.
          const write = pick(writes.slice(0, round % 10 === 0 ? undefined : -2))()
          await proxy.send(...write)
          if (pick([1, 2, 3, 4]) === 1) {
            const database = pick([0, 1, 2])
            await upstream.must('SELECT', database)
            await proxy.must('SELECT', database)
          }
          for (let i = 0; i < 4; i++) {
            const read = pick(reads)()
            const expected = await upstream.sendRaw(read)
            const answer = await proxy.sendRaw(read)
            const told = `${read.join(' ')} after ${write.join(' ')}, round ${round}, SEED=${SEED}`
            assert.equal(answer.raw.toString('latin1'), expected.raw.toString('latin1'), told)
          }
        }
        const { local, reads: there } = await counts(proxy)
        assert.ok(local > 20 && there > 20, `${local} here, ${there} upstream`)
        assert.ok(Number(await proxyField(proxy, 'near_hits')) > 0)
      })
    }
  }

  it('does not answer from a database that was exchanged with a hidden one before it has it', async () => {
    const proxied = await startProxy(file, ['--replica-filter-databases', '0'])
    const [upstream, proxy] = await ends(file, proxied)
    await upstream.must('SET', 'a', 'zero')
    await upstream.must('SELECT', 1)
    await upstream.must('SET', 'a', 'one')
    await caughtUp(upstream, proxy)
    for (let i = 0; i < 6; i++) {
      await proxy.must('SWAPDB', 0, 1)
      for (let j = 0; j < 5; j++) assert.equal(await proxy.must('GET', 'a'), i % 2 === 0 ? 'one' : 'zero', `${i}`)
    }
    await proxy.must('SELECT', 1)
    assert.equal(await proxy.must('GET', 'a'), 'one')
  })

  it('tells clients that track keys of changes on both sides', async () => {
    const proxied = await startProxy(file, KEYS)
    const [upstream, proxy] = await ends(file, proxied, 3)
    await upstream.must('MSET', 'eu:1', 'a', 'us:1', 'a')
    await proxy.must('CLIENT', 'TRACKING', 'ON')
    for (const key of ['eu:1', 'us:1']) {
      await waitUntil(async () => (await proxy.must('GET', key)) === 'a', { what: 'the value' })
      const before = proxy.pushes.length
      await upstream.must('SET', key, 'b')
      await proxy.waitForPushes(before + 1)
      assert.deepEqual(proxy.pushes.at(-1), ['invalidate', [key]])
    }
  })

  it('keeps its copy and reads through cuts, and is empty after a restart until it has it again', async () => {
    const proxied = await startProxy(file, KEYS)
    const [upstream, proxy] = await ends(file, proxied)
    await upstream.must('MSET', 'eu:1', 'a', 'us:1', 'a')
    await caughtUp(upstream, proxy)
    await proxied.relay.stop()
    assert.equal(await proxy.must('GET', 'eu:1'), 'a')
    assert.match(JSON.stringify(await proxy.send('GET', 'us:1')), /MASTERDOWN/)
    await upstream.must('MSET', 'eu:1', 'b', 'us:1', 'b')
    await proxied.relay.start()
    await waitUntil(async () => (await proxy.send('GET', 'eu:1')) === 'b', { what: 'the change' })
    await waitUntil(async () => (await proxy.send('GET', 'us:1')) === 'b', { what: 'the other change' })
    assert.equal(await field(upstream, 'stats', 'sync_full'), '1')
    await proxy.must('SAVE')
    await proxied.tandem.stop()
    await proxied.relay.stop()
    await proxied.tandem.start()
    const again = await connectFor(file, proxied.tandem.port)
    // What is in its dump is of another moment, perhaps of another filter.
    assert.match(JSON.stringify(await again.send('GET', 'eu:1')), /MASTERDOWN/)
    await proxied.relay.start()
    await waitUntil(async () => (await again.send('GET', 'eu:1')) === 'b', { what: 'the key' })
    await waitUntil(async () => (await proxyField(again, 'copy_ready')) === '1', { what: 'the copy' })
    assert.equal(await field(upstream, 'stats', 'sync_full'), '2')
  })

  it('has short names for the options of a proxy, and refuses what makes no sense', async () => {
    const redis = await startRedis(file)
    const upstream = await connectFor(file, redis.port)
    await upstream.must('MSET', 'eu:1', 'a', 'us:1', 'a')
    const port = await freePort()
    const url = `redis://127.0.0.1:${redis.port}`
    const words = [
      'proxy',
      '--upstream',
      url,
      '--filter-keys',
      'eu:*',
      '--filter-databases',
      '0',
      '--consistency',
      'session',
    ]
    const args = [MAIN, ...words, '--port', String(port), '--metrics-port', '0', '--save', '']
    await startProcess(file, { name: 'tandem', command: process.execPath, args, port }, {})
    const proxy = await connectFor(file, port)
    await waitUntil(async () => (await field(proxy, 'replication', 'master_link_status')) === 'up', {
      what: 'the link',
    })
    assert.equal(await field(proxy, 'replication', 'replica_filter'), 'keys=eu:*,databases=0')
    assert.match(JSON.stringify(await proxy.send('CONFIG', 'SET', 'replica-filter-keys', '*')), /immutable/)
    for (const args of [
      ['--replica-filter-types', 'hash table'],
      ['--replica-filter-databases', 'zero'],
    ]) {
      await assert.rejects(startTandem(file, { args }), `${args.join(' ')} is refused`)
    }
  })
})
