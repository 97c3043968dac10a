/**
 * INFO against redis-server: the same fields in the same order, the same sections for the same request, and values of the same
 * kind. Tandem's own fields begin with tandem_.
 */
import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { type Pair, startPair } from '../support/differential.ts'
import { startRedis } from '../support/redis.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, type Wire } from '../support/wire.ts'

type Field = readonly [name: string, value: string]

async function info(wire: Wire, ...sections: string[]): Promise<string> {
  return String(await wire.must('INFO', ...sections))
}

/** Headings and fields in order; headings have no value. */
function fields(text: string): Field[] {
  const found: Field[] = []
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (line.startsWith('#')) found.push([line, ''])
    else if (colon > 0) found.push([line.slice(0, colon), line.slice(colon + 1)])
  }
  return found
}

/** One line for each command, error, database or replica: what there is depends on what was done. */
const LISTED = /^(cmdstat_|errorstat_|latency_percentiles_|db\d|slave\d)/

function names(text: string): string[] {
  return fields(text)
    .map(([name]) => name)
    .filter((name) => !LISTED.test(name) && !name.startsWith('tandem_'))
}

function titles(text: string): string[] {
  return fields(text)
    .map(([name]) => name)
    .filter((name) => name.startsWith('#'))
}

/** Hexadecimal, so that they may look like numbers. */
const TEXTS = new Set(['redis_git_sha1', 'redis_build_id', 'run_id', 'master_replid', 'master_replid2'])

function kind(value: string): string {
  if (/^-?\d+$/.test(value)) return 'integer'
  const decimals = /^-?\d+\.(\d+)(%?)$/.exec(value)
  return decimals === null ? 'text' : `${decimals[1]!.length} decimals${decimals[2]}`
}

