/**
 * One command being run: its arguments, the reply, the database, and what it changes. There is one Call per engine, set
 * up anew for each command, so handlers must not keep it. Handlers read arguments, look keys up here (which hides and
 * removes what has expired, counts hits and touches access clocks, as redis 7.0.15 db.c lookupKey), change the keyspace,
 * tell it with `changed()`, and reply.
 */
import { hashBytes } from '../bytes/siphash.ts'
import type { CommandEncoder } from '../effects/command-encoder.ts'
import { type Argument, Effects } from '../effects/effects.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Keyspace } from '../store/keyspace.ts'
import { NO_EXPIRE, TYPE_STRING } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import type { Client } from './client.ts'
import type { Command } from './command.ts'
import { errors } from './errors.ts'
import type { Host } from './host.ts'
import type { CommandTable } from './table.ts'

/** Found, but of another type; the error has been replied. */
export const WRONG_TYPE = -1

export class Call {
  args!: Request
  reply!: ReplyWriter
  client!: Client
  db!: Keyspace
  command!: Command
  /** Unix time in milliseconds, the same for the whole command. */
  now = 0
  /** The command comes from the primary's stream (or the AOF): nothing is expired here, nothing is refused. */
  fromPrimary = false
  /** Runs inside EXEC, so blocking commands must not block. */
  inTransaction = false

  readonly store: Store
  readonly host: Host
  readonly table: CommandTable
  readonly effects = new Effects()
  /** Hash of the key of the last look-up, which put, remove and setExpire of the keyspace want. */
  hash = 0

  constructor(store: Store, host: Host, table: CommandTable) {
    this.store = store
    this.host = host
    this.table = table
  }

  /** The key at argument i, for reading: 0 if there is none. Counts a hit or miss and touches its access clock. */
  lookupRead(i: number): number {
    const { args } = this
    return this.#read(this.#hashOf(args, i), args.buf, args.start(i), args.end(i))
  }

  lookupReadKey(key: Buffer, start = 0, end: number = key.length): number {
    return this.#read(hashBytes(key, start, end), key, start, end)
  }

