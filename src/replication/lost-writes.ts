/**
 * What a primary had that its successor lacks. When a former primary has to take a full synchronisation from the server
 * that was promoted in its place, its own last writes are about to go: those that the other had not acknowledged are written
 * to `lost-writes-<replid>-<offset>.resp` in `dir` first, as the commands that they were, for an operator to look at or to
 * send again (`redis-cli --pipe < file`). The other may have received some of them without having said so.
 *
 * They are taken from the backlog. So that a restart in between loses nothing, what some replica has not acknowledged is
 * saved beside the data (the last TAIL_BYTES of it), with what each had, and restored with them:
 *
 *     restored.from                 restored end = #since             now
 *       |---------- restored ----------|---------- backlog -------------|
 *            ^ acknowledged by the successor: from here on it is lost
 *
 * Offsets here are those of the restored history, which goes on with this server's stream; they are the stream's own when
 * nothing was restored, or it was from the dump that the history came from as well.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hostPort } from '../bytes/host-port.ts'
import { strerror } from '../config/strerror.ts'
import { type FoundUnacknowledged, readUnacknowledged, type Unacknowledged } from '../rdb/unacknowledged.ts'
import type { Replication } from './replication.ts'
import { areCommands, commandStart, countWrites, lastSelected, select, selectsFirst } from './stream-commands.ts'

/** So much of the stream is saved beside the data; of more the oldest goes. */
const TAIL_BYTES = 1024 * 1024
/** How much of the backlog is looked at to find out which database is selected. */
const SCAN_BYTES = 16 * 1024 * 1024
const SCAN_STEP_BYTES = 64 * 1024
/** A command that selects a database is not longer. */
const SELECT_BYTES = 64
/** Files for the same offset, after one crash and another. */
const NAMES_MAX = 100

interface Pending {
  replid: string
  from: number
  to: number
}

export class LostWrites {
  /** Commands written to such files since the start. */
  commands = 0
  files = 0
  lastFile = ''
  /** Bytes of this server's stream that its successors had not acknowledged and did not take over, since the start. */
  bytes = 0

  #replication: Replication
  #pending: Pending | null = null
  #isUndecided = false
  /** What some replica had not acknowledged before the restart. */
  #restored: Unacknowledged | null = null
  /** This server's offset when it was restored; from there on the backlog has it. */
  #since = 0

  constructor(replication: Replication) {
    this.#replication = replication
  }

  /** There may be lost writes in the data set, and reads are promised not to show any. */
  get hides(): boolean {
    return this.#isUndecided && this.#replication.engine.config.get('sync-reads')
  }

  /** This primary is about to follow a server, which may have acknowledged some of its stream. */
  demoted(host: string, port: number): void {
    const { history, stream } = this.#replication
    stream.flush()
    const acknowledged = this.#acknowledgements().get(hostPort(host, port))
    const to = history.offset + this.#shift
    this.#isUndecided = (acknowledged ?? 0) < to
    const from = acknowledged ?? this.#restored?.from ?? this.#since
    this.#pending = from < to ? { replid: this.#restored?.replid ?? history.replid, from, to } : null
  }

  /** The new primary goes on with this history, or its data is here, or this server is a primary again. */
  decided(): void {
    this.#pending = null
    this.#isUndecided = false
    this.#restored = null
  }

  /** The new primary has another history: its data is about to take the place of this one's. */
  save(): void {
    const pending = this.#pending
    this.#pending = null
    if (pending === null) return
    try {
      this.#save(pending)
    } catch (error) {
      const { log } = this.#replication.engine
      log('warning', `Writes that the new primary lacks could not be kept: ${strerror(error)}`)
    }
  }

