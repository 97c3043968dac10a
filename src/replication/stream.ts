/**
 * The stream of writes: what executors feed, written once into the backlog. Requests that lie behind each other in the
 * read buffer (a pipeline of writes) are copied as one piece at the end of the batch: `feed` only remembers the range,
 * and the batch's end copies it before the buffer is used again; outside of batches a microtask does. Replicas are woken
 * once per turn of the event loop.
 */
import type { StreamSink } from '../engine/execute.ts'
import { Backlog } from './backlog.ts'
import type { History } from './history.ts'

const SAMPLES_MAX = 4096
const UNKNOWN_DATABASE = -1
const EMPTY = Buffer.alloc(0)

export class ReplicationStream implements StreamSink {
  /** What a primary's stream changed goes on as its own bytes, unless several are merged. */
  takesApplied = false
  backlog: Backlog | null = null
  /** Called once a turn when there are new bytes, or wake() was. */
  onBytes: () => void = () => {}
  /** Called before that: what it feeds goes with those bytes. */
  beforeBytes: () => void = () => {}
  /** The offset from which on sockets of replicas may still refer to the backlog's bytes. */
  held: () => number = () => Number.POSITIVE_INFINITY
  /** Bytes of the last whole minute of writing, per second: what repl-backlog-size adapts to. */
  bytesPerSecond = 0
  /** Whoever runs a batch of requests sets this before, and calls flush() behind it: a microtask for each costs more. */
  isInBatch = false

  #history: History
  #database = UNKNOWN_DATABASE
  #buf: Buffer = EMPTY
  #start = 0
  #end = 0
  #copyQueued = false
  #wakeQueued = false
  /** Where the last run of control commands lies. */
  #controlStart = 0
  #controlEnd = -1
  /** When the stream reached which offset, oldest first: for the age of what a replica has not acknowledged. */
  #sampleOffsets: number[] = []
  #sampleTimes: number[] = []
  #now: () => number

  constructor(history: History, now: () => number) {
    this.#history = history
    this.#now = now
  }

  /** A batch of an upstream's stream was applied, or its link changed: for who waits for an offset. */
  onApplied: () => void = () => {}

  /** Offset behind the last byte fed. */
  get offset(): number {
    return this.#history.offset
  }

  /** Offset behind the last write: PINGs and GETACKs behind it change nothing. */
  get dataOffset(): number {
    return this.#controlEnd === this.offset ? this.#controlStart : this.offset
  }

  /** The next write says its database: after a full sync and after a promotion. */
  forgetDatabase(): void {
    this.#database = UNKNOWN_DATABASE
  }

  /** Database that the stream is in, -1 if the next write will select one. */
  get database(): number {
    return this.#database
  }

  /** For a replica that goes on in its primary's stream. */
  set database(database: number) {
    this.#database = database
  }

  feed(database: number, bytes: Buffer, start: number, end: number): void {
    if (database !== this.#database) this.#select(database)
    if (bytes === this.#buf && start === this.#end) {
      this.#end = end
    } else {
      if (this.#end > this.#start) this.#copy()
      this.#buf = bytes
      this.#start = start
      this.#end = end
      if (!this.#copyQueued && !this.isInBatch) {
        this.#copyQueued = true
        queueMicrotask(this.#flushQueued)
      }
    }
    this.#history.offset += end - start
  }

  #flushQueued = (): void => {
    this.#copyQueued = false
    this.flush()
  }

  /** Bytes that an upstream sent, as they are. */
  feedVerbatim(bytes: Buffer, start: number, end: number): void {
    this.flush()
    this.#history.offset += end - start
    this.backlog?.append(bytes, start, end)
    this.wake()
  }

  /** A command of the stream's own: PING, REPLCONF GETACK. They do not select a database. */
  feedControl(bytes: Buffer): void {
    this.flush()
    this.#controlStart = this.dataOffset
    this.#controlEnd = this.offset + bytes.length
    this.#history.offset += bytes.length
    this.backlog?.append(bytes, 0, bytes.length)
    this.wake()
  }

  /** Copies what was fed into the backlog. */
  flush(): void {
    if (this.#end <= this.#start) return
    this.#copy()
    this.#buf = EMPTY
    this.#start = 0
    this.#end = 0
  }

  #copy(): void {
    this.backlog?.append(this.#buf, this.#start, this.#end)
    this.#start = this.#end
    this.wake()
  }

  #select(database: number): void {
    this.#database = database
    const text = String(database)
    const bytes = Buffer.from(`*2\r\n$6\r\nSELECT\r\n$${text.length}\r\n${text}\r\n`, 'latin1')
    if (this.#end > this.#start) this.#copy()
    this.#buf = EMPTY
    this.#start = 0
    this.#end = 0
    this.#history.offset += bytes.length
    this.backlog?.append(bytes, 0, bytes.length)
  }

  /** onBytes() this turn. */
  wake(): void {
    if (this.#wakeQueued) return
    this.#wakeQueued = true
    setImmediate(() => {
      this.beforeBytes()
      this.#wakeQueued = false
      this.#sample()
      this.onBytes()
    })
  }

  #sample(): void {
    const offsets = this.#sampleOffsets
    const now = this.#now()
    if (offsets.length > 0 && this.#sampleTimes.at(-1) === now) {
      offsets[offsets.length - 1] = this.offset
      return
    }
    offsets.push(this.offset)
    this.#sampleTimes.push(now)
    if (offsets.length > SAMPLES_MAX) this.#thin()
  }

  /** Half the samples, evenly: a replica far behind then has its lag within two neighbours' distance. */
  #thin(): void {
    this.#sampleOffsets = this.#sampleOffsets.filter((_, i) => i % 2 === 1)
    this.#sampleTimes = this.#sampleTimes.filter((_, i) => i % 2 === 1)
  }

  /** Age in milliseconds of the oldest write behind `acknowledged`; 0 when there is none. */
  ageOf(acknowledged: number): number {
    if (acknowledged >= this.dataOffset) return 0
    const offsets = this.#sampleOffsets
    let low = 0
    let high = offsets.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (offsets[middle]! <= acknowledged) low = middle + 1
      else high = middle
    }
    const at = this.#sampleTimes[low]
    return at === undefined ? 0 : Math.max(0, this.#now() - at)
  }

  createBacklog(size: number): void {
    this.flush()
    this.backlog = new Backlog(size, this.#history.offset, () => this.held())
    this.#controlEnd = -1
    this.#sampleOffsets = []
    this.#sampleTimes = []
  }

  freeBacklog(): void {
    this.flush()
    this.backlog = null
  }
}
