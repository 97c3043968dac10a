/**
 * A reply as JavaScript values instead of bytes: what a command writes becomes at once what a client library would make of
 * its RESP2. Commands know no difference: what the writer makes of others of its own methods in RESP2 (numbers, texts) is
 * inherited, and all that writes bytes is done here.
 */
import { ReplyWriter } from '../resp/reply-writer.ts'

/** A reply as ioredis gives it: RESP2's types, bulk strings as text or as Buffers. */
export type Value = string | number | Buffer | null | Value[]

/** An error reply; named as client libraries name it. */
export class ReplyError extends Error {
  override name = 'ReplyError'
}

const BEYOND_ASCII = /[^\0-\x7f]/

export class ReplyValue extends ReplyWriter {
  asBuffers = false

  #value: Value | ReplyError = null
  /** Arrays that are not complete, the inner ones last, with how many elements each still gets. */
  #arrays: Value[][] = []
  #missing: number[] = []

  /** The reply of the command that has run; starts anew. Throws a ReplyError for an error reply. */
  take(): Value {
    const value = this.#value
    this.reset()
    if (value instanceof ReplyError) throw value
    return value
  }

  /** For a command that threw away what it had written. */
  reset(): void {
    this.#value = null
    if (this.#arrays.length > 0) this.#forgetArrays()
  }

  #forgetArrays(): void {
    this.#arrays = []
    this.#missing = []
  }

  #put(value: Value): void {
    const depth = this.#arrays.length
    if (depth === 0) {
      this.#value = value
      return
    }
    this.#arrays[depth - 1]!.push(value)
    if (--this.#missing[depth - 1]! === 0) this.#close()
  }

  #close(): void {
    this.#missing.pop()
    this.#put(this.#arrays.pop()!)
  }

  /** Latin-1 text stands for its bytes. */
  #text(latin1: string): Value {
    if (this.asBuffers) return Buffer.from(latin1, 'latin1')
    return BEYOND_ASCII.test(latin1) ? Buffer.from(latin1, 'latin1').toString('utf8') : latin1
  }

  override ok(): void {
    this.#put(this.#text('OK'))
  }

  override simple(text: string): void {
    this.#put(this.#text(text))
  }

  override error(text: string): void {
    const line = this.countError(text)
    if (this.#arrays.length > 0) this.#forgetArrays()
    this.#value = new ReplyError(Buffer.from(line, 'latin1').toString('utf8'))
  }

  override integer(n: number | bigint): void {
    this.#put(typeof n === 'number' ? Math.trunc(n) : Number(n))
  }

  override bulk(bytes: Uint8Array, start = 0, end: number = bytes.length): void {
    const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#put(this.asBuffers ? Buffer.from(buffer.subarray(start, end)) : buffer.utf8Slice(start, end))
  }

  override bulkReference(bytes: Buffer): void {
    this.bulk(bytes)
  }

  override bulkString(text: string): void {
    this.#put(this.#text(text))
  }

  override nullBulk(): void {
    this.#put(null)
  }

  override nullArray(): void {
    this.#put(null)
  }

  override array(n: number): void {
    if (n <= 0) {
      this.#put([])
      return
    }
    this.#arrays.push([])
    this.#missing.push(n)
  }

  override map(n: number): void {
    this.array(n * 2)
  }

  override set(n: number): void {
    this.array(n)
  }

  override push(n: number): void {
    this.array(n)
  }

  override attribute(): void {
    throw new Error('RESP2 has no attributes')
  }

  override raw(): void {
    throw new Error('a reply of finished bytes has no value here')
  }

  override openLength(): number {
    this.#arrays.push([])
    this.#missing.push(Number.POSITIVE_INFINITY)
    return 0
  }

  override closeLength(): void {
    this.#close()
  }
}
