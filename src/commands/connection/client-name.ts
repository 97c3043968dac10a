/** Names of clients, which CLIENT SETNAME and HELLO SETNAME set. redis 7.0.15 networking.c clientSetNameOrReply */
import type { Call } from '../call.ts'

/** Argument i becomes the client's name; an empty one takes the name away. False after having replied an error. */
export function setClientName(call: Call, i: number): boolean {
  const { args } = call
  for (let at = args.start(i); at < args.end(i); at++) {
    const byte = args.buf[at]!
    if (byte >= 0x21 && byte <= 0x7e) continue
    call.error('ERR Client names cannot contain spaces, newlines or special characters.')
    return false
  }
  call.client.name = args.latin1(i)
  return true
}
