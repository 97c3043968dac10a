/** The elements of a list, set or sorted set, for those that take any of them (SORT, digests). */
import { intsetValues } from '../encodings/intset.ts'
import { listpackEntries } from '../encodings/listpack.ts'
import { ENCODING_INTSET, ENCODING_LISTPACK, TYPE_LIST, TYPE_ZSET } from '../record.ts'
import type { Store } from '../store.ts'
import type { ListValue } from './list.ts'
import type { SetValue } from './set.ts'
import { sortedSetEntries } from './sorted-set.ts'

/** In order; valid until the next change. */
export function elementsOf(store: Store, ref: number): Buffer[] {
  const type = store.type(ref)
  const encoding = store.encoding(ref)
  if (type === TYPE_ZSET) return sortedSetEntries(store, ref).map(([member]) => member)
  if (encoding === ENCODING_INTSET) {
    store.read(ref)
    return Array.from(intsetValues(store.bytes, store.start, store.end), (value) =>
      Buffer.from(value.toString(), 'latin1'),
    )
  }
  if (encoding === ENCODING_LISTPACK) {
    store.read(ref)
    return Array.from(listpackEntries(store.bytes, store.start, store.end))
  }
  if (type === TYPE_LIST) return Array.from(store.structure<ListValue>(ref).elements())
  return Array.from(store.structure<SetValue>(ref).members())
}
