/**
 * Bytes outside the JavaScript heap, for records.
 *
 *   segment  16 MiB, one Buffer; 256 pages                ref = index of an 8-byte unit over all segments,
 *   page      64 KiB, chunks of one size class                  so 32 bits reach 32 GiB; 0 is no reference
 *   chunk    a record, or free: [0xff . . . | next free u32]
 *
 * Size classes are 8 bytes apart up to 128 and an eighth of the power of two apart above, so that a record wastes 6 % on
 * average. Pages that become empty can serve any class, and segments that become empty are given back. Pages that stay
 * sparse after deletes are emptied by `evacuate`: the owner moves their records (it can: only the index refers to them).
 */
export const UNIT_SHIFT = 3
export const SEGMENT_BYTES = 16 * 1024 * 1024
/** ref >>> SEGMENT_SHIFT is the segment, (ref & UNIT_MASK) << 3 the byte in it. */
export const SEGMENT_SHIFT = 21
export const UNIT_MASK = (1 << SEGMENT_SHIFT) - 1
export const MAX_CHUNK_BYTES = 8192
export const FREE_MARK = 0xff

const PAGE_BYTES = 64 * 1024
const PAGE_SHIFT = 16
const PAGES_PER_SEGMENT = SEGMENT_BYTES / PAGE_BYTES
const UNITS_PER_PAGE_SHIFT = PAGE_SHIFT - UNIT_SHIFT
const NONE = -1
const MAX_SEGMENTS = 2048
/** A slab that took no more than this leaves its segment to the next: making one costs, and a collection of garbage. */
const KEPT_PAGE_BYTES = 4 * 1024 * 1024

const CLASS_BYTES = classSizes()
const CLASS_OF_UNITS = classTable()

function classSizes(): number[] {
  const sizes: number[] = []
  for (let size = 16; size <= 128; size += 8) sizes.push(size)
  for (let base = 128; base < MAX_CHUNK_BYTES; base *= 2) {
    for (let step = 1; step <= 8; step++) sizes.push(base + (base / 8) * step)
  }
  return sizes
}

function classTable(): Uint8Array {
  const table = new Uint8Array((MAX_CHUNK_BYTES >> UNIT_SHIFT) + 1)
  let sizeClass = 0
  for (let units = 0; units < table.length; units++) {
    while (CLASS_BYTES[sizeClass]! < units << UNIT_SHIFT) sizeClass++
    table[units] = sizeClass
  }
  return table
}

/** Bytes that a chunk for `size` bytes really takes. */
export function chunkBytes(size: number): number {
  return CLASS_BYTES[CLASS_OF_UNITS[(size + 7) >> UNIT_SHIFT]!]!
}

export class Slab {
  /** Released segments leave a hole that the next new segment fills. */
  readonly segments: Buffer[] = []
  /** The same memory as doubles, for the aligned expire times in records. */
  readonly doubles: Float64Array[] = []
  /** Bytes of chunks in use. */
  usedBytes = 0
  chunks = 0

  #pages = 0
  #sizeClass = new Uint8Array(PAGES_PER_SEGMENT)
  #used = new Uint16Array(PAGES_PER_SEGMENT)
  #bump = new Uint16Array(PAGES_PER_SEGMENT)
  #freeChunk = new Int32Array(PAGES_PER_SEGMENT)
  #next = new Int32Array(PAGES_PER_SEGMENT)
  #prev = new Int32Array(PAGES_PER_SEGMENT)
  /** 0 free, 1 listed as having room, 2 full, 3 being evacuated. */
  #state = new Uint8Array(PAGES_PER_SEGMENT)
  #roomy = new Int32Array(CLASS_BYTES.length).fill(NONE)
  #classPages = new Int32Array(CLASS_BYTES.length)
  #classChunks = new Int32Array(CLASS_BYTES.length)
  #freePages: number[] = []
  #segmentPages: number[] = []

  /** The segment of a slab that is given up, to be used again; `former` must not be used any more. */
  #spare: Buffer | null

  constructor(former: Slab | null = null) {
    // A large one is handed back: what was written to it takes memory.
    this.#spare = former !== null && former.pageBytes <= KEPT_PAGE_BYTES ? (former.segments[0] ?? null) : null
  }

