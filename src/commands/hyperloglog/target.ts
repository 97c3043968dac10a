/**
 * The HyperLogLog that a command changes: opened, raised register by register, and closed, which writes it back. A sparse
 * one is changed in a buffer; a dense one where it is in the store, once a register has to be raised; one that becomes dense
 * is a new value. One object for all calls.
 */
import { denseRegister, setDenseRegister } from '../../store/encodings/hyperloglog-dense.ts'
import {
  HLL_DENSE_BYTES,
  HLL_HEADER,
  invalidateCache,
  isDense,
  isHyperLogLog,
} from '../../store/encodings/hyperloglog-format.ts'
import {
  SPARSE_CHANGED,
  SPARSE_INVALID,
  SPARSE_SAME,
  SPARSE_TOO_LARGE,
  SparseEditor,
  sparseToDense,
} from '../../store/encodings/hyperloglog-sparse.ts'
import { ENCODING_RAW, NO_EXPIRE, TYPE_STRING } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { errors } from '../errors.ts'
import { keyAdded } from '../generic/lookup.ts'

export const CORRUPTED = 'INVALIDOBJ Corrupted HLL object detected'
const NOT_HYPERLOGLOG = 'WRONGTYPE Key is not a valid HyperLogLog string value.'

export const SAME = SPARSE_SAME
export const RAISED = SPARSE_CHANGED
export const INVALID = SPARSE_INVALID

/** Points the store at the value and tells whether it is a HyperLogLog; false after the error. */
export function readHyperLogLog(call: Call, ref: number): boolean {
  const { store } = call
  if (store.type(ref) !== TYPE_STRING) {
    call.error(errors.wrongType)
    return false
  }
  store.read(ref)
  if (isHyperLogLog(store.bytes, store.start, store.end)) return true
  call.error(NOT_HYPERLOGLOG)
  return false
}

const NONE = Buffer.alloc(0)

class HyperLogLogTarget {
  readonly #sparse = new SparseEditor()
  #call!: Call
  #key = 0
  #hash = 0
  #ref = 0
  #maxBytes = 0
  #isDense = false
  /** Bytes of a dense one and where it begins: in the store, or its own once it became dense. */
  #bytes: Buffer = NONE
  #start = 0
  #isOwn = false
  /** The buffer, or the store, has another value than there was. */
  #isChanged = false

  /** `ref` is what the look-up of argument i just gave: 0 for a new one, or a HyperLogLog. */
  open(call: Call, i: number, ref: number): void {
    const { store } = call
    this.#call = call
    this.#key = i
    this.#hash = call.hash
    this.#ref = ref
    this.#maxBytes = call.host.config.get('hll-sparse-max-bytes')
    this.#isDense = false
    this.#isOwn = false
    this.#isChanged = false
    if (ref === 0) {
      this.#sparse.create()
      return
    }
    store.read(ref)
    if (isDense(store.bytes, store.start)) {
      this.#isDense = true
      this.#bytes = store.bytes
      this.#start = store.start
    } else {
      this.#sparse.open(store.bytes, store.start, store.end)
    }
  }

  /** Gives a register this rank if it has less: SAME, RAISED or INVALID. */
  raise(index: number, rank: number): number {
    if (!this.#isDense) {
      const result = this.#sparse.raise(index, rank, this.#maxBytes)
      if (result === SPARSE_CHANGED) this.#isChanged = true
      if (result !== SPARSE_TOO_LARGE) return result
      if (!this.toDense()) return INVALID
    }
    if (denseRegister(this.#bytes, this.#start + HLL_HEADER, index) >= rank) return SAME
    this.#makeWritable()
    setDenseRegister(this.#bytes, this.#start + HLL_HEADER, index, rank)
    return RAISED
  }

  /** False if it is corrupted. */
  toDense(): boolean {
    if (this.#isDense) return true
    const dense = sparseToDense(this.#sparse.bytes, 0, this.#sparse.length)
    if (dense === undefined) return false
    this.#isDense = true
    this.#isOwn = true
    this.#isChanged = true
    this.#bytes = dense
    this.#start = 0
    return true
  }

  /** The cached cardinality is out of date. */
  invalidate(): void {
    if (this.#isDense) {
      this.#makeWritable()
      invalidateCache(this.#bytes, this.#start)
    } else {
      invalidateCache(this.#sparse.bytes, 0)
      this.#isChanged = true
    }
  }

  /** Writes it back. It is a raw string then, changed or not (redis 7.0.15 db.c dbUnshareStringValue). */
  close(): void {
    const { db, store } = this.#call
    const ref = this.#ref
    if (ref === 0) this.#putNew()
    else if (this.#isOwn) this.#putDense(store.expireAt(ref))
    else if (this.#isDense) this.#makeRaw()
    else if (this.#isChanged || store.encoding(ref) !== ENCODING_RAW) {
      db.replaceBytes(this.#hash, ref, ENCODING_RAW, this.#sparse.bytes, 0, this.#sparse.length)
    }
    this.#bytes = NONE
  }

  #putNew(): void {
    const { args, db } = this.#call
    const key = this.#key
    if (this.#isOwn) {
      this.#putDense(NO_EXPIRE)
    } else {
      const { bytes, length } = this.#sparse
      const start = args.start(key)
      const end = args.end(key)
      db.putBytes(this.#hash, args.buf, start, end, 0, TYPE_STRING, ENCODING_RAW, bytes, 0, length, NO_EXPIRE)
    }
    keyAdded(this.#call, db, key)
  }

  #putDense(expireAt: number): void {
    const { args, db } = this.#call
    db.putOwned(this.#hash, args.view(this.#key), this.#ref, ENCODING_RAW, this.#bytes, expireAt)
  }

  #makeRaw(): void {
    if (this.#call.store.encoding(this.#ref) !== ENCODING_RAW) this.#makeWritable()
  }

  /** A dense one in the store may be changed after this: the snapshot and replies under way have their copies. */
  #makeWritable(): void {
    if (this.#isOwn || this.#isChanged) return
    const { db, store } = this.#call
    this.#ref = db.writableString(this.#hash, this.#ref, HLL_DENSE_BYTES, ENCODING_RAW)
    this.#bytes = store.bytes
    this.#start = store.start
    this.#isChanged = true
  }
}

export const target = new HyperLogLogTarget()
