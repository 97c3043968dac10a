/**
 * Goes through a stream's entries in either direction, and through the fields of each. One object is used again and
 * again; nothing may change the stream between start() and the last next(). redis 7.0.15 t_stream.c streamIterator*
 *
 *    iterator.start(stream, from, to, backwards)
 *    while (iterator.next()) { iterator.id, iterator.fieldCount; while (iterator.nextField()) { iterator.field, .value } }
 *
 * `from` and `to` are inclusive, `from` the smaller one in either direction; null is the beginning or the end. `id` is the
 * iterator's own; `field` and `value` point at bytes that stay until the next step. nextField() may be left unfinished.
 */
import { integerAt, ListpackEntry, nextEntry } from '../encodings/listpack.ts'
import type { StreamValue } from './stream.ts'
import { StreamId } from './stream-id.ts'
import { ENTRY_DELETED, ENTRY_SAME_FIELDS, type StreamNode } from './stream-node.ts'

export class StreamIterator {
  /** Of the current entry. */
  readonly id = new StreamId()
  fieldCount = 0
  readonly field = new ListpackEntry()
  readonly value = new ListpackEntry()
  /** The node of the current entry and the entry's place in it. */
  nodeIndex = 0
  at = 0

  #nodes: readonly StreamNode[] = []
  #node: StreamNode | undefined
  readonly #from = new StreamId()
  readonly #to = new StreamId()
  #backwards = false
  #skipDeleted = true
  /** Going forward: where the next entry is. Going backward: where the one before ends. */
  #next = 0
  #fieldsLeft = 0
  /** Next field name, if it is in the master entry; next element of the entry. */
  #nameAt = 0
  #elementAt = 0
  #sameFields = false

  start(stream: StreamValue, from: StreamId | null, to: StreamId | null, backwards: boolean, skipDeleted = true): void {
    const { nodes } = stream
    this.#nodes = nodes
    this.#backwards = backwards
    this.#skipDeleted = skipDeleted
    if (from === null) this.#from.clear()
    else this.#from.assign(from)
    this.#to.assign(to ?? MAX_ID)
    // A range before all nodes may still meet an entry: see StreamValue.#insertNode.
    if (backwards) this.#enter(to === null ? nodes.length - 1 : seek(stream, this.#to, nodes.length - 1))
    else this.#enter(from === null ? 0 : seek(stream, this.#from, 0))
  }

  #enter(index: number): void {
    const node = this.#nodes[index]
    this.nodeIndex = index
    this.#node = node
    if (node !== undefined) this.#next = this.#backwards ? node.length : node.entriesAt
  }

  /** Goes to the next entry. False at the end of the range. */
  next(): boolean {
    return this.#backwards ? this.#previousEntry() : this.#nextEntry()
  }

  #nextEntry(): boolean {
    const { id } = this
    while (this.#node !== undefined) {
      const node = this.#node
      let at = this.#next
      while (at < node.length) {
        const end = node.entryEnd(at)
        node.readId(at, id)
        if ((!this.#skipDeleted || (node.bytes[at]! & ENTRY_DELETED) === 0) && id.compare(this.#from) >= 0) {
          if (id.compare(this.#to) > 0) return this.#finish()
          this.#next = end
          this.#arrive(node, at)
          return true
        }
        at = end
      }
      this.#enter(this.nodeIndex + 1)
    }
    return this.#finish()
  }

  #previousEntry(): boolean {
    const { id } = this
    while (this.#node !== undefined) {
      const node = this.#node
      let end = this.#next
      while (end > node.entriesAt) {
        const at = node.entryBefore(end)
        node.readId(at, id)
        if ((!this.#skipDeleted || (node.bytes[at]! & ENTRY_DELETED) === 0) && id.compare(this.#to) <= 0) {
          if (id.compare(this.#from) < 0) return this.#finish()
          this.#next = at
          this.#arrive(node, at)
          return true
        }
        end = at
      }
      this.#enter(this.nodeIndex - 1)
    }
    return this.#finish()
  }

  #finish(): boolean {
    this.#node = undefined
    this.#nodes = NONE
    return false
  }

  #arrive(node: StreamNode, at: number): void {
    this.at = at
    const behind = node.behindId(at)
    this.#sameFields = (node.bytes[at]! & ENTRY_SAME_FIELDS) !== 0
    if (this.#sameFields) {
      this.fieldCount = node.fieldCount
      this.#nameAt = node.fieldsAt
      this.#elementAt = behind
    } else {
      this.fieldCount = integerAt(node.bytes, behind)
      this.#elementAt = nextEntry(node.bytes, behind)
    }
    this.#fieldsLeft = this.fieldCount
  }

  /** Reads the next field and value of the current entry. False behind the last. */
  nextField(): boolean {
    if (this.#fieldsLeft === 0) return false
    this.#fieldsLeft--
    const { bytes } = this.#node!
    if (this.#sameFields) {
      this.field.read(bytes, this.#nameAt)
      this.#nameAt = nextEntry(bytes, this.#nameAt)
    } else {
      this.field.read(bytes, this.#elementAt)
      this.#elementAt = nextEntry(bytes, this.#elementAt)
    }
    this.value.read(bytes, this.#elementAt)
    this.#elementAt = nextEntry(bytes, this.#elementAt)
    return true
  }
}

function seek(stream: StreamValue, id: StreamId, otherwise: number): number {
  const index = stream.nodeFor(id)
  return index < 0 ? otherwise : index
}

const NONE: readonly StreamNode[] = []
const MAX_ID = StreamId.max()
