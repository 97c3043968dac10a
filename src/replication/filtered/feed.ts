/**
 * A filtered stream: a history of its own with its own backlog, replicas and full synchronisations, made of the writes
 * that one filter shows. All replicas whose users may read the same keys share it.
 */
import type { Engine } from '../../engine/engine.ts'
import type { ChunkSink } from '../../rdb/output.ts'
import type { RecordWriter } from '../../rdb/snapshot.ts'
import { RdbWriter, type RdbWriterOptions } from '../../rdb/writer.ts'
import type { Store } from '../../store/store.ts'
import { History } from '../history.ts'
import { FullSync, type SnapshotFile } from '../primary/full-sync.ts'
import { Replicas } from '../primary/replicas.ts'
import { ReplicationStream } from '../stream.ts'
import type { Filter } from './filter.ts'
import { Reducer } from './reducer.ts'

export class FilteredFeed {
  readonly filter: Filter
  readonly history = new History()
  readonly stream: ReplicationStream
  readonly replicaSet: Replicas
  readonly fullSync: FullSync
  /** Bytes of writes that were looked at; what was sent of them is the history's offset. */
  seenBytes = 0
  #reducer: Reducer

  constructor(engine: Engine, filter: Filter, file: SnapshotFile) {
    this.filter = filter
    this.stream = new ReplicationStream(this.history, () => engine.unixMs)
    this.replicaSet = new Replicas(engine, this.stream, true)
    this.fullSync = new FullSync(engine, this.history, this.stream, this.replicaSet, file)
    this.fullSync.writer = (options, sink) => new FilteredWriter(engine.store, filter, options, sink)
    this.stream.onBytes = () => this.replicaSet.feedAll()
    this.stream.held = () => this.replicaSet.held()
    this.#reducer = new Reducer(engine, filter, this.stream)
    this.stream.createBacklog(engine.config.get('repl-backlog-size'))
  }

  feed(database: number, bytes: Buffer, start: number, end: number): void {
    this.seenBytes += end - start
    this.#reducer.feed(database, bytes, start, end)
  }

  close(): void {
    this.replicaSet.disconnectAll()
    this.fullSync.abort()
    this.stream.freeBacklog()
  }
}

/** Leaves hidden keys out of a snapshot. */
class FilteredWriter implements RecordWriter {
  #store: Store
  #filter: Filter
  #writer: RdbWriter

  constructor(store: Store, filter: Filter, options: RdbWriterOptions, sink: ChunkSink) {
    this.#store = store
    this.#filter = filter
    // The sizes of the databases are not those of what is sent.
    this.#writer = new RdbWriter(store, { ...options, sizes: false }, sink)
  }

  get output() {
    return this.#writer.output
  }

  record(ref: number, database: number): void {
    const store = this.#store
    store.readKey(ref)
    if (this.#filter.showsKey(store.keyBytes, store.keyStart, store.keyEnd)) this.#writer.record(ref, database)
  }

  end(): void {
    this.#writer.end()
  }
}
