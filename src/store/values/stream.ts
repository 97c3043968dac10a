/**
 * A stream: entries of field-value pairs by ascending id, in nodes of some hundred (stream-node.ts, Redis's macro nodes to
 * the byte), and its consumer groups (stream-groups.ts).
 *
 * Ids are StreamId objects (stream-id.ts): four 32-bit words, exact over both unsigned 64-bit parts, mutable. The stream's
 * own (lastId, firstId, maxDeletedId) must be changed with assign(), and what is to be kept of them must be copied.
 * Entries are read with a StreamIterator (stream-iterator.ts), which allocates nothing and must not outlive a change.
 * Who changes a stream calls db.beforeChange(hash, ref) before and store.recount(ref) after, as for any structure.
 */
import type { Structure } from '../store.ts'
import { encodingLimits } from './limits.ts'
import { Group, INVALID_ENTRIES_READ, sortedByName } from './stream-groups.ts'
import { StreamId } from './stream-id.ts'
import { StreamIterator } from './stream-iterator.ts'
import { type FieldSource, StreamNode } from './stream-node.ts'

/** More than this in one entry, or one node, cannot be. redis 7.0.15 t_stream.c STREAM_LISTPACK_MAX_SIZE */
export const STREAM_MAX_NODE_BYTES = 1 << 30

const STREAM_BYTES = 400
const NODE_OVERHEAD_BYTES = 250

/** Of this module's own searches, which are never within each other. */
const iterator = new StreamIterator()
const edge = new StreamId()

export class StreamValue implements Structure {
  /** Entries that are not deleted. */
  length = 0
  /** The greatest id ever added, or what XSETID said. */
  readonly lastId = new StreamId()
  /** Of the first entry that is not deleted; 0-0 if there is none. */
  readonly firstId = new StreamId()
  /** The greatest id that XDEL removed. */
  readonly maxDeletedId = new StreamId()
  /** How many were added ever. */
  entriesAdded = 0
  /** By name as latin1 text. */
  readonly groups = new Map<string, Group>()

  /** By ascending id; none without entries, though all of a node's may be deleted. */
  #nodes: StreamNode[] = []
  #nodeBytes = 0

  get memoryBytes(): number {
    let bytes = STREAM_BYTES + this.#nodeBytes + this.#nodes.length * NODE_OVERHEAD_BYTES
    for (const group of this.groups.values()) bytes += group.memoryBytes
    return bytes
  }

  /** For the iterator, RDB and XINFO; changes only through this class. */
  get nodes(): readonly StreamNode[] {
    return this.#nodes
  }

  /** The index of the last node whose id is not greater than this one, -1 if all are. */
  nodeFor(id: StreamId): number {
    const nodes = this.#nodes
    let low = 0
    let high = nodes.length
    // Mostly the last one.
    if (high > 0 && nodes[high - 1]!.id.compare(id) <= 0) return high - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (nodes[middle]!.id.compare(id) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  // ---- entries -----------------------------------------------------------------------------------------------------

  /**
   * Adds an entry of an id that is greater than lastId: `pairs` of field and value, which are the arguments of `source`
   * from `first` on. redis 7.0.15 t_stream.c streamAppendItem
   */
  append(id: StreamId, source: FieldSource, first: number, pairs: number): void {
    let node: StreamNode | undefined = this.#nodes[this.#nodes.length - 1]
    if (node !== undefined && this.#isFull(node, source, first, pairs)) {
      this.#nodeBytes -= node.bytes.length
      node.shrink()
      this.#nodeBytes += node.bytes.length
      node = undefined
    }
    if (node === undefined) {
      node = StreamNode.create(id, source, first, pairs, encodingLimits.streamNodeMaxBytes)
      this.#insertNode(node)
    }
    this.#nodeBytes -= node.bytes.length
    node.append(id, source, first, pairs)
    this.#nodeBytes += node.bytes.length
    this.length++
    this.entriesAdded++
    this.lastId.assign(id)
    if (this.length === 1) this.firstId.assign(id)
  }

  #isFull(node: StreamNode, source: FieldSource, first: number, pairs: number): boolean {
    let elements = 0
    for (let i = first; i < first + 2 * pairs; i++) elements += source.end(i) - source.start(i)
    const limit = encodingLimits.streamNodeMaxBytes
    const maxBytes = limit === 0 || limit > STREAM_MAX_NODE_BYTES ? STREAM_MAX_NODE_BYTES : limit
    if (node.listpackBytes + elements >= maxBytes) return true
    const maxEntries = encodingLimits.streamNodeMaxEntries
    return maxEntries > 0 && node.count + node.deleted >= maxEntries
  }

  /** A node is the last one, unless XSETID went back to before a node of deleted entries. */
  #insertNode(node: StreamNode): void {
    const at = this.nodeFor(node.id)
    this.#nodeBytes += node.bytes.length
    if (at >= 0 && this.#nodes[at]!.id.equals(node.id)) {
      this.#nodeBytes -= this.#nodes[at]!.bytes.length
      this.#nodes[at] = node
    } else if (at === this.#nodes.length - 1) {
      this.#nodes.push(node)
    } else {
      this.#nodes.splice(at + 1, 0, node)
    }
  }

