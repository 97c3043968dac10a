/**
 * What a stream of requests leaves behind when a read ends inside a request: the bytes and the parser's place in them.
 * One buffer that is appended to, and moved or doubled when it is full, so that a request is neither parsed twice nor
 * copied more than a constant number of times however it is cut up.
 */
import { type ParserLimits, RequestParser } from './request-parser.ts'

/**
 * Buffers of finished large requests, kept for the next ones: fresh memory costs a page fault for each 4 KiB, and to the
 * garbage collector each is a reason to run. What is not taken again within two seconds is let go.
 */
const spare: Buffer[] = []
let spareBytes = 0
/** As many bytes of them were not in use at any time since the last look. */
let unusedBytes = 0
let letGo: NodeJS.Timeout | null = null
const SPARE_MIN_BYTES = 64 * 1024
const SPARE_MAX_BYTES = 4 * 1024 * 1024
const SPARE_TOTAL_BYTES = 128 * 1024 * 1024
const LET_GO_MS = 1000

function takeBuffer(bytes: number): Buffer {
  if (bytes < SPARE_MIN_BYTES) return Buffer.allocUnsafeSlow(bytes)
  // A power of two, so that those of like requests fit each other.
  const size = bytes > SPARE_MAX_BYTES ? bytes : 2 ** Math.ceil(Math.log2(bytes))
  for (let i = spare.length - 1; i >= 0; i--) {
    const buffer = spare[i]!
    if (buffer.length !== size) continue
    spare[i] = spare.at(-1)!
    spare.pop()
    spareBytes -= size
    unusedBytes = Math.min(unusedBytes, spareBytes)
    return buffer
  }
  return Buffer.allocUnsafeSlow(size)
}

function giveBack(buffer: Buffer): void {
  const size = buffer.length
  if (size < SPARE_MIN_BYTES || size > SPARE_MAX_BYTES || spareBytes + size > SPARE_TOTAL_BYTES) return
  spare.push(buffer)
  spareBytes += size
  letGo ??= setInterval(letGoUnused, LET_GO_MS).unref()
}

function letGoUnused(): void {
  // The oldest are in front.
  while (unusedBytes > 0 && spare.length > 0) {
    const { length } = spare.shift()!
    spareBytes -= length
    unusedBytes -= length
  }
  unusedBytes = spareBytes
  if (spareBytes > 0 || letGo === null) return
  clearInterval(letGo)
  letGo = null
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

  get unconsumed(): Buffer {
    return this.#buf.subarray(this.parser.requestStart, this.#end)
  }

  /** Those behind the arguments of the unfinished request that are complete. */
  get unreadBytes(): number {
    return this.#end - this.parser.pos
  }

  get capacity(): number {
    return this.#buf.length
  }

  /** Nothing of it is needed any more, and nobody refers to its bytes. */
  release(): void {
    giveBack(this.#buf)
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
        giveBack(this.#buf)
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
