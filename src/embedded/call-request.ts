/** The request of a call from inside the process: one buffer and one object, filled anew for each. */
import { UTF8_MAX, writeUtf8 } from '../bytes/utf8.ts'
import { Request } from '../resp/request.ts'

/** What a command may be given. Numbers are sent as their decimal text. */
export type Argument = string | number | Buffer

const ROOM = 4096

export class CallRequest {
  #request = new Request()
  #buf = Buffer.allocUnsafeSlow(ROOM)
  #end = 0

  /** Valid until the next call. */
  fill(args: readonly Argument[]): Request {
    // A long request does not keep its room.
    if (this.#buf.length > ROOM) this.#buf = Buffer.allocUnsafeSlow(ROOM)
    this.#end = 0
    const request = this.#request
    request.argc = 0
    request.hashed = false
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]!
      const start = this.#end
      if (typeof arg === 'string') this.#addText(arg)
      else if (typeof arg === 'number') this.#addText(String(arg))
      else this.#addBytes(arg)
      request.addArgument(start, this.#end)
    }
    request.buf = this.#buf
    return request
  }

  #addText(text: string): void {
    this.#makeRoom(text.length * UTF8_MAX)
    this.#end = writeUtf8(this.#buf, this.#end, text)
  }

  #addBytes(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length)
    this.#buf.set(bytes, this.#end)
    this.#end += bytes.length
  }

  #makeRoom(n: number): void {
    const needed = this.#end + n
    if (needed <= this.#buf.length) return
    const grown = Buffer.allocUnsafeSlow(needed * 2)
    grown.set(this.#buf.subarray(0, this.#end))
    this.#buf = grown
  }
}
