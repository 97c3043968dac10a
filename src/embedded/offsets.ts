/** Who waits until the copy has applied the primary's stream up to some offset. */

interface Waiter {
  readonly offset: number
  readonly needsLink: boolean
  readonly resolve: () => void
  readonly timer: NodeJS.Timeout
  readonly reject: (error: Error) => void
}

export class Offsets {
  #waiters: Waiter[] = []
  #applied: () => number
  #isLive: () => boolean

  /** `applied`: the offset now; `isLive`: the link is up. */
  constructor(applied: () => number, isLive: () => boolean) {
    this.#applied = applied
    this.#isLive = isLive
  }

  /**
   * Rejects when it takes longer. `needsLink`: the offset is one of the primary as it is now, so that it says nothing about
   * a copy whose link to that is not up, and which may be of another history.
   */
  reach(offset: number, needsLink: boolean, timeoutMs: number): Promise<void> {
    if (this.#has(offset, needsLink)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((waiter) => waiter.timer !== timer)
        reject(
          new Error(`Not caught up with offset ${offset} within ${timeoutMs} ms: the copy is at ${this.#applied()}`),
        )
      }, timeoutMs)
      this.#waiters.push({ offset, needsLink, resolve, reject, timer })
    })
  }

  /** The offset may have moved. */
  moved(): void {
    if (this.#waiters.length === 0) return
    this.#waiters = this.#waiters.filter((waiter) => {
      if (!this.#has(waiter.offset, waiter.needsLink)) return true
      clearTimeout(waiter.timer)
      waiter.resolve()
      return false
    })
  }

  #has(offset: number, needsLink: boolean): boolean {
    return this.#applied() >= offset && (!needsLink || this.#isLive())
  }

  close(): void {
    for (const { timer, reject } of this.#waiters) {
      clearTimeout(timer)
      reject(new Error('The replica was closed'))
    }
    this.#waiters = []
  }
}
