/**
 * What one shard's full synchronisation does to the merged copy: only keys that the shard holds are replaced or removed,
 * and only those that differ, so that the rest of the copy, replicas of the proxy and clients that track keys see what
 * changed and nothing else. Every step is a command that is run as if the shard's stream had brought it, in slices with
 * other work between them; the copy of this shard is not read meanwhile.
 */
import { keySlot } from '../../bytes/key-slot.ts'
import type { Client } from '../../commands/client.ts'
import { dumpValue } from '../../rdb/dump-payload.ts'
import { NO_EXPIRE } from '../../store/record.ts'
import type { Store } from '../../store/store.ts'
import type { SlotChange } from './cluster.ts'
import type { Shard } from './shard.ts'

const HASHES = 2 ** 32
const KEYS_PER_STEP = 200
const SLICE_MS = 8
const UNLINK_MAX = 100
const GIVEN_UP = 'it was given up'

/** Goes through all keys there are, in slices. `visit` gets a key's record; keys may come and go meanwhile. */
async function eachKey(
  shard: Shard,
  store: Store,
  visit: (ref: number, key: Buffer) => void,
  afterStep: () => void,
  isOver: () => boolean,
): Promise<void> {
  let cursor = 0
  let sliceStart = performance.now()
  while (cursor < HASHES) {
    // CLIENT PAUSE and a script that takes long hold a stream's writes back; these are to wait as well.
    if (!shard.mayWrite) {
      await new Promise<void>((resolve) => shard.whenWritable(resolve))
      if (isOver()) throw new Error(GIVEN_UP)
    }
    cursor = store.databases[0]!.index.visit(cursor, KEYS_PER_STEP, (ref) => visit(ref, store.key(ref)))
    afterStep()
    if (performance.now() - sliceStart < SLICE_MS) continue
    await new Promise((resolve) => setImmediate(resolve))
    if (isOver()) throw new Error(GIVEN_UP)
    sliceStart = performance.now()
  }
}

/** Collects keys and removes them when nobody looks at the index. */
class Removals {
  readonly #shard: Shard
  readonly #client: Client
  #keys: Buffer[] = []
  count = 0

  constructor(shard: Shard, client: Client) {
    this.#shard = shard
    this.#client = client
  }

  add(key: Buffer): void {
    this.#keys.push(Buffer.from(key))
    this.count++
  }

  run = (): void => {
    const keys = this.#keys
    this.#keys = []
    for (let i = 0; i < keys.length; i += UNLINK_MAX) {
      this.#shard.execute(this.#client, ['UNLINK', ...keys.slice(i, i + UNLINK_MAX)])
    }
  }
}

/** The shard's FLUSHALL. */
export function removeHeld(shard: Shard, client: Client): void {
  const { store } = shard.engine
  const { ownership } = shard.cluster
  const removals = new Removals(shard, client)
  store.databases[0]!.index.visit(0, Number.POSITIVE_INFINITY, (ref) => {
    const key = store.key(ref)
    if (ownership.holderOf(key) === shard) removals.add(key)
  })
  removals.run()
}

/** Removes keys of these slots that are with who had them still: they are nowhere. Resolves with their number. */
export async function removeStrays(
  shard: Shard,
  client: Client,
  changes: ReadonlyMap<number, SlotChange>,
  isOver: () => boolean,
): Promise<number> {
  const { ownership } = shard.cluster
  const removals = new Removals(shard, client)
  await eachKey(
    shard,
    shard.engine.store,
    (_, key) => {
      const slot = keySlot(key, 0, key.length)
      const change = changes.get(slot)
      if (change !== undefined && ownership.holder(slot, key) === change.from) removals.add(key)
    },
    removals.run,
    isOver,
  )
  return removals.count
}

/** Resolves when the copy has what `staged` has of this shard. */
export async function mergeData(shard: Shard, client: Client, staged: Store, isOver: () => boolean): Promise<void> {
  const there = staged.databases[0]!
  const { ownership } = shard.cluster
  const removals = new Removals(shard, client)
  await eachKey(
    shard,
    shard.engine.store,
    (_, key) => {
      if (ownership.holderOf(key) === shard && there.findKey(key) === 0) removals.add(key)
    },
    removals.run,
    isOver,
  )
  await eachKey(
    shard,
    staged,
    (ref, key) => mergeKey(shard, client, staged, ref, key),
    () => {},
    isOver,
  )
}

function mergeKey(shard: Shard, client: Client, from: Store, ref: number, key: Buffer): void {
  const { store } = shard.engine
  const { ownership } = shard.cluster
  const slot = keySlot(key, 0, key.length)
  if (ownership.holder(slot, key) !== shard) {
    // It has left already, which the shard will tell yet.
    if (ownership.owner(slot) === shard) return
    ownership.took(slot, key, shard)
  }
  const payload = dumpValue(from, ref)
  const expireAt = from.expireAt(ref)
  const existing = store.databases[0]!.findKey(key)
  if (existing !== 0 && store.expireAt(existing) === expireAt && dumpValue(store, existing).equals(payload)) return
  const ttl = expireAt === NO_EXPIRE ? '0' : String(expireAt)
  shard.execute(client, ['RESTORE', Buffer.from(key), ttl, payload, 'REPLACE', 'ABSTTL'])
}
