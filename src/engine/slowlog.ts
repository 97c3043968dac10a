/**
 * The slow log: the last commands that took longer than slowlog-log-slower-than. An entry keeps at most 32 arguments of at
 * most 128 bytes, and says what it left out. redis 7.0.15 slowlog.c slowlogCreateEntry
 */
import type { Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import { FLAG_SKIP_SLOWLOG } from '../commands/define.ts'
import type { SlowLogEntry, SlowLogHost } from '../commands/host.ts'
import type { Request } from '../resp/request.ts'
import { REDACTED, secretArguments } from './redact.ts'

const ARGUMENTS_MAX = 32
const ARGUMENT_BYTES_MAX = 128
const DEFAULT_MAX_LENGTH = 128

export class SlowLog implements SlowLogHost {
  /** Id of the next entry; RESET does not start it anew. */
  nextId = 0
  #entries: SlowLogEntry[] = []
  #maxLength = DEFAULT_MAX_LENGTH

  /** The oldest first. */
  get entries(): readonly SlowLogEntry[] {
    return this.#entries
  }

  /** slowlog-max-len */
  setMaxLength(length: number): void {
    this.#maxLength = length
  }

  push(client: Client, command: Command, args: Request, microseconds: number, unixMs: number): void {
    if ((command.flagBits & FLAG_SKIP_SLOWLOG) !== 0) return
    this.#entries.push({
      id: this.nextId++,
      unixSeconds: Math.floor(unixMs / 1000),
      microseconds: Math.floor(microseconds),
      args: trimmedArguments(args),
      address: client.transport.remoteAddress,
      clientName: client.name,
    })
    const surplus = this.#entries.length - this.#maxLength
    if (surplus > 0) this.#entries.splice(0, surplus)
  }

  reset(): void {
    this.#entries = []
  }
}

function trimmedArguments(args: Request): Buffer[] {
  const secrets = secretArguments(args)
  const trimmed: Buffer[] = []
  const kept = args.argc > ARGUMENTS_MAX ? ARGUMENTS_MAX - 1 : args.argc
  for (let i = 0; i < kept; i++) trimmed.push(secrets?.has(i) === true ? REDACTED : trimmedArgument(args, i))
  if (kept < args.argc) trimmed.push(Buffer.from(`... (${args.argc - kept} more arguments)`, 'latin1'))
  return trimmed
}

function trimmedArgument(args: Request, i: number): Buffer {
  const surplus = args.length(i) - ARGUMENT_BYTES_MAX
  if (surplus <= 0) return args.copy(i)
  const start = args.start(i)
  const note = Buffer.from(`... (${surplus} more bytes)`, 'latin1')
  return Buffer.concat([args.buf.subarray(start, start + ARGUMENT_BYTES_MAX), note])
}
