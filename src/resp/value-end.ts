/** Where a RESP2 or RESP3 value of this server's own making ends: its bytes are complete and well-formed. */

const CR = 0x0d
const PER_ELEMENT: Readonly<Record<string, number>> = { '*': 1, '~': 1, '>': 1, '%': 2, '|': 2 }
const BULKS = '$=!'

/** The index behind the value that starts at `start`. */
export function valueEnd(bytes: Buffer, start: number): number {
  let at = start
  for (let missing = 1; missing > 0 && at < bytes.length; missing--) {
    const type = String.fromCharCode(bytes[at]!)
    const lineEnd = bytes.indexOf(CR, at) + 2
    if (lineEnd === 1) return bytes.length
    const each = PER_ELEMENT[type]
    const length = each === undefined && !BULKS.includes(type) ? 0 : Number(bytes.latin1Slice(at + 1, lineEnd - 2))
    at = lineEnd
    if (each !== undefined) missing += Math.max(0, length) * each
    // An attribute comes before the value that it belongs to.
    if (type === '|') missing++
    if (BULKS.includes(type) && length >= 0) at += length + 2
  }
  return Math.min(at, bytes.length)
}
