/**
 * How a command is declared: one object literal beside its handler holds everything that is known about it, and COMMAND,
 * COMMAND DOCS, ACL categories, key extraction, the proxy's routing and the look-up table (table.ts) are derived from it.
 * The texts are those of redis 7.0.15 src/commands/*.json, so that COMMAND DOCS of both servers compare equal. The group is
 * said once, in the index of the folder: `export default group('string', [get, set, ...])`.
 */
import type { Request } from '../resp/request.ts'
import type { Call } from './call.ts'
import type { FoundKeys } from './keys.ts'

export type { Command } from './command.ts'

export type GroupName =
  | 'generic'
  | 'string'
  | 'list'
  | 'set'
  | 'sorted-set'
  | 'hash'
  | 'pubsub'
  | 'transactions'
  | 'connection'
  | 'server'
  | 'scripting'
  | 'hyperloglog'
  | 'cluster'
  | 'geo'
  | 'stream'
  | 'bitmap'

export const FLAG_WRITE = 1 << 0
export const FLAG_READONLY = 1 << 1
/** May increase memory use: refused above maxmemory when nothing can be evicted. */
export const FLAG_DENYOOM = 1 << 2
export const FLAG_ADMIN = 1 << 3
export const FLAG_PUBSUB = 1 << 4
export const FLAG_NOSCRIPT = 1 << 5
export const FLAG_BLOCKING = 1 << 6
/** Allowed while the dataset is being loaded. */
export const FLAG_LOADING = 1 << 7
/** Allowed on a replica whose data is stale and replica-serve-stale-data is no. */
export const FLAG_STALE = 1 << 8
export const FLAG_SKIP_MONITOR = 1 << 9
export const FLAG_SKIP_SLOWLOG = 1 << 10
export const FLAG_ASKING = 1 << 11
export const FLAG_FAST = 1 << 12
export const FLAG_NO_AUTH = 1 << 13
/** Not a write itself but may propagate one (EVAL, PUBLISH, PFCOUNT): paused by CLIENT PAUSE WRITE. */
export const FLAG_MAY_REPLICATE = 1 << 14
export const FLAG_SENTINEL = 1 << 15
export const FLAG_ONLY_SENTINEL = 1 << 16
/** Its keys are optional (EVAL with 0 keys). */
export const FLAG_NO_MANDATORY_KEYS = 1 << 17
export const FLAG_PROTECTED = 1 << 18
export const FLAG_NO_ASYNC_LOADING = 1 << 19
export const FLAG_NO_MULTI = 1 << 20
/** Derived, never declared: the legacy first/last/step triple does not cover all keys. */
export const FLAG_MOVABLE_KEYS = 1 << 21
/** Allowed while a script runs for too long. */
export const FLAG_ALLOW_BUSY = 1 << 22
export const FLAG_TOUCHES_ARBITRARY_KEYS = 1 << 23

/** Every flag that may be declared and its bit. */
export const FLAG_BITS = {
  write: FLAG_WRITE,
  readonly: FLAG_READONLY,
  denyoom: FLAG_DENYOOM,
  admin: FLAG_ADMIN,
  pubsub: FLAG_PUBSUB,
  noscript: FLAG_NOSCRIPT,
  blocking: FLAG_BLOCKING,
  loading: FLAG_LOADING,
  stale: FLAG_STALE,
  skip_monitor: FLAG_SKIP_MONITOR,
  skip_slowlog: FLAG_SKIP_SLOWLOG,
  asking: FLAG_ASKING,
  fast: FLAG_FAST,
  no_auth: FLAG_NO_AUTH,
  may_replicate: FLAG_MAY_REPLICATE,
  sentinel: FLAG_SENTINEL,
  only_sentinel: FLAG_ONLY_SENTINEL,
  no_mandatory_keys: FLAG_NO_MANDATORY_KEYS,
  protected: FLAG_PROTECTED,
  no_async_loading: FLAG_NO_ASYNC_LOADING,
  no_multi: FLAG_NO_MULTI,
  allow_busy: FLAG_ALLOW_BUSY,
  touches_arbitrary_keys: FLAG_TOUCHES_ARBITRARY_KEYS,
} as const

