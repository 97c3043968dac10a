/**
 * RDB bytes → a stream, item by item, as they arrive (layout: stream-encoder.ts). Types 15, 19 and 21 differ in what was
 * counted when: the first has neither counters nor first and greatest deleted id, the last has an active time for each
 * consumer, which is passed over. Every listpack is gone through, and what is pending must belong to exactly one consumer,
 * so that nothing that was read can break later. redis 7.0.15 rdb.c rdbLoadObject
 */
import { StreamValue } from '../store/values/stream.ts'
import { Consumer, type Group, Nack } from '../store/values/stream-groups.ts'
import { STREAM_ID_BYTES, StreamId } from '../store/values/stream-id.ts'
import { StreamNode } from '../store/values/stream-node.ts'
import { RDB_STREAM, RDB_STREAM_3 } from './format.ts'
import type { RdbInput } from './input.ts'

type Step = 'nodes' | 'node' | 'metadata' | 'groups' | 'group' | 'pending' | 'consumers' | 'consumer' | 'owned' | 'done'

const WORD = 0x100000000
const MILLISECONDS_BYTES = 8

/** Of pending entries whose consumer is not read yet. */
const NOBODY = new Consumer(Buffer.alloc(0), 0)

export class StreamDecoder {
  readonly stream = new StreamValue()

  #type: number
  #step: Step = 'nodes'
  #nodes = 0
  #groups = 0
  #pending = 0
  #consumers = 0
  #owned = 0
  /** Entries in the nodes. */
  #entries = 0
  /** Pending entries of the group that have no consumer yet. */
  #unowned = 0
  #group: Group | undefined
  #consumer: Consumer | undefined
  readonly #id = new StreamId()

  constructor(rdbType: number) {
    this.#type = rdbType
  }

  /** Reads on. True when the stream is complete, false when the input is not enough. */
  step(input: RdbInput): boolean {
    while (this.#step !== 'done') {
      const start = input.pos
      if (!this.#item(input)) {
        input.rewind(start)
        return false
      }
    }
    return true
  }

  #item(input: RdbInput): boolean {
    switch (this.#step) {
      case 'nodes':
        this.#nodes = input.length()
        return this.#goOn(this.#nodes, this.#nodes > 0 ? 'node' : 'metadata')
      case 'node':
        return this.#readNode(input)
      case 'metadata':
        return this.#readMetadata(input)
      case 'groups':
        this.#groups = input.length()
        return this.#goOn(this.#groups, this.#groups > 0 ? 'group' : 'done')
      case 'group':
        return this.#readGroup(input)
      case 'pending':
        return this.#readPending(input)
      case 'consumers':
        this.#consumers = input.length()
        if (this.#consumers === 0) return this.#endGroup(input)
        return this.#goOn(this.#consumers, 'consumer')
      case 'consumer':
        return this.#readConsumer(input)
      default:
        return this.#readOwned(input)
    }
  }

