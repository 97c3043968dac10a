/**
 * What a command of the primary's stream means for a replica that keeps a part of the data, and does not have the rest:
 *
 * - All of its keys are here: it runs as it is (PASS).
 * - None that it changes is: it is nothing (DROP).
 * - It touches both sides, but what it does to the shown keys does not depend on hidden ones: that is run in its place
 *   (REPLACE: DEL, UNLINK and MSET shortened, RENAME to a hidden name is DEL, LMOVE to a hidden list is LPOP …).
 * - It brings hidden data to shown keys: nobody but the primary can say what they are now (FETCH).
 *
 * A type that is not kept hides keys as well, but nobody sees that in a name. What is not here is either nothing or hidden:
 * a command of a type that is kept cannot have succeeded on a hidden key, so it runs; one of another type can only
 * overwrite, which deletes. The few commands that take keys of any type ask for the value where their source is not here.
 */

import type { Command } from '../../commands/command.ts'
import { type GroupName, KEY_FLAG_BITS } from '../../commands/define.ts'
import { FoundKeys, findKeys } from '../../commands/keys.ts'
import type { Request } from '../../resp/request.ts'
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STREAM, TYPE_STRING, TYPE_ZSET } from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import type { Missing } from './missing.ts'
import type { Part } from './part.ts'

export const PASS = 0
export const DROP = 1
export const REPLACE = 2
export const FETCH = 3
/** A key that it touches is being fetched: not before it is here. */
export const WAIT = 4
/** As PASS; then its key goes if it is of a type that is not kept. */
export const PASS_AND_LOOK = 5

const { OW, RM, INSERT, DELETE, UPDATE } = KEY_FLAG_BITS
const CHANGES = INSERT | DELETE | UPDATE

const TYPE_OF: Partial<Record<GroupName, number>> = {
  string: TYPE_STRING,
  bitmap: TYPE_STRING,
  hyperloglog: TYPE_STRING,
  list: TYPE_LIST,
  set: TYPE_SET,
  'sorted-set': TYPE_ZSET,
  geo: TYPE_ZSET,
  hash: TYPE_HASH,
  stream: TYPE_STREAM,
}

/** Their sources may be of another type than their result. */
const TAKES_OTHERS = new Set(['zunionstore', 'zinterstore', 'zdiffstore', 'sort', 'copy', 'rename', 'renamenx', 'move'])

export interface KeyAt {
  readonly database: number
  readonly key: Buffer
}

/** One key of the command. */
interface Touch {
  database: number
  index: number
  reads: boolean
  changes: boolean
  overwrites: boolean
  /** It is kept here, with its value. */
  isHere: boolean
}

export class Judge {
  /** REPLACE: what to run. */
  replacement: Buffer[] = []
  /** The keys of the command judged last. */
  touches: Touch[] = []

  readonly #part: Part
  readonly #store: Store
  readonly #missing: Missing
  readonly #found = new FoundKeys()
  #request!: Request
  #inTransaction = false

  constructor(part: Part, store: Store, missing: Missing) {
    this.#part = part
    this.#store = store
    this.#missing = missing
  }

  /** Of a command that has keys. In a transaction what is here now need not be when it runs. */
  judge(database: number, command: Command, request: Request, inTransaction: boolean): number {
    this.#request = request
    this.#inTransaction = inTransaction
    this.#look(database, command, request)
    const { touches } = this
    let changed = 0
    let elsewhere = 0
    for (const touch of touches) {
      const start = request.start(touch.index)
      const end = request.end(touch.index)
      touch.isHere = this.#part.showsKey(touch.database, request.buf, start, end)
      if (touch.isHere && this.#missing.size > 0) {
        const state = this.#missing.stateOf(touch.database, request.view(touch.index))
        if (state === 'asked') return WAIT
        // Its value, as it is later, is here already.
        if (state === 'known') touch.isHere = false
      }
      if (!touch.isHere) elsewhere++
      else if (touch.changes) changed++
    }
    if (touches.length === 0) return PASS
    if (changed === 0) return DROP
    if (elsewhere > 0) return this.#across(command)
    return this.#part.hasTypes ? this.#byType(command) : PASS
  }

  /** The shown keys that the command judged last may have changed. */
  changed(): KeyAt[] {
    const request = this.#request
    return this.touches
      .filter((touch) => touch.isHere && touch.changes)
      .map(({ database, index }) => ({ database, key: request.copy(index) }))
  }

