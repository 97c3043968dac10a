/** How fresh a read has to be: `eventual`, `session`, `bounded <ms> [fail]`, `linearizable`; of the proxy or of a connection. */

export const EVENTUAL = 0
export const SESSION = 1
export const BOUNDED = 2
export const LINEARIZABLE = 3

export interface Consistency {
  readonly level: number
  /** BOUNDED: how old the copy may be, milliseconds. */
  readonly boundMs: number
  /** BOUNDED: an older copy is an error, not a reason to ask the upstream. */
  readonly fails: boolean
}

const NAMES = ['eventual', 'session', 'bounded', 'linearizable'] as const

export function parseConsistency(words: readonly string[]): Consistency | undefined {
  const [name = '', bound = '', fail] = words.map((word) => word.toLowerCase())
  const level = NAMES.indexOf(name as (typeof NAMES)[number])
  if (level < 0) return undefined
  if (level !== BOUNDED) return words.length === 1 ? { level, boundMs: 0, fails: false } : undefined
  if (!/^\d{1,9}$/.test(bound) || words.length > 3 || (fail !== undefined && fail !== 'fail')) return undefined
  return { level, boundMs: Number(bound), fails: fail === 'fail' }
}

export function consistencyText({ level, boundMs, fails }: Consistency): string {
  return level === BOUNDED ? `bounded ${boundMs}${fails ? ' fail' : ''}` : NAMES[level]!
}
