/** Commands that read lists. redis 7.0.15 t_list.c */
import {
  LISTPACK_HEADER,
  ListpackEntry,
  listpackLength,
  nextEntry,
  previousEntry,
  seekEntry,
} from '../../store/encodings/listpack.ts'
import { ENCODING_LISTPACK, TYPE_LIST } from '../../store/record.ts'
import type { ElementVisitor, ListValue } from '../../store/values/list.ts'
import { positiveArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'

const entry = new ListpackEntry()

export function listLength(call: Call, ref: number): number {
  const { store } = call
  if (store.encoding(ref) !== ENCODING_LISTPACK) return store.structure<ListValue>(ref).length
  store.read(ref)
  return listpackLength(store.bytes, store.start, store.end)
}

/** Visits up to `count` elements from index `from` on, forwards or backwards. */
export function visitList(
  call: Call,
  ref: number,
  from: number,
  count: number,
  backwards: boolean,
  visitor: ElementVisitor,
): void {
  const { store } = call
  if (store.encoding(ref) !== ENCODING_LISTPACK) {
    store.structure<ListValue>(ref).visit(from, count, backwards, visitor)
    return
  }
  store.read(ref)
  const { bytes } = store
  const first = store.start + LISTPACK_HEADER
  const eof = store.end - 1
  let at = seekEntry(bytes, first, eof, from)
  for (let left = count; left > 0 && at < eof; left--) {
    entry.read(bytes, at)
    if (visitor(entry.bytes, entry.start, entry.end) === false) return
    if (!backwards) at = nextEntry(bytes, at)
    else if (at === first) return
    else at = previousEntry(bytes, at)
  }
}

/** Replies the elements of indexes [from, from + count), or the same backwards. */
export function replyElements(call: Call, ref: number, from: number, count: number, backwards: boolean): void {
  const { reply } = call
  reply.array(count)
  if (count === 0) return
  visitList(call, ref, backwards ? from + count - 1 : from, count, backwards, (bytes, start, end) => {
    reply.bulk(bytes, start, end)
    return true
  })
}

function runLlen(call: Call): void {
  const ref = call.typedForRead(1, TYPE_LIST)
  if (ref === WRONG_TYPE) return
  call.reply.integer(ref === 0 ? 0 : listLength(call, ref))
}

function runLrange(call: Call): void {
  const first = call.integer(2)
  if (first === undefined) return
  const last = call.integer(3)
  if (last === undefined) return
  const ref = call.typedForRead(1, TYPE_LIST)
  if (ref === WRONG_TYPE) return
  const length = ref === 0 ? 0 : listLength(call, ref)
  const from = Math.max(0, first < 0 ? first + length : first)
  const to = Math.min(length, (last < 0 ? last + length : last) + 1)
  replyElements(call, ref, from, Math.max(0, to - from), false)
}

function runLindex(call: Call): void {
  const { reply, store } = call
  const ref = call.typedForRead(1, TYPE_LIST)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    reply.nullBulk()
    return
  }
  const given = call.integer(2)
  if (given === undefined) return
  const length = listLength(call, ref)
  const index = given < 0 ? given + length : given
  if (index < 0 || index >= length) {
    reply.nullBulk()
    return
  }
  if (store.encoding(ref) === ENCODING_LISTPACK) {
    store.read(ref)
    entry.read(store.bytes, seekEntry(store.bytes, store.start + LISTPACK_HEADER, store.end - 1, index))
    reply.bulk(entry.bytes, entry.start, entry.end)
    return
  }
  const list = store.structure<ListValue>(ref)
  list.read(index)
  reply.bulk(list.entry.bytes, list.entry.start, list.entry.end)
}

export function equals(
  bytes: Uint8Array,
  start: number,
  end: number,
  other: Uint8Array,
  otherStart: number,
  otherEnd: number,
): boolean {
  const length = end - start
  if (otherEnd - otherStart !== length) return false
  for (let i = 0; i < length; i++) if (bytes[start + i] !== other[otherStart + i]) return false
  return true
}