  #look(database: number, command: Command, request: Request): void {
    const found = this.#found
    const touches: Touch[] = []
    this.touches = touches
    findKeys(command, request, found, 0)
    const other = otherDatabase(command, request)
    for (let k = 0; k < found.count; k++) {
      const flags = found.flags(k)
      const index = found.index(k)
      // Flags that say nothing may mean anything.
      const changes = flags === 0 || (flags & CHANGES) !== 0
      const overwrites = flags === 0 || (flags & OW) !== 0
      const reads = flags === 0 || (flags & (OW | RM)) === 0
      const there = other >= 0 && command.name === 'copy' && k > 0 ? other : database
      touches.push({ database: there, index, reads, changes, overwrites, isHere: false })
      if (other < 0 || command.name !== 'move') continue
      touches.push({ database: other, index, reads: false, changes: true, overwrites: true, isHere: false })
    }
  }

  #exists({ database, index }: Touch): boolean {
    return (this.#store.databases[database]?.findKey(this.#request.view(index)) ?? 0) !== 0
  }

  #replace(...args: (string | Buffer)[]): number {
    this.replacement = args.map((arg) => (typeof arg === 'string' ? Buffer.from(arg, 'latin1') : arg))
    return REPLACE
  }

  /** Some of its keys are here and some are not. */
  #across(command: Command): number {
    const request = this.#request
    const [first, second] = this.touches
    const here = this.touches.filter((touch) => touch.isHere)
    const keys = here.map(({ index }) => request.copy(index))
    switch (command.name) {
      case 'del':
      case 'unlink':
        return this.#replace(command.name, ...keys)
      case 'mset':
      case 'msetnx':
        if (!this.#part.showsType(TYPE_STRING)) return this.#replace('del', ...keys)
        return this.#replace('mset', ...here.flatMap(({ index }) => [request.copy(index), request.copy(index + 1)]))
      case 'rename':
      case 'renamenx':
      case 'move':
        return first!.isHere ? this.#replace('del', keys[0]!) : FETCH
      case 'rpoplpush':
        return first!.isHere ? this.#replace('rpop', keys[0]!) : FETCH
      case 'lmove':
        return first!.isHere ? this.#replace(request.is(3, 'LEFT') ? 'lpop' : 'rpop', keys[0]!) : FETCH
      case 'smove':
        if (first!.isHere) return this.#replace('srem', keys[0]!, request.copy(3))
        return second!.isHere && this.#part.showsType(TYPE_SET)
          ? this.#replace('sadd', keys[0]!, request.copy(3))
          : FETCH
      default:
        return FETCH
    }
  }

  /** All of its keys are shown by their names. */
  #byType(command: Command): number {
    const type = TYPE_OF[command.group]
    if (type !== undefined && !this.#part.showsType(type)) {
      const gone = this.touches.filter((touch) => touch.overwrites && (this.#inTransaction || this.#exists(touch)))
      return gone.length === 0 ? DROP : this.#replace('del', ...gone.map(({ index }) => this.#request.copy(index)))
    }
    if (TAKES_OTHERS.has(command.name)) {
      const isUnsure = this.#inTransaction || this.touches.some((touch) => touch.reads && !this.#exists(touch))
      if (isUnsure) return FETCH
      return command.name === 'sort' ? PASS_AND_LOOK : PASS
    }
    const isSet = command.name === 'set'
    if (isSet && this.#dependsOnKey() && (this.#inTransaction || !this.#exists(this.touches[0]!))) return FETCH
    return command.name.startsWith('restore') ? PASS_AND_LOOK : PASS
  }

  /** SET with an option that asks what was there. */
  #dependsOnKey(): boolean {
    const request = this.#request
    for (let i = 3; i < request.argc; i++) if (request.is(i, 'XX') || request.is(i, 'KEEPTTL')) return true
    return false
  }
}

/** The database that MOVE and COPY … DB name; -1 for other commands. */
function otherDatabase(command: Command, request: Request): number {
  if (command.name === 'move') return request.integer(2)
  if (command.name !== 'copy') return -1
  for (let i = 3; i + 1 < request.argc; i++) if (request.is(i, 'DB')) return request.integer(i + 1)
  return -1
}
