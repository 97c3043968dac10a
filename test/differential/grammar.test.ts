/** The generator's reach: every command of the table is generated or excluded with a reason, and the same for a seed. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { allGroups } from '../../src/commands/groups.ts'
import { CommandTable } from '../../src/commands/table.ts'
import { EXCLUDED } from './excluded.ts'
import { Generator } from './generate.ts'
import { replyEnds } from './scan.ts'

suite('generated commands', () => {
  test('are all that are not excluded', () => {
    const seen = new Set<string>()
    const generator = new Generator()
    for (let seed = 0; seed < 500; seed++) {
      for (const step of generator.sequence(seed, 400)) seen.add(step.name)
    }
    const table = new CommandTable(allGroups)
    for (const command of table.all) {
      if (command.subcommands !== undefined) continue
      const name = command.fullName
      assert.notEqual(seen.has(name), EXCLUDED[name] !== undefined, `${name} is either generated or excluded`)
    }
  })

  test('are excluded only if there are such', () => {
    const table = new CommandTable(allGroups)
    for (const name of Object.keys(EXCLUDED)) assert.ok(table.byName(name), name)
  })

  test('are the same for a seed', () => {
    assert.deepEqual(new Generator().sequence(5, 300), new Generator().sequence(5, 300))
    assert.notDeepEqual(new Generator().sequence(5, 300), new Generator().sequence(6, 300))
  })

  test('have replies whose ends are found', () => {
    const replies = [
      '+OK\r\n',
      '$-1\r\n',
      '*2\r\n*0\r\n%1\r\n:1\r\n~1\r\n_\r\n',
      '$3\r\na\r\n\r\n',
      ',1.5\r\n',
      '*-1\r\n',
      '#t\r\n',
    ]
    let end = 0
    assert.deepEqual(
      replyEnds(Buffer.from(replies.join(''))),
      replies.map((reply) => (end += reply.length)),
    )
  })
})
