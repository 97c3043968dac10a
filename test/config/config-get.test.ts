/** CONFIG GET: which options patterns find, and how values are printed; and the table of options itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Config } from '../../src/config/config.ts'
import { NAMED_OPTIONS, OPTIONS } from '../../src/config/options.ts'

test('a name finds its option in either case and is shown as it was asked for', () => {
  const config = new Config()
  assert.deepEqual(config.getMatching(['MaxMemory', 'nonsense']), [['MaxMemory', '0']])
  assert.deepEqual(config.getMatching(['maxmemory', 'MAXMEMORY']), [['maxmemory', '0']])
})

test('several patterns find each option once, and aliases beside their options', () => {
  const found = new Config().getMatching(['maxmemory', 'maxmemory*', 'bind', '*of'])
  const names = found.map(([name]) => name)
  assert.equal(new Set(names).size, names.length)
  for (const name of ['slaveof', 'replicaof', 'maxmemory', 'maxmemory-samples', 'maxmemory-clients', 'bind']) {
    assert.ok(names.includes(name), name)
  }
})

test('hidden options are found by name only', () => {
  const config = new Config()
  assert.ok(!config.getMatching(['*']).some(([name]) => name === 'key-load-delay'))
  assert.deepEqual(config.getMatching(['key-load-delay']), [['key-load-delay', '0']])
})

test('values are printed as Redis prints them', () => {
  const config = new Config()
  config.loadText(
    'maxmemory 1gb\nmaxmemory-clients 20%\nnotify-keyspace-events KEA\nunixsocketperm 755\noom-score-adj relative',
  )
  const expected: Record<string, string> = {
    maxmemory: '1073741824',
    'maxmemory-clients': '20%',
    'notify-keyspace-events': 'AKE',
    unixsocketperm: '755',
    'oom-score-adj': 'yes',
    'oom-score-adj-values': '0 200 800',
    'latency-tracking-info-percentiles': '50 99 99.9',
    save: '3600 1 300 100 60 10000',
    'client-output-buffer-limit': 'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
    'shutdown-on-sigint': 'default',
    replicaof: '',
    requirepass: '',
    'replica-read-only': 'yes',
    'proc-title-template': '{title} {listen-addr} {server-mode}',
    'list-max-listpack-size': '-2',
  }
  for (const [name, value] of Object.entries(expected)) assert.deepEqual(config.getMatching([name]), [[name, value]])
})

test('every option that can be set can be set to the value that it shows', () => {
  const config = new Config()
  config.loadText('enable-protected-configs yes')
  const before = config.getMatching(['*'])
  for (const { name, option } of NAMED_OPTIONS) {
    if (option.immutable === true) continue
    const [[, value]] = config.getMatching([name]) as [[string, string]]
    assert.equal(config.set([[name, value]]), undefined, `${name} ${value}`)
  }
  assert.deepEqual(config.getMatching(['*']), before)
})

test('limits of 64 bits can be set again to what is shown', () => {
  const config = new Config()
  for (const value of ['9223372036854775807', '18446744073709551615']) {
    assert.equal(config.set([['maxmemory', value]]), undefined)
    const shown = config.format('maxmemory')
    assert.equal(config.set([['maxmemory', shown]]), undefined)
    assert.equal(config.format('maxmemory'), shown)
  }
  assert.equal(config.set([['slowlog-max-len', '9223372036854775807']]), undefined)
  assert.equal(config.set([['slowlog-max-len', config.format('slowlog-max-len')]]), undefined)
})

test('the table holds all directives of redis-server and those of Tandem, each with a summary', () => {
  assert.equal(OPTIONS.length, 178 + 27)
  for (const option of OPTIONS) assert.notEqual(option.summary, '', option.name)
})
