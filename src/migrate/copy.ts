/** The live copy of the source in this process, as a migration reads it: keys in order of SCAN, one key as DUMP gives it. */
import type { Argument } from '../embedded/call-request.ts'
import { Reader } from '../embedded/reader.ts'
import type { Value } from '../embedded/reply-value.ts'
import type { Engine } from '../engine/engine.ts'
import { dumpValue } from '../rdb/dump-payload.ts'
import { NO_EXPIRE, TYPE_NAMES } from '../store/record.ts'
import { type Selection, selectsDatabase, selectsKey } from './selection.ts'

const SCAN_COUNT = 1000

/** One key as it is to be: `payload` is null if it is to be gone. */
export interface Entry {
  readonly database: number
  readonly key: Buffer
  readonly payload: Buffer | null
  /** Unix milliseconds; 0 is never. */
  readonly expireAt: number
}

export class Copy {
  readonly engine: Engine
  readonly selection: Selection
  #readers = new Map<number, Reader>()

  constructor(engine: Engine, selection: Selection) {
    this.engine = engine
    this.selection = selection
  }

  #call(database: number, ...args: [string, ...Argument[]]): Value {
    let reader = this.#readers.get(database)
    if (reader === undefined) {
      reader = new Reader(this.engine, database)
      this.#readers.set(database, reader)
    }
    return reader.call(args, true)
  }

  /** Databases that hold anything, of those that are selected. */
  get databases(): number[] {
    const { databases } = this.engine.store
    return databases.filter(({ id, size }) => size > 0 && selectsDatabase(this.selection, id)).map(({ id }) => id)
  }

  /** Keys in them, whatever their pattern and type. */
  get size(): number {
    const { databases } = this.engine.store
    return this.databases.reduce((sum, id) => sum + databases[id]!.size, 0)
  }

  /** Every selected key that is there all the while comes, once at least. */
  *keys(): Generator<{ database: number; key: Buffer }, void> {
    for (const database of this.databases) {
      let cursor = '0'
      do {
        const [next, keys] = this.#call(database, 'SCAN', cursor, 'COUNT', SCAN_COUNT) as [Buffer, Buffer[]]
        for (const key of keys) if (selectsKey(this.selection, key)) yield { database, key }
        cursor = next.toString()
      } while (cursor !== '0')
    }
  }

  /** Selected keys only. */
  has(database: number, key: Buffer): boolean {
    return this.#find(database, key) !== 0
  }

  randomKey(database: number): Buffer | null {
    return this.#call(database, 'RANDOMKEY') as Buffer | null
  }

  entry(database: number, key: Buffer): Entry {
    const { store } = this.engine
    const ref = this.#find(database, key)
    if (ref === 0) return { database, key, payload: null, expireAt: 0 }
    const expireAt = store.expireAt(ref)
    return { database, key, payload: dumpValue(store, ref), expireAt: expireAt === NO_EXPIRE ? 0 : expireAt }
  }

  /** The record; 0 if there is none, or its time is over, or its type is not selected. */
  #find(database: number, key: Buffer): number {
    const { store, unixMs } = this.engine
    const ref = store.databases[database]!.findKey(key)
    if (ref === 0 || store.isExpired(ref, unixMs)) return 0
    const { types } = this.selection
    return types.size === 0 || types.has(TYPE_NAMES[store.type(ref)]!) ? ref : 0
  }

  /** The code of the function libraries. */
  get libraries(): string[] {
    return [...this.engine.store.libraries.codes()].map(String)
  }
}
