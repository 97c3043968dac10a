/**
 * A transaction on its way upstream. Its commands were queued and checked here; at EXEC all of it is sent in one piece, so
 * nothing of another client can come between on a shared connection, and it costs one round trip.
 */
import type { Client, QueuedCommand } from '../commands/client.ts'
import * as routes from './routes.ts'

const MULTI = Buffer.from('*1\r\n$5\r\nMULTI\r\n', 'latin1')
const EXEC = Buffer.from('*1\r\n$4\r\nEXEC\r\n', 'latin1')
const ASTERISK = 0x2a

export function transactionBytes(queued: readonly QueuedCommand[]): Buffer {
  return Buffer.concat([MULTI, ...queued.map(({ request }) => request.encoded()), EXEC])
}

/** What there is in it, by the routes of commands by their ids. */
export function kindsIn(queued: readonly QueuedCommand[], kinds: Uint8Array): { writes: boolean; reads: boolean } {
  let writes = false
  let reads = false
  for (const one of queued) {
    const kind = kinds[one.command.id]!
    if (kind === routes.LOCAL || kind === routes.IDENTITY || kind === routes.SELECT) continue
    if (kind === routes.READ || kind === routes.STREAM_READ || kind === routes.CURSOR) reads = true
    else if (kind === routes.SCRIPT && !routes.mayWrite(one.flagBits)) reads = true
    else writes = true
  }
  return { writes, reads }
}

/** A SELECT among them holds from then on, if they were run. */
export function afterTransaction(client: Client, queued: readonly QueuedCommand[], reply: Buffer): void {
  if (reply[0] !== ASTERISK || reply[1] === 45) return
  for (const { command, request } of queued) {
    if (command.name !== 'select') continue
    const index = request.integer(1)
    if (!Number.isNaN(index)) client.db = index
  }
}
