/**
 * The slot of a key in a cluster: CRC16 (CCITT, polynomial 0x1021, as in XMODEM) of the key, or of what stands between
 * its first `{` and the next `}` if that is not empty, modulo 16,384. redis 7.0.15 cluster.c keyHashSlot, crc16.c
 */

export const SLOTS = 16384
const OPEN = 0x7b
const CLOSE = 0x7d

const TABLE = new Uint16Array(256)
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) !== 0 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff
  TABLE[byte] = crc
}

/** Of bytes[start, end). */
export function keySlot(bytes: Uint8Array, start: number, end: number): number {
  let from = start
  let to = end
  let open = start
  while (open < end && bytes[open] !== OPEN) open++
  if (open < end) {
    let close = open + 1
    while (close < end && bytes[close] !== CLOSE) close++
    if (close < end && close > open + 1) {
      from = open + 1
      to = close
    }
  }
  let crc = 0
  for (let i = from; i < to; i++) crc = ((crc << 8) & 0xffff) ^ TABLE[((crc >> 8) ^ bytes[i]!) & 0xff]!
  return crc & (SLOTS - 1)
}