  /** Adds a node that RDB has; false if there is one of its id. The stream's length is the reader's. */
  addNode(node: StreamNode): boolean {
    const at = this.nodeFor(node.id)
    if (at >= 0 && this.#nodes[at]!.id.equals(node.id)) return false
    this.#insertNode(node)
    return true
  }

  #removeNodes(from: number, count: number): void {
    if (count === 0) return
    for (let i = from; i < from + count; i++) this.#nodeBytes -= this.#nodes[i]!.bytes.length
    if (from === 0 && count === 1) this.#nodes.shift()
    else this.#nodes.splice(from, count)
  }

  /** Whether there is an entry of this id that is not deleted. */
  has(id: StreamId): boolean {
    iterator.start(this, id, id, false)
    return iterator.next()
  }

  /**
   * False if there is no such entry. maxDeletedId and firstId are the caller's (XDEL sets both, and firstId once for all
   * of its ids: updateFirstId). redis 7.0.15 t_stream.c streamDeleteItem
   */
  delete(id: StreamId): boolean {
    iterator.start(this, id, id, false)
    if (!iterator.next()) return false
    const index = iterator.nodeIndex
    const node = this.#nodes[index]!
    if (node.count === 1) this.#removeNodes(index, 1)
    else node.markDeleted(iterator.at)
    this.length--
    return true
  }

  /** Finds the first entry anew, after some were removed. */
  updateFirstId(): void {
    if (this.length === 0) this.firstId.clear()
    else this.edgeId(true, true, this.firstId)
  }

  /**
   * Sets `id` to that of the first or last entry, counting deleted ones or not; if there is none, to the greatest or
   * the least id. redis 7.0.15 t_stream.c streamGetEdgeID
   */
  edgeId(first: boolean, skipDeleted: boolean, id: StreamId): void {
    iterator.start(this, null, null, !first, skipDeleted)
    if (iterator.next()) id.assign(iterator.id)
    else if (first) id.assign(MAX_ID)
    else id.clear()
  }

  // ---- trimming ----------------------------------------------------------------------------------------------------

  /**
   * Removes entries from the first on until there are `maxLength`; if `approximate`, whole nodes only; if `limit` is not
   * 0, no more than so many. Returns how many. redis 7.0.15 t_stream.c streamTrim
   */
  trimByLength(maxLength: number, approximate: boolean, limit: number): number {
    const nodes = this.#nodes
    let removed = 0
    let whole = 0
    for (; whole < nodes.length && this.length > maxLength; whole++) {
      const { count } = nodes[whole]!
      if (limit > 0 && removed + count > limit) break
      if (this.length - count < maxLength) {
        if (!approximate) {
          const excess = this.length - maxLength
          this.#deleteFirst(nodes[whole]!, excess)
          removed += excess
        }
        break
      }
      this.length -= count
      removed += count
    }
    this.#removeNodes(0, whole)
    if (removed > 0 || this.length === 0) this.updateFirstId()
    return removed
  }

