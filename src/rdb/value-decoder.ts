/**
 * RDB bytes → one value, element by element, so that a value of millions of elements is never waited for nor kept twice.
 * What arrives packed stays packed; a hash, set or sorted set with more elements than a packed encoding may have goes
 * straight into its structure; the rest is kept as elements, for build.ts to choose the encoding.
 *
 * begin(type) → step(input) until true → value (undefined: empty, nothing to store) → reset()
 */
import { parseDouble } from '../bytes/doubles.ts'
import { intsetLength, intsetValues, validateIntset } from '../store/encodings/intset.ts'
import { listpackEntries, listpackLength, validateListpack } from '../store/encodings/listpack.ts'
import {
  ENCODING_AUTO,
  ENCODING_HASHTABLE,
  ENCODING_INTSET,
  ENCODING_LISTPACK,
  ENCODING_QUICKLIST,
  ENCODING_SKIPLIST,
  ENCODING_STREAM,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from '../store/record.ts'
import type { Structure } from '../store/store.ts'
import { HashValue } from '../store/values/hash.ts'
import { encodingLimits } from '../store/values/limits.ts'
import { isPackedList, ListValue } from '../store/values/list.ts'
import { SetValue } from '../store/values/set.ts'
import { SortedSetValue } from '../store/values/sorted-set.ts'
import {
  NODE_PACKED,
  NODE_PLAIN,
  RDB_HASH,
  RDB_HASH_LISTPACK,
  RDB_HASH_ZIPLIST,
  RDB_HASH_ZIPMAP,
  RDB_LIST,
  RDB_LIST_QUICKLIST,
  RDB_LIST_QUICKLIST_2,
  RDB_LIST_ZIPLIST,
  RDB_SET,
  RDB_SET_INTSET,
  RDB_SET_LISTPACK,
  RDB_STREAM,
  RDB_STREAM_2,
  RDB_STREAM_3,
  RDB_STRING,
  RDB_ZSET,
  RDB_ZSET_2,
  RDB_ZSET_LISTPACK,
  RDB_ZSET_ZIPLIST,
} from './format.ts'
import type { RdbInput } from './input.ts'
import { ziplistEntries, zipmapEntries } from './legacy.ts'
import { StreamDecoder } from './stream-decoder.ts'

/** What a value turned out to be: exactly one of bytes, structure and elements has it. */
export interface RdbValue {
  /** TYPE_* of record.ts. */
  type: number
  /** ENCODING_* of bytes or structure. */
  encoding: number
  bytes: Buffer | undefined
  structure: Structure | undefined
  /** Hashes: fields and values in turn. */
  elements: Buffer[]
  scores: number[]
}

const TYPE_OF: Readonly<Record<number, number>> = {
  [RDB_STRING]: TYPE_STRING,
  [RDB_LIST]: TYPE_LIST,
  [RDB_LIST_ZIPLIST]: TYPE_LIST,
  [RDB_LIST_QUICKLIST]: TYPE_LIST,
  [RDB_LIST_QUICKLIST_2]: TYPE_LIST,
  [RDB_SET]: TYPE_SET,
  [RDB_SET_INTSET]: TYPE_SET,
  [RDB_SET_LISTPACK]: TYPE_SET,
  [RDB_ZSET]: TYPE_ZSET,
  [RDB_ZSET_2]: TYPE_ZSET,
  [RDB_ZSET_ZIPLIST]: TYPE_ZSET,
  [RDB_ZSET_LISTPACK]: TYPE_ZSET,
  [RDB_HASH]: TYPE_HASH,
  [RDB_HASH_ZIPMAP]: TYPE_HASH,
  [RDB_HASH_ZIPLIST]: TYPE_HASH,
  [RDB_HASH_LISTPACK]: TYPE_HASH,
  [RDB_STREAM]: TYPE_STREAM,
  [RDB_STREAM_2]: TYPE_STREAM,
  [RDB_STREAM_3]: TYPE_STREAM,
}

const COUNTED: ReadonlySet<number> = new Set([
  RDB_LIST,
  RDB_SET,
  RDB_ZSET,
  RDB_HASH,
  RDB_ZSET_2,
  RDB_LIST_QUICKLIST,
  RDB_LIST_QUICKLIST_2,
])

const UNKNOWN = -1
const SCORE_NAN = 253
const SCORE_POSITIVE_INFINITY = 254
const SCORE_NEGATIVE_INFINITY = 255

export class ValueDecoder {
  value: RdbValue | undefined

  #deep: boolean
  #type = RDB_STRING
  #counted = false
  /** Elements, pairs or nodes still to read; UNKNOWN before their number is. */
  #left = UNKNOWN
  #count = 0
  #list: ListValue | undefined
  #hash: HashValue | undefined
  #set: SetValue | undefined
  #sortedSet: SortedSetValue | undefined
  #stream: StreamDecoder | undefined
  /** Names seen, while elements are kept: nobody else would notice one that comes twice. */
  #seen: Set<string> | undefined
  #score = 0

  constructor(deep: boolean) {
    this.#deep = deep
  }

  /** False when values of this type are not supported. */
  begin(rdbType: number): boolean {
    const type = TYPE_OF[rdbType]
    if (type === undefined) return false
    this.#type = rdbType
    this.#counted = COUNTED.has(rdbType)
    this.#left = UNKNOWN
    if (type === TYPE_STREAM) this.#stream = new StreamDecoder(rdbType)
    this.value = {
      type,
      encoding: ENCODING_AUTO,
      bytes: undefined,
      structure: undefined,
      elements: [],
      scores: [],
    }
    return true
  }

  /** Lets go of the value. */
  reset(): void {
    this.value = undefined
    this.#list = undefined
    this.#hash = undefined
    this.#set = undefined
    this.#sortedSet = undefined
    this.#stream = undefined
    this.#seen = undefined
  }

  /** Reads on. True when the value is complete, false when the input is not enough. */
  step(input: RdbInput): boolean {
    if (this.#stream !== undefined) {
      if (!this.#stream.step(input)) return false
      this.value!.structure = this.#stream.stream
      this.value!.encoding = ENCODING_STREAM
      return true
    }
    if (!this.#counted) {
      const bytes = input.string()
      if (bytes === undefined) return false
      this.#single(bytes, input)
      return true
    }
    if (this.#left === UNKNOWN) {
      const count = input.length()
      if (count < 0) return false
      this.#beginElements(count)
    }
    while (this.#left > 0) {
      const start = input.pos
      if (!this.#element(input)) {
        input.rewind(start)
        return false
      }
      this.#left--
    }
    this.#complete(input)
    return true
  }

  /** Redis decides likewise by the count alone: rdb.c rdbLoadObject "Too many entries?". */
  #beginElements(count: number): void {
    const type = this.value!.type
    this.#left = count
    this.#count = count
    if (type === TYPE_HASH && count > encodingLimits.hashMaxListpackEntries) this.#hash = new HashValue()
    else if (type === TYPE_SET && count > encodingLimits.setMaxIntsetEntries) this.#set = new SetValue()
    else if (type === TYPE_ZSET && count > encodingLimits.zsetMaxListpackEntries) this.#sortedSet = new SortedSetValue()
    else if (type !== TYPE_LIST) this.#seen = new Set()
    else if (count !== 1) this.#list = new ListValue()
  }

  #element(input: RdbInput): boolean {
    switch (this.#type) {
      case RDB_HASH:
        return this.#pair(input)
      case RDB_ZSET:
      case RDB_ZSET_2:
        return this.#member(input)
      case RDB_LIST_QUICKLIST:
      case RDB_LIST_QUICKLIST_2:
        return this.#node(input)
      default: {
        const element = input.string()
        if (element === undefined) return false
        if (this.#type === RDB_LIST) {
          this.#elements().pushTail(element)
          return true
        }
        if (this.#set !== undefined) {
          this.#set.add(element)
          return true
        }
        if (this.#seen !== undefined && !this.#isNew(element)) throw input.corrupt('Duplicate set members detected')
        this.value!.elements.push(element)
        return true
      }
    }
  }

  #pair(input: RdbInput): boolean {
    const field = input.string()
    const value = field && input.string()
    if (field === undefined || value === undefined) return false
    if (this.#hash !== undefined) {
      this.#hash.set(field, value)
      return true
    }
    if (!this.#isNew(field)) throw input.corrupt('Hash with dup elements')
    this.value!.elements.push(field, value)
    return true
  }

  #member(input: RdbInput): boolean {
    const member = input.string()
    if (member === undefined) return false
    if (this.#type === RDB_ZSET_2) {
      if (!input.has(8)) return false
      this.#score = input.double()
    } else if (!this.#scoreText(input)) {
      return false
    }
    if (Number.isNaN(this.#score)) throw input.corrupt('Zset with NAN score detected')
    if (this.#sortedSet !== undefined) {
      this.#sortedSet.add(member, this.#score)
      return true
    }
    if (!this.#isNew(member)) throw input.corrupt('Duplicate zset fields detected')
    this.value!.elements.push(member)
    this.value!.scores.push(this.#score)
    return true
  }

  /** redis 7.0.15 rdb.c rdbLoadDoubleValue */
  #scoreText(input: RdbInput): boolean {
    const length = input.byte()
    if (length < 0) return false
    if (length === SCORE_NAN) this.#score = Number.NaN
    else if (length === SCORE_POSITIVE_INFINITY) this.#score = Number.POSITIVE_INFINITY
    else if (length === SCORE_NEGATIVE_INFINITY) this.#score = Number.NEGATIVE_INFINITY
    else {
      if (!input.has(length)) return false
      this.#score = parseDouble(input.bytes, input.pos, input.pos + length)
      input.pos += length
    }
    return true
  }

  #node(input: RdbInput): boolean {
    let container = NODE_PACKED
    if (this.#type === RDB_LIST_QUICKLIST_2) {
      container = input.length()
      if (container < 0) return false
      if (container !== NODE_PACKED && container !== NODE_PLAIN)
        throw input.corrupt('Quicklist integrity check failed.')
    }
    const bytes = input.string()
    if (bytes === undefined) return false
    if (bytes.length === 0) throw input.corrupt('Empty quicklist node')
    if (this.#type === RDB_LIST_QUICKLIST) {
      const entries = ziplistEntries(bytes)
      if (entries === undefined) throw input.corrupt('Ziplist integrity check failed.')
      for (const entry of entries) this.#elements().pushTail(entry)
      return true
    }
    if (container === NODE_PLAIN) {
      this.#elements().pushTail(bytes)
      return true
    }
    if (!validateListpack(bytes, 0, bytes.length)) throw input.corrupt('Listpack integrity check failed.')
    const length = listpackLength(bytes, 0, bytes.length)
    if (this.#count === 1 && length > 0 && isPackedList(bytes.length, length)) {
      this.value!.bytes = bytes
      this.value!.encoding = ENCODING_LISTPACK
    } else {
      this.#elements().appendListpack(bytes, 0, bytes.length)
    }
    return true
  }

  /** The list under way; one of a single small node needs none. */
  #elements(): ListValue {
    this.#list ??= new ListValue()
    return this.#list
  }

  #isNew(name: Buffer): boolean {
    const text = name.toString('latin1')
    if (this.#seen!.has(text)) return false
    this.#seen!.add(text)
    return true
  }

  /** All elements are read. */
  #complete(input: RdbInput): void {
    const value = this.value!
    const structure = this.#hash ?? this.#set ?? this.#sortedSet
    if (structure !== undefined) {
      if (structure.size !== this.#count) throw input.corrupt('Duplicate elements detected')
      value.structure = structure
      value.encoding = this.#sortedSet === undefined ? ENCODING_HASHTABLE : ENCODING_SKIPLIST
    } else if (this.#list !== undefined) {
      this.#completeList(this.#list)
    } else if (value.elements.length === 0 && value.bytes === undefined) {
      this.value = undefined
    }
    this.#seen = undefined
  }

  #completeList(list: ListValue): void {
    const value = this.value!
    if (list.length === 0) {
      this.value = undefined
      return
    }
    const packed = list.toPacked()
    value.bytes = packed
    value.encoding = packed === undefined ? ENCODING_QUICKLIST : ENCODING_LISTPACK
    if (packed === undefined) value.structure = list
  }

  /** A value that is one string: a string, or a packed encoding. */
  #single(bytes: Buffer, input: RdbInput): void {
    switch (this.#type) {
      case RDB_STRING:
        this.value!.bytes = bytes
        return
      case RDB_SET_INTSET:
        this.#intset(bytes, input)
        return
      case RDB_HASH_LISTPACK:
      case RDB_ZSET_LISTPACK:
        this.#packedPairs(bytes, input)
        return
      case RDB_SET_LISTPACK:
        if (!validateListpack(bytes, 0, bytes.length)) throw input.corrupt('Set listpack integrity check failed.')
        this.#keep(
          Array.from(listpackEntries(bytes, 0, bytes.length)),
          1,
          'Set listpack integrity check failed.',
          input,
        )
        return
      case RDB_LIST_ZIPLIST:
        this.#keep(ziplistEntries(bytes), 0, 'List ziplist integrity check failed.', input)
        return
      case RDB_HASH_ZIPMAP:
        this.#keep(zipmapEntries(bytes), 2, 'Zipmap integrity check failed.', input)
        return
      case RDB_HASH_ZIPLIST:
        this.#keep(ziplistEntries(bytes), 2, 'Hash ziplist integrity check failed.', input)
        return
      default:
        this.#keep(ziplistEntries(bytes), 2, 'Zset ziplist integrity check failed.', input)
        if (this.value !== undefined) this.#splitScores(input)
    }
  }

  #intset(bytes: Buffer, input: RdbInput): void {
    if (!validateIntset(bytes, 0, bytes.length)) throw input.corrupt('Intset integrity check failed.')
    const value = this.value!
    if (intsetLength(bytes, 0) > encodingLimits.setMaxIntsetEntries) {
      const set = new SetValue()
      for (const member of intsetValues(bytes, 0, bytes.length)) set.add(Buffer.from(member.toString(), 'latin1'))
      value.structure = set
      value.encoding = ENCODING_HASHTABLE
    } else {
      value.bytes = bytes
      value.encoding = ENCODING_INTSET
    }
  }

  /** A hash or sorted set as listpack. Redis unpacks it by the number of its entries only, whatever their size. */
  #packedPairs(bytes: Buffer, input: RdbInput): void {
    const value = this.value!
    const isHash = value.type === TYPE_HASH
    const failure = `${isHash ? 'Hash' : 'Zset'} listpack integrity check failed.`
    if (!validateListpack(bytes, 0, bytes.length)) throw input.corrupt(failure)
    const length = listpackLength(bytes, 0, bytes.length)
    if (length % 2 !== 0) throw input.corrupt(failure)
    const limit = isHash ? encodingLimits.hashMaxListpackEntries : encodingLimits.zsetMaxListpackEntries
    if (length === 0) {
      this.value = undefined
      return
    }
    const unpack = length / 2 > limit
    if (this.#deep || unpack) {
      this.#keep(Array.from(listpackEntries(bytes, 0, bytes.length)), 2, failure, input)
      if (!isHash) this.#splitScores(input)
    }
    if (unpack) return
    value.bytes = bytes
    value.encoding = ENCODING_LISTPACK
    value.elements = []
    value.scores = []
  }

  /** Entries as elements; each `stride`-th is a name that may come once (0: any may be repeated). */
  #keep(entries: Buffer[] | undefined, stride: number, failure: string, input: RdbInput): void {
    if (entries === undefined || (stride > 1 && entries.length % stride !== 0)) throw input.corrupt(failure)
    if (stride > 0) {
      this.#seen = new Set()
      for (let i = 0; i < entries.length; i += stride) if (!this.#isNew(entries[i]!)) throw input.corrupt(failure)
      this.#seen = undefined
    }
    if (entries.length === 0) this.value = undefined
    else this.value!.elements = entries
  }

  /** Members and scores in turn → members, and scores. */
  #splitScores(input: RdbInput): void {
    const value = this.value!
    const entries = value.elements
    value.elements = []
    for (let i = 0; i < entries.length; i += 2) {
      const score = entries[i + 1]!
      const number = parseDouble(score, 0, score.length)
      if (Number.isNaN(number)) throw input.corrupt('Zset with NAN score detected')
      value.elements.push(entries[i]!)
      value.scores.push(number)
    }
  }
}
