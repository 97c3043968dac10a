/**
 * One parsed request: arguments as byte ranges of the buffer that they arrived in. Nothing is copied and nothing is
 * allocated for it; a view or a range is valid only while the command runs, `copy()` is for what must outlive it.
 * The same object is refilled by the parser for every request (queued and blocked commands keep a `detach()`ed one).
 */
import { integerLength, parseInt64, parseInteger, writeInteger } from '../bytes/integers.ts'

const EMPTY = Buffer.alloc(0)

export class Request {
  buf: Buffer = EMPTY
  argc = 0
  starts: Int32Array
  ends: Int32Array
  /** Range of the whole multibulk request in `buf`; equal when the request came inline and has no such bytes. */
  rawStart = 0
  rawEnd = 0
  /** Where it began in the bytes that the parser reads. */
  from = 0
  /** Hash of argument 1, if it was computed ahead (see store/look-ahead.ts). */
  keyHash = 0
  hashed = false

  constructor(capacity = 64) {
    this.starts = new Int32Array(capacity)
    this.ends = new Int32Array(capacity)
  }

  /** A request made of own arguments, encoded so that its raw range is what would have come over the wire. */
  static of(args: readonly (string | Uint8Array)[]): Request {
    const request = new Request(Math.max(args.length, 1))
    const parts: Uint8Array[] = [Buffer.from(`*${args.length}\r\n`, 'latin1')]
    let pos = parts[0]!.length
    for (const arg of args) {
      const bytes = typeof arg === 'string' ? Buffer.from(arg, 'utf8') : arg
      const head = Buffer.from(`$${bytes.length}\r\n`, 'latin1')
      parts.push(head, bytes, CRLF)
      request.addArgument(pos + head.length, pos + head.length + bytes.length)
      pos += head.length + bytes.length + 2
    }
    request.buf = Buffer.concat(parts)
    request.rawEnd = pos
    return request
  }

  addArgument(start: number, end: number): void {
    if (this.argc === this.starts.length) this.#grow()
    this.starts[this.argc] = start
    this.ends[this.argc++] = end
  }

  #grow(): void {
    const starts = new Int32Array(this.starts.length * 2)
    const ends = new Int32Array(starts.length)
    starts.set(this.starts)
    ends.set(this.ends)
    this.starts = starts
    this.ends = ends
  }

  start(i: number): number {
    return this.starts[i]!
  }

  end(i: number): number {
    return this.ends[i]!
  }

  length(i: number): number {
    return this.ends[i]! - this.starts[i]!
  }

  /** Valid only during the call: aliases the connection's read buffer. */
  view(i: number): Buffer {
    return this.buf.subarray(this.starts[i]!, this.ends[i]!)
  }

  copy(i: number): Buffer {
    return Buffer.from(this.view(i))
  }

  latin1(i: number): string {
    return this.buf.latin1Slice(this.starts[i]!, this.ends[i]!)
  }

  /** Up to its first NUL byte, as %s in C has it: Redis's errors that name an argument end there. */
  cString(i: number): string {
    return this.latin1(i).split('\0', 1)[0]!
  }

  utf8(i: number): string {
    return this.buf.utf8Slice(this.starts[i]!, this.ends[i]!)
  }

  lower(i: number): string {
    return this.latin1(i).toLowerCase()
  }

  /** Whether argument i is this keyword, ignoring ASCII case; `keyword` is given in upper case. */
  is(i: number, keyword: string): boolean {
    const start = this.starts[i]!
    const length = keyword.length
    if (this.ends[i]! - start !== length) return false
    const buf = this.buf
    for (let k = 0; k < length; k++) {
      let byte = buf[start + k]!
      if (byte >= 97 && byte <= 122) byte -= 32
      if (byte !== keyword.charCodeAt(k)) return false
    }
    return true
  }

  /** The argument as an integer in ±(2^53-1); NaN if it is none or beyond that (see int64). */
  integer(i: number): number {
    return parseInteger(this.buf, this.starts[i]!, this.ends[i]!)
  }

  /** The argument as a signed 64-bit integer, undefined if it is none. */
  int64(i: number): bigint | undefined {
    return parseInt64(this.buf, this.starts[i]!, this.ends[i]!)
  }

  /** The bytes to propagate for this request as it was sent. Inline requests are encoded as multibulk. */
  encoded(): Buffer {
    if (this.rawEnd > this.rawStart) return this.buf.subarray(this.rawStart, this.rawEnd)
    let length = 1 + integerLength(this.argc) + 2
    for (let i = 0; i < this.argc; i++) length += 1 + integerLength(this.length(i)) + this.length(i) + 4
    const bytes = Buffer.allocUnsafe(length)
    let pos = writeHeader(bytes, 0, 0x2a, this.argc)
    for (let i = 0; i < this.argc; i++) {
      pos = writeHeader(bytes, pos, 0x24, this.length(i))
      this.buf.copy(bytes, pos, this.starts[i], this.ends[i])
      pos += this.length(i)
      bytes[pos] = 13
      bytes[pos + 1] = 10
      pos += 2
    }
    return bytes
  }

  toArguments(): Buffer[] {
    const args: Buffer[] = []
    for (let i = 0; i < this.argc; i++) args.push(this.view(i))
    return args
  }

  /** An independent copy, for MULTI queues and blocked clients. */
  detach(): Request {
    const copy = new Request(Math.max(this.argc, 1))
    if (this.rawEnd <= this.rawStart) return Request.of(this.toArguments())
    copy.buf = Buffer.from(this.buf.subarray(this.rawStart, this.rawEnd))
    copy.rawEnd = copy.buf.length
    for (let i = 0; i < this.argc; i++) {
      copy.addArgument(this.starts[i]! - this.rawStart, this.ends[i]! - this.rawStart)
    }
    return copy
  }
}

const CRLF = Buffer.from('\r\n', 'latin1')

function writeHeader(bytes: Buffer, at: number, type: number, n: number): number {
  bytes[at] = type
  const pos = writeInteger(bytes, at + 1, n)
  bytes[pos] = 13
  bytes[pos + 1] = 10
  return pos + 2
}
