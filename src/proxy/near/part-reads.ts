/**
 * Reads in a proxy that keeps a part of the data: what is in the part is read from the copy, all else upstream, through the
 * near cache where the reply depends on the request's keys alone.
 *
 * A kept reply is as good as the upstream's until somebody says that a key of it changed. Three say so: the upstream (CLIENT
 * TRACKING), the replication stream, whose filter sees writes of hidden keys as well, and clients here that write. What a
 * connection has written or read before is therefore respected: a reply is given from here if the copy's stream, or the
 * upstream's news, has come at least that far. What it then has seen by that reply binds its later reads of the copy.
 */

import type { QueuedCommand } from '../../commands/client.ts'
import type { Command } from '../../commands/command.ts'
import { FLAG_READONLY, KEY_FLAG_BITS } from '../../commands/define.ts'
import { FoundKeys, findKeys } from '../../commands/keys.ts'
import type { Engine } from '../../engine/engine.ts'
import type { HiddenChanges } from '../../replication/filtered/arrival.ts'
import type { Part } from '../../replication/filtered/part.ts'
import { Request } from '../../resp/request.ts'
import { BOUNDED, EVENTUAL, LINEARIZABLE } from '../consistency.ts'
import type { Copy, Probe } from '../copy.ts'
import * as routes from '../routes.ts'
import type { Session } from '../session.ts'
import type { Settings } from '../settings.ts'
import type { UpstreamConnection } from '../upstream-connection.ts'
import type { Entry, NearCache } from './near-cache.ts'
import { NearLink, type NearLinkSetup } from './near-link.ts'

const MINUS = 0x2d
/** They empty or exchange databases. */
const OF_DATABASES = new Set(['flushall', 'flushdb', 'swapdb'])

/** Containers of commands whose replies change without a change of the key that Redis tells: seen times, memory. */
const NOT_SAID = new Set(['xinfo', 'memory', 'object'])

/** What is kept here. */
export interface PartSource {
  readonly part: Part
  /** Whether this key is here as its stream has it, if there is one. */
  has(database: number, bytes: Buffer, start: number, end: number): boolean
}

export interface PartReadsSetup {
  readonly engine: Engine
  readonly part: PartSource
  /** Of the upstream that has the other keys. */
  readonly copy: Copy
  readonly settings: Settings
  readonly cache: NearCache
  /** How its other keys are read. */
  readonly upstream: Omit<NearLinkSetup, 'copy' | 'unixMs' | 'log' | 'onInvalidated' | 'onEverything'>
}

export class PartReads implements HiddenChanges {
  readonly cache: NearCache

  readonly #engine: Engine
  readonly #part: PartSource
  readonly #copy: Copy
  readonly #settings: Settings
  readonly #link: NearLink
  readonly #found = new FoundKeys()
  /** 1: the reply depends on the request's keys alone, by the command's id. */
  readonly #cacheable: Uint8Array

