/**
 * Waits until the streams of other shards have come to a place: where those shards were when it was asked, so that what
 * happened there before something was read here is then applied, or at least read; or where they have been read up to.
 */
import type { Probe } from '../copy.ts'
import type { Shard } from './shard.ts'

export type Until = 'applied' | 'received'

export interface Fence {
  readonly until: Until
  /** Those that are not passed yet. */
  readonly left: Map<Shard, Probe>
  /** Those that did not come there: their link was lost, or time was up. */
  readonly lost: Set<Shard>
  readonly passed: (lost: ReadonlySet<Shard>) => void
  readonly timer: NodeJS.Timeout
  /** Those that have not said by then where they are are not waited for. */
  readonly silenceTimer: NodeJS.Timeout | null
}

export interface Wait {
  readonly left: Map<Shard, Probe>
  readonly until: Until
  readonly limitMs: number
  /** 0: as long as for the others. */
  readonly silenceMs: number
  readonly passed: Fence['passed']
}

export class Fences {
  readonly #fences = new Set<Fence>()
  /** Fences that were passed because time was up. */
  expired = 0

  /** Where these shards are now; those that cannot be asked are left out. */
  ask(shards: readonly Shard[]): Map<Shard, Probe> {
    const probes = new Map<Shard, Probe>()
    for (const shard of shards) {
      const probe = shard.linkUp ? shard.probe() : null
      if (probe !== null) probes.set(shard, probe)
    }
    return probes
  }

  pass({ left, until, limitMs, silenceMs, passed }: Wait): Fence {
    const timer = setTimeout(() => this.#timeUp(fence, () => true), limitMs)
    const isSilent = (probe: Probe) => probe.state === 'asked'
    const silenceTimer = silenceMs === 0 ? null : setTimeout(() => this.#timeUp(fence, isSilent), silenceMs)
    const fence: Fence = { until, left, lost: new Set(), passed, timer, silenceTimer }
    this.#fences.add(fence)
    return fence
  }

  /** The loop may have been held up: what has come by now is looked at first. */
  #timeUp(fence: Fence, isOver: (probe: Probe) => boolean): void {
    setImmediate(() => {
      this.check()
      if (!this.#fences.has(fence)) return
      const late = [...fence.left].filter(([, probe]) => isOver(probe))
      if (late.length === 0) return
      this.expired++
      for (const [shard] of late) {
        fence.lost.add(shard)
        fence.left.delete(shard)
      }
      if (fence.left.size === 0) this.#end(fence)
    })
  }

  /** Something was applied, read, answered or lost. */
  check(): void {
    if (this.#fences.size === 0) return
    for (const fence of [...this.#fences]) {
      for (const [shard, probe] of fence.left) {
        const isLost = probe.state === 'failed' || !shard.linkUp
        if (isLost) fence.lost.add(shard)
        else if (probe.state === 'asked') continue
        else if (fence.until === 'applied' ? !shard.copy.covers(probe) : !shard.hasReceived(probe)) continue
        fence.left.delete(shard)
      }
      if (fence.left.size === 0) this.#end(fence)
    }
  }

  /** This shard need not be waited for any more. */
  waive(fence: Fence, shard: Shard): void {
    if (fence.left.delete(shard) && fence.left.size === 0) this.#end(fence)
  }

  #end(fence: Fence): void {
    if (!this.#fences.has(fence)) return
    this.cancel(fence)
    // Not inside the stream that may be what was waited for.
    setImmediate(fence.passed, fence.lost)
  }

  cancel(fence: Fence): void {
    this.#fences.delete(fence)
    clearTimeout(fence.timer)
    if (fence.silenceTimer !== null) clearTimeout(fence.silenceTimer)
  }

  stop(): void {
    for (const fence of [...this.#fences]) this.cancel(fence)
  }
}
