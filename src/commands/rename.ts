/** The directive rename-command: commands under other names, or none. redis 7.0.15 config.c loadServerConfigFromString */
import type { FileDirective } from '../config/load.ts'
import { fatalConfigError } from '../config/redis-conf.ts'
import type { CommandTable } from './table.ts'

/** Throws a ConfigError that names the line. */
export function renameCommands(table: CommandTable, lines: readonly FileDirective[]): void {
  for (const line of lines) {
    const [oldName = '', newName = ''] = line.args
    if (oldName.includes('|') || table.byName(oldName.toLowerCase()) === undefined) {
      throw fatalConfigError('No such command in rename-command', line)
    }
    if (!table.rename(oldName, newName)) throw fatalConfigError('Target command name already exists', line)
  }
}
