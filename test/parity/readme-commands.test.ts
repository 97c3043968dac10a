/** README.md's table of commands is what the declarations say, and what it says is missing is what redis-server has more. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { allGroups } from '../../src/commands/groups.ts'
import { CommandTable } from '../../src/commands/table.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { connectFor } from '../support/wire.ts'
import { commandSection, NOT_SUPPORTED, README, readmeWith } from './readme-commands.ts'

const file = fileCleanup()

describe('the table of commands in README.md', () => {
  it('is up to date (npm run docs)', () => {
    const readme = readFileSync(README, 'utf8')
    assert.equal(readme, readmeWith(commandSection(), readme))
  })

  it('names every command of redis-server that is missing, and no other', async () => {
    const redis = await startRedis(file)
    const wire = await connectFor(file, redis.port, 2)
    const mine = new Set(new CommandTable(allGroups).all.map((command) => command.fullName))
    const names = (await wire.must('COMMAND', 'LIST')) as string[]
    const missing = names.filter((name) => !mine.has(name)).toSorted()
    assert.deepEqual(missing, Object.keys(NOT_SUPPORTED).toSorted())
    const count = (await wire.must('COMMAND', 'COUNT')) as number
    assert.equal(count, names.filter((name) => !name.includes('|')).length)
  })
})
