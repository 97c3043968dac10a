/**
 * The line that MONITOR shows of a command: `+1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`.
 * redis 7.0.15 replication.c replicationFeedMonitors
 */
import type { Client } from '../commands/client.ts'
import type { Request } from '../resp/request.ts'
import { REDACTED, secretArguments } from './redact.ts'

const ESCAPES = new Map([
  [0x5c, '\\\\'],
  [0x22, '\\"'],
  [0x0a, '\\n'],
  [0x0d, '\\r'],
  [0x09, '\\t'],
  [0x07, '\\a'],
  [0x08, '\\b'],
])

/** `unixMs` may have a fraction. A script's client has the address `lua`. */
export function monitorLine(client: Client, args: Request, unixMs: number): Buffer {
  const seconds = Math.floor(unixMs / 1000)
  const microseconds = Math.floor((unixMs - seconds * 1000) * 1000)
  const address = client.transport.remoteAddress
  // A unix socket has its path and port 0 for an address.
  const from = client.isUnixSocket ? `unix:${address.replace(/:0$/, '')}` : address
  const secrets = secretArguments(args)
  let line = `+${seconds}.${String(microseconds).padStart(6, '0')} [${client.db} ${from}]`
  for (let i = 0; i < args.argc; i++) line += ` ${quoted(secrets?.has(i) === true ? REDACTED : args.view(i))}`
  return Buffer.from(`${line}\r\n`, 'latin1')
}

/** redis 7.0.15 sds.c sdscatrepr */
function quoted(bytes: Uint8Array): string {
  let text = '"'
  for (const byte of bytes) {
    const escaped = ESCAPES.get(byte)
    if (escaped !== undefined) text += escaped
    else if (byte >= 0x20 && byte <= 0x7e) text += String.fromCharCode(byte)
    else text += `\\x${byte.toString(16).padStart(2, '0')}`
  }
  return `${text}"`
}
