/**
 * Commands for the replication stream in the bytes that they have there, one behind the other in one buffer, so that a
 * command that stands for a request (PEXPIREAT for EXPIRE) costs neither objects nor strings. The stream copies what it
 * was given at its leisure: a buffer that is full is left alone and another is begun, never written again.
 */
import { integerLength, writeInteger } from '../bytes/integers.ts'
import type { Request } from '../resp/request.ts'

export type Argument = string | Uint8Array

const BUFFER_BYTES = 64 * 1024
/** '*' or '$', a length, CRLF. */
const HEADER_BYTES = 24
const SHORT = 64

export class CommandEncoder {
  buf: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  /** Range of the last command. */
  start = 0
  end = 0

  /** Starts a command of `argc` arguments, which must follow. */
  begin(argc: number): this {
    this.start = this.end
    this.#header(42, argc)
    return this
  }

  bytes(bytes: Uint8Array, from = 0, to: number = bytes.length): this {
    const length = to - from
    this.#header(36, length)
    this.#room(length + 2)
    const at = this.end
    const buf = this.buf
    if (length <= SHORT) for (let i = 0; i < length; i++) buf[at + i] = bytes[from + i]!
    else buf.set(bytes.subarray(from, to), at)
    return this.#close(at + length)
  }

  argument(args: Request, i: number): this {
    return this.bytes(args.buf, args.start(i), args.end(i))
  }

  /** Any text, as UTF-8; short ASCII fastest. */
  text(text: string): this {
    const length = text.length
    if (length > SHORT || !isAscii(text)) return this.bytes(Buffer.from(text, 'utf8'))
    this.#header(36, length)
    this.#room(length + 2)
    const at = this.end
    const buf = this.buf
    for (let i = 0; i < length; i++) buf[at + i] = text.charCodeAt(i)
    return this.#close(at + length)
  }

  /** A safe integer. */
  integer(n: number): this {
    this.#header(36, integerLength(n))
    this.#room(HEADER_BYTES)
    return this.#close(writeInteger(this.buf, this.end, n))
  }

  /** A whole command that is encoded already. */
  raw(bytes: Uint8Array, from: number, to: number): void {
    this.start = this.end
    const length = to - from
    this.#room(length)
    const at = this.end
    if (length <= SHORT) for (let i = 0; i < length; i++) this.buf[at + i] = bytes[from + i]!
    else this.buf.set(bytes.subarray(from, to), at)
    this.end = at + length
  }

  add(arg: Argument): this {
    return typeof arg === 'string' ? this.text(arg) : this.bytes(arg)
  }

  #close(at: number): this {
    this.buf[at] = 13
    this.buf[at + 1] = 10
    this.end = at + 2
    return this
  }

  #header(type: number, n: number): void {
    this.#room(HEADER_BYTES)
    this.buf[this.end] = type
    this.#close(writeInteger(this.buf, this.end + 1, n))
  }

  /** Room for n bytes at `end`; the command under way moves with it. */
  #room(n: number): void {
    if (this.end + n <= this.buf.length) return
    const begun = this.buf.subarray(this.start, this.end)
    const next = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, (begun.length + n) * 2))
    next.set(begun)
    this.buf = next
    this.start = 0
    this.end = begun.length
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false
  return true
}