export type Flag = keyof typeof FLAG_BITS

/** ACL categories in the order in which Redis lists them; the index is the bit of `Command.categories`. */
export const CATEGORIES = [
  'keyspace',
  'read',
  'write',
  'set',
  'sortedset',
  'list',
  'hash',
  'string',
  'bitmap',
  'hyperloglog',
  'geo',
  'stream',
  'pubsub',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
  'scripting',
] as const

export type Category = (typeof CATEGORIES)[number]

/** How a command treats a key: redis 7.0.15 server.h CMD_KEY_*. The bits are those of `KeySpec.flagBits`. */
export const KEY_FLAG_BITS = {
  RO: 1 << 0,
  RW: 1 << 1,
  OW: 1 << 2,
  RM: 1 << 3,
  ACCESS: 1 << 4,
  UPDATE: 1 << 5,
  INSERT: 1 << 6,
  DELETE: 1 << 7,
  NOT_KEY: 1 << 8,
  INCOMPLETE: 1 << 9,
  VARIABLE_FLAGS: 1 << 10,
} as const

export type KeyFlag = keyof typeof KEY_FLAG_BITS

/** Where the search for keys begins: an argument index, behind a keyword, or nowhere that can be told. */
export type BeginSearch = { index: number } | { keyword: string; startFrom: number } | 'unknown'

/**
 * Which arguments from there on are keys. `range`: up to `last` (relative if >= 0, else from the end), of those only the
 * first 1/limit if `limit` > 1. `numkeys`: a count at `countIndex` and that many keys from `first` on, relative to the begin.
 */
export type FindKeys =
  | { range: { last: number; step: number; limit: number } }
  | { numkeys: { countIndex: number; first: number; step: number } }
  | 'unknown'

export interface KeySpec {
  readonly begin: BeginSearch
  readonly find: FindKeys
  readonly flags: readonly KeyFlag[]
  readonly notes?: string
}

/** One key at argument `index`. */
export function key(index: number, ...flags: KeyFlag[]): KeySpec {
  return { begin: { index }, find: { range: { last: 0, step: 1, limit: 0 } }, flags }
}

/** Keys from argument `index` to `last`, each `step`: -1 is the last argument, a number >= 0 is relative to `index`. */
export function keyRange(index: number, last: number, step: number, ...flags: KeyFlag[]): KeySpec {
  return { begin: { index }, find: { range: { last, step, limit: 0 } }, flags }
}

/** A count at argument `index`, and that many keys behind it. */
export function numkeys(index: number, ...flags: KeyFlag[]): KeySpec {
  return { begin: { index }, find: { numkeys: { countIndex: 0, first: 1, step: 1 } }, flags }
}

/** One key behind a keyword, searched from `startFrom` on (from the end and backwards if negative). */
export function keywordKey(keyword: string, startFrom: number, ...flags: KeyFlag[]): KeySpec {
  return { begin: { keyword, startFrom }, find: { range: { last: 0, step: 1, limit: 0 } }, flags }
}

/** All arguments behind a keyword; with limit 2 the first half of them (STREAMS key ... id ...). */
export function keywordKeys(keyword: string, startFrom: number, limit: number, ...flags: KeyFlag[]): KeySpec {
  return { begin: { keyword, startFrom }, find: { range: { last: -1, step: 1, limit } }, flags }
}

/** Keys that no specification can tell (SORT's BY and GET). */
export function unknownKeys(...flags: KeyFlag[]): KeySpec {
  return { begin: 'unknown', find: 'unknown', flags }
}

export type ArgumentType =
  | 'string'
  | 'integer'
  | 'double'
  | 'key'
  | 'pattern'
  | 'unix-time'
  | 'pure-token'
  | 'oneof'
  | 'block'

