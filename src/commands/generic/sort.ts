/**
 * SORT and SORT_RO: the elements of a list, set or sorted set by their own value, or by the value of a key that BY makes of
 * each, as numbers or as bytes (ALPHA); then LIMIT, then what GET's patterns make of each, to the client or into a list.
 * Follows redis 7.0.15 sort.c sortCommandGeneric, with one locale: bytes are compared as bytes.
 */
import { parseDouble } from '../../bytes/doubles.ts'
import { parseInteger } from '../../bytes/integers.ts'
import { NOTIFY_GENERIC, NOTIFY_LIST } from '../../config/units.ts'
import {
  ENCODING_INTSET,
  ENCODING_LISTPACK,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STRING,
  TYPE_ZSET,
} from '../../store/record.ts'
import { elementsOf } from '../../store/values/elements.ts'
import { hashField } from '../../store/values/hash.ts'
import { createList } from '../../store/values/list.ts'
import type { Call } from '../call.ts'
import { arg, command, key, unknownKeys } from '../define.ts'
import { errors } from '../errors.ts'
import { sortKeys, sortRoKeys } from '../movable-keys.ts'
import { target as sortedSet } from '../sorted-set/target.ts'
import { keyAdded, keyModified, removeKey } from './lookup.ts'

const STAR = 0x2a
const HASH_SIGN = 0x23
const ARROW = Buffer.from('->', 'latin1')
const EMPTY = Buffer.alloc(0)

/** A pattern of BY or GET: key prefix, the element, key suffix, and perhaps a field of the hash at that key. */
interface Pattern {
  kind: 'element' | 'key' | 'nothing'
  prefix: Buffer
  suffix: Buffer
  field: Buffer | undefined
}

interface SortOptions {
  descending: boolean
  alpha: boolean
  limitStart: number
  limitCount: number
  /** BY without a star: the elements stay in their order. */
  keepsOrder: boolean
  by: Pattern | undefined
  get: Pattern[]
  /** Argument of STORE's key, 0 without one. */
  store: number
}

/** redis 7.0.15 sort.c lookupKeyByPattern: a pattern without a star names no key. */
function compilePattern(bytes: Buffer): Pattern {
  if (bytes.length === 1 && bytes[0] === HASH_SIGN) {
    return { kind: 'element', prefix: EMPTY, suffix: EMPTY, field: undefined }
  }
  const star = bytes.indexOf(STAR)
  if (star < 0) return { kind: 'nothing', prefix: EMPTY, suffix: EMPTY, field: undefined }
  const arrow = bytes.indexOf(ARROW, star + 1)
  const hasField = arrow >= 0 && arrow + ARROW.length < bytes.length
  return {
    kind: 'key',
    prefix: bytes.subarray(0, star),
    suffix: bytes.subarray(star + 1, hasField ? arrow : bytes.length),
    field: hasField ? bytes.subarray(arrow + ARROW.length) : undefined,
  }
}

/** What a pattern makes of an element; valid until the keyspace changes. */
function resolve(call: Call, pattern: Pattern, element: Buffer): Buffer | undefined {
  if (pattern.kind === 'element') return element
  if (pattern.kind === 'nothing') return undefined
  const { store } = call
  const ref = call.lookupReadKey(Buffer.concat([pattern.prefix, element, pattern.suffix]))
  if (ref === 0) return undefined
  const type = store.type(ref)
  if (pattern.field !== undefined) return type === TYPE_HASH ? hashField(store, ref, pattern.field) : undefined
  if (type !== TYPE_STRING) return undefined
  store.read(ref)
  return store.bytes.subarray(store.start, store.end)
}

function parseOptions(call: Call, isReadOnly: boolean): SortOptions | undefined {
  const { args } = call
  const options: SortOptions = {
    descending: false,
    alpha: false,
    limitStart: 0,
    limitCount: -1,
    keepsOrder: false,
    by: undefined,
    get: [],
    store: 0,
  }
  for (let i = 2; i < args.argc; i++) {
    const left = args.argc - i - 1
    if (args.is(i, 'ASC')) options.descending = false
    else if (args.is(i, 'DESC')) options.descending = true
    else if (args.is(i, 'ALPHA')) options.alpha = true
    else if (left >= 2 && args.is(i, 'LIMIT')) {
      const start = call.integer(i + 1)
      const count = start === undefined ? undefined : call.integer(i + 2)
      if (start === undefined || count === undefined) return undefined
      options.limitStart = start
      options.limitCount = count
      i += 2
    } else if (!isReadOnly && left >= 1 && args.is(i, 'STORE')) {
      options.store = ++i
    } else if (left >= 1 && args.is(i, 'BY')) {
      const pattern = args.view(++i)
      options.by = compilePattern(pattern)
      if (pattern.indexOf(STAR) < 0) options.keepsOrder = true
      else if (isClusterRefusal(call, 'BY') || isAclRefusal(call, 'BY')) return undefined
    } else if (left >= 1 && args.is(i, 'GET')) {
      if (isClusterRefusal(call, 'GET') || isAclRefusal(call, 'GET')) return undefined
      options.get.push(compilePattern(args.view(++i)))
    } else {
      call.syntaxError()
      return undefined
    }
  }
  return options
}

