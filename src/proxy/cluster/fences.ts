/**
 * Waits until the streams of other shards have come to where those shards were when it was asked: what happened there
 * before something was read here is then applied, or at least read.
 */
import type { Probe } from '../copy.ts'
import type { Shard } from './shard.ts'

interface Fence {
  readonly until: 'applied' | 'received'
  /** Those that are not passed yet. */
  readonly left: Map<Shard, Probe>
  readonly passed: () => void
  readonly timer: NodeJS.Timeout
}

export class Fences {
  readonly #fences = new Set<Fence>()
  /** Fences that were passed because time was up. */
  expired = 0

  /** False if there is none of them that can be asked: then `passed` is not called. */
  pass(shards: readonly Shard[], until: 'applied' | 'received', limitMs: number, passed: () => void): boolean {
    const left = new Map<Shard, Probe>()
    for (const shard of shards) {
      const probe = shard.linkUp ? shard.probe() : null
      if (probe !== null) left.set(shard, probe)
    }
    if (left.size === 0) return false
    const fence: Fence = {
      until,
      left,
      passed,
      timer: setTimeout(() => {
        this.expired++
        this.#end(fence)
      }, limitMs),
    }
    this.#fences.add(fence)
    return true
  }

  /** Something was applied, read, answered or lost. */
  check(): void {
    if (this.#fences.size === 0) return
    for (const fence of [...this.#fences]) {
      for (const [shard, probe] of fence.left) {
        const isThere = fence.until === 'applied' ? shard.copy.covers(probe) : shard.hasReceived(probe)
        if (probe.state === 'failed' || !shard.linkUp || (probe.state === 'known' && isThere)) fence.left.delete(shard)
      }
      if (fence.left.size === 0) this.#end(fence)
    }
  }

  #end(fence: Fence): void {
    if (!this.#fences.delete(fence)) return
    clearTimeout(fence.timer)
    // Not inside the stream that may be what was waited for.
    setImmediate(fence.passed)
  }

  stop(): void {
    for (const { timer } of this.#fences) clearTimeout(timer)
    this.#fences.clear()
  }
}
