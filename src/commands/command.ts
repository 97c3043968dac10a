/**
 * A command as the running server sees it: what execute, ACL and statistics read for every call, resolved once from the
 * declaration into plain fields of one shape. Each table has Command objects of its own, since they carry its statistics.
 */
import type { Call } from './call.ts'
import { deriveCategories } from './categories.ts'
import {
  type ChannelSpec,
  type CommandDeclaration,
  FLAG_BITS,
  FLAG_MOVABLE_KEYS,
  type GetKeys,
  type GroupName,
  KEY_FLAG_BITS,
} from './define.ts'
import { CompiledKeySpec } from './keys.ts'

export class Command {
  /** Dense over all commands and subcommands of a table. */
  readonly id: number
  /** 'get'; of a subcommand only its own part. */
  readonly name: string
  /** 'config|get' */
  readonly fullName: string
  readonly group: GroupName
  readonly arity: number
  /** FLAG_* of define.ts. */
  readonly flagBits: number
  /** Bits of categories.ts. */
  readonly categories: number
  readonly run: ((call: Call) => void) | undefined
  readonly parent: Command | undefined
  /** By lower case name, in the order of declaration; undefined if this is no container. */
  readonly subcommands: Map<string, Command> | undefined
  readonly keySpecs: readonly CompiledKeySpec[]
  readonly getKeys: GetKeys | undefined
  readonly channels: ChannelSpec | undefined
  /** At least one specification is of real keys. */
  readonly hasKeySpecs: boolean
  /** The specifications' flags do not hold for all arguments: getKeys tells them. */
  readonly hasVariableKeyFlags: boolean
  /** The triple of COMMAND before key specifications: 0, 0, 0 without keys; a negative last key counts from the end. */
  readonly firstKey: number
  readonly lastKey: number
  readonly keyStep: number
  readonly declaration: CommandDeclaration

  calls = 0
  usec = 0
  rejectedCalls = 0
  failedCalls = 0
  /** Latency histogram, made by whoever measures. */
  histogram: unknown = undefined

  constructor(id: number, group: GroupName, declaration: CommandDeclaration, parent?: Command) {
    this.id = id
    this.name = declaration.name
    this.fullName = parent === undefined ? declaration.name : `${parent.name}|${declaration.name}`
    this.group = group
    this.arity = declaration.arity
    this.run = declaration.run
    this.parent = parent
    this.subcommands = declaration.subcommands === undefined ? undefined : new Map()
    this.keySpecs = (declaration.keys ?? []).map((spec) => new CompiledKeySpec(spec))
    this.getKeys = declaration.getKeys
    this.channels = declaration.channels
    this.hasKeySpecs = this.keySpecs.some((spec) => spec.isKey)
    this.hasVariableKeyFlags = this.keySpecs.some((spec) => (spec.flagBits & KEY_FLAG_BITS.VARIABLE_FLAGS) !== 0)
    const legacy = legacyRange(this.keySpecs)
    this.firstKey = legacy.first
    this.lastKey = legacy.last
    this.keyStep = legacy.step
    let flagBits = legacy.movable ? FLAG_MOVABLE_KEYS : 0
    for (const flag of declaration.flags ?? []) flagBits |= FLAG_BITS[flag]
    this.flagBits = flagBits
    this.categories = deriveCategories(group, flagBits, declaration.acl, declaration.subcommands !== undefined)
    this.declaration = declaration
  }

  /** redis 7.0.15 db.c doesCommandHaveKeys */
  get mayHaveKeys(): boolean {
    return this.hasKeySpecs || this.getKeys !== undefined
  }

  /** Whether a request of `argc` arguments has as many as the command takes. */
  takes(argc: number): boolean {
    return this.arity > 0 ? argc === this.arity : argc >= -this.arity
  }

  resetStatistics(): void {
    this.calls = 0
    this.usec = 0
    this.rejectedCalls = 0
    this.failedCalls = 0
    this.histogram = undefined
  }
}

/**
 * First key, last key and step that cover the specifications as far as three numbers can; `movable` tells that they do not
 * cover all. redis 7.0.15 server.c populateCommandLegacyRangeSpec
 */
function legacyRange(specs: readonly CompiledKeySpec[]): {
  first: number
  last: number
  step: number
  movable: boolean
} {
  if (specs.length === 0) return { first: 0, last: 0, step: 0, movable: false }
  const only = specs[0]!
  if (specs.length === 1 && only.index > 0 && only.isRange) {
    const last = only.last >= 0 ? only.index + only.last : only.last
    return { first: only.index, last, step: only.step, movable: isIncomplete(only) }
  }
  let movable = false
  let first = 0
  let last = 0
  for (const spec of specs) {
    if (spec.index === 0 || !spec.isRange || spec.step !== 1 || (last !== 0 && last !== spec.index - 1)) {
      movable = true
      continue
    }
    movable ||= isIncomplete(spec)
    first = first === 0 ? spec.index : Math.min(first, spec.index)
    const end = spec.last >= 0 ? spec.index + spec.last : spec.last
    // Compared without sign, so that "until the end" wins.
    last = end >>> 0 > last >>> 0 ? end : last
  }
  return first === 0 ? { first, last: 0, step: 0, movable: true } : { first, last, step: 1, movable }
}

function isIncomplete(spec: CompiledKeySpec): boolean {
  return (spec.flagBits & KEY_FLAG_BITS.INCOMPLETE) !== 0
}
