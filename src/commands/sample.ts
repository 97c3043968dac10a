/** Random choices among elements that are numbered. */

/** `count` different indexes of `size`, ascending; count must be less than size. */
export function distinctIndexes(size: number, count: number, random: () => number): number[] {
  // Each index is taken with the probability that the rest still needs it.
  if (count * 8 > size) {
    const chosen: number[] = []
    for (let i = 0; chosen.length < count; i++) {
      if (random() * (size - i) < count - chosen.length) chosen.push(i)
    }
    return chosen
  }
  const chosen = new Set<number>()
  while (chosen.size < count) chosen.add(Math.floor(random() * size))
  return Array.from(chosen).sort((a, b) => a - b)
}

/** Brings them into a random order. */
export function shuffle<T>(items: T[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    const item = items[i]!
    items[i] = items[j]!
    items[j] = item
  }
}
