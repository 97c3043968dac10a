/**
 * ACL categories of a command: its group's own (or those that the declaration says instead), and those that follow from its
 * flags. A set of categories is an integer, bit i standing for CATEGORIES[i].
 */
import {
  CATEGORIES,
  type Category,
  FLAG_ADMIN,
  FLAG_BLOCKING,
  FLAG_FAST,
  FLAG_PUBSUB,
  FLAG_READONLY,
  FLAG_WRITE,
  type GroupName,
} from './define.ts'

/** The other groups (server, pubsub, cluster) give no category of their own. */
const GROUP_CATEGORY: Partial<Record<GroupName, Category>> = {
  generic: 'keyspace',
  string: 'string',
  list: 'list',
  set: 'set',
  'sorted-set': 'sortedset',
  hash: 'hash',
  transactions: 'transaction',
  connection: 'connection',
  scripting: 'scripting',
  hyperloglog: 'hyperloglog',
  geo: 'geo',
  stream: 'stream',
  bitmap: 'bitmap',
}

const BITS = new Map<string, number>(CATEGORIES.map((name, i) => [name, 1 << i]))

/** The bit of a category, 0 if there is none of this name; ignores case. */
export function categoryBit(name: string): number {
  return BITS.get(name.toLowerCase()) ?? 0
}

/** Names of a set, in Redis's order. */
export function categoryNames(bits: number): Category[] {
  return CATEGORIES.filter((_, i) => (bits & (1 << i)) !== 0)
}

/** redis 7.0.15 server.c setImplicitACLCategories. A container itself has no category by its group. */
export function deriveCategories(
  group: GroupName,
  flagBits: number,
  explicit: readonly Category[] | undefined,
  isContainer: boolean,
): number {
  let bits = 0
  const own = isContainer ? undefined : GROUP_CATEGORY[group]
  for (const name of explicit ?? (own === undefined ? [] : [own])) bits |= categoryBit(name)
  if (flagBits & FLAG_WRITE) bits |= categoryBit('write')
  if (flagBits & FLAG_READONLY && !(bits & categoryBit('scripting'))) bits |= categoryBit('read')
  if (flagBits & FLAG_ADMIN) bits |= categoryBit('admin') | categoryBit('dangerous')
  if (flagBits & FLAG_PUBSUB) bits |= categoryBit('pubsub')
  if (flagBits & FLAG_BLOCKING) bits |= categoryBit('blocking')
  bits |= flagBits & FLAG_FAST ? categoryBit('fast') : categoryBit('slow')
  return bits
}
