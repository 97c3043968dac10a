/** A structure of its own with the same elements, for COPY. */
import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STREAM, TYPE_ZSET } from '../record.ts'
import type { Structure } from '../store.ts'
import type { HashValue } from './hash.ts'
import type { ListValue } from './list.ts'
import type { SetValue } from './set.ts'
import type { SortedSetValue } from './sorted-set.ts'
import type { StreamValue } from './stream.ts'

export function copyStructure(type: number, _encoding: number, structure: Structure): Structure {
  switch (type) {
    case TYPE_LIST:
      return (structure as ListValue).clone()
    case TYPE_SET:
      return (structure as SetValue).clone()
    case TYPE_ZSET:
      return (structure as SortedSetValue).clone()
    case TYPE_HASH:
      return (structure as HashValue).clone()
    case TYPE_STREAM:
      return (structure as StreamValue).clone()
    default:
      throw new Error(`values of type ${type} are no structures`)
  }
}
