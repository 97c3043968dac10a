/**
 * A walk over all databases as they are at one instant, in slices, while writes go on: what takes the place of fork().
 *
 * Keys are visited by ascending hash (key-index.ts), so "already visited" is a comparison with the position. A change
 * to a record ahead of the position first hands the old record to the visitor and marks it; a new record ahead of the
 * position is marked as well; the walk clears a mark that it meets and passes over that record. Marks carry the number
 * of their walk (4 bits), so that those left behind by an aborted walk mean nothing to the next ones; before a number
 * comes round again after 15 aborted walks, all marks are cleared.
 */
import type { Keyspace } from './keyspace.ts'
import { UNIT_MASK, UNIT_SHIFT } from './slab.ts'
import type { Store } from './store.ts'

const HASHES = 0x100000000
const MARKS = 15

/** Receives each record once; `database` is the number it had when the walk began. */
export type RecordVisitor = (ref: number, database: number) => void

const marks = new WeakMap<Store, { last: number; aborted: number }>()

export class Walk {
  /** Records handed out so far, and those that were handed out early because of a change. */
  visited = 0
  copied = 0
  /** Bytes that the visitor made of those; it counts them. */
  copiedBytes = 0

  #store: Store
  #visitor: RecordVisitor
  #keyspaces: Keyspace[]
  #databases: number[]
  #current = 0
  #position = 0
  #mark: number

  /** Begins a walk of this instant. Throws if another one is under way. */
  constructor(store: Store, visitor: RecordVisitor) {
    if (store.walk !== null) throw new Error('a walk is under way already')
    this.#store = store
    this.#visitor = visitor
    this.#keyspaces = store.databases.filter((keyspace) => keyspace.size > 0)
    this.#databases = this.#keyspaces.map((keyspace) => keyspace.id)
    this.#mark = nextMark(store)
    store.walk = this
  }

  get done(): boolean {
    return this.#current >= this.#keyspaces.length
  }

  /** Visits up to `count` further records. Returns false when the walk is over. */
  step(count: number): boolean {
    let left = count
    while (left > 0 && this.#current < this.#keyspaces.length) {
      const keyspace = this.#keyspaces[this.#current]!
      const database = this.#databases[this.#current]!
      let seen = 0
      const next = keyspace.index.visit(this.#position, left, (ref) => {
        seen++
        this.#visit(ref, database)
      })
      left -= Math.max(1, seen)
      this.#position = next
      if (next >= HASHES) {
        this.#current++
        this.#position = 0
      }
    }
    if (this.#current < this.#keyspaces.length) return true
    this.#finish(false)
    return false
  }

  abort(): void {
    if (this.#store.walk === this) this.#finish(true)
  }

  /** The record is about to change or to go. */
  beforeChange(keyspace: Keyspace, hash: number, ref: number): void {
    if (!this.#ahead(keyspace, hash)) return
    const segment = this.#store.segment(ref)
    const at = ((ref & UNIT_MASK) << UNIT_SHIFT) + 1
    if (segment[at]! >> 4 === this.#mark) return
    segment[at] = (segment[at]! & 15) | (this.#mark << 4)
    this.visited++
    this.copied++
    this.#visitor(ref, this.#databases[this.#keyspaces.indexOf(keyspace)]!)
  }

  /** A record that did not exist at the walk's instant. */
  inserted(keyspace: Keyspace, hash: number, ref: number): void {
    if (!this.#ahead(keyspace, hash)) return
    const segment = this.#store.segment(ref)
    const at = ((ref & UNIT_MASK) << UNIT_SHIFT) + 1
    segment[at] = (segment[at]! & 15) | (this.#mark << 4)
  }

  #ahead(keyspace: Keyspace, hash: number): boolean {
    const which = this.#keyspaces.indexOf(keyspace)
    return which > this.#current || (which === this.#current && hash >= this.#position)
  }

  #visit(ref: number, database: number): void {
    const segment = this.#store.segment(ref)
    const at = ((ref & UNIT_MASK) << UNIT_SHIFT) + 1
    const mark = segment[at]! >> 4
    if (mark !== 0) segment[at]! &= 15
    if (mark === this.#mark) return
    this.visited++
    this.#visitor(ref, database)
  }

  #finish(aborted: boolean): void {
    this.#store.walk = null
    this.#current = this.#keyspaces.length
    const state = marks.get(this.#store)!
    state.aborted = aborted ? state.aborted + 1 : 0
  }
}

function nextMark(store: Store): number {
  const state = marks.get(store) ?? { last: 0, aborted: 0 }
  marks.set(store, state)
  if (state.aborted >= MARKS - 1) {
    for (const keyspace of store.databases) {
      keyspace.index.visit(0, keyspace.size, (ref) => {
        store.segment(ref)[((ref & UNIT_MASK) << UNIT_SHIFT) + 1]! &= 15
      })
    }
    state.aborted = 0
  }
  state.last = (state.last % MARKS) + 1
  return state.last
}