  #hashOf(args: Request, i: number): number {
    return i === 1 && args.hashed ? args.keyHash : hashBytes(args.buf, args.start(i), args.end(i))
  }

  #read(hash: number, key: Buffer, start: number, end: number): number {
    const ref = this.#live(hash, key, start, end)
    if (ref === 0) {
      this.host.stats.keyspaceMisses++
      if (this.host.notifies !== 0) this.host.notify(NOTIFY_KEY_MISS, 'keymiss', key.subarray(start, end), this.db.id)
      return 0
    }
    this.host.stats.keyspaceHits++
    this.host.touch(ref)
    return ref
  }

  /** The key at argument i, to be changed: 0 if there is none. */
  lookupWrite(i: number): number {
    const { args } = this
    const ref = this.#live(this.#hashOf(args, i), args.buf, args.start(i), args.end(i), true)
    if (ref !== 0) this.host.touch(ref)
    return ref
  }

  lookupWriteKey(key: Buffer, start = 0, end: number = key.length): number {
    const ref = this.#live(hashBytes(key, start, end), key, start, end, true)
    if (ref !== 0) this.host.touch(ref)
    return ref
  }

  /** Whether and where the key is, without statistics and without touching it (OBJECT, TTL, DEBUG, SCAN). */
  peek(i: number): number {
    const { args } = this
    return this.#live(this.#hashOf(args, i), args.buf, args.start(i), args.end(i))
  }

  peekKey(key: Buffer): number {
    return this.#live(hashBytes(key, 0, key.length), key, 0, key.length)
  }

  #live(hash: number, key: Buffer, start: number, end: number, forWrite = false): number {
    this.hash = hash
    const ref = this.db.find(hash, key, start, end)
    if (ref === 0 || this.db.expires.size === 0) return ref
    const expireAt = this.store.expireAt(ref)
    if (expireAt === NO_EXPIRE || expireAt >= this.now || this.fromPrimary) return ref
    // Past its time: gone for everybody who asks; removed only where that is ours to decide.
    this.host.expire(this.db, hash, ref, forWrite)
    this.hash = hash
    return 0
  }

  /** Looks up a string for reading; WRONG_TYPE after having replied the error. Then call.store.read(ref). */
  stringForRead(i: number): number {
    return this.#typed(this.lookupRead(i), TYPE_STRING)
  }

  stringForWrite(i: number): number {
    return this.#typed(this.lookupWrite(i), TYPE_STRING)
  }

  typedForRead(i: number, type: number): number {
    return this.#typed(this.lookupRead(i), type)
  }

  typedForWrite(i: number, type: number): number {
    return this.#typed(this.lookupWrite(i), type)
  }

  #typed(ref: number, type: number): number {
    if (ref === 0 || this.store.type(ref) === type) return ref
    this.reply.error(errors.wrongType)
    return WRONG_TYPE
  }

  /** Replies the value of a string record, large ones by reference. */
  replyString(ref: number): void {
    const large = this.store.largeString(ref)
    if (large === undefined) {
      this.store.read(ref)
      this.reply.bulk(this.store.bytes, this.store.start, this.store.end)
      return
    }
    large.shared = true
    this.reply.bulkReference(large.bytes.subarray(0, large.length))
  }

  /**
   * Stores string bytes under argument i, whose look-up gave `ref` just now (call.hash is its hash).
   * Returns the new reference.
   */
  putString(
    i: number,
    ref: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    expireAt: number,
    encoding = 0,
  ): number {
    const { args } = this
    return this.db.putBytes(
      this.hash,
      args.buf,
      args.start(i),
      args.end(i),
      ref,
      TYPE_STRING,
      encoding,
      bytes,
      start,
      end,
      expireAt,
    )
  }

  /** Removes the record that the last look-up of argument i gave. */
  remove(ref: number): void {
    this.db.remove(this.hash, ref)
  }

  /**
   * The key at argument i was changed: counts one change, wakes WATCH and tracking, and publishes the keyspace event.
   * `type` is a NOTIFY_ constant of config/units.ts.
   */
  changed(i: number, type: number, event: string): void {
    const { args } = this
    this.effects.dirty++
    this.modified(args.buf, args.start(i), args.end(i))
    if (this.host.notifies !== 0) this.host.notify(type, event, args.view(i), this.db.id)
  }

  /** The same for a key that is no argument. */
  changedKey(key: Buffer, type: number, event: string): void {
    this.effects.dirty++
    this.modified(key, 0, key.length)
    this.event(key, type, event)
  }

  /** WATCH and tracking only (redis db.c signalModifiedKey). */
  modified(key: Buffer, start = 0, end: number = key.length): void {
    if (this.host.watchers !== 0) this.host.keyModified(this.db, key.subarray(start, end))
  }

  /** The keyspace event only (redis notify.c notifyKeyspaceEvent). */
  event(key: Buffer, type: number, event: string, database: number = this.db.id): void {
    if (this.host.notifies !== 0) this.host.notify(type, event, key, database)
  }

  /** The list, sorted set or stream that argument i names got elements: serve clients blocked on it when this command is done. */
  keyReady(i: number, database: Keyspace = this.db): void {
    if (this.host.blockedClients !== 0) this.host.keyReady(database, this.args.view(i))
  }

  /** Propagates a further command before this one's own. */
  alsoPropagate(...args: Argument[]): void {
    this.host.alsoPropagate(this.db.id, args)
  }

  /** Propagates this instead of the request. */
  propagateAs(...args: Argument[]): void {
    if (this.host.propagates) this.effects.replaceWith(...args)
  }

  /** The same, argument by argument; null when nobody is told. */
  propagateBy(name: string, argc: number): CommandEncoder | null {
    return this.host.propagates ? this.effects.replaceBy(argc).text(name) : null
  }

  error(text: string): void {
    this.reply.error(text)
  }

  wrongArity(): void {
    this.reply.error(errors.wrongArity(this.command.fullName))
  }

  syntaxError(): void {
    this.reply.error(errors.syntax)
  }

  /** Argument i as an integer within ±(2^53-1), or undefined after replying `text`. */
  integer(i: number, text: string = errors.notInteger): number | undefined {
    const value = this.args.integer(i)
    if (!Number.isNaN(value)) return value
    const wide = this.args.int64(i)
    if (wide !== undefined) return Number(wide)
    this.reply.error(text)
    return undefined
  }
}

/** redis 7.0.15 server.h NOTIFY_KEY_MISS. */
const NOTIFY_KEY_MISS = 1 << 11
