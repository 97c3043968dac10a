/** Commands drawn at random, the same ones for a seed, for tests that send them to two servers. */
import type { Argument, Command } from '../support/wire.ts'

export class Draw {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** In [0, n). */
  below(n: number): number {
    // Mulberry32.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % n
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  /** Between min and max of what `make` makes. */
  some(min: number, max: number, make: () => Argument): Argument[] {
    return Array.from({ length: min + this.below(max - min + 1) }, make)
  }
}

/** `count` commands, each from one of the makers, as often as it is in the list. */
export function* randomSteps(
  seed: number,
  count: number,
  makers: readonly ((draw: Draw) => Command)[],
): Iterable<Command> {
  const draw = new Draw(seed)
  for (let i = 0; i < count; i++) yield draw.of(makers)(draw)
}
