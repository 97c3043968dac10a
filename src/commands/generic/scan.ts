/**
 * SCAN, KEYS and RANDOMKEY. The index is in the order of the keys' hashes, so SCAN's cursor is the hash to go on with: it
 * stays true whatever grows, shrinks or moves meanwhile, and a key that is there all the time is returned exactly once
 * (Redis may return it more than once).
 */
import { globMatch, isPlain } from '../../bytes/glob.ts'
import { hashBytes } from '../../bytes/siphash.ts'
import { TYPE_NAMES } from '../../store/record.ts'
import type { Call } from '../call.ts'
import { arg, command } from '../define.ts'
import { errors } from '../errors.ts'

const HASHES = 0x100000000
const STAR = 0x2a
const ULONG_MAX = 2n ** 64n - 1n
/** TYPE_NAMES are six and 'module'. */
const ANY_TYPE = -1
const NO_TYPE = -2

/**
 * The cursor at argument i as C's strtoul() reads it: a sign and nothing at all are fine, space in front is not. A cursor
 * that no SCAN gives is Infinity, where all loops end. Undefined after the error. redis 7.0.15 db.c parseScanCursorOrReply
 */
export function scanCursor(call: Call, i: number): number | undefined {
  const simple = call.args.integer(i)
  if (simple >= 0) return simple
  const text = call.args.cString(i)
  const found = /^([+-]?)(\d+)$|^$/.exec(text)
  const magnitude = BigInt(found?.[2] ?? 0)
  if (found === null || magnitude > ULONG_MAX) {
    call.error(errors.invalidCursor)
    return undefined
  }
  if (found[1] === '-' && magnitude !== 0n) return Number.POSITIVE_INFINITY
  return Number(magnitude)
}

/** Options of SCAN and its kin. `pattern` undefined matches all. */
export interface ScanOptions {
  count: number
  pattern: Buffer | undefined
  /** TYPE's argument, in lower case. */
  typeName: string | undefined
}

/** Parses COUNT, MATCH and, where `takesType`, TYPE from argument i on; undefined after the error. redis 7.0.15 db.c scanGenericCommand */
export function scanOptions(call: Call, i: number, takesType = false): ScanOptions | undefined {
  const { args } = call
  const options: ScanOptions = { count: 10, pattern: undefined, typeName: undefined }
  for (let at = i; at < args.argc; at += 2) {
    const hasValue = at + 1 < args.argc
    if (hasValue && args.is(at, 'COUNT')) {
      const count = call.integer(at + 1)
      if (count === undefined) return undefined
      if (count < 1) {
        call.syntaxError()
        return undefined
      }
      options.count = count
    } else if (hasValue && args.is(at, 'MATCH')) {
      const pattern = args.view(at + 1)
      options.pattern = isAll(pattern) ? undefined : pattern
    } else if (hasValue && takesType && args.is(at, 'TYPE')) {
      options.typeName = args.lower(at + 1)
    } else {
      call.syntaxError()
      return undefined
    }
  }
  return options
}

/** The pattern that matches even the empty key, which other patterns of stars do not. */
function isAll(pattern: Uint8Array): boolean {
  return pattern.length === 1 && pattern[0] === STAR
}

function runScan(call: Call): void {
  const { db, reply, store } = call
  const cursor = scanCursor(call, 1)
  if (cursor === undefined) return
  const options = scanOptions(call, 2, true)
  if (options === undefined) return
  const { pattern, typeName } = options
  const type = typeName === undefined ? ANY_TYPE : typeNumber(typeName)
  const refs: number[] = []
  const hashes: number[] = []
  const keep = (ref: number, hash: number) => {
    refs.push(ref)
    hashes.push(hash)
  }
  const next = cursor >= HASHES ? HASHES : db.index.visit(cursor, options.count, keep)
  reply.array(2)
  reply.bulkInteger(next >= HASHES ? 0 : next)
  const mark = reply.openLength()
  let found = 0
  for (let i = 0; i < refs.length; i++) {
    const ref = refs[i]!
    store.readKey(ref)
    if (pattern !== undefined && !globMatch(pattern, store.keyBytes, store.keyStart, store.keyEnd)) continue
    // Only what would be returned is looked at, and removed if it is past its time.
    if (isExpired(call, ref)) {
      call.host.expire(db, hashes[i]!, ref, false)
      continue
    }
    if (type !== ANY_TYPE && store.type(ref) !== type) continue
    reply.bulk(store.keyBytes, store.keyStart, store.keyEnd)
    found++
  }
  reply.closeLength(mark, '*', found)
}

