/**
 * RESP2 and RESP3 replies, written one behind the other into one buffer that all connections share in turn: the
 * replies of a read batch leave in one write. Values of REFERENCE_BYTES and more are not copied but handed over as they
 * are, between two pieces of the buffer; their owner must not change them any more (see store/large values).
 * What a type looks like in each protocol: redis 7.0.15 networking.c addReply*.
 */
import { formatDouble17 } from '../bytes/doubles.ts'
import { writeInteger } from '../bytes/integers.ts'

const INITIAL_BYTES = 64 * 1024
const REFERENCE_BYTES = 16 * 1024
/** Above this a batch's bytes are given away with their buffer rather than copied into a string. */
const STRING_MAX_BYTES = 32 * 1024
const SMALL_COPY = 48
const COPIED_PIECE_BYTES = 1024

export interface ReplySink {
  writeText(latin1: string): void
  writeBuffers(buffers: Buffer[]): void
}

export class ReplyWriter {
  resp: 2 | 3 = 2
  /** Error replies so far, and the last one's text: the caller compares before and after a command. */
  errors = 0
  lastError = ''
  /** Once so many bytes wait to be drained, all is dropped until clear(): what goes on and on may stop then. */
  limit = Number.POSITIVE_INFINITY
  overflowed = false

  #buf: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  #pos = 0
  #cut = 0
  #chunks: Buffer[] = []
  #chunkBytes = 0
  /** Some chunk is a part of the buffer itself. */
  #given = false
  #open = 0
  #muted = false
  /** What was there before it was muted ends here. */
  #mutedAt = 0

  /** CLIENT REPLY OFF/SKIP and links to a primary: what is written while this is set is dropped. */
  get muted(): boolean {
    return this.#muted
  }

