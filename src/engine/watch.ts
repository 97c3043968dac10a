/**
 * WATCH: which clients have to hear that a key changed before their EXEC. Watches belong to a database's number, so they
 * stay where they are when SWAPDB exchanges two databases. A key that was past its time already when it was watched may go
 * without failing EXEC: for the client it was not there before either. redis 7.0.15 multi.c
 *
 * The path of a command reads only `count`, and calls `touched` when that is not 0.
 */
import type { Client, WatchedKey } from '../commands/client.ts'
import type { WatchHost } from '../commands/host.ts'
import type { Keyspace } from '../store/keyspace.ts'
import type { Store } from '../store/store.ts'

interface Watch extends WatchedKey {
  readonly client: Client
}

export class Watches implements WatchHost {
  /** Watches of all clients. */
  count = 0

  readonly #store: Store
  readonly #now: () => number
  /** By number of the database, then by the key's Latin-1 string. */
  readonly #databases: (Map<string, Set<Watch>> | undefined)[] = []

  constructor(store: Store, now: () => number) {
    this.#store = store
    this.#now = now
  }

  watch(client: Client, keyspace: Keyspace, key: string, expired: boolean): void {
    for (const known of client.watched) if (known.keyspace === keyspace && known.key === key) return
    const watch: Watch = { client, keyspace, key, expired }
    this.#databases[keyspace.id] ??= new Map()
    const keys = this.#databases[keyspace.id]!
    const watches = keys.get(key)
    if (watches === undefined) keys.set(key, new Set([watch]))
    else watches.add(watch)
    client.watched.push(watch)
    this.count++
  }

  /** Whether a watch failed stays as it is. */
  unwatchAll(client: Client): void {
    if (client.watched.length === 0) return
    for (const watch of client.watched as Watch[]) {
      const keys = this.#databases[watch.keyspace.id]!
      const watches = keys.get(watch.key)!
      watches.delete(watch)
      if (watches.size === 0) keys.delete(watch.key)
    }
    this.count -= client.watched.length
    client.watched = []
  }

  /** The key was changed or removed. redis 7.0.15 multi.c touchWatchedKey */
  touched(keyspace: Keyspace, key: Uint8Array): void {
    const keys = this.#databases[keyspace.id]
    if (keys === undefined || keys.size === 0) return
    const watches = keys.get(Buffer.prototype.latin1Slice.call(key, 0, key.length))
    if (watches === undefined) return
    for (const watch of watches) {
      if (watch.expired) {
        // It was as good as gone: only from now on is it a key that does not exist.
        if (keyspace.findKey(key) === 0) watch.expired = false
        continue
      }
      watch.client.watchFailed = true
      this.unwatchAll(watch.client)
    }
  }

  /** Every key of the database is about to be removed. */
  touchAll(keyspace: Keyspace): void {
    this.#touchAll(keyspace, null)
  }

  /** The databases are about to be exchanged. */
  swapped(first: Keyspace, second: Keyspace): void {
    this.#touchAll(first, second)
    this.#touchAll(second, first)
    this.#moveTo(first.id, second)
    this.#moveTo(second.id, first)
  }

  /** redis 7.0.15 multi.c touchAllWatchedKeysInDb */
  #touchAll(emptied: Keyspace, replacedWith: Keyspace | null): void {
    const keys = this.#databases[emptied.id]
    if (keys === undefined) return
    for (const [key, watches] of keys) {
      const bytes = Buffer.from(key, 'latin1')
      const existed = emptied.findKey(bytes) !== 0
      const replacement = replacedWith === null ? 0 : replacedWith.findKey(bytes)
      if (!existed && replacement === 0) continue
      for (const watch of watches) {
        if (watch.expired) {
          if (replacement === 0) {
            watch.expired = false
            continue
          }
          if (this.#isExpired(replacement)) continue
        } else if (!existed && this.#isExpired(replacement)) {
          watch.expired = true
          continue
        }
        watch.client.watchFailed = true
      }
    }
  }

  #isExpired(ref: number): boolean {
    return this.#store.isExpired(ref, this.#now())
  }

  #moveTo(database: number, keyspace: Keyspace): void {
    for (const watches of this.#databases[database]?.values() ?? []) {
      for (const watch of watches) watch.keyspace = keyspace
    }
  }
}
