/** The source against the target, key by key: all of them, or some taken at random. */
import { isSame } from './compare.ts'
import type { Copy } from './copy.ts'
import type { Peer } from './peer.ts'
import { selectsDatabase, selectsKey } from './selection.ts'

const BATCH_KEYS = 500
const SHOWN_MAX = 20

interface Place {
  readonly database: number
  readonly key: Buffer
}

export interface Verified {
  checked: number
  missing: number
  different: number
  /** At the target alone; looked for only when all keys are compared. */
  extra: number
  /** Some of the keys that are not right, as text. */
  examples: string[]
}

/** `sample` is how many keys are compared, or all. Nothing may be written meanwhile: what changes counts as different. */
export async function verify(copy: Copy, source: Peer, target: Peer, sample: number | 'all'): Promise<Verified> {
  const verified: Verified = { checked: 0, missing: 0, different: 0, extra: 0, examples: [] }
  const isAll = sample === 'all' || copy.size <= sample
  let batch: Place[] = []
  for (const place of isAll ? copy.keys() : some(copy, sample)) {
    batch.push(place)
    if (batch.length < BATCH_KEYS) continue
    await compare(copy, source, target, batch, verified)
    batch = []
  }
  await compare(copy, source, target, batch, verified)
  if (isAll) await findExtra(copy, target, verified)
  return verified
}

function* some(copy: Copy, count: number): Generator<Place, void> {
  const { databases } = copy
  for (let i = 0; i < count; i++) {
    const database = databases[i % databases.length]!
    const key = copy.randomKey(database)
    if (key !== null && selectsKey(copy.selection, key)) yield { database, key }
  }
}

async function compare(copy: Copy, source: Peer, target: Peer, places: Place[], verified: Verified): Promise<void> {
  for (const database of new Set(places.map((place) => place.database))) {
    const keys = places.filter((place) => place.database === database).map(({ key }) => key)
    const wanted = keys.filter((key) => copy.entry(database, key).payload !== null)
    const [here, there] = await Promise.all([source.dump(database, wanted), target.dump(database, wanted)])
    for (const [i, key] of wanted.entries()) {
      verified.checked++
      if (isSame(here[i]!, there[i]!)) continue
      const isMissing = there[i]!.payload === null
      if (isMissing) verified.missing++
      else verified.different++
      note(verified, database, key, isMissing ? 'is missing' : 'is different')
    }
  }
}

async function findExtra(copy: Copy, target: Peer, verified: Verified): Promise<void> {
  const { selection, engine } = copy
  for (const { id } of engine.store.databases) {
    if (!selectsDatabase(selection, id) || (target.isCluster && id > 0)) continue
    for await (const keys of target.scan(id)) {
      for (const key of keys) {
        if (!selectsKey(selection, key) || copy.has(id, key)) continue
        verified.extra++
        note(verified, id, key, 'is not at the source')
      }
    }
  }
}

function note({ examples }: Verified, database: number, key: Buffer, what: string): void {
  if (examples.length < SHOWN_MAX) examples.push(`${JSON.stringify(key.toString())} of database ${database} ${what}`)
}
