/**
 * The set that a command changes or builds, whatever it is kept as: opened by its argument (or empty), changed member by
 * member, and closed, which writes it back, or removes the key if nothing is left. One object for all calls; a command
 * must close what it has changed. redis 7.0.15 t_set.c setTypeAdd, setTypeRemove
 */
import {
  INTSET_HEADER,
  IntsetMember,
  intsetBytesWith,
  intsetInsert,
  intsetLength,
  intsetRemove,
  intsetSearch,
  writeEmptyIntset,
} from '../../store/encodings/intset.ts'
import { ENCODING_HASHTABLE, ENCODING_INTSET, ENCODING_LISTPACK, NO_EXPIRE, TYPE_SET } from '../../store/record.ts'
import { encodingLimits } from '../../store/values/limits.ts'
import { editor } from '../../store/values/packed.ts'
import {
  isPackedSet,
  type MemberVisitor,
  SetValue,
  visitIntset,
  visitListpack,
  visitTable,
} from '../../store/values/set.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { keyAdded } from '../generic/lookup.ts'

const member = new IntsetMember()
/** Longest member of an intset, as text. */
const INTEGER_TEXT = 20

class SetTarget {
  #call!: Call
  #hash = 0
  #ref = 0
  #encoding = ENCODING_INTSET
  /** ENCODING_INTSET: the members, in one buffer or the other by turns. */
  #intset = Buffer.allocUnsafeSlow(4096)
  #intsetBytes = 0
  #spare = Buffer.allocUnsafeSlow(4096)
  /** ENCODING_HASHTABLE: the structure, and whether it is new. */
  #value: SetValue | null = null
  #isNewValue = false
  #isNoted = false

  /** Gives what the look-up of argument i gave: WRONG_TYPE after the error, and 0 if there is none, which close() then makes. */
  open(call: Call, i: number): number {
    const ref = call.typedForWrite(i, TYPE_SET)
    if (ref !== WRONG_TYPE) this.begin(call, call.hash, ref)
    return ref
  }

