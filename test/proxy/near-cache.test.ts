/**
 * A proxy with a filter keeps replies of reads outside of it (the near cache). They are the upstream's to the byte, and never
 * older than what their connection has written or read, whichever way the news of a change comes and however late.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { caughtUp, ends, handOver, type Proxied, proxyField, startProxy } from '../support/proxy.ts'
import { startRedis } from '../support/redis.ts'
import { field, linkUp } from '../support/replicas.ts'
import { waitUntil } from '../support/wait-until.ts'
import { type Argument, connectFor, type Wire } from '../support/wire.ts'
import { check } from './checker.ts'

const file = fileCleanup()
const SEED = Number(process.env.SEED ?? 1)
const FILTER = ['--replica-filter-keys', 'eu:*']
/** What only the connections that read for the cache send. */
const READERS = /TRACKING\r\n/

interface Counts {
  hits: number
  misses: number
  entries: number
  bytes: number
  invalidations: number
  evictions: number
}

async function near(wire: Wire): Promise<Counts> {
  const read = async (name: string) => Number(await proxyField(wire, `near_${name}`))
  return {
    hits: await read('hits'),
    misses: await read('misses'),
    entries: await read('entries'),
    bytes: await read('bytes'),
    invalidations: await read('invalidations'),
    evictions: await read('evictions'),
  }
}

/** With its connections up: before that reads go upstream as any other. */
async function started(args: string[] = []): Promise<Proxied> {
  const proxied = await startProxy(file, [...FILTER, ...args])
  const wire = await connectFor(file, proxied.tandem.port)
  await warm(wire)
  return proxied
}

async function warm(wire: Wire): Promise<void> {
  await waitUntil(
    async () => {
      await wire.must('GET', 'us:warm')
      return Number(await proxyField(wire, 'near_hits')) > 0
    },
    { what: 'the near cache' },
  )
}

const FILL: Argument[][] = [
  ['SET', 'us:k', 'value'],
  ['HSET', 'us:h', 'a', 1, 'b', 2],
  ['RPUSH', 'us:l', 'x', 'y', 'z'],
  ['SADD', 'us:s', 1, 2, 3],
  ['ZADD', 'us:z', 1.5, 'a', 2, 'b'],
  ['XADD', 'us:x', '1-1', 'f', 'v'],
  ['PFADD', 'us:p', 'a', 'b'],
  ['GEOADD', 'us:g', 13.36, 38.11, 'x', 15.08, 37.5, 'y'],
  ['SETBIT', 'us:b', 7, 1],
]
const READS: [string, ...Argument[]][] = [
  ['GET', 'us:k'],
  ['GET', 'us:none'],
  ['STRLEN', 'us:k'],
  ['GETRANGE', 'us:k', 0, 2],
  ['EXISTS', 'us:k', 'us:none'],
  ['TYPE', 'us:h'],
  ['MGET', 'us:k', 'us:none'],
  ['HGETALL', 'us:h'],
  ['HGET', 'us:h', 'a'],
  ['HLEN', 'us:h'],
  ['LRANGE', 'us:l', 0, -1],
  ['LLEN', 'us:l'],
  ['SISMEMBER', 'us:s', 2],
  ['SINTER', 'us:s', 'us:none'],
  ['ZRANGE', 'us:z', 0, -1, 'WITHSCORES'],
  ['ZSCORE', 'us:z', 'a'],
  ['XRANGE', 'us:x', '-', '+'],
  ['XLEN', 'us:x'],
  ['PFCOUNT', 'us:p'],
  ['GEOPOS', 'us:g', 'x'],
  ['GEODIST', 'us:g', 'x', 'y'],
  ['GETBIT', 'us:b', 7],
  ['BITCOUNT', 'us:b'],
]

