/**
 * The small languages inside option values: sizes (`1gb`), C integers, save points, output buffer limits, keyspace
 * event flags, percentiles. Each is a pair of functions, text → value and value → text; what does not parse is
 * undefined, or an error text where Redis has more than one. Numbers that C keeps in 64 bits are BigInt here until
 * their limits are checked.
 */
import { parseDouble } from '../bytes/doubles.ts'

/** The reason why a value was refused, to the letter of redis 7.0.15 config.c. */
export interface Refused {
  readonly error: string
}

export type Parsed<V> = { readonly value: V } | Refused

export function refuse(error: string): Refused {
  return { error }
}

const MULTIPLIERS = new Map([
  ['', 1n],
  ['b', 1n],
  ['k', 1000n],
  ['kb', 1024n],
  ['m', 1000n * 1000n],
  ['mb', 1024n * 1024n],
  ['g', 1000n * 1000n * 1000n],
  ['gb', 1024n * 1024n * 1024n],
])
const ULLONG_MAX = 0xffff_ffff_ffff_ffffn
const LLONG_MAX = 0x7fff_ffff_ffff_ffffn
const MEMORY_DIGITS_MAX = 127

/** redis 7.0.15 util.c memtoull: no digits are zero, the product wraps at 2^64. */
export function parseMemory(text: string): bigint | undefined {
  const [, digits, unit] = /^(\d*)(.*)$/s.exec(text) as unknown as [string, string, string]
  const multiplier = MULTIPLIERS.get(unit.toLowerCase())
  if (multiplier === undefined || digits.length > MEMORY_DIGITS_MAX) return undefined
  const value = digits === '' ? 0n : BigInt(digits)
  return BigInt.asUintN(64, (value > ULLONG_MAX ? ULLONG_MAX : value) * multiplier)
}

const KB = 1024
const MB = 1024 * KB
const GB = 1024 * MB

/** redis 7.0.15 config.c rewriteConfigFormatMemory: the largest unit that divides it. */
export function formatMemory(bytes: number): string {
  if (bytes !== 0 && bytes % GB === 0) return `${formatInteger(bytes / GB)}gb`
  if (bytes !== 0 && bytes % MB === 0) return `${formatInteger(bytes / MB)}mb`
  if (bytes !== 0 && bytes % KB === 0) return `${formatInteger(bytes / KB)}kb`
  return formatInteger(bytes)
}

/** The whole text as C's strtoll() reads it: leading space and a sign are fine, and so is nothing at all (0). */
export function parseLongLong(text: string, radix: 8 | 10 = 10): bigint | undefined {
  const found = (radix === 8 ? /^\s*([+-]?)([0-7]+)$/ : /^\s*([+-]?)(\d+)$/).exec(text)
  if (found === null) return text === '' ? 0n : undefined
  const magnitude = BigInt(radix === 8 ? `0o${found[2]}` : found[2]!)
  const limit = found[1] === '-' ? LLONG_MAX + 1n : LLONG_MAX
  const value = magnitude > limit ? limit : magnitude
  return found[1] === '-' ? -value : value
}

/** The whole text as redis 7.0.15 util.c string2ll reads it: one spelling for each number. */
export function parseStrictInteger(text: string): bigint | undefined {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return undefined
  const value = BigInt(text)
  return BigInt.asIntN(64, value) === value ? value : undefined
}

/**
 * A 64-bit value as the largest number that is not above it: options beyond 2^53 mean "no limit", and one that rounds
 * up would not fit its own limits when it is set again.
 */
export function toNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number(value & ~0x7ffn) : Number(value)
}

/** Plain decimal digits, also where String() would use an exponent or round. */
export function formatInteger(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString()
}

// redis 7.0.15 server.h NOTIFY_*
export const NOTIFY_KEYSPACE = 1 << 0
export const NOTIFY_KEYEVENT = 1 << 1
export const NOTIFY_GENERIC = 1 << 2
export const NOTIFY_STRING = 1 << 3
export const NOTIFY_LIST = 1 << 4
export const NOTIFY_SET = 1 << 5
export const NOTIFY_HASH = 1 << 6
export const NOTIFY_ZSET = 1 << 7
export const NOTIFY_EXPIRED = 1 << 8
export const NOTIFY_EVICTED = 1 << 9
export const NOTIFY_STREAM = 1 << 10
/** Not part of NOTIFY_ALL, as is NOTIFY_NEW: both would be sent for nearly every command. */
export const NOTIFY_KEY_MISS = 1 << 11
export const NOTIFY_LOADED = 1 << 12
export const NOTIFY_MODULE = 1 << 13
export const NOTIFY_NEW = 1 << 14
export const NOTIFY_ALL =
  NOTIFY_GENERIC |
  NOTIFY_STRING |
  NOTIFY_LIST |
  NOTIFY_SET |
  NOTIFY_HASH |
  NOTIFY_ZSET |
  NOTIFY_EXPIRED |
  NOTIFY_EVICTED |
  NOTIFY_STREAM |
  NOTIFY_MODULE

/** In the order in which they are printed; those before `K` are printed as one `A` when NOTIFY_ALL is complete. */
const EVENT_CLASSES: readonly (readonly [string, number])[] = [
  ['g', NOTIFY_GENERIC],
  ['$', NOTIFY_STRING],
  ['l', NOTIFY_LIST],
  ['s', NOTIFY_SET],
  ['h', NOTIFY_HASH],
  ['z', NOTIFY_ZSET],
  ['x', NOTIFY_EXPIRED],
  ['e', NOTIFY_EVICTED],
  ['t', NOTIFY_STREAM],
  ['d', NOTIFY_MODULE],
  ['n', NOTIFY_NEW],
  ['K', NOTIFY_KEYSPACE],
  ['E', NOTIFY_KEYEVENT],
  ['m', NOTIFY_KEY_MISS],
]
const EVENT_BITS = new Map<string, number>([['A', NOTIFY_ALL], ...EVENT_CLASSES])

