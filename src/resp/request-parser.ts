/**
 * Requests out of a byte stream, as offsets into the buffer that they arrived in (redis 7.0.15 networking.c
 * processInlineBuffer, processMultibulkBuffer). The parser keeps its place inside an unfinished request, so a request
 * of a million arguments that arrives in small pieces is still read once; `rebase()` says that the unread bytes have
 * been moved. Malformed input yields Redis's own text in `error`; the connection answers it and closes.
 */
import { splitLine } from './inline.ts'
import { protocolError } from './protocol-error.ts'
import { Request } from './request.ts'

export const INCOMPLETE = 0
export const COMPLETE = 1
export const FAILED = -1

const INLINE_MAX_BYTES = 64 * 1024
/** Room in the further requests of a batch; it grows. */
const BATCH_ARGUMENTS = 8
const COUNT_MAX = 0x7fffffff
const CR = 13
const LF = 10
const NOT_A_LENGTH = -2

export interface ParserLimits {
  /** proto-max-bulk-len, bytes. */
  maxBulkBytes: number
}

export class RequestParser {
  request = new Request()
  /** The requests of nextBatch(). */
  readonly batch: Request[] = [this.request]
  /** Why nextBatch() stopped: COMPLETE when it had as many as it wanted. */
  status = COMPLETE
  error = ''
  /** First byte that no finished request has consumed. */
  pos = 0
  /** Applies the limits of a client that still has to authenticate: 10 arguments of 16 KiB. */
  unauthenticated = false

  #buf: Buffer = this.request.buf
  #end = 0
  #start = 0
  #remaining = 0
  #bulkLength = -1
  #limits: ParserLimits

  constructor(limits: ParserLimits) {
    this.#limits = limits
  }

  /** Starts on fresh bytes, with no request under way. */
  begin(buf: Buffer, start: number, end: number): void {
    this.#buf = buf
    this.pos = start
    this.#start = start
    this.#end = end
    this.#remaining = 0
    this.#bulkLength = -1
  }

  /** First byte of the unfinished request: bytes before it are no longer needed. */
  get requestStart(): number {
    return this.#start
  }

  get midRequest(): boolean {
    return this.#remaining > 0 || this.pos < this.#end
  }

  /** Bytes that the argument under way still lacks; 0 when its length is not known yet. */
  get missingBytes(): number {
    return this.#bulkLength < 0 ? 0 : Math.max(0, this.pos + this.#bulkLength + 2 - this.#end)
  }

  /** The same bytes are now at `start - shift` of `buf`, and more may have been added up to `end`. */
  rebase(buf: Buffer, shift: number, end: number): void {
    if (shift !== 0) {
      const { starts, ends, argc } = this.request
      for (let i = 0; i < argc; i++) {
        starts[i]! -= shift
        ends[i]! -= shift
      }
      this.pos -= shift
      this.#start -= shift
    }
    this.#buf = buf
    this.#end = end
  }

  /** Takes over the place of another parser inside its unfinished request. */
  adopt(other: RequestParser): void {
    for (let i = 0; i < other.request.argc; i++) this.request.addArgument(other.request.start(i), other.request.end(i))
    this.pos = other.pos
    this.unauthenticated = other.unauthenticated
    this.#start = other.#start
    this.#remaining = other.#remaining
    this.#bulkLength = other.#bulkLength
  }

