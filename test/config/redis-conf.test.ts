/** Lines of redis.conf: how they are split, quoted, counted and included. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { ConfigError, directives, quote, readConfigFiles, splitArguments } from '../../src/config/redis-conf.ts'

function temporaryDirectory(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'tandem-conf-'))
  t.after(() => rmSync(dir, { recursive: true }))
  return dir
}

test('arguments are split at blanks outside quotes', () => {
  const lines: [string, string[] | undefined][] = [
    ['save 900 1', ['save', '900', '1']],
    ['  a\t b  ', ['a', 'b']],
    ['', []],
    ['logfile ""', ['logfile', '']],
    ["a 'it\\'s' b", ['a', "it's", 'b']],
    ['a "x y" z', ['a', 'x y', 'z']],
    ['pre"fix ed"', ['prefix ed']],
    ['"\\n\\r\\t\\a\\b\\q\\\\"', ['\n\r\t\x07\bq\\']],
    ['"\\x41\\x4"', ['Ax4']],
    ["'\\x41'", ['\\x41']],
    ['"open', undefined],
    ["'open", undefined],
    ['"a"b', undefined],
    ['"a\\"', undefined],
  ]
  for (const [line, args] of lines) assert.deepEqual(splitArguments(line), args, line)
})

test('bytes of a longer character can be spelled one by one', () => {
  assert.deepEqual(splitArguments('"caf\\xc3\\xa9" café'), ['café', 'café'])
  assert.equal(quote('café\n"'), '"caf\\xc3\\xa9\\n\\""')
})

test('what quote() writes is read back', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 }), (args) => {
      assert.deepEqual(splitArguments(args.map(quote).join(' ')), args)
    }),
  )
})

test('directives have the number of their line and a name in lower case', () => {
  const found = [...directives('# comment\n\n  PORT 7000  \r\nlogfile ""\n#end')]
  assert.deepEqual(found, [
    { line: 3, text: 'PORT 7000', args: ['port', '7000'] },
    { line: 4, text: 'logfile ""', args: ['logfile', ''] },
  ])
})

test('a line that cannot be split is an error in the form of Redis', () => {
  assert.throws(
    () => [...directives('port 1\nlogfile "x')],
    (error) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.line, 2)
      assert.equal(
        error.message,
        [
          '*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***',
          'Reading the configuration file, at line 2',
          `>>> 'logfile "x'`,
          'Unbalanced quotes in configuration line',
        ].join('\n'),
      )
      return true
    },
  )
})

test('a path with wildcards means all files that match, in order, and perhaps none', (t) => {
  const dir = temporaryDirectory(t)
  mkdirSync(join(dir, 'conf.d'))
  writeFileSync(join(dir, 'conf.d', '20-b.conf'), 'port 2')
  writeFileSync(join(dir, 'conf.d', '10-a.conf'), 'port 1\n')
  writeFileSync(join(dir, 'conf.d', '.hidden.conf'), 'port 3\n')
  writeFileSync(join(dir, 'conf.d', 'other.txt'), 'port 4\n')
  assert.equal(readConfigFiles('conf.d/*.conf', dir), 'port 1\nport 2\n')
  assert.equal(readConfigFiles(join(dir, '*', '1?-a.conf'), '/'), 'port 1\n')
  assert.equal(readConfigFiles('conf.d/[!12]*.txt', dir), 'port 4\n')
  assert.equal(readConfigFiles('nothing/*.conf', dir), '')
})

test('a file that is not there is an error with its name', (t) => {
  const path = join(temporaryDirectory(t), 'none.conf')
  assert.throws(() => readConfigFiles(path, '/'), {
    name: 'ConfigError',
    message: `Fatal error, can't open config file '${path}': No such file or directory`,
  })
})
