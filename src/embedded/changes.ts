/**
 * Change events for a program that carries its own copy: the keyspace events of the commands that are applied, collected
 * while they run and told when the batch is done, so that a listener may read the copy as it likes.
 */
import { globMatch } from '../bytes/glob.ts'

export interface Change {
  /**
   * Redis's name of the event: set, del, expired, hset, lpush … `flush`: all keys of the database are gone; `resync`: the
   * data set was replaced, any key may have changed.
   */
  readonly event: string
  /** Text (UTF-8); null for `flush` and `resync`. */
  readonly key: string | null
}

export type ChangeListener = (change: Change) => void

interface Subscription {
  readonly pattern: Buffer
  readonly listener: ChangeListener
}

export class Changes {
  #subscriptions = new Set<Subscription>()
  #pending: { change: Change; bytes: Uint8Array | null }[] = []
  #isQueued = false

  get isEmpty(): boolean {
    return this.#subscriptions.size === 0
  }

  /** `pattern` is a glob as of KEYS. Returns what ends the subscription. */
  subscribe(pattern: string, listener: ChangeListener): () => void {
    const subscription = { pattern: Buffer.from(pattern, 'utf8'), listener }
    this.#subscriptions.add(subscription)
    return () => void this.#subscriptions.delete(subscription)
  }

  /** `key` is read at once; it need not live longer. */
  add(event: string, key: Uint8Array | null): void {
    if (this.#subscriptions.size === 0) return
    const bytes = key === null ? null : Buffer.from(key)
    this.#pending.push({ change: { event, key: bytes === null ? null : bytes.toString('utf8') }, bytes })
    if (this.#isQueued) return
    this.#isQueued = true
    queueMicrotask(this.#tell)
  }

  clear(): void {
    this.#subscriptions.clear()
    this.#pending = []
  }

  #tell = (): void => {
    this.#isQueued = false
    const pending = this.#pending
    this.#pending = []
    for (const { change, bytes } of pending) {
      for (const { pattern, listener } of [...this.#subscriptions]) {
        if (bytes !== null && !globMatch(pattern, bytes, 0, bytes.length)) continue
        try {
          listener(change)
        } catch (error) {
          // The others hear of it nevertheless; the program learns of its mistake as of any uncaught error.
          queueMicrotask(() => {
            throw error
          })
        }
      }
    }
  }
}
