/** Who waits until the copy has applied the primary's stream up to some offset. */

interface Waiter {
  readonly offset: number
  readonly resolve: () => void
  readonly timer: NodeJS.Timeout
  readonly reject: (error: Error) => void
}

export class Offsets {
  #waiters: Waiter[] = []
  #applied: () => number

  /** `applied`: the offset now. */
  constructor(applied: () => number) {
    this.#applied = applied
  }

  /** Rejects when it takes longer. */
  reach(offset: number, timeoutMs: number): Promise<void> {
    if (this.#applied() >= offset) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((waiter) => waiter.timer !== timer)
        reject(
          new Error(`Not caught up with offset ${offset} within ${timeoutMs} ms: the copy is at ${this.#applied()}`),
        )
      }, timeoutMs)
      this.#waiters.push({ offset, resolve, reject, timer })
    })
  }

  /** The offset may have moved. */
  moved(): void {
    if (this.#waiters.length === 0) return
    const offset = this.#applied()
    this.#waiters = this.#waiters.filter((waiter) => {
      if (waiter.offset > offset) return true
      clearTimeout(waiter.timer)
      waiter.resolve()
      return false
    })
  }

  close(): void {
    for (const { timer, reject } of this.#waiters) {
      clearTimeout(timer)
      reject(new Error('The replica was closed'))
    }
    this.#waiters = []
  }
}