  #save({ replid, from: wanted, to }: Pending): void {
    const { log, config } = this.#replication.engine
    this.bytes += to - wanted
    const { from, bytes, database } = this.#known(wanted, to)
    const writes = countWrites(bytes)
    const cut = from > wanted ? ', the oldest are no longer known' : ''
    if (writes === 0) {
      if (cut !== '') log('warning', 'Writes that the new primary did not acknowledge are no longer known')
      return
    }
    const isSelected = database === 0 || selectsFirst(bytes)
    const content = isSelected ? bytes : Buffer.concat([select(database), bytes])
    const path = this.#write(join(config.get('dir'), `lost-writes-${replid}-${from + 1}`), content, writes)
    if (path === undefined) return
    this.commands += writes
    this.files++
    this.lastFile = path
    log('warning', `${writes} writes that the new primary did not acknowledge are kept in ${path}${cut}`)
  }

  /**
   * Returns the file's path. The same may have been kept before: when this server was killed while it took its successor's
   * data, and had its own again.
   */
  #write(name: string, bytes: Buffer, writes: number): string | undefined {
    const { log } = this.#replication.engine
    let path = `${name}.resp`
    for (let number = 2; ; number++) {
      try {
        writeFileSync(path, bytes, { flag: 'wx', mode: 0o600 })
        return path
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || number > NAMES_MAX) {
          log('warning', `${writes} writes that the new primary lacks could not be kept in ${path}: ${strerror(error)}`)
          return undefined
        }
      }
      if (readFileSync(path).subarray(0, bytes.length).equals(bytes)) return path
      path = `${name}-${number}.resp`
    }
  }

  // ---- over a restart ----------------------------------------------------------------------------------------------

  /** What is to be saved beside the data of this moment; undefined when every known replica has acknowledged everything. */
  unacknowledged(): Unacknowledged | undefined {
    const saved = this.acknowledged()
    return saved?.bytes.length === 0 ? undefined : saved
  }

  /** The same with no bytes when nothing is missing: so it is known after a restart how far each was. */
  acknowledged(): Unacknowledged | undefined {
    try {
      return this.#unacknowledged()
    } catch (error) {
      const { log } = this.#replication.engine
      log('warning', `What replicas have not acknowledged is not saved with the data: ${strerror(error)}`)
      return undefined
    }
  }

  #unacknowledged(): Unacknowledged | undefined {
    const { line } = this
    if (line === null) return undefined
    const { stream } = this.#replication
    const { replid, offset, shift, acknowledged } = line
    if (acknowledged.size === 0) return undefined
    const least = Math.min(...acknowledged.values())
    stream.flush()
    const from = least >= stream.dataOffset + shift ? offset : least
    return { replid, ...this.#known(from, offset, TAIL_BYTES), acknowledged }
  }

  /** The stream as it goes on from what was restored, and what each replica has; null when nobody can lack any of it. */
  get line() {
    const { merged, part, link, stream, history } = this.#replication
    if (merged !== null || part !== null || (link !== null && !this.#isUndecided)) return null
    if (stream.backlog === null && this.#restored === null) return null
    const shift = this.#shift
    const replid = this.#restored?.replid ?? history.replid
    return { replid, offset: history.offset + shift, shift, acknowledged: this.#acknowledgements() }
  }

  /** The dump that was loaded, which ends at this offset, had it. */
  restore(found: FoundUnacknowledged, offset: number): void {
    this.#since = offset
    if (found.head !== '') this.#restore(readUnacknowledged(found, offset))
  }

  /** It was kept beside the append-only file, which says nothing of the history: this goes on behind it. */
  restoreTail(tail: Unacknowledged): void {
    const replication = this.#replication
    this.#since = replication.history.offset
    this.#restore(tail)
    if (this.#restored !== null && !replication.engine.isReplica) replication.ensureBacklog()
  }

  #restore(tail: Unacknowledged | undefined): void {
    const { part, engine } = this.#replication
    if (part !== null) return
    try {
      if (tail === undefined || !areCommands(tail.bytes)) throw new Error('it cannot be read')
      this.#restored = tail
      const writes = countWrites(tail.bytes)
      if (writes === 0) return
      engine.log('notice', `The last ${writes} writes had not been acknowledged by all replicas before the restart`)
    } catch (error) {
      engine.log('warning', `What was saved of writes that were not acknowledged is ignored: ${strerror(error)}`)
    }
  }

  /** To be added to an offset of this server's stream. */
  get #shift(): number {
    return this.#restored === null ? 0 : endOf(this.#restored) - this.#since
  }

  /** What each replica has, as far as it is known: from before the restart, or since. */
  #acknowledgements(): Map<string, number> {
    const known = new Map(this.#restored?.acknowledged)
    for (const [name, acknowledged] of this.#replication.replicaSet.acknowledgements) {
      known.set(name, acknowledged === 0 ? 0 : acknowledged + this.#shift)
    }
    return known
  }

  // ---- bytes -------------------------------------------------------------------------------------------------------

  /** What is known of the stream between two offsets, the last `most` bytes of it: whole commands. */
  #known(wanted: number, to: number, most = Number.POSITIVE_INFINITY) {
    const start = Math.min(to, Math.max(wanted, this.#start, to - most))
    const bytes = this.#bytesOf(start, to)
    const whole = start > wanted ? bytes.subarray(commandStart(bytes)) : bytes
    const from = to - whole.length
    return { from, bytes: whole, database: this.#databaseAt(from, whole) }
  }

  /** From here on nothing is missing. */
  get #start(): number {
    const { stream, history } = this.#replication
    const start = (stream.backlog?.start ?? history.offset) + this.#shift
    return this.#restored !== null && start <= endOf(this.#restored) ? this.#restored.from : start
  }

  #bytesOf(from: number, to: number): Buffer {
    const restored = this.#restored
    const { backlog } = this.#replication.stream
    const pieces: Buffer[] = []
    let at = from
    if (restored !== null && at < endOf(restored)) {
      pieces.push(restored.bytes.subarray(at - restored.from, to - restored.from))
      at = Math.min(to, endOf(restored))
    }
    const end = to - this.#shift
    for (at -= this.#shift; backlog !== null && at < end; ) {
      const bytes = backlog.read(at)
      if (bytes.length === 0) break
      pieces.push(bytes.subarray(0, end - at))
      at += bytes.length
    }
    return Buffer.concat(pieces)
  }

  /** The database that the stream has selected where these bytes begin; 0 when it is not known. */
  #databaseAt(from: number, bytes: Buffer): number {
    const restored = this.#restored
    if (restored !== null && from >= restored.from && from <= endOf(restored)) {
      return lastSelected(restored.bytes.subarray(0, from - restored.from)) ?? restored.database
    }
    if (lastSelected(bytes) === undefined) return Math.max(0, this.#replication.stream.database)
    const start = Math.max(this.#start, from - SCAN_BYTES)
    for (let end = from; end > start; end -= SCAN_STEP_BYTES) {
      const first = Math.max(start, end - SCAN_STEP_BYTES)
      const found = lastSelected(this.#bytesOf(first, Math.min(from, end + SELECT_BYTES)))
      if (found !== undefined) return found
    }
    return 0
  }
}

function endOf({ from, bytes }: Unacknowledged): number {
  return from + bytes.length
}
