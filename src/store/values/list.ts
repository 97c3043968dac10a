/**
 * A large list, as Redis's quicklist: nodes of up to list-max-listpack-size, each a run of listpack entries. The run is
 * somewhere inside its node's buffer, so that adding and removing at either end moves nothing.
 *
 *    node   [free | entry entry ... entry | free]     (header and end mark of a listpack are made when one is asked for)
 *
 * An element that alone is larger than a node has one to itself. Nodes are not compressed (list-compress-depth).
 */
import type { Config } from '../../config/config.ts'
import {
  countEntries,
  EntryMatcher,
  entryBytes,
  frameListpack,
  LISTPACK_FRAME,
  LISTPACK_HEADER,
  ListpackEntry,
  ListpackWriter,
  listpackLength,
  nextEntry,
  previousEntry,
  seekEntry,
  writeEntry,
} from '../encodings/listpack.ts'
import type { Keyspace } from '../keyspace.ts'
import { ENCODING_LISTPACK, ENCODING_QUICKLIST, NO_EXPIRE, TYPE_LIST } from '../record.ts'
import type { Structure } from '../store.ts'
import { type EncodingLimits, encodingLimits } from './limits.ts'

/** redis 7.0.15 quicklist.c optimization_level */
const SIZE_CLASSES = [4096, 8192, 16384, 32768, 65536]
/** Where the limit is a number of elements, a node is no larger than this all the same. */
const SAFE_BYTES = 8192
const FIRST_NODE_BYTES = 256
const NODE_OVERHEAD_BYTES = 220
const OBJECT_BYTES = 200
/** Lists of one listpack up to this size are kept in the record. */
const PACKED_MAX_BYTES = 2048

class ListNode {
  bytes: Buffer
  start: number
  end: number
  count: number

  constructor(bytes: Buffer, start: number, end: number, count: number) {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.count = count
  }
}

/** Whether a node of `bytes` bytes and `count` elements in all is within list-max-listpack-size. */
function fits(bytes: number, count: number): boolean {
  const limit = encodingLimits.listMaxListpackSize
  if (limit < 0) return bytes <= SIZE_CLASSES[Math.min(-limit, SIZE_CLASSES.length) - 1]!
  return bytes <= SAFE_BYTES && count <= limit
}

/** Whether a list of so many bytes as a listpack, and elements, is kept in its record. */
export function isPackedList(bytes: number, count: number): boolean {
  return bytes <= PACKED_MAX_BYTES && fits(bytes, count)
}

/** Gets each element as bytes; false ends the visit. */
export type ElementVisitor = (bytes: Buffer, start: number, end: number) => boolean | undefined

const matcher = new EntryMatcher()

export class ListValue implements Structure {
  length = 0
  memoryBytes = OBJECT_BYTES
  /** Set by read(). */
  readonly entry = new ListpackEntry()

  #nodes: ListNode[] = []
  /** Set by #locate(). */
  #node = 0
  #at = 0

  static from(elements: Iterable<Uint8Array>): ListValue {
    const list = new ListValue()
    for (const element of elements) list.pushTail(element)
    return list
  }

  /** Appends the entries of a listpack, which is copied. */
  appendListpack(bytes: Uint8Array, start: number, end: number): void {
    this.appendEntries(bytes, start + LISTPACK_HEADER, end - 1, listpackLength(bytes, start, end))
  }

  /** The same for entries alone, of which there are so many. */
  appendEntries(bytes: Uint8Array, first: number, eof: number, count: number): void {
    if (count === 0) return
    const run = Buffer.allocUnsafeSlow(eof - first)
    run.set(bytes.subarray(first, eof))
    this.#nodes.push(new ListNode(run, 0, run.length, count))
    this.memoryBytes += run.length + NODE_OVERHEAD_BYTES
    this.length += count
  }

