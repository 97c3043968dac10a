/**
 * Layout of a record, the bytes of one key in a slab chunk:
 *
 *    0        type (low 4 bits) | encoding (high 4 bits)
 *    1        flags (low 4 bits) | walk mark (high 4 bits, see walk.ts)
 *    2..4     access clock: LRU seconds, or LFU minutes (16 bits) and counter (8 bits)
 *    5        key length 0..255; longer keys are kept as an object and this is unused
 *    6..7     value length u16
 *    8..15    only with EXPIRES: expire time, a double of Unix milliseconds
 *    then     key bytes (LONG_KEY: u32 object handle), value bytes (HANDLE: u32 object handle)
 *
 * A chunk is at most 8 KiB. A value that does not fit, or that is a structure, lives behind a handle.
 */
export const TYPE_STRING = 0
export const TYPE_LIST = 1
export const TYPE_SET = 2
export const TYPE_ZSET = 3
export const TYPE_HASH = 4
export const TYPE_STREAM = 6
export type ValueType = 0 | 1 | 2 | 3 | 4 | 6

/** Names as TYPE and SCAN … TYPE use them, by type number. */
export const TYPE_NAMES = ['string', 'list', 'set', 'zset', 'hash', 'module', 'stream'] as const

/** A string whose OBJECT ENCODING follows from its bytes: int, embstr or raw. */
export const ENCODING_AUTO = 0
/** A string that was changed in place (APPEND, SETRANGE, SETBIT): raw whatever it holds. */
export const ENCODING_RAW = 1
export const ENCODING_LISTPACK = 2
export const ENCODING_INTSET = 3
export const ENCODING_HASHTABLE = 4
export const ENCODING_QUICKLIST = 5
export const ENCODING_SKIPLIST = 6
export const ENCODING_STREAM = 7

/** A string that is no integer to Redis even if it reads as one: what INCRBYFLOAT leaves. */
export const ENCODING_TEXT = 8

export const ENCODING_NAMES = [
  'auto',
  'raw',
  'listpack',
  'intset',
  'hashtable',
  'quicklist',
  'skiplist',
  'stream',
  'text',
] as const

export const FLAG_EXPIRES = 1
export const FLAG_LONG_KEY = 2
export const FLAG_HANDLE = 4

export const HEADER_BYTES = 8
export const MAX_KEY_IN_RECORD = 255
export const NO_EXPIRE = -1

/** Byte of the segment where the value begins. */
export function valueOffset(segment: Uint8Array, at: number, flags: number): number {
  const key = at + HEADER_BYTES + ((flags & FLAG_EXPIRES) << 3)
  return (flags & FLAG_LONG_KEY) !== 0 ? key + 4 : key + segment[at + 5]!
}
