/**
 * Follows a primary that sends everything and keeps a part of it (`replica-filter-*`). What is kept is a data set of its
 * own: this server's stream has another replication id and other offsets than the primary's, so nobody can take the one
 * for the other. Own replicas follow that stream, PSYNC with the primary goes on by the primary's. When the link was cut
 * it resumes; after a restart, and when the filter is another one, everything is loaded anew.
 *
 * Stands between the link and Replication, which it hands on to what concerns the whole server.
 */
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Tls } from '../../tls/dial.ts'
import { History, NO_ID } from '../history.ts'
import type { Replication } from '../replication.ts'
import { Applier } from '../upstream/apply.ts'
import type { UpstreamLink } from '../upstream/link.ts'
import { type Framing, loadTarget, Payload } from '../upstream/load.ts'
import type { LinkOwner } from '../upstream/owner.ts'
import { Kept } from './kept.ts'
import type { Part } from './part.ts'

export class PartFollower implements LinkOwner {
  /** The primary's, which PSYNC asks to continue. */
  readonly history = new History()
  readonly kept: Kept
  canResume = false
  lastDatabase = 0
  /** What is on disk here is another stream. */
  readonly syncedOffset = -1

  readonly #replication: Replication

  constructor(replication: Replication, part: Part) {
    const { engine } = replication
    this.#replication = replication
    this.history.replid = NO_ID
    // A part of the data is no successor of its primary.
    if (!engine.config.isExplicit('replica-priority')) engine.config.setDerived('replica-priority', 0)
    this.kept = new Kept({
      engine,
      part,
      history: this.history,
      tls: () => replication.tls(),
      onLost: () => this.forgetHistory(),
      whenWritable: (then) => then(),
    })
  }

  get engine() {
    return this.#replication.engine
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
    this.lastDatabase = Math.max(0, streamDb)
    this.history.replid = replid === '' ? NO_ID : replid
    this.history.offset = Math.max(0, offset)
    this.history.clearSecond()
    this.canResume = replid !== ''
    this.kept.renewed()
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
    const { engine, kept } = this
    const drop = () => {
      engine.log('notice', 'MASTER <-> REPLICA sync: Flushing old data')
      this.canResume = false
      kept.missing.clear()
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
      kept.accepts,
    )
  }

  applier(link: UpstreamLink, database: number): Applier {
    const { engine, kept } = this
    const bytes = {
      feedVerbatim: (_: Buffer, start: number, end: number) => {
        this.history.offset += end - start
      },
      onApplied: () => {
        kept.settle()
        this.#replication.stream.onApplied()
        this.#replication.onPartApplied()
      },
    }
    const id = this.#replication.nextClientId()
    const applier = new Applier(engine, bytes, link, database, id, (client, request, reply: ReplyWriter) =>
      kept.arrival.run(client, request, reply),
    )
    kept.begin(applier.client, this.history.offset)
    return applier
  }

  recordResync: Replication['recordResync'] = (...event) => this.#replication.recordResync(...event)
}
