/** Small steps that several commands on whole keys share. */
import { NOTIFY_KEY_MISS, NOTIFY_NEW } from '../../config/units.ts'
import type { Keyspace } from '../../store/keyspace.ts'
import { TYPE_STREAM } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { errors } from '../errors.ts'

const INT_MIN = -2147483648
const INT_MAX = 2147483647

/** The key at argument i without touching its access clock: hits and misses count. redis 7.0.15 db.c LOOKUP_NOTOUCH */
export function lookupUntouched(call: Call, i: number): number {
  const ref = lookupUnnoticed(call, i)
  if (ref === 0 && call.host.notifies !== 0) {
    call.host.notify(NOTIFY_KEY_MISS, 'keymiss', call.args.view(i), call.db.id)
  }
  return ref
}

/** The same without an event for a miss. redis 7.0.15 object.c objectCommandLookup */
export function lookupUnnoticed(call: Call, i: number): number {
  const ref = call.peek(i)
  if (ref === 0) call.host.stats.keyspaceMisses++
  else call.host.stats.keyspaceHits++
  return ref
}

/** The key at argument i of a database that need not be the call's own. */
export function lookupWriteIn(call: Call, db: Keyspace, i: number): number {
  const own = call.db
  call.db = db
  const ref = call.lookupWrite(i)
  call.db = own
  return ref
}

/**
 * Whether setting this expire time (Unix milliseconds) means to delete the key. A replica, and a server that applies a
 * stream or a file, sets it nevertheless and waits for the DEL. redis 7.0.15 expire.c checkAlreadyExpired
 */
export function isAlreadyExpired(call: Call, whenMs: number): boolean {
  if (whenMs > call.now || call.fromPrimary) return false
  return call.host.replication.role === 'master' && !call.host.persistence.loading
}

/** Removes a key that argument i names; clients that wait for a stream to change hear of its end. */
export function removeKey(call: Call, db: Keyspace, hash: number, ref: number, i: number): void {
  const wakes = call.host.blockedClients !== 0 && call.store.type(ref) === TYPE_STREAM
  db.remove(hash, ref)
  if (wakes) call.keyReady(i, db)
}

/** A key that argument i names came into being. redis 7.0.15 db.c dbAdd */
export function keyAdded(call: Call, db: Keyspace, i: number): void {
  call.keyReady(i, db)
  if (call.host.notifies !== 0) call.event(call.args.view(i), NOTIFY_NEW, 'new', db.id)
}

/** WATCH and tracking of a key that argument i names, in a database that need not be the call's own. */
export function keyModified(call: Call, db: Keyspace, i: number): void {
  if (call.host.watchers !== 0) call.host.keyModified(db, call.args.view(i))
}

/** Argument i as a C int; undefined after the error. redis 7.0.15 object.c getIntFromObjectOrReply */
export function intArgument(call: Call, i: number, text?: string): number | undefined {
  const value = call.integer(i, text)
  if (value === undefined) return undefined
  if (value >= INT_MIN && value <= INT_MAX) return value
  call.error(text ?? `ERR value is out of range, value must between ${INT_MIN} and ${INT_MAX}`)
  return undefined
}

/** The database that argument i numbers; undefined after the error. */
export function databaseArgument(call: Call, i: number): Keyspace | undefined {
  const id = intArgument(call, i)
  if (id === undefined) return undefined
  const db = call.store.databases[id]
  if (db === undefined) call.error(errors.dbIndexOutOfRange)
  return db
}

export function sameArgument(call: Call, i: number, j: number): boolean {
  const { args } = call
  return args.length(i) === args.length(j) && args.view(i).equals(args.view(j))
}
