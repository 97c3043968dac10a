/** What CLIENT TRACKING pushes in RESP3: `>2 invalidate [key …]`, or a null in place of the keys for all of them. */

const INVALIDATE = '>2\r\n$10\r\ninvalidate\r\n'
const ASTERISK = 0x2a

/** The keys, as Latin-1; null: all keys; undefined: the frame is another push. */
export function readInvalidation(frame: Buffer): string[] | null | undefined {
  if (frame.latin1Slice(0, INVALIDATE.length) !== INVALIDATE) return undefined
  let pos = INVALIDATE.length
  if (frame[pos] !== ASTERISK) return null
  const numberAt = () => {
    const end = frame.indexOf(13, pos)
    const value = Number(frame.latin1Slice(pos + 1, end))
    pos = end + 2
    return value
  }
  const keys: string[] = []
  const count = numberAt()
  if (count < 0) return null
  for (let left = count; left > 0; left--) {
    const length = numberAt()
    keys.push(frame.latin1Slice(pos, pos + length))
    pos += length + 2
  }
  return keys
}
