/**
 * Hash index of one database: 8 bytes a slot, no object a key, never grown at once.
 *
 *   directory   2^depth entries, by the top bits of the hash          [ S0 | S0 | S1 | S2 | … ]
 *   segment     up to 2048 slots, [hash u32][ref u32] each, SORTED by hash (ordered linear probing):
 *               a slot's home is its hash scaled to the capacity, so the order of slots is the order of hashes
 *
 * A segment that is 0.8 full grows by a quarter, and one of 2048 slots splits in two: the pause is that of 2048 slots.
 * The order is the point: SCAN, the snapshot walk and active expiry all go through the keys by ascending hash, and a
 * position among the hashes stays true whatever grows or shrinks meanwhile. Nothing is skipped and nothing is repeated.
 * Reference 0 marks an empty slot.
 */
const MIN_CAPACITY = 16
const MAX_CAPACITY = 2048
/** Slots behind the last home, for what is pushed to the right. */
const TAIL = 32
const HASHES = 0x100000000

class Segment {
  table: Uint32Array
  capacity: number
  count = 0
  limit: number
  depth: number

  constructor(capacity: number, depth: number) {
    this.capacity = capacity
    this.depth = depth
    this.limit = Math.floor(capacity * 0.8)
    this.table = new Uint32Array((capacity + TAIL) * 2)
  }

  home(hash: number): number {
    return ((((hash << this.depth) >>> 0) * this.capacity) / HASHES) | 0
  }

  get slots(): number {
    return this.capacity + TAIL
  }
}

/** Decides whether the record at `ref` is the one looked for. */
export type Matches = (ref: number) => boolean

export class KeyIndex {
  size = 0
  #depth = 0
  #directory: Segment[] = [new Segment(MIN_CAPACITY, 0)]
  #slots = MIN_CAPACITY

  get bytes(): number {
    return this.#slots * 8 + this.#directory.length * 8
  }

  /** Slots allocated, as DEBUG HTSTATS and INFO want to know. */
  get slots(): number {
    return this.#slots
  }

