/**
 * How fresh the local copy is. A probe is what the upstream said of its replication (INFO replication) on a connection,
 * behind requests of that connection: all that these changed lies below its offset, in the history of its name. The copy
 * covers a probe when it has applied that much of the same history; then it is also as new as the moment at which the
 * probe was sent. Offsets of different histories are never compared: after a full synchronisation from another history
 * there is nothing left to wait for in the old one, and what was written in the new one is there when the copy is in it.
 */
import type { Engine } from '../engine/engine.ts'
import type { History } from '../replication/history.ts'
import type { Settings } from './settings.ts'

const HISTORIES_MAX = 64
const UNCOVERED_MAX = 256

export class Probe {
  state: 'asked' | 'known' | 'failed' = 'asked'
  replid = ''
  offset = 0
  /** Unix milliseconds. */
  sentAtMs = 0
  isPrimary = true

  /** Takes the reply to INFO replication. */
  take(reply: Buffer): void {
    const id = fieldOf(reply, 'master_replid:')
    const offset = fieldOf(reply, 'master_repl_offset:')
    if (id.length !== 40 || !/^\d+$/.test(offset)) {
      this.state = 'failed'
      return
    }
    this.replid = id
    this.offset = Number(offset)
    this.isPrimary = !reply.includes('role:slave')
    this.state = this.isPrimary ? 'known' : 'failed'
  }
}

function fieldOf(reply: Buffer, name: string): string {
  const at = reply.indexOf(name)
  if (at < 0) return ''
  const end = reply.indexOf(13, at)
  return reply.latin1Slice(at + name.length, end < 0 ? reply.length : end)
}

/** Who keeps the copy: replication, or one shard's link. */
export interface Followed {
  readonly history: History
  readonly linkUp: boolean
}

export class Copy {
  /** There is a data set of an upstream: a link has been up, or one was restored from a file. */
  isReady = false
  /** The copy has all that was written before this Unix millisecond; 0 if that is not known. */
  freshAsOfMs = 0
  #engine: Engine
  #replication: Followed
  #settings: Settings
  /** Histories that were left for another one. */
  #left: string[] = []
  #current = ''
  #uncovered: Probe[] = []

  constructor(engine: Engine, replication: Followed, settings: Settings) {
    this.#engine = engine
    this.#replication = replication
    this.#settings = settings
  }

  /** Whether there is anything to read from. */
  get isUsable(): boolean {
    if (this.#engine.loading !== 'no' || !this.isReady) return false
    const { maxAgeMs } = this.#settings
    return maxAgeMs === 0 || this.ageMs <= maxAgeMs
  }

  /** How old the copy may be, milliseconds; infinite while that is not known. */
  get ageMs(): number {
    return this.freshAsOfMs === 0 ? Number.POSITIVE_INFINITY : Math.max(0, this.#engine.now - this.freshAsOfMs)
  }

  /** The link changed: it may have brought another history. */
  refresh(): void {
    const { history, linkUp } = this.#replication
    if (linkUp) this.isReady = true
    this.#noteHistory(history.replid, history.replid2)
    this.settle()
  }

  #noteHistory(replid: string, replid2: string): void {
    if (replid === this.#current) return
    const before = this.#current
    this.#current = replid
    const at = this.#left.indexOf(replid)
    if (at >= 0) this.#left.splice(at, 1)
    if (before === '' || before === replid2) return
    this.#left.push(before)
    if (this.#left.length > HISTORIES_MAX) this.#left.shift()
  }

  covers(probe: Probe): boolean {
    const { history } = this.#replication
    // After a promotion offsets go on under the new name; what did not survive it is passed as well, in time.
    if (probe.replid === history.replid || probe.replid === history.replid2) return history.offset >= probe.offset
    return this.#left.includes(probe.replid)
  }

  /** A probe was answered: it dates the copy once it is covered. */
  answered(probe: Probe): void {
    if (probe.state !== 'known') return
    this.#uncovered.push(probe)
    if (this.#uncovered.length > UNCOVERED_MAX) this.#uncovered.splice(0, UNCOVERED_MAX / 2)
    this.settle()
  }

  /** The copy has applied more. */
  settle(): void {
    const probes = this.#uncovered
    const { replid } = this.#replication.history
    let done = 0
    for (let i = 0; i < probes.length; i++) {
      const probe = probes[i]!
      if (this.covers(probe)) {
        this.freshAsOfMs = Math.max(this.freshAsOfMs, probe.sentAtMs)
        done = i + 1
      } else if (probe.replid === replid) break
      // Of another history: a later one may be of this.
    }
    if (done > 0) probes.splice(0, done)
  }
}
