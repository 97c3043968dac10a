/**
 * Sorted sets: a large one is a table of members with their scores, and a tree of their order. Members of equal score are
 * in the order of their bytes. What others want to read of any sorted set is here as well.
 */
import { parseDouble } from '../../bytes/doubles.ts'
import { hashBytes } from '../../bytes/siphash.ts'
import {
  EntryMatcher,
  findEntry,
  integerAt,
  LISTPACK_HEADER,
  ListpackEntry,
  listpackLength,
  nextEntry,
  previousEntry,
  seekEntry,
} from '../encodings/listpack.ts'
import { ENCODING_LISTPACK } from '../record.ts'
import type { Store, Structure } from '../store.ts'
import { ElementTable } from './element-table.ts'
import { OrderTree, type Place } from './order-tree.ts'

const SCORE_BYTES = 8
const scoreBytes = Buffer.alloc(SCORE_BYTES)
const matcher = new EntryMatcher()

/** Whether bytes[start, end) is less (-1), equal (0) or greater (1) than those of `other`. */
export function compareBytes(
  bytes: Uint8Array,
  start: number,
  end: number,
  other: Uint8Array,
  otherStart: number,
  otherEnd: number,
): number {
  const length = end - start
  const otherLength = otherEnd - otherStart
  const shared = Math.min(length, otherLength)
  for (let i = 0; i < shared; i++) {
    const difference = bytes[start + i]! - other[otherStart + i]!
    if (difference !== 0) return difference < 0 ? -1 : 1
  }
  return length === otherLength ? 0 : length < otherLength ? -1 : 1
}

/** The place of a member: it and all before it come before that. */
class MemberPlace implements Place {
  score = 0
  readonly #table: ElementTable
  #ref = 0
  #member: Uint8Array = scoreBytes
  #start = 0
  #end = 0

  constructor(table: ElementTable) {
    this.#table = table
  }

  aim(score: number, ref: number, member: Uint8Array, start: number, end: number): void {
    this.score = score
    this.#ref = ref
    this.#member = member
    this.#start = start
    this.#end = end
  }

  isBefore(ref: number): boolean {
    if (ref === this.#ref) return true
    const table = this.#table
    table.read(ref)
    return compareBytes(table.bytes, table.start, table.end, this.#member, this.#start, this.#end) < 0
  }
}

export class SortedSetValue implements Structure {
  /** Set by each step of seek(), next() and previous(), and by find(). */
  score = 0
  ref = 0

  readonly #table = new ElementTable(SCORE_BYTES)
  readonly #tree = new OrderTree()
  readonly #place: MemberPlace

  constructor() {
    this.#place = new MemberPlace(this.#table)
    this.#table.onMoved = (from, to) => this.#moved(from, to)
  }

  get size(): number {
    return this.#table.size
  }

  get memoryBytes(): number {
    return this.#table.memoryBytes + this.#tree.memoryBytes
  }

  /** The table, for find, read and visit; changes only through this class. */
  get table(): ElementTable {
    return this.#table
  }

  /** The table moves an entry: so does the tree. It is never under way with something else at that time. */
  #moved(from: number, to: number): void {
    const table = this.#table
    const { bytes, start, end } = table
    table.readValue(from)
    const score = table.bytes.readDoubleLE(table.start)
    table.read(from)
    this.#place.aim(score, from, table.bytes, table.start, table.end)
    this.#tree.locate(this.#place)
    this.#tree.leaf!.refs[this.#tree.index] = to
    table.bytes = bytes
    table.start = start
    table.end = end
  }

  /** Sets score and ref to those of a member; false if there is none. */
  find(member: Uint8Array, start = 0, end: number = member.length): boolean {
    const ref = this.#table.find(hashBytes(member, start, end), member, start, end)
    if (ref === 0) return false
    this.#read(ref)
    return true
  }

  #read(ref: number): void {
    this.#table.readValue(ref)
    this.score = this.#table.bytes.readDoubleLE(this.#table.start)
    this.ref = ref
  }

  scoreOf(member: Uint8Array, start = 0, end: number = member.length): number | undefined {
    return this.find(member, start, end) ? this.score : undefined
  }

  /** Gives a member a score. False if it was there already. */
  add(member: Uint8Array, score: number, start = 0, end: number = member.length): boolean {
    const hash = hashBytes(member, start, end)
    const old = this.#table.find(hash, member, start, end)
    if (old !== 0) {
      this.#read(old)
      if (this.score !== score) this.update(member, score, start, end)
      return false
    }
    scoreBytes.writeDoubleLE(score, 0)
    const ref = this.#table.insert(hash, member, start, end, scoreBytes, 0, SCORE_BYTES)
    this.#place.aim(score, ref, member, start, end)
    this.#tree.insert(this.#place, score, ref)
    return true
  }

