/**
 * Follows a primary that sends everything and keeps a part of it (`replica-filter-*`). What is kept is a data set of its
 * own: this server's stream has another replication id and other offsets than the primary's, so nobody can take the one
 * for the other. Own replicas follow that stream, PSYNC with the primary goes on by the primary's. When the link was cut
 * it resumes; after a restart, and when the filter is another one, everything is loaded anew.
 *
 * Stands between the link and Replication, which it hands on to what concerns the whole server.
 */
import type { Client } from '../../commands/client.ts'
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Tls } from '../../tls/dial.ts'
import { History, NO_ID } from '../history.ts'
import type { Replication } from '../replication.ts'
import { Applier } from '../upstream/apply.ts'
import type { UpstreamLink } from '../upstream/link.ts'
import { type Framing, loadTarget, Payload } from '../upstream/load.ts'
import type { LinkOwner } from '../upstream/owner.ts'
import { Arrival } from './arrival.ts'
import { Missing } from './missing.ts'
import type { Part } from './part.ts'

export class PartFollower implements LinkOwner {
  readonly part: Part
  /** The primary's, which PSYNC asks to continue. */
  readonly history = new History()
  readonly arrival: Arrival
  readonly missing: Missing
  canResume = false
  lastDatabase = 0
  /** What is on disk here is another stream. */
  readonly syncedOffset = -1

  readonly #replication: Replication
  #link: UpstreamLink | null = null
  #client: Client | null = null
  /** What is here is not what the stream has; until everything is loaded anew. */
  #isLost = false

  constructor(replication: Replication, part: Part) {
    const { engine } = replication
    this.#replication = replication
    this.part = part
    this.history.replid = NO_ID
    const { config, log } = engine
    // A part of the data is no successor of its primary.
    if (!config.isExplicit('replica-priority')) config.setDerived('replica-priority', 0)
    this.missing = new Missing({
      config,
      history: this.history,
      tls: () => replication.tls(),
      endpoint: () => (this.#link === null ? null : { host: this.#link.host, port: this.#link.port }),
      log: (text) => log('warning', text),
      onAnswer: () => this.#answered(),
      onRefused: (why) => this.#lose(`the primary refuses to tell values: ${why}`),
    })
    this.arrival = new Arrival(engine, part, this.missing, (why) => this.#lose(why))
  }

  /** Whether this key is here as the stream has it, if there is one. */
  has(database: number, bytes: Buffer, start: number, end: number): boolean {
    if (this.#isLost || !this.part.showsKey(database, bytes, start, end)) return false
    if (this.missing.size === 0) return true
    return this.missing.stateOf(database, bytes.subarray(start, end)) === undefined
  }

  get counts() {
    const { arrival, missing, part } = this
    const { seenBytes, droppedBytes } = arrival
    const { fetched, fetchedBytes, size } = missing
    return { text: part.text, seenBytes, droppedBytes, fetched, fetchedBytes, pending: size }
  }

  get engine() {
    return this.#replication.engine
  }

  /** The copy cannot go on from where it is. */
  #lose(why: string): void {
    this.engine.log('warning', `The filtered copy has to be loaded anew: ${why}`)
    this.canResume = false
    this.#isLost = true
    const link = this.#link
    if (link === null) return
    if (this.#client !== null) this.#client.closing = true
    // Not in the middle of applying.
    setImmediate(() => {
      if (link === this.#link) link.close()
    })
  }

  #answered(): void {
    this.#settle()
    this.#link?.resume()
  }

  #settle(): void {
    const client = this.#client
    if (client === null || client.closing || this.missing.size === 0) return
    this.engine.tick()
    this.arrival.settle(client)
    this.engine.executor.endRun()
  }

  /** The link that is going to follow; another one than before may lead to another server. */
  attach(link: UpstreamLink | null): void {
    this.#link = link
    this.#client = null
    if (link === null) this.missing.clear()
    else this.missing.moved()
  }

  cron(): void {
    this.missing.cron()
  }

  stop(): void {
    this.missing.stop()
  }

  // ---- what the link asks and tells --------------------------------------------------------------------------------

  get linkUp(): boolean {
    return this.#replication.linkUp
  }

  get listeningPort(): number {
    return this.#replication.listeningPort
  }

  get handover() {
    return this.#replication.handover
  }

  get lostWrites() {
    return this.#replication.lostWrites
  }

  get guard() {
    return this.#replication.guard
  }

  tls(): Tls {
    return this.#replication.tls()
  }

  linkChanged(): void {
    this.#replication.linkChanged()
  }

  forgetHistory(): void {
    this.canResume = false
  }

  continued(replid: string): void {
    this.#replication.syncsFromPrimary.partial++
    this.#replication.lostWrites.decided()
    this.canResume = true
    if (replid !== '' && replid !== this.history.replid) this.history.shift(replid)
  }

  synchronised(replid: string, offset: number, streamDb: number): void {
    this.missing.clear()
    this.#isLost = false
    this.lastDatabase = Math.max(0, streamDb)
    this.history.replid = replid === '' ? NO_ID : replid
    this.history.offset = Math.max(0, offset)
    this.history.clearSecond()
    this.canResume = replid !== ''
    this.arrival.hidden?.everything()
    const replication = this.#replication
    replication.syncsFromPrimary.full++
    replication.guard.taken()
    replication.lostWrites.decided()
    replication.history.renew()
    replication.stream.forgetDatabase()
    replication.createBacklog()
    replication.onNewHistory()
  }

  loadingBegan(totalBytes: number, async: boolean): void {
    this.#replication.loadingBegan(totalBytes, async)
  }

  loadingEnded(isLost: boolean): void {
    this.#replication.loadingEnded(isLost)
    if (isLost) this.canResume = false
  }

  payload(framing: Framing): Payload {
    const { engine } = this
    const { part } = this
    const drop = () => {
      engine.log('notice', 'MASTER <-> REPLICA sync: Flushing old data')
      this.canResume = false
      this.missing.clear()
      this.#replication.dropData()
    }
    return new Payload(
      engine,
      framing,
      loadTarget(engine),
      drop,
      (staged) => {
        drop()
        staged.takeOver()
      },
      (database, key, type) => part.showsKey(database, key, 0, key.length) && part.showsType(type),
    )
  }

  applier(link: UpstreamLink, database: number): Applier {
    const { engine } = this
    this.arrival.offset = this.history.offset
    const bytes = {
      feedVerbatim: (_: Buffer, start: number, end: number) => {
        this.history.offset += end - start
      },
      onApplied: () => {
        this.#settle()
        this.#replication.stream.onApplied()
        this.#replication.onPartApplied()
      },
    }
    const id = this.#replication.nextClientId()
    const applier = new Applier(engine, bytes, link, database, id, (client, request, reply: ReplyWriter) =>
      this.arrival.run(client, request, reply),
    )
    this.#client = applier.client
    return applier
  }

  recordResync: Replication['recordResync'] = (...event) => this.#replication.recordResync(...event)
}
