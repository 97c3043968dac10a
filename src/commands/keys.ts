/**
 * Which arguments of a request are keys, and how the command treats each: from the declared key specifications, and where
 * they cannot tell, from the command's own getKeys. Used by ACL, the proxy and COMMAND GETKEYS. The result goes into a
 * FoundKeys that its owner keeps and passes again, so that a look allocates nothing.
 */
import type { Request } from '../resp/request.ts'
import type { Command } from './command.ts'
import { KEY_FLAG_BITS, type KeySpec } from './define.ts'

const INT_MAX = 0x7fffffff
const INT64_MAX = 0x7fffffffffffffffn

export class FoundKeys {
  count = 0
  #indexes = new Int32Array(16)
  #flags = new Int32Array(16)

  clear(): void {
    this.count = 0
  }

  add(index: number, flags: number): void {
    if (this.count === this.#indexes.length) this.#grow()
    this.#indexes[this.count] = index
    this.#flags[this.count++] = flags
  }

  /** The i-th key's argument index in the request. */
  index(i: number): number {
    return this.#indexes[i]!
  }

  /** The i-th key's KEY_FLAG_BITS; 0 if Redis does not tell them either. */
  flags(i: number): number {
    return this.#flags[i]!
  }

  #grow(): void {
    const indexes = new Int32Array(this.#indexes.length * 2)
    const flags = new Int32Array(indexes.length)
    indexes.set(this.#indexes)
    flags.set(this.#flags)
    this.#indexes = indexes
    this.#flags = flags
  }
}

/** A key specification with numbers only, of one shape for all. */
export class CompiledKeySpec {
  readonly declaration: KeySpec
  readonly flagBits: number
  readonly isKey: boolean
  /** Argument index of the first key; 0 if a keyword or nothing tells it. */
  readonly index: number
  readonly keyword: string
  readonly startFrom: number
  readonly isRange: boolean
  readonly isNumkeys: boolean
  readonly last: number
  readonly step: number
  readonly limit: number
  readonly countIndex: number
  readonly first: number

  constructor(spec: KeySpec) {
    const { begin, find } = spec
    this.declaration = spec
    this.flagBits = spec.flags.reduce((bits, name) => bits | KEY_FLAG_BITS[name], 0)
    this.isKey = (this.flagBits & KEY_FLAG_BITS.NOT_KEY) === 0
    this.index = begin !== 'unknown' && 'index' in begin ? begin.index : 0
    const keyword = begin !== 'unknown' && 'keyword' in begin ? begin : undefined
    this.keyword = keyword?.keyword.toUpperCase() ?? ''
    this.startFrom = keyword?.startFrom ?? 0
    const range = find !== 'unknown' && 'range' in find ? find.range : undefined
    const counted = find !== 'unknown' && 'numkeys' in find ? find.numkeys : undefined
    this.isRange = range !== undefined
    this.isNumkeys = counted !== undefined
    this.last = range?.last ?? 0
    this.step = range?.step ?? counted?.step ?? 1
    this.limit = range?.limit ?? 0
    this.countIndex = counted?.countIndex ?? 0
    this.first = counted?.first ?? 0
  }
}

/**
 * Fills `found` with the keys of the request whose command name is argument `from`; returns their number.
 * The argument count must suit the command's arity. redis 7.0.15 db.c getKeysFromCommandWithSpecs
 */
export function findKeys(command: Command, request: Request, found: FoundKeys, from = 0): number {
  found.clear()
  if (command.hasKeySpecs && !command.hasVariableKeyFlags) {
    if (findBySpecs(command.keySpecs, request, found, from)) return found.count
    found.clear()
  }
  if (command.getKeys !== undefined) command.getKeys(request, from, found)
  else findByCount(command.keySpecs, request, found, from)
  return found.count
}

/** False if a specification does not fit the arguments or does not know. redis 7.0.15 db.c getKeysUsingKeySpecs */
function findBySpecs(specs: readonly CompiledKeySpec[], request: Request, found: FoundKeys, from: number): boolean {
  const argc = request.argc - from
  for (let s = 0; s < specs.length; s++) {
    const spec = specs[s]!
    if (!spec.isKey) continue
    let first = spec.index
    if (first === 0) {
      if (spec.keyword === '') return false
      first = behindKeyword(spec, request, from)
      if (first === 0) continue
    }
    let last: number
    if (spec.isRange) {
      last = lastOfRange(spec, first, argc)
    } else {
      if (!spec.isNumkeys || first + spec.countIndex >= argc) return false
      const at = from + first + spec.countIndex
      let count = request.integer(at)
      if (!(count <= INT_MAX)) {
        // Redis checks 64 bits, and then goes on with an int.
        const wide = request.int64(at)
        if (wide === undefined || wide < 0n) return false
        count = Number(BigInt.asIntN(32, wide))
      } else if (count < 0) return false
      first += spec.first
      last = first + count - 1
    }
    if (last >= argc || last < first || first >= argc) return false
    for (let i = first; i <= last; i += spec.step) found.add(from + i, spec.flagBits)
    if ((spec.flagBits & KEY_FLAG_BITS.INCOMPLETE) !== 0) return false
  }
  return true
}

function lastOfRange(spec: CompiledKeySpec, first: number, argc: number): number {
  if (spec.last >= 0) return first + spec.last
  if (spec.limit === 0) return argc + spec.last
  return first + Math.trunc((argc - first) / spec.limit) + spec.last
}

/** Index of the argument behind the keyword, 0 if it is not there. From a negative start the search runs backwards. */
function behindKeyword(spec: CompiledKeySpec, request: Request, from: number): number {
  const argc = request.argc - from
  const forward = spec.startFrom > 0
  const start = forward ? spec.startFrom : argc + spec.startFrom
  const end = forward ? argc - 1 : 1
  const step = start <= end ? 1 : -1
  for (let i = start; i !== end && i < argc && i >= 1; i += step) {
    if (request.is(from + i, spec.keyword)) return i + 1
  }
  return 0
}

/**
 * The older reading of "count key ...", which takes the digits that a bad count begins with and does not tell flags; a
 * destination in front comes last. redis 7.0.15 db.c genericGetKeys
 */
function findByCount(specs: readonly CompiledKeySpec[], request: Request, found: FoundKeys, from: number): void {
  const spec = specs[specs.length - 1]
  if (spec === undefined || !spec.isNumkeys) return
  const argc = request.argc - from
  const count = leadingInt(request.latin1(from + spec.index + spec.countIndex))
  const first = spec.index + spec.first
  if (!(count >= 1) || count > argc - first) return
  for (let i = 0; i < count; i++) found.add(from + first + i, 0)
  if (specs.length > 1) found.add(from + specs[0]!.index, 0)
}

/** As atoi() reads it: what does not fit into 64 bits is the greatest that does, and of that 32 bits remain. */
function leadingInt(text: string): number {
  const count = Number.parseInt(text, 10)
  if (Math.abs(count) <= INT_MAX || Number.isNaN(count)) return count
  const wide = BigInt(/-?\d+/.exec(text)![0])
  const clamped = wide > INT64_MAX ? INT64_MAX : wide < -INT64_MAX ? -INT64_MAX - 1n : wide
  return Number(BigInt.asIntN(32, clamped))
}