  /** Each node as a listpack of its own, as RDB has them. */
  *listpacks(): Iterable<Buffer> {
    for (const node of this.#nodes) yield listpackOf(node)
  }

  /** The whole list as one listpack, undefined if it is too large to be kept in a record. */
  toPacked(): Buffer | undefined {
    let bytes = LISTPACK_FRAME
    for (const node of this.#nodes) {
      bytes += node.end - node.start
      if (bytes > PACKED_MAX_BYTES) return undefined
    }
    if (!isPackedList(bytes, this.length)) return undefined
    const packed = Buffer.allocUnsafe(bytes)
    let at = LISTPACK_HEADER
    for (const node of this.#nodes) at += node.bytes.copy(packed, at, node.start, node.end)
    frameListpack(packed, 0, bytes, this.length)
    return packed
  }

  clone(): ListValue {
    const copy = new ListValue()
    for (const node of this.#nodes) {
      const run = Buffer.allocUnsafeSlow(node.end - node.start)
      node.bytes.copy(run, 0, node.start, node.end)
      copy.#nodes.push(new ListNode(run, 0, run.length, node.count))
      copy.memoryBytes += run.length + NODE_OVERHEAD_BYTES
    }
    copy.length = this.length
    return copy
  }

  // ---- the ends ----------------------------------------------------------------------------------------------------

  pushHead(element: Uint8Array, start = 0, end: number = element.length): void {
    const size = entryBytes(element, start, end)
    let node = this.#nodes[0]
    if (node === undefined || !fits(node.end - node.start + size + LISTPACK_FRAME, node.count + 1)) {
      node = this.#newNode(size)
      node.start = node.bytes.length
      node.end = node.start
      this.#nodes.unshift(node)
    } else if (node.start < size) {
      this.#grow(node, size, true)
    }
    node.start -= size
    writeEntry(node.bytes, node.start, element, start, end)
    node.count++
    this.length++
  }

  pushTail(element: Uint8Array, start = 0, end: number = element.length): void {
    const size = entryBytes(element, start, end)
    let node = this.#nodes[this.#nodes.length - 1]
    if (node === undefined || !fits(node.end - node.start + size + LISTPACK_FRAME, node.count + 1)) {
      node = this.#newNode(size)
      this.#nodes.push(node)
    } else if (node.bytes.length - node.end < size) {
      this.#grow(node, size, false)
    }
    node.end = writeEntry(node.bytes, node.end, element, start, end)
    node.count++
    this.length++
  }

  #newNode(size: number): ListNode {
    // The first node grows; in a list that has several the next one will be full soon.
    const usual = this.#nodes.length > 1 && fits(SAFE_BYTES, 1) ? SAFE_BYTES : FIRST_NODE_BYTES
    const bytes = Buffer.allocUnsafeSlow(Math.max(size, usual))
    this.memoryBytes += bytes.length + NODE_OVERHEAD_BYTES
    return new ListNode(bytes, 0, 0, 0)
  }

  /** Makes room for `size` bytes at one end, leaving the other as it is. */
  #grow(node: ListNode, size: number, atHead: boolean): void {
    const used = node.end - node.start
    // A run that has left more than half of its buffer moves back.
    if (used * 2 + size <= node.bytes.length) {
      const start = atHead ? node.bytes.length - used : 0
      node.bytes.copyWithin(start, node.start, node.end)
      node.start = start
      node.end = start + used
      return
    }
    const more = Math.max(size, used < SAFE_BYTES ? Math.min(used, SAFE_BYTES - used) : used >> 2)
    const grown = Buffer.allocUnsafeSlow(node.bytes.length + more)
    const start = atHead ? node.start + more : node.start
    node.bytes.copy(grown, start, node.start, node.end)
    this.memoryBytes += more
    node.bytes = grown
    node.start = start
    node.end = start + used
  }

  /** Reads the first or last element into `entry`; the list must not be empty. */
  readEnd(atHead: boolean): void {
    const node = atHead ? this.#nodes[0]! : this.#nodes[this.#nodes.length - 1]!
    this.entry.read(node.bytes, atHead ? node.start : previousEntry(node.bytes, node.end))
  }

  /** Removes the first or last element. */
  dropEnd(atHead: boolean): void {
    const index = atHead ? 0 : this.#nodes.length - 1
    const node = this.#nodes[index]!
    if (atHead) node.start = nextEntry(node.bytes, node.start)
    else node.end = previousEntry(node.bytes, node.end)
    node.count--
    this.length--
    if (node.count === 0) this.#removeNodes(index, 1)
  }

  #removeNodes(index: number, count: number): void {
    for (let i = index; i < index + count; i++) this.memoryBytes -= this.#nodes[i]!.bytes.length + NODE_OVERHEAD_BYTES
    if (index === 0 && count === 1) this.#nodes.shift()
    else if (index === this.#nodes.length - 1) this.#nodes.pop()
    else this.#nodes.splice(index, count)
  }

  // ---- by index ----------------------------------------------------------------------------------------------------