export interface ArgumentOptions {
  readonly optional?: boolean
  readonly multiple?: boolean
  /** The token is repeated with each value (GET pattern GET pattern). Only with `multiple`. */
  readonly multipleToken?: boolean
  /** A keyword in front of the value. */
  readonly token?: string
  readonly since?: string
  readonly deprecatedSince?: string
  /** Index in `keys` of the specification that finds this argument; keys have 0 unless said otherwise. */
  readonly keySpec?: number
  readonly summary?: string
}

/** An argument of COMMAND DOCS. */
export interface Argument extends ArgumentOptions {
  readonly name: string
  readonly type: ArgumentType
  readonly arguments?: readonly Argument[]
}

function argument(type: ArgumentType) {
  return (name: string, options: ArgumentOptions = {}): Argument => ({ name, type, ...options })
}

function nested(type: ArgumentType) {
  return (name: string, inner: readonly Argument[], options: ArgumentOptions = {}): Argument => ({
    name,
    type,
    ...options,
    arguments: inner,
  })
}

export const arg = {
  key: (name = 'key', options: ArgumentOptions = {}): Argument => ({ name, type: 'key', keySpec: 0, ...options }),
  string: argument('string'),
  integer: argument('integer'),
  double: argument('double'),
  pattern: argument('pattern'),
  unixTime: argument('unix-time'),
  /** A keyword without a value; its name is the keyword in lower case unless `name` is given. */
  token: (token: string, options: ArgumentOptions & { name?: string } = {}): Argument => ({
    type: 'pure-token',
    token,
    ...options,
    name: options.name ?? token.toLowerCase(),
  }),
  oneof: nested('oneof'),
  block: nested('block'),
} as const

/**
 * Which arguments are channels, for ACL: `count` of them from argument `from` on, -1 for all.
 * redis 7.0.15 db.c commands_with_channels
 */
export interface ChannelSpec {
  readonly use: 'subscribe' | 'unsubscribe' | 'publish'
  readonly pattern?: boolean
  readonly from: number
  readonly count: number
}

/**
 * Finds the keys that the specifications cannot tell, or tells their flags by the arguments. The command's name is
 * argument `from` of the request. Adds to `found` what is a key, with its index in the request.
 */
export type GetKeys = (request: Request, from: number, found: FoundKeys) => void

export interface SubcommandDeclaration {
  /** Lower case, as Redis tells it in COMMAND. */
  readonly name: string
  /** Count of arguments with the name (and the container's); negative: at least so many. */
  readonly arity: number
  readonly since: string
  readonly summary: string
  readonly complexity?: string
  readonly flags?: readonly Flag[]
  readonly keys?: readonly KeySpec[]
  readonly args?: readonly Argument[]
  /** ACL categories instead of the group's own; those that follow from flags are always added (categories.ts). */
  readonly acl?: readonly Category[]
  /** What changed since which version. */
  readonly history?: readonly (readonly [version: string, change: string])[]
  /** Redis's "command tips" for clients, lower case. */
  readonly hints?: readonly string[]
  readonly docFlags?: readonly ('deprecated' | 'syscmd')[]
  readonly deprecatedSince?: string
  readonly replacedBy?: string
  readonly channels?: ChannelSpec
  /** How it differs from redis-server 7.0.15 and why, for README.md's table; nothing if it does not. */
  readonly differs?: string
  readonly getKeys?: GetKeys
  /** A declaration without it is not in the table. */
  readonly run?: (call: Call) => void
}

export interface CommandDeclaration extends SubcommandDeclaration {
  readonly subcommands?: readonly SubcommandDeclaration[]
}

export interface Group {
  readonly name: GroupName
  readonly commands: readonly CommandDeclaration[]
}

export function command(declaration: CommandDeclaration): CommandDeclaration {
  return declaration
}

export function subcommand(declaration: SubcommandDeclaration): SubcommandDeclaration {
  return declaration
}

export function group(name: GroupName, commands: readonly CommandDeclaration[]): Group {
  return { name, commands }
}