  /** The same for a key that was looked up already; ref 0 begins with an empty set. */
  begin(call: Call, hash: number, ref: number): void {
    this.#call = call
    this.#hash = hash
    this.#ref = ref
    this.#value = null
    this.#isNewValue = false
    this.#isNoted = false
    if (ref === 0) {
      this.#encoding = ENCODING_INTSET
      this.#intsetBytes = writeEmptyIntset(this.#intset)
      return
    }
    const { store } = call
    this.#encoding = store.encoding(ref)
    if (this.#encoding === ENCODING_INTSET) {
      store.read(ref)
      this.#intsetBytes = store.end - store.start
      if (this.#intset.length < this.#intsetBytes) this.#intset = Buffer.allocUnsafeSlow(this.#intsetBytes * 2)
      store.bytes.copy(this.#intset, 0, store.start, store.end)
    } else if (this.#encoding === ENCODING_LISTPACK) {
      editor.open(store, call.db, hash, ref)
    } else {
      this.#value = store.structure<SetValue>(ref)
    }
  }

  get size(): number {
    if (this.#encoding === ENCODING_INTSET) return intsetLength(this.#intset, 0)
    return this.#encoding === ENCODING_LISTPACK ? editor.count : this.#value!.size
  }

  /** False if it was there already. */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#encoding === ENCODING_INTSET) {
      if (member.parse(bytes, start, end)) return this.#addInteger()
      this.#leaveIntset(end - start)
    }
    if (this.#encoding === ENCODING_LISTPACK) {
      if (editor.find(bytes, start, end, 0) >= 0) return false
      if (isPackedSet(editor.count + 1, end - start)) {
        editor.append(bytes, start, end)
        return true
      }
      this.#unpack()
    }
    this.#note()
    return this.#value!.add(bytes, start, end)
  }

  #addInteger(): boolean {
    const found = intsetSearch(this.#intset, 0, member)
    if (found >= 0) return false
    const bytes = intsetBytesWith(this.#intset, 0, member)
    if (this.#spare.length < bytes) this.#spare = Buffer.allocUnsafeSlow(bytes * 2)
    this.#intsetBytes = intsetInsert(this.#intset, 0, member, -1 - found, this.#spare)
    this.#exchange()
    if (intsetLength(this.#intset, 0) > encodingLimits.setMaxIntsetEntries) this.#leaveIntset(INTEGER_TEXT)
    return true
  }

  #exchange(): void {
    const full = this.#spare
    this.#spare = this.#intset
    this.#intset = full
  }

  remove(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#encoding === ENCODING_INTSET) {
      if (!member.parse(bytes, start, end)) return false
      const found = intsetSearch(this.#intset, 0, member)
      if (found < 0) return false
      if (this.#spare.length < this.#intsetBytes) this.#spare = Buffer.allocUnsafeSlow(this.#intsetBytes)
      this.#intsetBytes = intsetRemove(this.#intset, 0, found, this.#spare)
      this.#exchange()
      return true
    }
    if (this.#encoding === ENCODING_LISTPACK) {
      const at = editor.find(bytes, start, end, 0)
      if (at < 0) return false
      editor.remove(at, editor.next(at), 1)
      return true
    }
    this.#note()
    return this.#value!.delete(bytes, start, end)
  }

  /** All members; nothing may be changed meanwhile. */
  visit(visitor: MemberVisitor): void {
    if (this.#encoding === ENCODING_INTSET) visitIntset(this.#intset, 0, visitor)
    else if (this.#encoding === ENCODING_LISTPACK) visitListpack(editor.bytes, editor.first, editor.eof, visitor)
    else visitTable(this.#value!.table, visitor)
  }

  /** The members become a listpack, or a table if there are too many of them for one. */
  #leaveIntset(longest: number): void {
    const size = intsetLength(this.#intset, 0)
    if (isPackedSet(size + 1, longest)) {
      editor.create()
      visitIntset(this.#intset, 0, (bytes, start, end) => {
        editor.append(bytes, start, end)
        return true
      })
      this.#encoding = ENCODING_LISTPACK
      return
    }
    this.#unpack()
  }

  #unpack(): void {
    const value = new SetValue()
    this.visit((bytes, start, end) => value.add(bytes, start, end))
    this.#encoding = ENCODING_HASHTABLE
    this.#value = value
    this.#isNewValue = true
  }

  /** The snapshot takes its copy before a structure is changed. */
  #note(): void {
    if (this.#isNoted || this.#isNewValue) return
    this.#isNoted = true
    this.#call.db.beforeChange(this.#hash, this.#ref)
  }

  /** Writes it back, or makes it the value of argument i if that was none. False if the key is gone because nothing was left. */
  close(i: number): boolean {
    const { db, store } = this.#call
    const hash = this.#hash
    const ref = this.#ref
    if (this.size === 0) {
      if (ref !== 0) db.remove(hash, ref)
      return false
    }
    if (ref === 0) {
      this.#put(i)
      keyAdded(this.#call, db, i)
    } else if (this.#encoding === ENCODING_INTSET) {
      db.replaceBytes(hash, ref, ENCODING_INTSET, this.#intset, 0, this.#intsetBytes)
    } else if (this.#encoding === ENCODING_LISTPACK) {
      editor.save(db, hash, ref)
    } else if (this.#isNewValue) {
      db.replaceStructure(hash, ref, ENCODING_HASHTABLE, this.#value!)
    } else {
      store.recount(ref)
    }
    this.#release()
    return true
  }

  #put(i: number): void {
    const { args, db } = this.#call
    const { buf } = args
    const start = args.start(i)
    const end = args.end(i)
    const hash = this.#hash
    if (this.#encoding === ENCODING_INTSET) {
      const bytes = this.#intset
      db.putBytes(hash, buf, start, end, 0, TYPE_SET, ENCODING_INTSET, bytes, 0, this.#intsetBytes, NO_EXPIRE)
    } else if (this.#encoding === ENCODING_LISTPACK) {
      editor.put(db, hash, buf, start, end, TYPE_SET, NO_EXPIRE)
    } else {
      db.putStructure(hash, buf, start, end, 0, TYPE_SET, ENCODING_HASHTABLE, this.#value!, NO_EXPIRE)
    }
  }

  /** Makes what was built from an empty set the value of argument i, which was looked up just now, whatever it was before. */
  store(i: number, old: number): void {
    const call = this.#call
    this.#hash = call.hash
    if (old !== 0) call.db.remove(call.hash, old)
    this.#put(i)
    if (old === 0) keyAdded(call, call.db, i)
    this.#release()
  }

  #release(): void {
    this.#value = null
    if (this.#intset.length > 65536) this.#intset = Buffer.allocUnsafeSlow(INTSET_HEADER + 4096)
    if (this.#spare.length > 65536) this.#spare = Buffer.allocUnsafeSlow(INTSET_HEADER + 4096)
  }
}

export const target = new SetTarget()