describe('the near cache', () => {
  for (const protocol of [2, 3] as const) {
    it(`answers reads outside of the filter in RESP${protocol} as the upstream does, first from there, then from here`, async () => {
      const proxied = await startProxy(file, FILTER)
      const [upstream, proxy] = await ends(file, proxied, protocol)
      await warm(proxy)
      if (protocol === 3) await upstream.must('HELLO', 3)
      for (const command of FILL) await upstream.must(...(command as [string, ...Argument[]]))
      await caughtUp(upstream, proxy)
      const before = await near(proxy)
      for (const round of ['asked', 'kept']) {
        for (const read of READS) {
          const expected = await upstream.sendRaw(read)
          const answer = await proxy.sendRaw(read)
          assert.deepEqual(
            answer.raw.toString('latin1'),
            expected.raw.toString('latin1'),
            `${round}: ${read.join(' ')}`,
          )
        }
      }
      const after = await near(proxy)
      assert.equal(after.misses - before.misses, READS.length)
      assert.equal(after.hits - before.hits, READS.length)
      // An error is not kept.
      for (let i = 0; i < 2; i++) {
        assert.match(JSON.stringify(await proxy.send('HGET', 'us:k', 'f')), /WRONGTYPE/)
      }
      assert.equal((await near(proxy)).hits, after.hits)
    })
  }

  it('keeps nothing that depends on time, chance or a cursor, and each database and protocol for itself', async () => {
    const proxied = await started()
    const [upstream, proxy] = await ends(file, proxied)
    for (const command of FILL) await upstream.must(...(command as [string, ...Argument[]]))
    const before = await near(proxy)
    const reads: [string, ...Argument[]][] = [
      ['TTL', 'us:k'],
      ['PTTL', 'us:k'],
      ['OBJECT', 'IDLETIME', 'us:k'],
      ['SRANDMEMBER', 'us:s'],
      ['HRANDFIELD', 'us:h'],
      ['ZRANDMEMBER', 'us:z'],
      ['SSCAN', 'us:s', 0],
      ['HSCAN', 'us:h', 0],
      ['XREAD', 'STREAMS', 'us:x', '0'],
      ['XINFO', 'STREAM', 'us:x'],
      ['SORT_RO', 'us:l', 'BY', 'us:w_*', 'ALPHA'],
      ['KEYS', 'us:k*'],
      ['DBSIZE'],
      ['RANDOMKEY'],
      ['EVAL_RO', "return redis.call('GET', KEYS[1])", 1, 'us:k'],
    ]
    for (const read of reads) for (let i = 0; i < 2; i++) await proxy.must(...read)
    const after = await near(proxy)
    assert.deepEqual([after.hits, after.misses, after.entries], [before.hits, before.misses, before.entries])
    await proxy.must('GET', 'us:k')
    await proxy.must('SELECT', 1)
    assert.equal(await proxy.must('GET', 'us:k'), null)
    await proxy.must('SELECT', 0)
    await proxy.must('HELLO', 3)
    assert.equal(await proxy.must('GET', 'us:none'), null)
    assert.equal((await near(proxy)).hits, after.hits)
  })

  it('hears of changes: by others, by its own clients, of all keys, of times that are over', async () => {
    const proxied = await started()
    const [upstream, proxy] = await ends(file, proxied)
    const other = await connectFor(file, proxied.tandem.port)
    const becomes = (expected: string | null, what: string) =>
      waitUntil(async () => (await proxy.must('GET', 'us:k')) === expected, { what, timeoutMs: 5000 })
    const kept = async () => {
      await waitUntil(
        async () => {
          const { hits } = await near(other)
          await proxy.must('GET', 'us:k')
          return (await near(other)).hits > hits
        },
        { what: 'a kept reply' },
      )
    }
    await upstream.must('SET', 'us:k', 'one')
    await becomes('one', 'the first value')
    await kept()
    await upstream.must('SET', 'us:k', 'two')
    await becomes('two', 'a write of another')
    await kept()
    await other.must('SET', 'us:k', 'three')
    await becomes('three', 'a write of another client')
    await kept()
    // One's own: at once, also in a transaction or a script.
    await proxy.must('APPEND', 'us:k', '!')
    assert.equal(await proxy.must('GET', 'us:k'), 'three!')
    await kept()
    await proxy.must('MULTI')
    await proxy.must('SET', 'us:k', 'four')
    await proxy.must('EXEC')
    assert.equal(await proxy.must('GET', 'us:k'), 'four')
    await kept()
    await proxy.must('EVAL', "return redis.call('SET', KEYS[1], 'five')", 1, 'us:k')
    assert.equal(await proxy.must('GET', 'us:k'), 'five')
    await kept()
    await upstream.must('RENAME', 'us:k', 'us:other')
    await becomes(null, 'a rename')
    await upstream.must('SET', 'us:k', 'six', 'PX', 150)
    await becomes('six', 'a key with a time')
    await kept()
    await becomes(null, 'its end')
    await upstream.must('SET', 'us:k', 'seven')
    await becomes('seven', 'a key')
    await kept()
    await upstream.must('FLUSHALL')
    await becomes(null, 'FLUSHALL')
    await upstream.must('SET', 'us:k', 'eight')
    await becomes('eight', 'a key')
    await kept()
    await upstream.must('SWAPDB', 0, 1)
    await becomes(null, 'SWAPDB, which CLIENT TRACKING does not tell')
  })

  it('does not give a key whose time is over, even if the upstream has not removed it yet', async () => {
    const proxied = await started()
    const [upstream, proxy] = await ends(file, proxied)
    await upstream.must('DEBUG', 'SET-ACTIVE-EXPIRE', 0)
    await upstream.must('SET', 'us:k', 'v', 'PX', 400)
    assert.equal(await proxy.must('GET', 'us:k'), 'v')
    assert.equal(await proxy.must('GET', 'us:k'), 'v')
    const { invalidations } = await near(proxy)
    await waitUntil(async () => (await proxy.must('GET', 'us:k')) === null, { what: 'its end', timeoutMs: 2000 })
    assert.ok(invalidations >= 0)
  })

  it('does not keep a reply that the news of a change has overtaken', async () => {
    const proxied = await started()
    const { relay } = proxied
    const [upstream, proxy] = await ends(file, proxied)
    const other = await connectFor(file, proxied.tandem.port)
    await upstream.must('SET', 'us:race', 'old')
    await caughtUp(upstream, other)
    // The reply is held back on its way; the change and the news of it are not.
    relay.hold(READERS)
    const { invalidations } = await near(other)
    const reading = proxy.must('GET', 'us:race')
    await waitUntil(() => relay.holding > 0, { what: 'the reply to be on its way' })
    await upstream.must('SET', 'us:race', 'new')
    await caughtUp(upstream, other)
    assert.equal((await near(other)).invalidations, invalidations, 'nothing is kept yet')
    relay.release()
    assert.equal(await reading, 'old', 'it was asked before the change')
    const { hits } = await near(other)
    assert.equal(await other.must('GET', 'us:race'), 'new', 'and is not given to anybody later')
    assert.equal(await proxy.must('GET', 'us:race'), 'new')
    assert.ok((await near(other)).hits >= hits)
  })

  it("does not keep what was read around a client's own write", async () => {
    const proxied = await started(['--proxy-consistency', 'eventual'])
    const { relay } = proxied
    const [upstream, proxy] = await ends(file, proxied)
    const writer = await connectFor(file, proxied.tandem.port)
    await upstream.must('SET', 'us:race', 'old')
    // Neither the news nor the stream come: only the proxy itself knows of the write.
    relay.hold(READERS)
    const reading = proxy.must('GET', 'us:race')
    await waitUntil(() => relay.holding > 0, { what: 'the reply to be on its way' })
    relay.delayReplicas(3000)
    await writer.must('SET', 'us:race', 'new')
    relay.release()
    assert.equal(await reading, 'old')
    assert.equal(await writer.must('GET', 'us:race'), 'new')
    assert.equal(await proxy.must('GET', 'us:race'), 'new')
  })

  it('drops everything when a link is lost, and reads upstream meanwhile', async () => {
    const proxied = await started()
    const [upstream, proxy] = await ends(file, proxied)
    await upstream.must('SET', 'us:k', 'one')
    await waitUntil(async () => (await proxy.must('GET', 'us:k')) === 'one', { what: 'the value' })
    await waitUntil(async () => (await near(proxy)).entries > 0, { what: 'it to be kept' })
    await proxied.relay.stop()
    await waitUntil(async () => (await near(proxy)).entries === 0, { what: 'nothing to be kept' })
    assert.match(JSON.stringify(await proxy.send('GET', 'us:k')), /MASTERDOWN/)
    assert.equal(await proxyField(proxy, 'near_up'), '0')
    await upstream.must('SET', 'us:k', 'two')
    await proxied.relay.start()
    await waitUntil(async () => (await proxy.send('GET', 'us:k')) === 'two', { what: 'the new value' })
    await warm(proxy)
    await linkUp(proxy)
  })

  it('stays within its bounds, and is nothing with a bound of 0', async () => {
    const proxied = await started(['--near-cache-max-entries', '20', '--near-cache-max-bytes', '20kb'])
    const [upstream, proxy] = await ends(file, proxied)
    for (let i = 0; i < 40; i++) await proxy.must('GET', `us:${i}`)
    const full = await near(proxy)
    assert.equal(full.entries, 20)
    assert.ok(full.evictions >= 20)
    await upstream.must('SET', 'us:large', 'x'.repeat(8000))
    for (let i = 0; i < 5; i++) await proxy.must('GETRANGE', 'us:large', i, -1)
    const large = await near(proxy)
    assert.ok(large.bytes <= 20 * 1024 && large.entries < 20, JSON.stringify(large))
    await upstream.must('SET', 'us:huge', 'x'.repeat(30_000))
    for (let i = 0; i < 2; i++) assert.equal(String(await proxy.must('GET', 'us:huge')).length, 30_000)
    assert.equal((await near(proxy)).hits, large.hits)
    await proxy.must('CONFIG', 'SET', 'near-cache-max-entries', 0)
    assert.equal((await near(proxy)).entries, 0)
    for (let i = 0; i < 2; i++) await proxy.must('GET', 'us:k')
    assert.deepEqual((await near(proxy)).hits, large.hits)
    await proxy.must('CONFIG', 'SET', 'near-cache-max-entries', 100)
    await warm(proxy)
  })

  it('is not asked by linearizable reads, nor by bounded ones when its news is older', async () => {
    const proxied = await started()
    const [upstream, proxy] = await ends(file, proxied)
    const bounded = await connectFor(file, proxied.tandem.port)
    await bounded.must('CLIENT', 'CONSISTENCY', 'BOUNDED', 300)
    await upstream.must('SET', 'us:k', 'one')
    await waitUntil(
      async () => {
        const { hits } = await near(proxy)
        await bounded.must('GET', 'us:k')
        return (await near(proxy)).hits > hits
      },
      { what: 'a kept reply' },
    )
    await proxy.must('CLIENT', 'CONSISTENCY', 'LINEARIZABLE')
    const { hits } = await near(proxy)
    await proxy.must('GET', 'us:k')
    assert.equal((await near(proxy)).hits, hits)
    // Nothing comes from the upstream any more: what is kept is too old soon.
    proxied.relay.freeze()
    let stale: Promise<unknown> | undefined
    await waitUntil(
      async () => {
        const before = (await near(proxy)).hits
        stale = bounded.send('GET', 'us:k')
        const first = await Promise.race([stale, near(proxy)])
        return typeof first !== 'string' && (await near(proxy)).hits === before
      },
      { what: 'a read that goes upstream', intervalMs: 50 },
    )
    proxied.relay.thaw()
    assert.equal(await stale, 'one')
  })

  it('tells its counts', async () => {
    const proxied = await started()
    const proxy = await connectFor(file, proxied.tandem.port)
    for (let i = 0; i < 3; i++) await proxy.must('GET', 'us:k')
    const { hits, misses } = await near(proxy)
    const metrics = await (await fetch(`http://127.0.0.1:${proxied.tandem.metricsPort}/metrics`)).text()
    assert.match(metrics, new RegExp(`tandem_proxy_near_hits_total ${hits}\n`))
    assert.match(metrics, new RegExp(`tandem_proxy_near_misses_total ${misses}\n`))
    assert.match(metrics, /tandem_proxy_near_entries [1-9]\d*\n/)
    assert.match(metrics, /tandem_proxy_near_bytes [1-9]\d*\n/)
    assert.match(metrics, /tandem_proxy_near_invalidations_total \d+\n/)
    assert.match(metrics, /tandem_proxy_near_evictions_total 0\n/)
  })
})