function typeNumber(name: string): number {
  const number = (TYPE_NAMES as readonly string[]).indexOf(name)
  return number < 0 ? NO_TYPE : number
}

function isExpired(call: Call, ref: number): boolean {
  return !call.fromPrimary && call.store.isExpired(ref, call.now)
}

/** redis 7.0.15 db.c keysCommand: keys past their time are passed over, not removed. */
function runKeys(call: Call): void {
  const { args, db, reply, store } = call
  const pattern = args.view(1)
  if (isPlain(pattern)) {
    const ref = db.find(hashBytes(pattern, 0, pattern.length), pattern, 0, pattern.length)
    const matches = ref !== 0 && !isExpired(call, ref)
    reply.array(matches ? 1 : 0)
    if (matches) reply.bulk(pattern)
    return
  }
  const all = isAll(pattern)
  const mark = reply.openLength()
  let found = 0
  db.index.visit(0, db.size, (ref) => {
    store.readKey(ref)
    if (!all && !globMatch(pattern, store.keyBytes, store.keyStart, store.keyEnd)) return
    if (isExpired(call, ref)) return
    reply.bulk(store.keyBytes, store.keyStart, store.keyEnd)
    found++
  })
  reply.closeLength(mark, '*', found)
}

const RANDOM_TRIES = 100

/**
 * Draws until a key is not past its time. Where such keys cannot be removed (a replica, a pause) and there may be no others,
 * it gives up and names one of them. redis 7.0.15 db.c dbRandomKey
 */
function runRandomkey(call: Call): void {
  const { db, reply, store } = call
  for (let tries = 1; ; tries++) {
    const ref = db.index.random(call.host.random)
    if (ref === 0) {
      reply.nullBulk()
      return
    }
    const size = db.size
    if (isExpired(call, ref)) {
      store.readKey(ref)
      call.host.expire(db, hashBytes(store.keyBytes, store.keyStart, store.keyEnd), ref, false)
      const mayBeAll = db.size === size && db.expires.size === size
      if (!mayBeAll || tries < RANDOM_TRIES) continue
    }
    store.readKey(ref)
    reply.bulk(store.keyBytes, store.keyStart, store.keyEnd)
    return
  }
}

export const scan = command({
  name: 'scan',
  differs: 'order by hash; a cursor is a position among 32-bit hashes, so it stays true however the index grows',
  arity: -2,
  since: '2.8.0',
  summary: 'Incrementally iterate the keys space',
  complexity:
    'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor ' +
    'to return back to 0. N is the number of elements inside the collection.',
  history: [['6.0.0', 'Added the `TYPE` subcommand.']],
  flags: ['readonly', 'touches_arbitrary_keys'],
  hints: ['nondeterministic_output', 'request_policy:special'],
  args: [
    arg.integer('cursor'),
    arg.pattern('pattern', { token: 'MATCH', optional: true }),
    arg.integer('count', { token: 'COUNT', optional: true }),
    arg.string('type', { token: 'TYPE', since: '6.0.0', optional: true }),
  ],
  run: runScan,
})

export const keys = command({
  name: 'keys',
  differs: 'order by hash',
  arity: 2,
  since: '1.0.0',
  summary: 'Find all keys matching the given pattern',
  complexity:
    'O(N) with N being the number of keys in the database, under the assumption that the key names in ' +
    'the database and the given pattern have limited length.',
  flags: ['readonly'],
  acl: ['keyspace', 'dangerous'],
  hints: ['request_policy:all_shards', 'nondeterministic_output_order'],
  args: [arg.pattern('pattern')],
  run: runKeys,
})

export const randomkey = command({
  name: 'randomkey',
  arity: 1,
  since: '1.0.0',
  summary: 'Return a random key from the keyspace',
  complexity: 'O(1)',
  flags: ['readonly', 'touches_arbitrary_keys'],
  hints: ['request_policy:all_shards', 'nondeterministic_output'],
  run: runRandomkey,
})
