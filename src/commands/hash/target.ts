/**
 * The hash that a command changes, packed or not: opened by its argument, changed field by field, and closed, which
 * writes it back, or removes the key if nothing is left. One object for all calls; a command must close what it has
 * opened, or leave it unchanged. redis 7.0.15 t_hash.c hashTypeSet, hashTypeDelete
 */
import { ListpackEntry } from '../../store/encodings/listpack.ts'
import { ENCODING_HASHTABLE, ENCODING_LISTPACK, NO_EXPIRE, TYPE_HASH } from '../../store/record.ts'
import { HashValue } from '../../store/values/hash.ts'
import { encodingLimits } from '../../store/values/limits.ts'
import { editor } from '../../store/values/packed.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { keyAdded } from '../generic/lookup.ts'

const entry = new ListpackEntry()

class HashTarget {
  /** Set by find(): the value. */
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0

  #call!: Call
  #hash = 0
  #ref = 0
  #value: HashValue | null = null
  /** The structure is new, or has taken the place of the packed bytes. */
  #isNewValue = false
  #isNoted = false

  /** Gives what the look-up gave: WRONG_TYPE after the error, and 0 if there is none, which then is made by close(). */
  open(call: Call): number {
    const ref = call.typedForWrite(1, TYPE_HASH)
    if (ref === WRONG_TYPE) return ref
    this.#call = call
    this.#hash = call.hash
    this.#ref = ref
    this.#isNewValue = false
    this.#isNoted = false
    this.#value = null
    if (ref === 0) editor.create()
    else if (call.store.encoding(ref) === ENCODING_LISTPACK) editor.open(call.store, call.db, this.#hash, ref)
    else this.#value = call.store.structure<HashValue>(ref)
    return ref
  }

  get size(): number {
    return this.#value === null ? editor.count >> 1 : this.#value.size
  }

  /** Points bytes, start and end at the value of a field; false if it has none. */
  find(field: Uint8Array, start: number, end: number): boolean {
    const value = this.#value
    if (value !== null) {
      if (!value.find(field, start, end)) return false
      this.bytes = value.table.bytes
      this.start = value.table.start
      this.end = value.table.end
      return true
    }
    const at = editor.find(field, start, end, 1)
    if (at < 0) return false
    entry.read(editor.bytes, editor.next(at))
    this.bytes = entry.bytes
    this.start = entry.start
    this.end = entry.end
    return true
  }

  /** False if the field was there already. */
  set(field: Uint8Array, start: number, end: number, value: Uint8Array, valueStart: number, valueEnd: number): boolean {
    const longest = encodingLimits.hashMaxListpackValue
    if (this.#value === null && (end - start > longest || valueEnd - valueStart > longest)) this.#unpack()
    if (this.#value !== null) {
      this.#note()
      return this.#value.setRange(field, start, end, value, valueStart, valueEnd)
    }
    const at = editor.find(field, start, end, 1)
    if (at >= 0) {
      editor.replace(editor.next(at), value, valueStart, valueEnd)
      return false
    }
    editor.append(field, start, end)
    editor.append(value, valueStart, valueEnd)
    if (this.size > encodingLimits.hashMaxListpackEntries) this.#unpack()
    return true
  }

  delete(field: Uint8Array, start: number, end: number): boolean {
    if (this.#value !== null) {
      this.#note()
      return this.#value.delete(field, start, end)
    }
    const at = editor.find(field, start, end, 1)
    if (at < 0) return false
    editor.remove(at, editor.next(editor.next(at)), 2)
    return true
  }

  #unpack(): void {
    const value = new HashValue()
    const field = new ListpackEntry()
    for (let at = editor.first; at < editor.eof; ) {
      field.read(editor.bytes, at)
      at = editor.next(at)
      entry.read(editor.bytes, at)
      at = editor.next(at)
      value.setRange(field.bytes, field.start, field.end, entry.bytes, entry.start, entry.end)
    }
    this.#value = value
    this.#isNewValue = true
  }

  /** The snapshot takes its copy before a structure is changed. */
  #note(): void {
    if (this.#isNoted || this.#isNewValue) return
    this.#isNoted = true
    this.#call.db.beforeChange(this.#hash, this.#ref)
  }

  /** Writes it back. False if the key is gone because nothing was left. */
  close(): boolean {
    const call = this.#call
    const { args, db, store } = call
    const hash = this.#hash
    const ref = this.#ref
    const value = this.#value
    this.#value = null
    if (value === null ? editor.count === 0 : value.size === 0) {
      if (ref !== 0) db.remove(hash, ref)
      return false
    }
    if (ref !== 0) {
      if (value === null) editor.save(db, hash, ref)
      else if (this.#isNewValue) db.replaceStructure(hash, ref, ENCODING_HASHTABLE, value)
      else store.recount(ref)
      return true
    }
    const start = args.start(1)
    const end = args.end(1)
    if (value === null) editor.put(db, hash, args.buf, start, end, TYPE_HASH, NO_EXPIRE)
    else db.putStructure(hash, args.buf, start, end, 0, TYPE_HASH, ENCODING_HASHTABLE, value, NO_EXPIRE)
    keyAdded(call, db, 1)
    return true
  }
}

export const target = new HashTarget()