  /** Gives the member that find() has just found another score. */
  update(member: Uint8Array, score: number, start = 0, end: number = member.length): void {
    const { ref } = this
    const tree = this.#tree
    this.#table.readValue(ref)
    this.#table.bytes.writeDoubleLE(score, this.#table.start)
    this.#place.aim(this.score, ref, member, start, end)
    tree.locate(this.#place)
    const { scores, count } = tree.leaf!
    const { index } = tree
    // Between its neighbours, and not first of its leaf, of which branches know the score.
    const mayStay = index > 0 && scores[index - 1]! < score && (index + 1 < count ? score < scores[index + 1]! : false)
    if (mayStay) {
      scores[index] = score
    } else {
      if (!tree.removeLocated()) tree.remove(this.#place)
      this.#place.score = score
      tree.insert(this.#place, score, ref)
    }
    this.score = score
  }

  delete(member: Uint8Array, start = 0, end: number = member.length): boolean {
    const hash = hashBytes(member, start, end)
    const ref = this.#table.find(hash, member, start, end)
    if (ref === 0) return false
    this.#read(ref)
    this.#place.aim(this.score, ref, member, start, end)
    this.#tree.remove(this.#place)
    this.#table.remove(hash, ref)
    return true
  }

  /** Removes the members of ranks [from, to). */
  deleteRange(from: number, to: number): void {
    for (let left = to - from; left > 0; left--) {
      this.seek(from)
      const ref = this.ref
      const table = this.#table
      this.#tree.removeAt(from)
      table.read(ref)
      table.remove(hashBytes(table.bytes, table.start, table.end), ref)
    }
  }

  /** Rank from 0, -1 if there is no such member. Sets score as find() does. */
  rank(member: Uint8Array, start = 0, end: number = member.length): number {
    if (!this.find(member, start, end)) return -1
    this.#place.aim(this.score, this.ref, member, start, end)
    return this.#tree.rank(this.#place) - 1
  }

  /** How many members have a score less than this, or at most this if `inclusive`. */
  countBelow(score: number, inclusive: boolean): number {
    return this.#tree.rank({ score, isBefore: () => inclusive })
  }

  /** The same by bytes, for members of equal score. */
  countBefore(member: Uint8Array, inclusive: boolean): number {
    const table = this.#table
    const limit = inclusive ? 0 : -1
    const isBefore = (ref: number): boolean => {
      table.read(ref)
      return compareBytes(table.bytes, table.start, table.end, member, 0, member.length) <= limit
    }
    return this.#tree.rank({ score: Number.NaN, isBefore })
  }

  /** Goes to the member of this rank, which must exist: sets score and ref. */
  seek(rank: number): void {
    this.#tree.seek(rank)
    this.#atPlace()
  }

  /** Goes on after seek(). False at the end. */
  next(): boolean {
    const tree = this.#tree
    if (++tree.index >= tree.leaf!.count) {
      const leaf = tree.leaf!.next
      if (leaf === null) return false
      tree.leaf = leaf
      tree.index = 0
    }
    this.#atPlace()
    return true
  }

  previous(): boolean {
    const tree = this.#tree
    if (--tree.index < 0) {
      const leaf = tree.leaf!.previous
      if (leaf === null) return false
      tree.leaf = leaf
      tree.index = leaf.count - 1
    }
    this.#atPlace()
    return true
  }

  #atPlace(): void {
    const tree = this.#tree
    this.score = tree.leaf!.scores[tree.index]!
    this.ref = tree.leaf!.refs[tree.index]!
  }

  /** Points bytes, start and end of the table at a random member and sets its score; false if there is none. */
  random(random: () => number): boolean {
    const ref = this.#table.random(random)
    if (ref === 0) return false
    this.#read(ref)
    this.#table.read(ref)
    return true
  }

  /** Views of the members in order with their scores, valid until the next change. */
  *entries(): Iterable<[Buffer, number]> {
    if (this.size === 0) return
    this.#tree.seek(0)
    let { leaf } = this.#tree
    const table = this.#table
    for (; leaf !== null; leaf = leaf.next) {
      for (let i = 0; i < leaf.count; i++) {
        table.read(leaf.refs[i]!)
        yield [table.bytes.subarray(table.start, table.end), leaf.scores[i]!]
      }
    }
  }

  clone(): SortedSetValue {
    const copy = new SortedSetValue()
    for (const [member, score] of this.entries()) copy.add(member, score)
    return copy
  }
}

const entry = new ListpackEntry()
/** Of visitPacked(), where visits are never within each other. */
const member = new ListpackEntry()

/** The score that a packed sorted set has as its entry at `at`. redis 7.0.15 t_zset.c zzlGetScore */
export function packedScore(bytes: Buffer, at: number): number {
  const integer = integerAt(bytes, at)
  if (!Number.isNaN(integer)) return integer
  entry.read(bytes, at)
  return parseDouble(entry.bytes, entry.start, entry.end)
}

function isPacked(store: Store, ref: number): boolean {
  return store.encoding(ref) === ENCODING_LISTPACK
}

export function sortedSetSize(store: Store, ref: number): number {
  if (!isPacked(store, ref)) return store.structure<SortedSetValue>(ref).size
  store.read(ref)
  return listpackLength(store.bytes, store.start, store.end) >> 1
}

/** The score of a member, NaN if there is none. */
export function sortedSetScore(store: Store, ref: number, member: Uint8Array, start: number, end: number): number {
  if (!isPacked(store, ref)) return store.structure<SortedSetValue>(ref).scoreOf(member, start, end) ?? Number.NaN
  store.read(ref)
  const { bytes } = store
  const at = findEntry(bytes, store.start + LISTPACK_HEADER, store.end - 1, member, start, end, 1)
  return at < 0 ? Number.NaN : packedScore(bytes, nextEntry(bytes, at))
}

/** Rank from 0, -1 if there is no such member. */
export function sortedSetRank(store: Store, ref: number, member: Uint8Array, start: number, end: number): number {
  if (!isPacked(store, ref)) return store.structure<SortedSetValue>(ref).rank(member, start, end)
  store.read(ref)
  const { bytes } = store
  const eof = store.end - 1
  matcher.set(member, start, end)
  let rank = 0
  for (let at = store.start + LISTPACK_HEADER; at < eof; at = nextEntry(bytes, nextEntry(bytes, at))) {
    if (matcher.matches(bytes, at)) return rank
    rank++
  }
  return -1
}

/** How many members have a score less than this, or at most this if `inclusive`. */
export function countBelow(store: Store, ref: number, score: number, inclusive: boolean): number {
  if (!isPacked(store, ref)) return store.structure<SortedSetValue>(ref).countBelow(score, inclusive)
  store.read(ref)
  const { bytes } = store
  const eof = store.end - 1
  let count = 0
  for (let at = store.start + LISTPACK_HEADER; at < eof; count++) {
    at = nextEntry(bytes, at)
    const own = packedScore(bytes, at)
    if (inclusive ? own > score : own >= score) break
    at = nextEntry(bytes, at)
  }
  return count
}

/** The same by bytes, for members of equal score. */
export function countBefore(store: Store, ref: number, member: Uint8Array, inclusive: boolean): number {
  if (!isPacked(store, ref)) return store.structure<SortedSetValue>(ref).countBefore(member, inclusive)
  store.read(ref)
  const { bytes } = store
  const eof = store.end - 1
  const limit = inclusive ? 0 : -1
  let count = 0
  for (let at = store.start + LISTPACK_HEADER; at < eof; count++) {
    entry.read(bytes, at)
    if (compareBytes(entry.bytes, entry.start, entry.end, member, 0, member.length) > limit) break
    at = nextEntry(bytes, nextEntry(bytes, at))
  }
  return count
}

/** Gets each member as bytes, which stay only until it returns, and its score; false ends the visit. */
export type ScoredVisitor = (bytes: Buffer, start: number, end: number, score: number) => boolean | undefined

/** The members of ranks [from, from + count), or the same backwards. Nothing may be changed meanwhile. */
export function visitSortedSet(
  store: Store,
  ref: number,
  from: number,
  count: number,
  backwards: boolean,
  visitor: ScoredVisitor,
): void {
  if (count <= 0) return
  if (isPacked(store, ref)) {
    store.read(ref)
    visitPacked(store.bytes, store.start + LISTPACK_HEADER, store.end - 1, from, count, backwards, visitor)
    return
  }
  const value = store.structure<SortedSetValue>(ref)
  const { table } = value
  value.seek(backwards ? from + count - 1 : from)
  for (let left = count; left > 0; left--) {
    table.read(value.ref)
    if (visitor(table.bytes, table.start, table.end, value.score) === false) return
    if (left > 1 && !(backwards ? value.previous() : value.next())) return
  }
}

function visitPacked(
  bytes: Buffer,
  first: number,
  eof: number,
  from: number,
  count: number,
  backwards: boolean,
  visitor: ScoredVisitor,
): void {
  let at = seekEntry(bytes, first, eof, 2 * (backwards ? from + count - 1 : from))
  for (let left = count; left > 0 && at < eof; left--) {
    const scoreAt = nextEntry(bytes, at)
    const score = packedScore(bytes, scoreAt)
    member.read(bytes, at)
    if (visitor(member.bytes, member.start, member.end, score) === false) return
    if (!backwards) at = nextEntry(bytes, scoreAt)
    else if (at === first) return
    else at = previousEntry(bytes, previousEntry(bytes, at))
  }
}

/** All members in order with their scores, valid until the next change. */
export function sortedSetEntries(store: Store, ref: number): [Buffer, number][] {
  if (!isPacked(store, ref)) return Array.from(store.structure<SortedSetValue>(ref).entries())
  const entries: [Buffer, number][] = []
  visitSortedSet(store, ref, 0, sortedSetSize(store, ref), false, (bytes, start, end, score) => {
    const isView = bytes === store.bytes
    entries.push([isView ? bytes.subarray(start, end) : Buffer.from(bytes.subarray(start, end)), score])
    return true
  })
  return entries
}