  #segment(hash: number): Segment {
    return this.#depth === 0 ? this.#directory[0]! : this.#directory[hash >>> (32 - this.#depth)]!
  }

  /**
   * The first reference with this hash at or after slot `from` of its segment, -1 to begin. The caller compares keys;
   * two keys share a hash once in 2^32. `cursor` then holds where to go on.
   */
  cursor = 0
  first(hash: number): number {
    const segment = this.#segment(hash)
    return this.#seek(segment, segment.home(hash), hash)
  }

  /** Reads the home slot of a hash, to have it in the processor's cache when it is wanted (see look-ahead.ts). */
  touch(hash: number): number {
    const segment = this.#segment(hash)
    return segment.table[segment.home(hash) * 2]!
  }

  next(hash: number): number {
    return this.#seek(this.#segment(hash), this.cursor + 1, hash)
  }

  #seek(segment: Segment, from: number, hash: number): number {
    const table = segment.table
    for (let slot = from * 2; slot < table.length; slot += 2) {
      const ref = table[slot + 1]!
      if (ref === 0) return 0
      const tag = table[slot]!
      if (tag < hash) continue
      if (tag > hash) return 0
      this.cursor = slot >> 1
      return ref
    }
    return 0
  }

  insert(hash: number, ref: number): void {
    for (;;) {
      const segment = this.#segment(hash)
      if (segment.count < segment.limit && place(segment, hash, ref)) {
        segment.count++
        this.size++
        return
      }
      this.#enlarge(segment, hash)
    }
  }

  /** The entry (hash, from) refers to another place from now on. False if there is none. */
  replace(hash: number, from: number, to: number): boolean {
    const segment = this.#segment(hash)
    const slot = locate(segment, hash, from)
    if (slot < 0) return false
    segment.table[slot * 2 + 1] = to
    return true
  }

  remove(hash: number, ref: number): boolean {
    const segment = this.#segment(hash)
    const slot = locate(segment, hash, ref)
    if (slot < 0) return false
    closeGap(segment, slot)
    segment.count--
    this.size--
    if (segment.capacity > MIN_CAPACITY && segment.count < segment.capacity * 0.2) this.#shrink(segment, hash)
    return true
  }

  /**
   * Visits entries by ascending hash from `from` on until at least `count` are visited; entries of equal hash stay
   * together. Returns the hash to go on with, or 2^32 when all are visited.
   */
  visit(from: number, count: number, visitor: (ref: number, hash: number) => void): number {
    let seen = 0
    let position = from
    let lastHash = -1
    while (position < HASHES) {
      const segment = this.#segment(position)
      const table = segment.table
      for (let slot = segment.home(position); slot < segment.slots; slot++) {
        const ref = table[slot * 2 + 1]!
        const hash = table[slot * 2]!
        if (ref === 0 || hash < position) continue
        if (seen >= count && hash !== lastHash) return hash
        visitor(ref, hash)
        if (table !== segment.table || table[slot * 2 + 1] !== ref) {
          // The visitor removed or moved entries: find the place again by hash.
          return this.#resumeVisit(hash, seen + 1, count, visitor)
        }
        lastHash = hash
        seen++
      }
      position = segmentEnd(position, segment.depth)
    }
    return HASHES
  }

  #resumeVisit(hash: number, seen: number, count: number, visitor: (ref: number, hash: number) => void): number {
    if (hash + 1 >= HASHES) return HASHES
    return seen >= count ? hash + 1 : this.visit(hash + 1, count - seen, visitor)
  }

  /** A random entry's reference, 0 if there is none. `random()` is in [0, 1). */
  random(random: () => number): number {
    if (this.size === 0) return 0
    for (let tries = 0; ; tries++) {
      const segment = this.#directory[Math.floor(random() * this.#directory.length)]!
      if (segment.count === 0) {
        if (tries < 64) continue
        return this.#anyAfter(Math.floor(random() * HASHES))
      }
      // A few probes at random slots first: walking on from an empty slot would favour keys behind gaps.
      for (let probe = 0; probe < 8; probe++) {
        const ref = segment.table[Math.floor(random() * segment.slots) * 2 + 1]!
        if (ref !== 0) return ref
      }
      let slot = Math.floor(random() * segment.slots)
      while (segment.table[slot * 2 + 1] === 0) slot = (slot + 1) % segment.slots
      return segment.table[slot * 2 + 1]!
    }
  }

  #anyAfter(hash: number): number {
    let found = 0
    const keep = (ref: number) => {
      found = ref
    }
    this.visit(hash, 1, keep)
    if (found === 0) this.visit(0, 1, keep)
    return found
  }

  clear(): void {
    this.size = 0
    this.#depth = 0
    this.#directory = [new Segment(MIN_CAPACITY, 0)]
    this.#slots = MIN_CAPACITY
  }

  #enlarge(segment: Segment, hash: number): void {
    if (segment.capacity < MAX_CAPACITY) {
      const wanted = segment.capacity < 256 ? segment.capacity * 2 : Math.ceil((segment.capacity * 1.25) / 16) * 16
      this.#rebuild(segment, Math.min(wanted, MAX_CAPACITY))
      return
    }
    this.#split(segment, hash)
  }

  #rebuild(segment: Segment, capacity: number): void {
    for (let wanted = capacity; ; wanted += 64) {
      const bigger = new Segment(wanted, segment.depth)
      if (!copyRange(segment, bigger, 0, HASHES)) continue
      this.#slots += bigger.capacity - segment.capacity
      segment.table = bigger.table
      segment.capacity = bigger.capacity
      segment.limit = bigger.limit
      return
    }
  }

  #split(segment: Segment, hash: number): void {
    if (segment.depth === 32) throw new Error('more than 2048 keys share one 32-bit hash')
    if (segment.depth === this.#depth) this.#doubleDirectory()
    const depth = segment.depth + 1
    const span = HASHES / 2 ** depth
    const base = Math.floor(hash / (span * 2)) * span * 2
    const low = this.#half(segment, depth, base, base + span)
    const high = this.#half(segment, depth, base + span, base + span * 2)
    this.#slots += low.capacity + high.capacity - segment.capacity
    const entries = 2 ** (this.#depth - depth)
    const at = base / (HASHES / 2 ** this.#depth)
    for (let i = 0; i < entries; i++) {
      this.#directory[at + i] = low
      this.#directory[at + entries + i] = high
    }
  }

  #half(segment: Segment, depth: number, from: number, to: number): Segment {
    const count = countRange(segment, from, to)
    for (let capacity = Math.max(MIN_CAPACITY, Math.ceil(count / 0.7 / 16) * 16); ; capacity += 64) {
      const half = new Segment(capacity, depth)
      if (!copyRange(segment, half, from, to)) continue
      half.count = count
      return half
    }
  }

  #doubleDirectory(): void {
    const doubled: Segment[] = new Array(this.#directory.length * 2)
    for (let i = 0; i < this.#directory.length; i++) {
      doubled[i * 2] = this.#directory[i]!
      doubled[i * 2 + 1] = this.#directory[i]!
    }
    this.#directory = doubled
    this.#depth++
  }

  #shrink(segment: Segment, hash: number): void {
    const capacity = Math.max(MIN_CAPACITY, Math.ceil(segment.count / 0.5 / 16) * 16)
    if (capacity < segment.capacity) this.#rebuild(segment, capacity)
    if (segment.depth > 0) this.#mergeWithBuddy(segment, hash)
  }

  /** Two halves of a former segment that are nearly empty become one again. */
  #mergeWithBuddy(segment: Segment, hash: number): void {
    const span = HASHES / 2 ** segment.depth
    const base = Math.floor(hash / span) * span
    const first = Math.floor(hash / (span * 2)) * span * 2
    const buddy = this.#segment(base === first ? first + span : first)
    if (buddy.depth !== segment.depth || buddy.count + segment.count > 256) return
    const [low, high] = base === first ? [segment, buddy] : [buddy, segment]
    const count = low.count + high.count
    for (let capacity = Math.max(MIN_CAPACITY, count * 2); ; capacity += 64) {
      const merged = new Segment(capacity, segment.depth - 1)
      if (!copyRange(low, merged, 0, HASHES) || !copyRange(high, merged, 0, HASHES)) continue
      merged.count = count
      this.#slots += merged.capacity - low.capacity - high.capacity
      const entries = 2 ** (this.#depth - merged.depth)
      const at = first / (HASHES / 2 ** this.#depth)
      for (let i = 0; i < entries; i++) this.#directory[at + i] = merged
      return
    }
  }
}

