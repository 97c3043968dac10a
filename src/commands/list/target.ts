/**
 * The list that a command changes, packed or not: opened by its argument, changed, and closed, which writes it back or
 * removes the key if nothing is left. One object for all calls; a command must close what it has changed.
 */
import { entryBytes, ListpackEntry, previousEntry } from '../../store/encodings/listpack.ts'
import { ENCODING_LISTPACK, ENCODING_QUICKLIST, NO_EXPIRE, TYPE_LIST } from '../../store/record.ts'
import { isPackedList, ListValue } from '../../store/values/list.ts'
import { editor } from '../../store/values/packed.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { keyAdded } from '../generic/lookup.ts'

class ListTarget {
  /** Set by readEnd(). */
  entry = new ListpackEntry()

  #call!: Call
  #key = 0
  #hash = 0
  #ref = 0
  #value: ListValue | null = null
  /** The structure is new, or was made of the packed bytes. */
  #isNewValue = false
  #isNoted = false
  readonly #packedEntry = new ListpackEntry()

  /** Gives what the look-up of argument i gave: WRONG_TYPE after the error, and 0 if there is none, which close() then makes. */
  open(call: Call, i: number): number {
    const ref = call.typedForWrite(i, TYPE_LIST)
    if (ref !== WRONG_TYPE) this.begin(call, i, call.hash, ref)
    return ref
  }

  /** The same for a key that was looked up already. */
  begin(call: Call, i: number, hash: number, ref: number): void {
    this.#call = call
    this.#key = i
    this.#hash = hash
    this.#ref = ref
    this.#isNewValue = false
    this.#isNoted = false
    this.#value = null
    if (ref === 0) editor.create()
    else if (call.store.encoding(ref) === ENCODING_LISTPACK) editor.open(call.store, call.db, this.#hash, ref)
    else this.#value = call.store.structure<ListValue>(ref)
  }

  get length(): number {
    return this.#value === null ? editor.count : this.#value.length
  }

  push(element: Uint8Array, start: number, end: number, atHead: boolean): void {
    if (this.#value === null) {
      if (isPackedList(editor.length + entryBytes(element, start, end), editor.count + 1)) {
        editor.insert(atHead ? editor.first : editor.eof, element, start, end)
        return
      }
      this.#unpack()
    }
    this.#note()
    if (atHead) this.#value!.pushHead(element, start, end)
    else this.#value!.pushTail(element, start, end)
  }

  /** Reads the first or last element into `entry`, where it stays until the list is changed. */
  readEnd(atHead: boolean): void {
    if (this.#value !== null) {
      this.#value.readEnd(atHead)
      this.entry = this.#value.entry
      return
    }
    this.entry = this.#packedEntry
    this.entry.read(editor.bytes, atHead ? editor.first : previousEntry(editor.bytes, editor.eof))
  }

  dropEnd(atHead: boolean): void {
    if (this.#value !== null) {
      this.#note()
      this.#value.dropEnd(atHead)
      return
    }
    const at = atHead ? editor.first : previousEntry(editor.bytes, editor.eof)
    editor.remove(at, editor.next(at), 1)
  }

  /** The list as a structure, about to be changed. A packed one becomes packed again when it is closed. */
  value(): ListValue {
    if (this.#value === null) this.#unpack()
    this.#note()
    return this.#value!
  }

  #unpack(): void {
    this.#value = new ListValue()
    this.#isNewValue = true
    this.#value.appendEntries(editor.bytes, editor.first, editor.eof, editor.count)
  }

  /** The snapshot takes its copy before a structure is changed. */
  #note(): void {
    if (this.#isNoted || this.#isNewValue) return
    this.#isNoted = true
    this.#call.db.beforeChange(this.#hash, this.#ref)
  }

  /** Writes it back. False if the key is gone because nothing was left. */
  close(): boolean {
    const { db, store } = this.#call
    const value = this.#value
    const ref = this.#ref
    const hash = this.#hash
    this.#value = null
    if (value === null ? editor.count === 0 : value.length === 0) {
      if (ref !== 0) db.remove(hash, ref)
      return false
    }
    if (ref === 0) {
      this.#put(value)
    } else if (value === null) {
      editor.save(db, hash, ref)
    } else if (this.#isNewValue) {
      const packed = value.toPacked()
      if (packed === undefined) db.replaceStructure(hash, ref, ENCODING_QUICKLIST, value)
      else db.replaceBytes(hash, ref, ENCODING_LISTPACK, packed, 0, packed.length)
    } else {
      store.recount(ref)
    }
    return true
  }

  #put(value: ListValue | null): void {
    const call = this.#call
    const { args, db } = call
    const start = args.start(this.#key)
    const end = args.end(this.#key)
    if (value === null) editor.put(db, this.#hash, args.buf, start, end, TYPE_LIST, NO_EXPIRE)
    else db.putStructure(this.#hash, args.buf, start, end, 0, TYPE_LIST, ENCODING_QUICKLIST, value, NO_EXPIRE)
    keyAdded(call, db, this.#key)
  }
}

export const target = new ListTarget()
