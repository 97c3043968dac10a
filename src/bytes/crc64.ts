/**
 * CRC-64/Jones, the checksum at the end of an RDB stream and of a DUMP payload: polynomial ad93d23594c935a9, reflected, first
 * value 0, nothing xored at the end (redis 7.0.15 crc64.c). A JavaScript number has no 64-bit xor, so the value is two 32-bit
 * halves, and eight bytes are taken at a time through eight tables (slicing by 8, as crcspeed.c): byte k of the
 * eight, xored into the value, is looked up in table 7 - k. BigInt appears nowhere; it would cost a heap number a byte.
 *
 *   TABLES: Int32Array   table 0: [low, high] × 256 | table 1: [low, high] × 256 | … | table 7
 */
const POLYNOMIAL_LOW = 0xac4bc9b5 | 0
const POLYNOMIAL_HIGH = 0x95ac9329 | 0
const TABLES = buildTables()

function buildTables(): Int32Array {
  const tables = new Int32Array(8 * 512)
  for (let byte = 0; byte < 256; byte++) {
    let low = byte
    let high = 0
    for (let bit = 0; bit < 8; bit++) {
      const odd = low & 1
      low = (low >>> 1) | (high << 31)
      high >>>= 1
      if (odd) {
        low ^= POLYNOMIAL_LOW
        high ^= POLYNOMIAL_HIGH
      }
    }
    tables[byte * 2] = low
    tables[byte * 2 + 1] = high
  }
  for (let at = 512; at < tables.length; at += 2) {
    const low = tables[at - 512]!
    const high = tables[at - 511]!
    const next = (low & 0xff) * 2
    tables[at] = ((low >>> 8) | (high << 24)) ^ tables[next]!
    tables[at + 1] = (high >>> 8) ^ tables[next + 1]!
  }
  return tables
}

export class Crc64 {
  #low = 0
  #high = 0

  reset(): void {
    this.#low = 0
    this.#high = 0
  }

  /** The upper and lower 32 bits, unsigned. */
  get hi(): number {
    return this.#high >>> 0
  }

  get lo(): number {
    return this.#low >>> 0
  }

  update(buf: Uint8Array, start: number, end: number): void {
    const t = TABLES
    let low = this.#low
    let high = this.#high
    let pos = start
    for (const whole = end - 7; pos < whole; pos += 8) {
      low ^= buf[pos]! | (buf[pos + 1]! << 8) | (buf[pos + 2]! << 16) | (buf[pos + 3]! << 24)
      high ^= buf[pos + 4]! | (buf[pos + 5]! << 8) | (buf[pos + 6]! << 16) | (buf[pos + 7]! << 24)
      const a = 3584 + ((low & 0xff) << 1)
      const b = 3072 + ((low >>> 7) & 0x1fe)
      const c = 2560 + ((low >>> 15) & 0x1fe)
      const d = 2048 + ((low >>> 23) & 0x1fe)
      const e = 1536 + ((high & 0xff) << 1)
      const f = 1024 + ((high >>> 7) & 0x1fe)
      const g = 512 + ((high >>> 15) & 0x1fe)
      const h = (high >>> 23) & 0x1fe
      low = t[a]! ^ t[b]! ^ t[c]! ^ t[d]! ^ t[e]! ^ t[f]! ^ t[g]! ^ t[h]!
      high = t[a + 1]! ^ t[b + 1]! ^ t[c + 1]! ^ t[d + 1]! ^ t[e + 1]! ^ t[f + 1]! ^ t[g + 1]! ^ t[h + 1]!
    }
    for (; pos < end; pos++) {
      const at = ((low ^ buf[pos]!) & 0xff) << 1
      low = ((low >>> 8) | (high << 24)) ^ t[at]!
      high = (high >>> 8) ^ t[at + 1]!
    }
    this.#low = low
    this.#high = high
  }

  /** Writes the eight bytes, least significant first, as files and DUMP payloads hold them. */
  writeLE(buf: Uint8Array, pos: number): void {
    for (let at = 0; at < 4; at++) {
      buf[pos + at] = this.#low >>> (at * 8)
      buf[pos + 4 + at] = this.#high >>> (at * 8)
    }
  }

  matchesLE(buf: Uint8Array, pos: number): boolean {
    for (let at = 0; at < 4; at++) {
      if (buf[pos + at] !== ((this.#low >>> (at * 8)) & 0xff)) return false
      if (buf[pos + 4 + at] !== ((this.#high >>> (at * 8)) & 0xff)) return false
    }
    return true
  }
}