  /** Bytes of all segments held. */
  get reservedBytes(): number {
    let count = 0
    for (const pages of this.#segmentPages) if (pages >= 0) count++
    return count * SEGMENT_BYTES
  }

  /** Bytes of pages in use: what the process really holds for records. */
  get pageBytes(): number {
    return (this.#pages - this.#freePages.length) * PAGE_BYTES
  }

  /** A chunk of at least `size` bytes (at most MAX_CHUNK_BYTES), its contents undefined. */
  alloc(size: number): number {
    const sizeClass = CLASS_OF_UNITS[(size + 7) >> UNIT_SHIFT]!
    const bytes = CLASS_BYTES[sizeClass]!
    let page = this.#roomy[sizeClass]!
    if (page === NONE) page = this.#newPage(sizeClass)
    let chunk = this.#freeChunk[page]!
    if (chunk === NONE) {
      chunk = this.#bump[page]!++
    } else {
      const segment = this.segments[(page / PAGES_PER_SEGMENT) | 0]!
      const at = (page % PAGES_PER_SEGMENT) * PAGE_BYTES + chunk * bytes
      this.#freeChunk[page] = segment.readInt32LE(at + 4)
    }
    const used = ++this.#used[page]!
    if (used === ((PAGE_BYTES / bytes) | 0)) {
      this.#unlist(page, sizeClass)
      this.#state[page] = 2
    }
    this.usedBytes += bytes
    this.chunks++
    this.#classChunks[sizeClass]!++
    return (page << UNITS_PER_PAGE_SHIFT) + ((chunk * bytes) >> UNIT_SHIFT)
  }

  /** `size` as it was given to alloc (or any of the same class). */
  free(ref: number, size: number): void {
    const sizeClass = CLASS_OF_UNITS[(size + 7) >> UNIT_SHIFT]!
    const bytes = CLASS_BYTES[sizeClass]!
    const page = ref >>> UNITS_PER_PAGE_SHIFT
    const segment = this.segments[ref >>> SEGMENT_SHIFT]!
    const at = (ref & UNIT_MASK) << UNIT_SHIFT
    segment[at] = FREE_MARK
    segment.writeInt32LE(this.#freeChunk[page]!, at + 4)
    this.#freeChunk[page] = ((at & (PAGE_BYTES - 1)) / bytes) | 0
    this.usedBytes -= bytes
    this.chunks--
    this.#classChunks[sizeClass]!--
    const used = --this.#used[page]!
    const state = this.#state[page]!
    if (state === 2) this.#list(page, sizeClass)
    // The last page with room stays with its class, so that one record put and removed does not build it up each time.
    if (used === 0 && (state === 3 || this.#classPages[sizeClass]! > 1)) this.#releasePage(page, sizeClass)
  }

  /**
   * A page that is worth emptying, or -1: one of a class in which more than a tenth of the chunks (and more than one
   * page's worth) is free. Looks at `tries` pages of each class and takes the emptiest.
   */
  sparsePage(tries = 16): number {
    for (let sizeClass = 0; sizeClass < CLASS_BYTES.length; sizeClass++) {
      const perPage = (PAGE_BYTES / CLASS_BYTES[sizeClass]!) | 0
      const capacity = this.#classPages[sizeClass]! * perPage
      const free = capacity - this.#classChunks[sizeClass]!
      if (free <= perPage || free * 10 < capacity) continue
      let best = NONE
      let page = this.#roomy[sizeClass]!
      for (let i = 0; i < tries && page !== NONE; i++) {
        // Page 0 cannot be given back; see #newPage.
        if (page !== 0 && (best === NONE || this.#used[page]! < this.#used[best]!)) best = page
        page = this.#next[page]!
      }
      // What it holds must fit into the other pages, or emptying it would only fill a new one.
      if (best !== NONE && free - (perPage - this.#used[best]!) >= this.#used[best]!) return best
    }
    return NONE
  }

  /** Takes a page out of use for new chunks and returns the references of the chunks in use in it. */
  evacuate(page: number): number[] {
    const sizeClass = this.#sizeClass[page]!
    const bytes = CLASS_BYTES[sizeClass]!
    if (this.#state[page] === 1) this.#unlist(page, sizeClass)
    this.#state[page] = 3
    const segment = this.segments[(page / PAGES_PER_SEGMENT) | 0]!
    const base = (page % PAGES_PER_SEGMENT) * PAGE_BYTES
    const refs: number[] = []
    for (let chunk = 0; chunk < this.#bump[page]!; chunk++) {
      if (segment[base + chunk * bytes] === FREE_MARK) continue
      const ref = (page << UNITS_PER_PAGE_SHIFT) + ((chunk * bytes) >> UNIT_SHIFT)
      if (ref !== 0) refs.push(ref)
    }
    return refs
  }

  #newPage(sizeClass: number): number {
    if (this.#freePages.length === 0) this.#newSegment()
    const page = this.#freePages.pop()!
    this.#sizeClass[page] = sizeClass
    this.#used[page] = 0
    this.#bump[page] = 0
    this.#freeChunk[page] = NONE
    this.#classPages[sizeClass]!++
    this.#segmentPages[(page / PAGES_PER_SEGMENT) | 0]!++
    if (page === 0) {
      // Reference 0 means none: the first chunk of the first page is never given out.
      this.#bump[0] = 1
      this.#used[0] = 1
      this.segments[0]![0] = 0
    }
    this.#list(page, sizeClass)
    return page
  }

  #newSegment(): void {
    let index = this.#segmentPages.indexOf(NONE)
    if (index < 0) index = this.#segmentPages.length
    if (index >= MAX_SEGMENTS) throw new Error('the store is full: records take 32 GiB')
    const segment = this.#spare ?? Buffer.allocUnsafeSlow(SEGMENT_BYTES)
    this.#spare = null
    this.segments[index] = segment
    this.doubles[index] = new Float64Array(segment.buffer, segment.byteOffset, SEGMENT_BYTES / 8)
    this.#segmentPages[index] = 0
    const end = (index + 1) * PAGES_PER_SEGMENT
    if (end > this.#pages) {
      this.#growPageTables(end)
    }
    for (let page = end - 1; page >= index * PAGES_PER_SEGMENT; page--) this.#freePages.push(page)
  }

  #growPageTables(pages: number): void {
    this.#pages = pages
    if (pages <= this.#used.length) return
    const length = Math.max(pages, this.#used.length * 2)
    const grow = <T extends Uint8Array | Uint16Array | Int32Array>(old: T, fresh: T): T => {
      fresh.set(old)
      return fresh
    }
    this.#sizeClass = grow(this.#sizeClass, new Uint8Array(length))
    this.#used = grow(this.#used, new Uint16Array(length))
    this.#bump = grow(this.#bump, new Uint16Array(length))
    this.#freeChunk = grow(this.#freeChunk, new Int32Array(length))
    this.#next = grow(this.#next, new Int32Array(length))
    this.#prev = grow(this.#prev, new Int32Array(length))
    this.#state = grow(this.#state, new Uint8Array(length))
  }

  #releasePage(page: number, sizeClass: number): void {
    if (this.#state[page] === 1) this.#unlist(page, sizeClass)
    this.#state[page] = 0
    this.#classPages[sizeClass]!--
    this.#freePages.push(page)
    const segment = (page / PAGES_PER_SEGMENT) | 0
    if (--this.#segmentPages[segment]! > 0 || segment === 0) return
    this.#segmentPages[segment] = NONE
    this.segments[segment] = EMPTY
    this.doubles[segment] = NO_DOUBLES
    this.#freePages = this.#freePages.filter((free) => ((free / PAGES_PER_SEGMENT) | 0) !== segment)
    if ((segment + 1) * PAGES_PER_SEGMENT === this.#pages) this.#dropLastSegments()
  }

  #dropLastSegments(): void {
    while (this.#segmentPages.at(-1) === NONE) {
      this.#segmentPages.pop()
      this.segments.pop()
      this.doubles.pop()
    }
    this.#pages = this.#segmentPages.length * PAGES_PER_SEGMENT
  }

  #list(page: number, sizeClass: number): void {
    const head = this.#roomy[sizeClass]!
    this.#next[page] = head
    this.#prev[page] = NONE
    if (head !== NONE) this.#prev[head] = page
    this.#roomy[sizeClass] = page
    this.#state[page] = 1
  }

  #unlist(page: number, sizeClass: number): void {
    const next = this.#next[page]!
    const prev = this.#prev[page]!
    if (next !== NONE) this.#prev[next] = prev
    if (prev !== NONE) this.#next[prev] = next
    else this.#roomy[sizeClass] = next
  }
}

const EMPTY = Buffer.alloc(0)
const NO_DOUBLES = new Float64Array(0)
