/** Which keys are migrated: by pattern, database and type. Without any, all are. */
import { globMatch } from '../bytes/glob.ts'

export interface Selection {
  /** Globs as of KEYS; none is all keys. */
  readonly keys: readonly Buffer[]
  /** Numbers at the source; none is all databases. */
  readonly databases: ReadonlySet<number>
  /** As TYPE calls them; none is all types. */
  readonly types: ReadonlySet<string>
}

export function selectsKey({ keys }: Selection, key: Uint8Array): boolean {
  return keys.length === 0 || keys.some((glob) => globMatch(glob, key, 0, key.length))
}

export function selectsDatabase({ databases }: Selection, database: number): boolean {
  return databases.size === 0 || databases.has(database)
}

export function selectsAll({ keys, databases, types }: Selection): boolean {
  return keys.length === 0 && databases.size === 0 && types.size === 0
}
