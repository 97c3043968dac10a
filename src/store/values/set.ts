/**
 * Sets: one of integers is a sorted array of them (intset.ts), a small one of anything else a listpack, a large one a table.
 * Redis 7.0 has no listpacks for sets and keeps even three short members in a hash table, which is what OBJECT ENCODING
 * tells of both, and why SSCAN pages both. Here is also what all commands want to read of any set.
 */
import { hashBytes } from '../../bytes/siphash.ts'
import { IntsetMember, intsetLength, intsetSearch } from '../encodings/intset.ts'
import { findEntry, LISTPACK_HEADER, ListpackEntry, listpackLength, nextEntry } from '../encodings/listpack.ts'
import { ENCODING_INTSET, ENCODING_LISTPACK } from '../record.ts'
import type { Store, Structure } from '../store.ts'
import { ElementTable } from './element-table.ts'

/** As set-max-listpack-entries and set-max-listpack-value of Redis 7.2. */
const PACKED_MEMBERS = 128
const PACKED_MEMBER_BYTES = 64

const NO_VALUE = Buffer.alloc(0)

/** Whether a set of so many members, the longest of which has so many bytes, is kept as a listpack. */
export function isPackedSet(members: number, longest: number): boolean {
  return members <= PACKED_MEMBERS && longest <= PACKED_MEMBER_BYTES
}

export class SetValue implements Structure {
  /** For those that need no copies: find, read, visit. Changes only through this class. */
  readonly table = new ElementTable(0)

  get size(): number {
    return this.table.size
  }

  get memoryBytes(): number {
    return this.table.memoryBytes
  }

  /** False if it was there already. */
  add(member: Uint8Array, start = 0, end: number = member.length): boolean {
    const hash = hashBytes(member, start, end)
    if (this.table.find(hash, member, start, end) !== 0) return false
    this.table.insert(hash, member, start, end, NO_VALUE, 0, 0)
    return true
  }

  has(member: Uint8Array, start = 0, end: number = member.length): boolean {
    return this.table.find(hashBytes(member, start, end), member, start, end) !== 0
  }

  delete(member: Uint8Array, start = 0, end: number = member.length): boolean {
    const hash = hashBytes(member, start, end)
    const ref = this.table.find(hash, member, start, end)
    if (ref === 0) return false
    this.table.remove(hash, ref)
    return true
  }

  /** A view of a random member, undefined if there is none. */
  random(random: () => number): Buffer | undefined {
    const ref = this.table.random(random)
    return ref === 0 ? undefined : this.#view(ref)
  }

  /** Views of all members, valid until the next change. */
  *members(): Iterable<Buffer> {
    for (const ref of this.table.refs()) yield this.#view(ref)
  }

  #view(ref: number): Buffer {
    this.table.read(ref)
    return this.table.bytes.subarray(this.table.start, this.table.end)
  }

  clone(): SetValue {
    const copy = new SetValue()
    for (const member of this.members()) copy.add(member)
    return copy
  }
}

const wanted = new IntsetMember()

export function setSize(store: Store, ref: number): number {
  const encoding = store.encoding(ref)
  if (encoding !== ENCODING_INTSET && encoding !== ENCODING_LISTPACK) return store.structure<SetValue>(ref).size
  store.read(ref)
  if (encoding === ENCODING_INTSET) return intsetLength(store.bytes, store.start)
  return listpackLength(store.bytes, store.start, store.end)
}

export function setHas(store: Store, ref: number, member: Uint8Array, start: number, end: number): boolean {
  const encoding = store.encoding(ref)
  if (encoding === ENCODING_INTSET) {
    if (!wanted.parse(member, start, end)) return false
    store.read(ref)
    return intsetSearch(store.bytes, store.start, wanted) >= 0
  }
  if (encoding !== ENCODING_LISTPACK) return store.structure<SetValue>(ref).has(member, start, end)
  store.read(ref)
  return findEntry(store.bytes, store.start + LISTPACK_HEADER, store.end - 1, member, start, end, 0) >= 0
}

/** Gets each member as bytes, which stay only until it returns; false ends the visit. */
export type MemberVisitor = (bytes: Buffer, start: number, end: number) => boolean | undefined

/** All members, those of an intset in ascending order. Nothing may be changed meanwhile. */
export function visitSet(store: Store, ref: number, visitor: MemberVisitor): void {
  const encoding = store.encoding(ref)
  if (encoding === ENCODING_INTSET) {
    store.read(ref)
    visitIntset(store.bytes, store.start, visitor)
  } else if (encoding === ENCODING_LISTPACK) {
    store.read(ref)
    visitListpack(store.bytes, store.start + LISTPACK_HEADER, store.end - 1, visitor)
  } else {
    visitTable(store.structure<SetValue>(ref).table, visitor)
  }
}

// Visits are never within each other.
const visited = new ListpackEntry()
const visitedMember = new IntsetMember()
const visitedDigits = Buffer.alloc(24)

export function visitIntset(bytes: Buffer, start: number, visitor: MemberVisitor): void {
  const member = visitedMember
  const digits = visitedDigits
  const count = intsetLength(bytes, start)
  for (let i = 0; i < count; i++) {
    member.read(bytes, start, i)
    if (visitor(digits, 0, member.writeText(digits, 0)) === false) return
  }
}

export function visitListpack(bytes: Buffer, first: number, eof: number, visitor: MemberVisitor): void {
  const entry = visited
  for (let at = first; at < eof; at = nextEntry(bytes, at)) {
    entry.read(bytes, at)
    if (visitor(entry.bytes, entry.start, entry.end) === false) return
  }
}

export function visitTable(table: ElementTable, visitor: MemberVisitor): void {
  const refs = table.refs()
  for (const ref of refs) {
    table.read(ref)
    if (visitor(table.bytes, table.start, table.end) === false) return
  }
}

const memberDigits = Buffer.alloc(24)
const memberEntry = new ListpackEntry()

/** Copies of the members of a packed set at these indexes, which ascend. */
export function packedMembers(store: Store, ref: number, indexes: Iterable<number>): Buffer[] {
  store.read(ref)
  const { bytes, start } = store
  const members: Buffer[] = []
  if (store.encoding(ref) === ENCODING_INTSET) {
    for (const index of indexes) {
      wanted.read(bytes, start, index)
      members.push(Buffer.from(memberDigits.subarray(0, wanted.writeText(memberDigits, 0))))
    }
    return members
  }
  let at = start + LISTPACK_HEADER
  let passed = 0
  for (const index of indexes) {
    for (; passed < index; passed++) at = nextEntry(bytes, at)
    memberEntry.read(bytes, at)
    members.push(memberEntry.copy())
  }
  return members
}
