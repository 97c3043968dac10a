/**
 * The numbers of the RDB format, with the version that brought each (redis 7.0.15 rdb.h, later ones from the sources of
 * Redis 7.2 to 8 and Valkey 9), and the one error of this folder. We write version 10 with the plain types, which any
 * server since Redis 7.0 reads.
 *
 *   "REDIS0010"  AUX*  FUNCTION*  ( SELECTDB n  RESIZEDB k e  ( EXPIRETIME_MS t? IDLE|FREQ? TYPE key value )* )*  EOF crc64
 *
 *   length   00xxxxxx | 01xxxxxx xxxxxxxx | 10000000 u32be | 10000001 u64be
 *   string   length bytes | 11000000 i8 | 11000001 i16le | 11000010 i32le | 11000011 length(compressed) length(original) LZF
 */
export const RDB_VERSION = 10
/** The newest of Redis's own versions whose types below are all known by name. */
export const RDB_VERSION_NEWEST = 12
/** Valkey 9 counts from 80 and begins its files with VALKEY080. */
export const RDB_VERSION_VALKEY = 80
export const HEADER_LENGTH = 9
export const CHECKSUM_LENGTH = 8

export const LENGTH_14BIT = 1
export const LENGTH_32BIT = 0x80
export const LENGTH_64BIT = 0x81
/** The two upper bits of a string that is not length and bytes; the lower six say what it is. */
export const LENGTH_ENCODED = 3
export const STRING_INT8 = 0
export const STRING_INT16 = 1
export const STRING_INT32 = 2
export const STRING_LZF = 3

export const OPCODE_SLOT_INFO = 244 // 12
export const OPCODE_FUNCTION2 = 245 // 10
export const OPCODE_FUNCTION_PRE_GA = 246 // 10, in release candidates of Redis 7.0 only
export const OPCODE_MODULE_AUX = 247 // 9
export const OPCODE_IDLE = 248 // 9
export const OPCODE_FREQ = 249 // 9
export const OPCODE_AUX = 250 // 7
export const OPCODE_RESIZEDB = 251 // 7
export const OPCODE_EXPIRETIME_MS = 252 // 3
export const OPCODE_EXPIRETIME = 253 // 1
export const OPCODE_SELECTDB = 254 // 1
export const OPCODE_EOF = 255 // 1

export const MODULE_EOF = 0
export const MODULE_SINT = 1
export const MODULE_UINT = 2
export const MODULE_FLOAT = 3
export const MODULE_DOUBLE = 4
export const MODULE_STRING = 5

export const RDB_STRING = 0 // 1
export const RDB_LIST = 1 // 1
export const RDB_SET = 2 // 1
export const RDB_ZSET = 3 // 1, scores as text
export const RDB_HASH = 4 // 1
export const RDB_ZSET_2 = 5 // 8, scores as doubles
export const RDB_HASH_ZIPMAP = 9 // 2
export const RDB_LIST_ZIPLIST = 10 // 2
export const RDB_SET_INTSET = 11 // 2
export const RDB_ZSET_ZIPLIST = 12 // 2
export const RDB_HASH_ZIPLIST = 13 // 4
export const RDB_LIST_QUICKLIST = 14 // 7, nodes are ziplists
export const RDB_STREAM = 15 // 9
export const RDB_HASH_LISTPACK = 16 // 10
export const RDB_ZSET_LISTPACK = 17 // 10
export const RDB_LIST_QUICKLIST_2 = 18 // 10, nodes are listpacks or single elements
export const RDB_STREAM_2 = 19 // 10, with counts of entries added and read
export const RDB_SET_LISTPACK = 20 // 11
export const RDB_STREAM_3 = 21 // 11, consumers have an active time

/** Containers of RDB_LIST_QUICKLIST_2's nodes. */
export const NODE_PLAIN = 1
export const NODE_PACKED = 2

/** What each type byte is, for messages; those that no constant above names are known but not supported. */
const TYPE_DESCRIPTIONS: Readonly<Record<number, string>> = {
  [RDB_STRING]: 'string',
  [RDB_LIST]: 'list',
  [RDB_SET]: 'set',
  [RDB_ZSET]: 'sorted set with scores as text',
  [RDB_HASH]: 'hash',
  [RDB_ZSET_2]: 'sorted set',
  6: 'module value of before RDB 9',
  7: 'module value',
  [RDB_HASH_ZIPMAP]: 'hash as zipmap',
  [RDB_LIST_ZIPLIST]: 'list as ziplist',
  [RDB_SET_INTSET]: 'set as intset',
  [RDB_ZSET_ZIPLIST]: 'sorted set as ziplist',
  [RDB_HASH_ZIPLIST]: 'hash as ziplist',
  [RDB_LIST_QUICKLIST]: 'list of ziplists',
  [RDB_STREAM]: 'stream',
  [RDB_HASH_LISTPACK]: 'hash as listpack',
  [RDB_ZSET_LISTPACK]: 'sorted set as listpack',
  [RDB_LIST_QUICKLIST_2]: 'list of listpacks',
  [RDB_STREAM_2]: 'stream of RDB 10',
  [RDB_SET_LISTPACK]: 'set as listpack',
  [RDB_STREAM_3]: 'stream of RDB 11',
  22: 'hash with expiring fields',
  23: 'hash as listpack with expiring fields',
  24: 'hash with expiring fields',
  25: 'hash as listpack with expiring fields',
}

export function describeType(type: number): string {
  const description = TYPE_DESCRIPTIONS[type]
  return description === undefined ? `type ${type}` : `type ${type}, ${description}`
}

/** A type byte that some server writes, though not necessarily one that we read. */
export function isKnownType(type: number): boolean {
  return TYPE_DESCRIPTIONS[type] !== undefined
}

/** Bytes as they are, printable: for keys in messages. */
export function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 128)).toString('latin1')
  const escaped = text.replace(/[\\'\x00-\x1f\x7f-\xff]/g, (char) => {
    return char === '\\' || char === "'" ? `\\${char}` : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return bytes.length > 128 ? `${escaped}…` : escaped
}

export type RdbErrorCode =
  | 'RDB_SIGNATURE' // not an RDB stream
  | 'RDB_VERSION'
  | 'RDB_TRUNCATED'
  | 'RDB_CORRUPT'
  | 'RDB_CHECKSUM'
  | 'RDB_UNSUPPORTED' // a value that this server does not have
  | 'RDB_DATABASE' // a database number beyond those configured
  | 'RDB_DUPLICATE_KEY'
  | 'RDB_FUNCTION' // a function library that cannot be loaded

/** `reason` is Redis's words where it has some; the message adds the place. */
export class RdbError extends Error {
  readonly code: RdbErrorCode
  readonly reason: string
  /** Bytes from the beginning of the stream or payload. */
  readonly offset: number
  /** What was being read. */
  readonly reading: string
  readonly key: Buffer | undefined
  readonly type: number | undefined

  constructor(code: RdbErrorCode, reason: string, offset: number, reading: string, key?: Buffer, type?: number) {
    super(reading === '' ? `${reason} at offset ${offset}` : `${reason} at offset ${offset} while reading ${reading}`)
    this.name = 'RdbError'
    this.code = code
    this.reason = reason
    this.offset = offset
    this.reading = reading
    this.key = key
    this.type = type
  }
}