  /** To the next step, if what has been read last was there. */
  #goOn(read: number, step: Step): boolean {
    if (read < 0) return false
    this.#step = step
    return true
  }

  #readNode(input: RdbInput): boolean {
    const key = input.string()
    const listpack = key && input.string()
    if (key === undefined || listpack === undefined) return false
    if (key.length !== STREAM_ID_BYTES) throw input.corrupt('Stream node key entry is not the size of a stream ID')
    this.#id.read(key, 0)
    const node = StreamNode.load(this.#id, listpack)
    if (node === undefined) throw input.corrupt('Stream listpack integrity check failed.')
    if (!this.stream.addNode(node)) throw input.corrupt('Listpack re-added with existing key')
    this.#entries += node.count
    if (--this.#nodes === 0) this.#step = 'metadata'
    return true
  }

  #readMetadata(input: RdbInput): boolean {
    const { stream } = this
    const length = input.length()
    if (length < 0 || !readId(input, stream.lastId)) return false
    stream.length = length
    stream.entriesAdded = length
    if (this.#type !== RDB_STREAM) {
      if (!readId(input, stream.firstId) || !readId(input, stream.maxDeletedId)) return false
      const added = input.length()
      if (added < 0) return false
      stream.entriesAdded = added
    }
    if (length !== this.#entries) throw input.corrupt('Stream length inconsistent with rax entries')
    if (this.#type === RDB_STREAM) stream.edgeId(true, true, stream.firstId)
    stream.edgeId(false, true, this.#id)
    if (this.#id.compare(stream.lastId) > 0) throw input.corrupt('Stream last ID smaller than that of its last entry')
    this.#step = 'groups'
    return true
  }

  #readGroup(input: RdbInput): boolean {
    const { stream } = this
    const name = input.string()
    if (name === undefined || !readId(input, this.#id)) return false
    let entriesRead = 0
    if (this.#type === RDB_STREAM) {
      entriesRead = stream.estimateDistanceFromFirstEverEntry(this.#id)
    } else {
      if (!input.words()) return false
      entriesRead = (input.high | 0) * WORD + input.low
    }
    const pending = input.length()
    if (pending < 0) return false
    this.#group = stream.createGroup(name, this.#id, entriesRead)
    if (this.#group === undefined) throw input.corrupt('Duplicated consumer group name')
    this.#pending = pending
    this.#unowned = pending
    this.#step = pending > 0 ? 'pending' : 'consumers'
    return true
  }

  #readPending(input: RdbInput): boolean {
    if (!input.has(STREAM_ID_BYTES + MILLISECONDS_BYTES)) return false
    const id = new StreamId()
    id.read(input.bytes, input.pos)
    input.pos += STREAM_ID_BYTES
    const deliveryTime = input.int64()
    const deliveryCount = input.length()
    if (deliveryCount < 0) return false
    if (!this.#group!.pending.insert(new Nack(id, NOBODY, deliveryTime, deliveryCount))) {
      throw input.corrupt('Duplicated global PEL entry loading stream consumer group')
    }
    if (--this.#pending === 0) this.#step = 'consumers'
    return true
  }

  #readConsumer(input: RdbInput): boolean {
    const name = input.string()
    if (name === undefined) return false
    const times = this.#type === RDB_STREAM_3 ? 2 : 1
    if (!input.has(times * MILLISECONDS_BYTES)) return false
    const seenTime = input.int64()
    if (times > 1) input.int64()
    const owned = input.length()
    if (owned < 0) return false
    this.#consumer = this.#group!.createConsumer(name, seenTime)
    if (this.#consumer === undefined) throw input.corrupt('Duplicate stream consumer detected.')
    this.#consumers--
    this.#owned = owned
    if (owned > 0) this.#step = 'owned'
    else if (this.#consumers === 0) this.#endGroup(input)
    return true
  }

  #readOwned(input: RdbInput): boolean {
    if (!input.has(STREAM_ID_BYTES)) return false
    this.#id.read(input.bytes, input.pos)
    input.pos += STREAM_ID_BYTES
    const consumer = this.#consumer!
    const nack = this.#group!.pending.find(this.#id)
    if (nack === undefined) throw input.corrupt('Consumer entry not found in group global PEL')
    if (nack.consumer !== NOBODY) throw input.corrupt('Duplicated consumer PEL entry loading a stream consumer group')
    nack.consumer = consumer
    consumer.pending.insert(nack)
    this.#unowned--
    if (--this.#owned > 0) return true
    this.#step = 'consumer'
    if (this.#consumers === 0) this.#endGroup(input)
    return true
  }

  #endGroup(input: RdbInput): boolean {
    if (this.#unowned > 0) throw input.corrupt('Stream CG PEL entry without consumer')
    this.#step = --this.#groups > 0 ? 'group' : 'done'
    return true
  }
}

function readId(input: RdbInput, id: StreamId): boolean {
  if (!input.words()) return false
  id.msHigh = input.high
  id.msLow = input.low
  if (!input.words()) return false
  id.seqHigh = input.high
  id.seqLow = input.low
  return true
}
