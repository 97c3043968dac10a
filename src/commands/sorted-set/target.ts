/**
 * The sorted set that a command changes, packed or not: opened by its argument, changed member by member, and closed,
 * which writes it back or removes the key if nothing is left. One object for all calls; a command must close what it has
 * changed. redis 7.0.15 t_zset.c zsetAdd, zsetDel
 */
import { formatScore } from '../../bytes/doubles.ts'
import { writeInteger } from '../../bytes/integers.ts'
import { ListpackEntry, seekEntry } from '../../store/encodings/listpack.ts'
import { ENCODING_LISTPACK, ENCODING_SKIPLIST, NO_EXPIRE, TYPE_ZSET } from '../../store/record.ts'
import { encodingLimits } from '../../store/values/limits.ts'
import { editor } from '../../store/values/packed.ts'
import { compareBytes, packedScore, SortedSetValue } from '../../store/values/sorted-set.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { keyAdded } from '../generic/lookup.ts'

const entry = new ListpackEntry()
const digits = Buffer.alloc(64)

class SortedSetTarget {
  /** Set by find() and readAt(). */
  score = 0
  /** Set by readAt(): the member, until the sorted set is changed. */
  bytes: Buffer = digits
  start = 0
  end = 0

  #call!: Call
  #key = 0
  #hash = 0
  #ref = 0
  #value: SortedSetValue | null = null
  /** The structure is new, or has taken the place of the packed bytes. */
  #isNewValue = false
  #isNoted = false
  /** Position of the member that find() has found in the packed bytes. */
  #at = 0

  /** Gives what the look-up of argument i gave: WRONG_TYPE after the error, and 0 if there is none, which close() then makes. */
  open(call: Call, i: number): number {
    const ref = call.typedForWrite(i, TYPE_ZSET)
    if (ref === WRONG_TYPE) return ref
    this.#call = call
    this.#key = i
    this.#hash = call.hash
    this.#ref = ref
    this.#isNewValue = false
    this.#isNoted = false
    this.#value = null
    if (ref === 0) editor.create()
    else if (call.store.encoding(ref) === ENCODING_LISTPACK) editor.open(call.store, call.db, this.#hash, ref)
    else this.#value = call.store.structure<SortedSetValue>(ref)
    return ref
  }

  get size(): number {
    return this.#value === null ? editor.count >> 1 : this.#value.size
  }

  /** Sets score to that of a member; false if there is none. */
  find(member: Uint8Array, start: number, end: number): boolean {
    const value = this.#value
    if (value !== null) {
      if (!value.find(member, start, end)) return false
      this.score = value.score
      return true
    }
    this.#at = editor.find(member, start, end, 1)
    if (this.#at < 0) return false
    this.score = packedScore(editor.bytes, editor.next(this.#at))
    return true
  }

  /** Gives the member another score, right after find() has found it. */
  update(member: Uint8Array, start: number, end: number, score: number): void {
    if (this.#value !== null) {
      this.#note()
      this.#value.update(member, score, start, end)
      return
    }
    this.#removePacked(this.#at)
    this.#insertPacked(member, start, end, score)
  }

  /** Adds a member that is not there. */
  insert(member: Uint8Array, start: number, end: number, score: number): void {
    const isTooLarge =
      this.size + 1 > encodingLimits.zsetMaxListpackEntries || end - start > encodingLimits.zsetMaxListpackValue
    if (this.#value === null && isTooLarge) this.#unpack()
    if (this.#value === null) {
      this.#insertPacked(member, start, end, score)
      return
    }
    this.#note()
    this.#value.add(member, score, start, end)
  }

  delete(member: Uint8Array, start: number, end: number): boolean {
    if (this.#value !== null) {
      this.#note()
      return this.#value.delete(member, start, end)
    }
    const at = editor.find(member, start, end, 1)
    if (at < 0) return false
    this.#removePacked(at)
    return true
  }

  /** Reads the member of this rank, which must exist, and its score. */
  readAt(rank: number): void {
    const value = this.#value
    if (value !== null) {
      value.seek(rank)
      value.table.read(value.ref)
      this.score = value.score
      this.bytes = value.table.bytes
      this.start = value.table.start
      this.end = value.table.end
      return
    }
    const at = seekEntry(editor.bytes, editor.first, editor.eof, rank * 2)
    this.score = packedScore(editor.bytes, editor.next(at))
    entry.read(editor.bytes, at)
    this.bytes = entry.bytes
    this.start = entry.start
    this.end = entry.end
  }

  /** Removes the members of ranks [from, to). */
  deleteRange(from: number, to: number): void {
    if (this.#value !== null) {
      this.#note()
      this.#value.deleteRange(from, to)
      return
    }
    const at = seekEntry(editor.bytes, editor.first, editor.eof, from * 2)
    editor.remove(at, seekEntry(editor.bytes, at, editor.eof, (to - from) * 2), (to - from) * 2)
  }

  #removePacked(at: number): void {
    editor.remove(at, editor.next(editor.next(at)), 2)
  }

  /** redis 7.0.15 t_zset.c zzlInsert */
  #insertPacked(member: Uint8Array, start: number, end: number, score: number): void {
    let at = editor.first
    while (at < editor.eof) {
      const scoreAt = editor.next(at)
      const own = packedScore(editor.bytes, scoreAt)
      if (own > score) break
      if (own === score) {
        entry.read(editor.bytes, at)
        if (compareBytes(entry.bytes, entry.start, entry.end, member, start, end) > 0) break
      }
      at = editor.next(scoreAt)
    }
    editor.insert(editor.insert(at, member, start, end), digits, 0, writeScore(score))
  }

  /** Gives up the packed form, as SORT does. */
  convert(): void {
    if (this.#value === null) this.#unpack()
  }

  #unpack(): void {
    const value = new SortedSetValue()
    for (let at = editor.first; at < editor.eof; ) {
      const scoreAt = editor.next(at)
      const score = packedScore(editor.bytes, scoreAt)
      entry.read(editor.bytes, at)
      value.add(entry.bytes, score, entry.start, entry.end)
      at = editor.next(scoreAt)
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
    const { db, store } = this.#call
    const hash = this.#hash
    const ref = this.#ref
    const value = this.#value
    this.#value = null
    if (value === null ? editor.count === 0 : value.size === 0) {
      if (ref !== 0) db.remove(hash, ref)
      return false
    }
    if (ref === 0) this.#put(value)
    else if (value === null) editor.save(db, hash, ref)
    else if (this.#isNewValue) db.replaceStructure(hash, ref, ENCODING_SKIPLIST, value)
    else store.recount(ref)
    return true
  }

  #put(value: SortedSetValue | null): void {
    const { args, db } = this.#call
    const start = args.start(this.#key)
    const end = args.end(this.#key)
    if (value === null) editor.put(db, this.#hash, args.buf, start, end, TYPE_ZSET, NO_EXPIRE)
    else db.putStructure(this.#hash, args.buf, start, end, 0, TYPE_ZSET, ENCODING_SKIPLIST, value, NO_EXPIRE)
    keyAdded(this.#call, db, this.#key)
  }
}

/** Writes a score as packed sorted sets have it, minus zero without its sign, and returns its length. */
function writeScore(score: number): number {
  if (Number.isSafeInteger(score)) return writeInteger(digits, 0, score === 0 ? 0 : score)
  return digits.latin1Write(formatScore(score), 0)
}

export const target = new SortedSetTarget()
