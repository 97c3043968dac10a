/**
 * Keys that changed since they were sent last. What is sent is their state then, whatever led to it, so a key that
 * changes often is sent once a round, and sending it again does no harm.
 */
import { type Selection, selectsDatabase, selectsKey } from './selection.ts'

export class ChangedKeys {
  /** Called when the first one is added. */
  onFirst: () => void = () => {}

  #selection: Selection
  /** By database, the keys as Latin-1 strings. */
  #keys = new Map<number, Set<string>>()
  #size = 0

  constructor(selection: Selection) {
    this.#selection = selection
  }

  get size(): number {
    return this.#size
  }

  /** `key` is read at once. */
  add(database: number, key: Uint8Array): void {
    if (!selectsDatabase(this.#selection, database) || !selectsKey(this.#selection, key)) return
    let keys = this.#keys.get(database)
    if (keys === undefined) {
      keys = new Set()
      this.#keys.set(database, keys)
    }
    const before = keys.size
    keys.add(Buffer.prototype.latin1Slice.call(key, 0, key.length))
    if (keys.size === before) return
    if (this.#size++ === 0) this.onFirst()
  }

  has(database: number, key: Buffer): boolean {
    return this.#keys.get(database)?.has(key.latin1Slice()) === true
  }

  /** It is about to be sent anyway. */
  remove(database: number, key: Buffer): void {
    if (this.#keys.get(database)?.delete(key.latin1Slice()) === true) this.#size--
  }

  /** Takes one out; null if there is none. */
  take(): { database: number; key: Buffer } | null {
    for (const [database, keys] of this.#keys) {
      for (const key of keys) {
        keys.delete(key)
        this.#size--
        return { database, key: Buffer.from(key, 'latin1') }
      }
    }
    return null
  }
}