  /** Finds the node and position of an element from the nearer end; index must be in [0, length). */
  #locate(index: number): void {
    const nodes = this.#nodes
    let which = 0
    let left = index
    if (index < this.length >> 1) {
      while (left >= nodes[which]!.count) left -= nodes[which++]!.count
    } else {
      which = nodes.length - 1
      let behind = this.length - index
      while (behind > nodes[which]!.count) behind -= nodes[which--]!.count
      left = nodes[which]!.count - behind
    }
    const node = nodes[which]!
    this.#node = which
    if (left < node.count >> 1) {
      this.#at = seekEntry(node.bytes, node.start, node.end, left)
    } else {
      let at = node.end
      for (let i = node.count - left; i > 0; i--) at = previousEntry(node.bytes, at)
      this.#at = at
    }
  }

  /** Reads the element into `entry`; index must be in [0, length). */
  read(index: number): void {
    this.#locate(index)
    this.entry.read(this.#nodes[this.#node]!.bytes, this.#at)
  }

  /** Visits up to `count` elements from `from` on, forwards or backwards. Nothing may be changed meanwhile. */
  visit(from: number, count: number, backwards: boolean, visitor: ElementVisitor): void {
    if (count <= 0 || from < 0 || from >= this.length) return
    this.#locate(from)
    const nodes = this.#nodes
    const { entry } = this
    let which = this.#node
    let at = this.#at
    for (let left = count; left > 0; left--) {
      const node = nodes[which]!
      entry.read(node.bytes, at)
      if (visitor(entry.bytes, entry.start, entry.end) === false) return
      if (backwards) {
        if (at === node.start) {
          if (--which < 0) return
          at = nodes[which]!.end
        }
        at = previousEntry(nodes[which]!.bytes, at)
      } else {
        at = nextEntry(node.bytes, at)
        if (at === node.end) {
          if (++which === nodes.length) return
          at = nodes[which]!.start
        }
      }
    }
  }

  /** Views of all elements (integers: their digits), valid until the next change. */
  *elements(): Iterable<Buffer> {
    const entry = new ListpackEntry()
    for (const node of this.#nodes) {
      for (let at = node.start; at < node.end; at = nextEntry(node.bytes, at)) {
        entry.read(node.bytes, at)
        yield entry.bytes === node.bytes ? entry.bytes.subarray(entry.start, entry.end) : entry.copy()
      }
    }
  }

  /** Replaces the element; index must be in [0, length). */
  set(index: number, element: Uint8Array, start = 0, end: number = element.length): void {
    this.#locate(index)
    const node = this.#nodes[this.#node]!
    const next = nextEntry(node.bytes, this.#at)
    if (node.end - node.start - (next - this.#at) + entryBytes(element, start, end) > SIZE_CLASSES[4]!) {
      this.#cut(this.#node, this.#at, next, 1)
      this.length--
      this.insert(index, element, start, end)
      return
    }
    this.#splice(node, this.#at, next, element, start, end)
  }

  /** Replaces bytes [at, next) of a node by an element. */
  #splice(node: ListNode, at: number, next: number, element: Uint8Array, start: number, end: number): void {
    const size = entryBytes(element, start, end)
    const tail = node.end - next
    const length = at - node.start + size + tail
    if (node.start + length > node.bytes.length || length * 4 < node.bytes.length) {
      const built = Buffer.allocUnsafeSlow(length + (length >> 2))
      node.bytes.copy(built, 0, node.start, at)
      const behind = writeEntry(built, at - node.start, element, start, end)
      node.bytes.copy(built, behind, next, node.end)
      this.memoryBytes += built.length - node.bytes.length
      node.bytes = built
      node.start = 0
      node.end = length
      return
    }
    node.bytes.copyWithin(at + size, next, node.end)
    writeEntry(node.bytes, at, element, start, end)
    node.end = at + size + tail
  }

  /** Puts an element before the one at index, or at the end if index is the length. */
  insert(index: number, element: Uint8Array, start = 0, end: number = element.length): void {
    if (index === 0) {
      this.pushHead(element, start, end)
      return
    }
    if (index === this.length) {
      this.pushTail(element, start, end)
      return
    }
    this.#locate(index)
    const size = entryBytes(element, start, end)
    let node = this.#nodes[this.#node]!
    if (!fits(node.end - node.start + size + LISTPACK_FRAME, node.count + 1)) {
      const before = countEntries(node.bytes, node.start, this.#at)
      this.#split(this.#node, this.#at, before)
      if (before === 0) this.#node--
      node = this.#nodes[this.#node]!
      if (!fits(node.end - node.start + size + LISTPACK_FRAME, node.count + 1)) {
        node = this.#newNode(size)
        this.#nodes.splice(this.#node + 1, 0, node)
      }
      this.#at = node.end
    }
    this.#splice(node, this.#at, this.#at, element, start, end)
    node.count++
    this.length++
  }

  /** What is from `at` on becomes a node of its own; `before` elements stay. */
  #split(which: number, at: number, before: number): void {
    const node = this.#nodes[which]!
    if (before === 0) return
    const tail = Buffer.allocUnsafeSlow(node.end - at)
    node.bytes.copy(tail, 0, at, node.end)
    this.#nodes.splice(which + 1, 0, new ListNode(tail, 0, tail.length, node.count - before))
    this.memoryBytes += tail.length + NODE_OVERHEAD_BYTES
    node.end = at
    node.count = before
  }

  /** Cuts bytes [at, next), which are `count` elements, out of a node. True if the node is gone. */
  #cut(which: number, at: number, next: number, count: number): boolean {
    const node = this.#nodes[which]!
    node.count -= count
    if (node.count === 0) {
      this.#removeNodes(which, 1)
      return true
    }
    if (at === node.start) {
      node.start = next
    } else {
      node.bytes.copyWithin(at, next, node.end)
      node.end -= next - at
    }
    return false
  }

  /** Removes `count` elements from `from` on. */
  removeRange(from: number, count: number): void {
    let left = Math.min(count, this.length - from)
    if (left <= 0) return
    this.#locate(from)
    let which = this.#node
    let at = this.#at
    while (left > 0) {
      const node = this.#nodes[which]!
      const before = at === node.start ? 0 : countEntries(node.bytes, node.start, at)
      const here = Math.min(left, node.count - before)
      const next = before + here === node.count ? node.end : seekEntry(node.bytes, at, node.end, here)
      this.length -= here
      left -= here
      if (!this.#cut(which, at, next, here)) which++
      if (left > 0) at = this.#nodes[which]!.start
    }
  }

  /** Removes up to `limit` elements (0: all) that equal this one, from the head or from the tail on. Returns how many. */
  removeEqual(element: Uint8Array, start: number, end: number, limit: number, fromTail: boolean): number {
    matcher.set(element, start, end)
    const most = limit === 0 ? this.length : limit
    let removed = 0
    let which = fromTail ? this.#nodes.length - 1 : 0
    while (which >= 0 && which < this.#nodes.length && removed < most) {
      const nodes = this.#nodes.length
      removed += this.#removeEqualInNode(which, most - removed, fromTail)
      if (fromTail) which--
      else if (nodes === this.#nodes.length) which++
    }
    this.length -= removed
    return removed
  }

  #removeEqualInNode(which: number, most: number, fromTail: boolean): number {
    const node = this.#nodes[which]!
    let removed = 0
    let at = fromTail ? node.end : node.start
    while (removed < most && (fromTail ? at > node.start : at < node.end)) {
      if (fromTail) at = previousEntry(node.bytes, at)
      const next = nextEntry(node.bytes, at)
      if (matcher.matches(node.bytes, at)) {
        removed++
        const atStart = at === node.start
        if (this.#cut(which, at, next, 1)) return removed
        if (atStart) at = node.start
      } else if (!fromTail) {
        at = next
      }
    }
    return removed
  }
}

function listpackOf(node: ListNode): Buffer {
  const length = node.end - node.start + LISTPACK_FRAME
  const bytes = Buffer.allocUnsafe(length)
  node.bytes.copy(bytes, LISTPACK_HEADER, node.start, node.end)
  frameListpack(bytes, 0, length, node.count)
  return bytes
}

const writer = new ListpackWriter(1024)

/** Makes a list of these elements the value of a key, whatever there was before. Returns the record's reference. */
export function storeList(
  db: Keyspace,
  hash: number,
  key: Uint8Array,
  elements: readonly Uint8Array[],
  expireAt: number,
  _limits: EncodingLimits,
): number {
  const old = db.find(hash, key, 0, key.length)
  if (!isSmallList(elements)) {
    const list = ListValue.from(elements)
    return db.putStructure(hash, key, 0, key.length, old, TYPE_LIST, ENCODING_QUICKLIST, list, expireAt)
  }
  writer.reset()
  for (const element of elements) writer.append(element)
  writer.frame()
  const { bytes, length } = writer
  return db.putBytes(hash, key, 0, key.length, old, TYPE_LIST, ENCODING_LISTPACK, bytes, 0, length, expireAt)
}

function isSmallList(elements: readonly Uint8Array[]): boolean {
  let bytes = LISTPACK_FRAME
  for (const element of elements) {
    bytes += entryBytes(element, 0, element.length)
    if (!isPackedList(bytes, elements.length)) return false
  }
  return true
}

/** Makes a list of these elements the value of a key, whatever there was before. Returns the record's reference. */
export function createList(
  db: Keyspace,
  hash: number,
  key: Buffer,
  elements: readonly Buffer[],
  _config: Config,
): number {
  return storeList(db, hash, key, elements, NO_EXPIRE, encodingLimits)
}
