/**
 * What both representations of a HyperLogLog share: the header, and which register an element counts in. The value is a
 * string, and its bytes are those that redis-server has.
 *
 *    0..3     "HYLL"
 *    4        0 dense, 1 sparse
 *    5..7     zero
 *    8..15    cached cardinality, little endian; the highest bit says that it is out of date
 *    16..     dense: 16384 registers of 6 bits; sparse: run lengths (hyperloglog-sparse.ts)
 */
import { MurmurHash64 } from '../../bytes/murmur-hash.ts'

export const HLL_HEADER = 16
export const HLL_DENSE = 0
export const HLL_SPARSE = 1

/** Bits of the hash that choose the register, and those in which zeros are counted. */
const INDEX_BITS = 14
export const HLL_RANK_BITS = 64 - INDEX_BITS
export const HLL_REGISTERS = 1 << INDEX_BITS
export const HLL_DENSE_BYTES = HLL_HEADER + (HLL_REGISTERS * 6) / 8

const MAGIC = [0x48, 0x59, 0x4c, 0x4c]
const ENCODING_AT = 4
const CACHE_AT = 8
const CACHE_LAST_AT = 15
const OUT_OF_DATE = 0x80

const SEED = 0xadc83b19
const murmur = new MurmurHash64()

/** redis 7.0.15 hyperloglog.c isHLLObjectOrReply */
export function isHyperLogLog(bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start
  if (length < HLL_HEADER) return false
  for (let i = 0; i < MAGIC.length; i++) if (bytes[start + i] !== MAGIC[i]) return false
  const encoding = bytes[start + ENCODING_AT]!
  return encoding === HLL_SPARSE || (encoding === HLL_DENSE && length === HLL_DENSE_BYTES)
}

export function isDense(bytes: Uint8Array, start: number): boolean {
  return bytes[start + ENCODING_AT] === HLL_DENSE
}

/** The header of an empty one; its cardinality, 0, is valid. */
export function writeHeader(bytes: Uint8Array, start: number, encoding: number): void {
  bytes.fill(0, start, start + HLL_HEADER)
  bytes.set(MAGIC, start)
  bytes[start + ENCODING_AT] = encoding
}

/** Header of the dense form of what begins at `from`: the cached cardinality stays. */
export function copyHeaderAsDense(bytes: Uint8Array, from: number, to: Uint8Array): void {
  to.set(bytes.subarray(from, from + HLL_HEADER), 0)
  to[ENCODING_AT] = HLL_DENSE
}

export function invalidateCache(bytes: Uint8Array, start: number): void {
  bytes[start + CACHE_LAST_AT]! |= OUT_OF_DATE
}

/** The cached cardinality, undefined if it is out of date. */
export function cachedCardinality(bytes: Buffer, start: number): number | bigint | undefined {
  if ((bytes[start + CACHE_LAST_AT]! & OUT_OF_DATE) !== 0) return undefined
  const high = bytes.readUInt32LE(start + CACHE_AT + 4)
  if (high >= 2 ** 21) return bytes.readBigInt64LE(start + CACHE_AT)
  return high * 2 ** 32 + bytes.readUInt32LE(start + CACHE_AT)
}

/** `cardinality` is an integer in the range of 64 signed bits. */
export function writeCardinality(bytes: Buffer, start: number, cardinality: number): void {
  bytes.writeBigInt64LE(BigInt(cardinality), start + CACHE_AT)
}

/** The register of an element, and its rank there: how many bits of the hash there are up to the first that is set. */
export class HashedElement {
  index = 0
  rank = 0

  /** redis 7.0.15 hyperloglog.c hllPatLen */
  hash(bytes: Uint8Array, start: number, end: number): void {
    murmur.hash(bytes, start, end, SEED)
    const { low, high } = murmur
    this.index = low & (HLL_REGISTERS - 1)
    const first = low >>> INDEX_BITS
    if (first !== 0) this.rank = trailingZeros(first) + 1
    else if (high !== 0) this.rank = 32 - INDEX_BITS + trailingZeros(high) + 1
    else this.rank = HLL_RANK_BITS + 1
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word)
}
