/**
 * Where replies end: RESP2 and RESP3 frames in a stream of bytes, found without decoding or copying anything. The scanner
 * keeps its place across chunks, so a reply of any size is looked at once; nesting needs no stack, only the number of
 * elements that are still missing (an aggregate adds its own).
 */

export const UNFINISHED = -1
export const BROKEN = -2

const LF = 10
const KIND_LINE = 1
const KIND_BULK = 2
const KIND_ELEMENTS = 3
const KIND_PAIRS = 4
const KIND_ATTRIBUTE = 5

const KINDS = new Uint8Array(256)
for (const type of '+-:,(_#') KINDS[type.charCodeAt(0)] = KIND_LINE
for (const type of '$=!') KINDS[type.charCodeAt(0)] = KIND_BULK
for (const type of '*~>') KINDS[type.charCodeAt(0)] = KIND_ELEMENTS
KINDS['%'.charCodeAt(0)] = KIND_PAIRS
KINDS['|'.charCodeAt(0)] = KIND_ATTRIBUTE

export class FrameScanner {
  /** First byte of the frame under way or found last. */
  type = 0
  /** Elements that the frame still lacks; 0 between frames. */
  #missing = 0
  /** Bytes of a bulk, with its CRLF, not seen yet. */
  #skip = 0
  /** Kind of the line under way, 0 at the beginning of one. */
  #kind = 0
  #count = 0
  #negative = false

  /** Looks at bytes[from, end): the index behind the frame, UNFINISHED (its rest comes in the next call), or BROKEN. */
  next(bytes: Uint8Array, from: number, end: number): number {
    let pos = from
    for (;;) {
      if (this.#skip > 0) {
        const taken = Math.min(this.#skip, end - pos)
        pos += taken
        this.#skip -= taken
        if (this.#skip > 0) return UNFINISHED
        if (--this.#missing === 0) return pos
      }
      if (pos >= end) return UNFINISHED
      if (this.#kind === 0) {
        const type = bytes[pos++]!
        this.#kind = KINDS[type]!
        if (this.#kind === 0) return BROKEN
        this.#count = 0
        this.#negative = false
        if (this.#missing === 0) {
          this.type = type
          this.#missing = 1
        }
      }
      pos = this.#line(bytes, pos, end)
      if (pos < 0) return UNFINISHED
      if (this.#missing === 0) return pos
    }
  }

  /** The rest of a line; the index behind it, or UNFINISHED. */
  #line(bytes: Uint8Array, from: number, end: number): number {
    let pos = from
    const kind = this.#kind
    if (kind === KIND_LINE) {
      while (pos < end) {
        if (bytes[pos++] !== LF) continue
        this.#kind = 0
        this.#missing--
        return pos
      }
      return UNFINISHED
    }
    while (pos < end) {
      const byte = bytes[pos++]!
      if (byte === LF) {
        this.#kind = 0
        this.#counted(kind)
        return pos
      }
      if (byte >= 48 && byte <= 57) this.#count = this.#count * 10 + byte - 48
      else if (byte === 45) this.#negative = true
    }
    return UNFINISHED
  }

  #counted(kind: number): void {
    const count = this.#count
    // A null of RESP2.
    if (this.#negative) this.#missing--
    else if (kind === KIND_BULK) this.#skip = count + 2
    else if (kind === KIND_ELEMENTS) this.#missing += count - 1
    else if (kind === KIND_PAIRS) this.#missing += count * 2 - 1
    // An attribute stands before the element that it belongs to.
    else this.#missing += count * 2
  }
}
