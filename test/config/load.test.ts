/** How options get their values at start: file, standard input, environment, command line (introspection.tcl). */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { unknownVariables } from '../../src/config/arguments.ts'
import { Config } from '../../src/config/config.ts'
import type { OptionName } from '../../src/config/options.ts'

function temporaryDirectory(t: TestContext): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'tandem-load-')))
  t.after(() => rmSync(dir, { recursive: true }))
  return dir
}

/** What CONFIG GET shows for an option after a start with these arguments. */
function started(args: string[], name: OptionName): string {
  const config = new Config()
  config.loadArguments(args)
  return config.format(name)
}

function startError(args: string[]): string {
  try {
    new Config().loadArguments(args)
  } catch (error) {
    return (error as Error).message
  }
  return assert.fail(`started with ${args.join(' ')}`)
}

test('defaults apply without any argument', () => {
  const config = new Config()
  config.loadArguments([])
  assert.equal(config.get('port'), 6379)
  assert.equal(config.get('repl-backlog-size'), 16 * 1024 * 1024)
  assert.deepEqual(config.get('bind'), ['127.0.0.1', '-::1'])
  assert.equal(config.get('dir'), process.cwd())
  assert.equal(config.format('save'), '3600 1 300 100 60 10000')
  assert.equal(config.file, '')
  assert.equal(config.isExplicit('port'), false)
})

test('options take their values up to the next --', () => {
  const config = new Config()
  config.loadArguments([
    '--port',
    '7777',
    '--save',
    '',
    '--save',
    '60',
    '1',
    '--bind',
    '127.0.0.1',
    '::1',
    '--appendonly',
    'yes',
  ])
  assert.equal(config.get('port'), 7777)
  assert.deepEqual(config.get('save'), [{ seconds: 60, changes: 1 }])
  assert.deepEqual(config.get('bind'), ['127.0.0.1', '::1'])
  assert.equal(config.get('appendonly'), true)
  assert.equal(config.isExplicit('port'), true)
})

test('name and value may be one argument, quoted or not', () => {
  assert.equal(started(['--maxmemory 700mb', '--maxmemory-policy volatile-lru'], 'maxmemory'), '734003200')
  assert.equal(started(["--maxmemory '700mb'"], 'maxmemory'), '734003200')
  assert.equal(started(['--shutdown-on-sigterm', 'nosave force'], 'shutdown-on-sigterm'), 'nosave force')
  assert.equal(started(['--shutdown-on-sigint', 'nosave', 'force', 'now'], 'shutdown-on-sigint'), 'nosave now force')
})

test('a value may begin with --', () => {
  const args = ['--proc-title-template', '--my--title--template', '--loglevel', 'verbose']
  assert.equal(started(args, 'proc-title-template'), '--my--title--template')
  assert.equal(started(args, 'loglevel'), 'verbose')
})

test('--save without a value means no save points', () => {
  for (const args of [
    ['--save', '--loglevel', 'verbose'],
    ['--loglevel', 'verbose', '--save'],
    ['--save', '', '--loglevel', 'verbose'],
    ['--loglevel', 'verbose', '--save', ''],
    ['--proc-title-template', '--save', '--save', '', '--loglevel', 'verbose'],
  ]) {
    assert.equal(started(args, 'save'), '', args.join(' '))
    assert.equal(started(args, 'loglevel'), 'verbose', args.join(' '))
  }
})

test('errors of the command line are those of redis-server', () => {
  const cases: [string[], string[]][] = [
    [['--port'], [">>> 'port'", 'wrong number of arguments']],
    [
      ['--port', '6380', '--loglevel'],
      [">>> 'loglevel'", 'wrong number of arguments'],
    ],
    [
      ['--port', '6379', '6380'],
      [`>>> 'port "6379" "6380"'`, 'wrong number of arguments'],
    ],
    [
      ['--port', '--bla', '--loglevel', 'verbose'],
      [`>>> 'port "--bla"'`, "argument couldn't be parsed into an integer"],
    ],
    [
      ['--shutdown-on-sigint'],
      [">>> 'shutdown-on-sigint'", 'argument(s) must be one of the following: default, save, nosave, now, force'],
    ],
    [
      ['--replicaof', '127.0.0.1', 'abc'],
      [`>>> 'replicaof "127.0.0.1" "abc"'`, 'Invalid master port'],
    ],
    [
      ['--replicaof', '--127.0.0.1', '--abc'],
      [`>>> 'replicaof "--127.0.0.1"'`, 'wrong number of arguments'],
    ],
    [
      ['--nonsense', '1'],
      [`>>> 'nonsense "1"'`, 'Bad directive or wrong number of arguments'],
    ],
    [['--cluster-enabled', 'yes', '--replicaof', 'a', '1'], ['replicaof directive not allowed in cluster mode']],
  ]
  for (const [args, expected] of cases) {
    const lines = startError(args).split('\n')
    assert.equal(lines[0], '*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***')
    assert.deepEqual(lines.slice(-expected.length), expected)
  }
  assert.match(startError(['--port']), /\nReading the configuration file, at line 2\n/)
})

test('file, standard input, environment and options follow one another, and the last counts', (t) => {
  const dir = temporaryDirectory(t)
  const path = join(dir, 'redis.conf')
  writeFileSync(path, 'port 1001\ntimeout 1\nhz 20\nmaxclients 11\nsave 900 1\n')
  const config = new Config()
  config.loadArguments([path, '--port', '1004', '--save', '100', '100', '-'], {
    stdin: () => 'port 1002\ntimeout 2\nhz 21\n',
    env: { TANDEM_PORT: '1003', TANDEM_TIMEOUT: '3', PORT: '9' },
  })
  assert.deepEqual(
    [config.get('port'), config.get('timeout'), config.get('hz'), config.get('maxclients')],
    [1004, 3, 21, 11],
  )
  assert.equal(config.format('save'), '900 1 100 100')
  assert.equal(config.file, path)
})

