/** The live copy of the source in this process, as a migration reads it: keys in order of SCAN, one key as DUMP gives it. */
import { type Argument, Reader, type Value } from '../embedded/reader.ts'
import type { Engine } from '../engine/engine.ts'
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

  has(database: number, key: Buffer): boolean {
    return this.#call(database, 'EXISTS', key) === 1
  }

  randomKey(database: number): Buffer | null {
    return this.#call(database, 'RANDOMKEY') as Buffer | null
  }

  entry(database: number, key: Buffer): Entry {
    const payload = this.#selects(database, key) ? (this.#call(database, 'DUMP', key) as Buffer | null) : null
    const expireAt = payload === null ? 0 : Number(this.#call(database, 'PEXPIRETIME', key))
    return { database, key, payload, expireAt: Math.max(0, expireAt) }
  }

  #selects(database: number, key: Buffer): boolean {
    const { types } = this.selection
    return types.size === 0 || types.has(String(this.#call(database, 'TYPE', key)))
  }

  /** The code of the function libraries. */
  get libraries(): string[] {
    return [...this.engine.store.libraries.codes()].map(String)
  }
}
