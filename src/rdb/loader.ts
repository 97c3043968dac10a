/**
 * Puts what a reader finds into databases. A primary leaves out keys that are past their time; a replica keeps them,
 * because only its primary decides, and so does the base of an append-only file. Pace is for who feeds the loader: how
 * large the pieces are and how long it waits between them.
 */
import { hashBytes } from '../bytes/siphash.ts'
import { clockOfFrequency, clockOfIdle } from '../store/access-clock.ts'
import type { Keyspace } from '../store/keyspace.ts'
import { NO_EXPIRE } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { printable, RdbError } from './format.ts'
import { RdbReader } from './reader.ts'
import { type FoundUnacknowledged, HEAD_FIELD, STREAM_FIELD } from './unacknowledged.ts'
import type { RdbValue } from './value-decoder.ts'
import { storeValue } from './values.ts'

export interface LoaderOptions {
  /** Unix milliseconds that decide what is past its time. */
  unixMs: number
  keepExpired: boolean
  /** A key that exists is replaced (DEBUG RELOAD MERGE) instead of being an error. */
  merge?: boolean
  /** Verify the checksum (rdbchecksum). */
  checksum: boolean
  /** What maxmemory-policy makes of the access clock. */
  access: 'none' | 'lru' | 'lfu'
  log: (level: 'debug' | 'notice' | 'warning', text: string) => void
  /** The stream is one that we can read; nothing was stored yet. A replica empties its databases here. */
  onHeader?: (version: number) => void
  /** Keys that are not wanted are left out; `type` is one of record.ts. */
  accepts?: (database: number, key: Buffer, type: number) => boolean
  /** A key was left out because it is past its time. */
  onExpired?: (database: number, key: Buffer) => void
}

/** What the aux fields said. */
export interface LoadedAux {
  replid: string | undefined
  offset: number
  streamDb: number
  version: string
  usedMemory: number
  unacknowledged: FoundUnacknowledged
}

const MAX_EMPTY_KEYS_LOGGED = 10
const REPLID_LENGTH = 40

export class RdbLoader {
  readonly info: LoadedAux = {
    replid: undefined,
    offset: -1,
    streamDb: -1,
    version: '',
    usedMemory: 0,
    unacknowledged: { head: '', stream: '' },
  }
  readonly reader: RdbReader
  keysLoaded = 0
  keysExpired = 0
  emptyKeysSkipped = 0

  #store: Store
  #keyspace: Keyspace
  #options: LoaderOptions

  constructor(store: Store, options: LoaderOptions) {
    this.#store = store
    this.#keyspace = store.databases[0]!
    this.#options = options
    this.reader = new RdbReader(this, { checksum: options.checksum })
  }

  get done(): boolean {
    return this.reader.done
  }

  /** Throws RdbError. The chunk must not be changed afterwards. */
  feed(chunk: Buffer): void {
    this.reader.feed(chunk)
  }

  /** No more bytes will come. Throws RdbError unless the stream is complete. */
  finish(): void {
    this.reader.finish()
  }

  header(version: number): void {
    this.#options.onHeader?.(version)
    this.#keyspace = this.#store.databases[0]!
  }

