/**
 * Commands of an append-only file, one by one, out of chunks of any size. What counts as broken is as in redis-server,
 * whose reading (fgets, atoi) takes more than its own writing: line ends are not looked at, numbers end where digits do.
 * redis 7.0.15 aof.c loadSingleAppendOnlyFile
 */
import { Request } from '../../resp/request.ts'

export const READ_COMMAND = 0
/** The bytes end, at the end of a command or within one (`isBetween`). */
export const READ_MORE = 1
export const READ_BROKEN = 2

const NEWLINE = 10
const STAR = 42
const DOLLAR = 36
const HASH = 35
const EMPTY = Buffer.alloc(0)

export class CommandReader {
  readonly request = new Request()
  #buf: Buffer = EMPTY
  #pos = 0
  /** Offset in the file of the buffer's first byte. */
  #base: number
  #missing = 0

  constructor(offset = 0) {
    this.#base = offset
  }

  /** Offset in the file behind the last command that was read. */
  get offset(): number {
    return this.#base + this.#pos
  }

  /** So many bytes are worth reading: a command is put together a few times at the most, however long it is. */
  get wanted(): number {
    return Math.max(this.#missing, this.#buf.length - this.#pos)
  }

  /** Nothing of a further command is there. */
  get isBetween(): boolean {
    return this.#pos === this.#buf.length
  }

  /** The request of before must not be used after this. */
  feed(chunk: Buffer): void {
    const left = this.#buf.length - this.#pos
    this.#base += this.#pos
    this.#buf = left === 0 ? chunk : Buffer.concat([this.#buf.subarray(this.#pos), chunk])
    this.#pos = 0
    this.#missing = 0
  }

  /** At the end of the file, READ_MORE means that a command is cut off, unless isBetween says that there is none. */
  next(atEnd: boolean): number {
    const buf = this.#buf
    let pos = this.#pos
    while (pos < buf.length && buf[pos] === HASH) {
      const end = this.#lineEnd(pos)
      if (end < 0 && !atEnd) return READ_MORE
      pos = end < 0 ? buf.length : end
      this.#pos = pos
    }
    if (pos >= buf.length) return READ_MORE
    if (buf[pos] !== STAR) return READ_BROKEN
    let end = this.#lineEnd(pos)
    if (end < 0 && !(atEnd && buf.length > pos + 1)) return READ_MORE
    const count = this.#number(pos + 1)
    if (count < 1) return READ_BROKEN
    if (end < 0) return READ_MORE
    const { request } = this
    request.argc = 0
    request.hashed = false
    for (let i = 0; i < count; i++) {
      pos = end
      if (pos >= buf.length) return READ_MORE
      if (buf[pos] !== DOLLAR) return READ_BROKEN
      end = this.#lineEnd(pos)
      if (end < 0) return READ_MORE
      const length = this.#number(pos + 1)
      if (length < 0) return READ_BROKEN
      const start = end
      end = start + length + 2
      if (end > buf.length) {
        this.#missing = end - buf.length
        return READ_MORE
      }
      request.addArgument(start, start + length)
    }
    request.buf = buf
    request.rawStart = this.#pos
    request.rawEnd = end
    request.from = this.#pos
    this.#pos = end
    return READ_COMMAND
  }

  /** Behind the newline, -1 without one. */
  #lineEnd(from: number): number {
    const buf = this.#buf
    // Headers are short: faster than a search.
    const near = Math.min(buf.length, from + 16)
    for (let at = from; at < near; at++) if (buf[at] === NEWLINE) return at + 1
    const found = buf.indexOf(NEWLINE, near)
    return found < 0 ? -1 : found + 1
  }

  /** C's atoi: digits as far as there are any. */
  #number(from: number): number {
    const buf = this.#buf
    const negative = buf[from] === 0x2d
    let value = 0
    for (let at = negative ? from + 1 : from; at < buf.length; at++) {
      const digit = buf[at]! - 48
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    return negative ? -value : value
  }
}