  constructor({ engine, part, copy, settings, cache, upstream }: PartReadsSetup) {
    this.#engine = engine
    this.#part = part
    this.#copy = copy
    this.#settings = settings
    this.cache = cache
    this.#link = new NearLink({
      ...upstream,
      copy,
      unixMs: () => engine.unixMs,
      log: (text) => engine.log('warning', text),
      onInvalidated: (key) => cache.invalidate(key),
      onEverything: () => cache.everything(),
    })
    this.#cacheable = Uint8Array.from(engine.table.all, (command) => (isCacheable(command) ? 1 : 0))
  }

  // ---- the part ----------------------------------------------------------------------------------------------------

  /** Whether the copy has all that this read is about. */
  isHere(database: number, command: Command, args: Request): boolean {
    if (!command.mayHaveKeys) return !routes.OF_ALL_KEYS.has(command.name)
    const found = this.#found
    findKeys(command, args, found, 0)
    const { part } = this.#part
    for (let k = 0; k < found.count; k++) {
      const i = found.index(k)
      if (!this.#part.has(database, args.buf, args.start(i), args.end(i))) return false
      // What is not here may be of a type that is not kept.
      if (part.hasTypes && this.#engine.store.databases[database]!.findKey(args.view(i)) === 0) return false
    }
    return command.name !== 'sort_ro' || !readsByPattern(args)
  }

  /** Whether it has all that a transaction of reads is about. */
  hasAll(database: number, queued: readonly QueuedCommand[]): boolean {
    return queued.every(({ command, request }) => {
      const kind = routes.routeOf(command)
      if (kind === routes.SELECT || kind === routes.SCRIPT) return false
      const reads = kind === routes.READ || kind === routes.STREAM_READ || kind === routes.CURSOR
      return !reads || this.isHere(database, command, request)
    })
  }

  // ---- the near cache ----------------------------------------------------------------------------------------------

  /** Where this read may be answered from what is kept, and be kept; null where it may not. */
  reader({ client, consistency, connection, outstanding }: Session, command: Command): UpstreamConnection | null {
    if (this.#cacheable[command.id] === 0 || !this.cache.isOn) return null
    if (consistency.level === LINEARIZABLE) return null
    const reader = this.#link.reader(client.db, client.resp)
    // Behind what this connection still waits for.
    return reader === null || reader.isFull || (outstanding > 0 && connection !== reader) ? null : reader
  }

  /** A kept reply that this connection may get. */
  find(session: Session, args: Request): Entry | undefined {
    if (session.outstanding > 0) return undefined
    const name = nameOf(session, args)
    const entry = this.cache.get(name)
    if (entry === undefined) return undefined
    if (this.#engine.unixMs >= entry.expiresAtMs || entry.copy !== this.#copy) {
      this.cache.drop(name)
      return undefined
    }
    if (!this.#mayGet(session)) {
      this.#link.ask()
      return undefined
    }
    this.#seen(session, entry)
    return entry
  }

  #mayGet(session: Session): boolean {
    const { level, boundMs } = session.consistency
    const probe = session.probeOf(this.#copy)
    const { maxAgeMs } = this.#settings
    if (maxAgeMs > 0 && this.#ageMs > maxAgeMs) return false
    if (level === EVENTUAL) return true
    if (level === BOUNDED && this.#ageMs > boundMs) return false
    return probe === null || this.#covers(probe)
  }

  /** Whether all changes that this probe covers have been heard of. */
  #covers(probe: Probe): boolean {
    if (probe.state !== 'known') return false
    const { replid, offset } = this.#link.date
    return (probe.replid === replid && offset >= probe.offset) || this.#copy.covers(probe)
  }

  get #ageMs(): number {
    const heardAtMs = this.#link.date.replid === '' ? 0 : this.#link.date.sentAtMs
    const latest = Math.max(heardAtMs, this.#copy.freshAsOfMs)
    return latest === 0 ? Number.POSITIVE_INFINITY : Math.max(0, this.#engine.now - latest)
  }

  /** What the copy must cover now before this connection reads it. */
  #seen(session: Session, entry: Entry): void {
    const { probe } = entry
    if (probe === null) return
    if (probe.state === 'known' && this.#copy.covers(probe)) {
      entry.probe = null
      return
    }
    if (session.consistency.level === EVENTUAL) return
    const own = session.probeOf(this.#copy)
    const isLater = own === null || (own.state === 'known' && (probe.state === 'asked' || probe.offset > own.offset))
    if (isLater) session.note(this.#copy, probe)
  }

  /** Reads upstream, to be kept: with the keys' times behind which the reply is not true any more. */
  fetch(session: Session, reader: UpstreamConnection, command: Command, args: Request, muted: boolean): void {
    const keys = this.#keysOf(command, args)
    const fetch = this.cache.begin(nameOf(session, args), keys, this.#copy)
    const probe = reader.probe()
    const sentAtMs = this.#engine.unixMs
    for (const key of keys) {
      const take = (reply: Buffer) => {
        const left = Number(reply.latin1Slice(1, reply.length - 2))
        if (left >= 0) fetch.expiresAtMs = Math.min(fetch.expiresAtMs, sentAtMs + left)
      }
      const { buf } = Request.of(['PTTL', Buffer.from(key, 'latin1')])
      reader.sendSpecial(null, buf, { isWrite: false, muted: true, skip: 0, take })
    }
    reader.sendSpecial(session, Buffer.from(args.encoded()), {
      isWrite: false,
      muted,
      skip: 0,
      take: (reply) => this.cache.end(fetch, reply[0] === MINUS ? null : reply, probe),
      lost: () => this.cache.end(fetch, null, null),
    })
  }

  #keysOf(command: Command, args: Request): string[] {
    const found = this.#found
    findKeys(command, args, found, 0)
    const keys = new Set<string>()
    for (let k = 0; k < found.count; k++) keys.add(args.latin1(found.index(k)))
    return [...keys]
  }

  // ---- changes -----------------------------------------------------------------------------------------------------

  /** A client's write was sent. */
  wrote(session: Session, command: Command, args: Request): void {
    if (!this.cache.isOn) return
    if (OF_DATABASES.has(command.name)) {
      this.cache.everything()
      // Until it is answered: of SWAPDB the upstream does not tell.
      session.whenAnswered(() => this.cache.everything())
    }
    if (!command.mayHaveKeys || (command.flagBits & FLAG_READONLY) !== 0) return
    const keys = this.#keysOf(command, args)
    this.cache.writing(keys)
    session.whenAnswered(() => this.cache.written(keys))
  }

  get isWatching(): boolean {
    return this.cache.isWatching || this.#engine.tracking.watchers > 0
  }

  /** The stream has a write of a key that is not in the copy. */
  changed(key: Buffer): void {
    this.cache.invalidate(key.latin1Slice())
    if (this.#engine.tracking.watchers > 0) this.#engine.tracking.invalidate(key, null)
  }

  everything(): void {
    this.cache.everything()
    if (this.#engine.tracking.watchers > 0) this.#engine.tracking.flushed()
  }

  beat(): void {
    this.#link.ask()
  }

  cron(longestMs: number): void {
    this.#link.cron(longestMs)
  }

  moved(): void {
    this.#link.reset('the upstream is another server now')
  }

  stop(): void {
    this.#link.stop()
  }

  get isUp(): boolean {
    return this.#link.isUp
  }

  /** It was never needed. */
  get isIdle(): boolean {
    return this.#link.isIdle
  }

  fields(): Record<string, number> {
    const { cache } = this
    return {
      proxy_near_up: this.isUp ? 1 : 0,
      proxy_near_hits: cache.hits,
      proxy_near_misses: cache.misses,
      proxy_near_entries: cache.entries,
      proxy_near_bytes: cache.bytes,
      proxy_near_invalidations: cache.invalidations,
      proxy_near_evictions: cache.evictions,
    }
  }
}

function nameOf({ client }: Session, args: Request): string {
  const bytes = args.encoded()
  return `${client.db} ${client.resp} ${bytes.latin1Slice()}`
}

/** The same keys give the same reply: no time, no chance, no cursor, no script. */
function isCacheable(command: Command): boolean {
  if (routes.routeOf(command) !== routes.READ || !command.hasKeySpecs) return false
  if ((command.flagBits & FLAG_READONLY) === 0) return false
  const tellsAll = command.keySpecs.every(
    ({ flagBits, index, keyword }) => (flagBits & KEY_FLAG_BITS.INCOMPLETE) === 0 && (index > 0 || keyword !== ''),
  )
  if (!tellsAll || NOT_SAID.has(command.parent?.name ?? '')) return false
  return command.declaration.hints?.includes('nondeterministic_output') !== true && command.group !== 'scripting'
}

/** SORT_RO … BY pattern, GET pattern: of keys that only the values tell. */
function readsByPattern(args: Request): boolean {
  for (let i = 2; i < args.argc; i++) if (args.is(i, 'BY') || args.is(i, 'GET')) return true
  return false
}
