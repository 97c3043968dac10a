/**
 * What is due when: a binary heap whose entries know their place, so that one which is no longer needed is taken out at
 * once. Most blocking commands are served long before their timeout and must not stay here until then.
 */
export interface Deadline {
  /** Unix milliseconds. */
  dueAtMs: number
  /** Place in the heap, -1 outside of it; the heap's own. */
  heapIndex: number
}

export class Deadlines<T extends Deadline> {
  readonly #heap: T[] = []

  get size(): number {
    return this.#heap.length
  }

  /** The next to be due. */
  get first(): T | undefined {
    return this.#heap[0]
  }

  add(entry: T): void {
    this.#heap.push(entry)
    this.#up(this.#heap.length - 1, entry)
  }

  remove(entry: T): void {
    const at = entry.heapIndex
    if (at < 0) return
    entry.heapIndex = -1
    const last = this.#heap.pop()!
    if (last === entry) return
    this.#up(at, last)
    if (last.heapIndex === at) this.#down(at, last)
  }

  #up(from: number, entry: T): void {
    const heap = this.#heap
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.dueAtMs <= entry.dueAtMs) break
      this.#put(heap[parent]!, at)
      at = parent
    }
    this.#put(entry, at)
  }

  #down(from: number, entry: T): void {
    const heap = this.#heap
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.dueAtMs < heap[child]!.dueAtMs) child++
      if (heap[child]!.dueAtMs >= entry.dueAtMs) break
      this.#put(heap[child]!, at)
      at = child
    }
    this.#put(entry, at)
  }

  #put(entry: T, at: number): void {
    this.#heap[at] = entry
    entry.heapIndex = at
  }
}