  /** COMPLETE: `request` holds the next one (argc 0 for an empty line). INCOMPLETE: more bytes. FAILED: see `error`. */
  next(): number {
    const request = this.request
    if (this.#remaining === 0) {
      if (this.pos >= this.#end) return INCOMPLETE
      request.argc = 0
      request.hashed = false
      request.from = this.pos
      this.#start = this.pos
      if (this.#buf[this.pos] !== 42) return this.#inline()
      const count = this.#length(protocolError.tooBigMultibulkCount)
      if (count < 0) return count === INCOMPLETE_LENGTH ? INCOMPLETE : this.#badCount(count)
      if (count > COUNT_MAX) return this.#fail(protocolError.invalidMultibulkLength)
      if (count > 10 && this.unauthenticated) return this.#fail(protocolError.unauthenticatedMultibulkLength)
      if (count === 0) return this.#complete()
      this.#remaining = count
    }
    return this.#arguments()
  }

  /** Parses up to `max` requests, so that their keys can be looked up together: `batch` holds them. Their number. */
  nextBatch(max: number): number {
    const { batch } = this
    // A request that was under way is the first to be completed.
    if (this.request !== batch[0]) {
      batch[batch.indexOf(this.request)] = batch[0]!
      batch[0] = this.request
    }
    let count = 0
    for (;;) {
      this.status = this.next()
      if (this.status !== COMPLETE || ++count === max) return count
      if (count === batch.length) batch.push(new Request(BATCH_ARGUMENTS))
      this.request = batch[count]!
    }
  }

  /** This request of the batch and those behind it have not run: they will be parsed again. */
  rewind(request: Request): void {
    this.pos = request.from
    this.#start = request.from
    this.#remaining = 0
    this.#bulkLength = -1
  }

  #badCount(count: number): number {
    if (count === FAILED_LENGTH) return FAILED
    if (count === NOT_A_LENGTH) return this.#fail(protocolError.invalidMultibulkLength)
    return this.#complete()
  }

  #arguments(): number {
    const request = this.request
    const buf = this.#buf
    while (this.#remaining > 0) {
      if (this.#bulkLength < 0) {
        if (this.pos >= this.#end) return INCOMPLETE
        const dollar = buf[this.pos]!
        const length = this.#length(protocolError.tooBigBulkCount)
        if (length === INCOMPLETE_LENGTH) return INCOMPLETE
        if (length === FAILED_LENGTH) return FAILED
        if (dollar !== 36) return this.#fail(protocolError.expectedDollar(dollar))
        if (length < 0 || length > this.#limits.maxBulkBytes) return this.#fail(protocolError.invalidBulkLength)
        if (length > 16384 && this.unauthenticated) return this.#fail(protocolError.unauthenticatedBulkLength)
        this.#bulkLength = length
      }
      const end = this.pos + this.#bulkLength
      if (end + 2 > this.#end) return INCOMPLETE
      request.addArgument(this.pos, end)
      this.pos = end + 2
      this.#bulkLength = -1
      this.#remaining--
    }
    return this.#complete()
  }

  /**
   * The number between the type byte at `pos` and the line end; moves `pos` behind the line. Like Redis it looks for
   * '\r' only and takes the byte after it unseen. Negative numbers are given as MINUS_LENGTH.
   */
  #length(tooBig: string): number {
    const buf = this.#buf
    const end = this.#end
    let at = this.pos + 1
    let value = 0
    let digits = 0
    for (; at < end; at++) {
      const digit = buf[at]! - 48
      if (digit < 0 || digit > 9 || digits > 15) break
      value = value * 10 + digit
      digits++
    }
    // The fast way: plain digits without a leading zero, then CR and one more byte.
    if (at + 1 < end && buf[at] === CR && digits > 0 && (digits === 1 || buf[this.pos + 1] !== 48)) {
      this.pos = at + 2
      return value
    }
    const line = lineEnd(buf.subarray(this.pos, end), CR)
    if (line < 0) {
      if (end - this.pos <= INLINE_MAX_BYTES) return INCOMPLETE_LENGTH
      this.error = tooBig
      return FAILED_LENGTH
    }
    if (this.pos + line + 1 >= end) return INCOMPLETE_LENGTH
    const text = buf.latin1Slice(this.pos + 1, this.pos + line)
    this.pos += line + 2
    if (/^-[1-9][0-9]{0,17}$/.test(text)) return MINUS_LENGTH
    return /^[1-9][0-9]{0,17}$/.test(text) ? Number(text) : NOT_A_LENGTH
  }

  #inline(): number {
    const buf = this.#buf
    const newline = lineEnd(buf.subarray(this.pos, this.#end), LF)
    if (newline < 0) {
      return this.#end - this.pos > INLINE_MAX_BYTES ? this.#fail(protocolError.tooBigInline) : INCOMPLETE
    }
    let end = this.pos + newline
    const next = end + 1
    if (end > this.pos && buf[end - 1] === CR) end--
    const args = splitLine(buf.subarray(this.pos, end))
    if (args === undefined) return this.#fail(protocolError.unbalancedQuotes)
    this.pos = next
    const request = this.request
    request.buf = Buffer.concat(args)
    request.rawStart = 0
    request.rawEnd = 0
    let at = 0
    for (const arg of args) {
      request.addArgument(at, at + arg.length)
      at += arg.length
    }
    this.#start = next
    return COMPLETE
  }

  #complete(): number {
    const request = this.request
    request.buf = this.#buf
    request.rawStart = this.#start
    request.rawEnd = this.pos
    this.#start = this.pos
    return COMPLETE
  }

  #fail(text: string): number {
    this.error = text
    return FAILED
  }
}

const MINUS_LENGTH = -1
const INCOMPLETE_LENGTH = -3
const FAILED_LENGTH = -4

/**
 * Where the line ends, -1 if nowhere. Redis looks with strchr, which sees nothing behind a NUL: such a line never ends,
 * until it is too big. The first bytes of TLS are one, so a client that speaks TLS here gets no answer instead of errors.
 */
function lineEnd(bytes: Buffer, byte: number): number {
  const at = bytes.indexOf(byte)
  return at >= 0 && bytes.subarray(0, at).indexOf(0) >= 0 ? -1 : at
}