interface PositionOptions {
  /** Which match is the first one told, from 1 on; negative: from the tail. */
  rank: number
  /** Matches to tell, 0 for all; -1: the option was not given, and no array is replied. */
  count: number
  /** Elements to look at, 0 for all. */
  maxlen: number
}

function positionOptions(call: Call): PositionOptions | undefined {
  const { args } = call
  const options: PositionOptions = { rank: 1, count: -1, maxlen: 0 }
  for (let i = 3; i < args.argc; i += 2) {
    const hasValue = i + 1 < args.argc
    if (hasValue && args.is(i, 'RANK')) {
      const rank = call.integer(i + 1)
      if (rank === undefined) return undefined
      if (rank === 0) {
        call.error(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
            'or use negative to start from the end of the list',
        )
        return undefined
      }
      options.rank = rank
    } else if (hasValue && args.is(i, 'COUNT')) {
      const count = positiveArgument(call, i + 1, "ERR COUNT can't be negative")
      if (count === undefined) return undefined
      options.count = count
    } else if (hasValue && args.is(i, 'MAXLEN')) {
      const maxlen = positiveArgument(call, i + 1, "ERR MAXLEN can't be negative")
      if (maxlen === undefined) return undefined
      options.maxlen = maxlen
    } else {
      call.syntaxError()
      return undefined
    }
  }
  return options
}

function runLpos(call: Call): void {
  const { args, reply } = call
  const options = positionOptions(call)
  if (options === undefined) return
  const { count, maxlen } = options
  const ref = call.typedForRead(1, TYPE_LIST)
  if (ref === WRONG_TYPE) return
  if (ref === 0) {
    if (count >= 0) reply.array(0)
    else reply.nullBulk()
    return
  }
  const length = listLength(call, ref)
  const backwards = options.rank < 0
  const wanted = count < 0 ? 1 : count === 0 ? length : count
  const { buf } = args
  const elementStart = args.start(2)
  const elementEnd = args.end(2)
  const found: number[] = []
  let toPass = Math.abs(options.rank) - 1
  let index = backwards ? length - 1 : 0
  visitList(call, ref, index, maxlen === 0 ? length : maxlen, backwards, (bytes, start, end) => {
    if (equals(bytes, start, end, buf, elementStart, elementEnd) && toPass-- <= 0) found.push(index)
    index += backwards ? -1 : 1
    return found.length < wanted
  })
  if (count < 0) {
    if (found.length === 0) reply.nullBulk()
    else reply.integer(found[0]!)
    return
  }
  reply.array(found.length)
  for (const position of found) reply.integer(position)
}

export const llen = command({
  name: 'llen',
  arity: 2,
  since: '1.0.0',
  summary: 'Get the length of a list',
  complexity: 'O(1)',
  flags: ['readonly', 'fast'],
  keys: [key(1, 'RO')],
  args: [arg.key()],
  run: runLlen,
})

export const lrange = command({
  name: 'lrange',
  arity: 4,
  since: '1.0.0',
  summary: 'Get a range of elements from a list',
  complexity:
    'O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or ' +
    'TAIL) for large lists; and N is the number of elements in the specified range.',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.integer('start'), arg.integer('stop')],
  run: runLrange,
})

export const lindex = command({
  name: 'lindex',
  arity: 3,
  since: '1.0.0',
  summary: 'Get an element from a list by its index',
  complexity:
    'O(N) where N is the number of elements to traverse to get to the element at index. This makes ' +
    'asking for the first or the last element of the list O(1).',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.integer('index')],
  run: runLindex,
})

export const lpos = command({
  name: 'lpos',
  arity: -3,
  since: '6.0.6',
  summary: 'Return the index of matching elements on a list',
  complexity:
    'O(N) where N is the number of elements in the list, for the average case. When searching for ' +
    'elements near the head or the tail of the list, or when the MAXLEN option is provided, the command ' +
    'may run in constant time.',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.string('element'),
    arg.integer('rank', { token: 'RANK', optional: true }),
    arg.integer('num-matches', { token: 'COUNT', optional: true }),
    arg.integer('len', { token: 'MAXLEN', optional: true }),
  ],
  run: runLpos,
})