  /** Marks the first `excess` entries of a node. */
  #deleteFirst(node: StreamNode, excess: number): void {
    let at = node.entriesAt
    for (let left = excess; left > 0; at = node.entryEnd(at)) {
      if (node.isDeleted(at)) continue
      node.markDeleted(at)
      this.length--
      left--
    }
  }

  /** The same for all entries of ids less than `minId`. */
  trimById(minId: StreamId, approximate: boolean, limit: number): number {
    const nodes = this.#nodes
    let removed = 0
    let whole = 0
    for (; whole < nodes.length; whole++) {
      const node = nodes[whole]!
      if (limit > 0 && removed + node.count > limit) break
      node.readId(node.entryBefore(node.length), edge)
      if (edge.compare(minId) >= 0) {
        if (!approximate) removed += this.#deleteBefore(node, minId)
        break
      }
      this.length -= node.count
      removed += node.count
    }
    this.#removeNodes(0, whole)
    if (removed > 0 || this.length === 0) this.updateFirstId()
    return removed
  }

  #deleteBefore(node: StreamNode, minId: StreamId): number {
    let removed = 0
    for (let at = node.entriesAt; at < node.length; at = node.entryEnd(at)) {
      node.readId(at, edge)
      if (edge.compare(minId) >= 0) break
      if (node.isDeleted(at)) continue
      node.markDeleted(at)
      this.length--
      removed++
    }
    return removed
  }

  // ---- groups ------------------------------------------------------------------------------------------------------

  group(name: Buffer, start = 0, end: number = name.length): Group | undefined {
    return this.groups.get(name.latin1Slice(start, end))
  }

  /** Undefined if there is one of this name, of which a copy is made. redis 7.0.15 t_stream.c streamCreateCG */
  createGroup(
    name: Buffer,
    lastId: StreamId,
    entriesRead: number,
    start = 0,
    end: number = name.length,
  ): Group | undefined {
    const text = name.latin1Slice(start, end)
    if (this.groups.has(text)) return undefined
    const group = new Group(Buffer.from(name.subarray(start, end)), lastId, entriesRead)
    this.groups.set(text, group)
    return group
  }

  /** False if there is none of this name. */
  deleteGroup(name: Buffer, start = 0, end: number = name.length): boolean {
    return this.groups.delete(name.latin1Slice(start, end))
  }

  /** By the bytes of their names. */
  sortedGroups(): Group[] {
    return sortedByName(this.groups)
  }

  /**
   * Whether something was deleted in [start, end] (null: from the beginning, to the end), as far as the greatest
   * deleted id can tell. redis 7.0.15 t_stream.c streamRangeHasTombstones
   */
  rangeHasTombstones(start: StreamId | null, end: StreamId | null): boolean {
    const { maxDeletedId } = this
    if (this.length === 0 || maxDeletedId.isZero) return false
    if (this.firstId.compare(maxDeletedId) > 0) return false
    if (start !== null && start.compare(maxDeletedId) > 0) return false
    return end === null || maxDeletedId.compare(end) <= 0
  }

  /**
   * How many entries were ever added up to this id, INVALID_ENTRIES_READ where that cannot be told.
   * redis 7.0.15 t_stream.c streamEstimateDistanceFromFirstEverEntry
   */
  estimateDistanceFromFirstEverEntry(id: StreamId): number {
    if (this.entriesAdded === 0) return 0
    const order = id.compare(this.lastId)
    if (this.length === 0 && order < 1) return this.entriesAdded
    if (order === 0) return this.entriesAdded
    if (order > 0) return INVALID_ENTRIES_READ
    if (this.maxDeletedId.isZero || this.maxDeletedId.compare(this.firstId) < 0) {
      const first = id.compare(this.firstId)
      if (first < 0) return this.entriesAdded - this.length
      if (first === 0) return this.entriesAdded - this.length + 1
    }
    return INVALID_ENTRIES_READ
  }

  clone(): StreamValue {
    const copy = new StreamValue()
    for (const node of this.#nodes) copy.#insertNode(node.clone())
    copy.length = this.length
    copy.entriesAdded = this.entriesAdded
    copy.lastId.assign(this.lastId)
    copy.firstId.assign(this.firstId)
    copy.maxDeletedId.assign(this.maxDeletedId)
    for (const [text, group] of this.groups) copy.groups.set(text, group.clone())
    return copy
  }
}

const MAX_ID = StreamId.max()