describe('session consistency through the near cache', () => {
  const run = async (proxied: Proxied, cut: () => void) => {
    const upstream = await connectFor(file, proxied.redis.port)
    // Writers that the proxy knows nothing of.
    let seed = SEED
    const others = setInterval(() => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      void upstream.send('INCR', `check:${seed % 50}`)
    }, 1)
    const cuts = setInterval(cut, 150)
    try {
      return await check({ port: proxied.tandem.port, seed: SEED, clients: 20, operations: 20_000, keys: 50 })
    } finally {
      clearInterval(cuts)
      clearInterval(others)
    }
  }

  it('holds for several writers while the copy lags, where half of the keys are outside of the filter', async () => {
    const proxied = await startProxy(file, ['--replica-filter-keys', 'check:1* check:2* check:3*'])
    const proxy = await connectFor(file, proxied.tandem.port)
    await warm(proxy)
    proxied.relay.delayReplicas(5)
    const result = await run(proxied, () => proxied.relay.cutReplicas())
    assert.deepEqual(result.violations.slice(0, 3), [], `seed ${SEED}`)
    assert.deepEqual([...result.errors], [])
    const { hits, misses, invalidations } = await near(proxy)
    assert.ok(hits > 100 && misses > 100 && invalidations > 100, `${hits} hits, ${misses} misses`)
  })

  it('holds when all links are cut', async () => {
    const proxied = await startProxy(file, ['--replica-filter-keys', 'eu:*', '--session-wait', '30'])
    const proxy = await connectFor(file, proxied.tandem.port)
    await warm(proxy)
    const result = await run(proxied, () => proxied.relay.cutAll())
    assert.deepEqual(result.violations.slice(0, 3), [], `seed ${SEED}`)
    assert.equal(result.errors.get('write ERR'), undefined)
    assert.ok((await near(proxy)).hits > 0)
  })

  it('holds over a failover, and the copy is the shown part of the successor', async () => {
    const filter = ['check:1*', 'check:2*']
    const proxied = await startProxy(file, ['--replica-filter-keys', filter.join(' ')])
    const successor = await startRedis(file, { args: ['--replicaof', '127.0.0.1', String(proxied.redis.port)] })
    const [old, proxy] = await ends(file, proxied)
    const next = await connectFor(file, successor.port)
    await linkUp(next)
    await warm(proxy)
    let moved: Promise<void> | undefined
    const move = () => handOver(old, next, proxy, successor.port)
    const result = await check({
      port: proxied.tandem.port,
      seed: SEED,
      clients: 20,
      operations: 20_000,
      keys: 50,
      onProgress: (done) => {
        if (done > 10_000) moved ??= move()
      },
    })
    await moved
    assert.deepEqual(result.violations.slice(0, 3), [], `seed ${SEED}`)
    await linkUp(proxy)
    await caughtUp(next, proxy)
    assert.equal(await field(next, 'stats', 'sync_full'), '0', 'resumed')
    // What it holds itself, as it would tell a replica.
    const own = await connectFor(file, proxied.tandem.port)
    await own.must('CLIENT', 'CONSISTENCY', 'EVENTUAL')
    const before = Number(await proxyField(proxy, 'reads_local'))
    let kept = 0
    for (let key = 0; key < 50; key++) {
      const name = `check:${key}`
      if (/^check:[12]/.test(name)) kept++
      assert.equal(await own.must('GET', name), await next.must('GET', name), name)
    }
    assert.equal(Number(await proxyField(proxy, 'reads_local')) - before, kept)
    await warm(proxy)
  })

  it('holds over keys: who has seen a later write sees the earlier one too', async () => {
    const proxied = await startProxy(file, FILTER)
    const upstream = await connectFor(file, proxied.redis.port)
    const readers = await Promise.all(Array.from({ length: 8 }, () => connectFor(file, proxied.tandem.port)))
    await warm(readers[0]!)
    proxied.relay.delayReplicas(2)
    let done = false
    // Rounds of writes in an order; no reader may see a round in one key and miss it in one before it.
    const keys = ['us:1', 'eu:2', 'us:3', 'eu:4']
    const writing = (async () => {
      for (let round = 1; round <= 300; round++) {
        for (const key of keys) {
          await upstream.must('SET', key, round)
          // Kept replies live for a while.
          for (let i = 0; i < 10; i++) await upstream.must('INCR', 'us:other')
        }
      }
      done = true
    })()
    const reading = readers.map(async (reader, i) => {
      let seen = 0
      while (!done) {
        const order = i % 2 === 0 ? [3, 2, 1, 0] : [2, 1, 0, 3, 1]
        let last = -1
        for (const at of order) {
          const value = Number((await reader.must('GET', keys[at]!)) ?? 0)
          // Keys that are written before the one read last: as new at least.
          const floor = last > at ? seen : seen - 1
          assert.ok(
            value >= floor,
            `${keys[at]} is ${value} after ${seen} of ${last < 0 ? 'the round before' : keys[last]}`,
          )
          if (value >= seen) {
            seen = value
            last = at
          }
        }
      }
    })
    await Promise.all([writing, ...reading])
    const { hits } = await near(readers[0]!)
    assert.ok(hits > 20, `${hits} hits`)
  })
})
