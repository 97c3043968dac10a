/** CONFIG SET: all or nothing, with the error texts of redis 7.0.15 (introspection.tcl). */
import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Config } from '../../src/config/config.ts'
import type { OptionName } from '../../src/config/options.ts'

function related(name: string, reason: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`
}

test('several options are set by one command', () => {
  const config = new Config()
  assert.equal(
    config.set([
      ['maxmemory', '10mb'],
      ['repl-backlog-size', '10000002'],
      ['save', '3000 5'],
    ]),
    undefined,
  )
  assert.equal(config.get('maxmemory'), 10 * 1024 * 1024)
  assert.equal(config.get('repl-backlog-size'), 10000002)
  assert.equal(config.format('save'), '3000 5')
  assert.equal(config.isExplicit('repl-backlog-size'), true)
})

test('save points of CONFIG SET replace those of before', () => {
  const config = new Config()
  config.loadText('save 900 1')
  assert.equal(config.set([['save', '60 1']]), undefined)
  assert.equal(config.format('save'), '60 1')
  assert.equal(config.set([['save', '']]), undefined)
  assert.equal(config.format('save'), '')
  assert.equal(config.set([['save', '60']]), related('save', 'Invalid save parameters'))
})

test('a value that is refused takes back those before it', () => {
  const config = new Config()
  config.set([['maxmemory', '10000002']])
  const heard: string[] = []
  config.on('maxmemory', () => heard.push('maxmemory'))
  assert.equal(
    config.set([
      ['maxmemory', '10000001'],
      ['maxmemory-clients', '200%'],
      ['client-query-buffer-limit', 'invalid'],
    ]),
    related('maxmemory-clients', 'percentage argument must be less or equal to 100'),
  )
  assert.equal(config.get('maxmemory'), 10000002)
  assert.equal(config.get('maxmemory-clients'), 0)
  assert.deepEqual(heard, [])
})

test('each kind of value has its error', () => {
  const cases: [string, string, string][] = [
    ['appendonly', 'maybe', "argument must be 'yes' or 'no'"],
    ['port', '1x', "argument couldn't be parsed into an integer"],
    ['port', '70000', 'argument must be between 0 and 65535 inclusive'],
    ['maxclients', '-1', 'argument must be between 1 and 4294967295 inclusive'],
    ['slowlog-max-len', '-1', 'argument must be between 0 and 9223372036854775807 inclusive'],
    ['maxmemory', '-1', 'argument must be a memory value'],
    ['maxmemory-clients', 'x%', 'argument must be a memory or percent value'],
    ['proto-max-bulk-len', '1kb', 'argument must be between 1048576 and 9223372036854775807 inclusive'],
    ['appendfsync', 'often', 'argument(s) must be one of the following: everysec, always, no'],
    ['shutdown-on-sigterm', 'save nosave', "shutdown options SAVE and NOSAVE can't be used simultaneously"],
    ['notify-keyspace-events', 'KEy', "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."],
    ['dbfilename', 'a/b', "dbfilename can't be a path, just a filename"],
    ['dir', '/nonexistent/directory', 'No such file or directory'],
    ['bind', Array(17).fill('a').join(' '), 'Too many bind addresses specified.'],
    ['oom-score-adj-values', '1 2', 'wrong number of arguments'],
    ['oom-score-adj-values', '1 2 3000', 'Invalid oom-score-adj-values, elements must be between -2000 and 2000.'],
    ['cluster-announce-hostname', 'a_b', 'Hostnames may only contain alphanumeric characters, hyphens or dots'],
    ['proc-title-template', '{nothing}', 'template format is invalid or contains unknown variables'],
  ]
  const config = new Config()
  config.loadText('enable-protected-configs yes')
  for (const [name, value, reason] of cases) assert.equal(config.set([[name, value]]), related(name, reason), name)
})

test('names are checked before values', () => {
  const config = new Config()
  assert.equal(
    config.set([
      ['maxmemory', 'x'],
      ['Nonsense', '1'],
    ]),
    "ERR Unknown option or number of arguments for CONFIG SET - 'Nonsense'",
  )
  assert.equal(config.set([['Daemonize', 'yes']]), related('Daemonize', "can't set immutable config"))
  assert.equal(
    config.set([
      ['maxmemory', '1'],
      ['MAXMEMORY', '2'],
    ]),
    related('MAXMEMORY', 'duplicate parameter'),
  )
  assert.equal(config.get('maxmemory'), 0)
})

test('protected options need enable-protected-configs', () => {
  const values: [string, boolean, boolean][] = [
    ['no', true, false],
    ['local', false, false],
    ['local', true, true],
    ['yes', false, true],
  ]
  for (const [enabled, local, allowed] of values) {
    const config = new Config()
    config.loadText(`enable-protected-configs ${enabled}`)
    const outcome = config.set([['dbfilename', 'x.rdb']], { local })
    assert.equal(outcome, allowed ? undefined : related('dbfilename', "can't set protected config"))
  }
})

test('some options cannot change while a dump is loaded', () => {
  const config = new Config()
  config.loadText('enable-protected-configs yes')
  assert.equal(config.set([['loglevel', 'debug']], { loading: true }), undefined)
  const loading = 'LOADING Redis is loading the dataset in memory'
  assert.equal(config.set([['dir', '/']], { loading: true }), loading)
  assert.equal(config.set([['appendonly', 'yes']], { loading: true }), loading)
})

test('dir is the real path of a directory, relative to the one before', (t) => {
  const parent = realpathSync(mkdtempSync(join(tmpdir(), 'tandem-dir-')))
  t.after(() => rmSync(parent, { recursive: true }))
  const config = new Config()
  config.loadText('enable-protected-configs yes')
  config.set([['dir', join(parent, '..')]])
  assert.equal(config.set([['dir', parent.slice(parent.lastIndexOf('/') + 1)]]), undefined)
  assert.equal(config.get('dir'), parent)
  assert.equal(config.resolvePath('dump.rdb'), join(parent, 'dump.rdb'))
})

test('a hook that refuses brings all values back and is called again with the old ones', () => {
  const config = new Config()
  const calls: string[] = []
  config.onApply('maxmemory', (value, old) => {
    calls.push(`maxmemory ${old} ${value}`)
    return undefined
  })
  config.onApply('port', (value, old) => {
    calls.push(`port ${old} ${value}`)
    return value === 1 ? 'Unable to listen on this port. Check server logs.' : undefined
  })
  config.onApply(['oom-score-adj', 'oom-score-adj-values'], () => {
    calls.push('oom')
    return undefined
  })
  const heard: OptionName[] = []
  config.on('maxmemory', () => heard.push('maxmemory'))
  assert.equal(
    config.set([
      ['oom-score-adj', 'yes'],
      ['oom-score-adj-values', '1 1 1'],
      ['maxmemory', '5'],
      ['port', '1'],
      ['timeout', '3'],
    ]),
    related('port', 'Unable to listen on this port. Check server logs.'),
  )
  assert.deepEqual(calls, ['oom', 'maxmemory 0 5', 'port 6379 1', 'oom', 'maxmemory 5 0', 'port 1 6379'])
  assert.deepEqual(
    [config.get('maxmemory'), config.get('port'), config.get('timeout'), config.get('oom-score-adj')],
    [0, 6379, 0, 'no'],
  )
  assert.deepEqual(heard, [])
  assert.equal(config.isExplicit('port'), false)
})

test('hooks are not called for a value that stays, except for files that may be new', () => {
  const config = new Config()
  let calls = 0
  const count = () => {
    calls++
    return undefined
  }
  config.onApply('port', count)
  config.onApply('tls-cert-file', count)
  assert.equal(config.set([['port', '6379']]), undefined)
  assert.equal(calls, 0)
  assert.equal(config.set([['tls-cert-file', '']]), undefined)
  assert.equal(calls, 1)
})

test('a hook may need time, and the next command waits', async () => {
  const config = new Config()
  const order: string[] = []
  config.onApply('port', async (value) => {
    await new Promise((resolve) => setImmediate(resolve))
    order.push(`listen ${value}`)
    return value === 1 ? 'in use' : undefined
  })
  config.on('timeout', (value) => order.push(`timeout ${value}`))
  const first = config.setAndWait([
    ['port', '1'],
    ['timeout', '1'],
  ])
  const second = config.setAndWait([['timeout', '2']])
  assert.ok(first instanceof Promise && second instanceof Promise)
  assert.equal(await first, related('port', 'in use'))
  assert.equal(await second, undefined)
  assert.deepEqual(order, ['listen 1', 'listen 6379', 'timeout 2'])
  assert.equal(config.get('port'), 6379)
  assert.equal(config.setAndWait([['timeout', '4']]), undefined)
})

test('derived values are shown and heard of but do not count as set', () => {
  const config = new Config()
  const seen: number[] = []
  const end = config.on('repl-backlog-size', (bytes) => seen.push(bytes))
  config.setDerived('repl-backlog-size', 64 * 1024 * 1024)
  config.setDerived('repl-backlog-size', 64 * 1024 * 1024)
  assert.equal(config.format('repl-backlog-size'), '67108864')
  assert.equal(config.isExplicit('repl-backlog-size'), false)
  config.resetDerived('repl-backlog-size')
  assert.deepEqual(seen, [67108864, 16777216])
  end()
  config.set([['repl-backlog-size', '1mb']])
  config.resetDerived('repl-backlog-size')
  assert.equal(config.get('repl-backlog-size'), 1024 * 1024)
  assert.equal(seen.length, 2)
})

test('passwords are sensitive under every name', () => {
  const config = new Config()
  assert.equal(config.isSensitive('REQUIREPASS'), true)
  assert.equal(config.isSensitive('masterauth'), true)
  assert.equal(config.isSensitive('port'), false)
  assert.equal(config.isSensitive('nonsense'), false)
})