/** In a cluster the keys of patterns could be elsewhere. */
function isClusterRefusal(call: Call, option: string): boolean {
  if (!call.host.config.get('cluster-enabled')) return false
  call.error(`ERR ${option} option of SORT denied in Cluster mode.`)
  return true
}

/** Which keys a pattern names is not known beforehand, so the user has to be allowed to read all of them. */
function isAclRefusal(call: Call, option: string): boolean {
  const { args, client, command, host } = call
  if (!client.account.isRestricted || host.acl.readsAllKeys(client, command, args)) return false
  call.error(`ERR ${option} option of SORT denied due to insufficient ACL permissions.`)
  return true
}

function sortGeneric(call: Call, isReadOnly: boolean): void {
  const options = parseOptions(call, isReadOnly)
  if (options === undefined) return
  let ref = call.lookupRead(1)
  const type = ref === 0 ? TYPE_LIST : call.store.type(ref)
  if (type !== TYPE_LIST && type !== TYPE_SET && type !== TYPE_ZSET) {
    call.error(errors.wrongType)
    return
  }
  if (
    options.keepsOrder &&
    type === TYPE_SET &&
    (options.store !== 0 || call.store.encoding(ref) !== ENCODING_INTSET)
  ) {
    // A hash table has no order that replicas or scripts could rely on. Redis sorts only for those two.
    options.keepsOrder = false
    options.alpha = true
    options.by = undefined
  }
  if (type === TYPE_ZSET && call.store.encoding(ref) === ENCODING_LISTPACK) ref = converted(call)
  const elements = ref === 0 ? [] : elementsOf(call.store, ref)
  const ordered = order(call, elements, type, options)
  if (ordered === undefined) {
    call.error("ERR One or more scores can't be converted into double")
    return
  }
  const [start, end] = range(options, ordered.length)
  const selected = ordered.slice(start, end)
  if (options.store === 0) replyElements(call, selected, options.get)
  else storeElements(call, selected, options)
}

/** The sorted set of argument 1 no longer packed, which is seen by OBJECT ENCODING. */
function converted(call: Call): number {
  const { args, db } = call
  sortedSet.open(call, 1)
  const { hash } = call
  sortedSet.convert()
  sortedSet.close()
  return db.find(hash, args.buf, args.start(1), args.end(1))
}

/** LIMIT as a range of n elements, the end exclusive. */
function range(options: SortOptions, n: number): [number, number] {
  const start = Math.min(Math.max(options.limitStart, 0), n)
  return [start, options.limitCount < 0 ? n : Math.min(start + options.limitCount, n)]
}

/** The elements in the order asked for; undefined if a value to sort by is no number. */
function order(call: Call, elements: Buffer[], type: number, options: SortOptions): Buffer[] | undefined {
  if (options.keepsOrder) return options.descending && type !== TYPE_SET ? elements.toReversed() : elements
  const compare = options.alpha ? compareBytes(call, elements, options) : compareScores(call, elements, options.by)
  if (compare === undefined) return undefined
  const places = new Uint32Array(elements.length)
  for (let i = 0; i < places.length; i++) places[i] = i
  places.sort(options.descending ? (a, b) => -compare(a, b) : compare)
  const ordered: Buffer[] = new Array(elements.length)
  for (let i = 0; i < places.length; i++) ordered[i] = elements[places[i]!]!
  return ordered
}

type Compare = (a: number, b: number) => number

/** By number, and by bytes where numbers are equal. Without a value to sort by an element counts as 0. */
function compareScores(call: Call, elements: Buffer[], by: Pattern | undefined): Compare | undefined {
  const scores = new Float64Array(elements.length)
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i]!
    const value = by === undefined ? element : resolve(call, by, element)
    if (value === undefined) continue
    const score = sortScore(value)
    if (Number.isNaN(score)) return undefined
    scores[i] = score
  }
  return (a, b) => {
    const left = scores[a]!
    const right = scores[b]!
    if (left !== right) return left < right ? -1 : 1
    return Buffer.compare(elements[a]!, elements[b]!)
  }
}

/** Elements without a value to sort by come first. Only with STORE do texts go on behind a NUL byte, as strcoll() ends there. */
function compareBytes(call: Call, elements: Buffer[], { by, store }: SortOptions): Compare {
  const text = store !== 0 ? (value: Buffer) => value : beforeNul
  if (by === undefined) {
    const texts = elements.map(text)
    return (a, b) => Buffer.compare(texts[a]!, texts[b]!)
  }
  const values = elements.map((element) => {
    const value = resolve(call, by, element)
    return value && text(value)
  })
  return (a, b) => {
    const left = values[a]
    const right = values[b]
    if (left === undefined || right === undefined) return left === right ? 0 : left === undefined ? -1 : 1
    return Buffer.compare(left, right)
  }
}