function segmentEnd(hash: number, depth: number): number {
  const span = HASHES / 2 ** depth
  return (Math.floor(hash / span) + 1) * span
}

function locate(segment: Segment, hash: number, ref: number): number {
  const table = segment.table
  for (let slot = segment.home(hash); slot < segment.slots; slot++) {
    const found = table[slot * 2 + 1]!
    if (found === 0) return -1
    if (found === ref && table[slot * 2] === hash) return slot
    if (table[slot * 2]! > hash) return -1
  }
  return -1
}

/** Puts the entry at its place in the order and moves the run behind it by one. False if that would pass the tail. */
function place(segment: Segment, hash: number, ref: number): boolean {
  const table = segment.table
  const length = table.length
  let slot = segment.home(hash) * 2
  while (slot < length && table[slot + 1] !== 0 && table[slot]! <= hash) slot += 2
  let end = slot
  while (end < length && table[end + 1] !== 0) end += 2
  if (end >= length) return false
  if (end - slot > 64) {
    table.copyWithin(slot + 2, slot, end)
  } else {
    for (let i = end; i > slot; i -= 2) {
      table[i] = table[i - 2]!
      table[i + 1] = table[i - 1]!
    }
  }
  table[slot] = hash
  table[slot + 1] = ref
  return true
}

function closeGap(segment: Segment, gap: number): void {
  const table = segment.table
  let slot = gap
  for (; slot + 1 < segment.slots; slot++) {
    const next = (slot + 1) * 2
    if (table[next + 1] === 0 || segment.home(table[next]!) > slot) break
    table[slot * 2] = table[next]!
    table[slot * 2 + 1] = table[next + 1]!
  }
  table[slot * 2 + 1] = 0
}

/** Appends the entries with hash in [from, to), in order. False if they pass the tail. */
function copyRange(source: Segment, target: Segment, from: number, to: number): boolean {
  const table = source.table
  let free = 0
  for (let slot = target.slots - 1; slot >= 0 && target.table[slot * 2 + 1] === 0; slot--) free = slot
  for (let slot = 0; slot < table.length; slot += 2) {
    const hash = table[slot]!
    const ref = table[slot + 1]!
    if (ref === 0 || hash < from || hash >= to) continue
    const at = Math.max(free, target.home(hash))
    if (at >= target.slots) return false
    target.table[at * 2] = hash
    target.table[at * 2 + 1] = ref
    free = at + 1
  }
  return true
}

function countRange(segment: Segment, from: number, to: number): number {
  let count = 0
  for (let slot = 0; slot < segment.table.length; slot += 2) {
    const hash = segment.table[slot]!
    if (segment.table[slot + 1] !== 0 && hash >= from && hash < to) count++
  }
  return count
}