/** redis 7.0.15 notify.c keyspaceEventsStringToFlags */
export function parseKeyspaceEvents(classes: string): number | undefined {
  let flags = 0
  for (const letter of classes) {
    const bits = EVENT_BITS.get(letter)
    if (bits === undefined) return undefined
    flags |= bits
  }
  return flags
}

/** redis 7.0.15 notify.c keyspaceEventsFlagsToString; like there, `n` is not printed beside `A`. */
export function formatKeyspaceEvents(flags: number): string {
  const all = (flags & NOTIFY_ALL) === NOTIFY_ALL
  let text = all ? 'A' : ''
  for (const [letter, bit] of EVENT_CLASSES) {
    if (all && (bit & (NOTIFY_ALL | NOTIFY_NEW)) !== 0) continue
    if ((flags & bit) !== 0) text += letter
  }
  return text
}

export interface SavePoint {
  readonly seconds: number
  readonly changes: number
}

/** redis 7.0.15 config.c setConfigSaveOption */
export function parseSavePoints(args: readonly string[]): SavePoint[] | undefined {
  if (args.length % 2 !== 0) return undefined
  const points: SavePoint[] = []
  for (let i = 0; i < args.length; i += 2) {
    const seconds = parseLongLong(args[i]!)
    const changes = parseLongLong(args[i + 1]!)
    if (seconds === undefined || changes === undefined || seconds < 1n || changes < 0n) return undefined
    points.push({ seconds: toNumber(seconds), changes: toNumber(changes) })
  }
  return points
}

export function formatSavePoints(points: readonly SavePoint[]): string {
  return points.map((point) => `${point.seconds} ${point.changes}`).join(' ')
}

/** Zero bytes or seconds: no such limit. */
export interface OutputBufferLimit {
  readonly hardBytes: number
  readonly softBytes: number
  readonly softSeconds: number
}

export interface OutputBufferLimits {
  readonly normal: OutputBufferLimit
  readonly replica: OutputBufferLimit
  readonly pubsub: OutputBufferLimit
}

export type ClientClass = keyof OutputBufferLimits

/** In the order of redis 7.0.15 server.h CLIENT_TYPE_*. */
export const CLIENT_CLASSES: readonly ClientClass[] = ['normal', 'replica', 'pubsub']

const CLASS_NAMES = new Map<string, ClientClass>([
  ['normal', 'normal'],
  ['slave', 'replica'],
  ['replica', 'replica'],
  ['pubsub', 'pubsub'],
])

/** redis 7.0.15 config.c updateClientOutputBufferLimit: classes that are not named keep their limits. */
export function parseOutputBufferLimits(
  args: readonly string[],
  current: OutputBufferLimits,
): Parsed<OutputBufferLimits> {
  if (args.length % 4 !== 0) return refuse('Wrong number of arguments in buffer limit configuration.')
  const limits: Record<ClientClass, OutputBufferLimit> = { ...current }
  for (let i = 0; i < args.length; i += 4) {
    const name = CLASS_NAMES.get(args[i]!.toLowerCase())
    if (name === undefined) return refuse('Invalid client class specified in buffer limit configuration.')
    const hard = parseMemory(args[i + 1]!)
    const soft = parseMemory(args[i + 2]!)
    const seconds = parseLongLong(args[i + 3]!)
    if (hard === undefined || soft === undefined || seconds === undefined || seconds < 0n)
      return refuse('Error in hard, soft or soft_seconds setting in buffer limit configuration.')
    limits[name] = { hardBytes: toNumber(hard), softBytes: toNumber(soft), softSeconds: toNumber(seconds) }
  }
  return { value: limits }
}

/** As CONFIG GET shows them: plain bytes, and the replica class under its old name. */
export function formatOutputBufferLimits(limits: OutputBufferLimits): string {
  return CLIENT_CLASSES.map((name) => {
    const { hardBytes, softBytes, softSeconds } = limits[name]
    const shown = name === 'replica' ? 'slave' : name
    return `${shown} ${formatInteger(hardBytes)} ${formatInteger(softBytes)} ${softSeconds}`
  }).join(' ')
}

/** redis 7.0.15 config.c setConfigLatencyTrackingInfoPercentilesOutputOption */
export function parsePercentiles(args: readonly string[]): Parsed<number[]> {
  const percentiles: number[] = []
  for (const arg of args) {
    const bytes = Buffer.from(arg, 'utf8')
    const percentile = parseDouble(bytes, 0, bytes.length)
    if (Number.isNaN(percentile)) return refuse('Invalid latency-tracking-info-percentiles parameters')
    if (percentile > 100 || percentile < 0)
      return refuse('latency-tracking-info-percentiles parameters should sit between [0.0,100.0]')
    percentiles.push(percentile)
  }
  return { value: percentiles }
}

/** C's %f without trailing zeros (redis 7.0.15 util.c trimDoubleString). */
export function formatPercentile(percentile: number): string {
  return percentile.toFixed(6).replace(/\.?0+$/, '')
}

export function formatPercentiles(percentiles: readonly number[]): string {
  return percentiles.map(formatPercentile).join(' ')
}