  /** redis 7.0.15 rdb.c rdbLoadRioWithLoadingCtx */
  aux(name: string, value: string): void {
    const { log } = this.#options
    const aux = this.info
    const lower = name.toLowerCase()
    if (name.startsWith('%')) log('notice', `RDB '${name}': ${value}`)
    else if (lower === 'repl-stream-db') aux.streamDb = Number.parseInt(value, 10) || 0
    else if (lower === 'repl-id') {
      if (value.length === REPLID_LENGTH) aux.replid = value
    } else if (lower === 'repl-offset') aux.offset = Number.parseInt(value, 10) || 0
    else if (lower === 'redis-ver' || lower === 'valkey-ver') {
      aux.version = value
      log('notice', `Loading RDB produced by version ${value}`)
    } else if (lower === 'ctime') {
      const age = Math.max(0, Math.floor(this.#options.unixMs / 1000) - (Number.parseInt(value, 10) || 0))
      log('notice', `RDB age ${age} seconds`)
    } else if (lower === HEAD_FIELD) aux.unacknowledged.head = value
    else if (lower === STREAM_FIELD) aux.unacknowledged.stream = value
    else if (lower === 'used-mem') {
      aux.usedMemory = Number.parseInt(value, 10) || 0
      log('notice', `RDB memory usage when created ${(aux.usedMemory / (1024 * 1024)).toFixed(2)} Mb`)
    } else if (lower === 'aof-preamble') {
      if (Number.parseInt(value, 10)) log('notice', 'RDB has an AOF tail')
    } else if (lower === 'aof-base') {
      if (Number.parseInt(value, 10)) log('notice', 'RDB is base AOF')
    } else if (lower !== 'lua' && lower !== 'redis-bits') log('debug', `Unrecognized RDB AUX field: '${name}'`)
  }

  library(code: Buffer): void {
    try {
      this.#store.libraries.loadCode(code, this.#options.merge === true)
    } catch (error) {
      const reason = `Failed creating the library: ${(error as Error).message}`
      throw new RdbError('RDB_FUNCTION', reason, 0, '')
    }
  }

  selectDatabase(database: number): void {
    const keyspace = this.#store.databases[database]
    if (keyspace === undefined) {
      const count = this.#store.databases.length
      const reason = `FATAL: Data file was created with a Redis server configured to handle more than ${count} databases.`
      throw new RdbError('RDB_DATABASE', reason, 0, '')
    }
    this.#keyspace = keyspace
  }

  /** The index grows step by step anyway. */
  resizeDatabase(): void {}

  key(key: Buffer, value: RdbValue, expireAt: number, idleSeconds: number, frequency: number): void {
    const options = this.#options
    const keyspace = this.#keyspace
    if (options.accepts?.(keyspace.id, key, value.type) === false) return
    if (expireAt !== NO_EXPIRE && expireAt < options.unixMs && !options.keepExpired) {
      this.keysExpired++
      options.onExpired?.(keyspace.id, key)
      return
    }
    const hash = hashBytes(key, 0, key.length)
    const existing = keyspace.find(hash, key, 0, key.length)
    if (existing !== 0) {
      if (options.merge !== true) {
        const reason = `RDB has duplicated key '${printable(key)}' in DB ${keyspace.id}`
        throw new RdbError('RDB_DUPLICATE_KEY', reason, 0, '')
      }
      keyspace.remove(hash, existing)
    }
    const ref = storeValue(keyspace, hash, key, value, expireAt)
    this.keysLoaded++
    this.#setAccess(ref, idleSeconds, frequency)
  }

  /** redis 7.0.15 object.c objectSetLRUOrLFU */
  #setAccess(ref: number, idleSeconds: number, frequency: number): void {
    const { access, unixMs } = this.#options
    if (access === 'lfu') {
      if (frequency >= 0) this.#store.setClock(ref, clockOfFrequency(frequency, unixMs))
    } else if (idleSeconds >= 0) {
      this.#store.setClock(ref, clockOfIdle(idleSeconds, unixMs))
    }
  }

  emptyKey(key: Buffer): void {
    if (this.emptyKeysSkipped++ < MAX_EMPTY_KEYS_LOGGED) {
      this.#options.log('warning', `rdbLoadObject skipping empty key: ${printable(key)}`)
    }
  }

  warning(text: string): void {
    this.#options.log('warning', text)
  }

  end(): void {
    const counts = `keys loaded: ${this.keysLoaded}, keys expired: ${this.keysExpired}`
    if (this.emptyKeysSkipped > 0) {
      const text = `Done loading RDB, ${counts}, empty keys skipped: ${this.emptyKeysSkipped}.`
      this.#options.log('warning', text)
    } else {
      this.#options.log('notice', `Done loading RDB, ${counts}.`)
    }
  }
}
