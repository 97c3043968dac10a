/**
 * What a stream of requests leaves behind when a read ends inside a request: the bytes and the parser's place in them.
 * One buffer that is appended to, and moved or doubled when it is full, so that a request is neither parsed twice nor
 * copied more than a constant number of times however it is cut up.
 */
import { type ParserLimits, RequestParser } from './request-parser.ts'

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
    this.#buf = Buffer.allocUnsafeSlow(capacity)
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

  append(chunk: Buffer, length: number): void {
    const { parser } = this
    let shift = 0
    if (this.#end + length > this.#buf.length) {
      shift = parser.requestStart
      const kept = this.#end - shift
      const wanted = kept + Math.max(length, Math.min(parser.missingBytes, kept * 2 + AHEAD_BYTES))
      if (wanted > this.#buf.length) {
        const grown = Buffer.allocUnsafeSlow(Math.max(wanted, Math.min(this.#buf.length * 2, kept + 64 * AHEAD_BYTES)))
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
