/**
 * What a stream of requests leaves behind when a read ends inside a request: the bytes and the parser's place in them.
 * One buffer that is appended to, and moved or doubled when it is full, so that a request is neither parsed twice nor
 * copied more than a constant number of times however it is cut up.
 */
import { type ParserLimits, RequestParser } from './request-parser.ts'

/** Buffers of finished large requests, kept for the next: fresh memory costs a page fault for each 4 KiB. */
const spare: Buffer[] = []
const SPARE_MIN_BYTES = 64 * 1024
const SPARE_MAX_BYTES = 4 * 1024 * 1024
const SPARE_COUNT = 8

function takeBuffer(bytes: number): Buffer {
  const at = spare.findIndex((buffer) => buffer.length >= bytes && buffer.length <= bytes * 4)
  if (at < 0) return Buffer.allocUnsafeSlow(bytes)
  return spare.splice(at, 1)[0]!
}

const INITIAL_BYTES = 16 * 1024
const AHEAD_BYTES = 1024 * 1024

export class Unfinished {
  readonly parser: RequestParser
  #buf: Buffer
  #end: number

  /** Takes over from `parser`, which has stopped inside chunk[0, length). The chunk may be reused afterwards. */
  constructor(limits: ParserLimits, parser: RequestParser, chunk: Buffer, length: number) {
    const from = parser.requestStart
    this.#end = length - from
    const capacity = Math.max(INITIAL_BYTES, this.#end + Math.min(parser.missingBytes, AHEAD_BYTES))
    this.#buf = takeBuffer(capacity)
    chunk.copy(this.#buf, 0, from, length)
    this.parser = new RequestParser(limits)
    this.parser.adopt(parser)
    this.parser.rebase(this.#buf, from, this.#end)
  }

  /** Bytes not consumed by finished requests. */
  get bytes(): number {
    return this.#end - this.parser.requestStart
  }

  get capacity(): number {
    return this.#buf.length
  }

  /** Nothing of it is needed any more, and nobody refers to its bytes. */
  release(): void {
    const buf = this.#buf
    if (buf.length >= SPARE_MIN_BYTES && buf.length <= SPARE_MAX_BYTES && spare.length < SPARE_COUNT) spare.push(buf)
    this.#buf = EMPTY
  }

  append(chunk: Buffer, length: number): void {
    const { parser } = this
    let shift = 0
    if (this.#end + length > this.#buf.length) {
      shift = parser.requestStart
      const kept = this.#end - shift
      const wanted = kept + Math.max(length, Math.min(parser.missingBytes, kept * 2 + AHEAD_BYTES))
      if (wanted > this.#buf.length) {
        const grown = takeBuffer(Math.max(wanted, Math.min(this.#buf.length * 2, kept + 64 * AHEAD_BYTES)))
        this.#buf.copy(grown, 0, shift, this.#end)
        this.#buf = grown
      } else {
        this.#buf.copyWithin(0, shift, this.#end)
      }
      this.#end = kept
    }
    chunk.copy(this.#buf, this.#end, 0, length)
    this.#end += length
    parser.rebase(this.#buf, shift, this.#end)
  }
}

const EMPTY = Buffer.alloc(0)