suite('INFO', () => {
  let pair: Pair

  before(async () => {
    pair = await startPair()
  })

  test('has every field of Redis in its order', async (t) => {
    const redis = await connectFor(t, pair.redis.port)
    const tandem = await connectFor(t, pair.tandem.port)
    assert.deepEqual(names(await info(tandem, 'everything')), names(await info(redis, 'everything')))
  })

  test('tells its own version behind the one of Redis', async (t) => {
    const tandem = await connectFor(t, pair.tandem.port)
    const [heading, redisVersion, tandemVersion] = fields(await info(tandem, 'server'))
    assert.deepEqual(heading, ['# Server', ''])
    assert.deepEqual(redisVersion, ['redis_version', '7.0.15'])
    assert.equal(tandemVersion?.[0], 'tandem_version')
    assert.match(tandemVersion?.[1] ?? '', /^\d+\.\d+\.\d+/)
  })

  test('has values of the same kind', async (t) => {
    const redis = await connectFor(t, pair.redis.port)
    const tandem = await connectFor(t, pair.tandem.port)
    const actual = new Map(fields(await info(tandem, 'everything')))
    for (const [name, value] of fields(await info(redis, 'everything'))) {
      if (LISTED.test(name) || TEXTS.has(name) || name.endsWith('_human')) continue
      assert.equal(kind(actual.get(name) ?? 'missing'), kind(value), `${name}: ${actual.get(name)}, Redis has ${value}`)
    }
  })

  test('shows the interpreter of scripts before there was one', async (t) => {
    for (const server of [await startRedis(t), await startTandem(t)]) {
      const shown = new Map(fields(await info(await connectFor(t, server.port), 'memory')))
      assert.ok(Number(shown.get('used_memory_vm_eval')) > 0)
      assert.equal(shown.get('used_memory_lua'), shown.get('used_memory_vm_eval'))
      assert.equal(shown.get('number_of_cached_scripts'), '0')
    }
  })

  for (const sections of [
    [],
    ['default'],
    ['ALL'],
    ['everything'],
    ['cpu', 'sentinel'],
    ['commandSTATS'],
    ['keyspace', 'server'],
    ['cpu', 'default'],
    ['latencystats', 'all'],
    ['modules'],
    ['module_list'],
    ['nosuch'],
  ]) {
    test(`shows the sections of Redis for "${sections.join(' ')}"`, async (t) => {
      const redis = await connectFor(t, pair.redis.port)
      const tandem = await connectFor(t, pair.tandem.port)
      assert.deepEqual(titles(await info(tandem, ...sections)), titles(await info(redis, ...sections)))
    })
  }

  test('counts calls, failures and errors as Redis does', async (t) => {
    const counted: string[] = []
    for (const server of [pair.redis, pair.tandem]) {
      const wire = await connectFor(t, server.port)
      await wire.must('FLUSHALL')
      await wire.must('CONFIG', 'RESETSTAT')
      await wire.pipeline([
        ['SET', 'a', 'x'],
        ['SET', 'b', '1'],
        ['SET', 'c'],
        ['INCR', 'a'],
        ['LPUSH', 'a', 'y'],
        ['GET', 'a'],
        ['GET', 'missing'],
        ['nosuch'],
        ['CONFIG', 'GET', 'port'],
        ['CONFIG', 'SET', 'nosuch', '1'],
      ])
      const text = await info(wire, 'commandstats', 'errorstats', 'keyspace')
      const stats = new Map(fields(await info(wire, 'stats')))
      const lines = text
        .split('\r\n')
        .filter((line) => LISTED.test(line))
        .map((line) => line.replace(/usec=\d+,usec_per_call=\d+\.\d\d/, 'usec'))
        .sort()
      for (const name of ['total_error_replies', 'keyspace_hits', 'keyspace_misses', 'unexpected_error_replies']) {
        lines.push(`${name}:${stats.get(name)}`)
      }
      counted.push(lines.join('\n'))
    }
    assert.equal(counted[1], counted[0])
  })

  test('tells the distribution of latencies at the percentiles asked for', async (t) => {
    const tandem = await connectFor(t, pair.tandem.port)
    await tandem.must('CONFIG', 'RESETSTAT')
    await tandem.must('SET', 'a', 'b')
    const line = async () => new Map(fields(await info(tandem, 'latencystats'))).get('latency_percentiles_usec_set')
    assert.match((await line()) ?? '', /^p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}$/)
    await tandem.must('CONFIG', 'SET', 'latency-tracking-info-percentiles', '0.0 50.0 100.0')
    assert.match((await line()) ?? '', /^p0=\d+\.\d{3},p50=\d+\.\d{3},p100=\d+\.\d{3}$/)
    await tandem.must('CONFIG', 'SET', 'latency-tracking', 'no')
    assert.equal(await line(), undefined)
    await tandem.must('CONFIG', 'SET', 'latency-tracking', 'yes')
    await tandem.must('CONFIG', 'SET', 'latency-tracking-info-percentiles', '50 99 99.9')
  })

  test('is a verbatim string in RESP3', async (t) => {
    const tandem = await connectFor(t, pair.tandem.port, 3)
    const { raw } = await tandem.sendRaw(['INFO', 'cluster'])
    assert.equal(raw.toString('latin1'), '=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n')
  })

  test('tells of replication what Redis tells, on both sides', async (t) => {
    const primary = await startRedis(t)
    const follow = ['--replicaof', '127.0.0.1', String(primary.port)]
    const redis = await connectFor(t, (await startRedis(t, { args: follow })).port)
    const tandem = await connectFor(t, (await startTandem(t, { args: follow })).port)
    for (const wire of [redis, tandem]) {
      await waitUntil(async () => (await info(wire, 'replication')).includes('master_link_status:up'))
    }
    assert.deepEqual(names(await info(tandem, 'replication')), names(await info(redis, 'replication')))

    const upstream = await startTandem(t)
    await startRedis(t, { args: ['--replicaof', '127.0.0.1', String(upstream.port)] })
    const wire = await connectFor(t, upstream.port)
    const replica = async () => new Map(fields(await info(wire, 'replication'))).get('slave0')
    await waitUntil(async () => (await replica())?.includes('state=online') ?? false)
    assert.match((await replica()) ?? '', /^ip=127\.0\.0\.1,port=\d+,state=online,offset=\d+,lag=\d+$/)
  })
})
