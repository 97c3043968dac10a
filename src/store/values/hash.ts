/** Hashes: a large one is a table of fields; what others want to read of any hash. */
import { hashBytes } from '../../bytes/siphash.ts'
import { findEntry, LISTPACK_HEADER, ListpackEntry, listpackEntries, nextEntry } from '../encodings/listpack.ts'
import { ENCODING_LISTPACK } from '../record.ts'
import type { Store, Structure } from '../store.ts'
import { ElementTable, VALUES_VARY } from './element-table.ts'

export class HashValue implements Structure {
  /** For those that need no copies: find, read, readValue, visit. Changes only through this class. */
  readonly table = new ElementTable(VALUES_VARY)

  get size(): number {
    return this.table.size
  }

  get memoryBytes(): number {
    return this.table.memoryBytes
  }

  /** False if the field was there already and has a new value now. */
  set(field: Uint8Array, value: Uint8Array): boolean {
    return this.setRange(field, 0, field.length, value, 0, value.length)
  }

  setRange(
    field: Uint8Array,
    start: number,
    end: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): boolean {
    const hash = hashBytes(field, start, end)
    const ref = this.table.find(hash, field, start, end)
    if (ref === 0) {
      this.table.insert(hash, field, start, end, value, valueStart, valueEnd)
      return true
    }
    this.table.setValue(hash, ref, value, valueStart, valueEnd)
    return false
  }

  /** Points bytes, start and end of the table at the field's value; false if it has none. */
  find(field: Uint8Array, start: number, end: number): boolean {
    const ref = this.table.find(hashBytes(field, start, end), field, start, end)
    if (ref === 0) return false
    this.table.readValue(ref)
    return true
  }

  /** A view of the value, valid until the next change. */
  get(field: Uint8Array): Buffer | undefined {
    return this.find(field, 0, field.length) ? this.#view() : undefined
  }

  delete(field: Uint8Array, start = 0, end: number = field.length): boolean {
    const hash = hashBytes(field, start, end)
    const ref = this.table.find(hash, field, start, end)
    if (ref === 0) return false
    this.table.remove(hash, ref)
    return true
  }

  /** Views of a random field and its value. */
  random(random: () => number): [Buffer, Buffer] | undefined {
    const ref = this.table.random(random)
    return ref === 0 ? undefined : this.#pair(ref)
  }

  /** Views of all fields and values, valid until the next change. */
  *entries(): Iterable<[Buffer, Buffer]> {
    for (const ref of this.table.refs()) yield this.#pair(ref)
  }

  #pair(ref: number): [Buffer, Buffer] {
    this.table.read(ref)
    const field = this.#view()
    this.table.readValue(ref)
    return [field, this.#view()]
  }

  #view(): Buffer {
    return this.table.bytes.subarray(this.table.start, this.table.end)
  }

  clone(): HashValue {
    const copy = new HashValue()
    for (const [field, value] of this.entries()) copy.set(field, value)
    return copy
  }
}

const entry = new ListpackEntry()

/** The value of a field, valid until the next change. */
export function hashField(store: Store, ref: number, field: Uint8Array): Buffer | undefined {
  if (store.encoding(ref) !== ENCODING_LISTPACK) return store.structure<HashValue>(ref).get(field)
  store.read(ref)
  const { bytes, start, end } = store
  const at = findEntry(bytes, start + LISTPACK_HEADER, end - 1, field, 0, field.length, 1)
  if (at < 0) return undefined
  entry.read(bytes, nextEntry(bytes, at))
  return entry.bytes === bytes ? bytes.subarray(entry.start, entry.end) : entry.copy()
}

/** All fields and values of a hash, valid until the next change. */
export function hashEntries(store: Store, ref: number): [Buffer, Buffer][] {
  if (store.encoding(ref) !== ENCODING_LISTPACK) return Array.from(store.structure<HashValue>(ref).entries())
  store.read(ref)
  const flat = Array.from(listpackEntries(store.bytes, store.start, store.end))
  const pairs: [Buffer, Buffer][] = []
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!])
  return pairs
}
