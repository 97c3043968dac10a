/** A large set: its members in a table. */
import { hashBytes } from '../../bytes/siphash.ts'
import type { Structure } from '../store.ts'
import { ElementTable } from './element-table.ts'

const NO_VALUE = Buffer.alloc(0)

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
