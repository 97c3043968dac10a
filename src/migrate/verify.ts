/**
 * The source against the target, key by key. Few keys are compared while writes at the source are paused. To compare many
 * takes longer than clients can be held up, so that is done before, while both sides change: a key that differs then, or
 * that changes after it was looked at, is in doubt, and only what is in doubt is compared in the pause.
 */
import { ChangedKeys } from './changed.ts'
import { isSame } from './compare.ts'
import type { Copy } from './copy.ts'
import type { Dumped, Peer } from './peer.ts'
import { selectsDatabase, selectsKey } from './selection.ts'

const BATCH_KEYS = 500
const SHOWN_MAX = 20
/** So many are compared in the pause. */
const PAUSED_MAX = 5000

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

export class Verifier {
  /** Keys compared so far, of so many. */
  checked = 0
  total = 0

  readonly #copy: Copy
  readonly #source: Peer
  readonly #target: Peer
  readonly #sample: number | 'all'
  readonly #doubtful: ChangedKeys
  #isWatching = false
  #isAnew = false

  /** `sample` is how many keys are compared, or all. */
  constructor(copy: Copy, source: Peer, target: Peer, sample: number | 'all') {
    this.#copy = copy
    this.#source = source
    this.#target = target
    this.#sample = sample
    this.#doubtful = new ChangedKeys(copy.selection)
  }

  get #isAll(): boolean {
    return this.#sample === 'all' || this.#copy.size <= this.#sample
  }

  /** The pause would be too long for it: ahead() comes first. */
  get isLong(): boolean {
    return Math.min(this.#copy.size, this.#sample === 'all' ? Number.POSITIVE_INFINITY : this.#sample) > PAUSED_MAX
  }

  /** Keys that have to be looked at in the pause. */
  get inDoubt(): number {
    return this.#doubtful.size
  }

  /** A key changed at the source; null: any may have. */
  touched(database: number, key: Uint8Array | null): void {
    if (!this.#isWatching) return
    if (key === null) this.#isAnew = true
    else this.#doubtful.add(database, key)
  }

  // ---- before the pause --------------------------------------------------------------------------------------------

  /** Compares all that is to be compared, while writes go on. */
  async ahead(): Promise<void> {
    this.#isWatching = true
    do {
      this.#isAnew = false
      this.checked = 0
      this.total = this.#isAll ? this.#copy.size : Number(this.#sample)
      for await (const [place, here, there] of this.#compared(this.#places())) {
        this.checked++
        this.#look(place, here, there)
      }
      if (this.#isAll) for await (const { database, key } of this.#foreign()) this.#doubtful.add(database, key)
    } while (this.#isAnew)
  }

  /** Looks again at what is in doubt; what differs still, or has changed again, stays in doubt. */
  async again(): Promise<void> {
    for await (const [place, here, there] of this.#compared(this.#taken())) this.#look(place, here, there)
  }

  /** What has changed meanwhile is in doubt already. */
  #look({ database, key }: Place, here: Dumped, there: Dumped): void {
    if (!this.#doubtful.has(database, key) && !isSame(here, there)) this.#doubtful.add(database, key)
  }

  /** All that is in doubt now: what differs while it is looked at comes again. */
  *#taken(): Generator<Place, void> {
    for (let left = this.#doubtful.size; left > 0; left--) {
      const place = this.#doubtful.take()
      if (place === null) return
      yield place
    }
  }

  // ---- in the pause ------------------------------------------------------------------------------------------------

  /** Nothing may be written meanwhile: what changes counts as different. */
  async verify(): Promise<Verified> {
    if (this.#isAnew) throw new Error('the data of the source was replaced while it was compared')
    const verified: Verified = { checked: this.checked, missing: 0, different: 0, extra: 0, examples: [] }
    const wasAhead = this.#isWatching
    this.#isWatching = false
    for await (const [place, here, there] of this.#compared(wasAhead ? this.#taken() : this.#places())) {
      if (!wasAhead) verified.checked++
      if (!isSame(here, there)) note(verified, place, here, there)
    }
    if (wasAhead || !this.#isAll) return verified
    for await (const place of this.#foreign()) note(verified, place, GONE, null)
    return verified
  }

  // ---- both sides --------------------------------------------------------------------------------------------------

  #places(): Iterable<Place> {
    return this.#isAll ? this.#copy.keys() : this.#some(Number(this.#sample))
  }

  *#some(count: number): Generator<Place, void> {
    const { databases, selection } = this.#copy
    for (let i = 0; i < count; i++) {
      const database = databases[i % databases.length]!
      const key = this.#copy.randomKey(database)
      if (key !== null && selectsKey(selection, key)) yield { database, key }
    }
  }

  /** Of keys that are to be there, and of those that the target must not have. */
  async *#compared(places: Iterable<Place>): AsyncGenerator<[Place, Dumped, Dumped], void> {
    const batch: Place[] = []
    for (const place of places) {
      batch.push(place)
      if (batch.length === BATCH_KEYS) yield* this.#compare(batch.splice(0))
    }
    yield* this.#compare(batch)
  }

  async *#compare(places: readonly Place[]): AsyncGenerator<[Place, Dumped, Dumped], void> {
    for (const database of new Set(places.map((place) => place.database))) {
      const own = places.filter((place) => place.database === database)
      const keys = own.map(({ key }) => key)
      const [here, there] = await Promise.all([this.#source.dump(database, keys), this.#target.dump(database, keys)])
      for (const [i, place] of own.entries()) {
        // Its type may not be one of those that are chosen.
        const isWanted = this.#copy.has(database, place.key)
        if (!isWanted && there[i]!.payload === null) continue
        yield [place, isWanted ? here[i]! : GONE, there[i]!]
      }
    }
  }

  /** Keys of the target that the source has not. */
  async *#foreign(): AsyncGenerator<Place, void> {
    const { selection, engine } = this.#copy
    for (const { id } of engine.store.databases) {
      if (!selectsDatabase(selection, id) || (this.#target.isCluster && id > 0)) continue
      for await (const keys of this.#target.scan(id)) {
        for (const key of keys) {
          if (selectsKey(selection, key) && !this.#copy.has(id, key)) yield { database: id, key }
        }
      }
    }
  }
}

const GONE: Dumped = { payload: null, ttlMs: -2 }

/** `there` is null if nobody has looked: it is there. */
function note(verified: Verified, { database, key }: Place, here: Dumped, there: Dumped | null): void {
  const { examples } = verified
  let what = 'is different'
  if (here.payload === null) {
    verified.extra++
    what = 'is not at the source'
  } else if (there?.payload === null) {
    verified.missing++
    what = 'is missing'
  } else {
    verified.different++
  }
  if (examples.length < SHOWN_MAX) examples.push(`${JSON.stringify(key.toString())} of database ${database} ${what}`)
}
