/**
 * All options: every directive of redis-server 7.0.15 and Tandem's own, one row each. CONFIG GET, CONFIG SET, CONFIG
 * REWRITE, the command line, the environment and the types of Config.get() read these rows; nothing says them again.
 */
import type { Option, OptionValue, ValueOf } from './option.ts'
import { NETWORK_OPTIONS } from './options-network.ts'
import { PERSISTENCE_OPTIONS } from './options-persistence.ts'
import { REPLICATION_OPTIONS } from './options-replication.ts'
import { SERVER_OPTIONS } from './options-server.ts'
import { STORE_OPTIONS } from './options-store.ts'

type Row =
  | (typeof NETWORK_OPTIONS)[number]
  | (typeof SERVER_OPTIONS)[number]
  | (typeof STORE_OPTIONS)[number]
  | (typeof PERSISTENCE_OPTIONS)[number]
  | (typeof REPLICATION_OPTIONS)[number]

export type OptionName = Row['name']

/** The value of each option, by name. */
export type Values = { readonly [R in Row as R['name']]: ValueOf<R> }

export const OPTIONS: readonly Option[] = [
  ...NETWORK_OPTIONS,
  ...SERVER_OPTIONS,
  ...STORE_OPTIONS,
  ...PERSISTENCE_OPTIONS,
  ...REPLICATION_OPTIONS,
]

/** A name that CONFIG knows: that of an option, or its alias. */
export interface NamedOption {
  readonly name: string
  readonly option: Option
}

/** In the order of the table, an alias after its option. */
export const NAMED_OPTIONS: readonly NamedOption[] = OPTIONS.flatMap((option) => {
  const names = option.alias === undefined ? [option.name] : [option.name, option.alias]
  return names.map((name) => ({ name, option }))
})

const BY_NAME = new Map<string, NamedOption>()
for (const named of NAMED_OPTIONS) {
  if (BY_NAME.has(named.name)) throw new Error(`option ${named.name} is declared twice`)
  BY_NAME.set(named.name, named)
}

/** Names are the same in either case. */
export function findOption(name: string): NamedOption | undefined {
  return BY_NAME.get(name.toLowerCase())
}

/** A new object each time. `dir` is still relative. */
export function defaultValues(): Values {
  const values: Record<string, OptionValue> = {}
  for (const option of OPTIONS) values[option.name] = option.default
  return values as Values
}
