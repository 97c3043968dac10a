/**
 * A second data set that is filled while the first one is kept (repl-diskless-load swapdb): it costs the memory of both for
 * a while, and a payload that breaks off costs nothing. redis 7.0.15 replication.c disklessLoadInitTempDb
 */
import { type LibrarySource, Store } from '../../store/store.ts'

/** Only keeps the code: it is compiled when it takes over. */
class KeptCode implements LibrarySource {
  readonly list: Buffer[] = []
  codes(): Iterable<Buffer> {
    return this.list
  }
  loadCode(code: Buffer): void {
    this.list.push(Buffer.from(code))
  }
  flush(): void {
    this.list.length = 0
  }
}

export class Staged {
  readonly store: Store
  #first: Store
  #libraries = new KeptCode()

  constructor(first: Store) {
    this.#first = first
    this.store = new Store(first.databases.length)
    this.store.libraries = this.#libraries
  }

  /** Of its libraries. */
  get codes(): readonly Buffer[] {
    return this.#libraries.list
  }

  /** The first data set must be empty by now. Throws when a library is refused; its data is there nevertheless. */
  takeOver(): void {
    this.#first.adopt(this.store)
    for (const code of this.#libraries.list) this.#first.libraries.loadCode(code, false)
  }
}
