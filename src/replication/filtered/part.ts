/**
 * The part of a primary's data that this replica keeps: keys by globs, by database, by type (`replica-filter-*`). A key
 * is shown when all that is set shows it.
 */
import { globMatch } from '../../bytes/glob.ts'
import type { Config } from '../../config/config.ts'
import { TYPE_NAMES } from '../../store/record.ts'

export class Part {
  /** As INFO and the log name it. */
  readonly text: string
  readonly hasTypes: boolean
  /** The globs with spaces between, if they are all that it asks for; else ''. */
  readonly keysAlone: string
  /** Empty: all. */
  readonly #keys: readonly Buffer[]
  readonly #databases: ReadonlySet<number> | null
  /** By TYPE_* of record.ts. */
  readonly #types: readonly boolean[]

  constructor(keys: readonly string[], databases: readonly number[], types: readonly string[]) {
    this.#keys = keys.map((text) => Buffer.from(text, 'utf8'))
    this.#databases = databases.length === 0 ? null : new Set(databases)
    this.hasTypes = types.length > 0
    this.keysAlone = databases.length + types.length === 0 ? keys.join(' ') : ''
    this.#types = TYPE_NAMES.map((name) => types.length === 0 || types.includes(name))
    const parts = []
    if (keys.length > 0) parts.push(`keys=${keys.join('|')}`)
    if (databases.length > 0) parts.push(`databases=${databases.join('|')}`)
    if (types.length > 0) parts.push(`types=${types.join('|')}`)
    this.text = parts.join(',')
  }

  showsDatabase(database: number): boolean {
    return this.#databases === null || this.#databases.has(database)
  }

  /** Its type may hide it nevertheless. */
  showsKey(database: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (!this.showsDatabase(database)) return false
    const keys = this.#keys
    if (keys.length === 0) return true
    for (let i = 0; i < keys.length; i++) if (globMatch(keys[i]!, bytes, start, end)) return true
    return false
  }

  showsType(type: number): boolean {
    return this.#types[type] === true
  }
}

/** Null: everything is kept. */
export function partOf(config: Config): Part | null {
  const words = (text: string) => text.split(' ').filter((word) => word !== '')
  const keys = words(config.get('replica-filter-keys'))
  const databases = words(config.get('replica-filter-databases')).map(Number)
  const types = words(config.get('replica-filter-types'))
  return keys.length + databases.length + types.length === 0 ? null : new Part(keys, databases, types)
}
