/**
 * Keeps an empty or shrunken primary from wiping its replica. A primary that lost its data (a restart without a dump file,
 * a wrong disk) would have its replicas copy that. So a full synchronisation that comes by itself, from another history
 * than the one held here, is not taken when it would drop more than `repl-guard-shrink` percent of the keys: the old data
 * goes on being served, and an operator decides. What an operator (or Sentinel) asked for with REPLICAOF is taken, and
 * REPLICAOF to the same address once more takes what was refused.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import type { SyncRefusal } from '../../commands/host.ts'
import type { Engine } from '../../engine/engine.ts'
import { type RdbHandler, RdbReader } from '../../rdb/reader.ts'
import type { RdbValue } from '../../rdb/value-decoder.ts'

const READ_BYTES = 256 * 1024
const SLICE_MS = 10

export class ShrinkGuard {
  /** The synchronisation that is refused now; null when there is none. */
  refused: SyncRefusal | null = null
  /** So many were refused since the start. */
  refusals = 0

  #engine: Engine
  #isAsked = false

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** REPLICAOF was given: the next full synchronisation is wanted, whatever it brings. */
  asked(): void {
    this.#isAsked = true
    this.refused = null
  }

  /** One was loaded. From now on they come by themselves. */
  taken(): void {
    this.#isAsked = false
    this.refused = null
  }

  /** Whether the keys of a payload have to be counted before it is loaded. */
  get isWatching(): boolean {
    const { config, store } = this.#engine
    return !this.#isAsked && config.get('repl-guard-shrink') > 0 && store.keys > 0
  }

  /** True, and remembered, if a payload of so many keys is not to be loaded. */
  refuses(keysThere: number, replid: string): boolean {
    const { config, store, log } = this.#engine
    const percent = config.get('repl-guard-shrink')
    const keysHere = store.keys
    if (keysThere >= keysHere * (1 - percent / 100)) return false
    this.refusals++
    this.refused = { keysHere, keysThere, replid }
    log(
      'warning',
      `MASTER <-> REPLICA sync refused: the primary has ${keysThere} keys of a new history (${replid}), here are ${keysHere}. ` +
        'The data is kept. REPLICAOF to the same address once more takes the new data; repl-guard-shrink 0 turns this off.',
    )
    return true
  }
}

type Accepts = (database: number, key: Buffer, type: number) => boolean

class KeyCounter implements RdbHandler {
  keys = 0
  #database = 0
  #accepts: Accepts | undefined

  constructor(accepts: Accepts | undefined) {
    this.#accepts = accepts
  }

  header(): void {}
  aux(): void {}
  library(): void {}
  selectDatabase(database: number): void {
    this.#database = database
  }
  resizeDatabase(): void {}
  key(key: Buffer, value: RdbValue): void {
    if (this.#accepts?.(this.#database, key, value.type) !== false) this.keys++
  }
  emptyKey(): void {}
  warning(): void {}
  end(): void {}
}

/** Reads an RDB file in slices, with other events between them; `accepts` as of a loader. Rejects with RdbError or an error of the file. */
export async function countKeys(path: string, accepts?: Accepts): Promise<number> {
  const counter = new KeyCounter(accepts)
  const reader = new RdbReader(counter, { checksum: false })
  const file = openSync(path, 'r')
  try {
    let position = 0
    let sliceStart = performance.now()
    while (!reader.done) {
      const chunk = Buffer.allocUnsafeSlow(READ_BYTES)
      const read = readSync(file, chunk, 0, READ_BYTES, position)
      if (read === 0) break
      reader.feed(chunk.subarray(0, read))
      position += read
      if (performance.now() - sliceStart < SLICE_MS) continue
      await new Promise((resolve) => setImmediate(resolve))
      sliceStart = performance.now()
    }
  } finally {
    closeSync(file)
  }
  return counter.keys
}