test('environment variables are named after options', () => {
  const config = new Config()
  const env = {
    TANDEM_REPL_TIMEOUT: '5',
    TANDEM_SAVE: '60 1 30 2',
    TANDEM_SERVER_CPULIST: '0-1',
    TANDEM_REPL_TIMEOUTS: '1',
  }
  config.loadEnvironment(env)
  assert.equal(config.get('repl-timeout'), 5)
  assert.equal(config.format('save'), '60 1 30 2')
  assert.equal(config.get('server_cpulist'), '0-1')
  assert.deepEqual(unknownVariables(env), ['TANDEM_REPL_TIMEOUTS'])
})

test('aliases and either case are the same option, the last line counts', () => {
  const config = new Config()
  config.loadText(
    'hash-max-listpack-entries 20\nHash-Max-Ziplist-Entries 21\nslaveof 10.0.0.1 6380\nSLAVE-READ-ONLY no',
  )
  assert.equal(config.get('hash-max-listpack-entries'), 21)
  assert.equal(config.get('replicaof'), '10.0.0.1 6380')
  assert.equal(config.get('replica-read-only'), false)
})

test('the first save line replaces the default and others add to it', () => {
  const config = new Config()
  config.loadText('save 900 1\nsave 60 2 30 3')
  assert.equal(config.format('save'), '900 1 60 2 30 3')
  config.loadText('save ""')
  assert.equal(config.format('save'), '')
})

test('buffer limits add up over lines', () => {
  const config = new Config()
  config.loadText('client-output-buffer-limit replica 1mb 0 0\nclient-output-buffer-limit normal 1kb 512 10')
  assert.equal(
    config.format('client-output-buffer-limit'),
    'normal 1024 512 10 slave 1048576 0 0 pubsub 33554432 8388608 60',
  )
})

test('included files are read from dir, and errors name their lines', (t) => {
  const dir = temporaryDirectory(t)
  mkdirSync(join(dir, 'conf.d'))
  writeFileSync(join(dir, 'conf.d', 'a.conf'), 'timeout 7\n')
  writeFileSync(join(dir, 'b.conf'), '\n\nport x\n')
  const config = new Config()
  config.loadText(`dir ${dir}\ninclude conf.d/*.conf\ninclude empty.d/*.conf\ntcp-backlog 5`)
  assert.equal(config.get('timeout'), 7)
  assert.equal(config.get('tcp-backlog'), 5)
  assert.throws(() => config.loadText('include b.conf'), {
    line: 3,
    reason: "argument couldn't be parsed into an integer",
  })
  writeFileSync(join(dir, 'loop.conf'), 'include loop.conf')
  assert.throws(() => config.loadText('include loop.conf'), { reason: 'Too many files include each other' })
})

test('user, rename-command and loadmodule lines are kept for others, who may refuse them', () => {
  const config = new Config()
  config.onDirective('rename-command', ([from]) => (from === 'nope' ? 'No such command in rename-command' : undefined))
  config.loadText('user alice on >secret ~* +@all\nrename-command flushall ""\nloadmodule /m.so a b')
  assert.deepEqual(config.directives('user'), [
    {
      name: 'user',
      args: ['alice', 'on', '>secret', '~*', '+@all'],
      line: 1,
      text: 'user alice on >secret ~* +@all',
    },
  ])
  assert.deepEqual(config.directives('rename-command')[0]?.args, ['flushall', ''])
  assert.deepEqual(config.directives('loadmodule')[0]?.args, ['/m.so', 'a', 'b'])
  assert.throws(() => config.loadText('\nrename-command nope x'), {
    line: 2,
    reason: 'No such command in rename-command',
  })
})

test('directives of other times and modes are as in Redis', () => {
  const config = new Config()
  config.loadText('list-max-ziplist-entries 512\nlua-replicate-commands yes\nsentinel')
  assert.throws(() => config.loadText('sentinel monitor x'), {
    reason: 'sentinel directive while not in sentinel mode',
  })
  assert.throws(() => config.loadText('module.option'), { reason: 'Module config specified without value' })
  assert.throws(() => config.loadText('list-max-ziplist-entries'), {
    reason: 'Bad directive or wrong number of arguments',
  })
})

test('values out of range are moved or refused as the option says', () => {
  assert.equal(started(['--hz', '0'], 'hz'), '1')
  assert.equal(started(['--hz', '100000'], 'hz'), '500')
  assert.equal(started(['--unixsocketperm', '700'], 'unixsocketperm'), '700')
  assert.match(startError(['--unixsocketperm', '1000']), /argument must be between 0 and 777 inclusive$/)
  assert.match(startError(['--port', '65536']), /argument must be between 0 and 65535 inclusive$/)
  assert.match(startError(['--databases', '0']), /argument must be between 1 and 2147483647 inclusive$/)
})

test('a log file that cannot be written ends the start', (t) => {
  const dir = temporaryDirectory(t)
  const message = startError(['--dir', dir, '--logfile', 'none/x.log'])
  assert.match(message, /\nCan't open the log file: No such file or directory$/)
})

test('listeners hear of loaded values', () => {
  const config = new Config()
  const seen: number[] = []
  config.watch('timeout', (seconds) => seen.push(seconds))
  config.loadText('timeout 9\ntimeout 9')
  assert.deepEqual(seen, [0, 9])
})
