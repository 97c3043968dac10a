import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  arg,
  type CommandDeclaration,
  command,
  FLAG_MOVABLE_KEYS,
  group,
  key,
  keyRange,
} from '../../src/commands/define.ts'
import { FoundKeys, findKeys } from '../../src/commands/keys.ts'
import { CommandTable } from '../../src/commands/table.ts'
import { Request } from '../../src/resp/request.ts'

const run = () => undefined

function declare(name: string, more: Partial<CommandDeclaration> = {}): CommandDeclaration {
  return command({ name, arity: -2, since: '1.0.0', summary: 'For tests', run, ...more })
}

function lookup(table: CommandTable, name: string): string | undefined {
  const bytes = Buffer.from(`*1\r\n$0\r\n${name}\r\n`, 'latin1')
  const start = bytes.length - name.length - 2
  return table.lookup(bytes, start, start + name.length)?.fullName
}

suite('command table', () => {
  const names = ['get', 'getex', 'set', 'sort_ro', 'restore-asking', 'zadd', 'a', ...manyNames(200)]
  const container = declare('config', { subcommands: [declare('get'), declare('set')] })
  const table = new CommandTable([
    group(
      'string',
      names.map((name) => declare(name)),
    ),
    group('server', [container]),
  ])

  test('finds each name in any case and only whole names', () => {
    for (const name of [...names, 'config']) {
      assert.equal(lookup(table, name), name)
      assert.equal(lookup(table, name.toUpperCase()), name)
      assert.equal(lookup(table, name[0]!.toUpperCase() + name.slice(1)), name)
      assert.equal(lookup(table, `${name}x`), undefined)
    }
    assert.equal(lookup(table, ''), undefined)
    assert.equal(lookup(table, 'x'.repeat(1000)), undefined)
  })

  test('does not take other bytes for letters in another case', () => {
    assert.equal(lookup(table, 'sort\x7fro'), undefined)
    assert.equal(lookup(table, 'restore\x0dasking'), undefined)
    assert.equal(lookup(table, 'ge\xd4'), undefined)
  })

  test('finds subcommands by their container', () => {
    const bytes = Buffer.from('GeTnope')
    const parent = table.byName('config')!
    assert.equal(table.lookupSub(parent, bytes, 0, 3)?.fullName, 'config|get')
    assert.equal(table.lookupSub(parent, bytes, 3, 7), undefined)
    assert.equal(table.lookupSub(table.byName('get')!, bytes, 0, 3), undefined)
    assert.equal(table.byName('config|set')?.parent, parent)
    assert.equal(table.byName('get|set'), undefined)
  })

  test('numbers all commands and subcommands densely', () => {
    assert.equal(table.all.length, names.length + 3)
    for (const [i, one] of table.all.entries()) assert.equal(one.id, i)
  })

  test('renames and removes commands but keeps the originals', () => {
    const own = new CommandTable([group('string', [declare('get'), declare('set')])])
    assert.equal(own.rename('GET', 'SET'), false)
    assert.equal(own.rename('GET', 'Fetch'), true)
    assert.equal(own.rename('set', ''), true)
    assert.equal(lookup(own, 'FETCH'), 'get')
    assert.equal(lookup(own, 'get'), undefined)
    assert.equal(lookup(own, 'set'), undefined)
    assert.equal(own.original('set')?.name, 'set')
  })

  test('leaves out what has no handler', () => {
    const { run: _run, ...later } = declare('later')
    const empty = { ...later, name: 'empty', subcommands: [later] }
    const half = { ...later, name: 'half', subcommands: [later, declare('now')] }
    const own = new CommandTable([group('string', [later, empty, half])])
    assert.deepEqual(
      own.all.map((one) => one.fullName),
      ['half', 'half|now'],
    )
  })

  const mistakes: [string, CommandDeclaration, RegExp][] = [
    ['an unknown field', { ...declare('x'), sumary: '' } as CommandDeclaration, /unknown field 'sumary'/],
    ['an unknown flag', declare('x', { flags: ['fats' as 'fast'] }), /unknown flag 'fats'/],
    ['an unknown category', declare('x', { acl: ['sets' as 'set'] }), /unknown ACL category 'sets'/],
    ['a name in upper case', declare('X'), /not lower case/],
    ['arity 0', declare('x', { arity: 0 }), /arity/],
    ['a reference to no key specification', declare('x', { args: [arg.key()] }), /refers to key specification 0 of 0/],
    ['write and readonly', declare('x', { flags: ['write', 'readonly'] }), /both write and readonly/],
    ['a subcommand of a subcommand', declare('x', { subcommands: [container] }), /a subcommand has no subcommands/],
    ['a name used twice', declare('get'), /'get' is declared twice/],
    ['a subcommand used twice', declare('x', { subcommands: [declare('y'), declare('y')] }), /'y' is declared twice/],
  ]
  for (const [what, declaration, message] of mistakes) {
    test(`refuses ${what}`, () => {
      assert.throws(() => new CommandTable([group('string', [declare('get'), declaration])]), message)
    })
  }
})

suite('keys of a request', () => {
  const table = new CommandTable([
    group('generic', [
      declare('mset', { keys: [keyRange(1, -1, 2, 'OW', 'UPDATE')] }),
      declare('copy', { keys: [key(1, 'RO'), key(2, 'OW')] }),
      declare('apart', { keys: [key(1, 'RO'), key(3, 'OW')] }),
    ]),
  ])

  test('the triple of first key, last key and step covers neighbouring keys only', () => {
    const triple = (name: string) => {
      const { firstKey, lastKey, keyStep, flagBits } = table.byName(name)!
      return [firstKey, lastKey, keyStep, (flagBits & FLAG_MOVABLE_KEYS) !== 0]
    }
    assert.deepEqual(triple('mset'), [1, -1, 2, false])
    assert.deepEqual(triple('copy'), [1, 2, 1, false])
    assert.deepEqual(triple('apart'), [1, 1, 1, true])
  })

  test('more keys than the result had room for are all found', () => {
    const found = new FoundKeys()
    const args = ['MSET', ...Array.from({ length: 200 }, (_, i) => `k${i}`)]
    const request = Request.of(['COMMAND', 'GETKEYS', ...args])
    assert.equal(findKeys(table.byName('mset')!, request, found, 2), 100)
    assert.equal(request.latin1(found.index(99)), 'k198')
    assert.equal(findKeys(table.byName('copy')!, Request.of(['COPY', 'a', 'b']), found), 2)
    assert.deepEqual([found.index(0), found.index(1)], [1, 2])
  })
})

function manyNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `z${i.toString(36)}${i % 7 === 0 ? 'range' : 'pop'}`)
}