  set muted(muted: boolean) {
    if (muted === this.#muted) return
    if (muted) this.#mutedAt = this.#pos
    else this.#pos = this.#mutedAt
    this.#muted = muted
  }

  /** Bytes waiting to be drained. */
  get length(): number {
    return this.#chunkBytes + this.#pos - this.#cut
  }

  ok(): void {
    const at = this.#room(5)
    const buf = this.#buf
    buf[at] = 43
    buf[at + 1] = 79
    buf[at + 2] = 75
    buf[at + 3] = 13
    buf[at + 4] = 10
    this.#pos = at + 5
  }

  simple(text: string): void {
    this.#text(`+${text}\r\n`)
  }

  /** `text` carries its code, as in 'ERR syntax error'. Line breaks become spaces, as in Redis. */
  error(text: string): void {
    const line = this.countError(text)
    if (this.#muted) return
    const bytes = Buffer.from(`-${line}\r\n`, 'latin1')
    this.raw(bytes)
  }

  /** The line that tells this error. */
  protected countError(text: string): string {
    const line = /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, ' ') : text
    this.errors++
    this.lastError = line
    return line
  }

  integer(n: number | bigint): void {
    // A damaged payload may bring a time or a count that no safe integer is.
    if (typeof n === 'bigint' || !Number.isSafeInteger(n)) {
      this.#text(`:${typeof n === 'bigint' ? n : BigInt.asIntN(64, BigInt(Math.trunc(n)))}\r\n`)
      return
    }
    this.#header(58, n)
  }

  bulk(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    const length = end - start
    this.#header(36, length)
    const at = this.#room(length + 2)
    const buf = this.#buf
    if (length <= SMALL_COPY) {
      for (let i = 0; i < length; i++) buf[at + i] = bytes[start + i]!
    } else {
      buf.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end), at)
    }
    buf[at + length] = 13
    buf[at + length + 1] = 10
    this.#pos = at + length + 2
  }

  /** A bulk of bytes that nobody will change: large ones are not copied. */
  bulkReference(bytes: Buffer): void {
    if (bytes.length < REFERENCE_BYTES || this.#open > 0 || this.#muted) {
      this.bulk(bytes)
      return
    }
    this.#header(36, bytes.length)
    this.#cutHere()
    this.#chunks.push(bytes)
    this.#chunkBytes += bytes.length
    this.#text('\r\n')
    if (this.#chunkBytes > this.limit) this.#overflow()
  }

  /** A string of Latin-1 text (numbers, names): for text of users give bytes. */
  bulkString(text: string): void {
    this.#header(36, text.length)
    this.#text(`${text}\r\n`)
  }

  bulkUtf8(text: string): void {
    this.bulk(Buffer.from(text, 'utf8'))
  }

  bulkInteger(n: number | bigint): void {
    this.bulkString(String(n))
  }

  verbatim(text: string, format = 'txt'): void {
    if (this.resp === 2) {
      this.bulkUtf8(text)
      return
    }
    const bytes = Buffer.from(text, 'utf8')
    this.#text(`=${bytes.length + 4}\r\n${format}:`)
    this.raw(bytes)
    this.#text('\r\n')
  }

  nullBulk(): void {
    this.#text(this.resp === 2 ? '$-1\r\n' : '_\r\n')
  }

  nullArray(): void {
    this.#text(this.resp === 2 ? '*-1\r\n' : '_\r\n')
  }

  array(n: number): void {
    this.#header(42, n)
  }

  /** n pairs; twice as many elements in RESP2. */
  map(n: number): void {
    if (this.resp === 2) this.#header(42, n * 2)
    else this.#header(37, n)
  }

  set(n: number): void {
    this.#header(this.resp === 2 ? 42 : 126, n)
  }

  push(n: number): void {
    this.#header(this.resp === 2 ? 42 : 62, n)
  }

  attribute(n: number): void {
    this.#header(124, n)
  }

  boolean(value: boolean): void {
    if (this.resp === 2) this.integer(value ? 1 : 0)
    else this.#text(value ? '#t\r\n' : '#f\r\n')
  }

  double(x: number): void {
    const text = formatDouble17(x)
    if (this.resp === 2) this.bulkString(text)
    else this.#text(`,${text}\r\n`)
  }

  bigNumber(text: string): void {
    if (this.resp === 2) this.bulkString(text)
    else this.#text(`(${text}\r\n`)
  }

  /** Finished RESP bytes. */
  raw(bytes: Uint8Array): void {
    if (this.#muted) return
    const at = this.#room(bytes.length)
    this.#buf.set(bytes, at)
    this.#pos = at + bytes.length
  }

  /** For a count that is known only afterwards: write the elements, then `closeLength(mark, '*', n)`. */
  openLength(): number {
    this.#open++
    return this.#pos - this.#cut
  }

  /** `type` is the RESP2 array or RESP3 type byte: '*', '%', '~'. For maps in RESP2 pass '*' and twice the pairs. */
  closeLength(mark: number, type: string, n: number): void {
    this.#open--
    if (this.#muted) return
    const header = `${type}${n}\r\n`
    this.#room(header.length)
    const at = this.#cut + mark
    this.#buf.copyWithin(at + header.length, at, this.#pos)
    this.#buf.latin1Write(header, at)
    this.#pos += header.length
  }

  /** Hands all bytes to the sink and starts anew. */
  drain(sink: ReplySink): void {
    if (this.#chunks.length === 0) {
      if (this.#pos === 0) return
      if (this.#pos <= STRING_MAX_BYTES) sink.writeText(this.#buf.latin1Slice(0, this.#pos))
      else sink.writeBuffers([this.#giveAway()])
      this.#pos = 0
      return
    }
    this.#cutHere()
    const chunks = this.#chunks
    this.#chunks = []
    this.#chunkBytes = 0
    this.#cut = 0
    this.#pos = 0
    if (this.#given) this.#buf = Buffer.allocUnsafeSlow(INITIAL_BYTES)
    this.#given = false
    sink.writeBuffers(chunks)
  }

  /** As drain() would hand it over, a text if it is short, and starts anew. */
  takeOutput(): Buffer | string {
    if (this.#chunks.length > 0 || this.#pos > STRING_MAX_BYTES) return this.takeBytes()
    const text = this.#buf.latin1Slice(0, this.#pos)
    this.#pos = 0
    return text
  }

  /** All bytes as one Buffer of its own, and starts anew: for scripts' replies, cached replies and tests. */
  takeBytes(): Buffer {
    this.#cutHere()
    const bytes = Buffer.concat(this.#chunks)
    this.clear()
    return bytes
  }

  /** A buffer that begins with all bytes so far, which stay: valid until something is written, drained or cleared. */
  peek(): Buffer {
    if (this.#chunks.length === 0) return this.#buf
    return Buffer.concat([...this.#chunks, this.#buf.subarray(this.#cut, this.#pos)])
  }

  clear(): void {
    if (this.#given) this.#buf = Buffer.allocUnsafeSlow(INITIAL_BYTES)
    this.#given = false
    if (this.#chunks.length > 0) this.#chunks = []
    this.#chunkBytes = 0
    this.#cut = 0
    this.#pos = 0
    this.#mutedAt = 0
    this.#open = 0
    this.overflowed = false
  }

  #overflow(): void {
    this.clear()
    this.overflowed = true
    this.#muted = true
  }

  #giveAway(): Buffer {
    const given = this.#buf.subarray(0, this.#pos)
    if (this.#pos * 2 < this.#buf.length) return Buffer.from(given)
    this.#buf = Buffer.allocUnsafeSlow(INITIAL_BYTES)
    return given
  }

  /** What was written becomes a chunk: short pieces (headers around references) as copies, so that the buffer stays. */
  #cutHere(): void {
    const length = this.#pos - this.#cut
    if (length === 0) return
    const piece = this.#buf.subarray(this.#cut, this.#pos)
    this.#chunkBytes += length
    if (length <= COPIED_PIECE_BYTES) {
      this.#chunks.push(Buffer.from(piece))
      this.#pos = this.#cut
      return
    }
    this.#chunks.push(piece)
    this.#given = true
    this.#cut = this.#pos
  }

  #header(type: number, n: number): void {
    const at = this.#room(24)
    const buf = this.#buf
    buf[at] = type
    const pos = writeInteger(buf, at + 1, n)
    buf[pos] = 13
    buf[pos + 1] = 10
    this.#pos = pos + 2
  }

  #text(text: string): void {
    const at = this.#room(text.length)
    this.#pos = at + this.#buf.latin1Write(text, at)
  }

  /** Makes room for n bytes at the returned position. A muted writer starts over each time. */
  #room(n: number): number {
    if (this.#muted) this.#pos = this.#mutedAt
    if (this.#pos + n <= this.#buf.length) return this.#pos
    if (this.length + n > this.limit) this.#overflow()
    const kept = this.#buf.subarray(this.#cut, this.#pos)
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buf.length * 2, kept.length + n + INITIAL_BYTES))
    grown.set(kept, 0)
    this.#mutedAt -= this.#cut
    this.#given = false
    this.#buf = grown
    this.#pos = kept.length
    this.#cut = 0
    return this.#pos
  }
}