/** As C's strtod() reads a string: up to a NUL byte, space in front is fine, and no text at all is 0. NaN if it is no number. */
function sortScore(value: Buffer): number {
  const integer = parseInteger(value, 0, value.length)
  if (!Number.isNaN(integer)) return integer
  const nul = value.indexOf(0)
  const end = nul < 0 ? value.length : nul
  if (end === 0) return 0
  let start = 0
  while (start < end && isSpace(value[start]!)) start++
  return parseDouble(value, start, end)
}

function beforeNul(value: Buffer): Buffer {
  const nul = value.indexOf(0)
  return nul < 0 ? value : value.subarray(0, nul)
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

function replyElements(call: Call, elements: Buffer[], get: Pattern[]): void {
  const { reply } = call
  reply.array(elements.length * Math.max(get.length, 1))
  for (const element of elements) {
    if (get.length === 0) reply.bulk(element)
    for (const pattern of get) {
      const value = resolve(call, pattern, element)
      if (value === undefined) reply.nullBulk()
      else reply.bulk(value)
    }
  }
}

/** Makes a list of the result; an empty result removes the key. */
function storeElements(call: Call, elements: Buffer[], options: SortOptions): void {
  const { args, db } = call
  const target = options.store
  // Copies: the key that is replaced may be the one that the elements are read from.
  const values: Buffer[] = []
  for (const element of elements) {
    if (options.get.length === 0) values.push(Buffer.from(element))
    for (const pattern of options.get) values.push(Buffer.from(resolve(call, pattern, element) ?? EMPTY))
  }
  const old = call.lookupWrite(target)
  const hash = call.hash
  if (old !== 0) removeKey(call, db, hash, old, target)
  if (values.length > 0) {
    createList(db, hash, args.view(target), values, call.host.config)
    if (old === 0) keyAdded(call, db, target)
    call.effects.dirty += values.length
    keyModified(call, db, target)
    call.event(args.view(target), NOTIFY_LIST, 'sortstore')
  } else if (old !== 0) {
    call.changed(target, NOTIFY_GENERIC, 'del')
  }
  call.reply.integer(values.length)
}

const BY_GET_KEYS = {
  ...unknownKeys('RO', 'ACCESS'),
  notes:
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the " +
    'content of the key we sort',
}

export const sort = command({
  name: 'sort',
  arity: -2,
  since: '1.0.0',
  summary: 'Sort the elements in a list, set or sorted set',
  complexity:
    'O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of ' +
    'returned elements. When the elements are not sorted, complexity is O(N).',
  flags: ['write', 'denyoom'],
  acl: ['set', 'sortedset', 'list', 'dangerous'],
  keys: [
    key(1, 'RO', 'ACCESS'),
    BY_GET_KEYS,
    {
      ...unknownKeys('OW', 'UPDATE'),
      notes:
        "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in " +
        'the argument array',
    },
  ],
  getKeys: sortKeys,
  args: [
    arg.key(),
    arg.pattern('pattern', { token: 'BY', keySpec: 1, optional: true }),
    arg.block('offset_count', [arg.integer('offset'), arg.integer('count')], { token: 'LIMIT', optional: true }),
    arg.pattern('pattern', { token: 'GET', keySpec: 1, optional: true, multiple: true, multipleToken: true }),
    arg.oneof('order', [arg.token('ASC'), arg.token('DESC')], { optional: true }),
    arg.token('ALPHA', { name: 'sorting', optional: true }),
    arg.key('destination', { token: 'STORE', keySpec: 2, optional: true }),
  ],
  run: (call) => sortGeneric(call, false),
})

export const sortRo = command({
  name: 'sort_ro',
  arity: -2,
  since: '7.0.0',
  summary: 'Sort the elements in a list, set or sorted set. Read-only variant of SORT.',
  complexity:
    'O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of ' +
    'returned elements. When the elements are not sorted, complexity is O(N).',
  flags: ['readonly'],
  acl: ['set', 'sortedset', 'list', 'dangerous'],
  keys: [key(1, 'RO', 'ACCESS'), BY_GET_KEYS],
  getKeys: sortRoKeys,
  args: [
    arg.key(),
    arg.pattern('pattern', { token: 'BY', keySpec: 1, optional: true }),
    arg.block('offset_count', [arg.integer('offset'), arg.integer('count')], { token: 'LIMIT', optional: true }),
    arg.pattern('pattern', { token: 'GET', keySpec: 1, optional: true, multiple: true, multipleToken: true }),
    arg.oneof('order', [arg.token('ASC'), arg.token('DESC')], { optional: true }),
    arg.token('ALPHA', { name: 'sorting', optional: true }),
  ],
  run: (call) => sortGeneric(call, true),
})
