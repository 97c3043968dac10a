/**
 * README.md's table of commands, made of the declarations: `npm run docs` writes it, and readme-commands.test.ts fails when
 * it is not what the declarations say.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from '../../src/commands/command.ts'
import { allGroups } from '../../src/commands/groups.ts'
import { CommandTable } from '../../src/commands/table.ts'

export const README = fileURLToPath(new URL('../../README.md', import.meta.url))
const BEGIN = '<!-- commands: made by npm run docs -->'
const END = '<!-- /commands -->'

/** Commands of redis-server 7.0.15 that Tandem does not know, and why. The test compares them with the real server's list. */
export const NOT_SUPPORTED: Readonly<Record<string, string>> = {}

function title(command: Command): string {
  return command.fullName.replace('|', ' ').toUpperCase()
}

/** A container stands for its subcommands where none of them differs. */
function names(commands: readonly Command[]): string {
  return commands
    .filter((command) => command.parent === undefined)
    .map((command) => {
      const own = `\`${title(command)}\``
      if (command.subcommands === undefined) return own
      const parts = [...command.subcommands.values()].map((sub) => sub.name)
      return `${own} (${parts.join(', ')})`
    })
    .join(', ')
}

/** The part of README.md between the marks. */
export function commandSection(): string {
  const table = new CommandTable(allGroups)
  const rows = allGroups.map(({ name }) => {
    const commands = table.all.filter((command) => command.group === name)
    return `| ${name} | ${names(commands)} |`
  })
  const differing = table.all.filter((command) => command.declaration.differs !== undefined)
  const missing = Object.entries(NOT_SUPPORTED)
  return [
    '| group | supported |',
    '| --- | --- |',
    ...rows,
    '',
    '| differs | how and why |',
    '| --- | --- |',
    ...differing.map((command) => `| \`${title(command)}\` | ${command.declaration.differs} |`),
    '',
    ...(missing.length === 0
      ? ['Every command of redis-server 7.0.15 is there.']
      : ['| not supported | why |', '| --- | --- |']),
    ...missing.map(([name, why]) => `| \`${name.toUpperCase()}\` | ${why} |`),
  ].join('\n')
}

export function readmeWith(section: string, readme: string): string {
  const from = readme.indexOf(BEGIN)
  const to = readme.indexOf(END)
  if (from < 0 || to < from) throw new Error(`README.md lacks the marks ${BEGIN} and ${END}`)
  return `${readme.slice(0, from + BEGIN.length)}\n\n${section}\n\n${readme.slice(to)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(README, readmeWith(commandSection(), readFileSync(README, 'utf8')))
}
