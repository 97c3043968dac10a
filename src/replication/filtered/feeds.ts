/** The filtered streams of this server, one a filter, fed with every write next to the whole stream. */
import type { Client } from '../../commands/client.ts'
import type { FilteredReplicaInfo } from '../../commands/host.ts'
import type { Engine } from '../../engine/engine.ts'
import type { StreamSink } from '../../engine/execute.ts'
import type { FullSyncEvent, SnapshotFile } from '../primary/full-sync.ts'
import type { Replica } from '../primary/replica.ts'
import { FilteredFeed } from './feed.ts'
import { type Filter, filterOf } from './filter.ts'

/** Each costs a look at every write. */
export const FEEDS_MAX = 64

export class FilteredFeeds implements StreamSink {
  /** What a server is fed by its own primary is for its filtered replicas too. */
  readonly takesApplied = true
  readonly offset = 0
  readonly list: FilteredFeed[] = []
  /** Called for each replica when its payload has been sent, or failed. */
  onDone: (event: FullSyncEvent) => void = () => {}

  #engine: Engine
  #file: SnapshotFile

  constructor(engine: Engine, file: SnapshotFile) {
    this.#engine = engine
    this.#file = file
  }

  feed(database: number, bytes: Buffer, start: number, end: number): void {
    for (let i = 0; i < this.list.length; i++) this.list[i]!.feed(database, bytes, start, end)
  }

  /** Undefined when there are too many filters. */
  of(filter: Filter): FilteredFeed | undefined {
    const known = this.list.find((feed) => feed.filter.text === filter.text)
    if (known !== undefined) return known
    if (this.list.length >= FEEDS_MAX) return undefined
    const feed = new FilteredFeed(this.#engine, filter, this.#file)
    feed.fullSync.onDone = (event) => this.onDone(event)
    this.list.push(feed)
    this.#engine.executor.sinks.filtered = this
    this.#engine.log(
      'notice',
      `Filtered replication stream for ${filter.name}, its replication ID is '${feed.history.replid}'`,
    )
    return feed
  }

  find(client: Client): { feed: FilteredFeed; replica: Replica } | undefined {
    for (const feed of this.list) {
      const replica = feed.replicaSet.of(client)
      if (replica !== undefined) return { feed, replica }
    }
    return undefined
  }

  clientGone(client: Client): void {
    for (const feed of this.list) feed.replicaSet.clientGone(client)
  }

  /** The data set is another one now. */
  closeAll(): void {
    for (const feed of this.list) feed.close()
    this.list.length = 0
    this.#engine.executor.sinks.filtered = null
  }

  stop(): void {
    for (const feed of this.list) feed.fullSync.abort()
  }

  get memoryBytes(): number {
    let bytes = 0
    for (const { stream } of this.list) bytes += stream.backlog?.memoryBytes ?? 0
    return bytes
  }

  get replicas(): readonly FilteredReplicaInfo[] {
    return this.list.flatMap(({ filter, replicaSet, stream, seenBytes }) =>
      replicaSet.list.map((replica) => ({
        filter: filter.name,
        ip: replica.ip,
        port: replica.announced.listeningPort,
        state: replica.shownState,
        offset: replica.acknowledged,
        lagBytes: Math.max(0, stream.offset - replica.acknowledged),
        lagMs: stream.ageOf(replica.acknowledged),
        seenBytes,
        streamBytes: stream.offset,
      })),
    )
  }

  cron(): void {
    const engine = this.#engine
    const ttl = engine.config.get('repl-backlog-ttl')
    for (const feed of [...this.list]) {
      for (const replica of [...feed.replicaSet.list]) {
        const filter = filterOf(replica.client.account) ?? replica.announced.filter
        if (filter?.text === feed.filter.text) continue
        engine.log(
          'warning',
          `Replica ${replica.name} may read other keys now: closing its link, so that it asks again`,
        )
        replica.client.close('now')
      }
      feed.replicaSet.cron()
      feed.fullSync.cron()
      if (feed.replicaSet.list.length > 0 || ttl === 0) continue
      if (engine.now - feed.replicaSet.noneSinceMs <= ttl * 1000) continue
      feed.close()
      this.list.splice(this.list.indexOf(feed), 1)
      if (this.list.length === 0) engine.executor.sinks.filtered = null
    }
  }
}
