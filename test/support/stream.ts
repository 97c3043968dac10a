/**
 * A replica that only listens: it attaches to a primary as a Redis replica does, skips the RDB, and keeps the replication stream as
 * commands and as bytes. With it a test says what a write propagates (SPOP → SREM …), not only what it replies.
 * redis 7.0.15 replication.c syncWithMaster, readSyncBulkPayload.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Cleanup } from './cleanup.ts'
import { waitUntil } from './wait-until.ts'
import { encodeCommand } from './wire.ts'

/** Short, since after a diskless RDB the stream starts with the first one that the primary is ready for. */
const ACK_INTERVAL_MS = 50
const EOF_MARK_BYTES = 40

export interface AttachOptions {
  /** Continue this history instead of asking for a full synchronisation. */
  replid?: string
  /** The first byte wanted. */
  offset?: number
  /** Capabilities to name; without 'eof' the RDB comes with its length. */
  capabilities?: string[]
  auth?: string[]
  /** Keep PING and REPLCONF GETACK in `commands`. */
  keepAlive?: boolean
}

export class ReplicationStream {
  readonly commands: string[][] = []
  replid = ''
  /** The offset of the last byte received. */
  offset = 0
  /** Whether the primary answered +CONTINUE. */
  continued = false
  rdb: Buffer = Buffer.alloc(0)
  readonly #socket: Socket
  readonly #keepAlive: boolean
  readonly #chunks: Buffer[] = []
  #input: Buffer = Buffer.alloc(0)
  #streaming = false
  #closed = false
  #timer: NodeJS.Timeout | undefined

  constructor(socket: Socket, keepAlive: boolean) {
    this.#socket = socket
    this.#keepAlive = keepAlive
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => {
      this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
      if (this.#streaming) this.#takeCommands()
    })
    socket.on('close', () => {
      this.#closed = true
      clearInterval(this.#timer)
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The stream's bytes, from the first after the RDB or the continuation. */
  bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** Waits until there are at least `count` commands, and returns all. */
  async waitFor(count: number): Promise<string[][]> {
    const what = () => `${count} commands in the stream, got ${JSON.stringify(this.commands)}`
    await waitUntil(() => this.commands.length >= count || this.#failIfClosed(), { what })
    return this.commands
  }

  /** Waits until a command is there (name in any case), and returns the commands up to it. */
  async waitForCommand(...args: string[]): Promise<string[][]> {
    const isIt = (command: string[]) =>
      command.length >= args.length &&
      args.every((arg, at) => (at === 0 ? command[0]!.toLowerCase() === arg.toLowerCase() : command[at] === arg))
    const what = () => `${args.join(' ')} in the stream, got ${JSON.stringify(this.commands)}`
    await waitUntil(() => this.commands.some(isIt) || this.#failIfClosed(), { what })
    return this.commands.slice(0, this.commands.findIndex(isIt) + 1)
  }

  /** Forgets the commands so far. */
  clear(): void {
    this.commands.length = 0
  }

  async close(): Promise<void> {
    if (this.#closed) return
    const closed = once(this.#socket, 'close')
    this.#socket.destroy()
    await closed
  }

  async attach(options: AttachOptions): Promise<void> {
    if (options.auth) await this.#ask('+OK', 'AUTH', ...options.auth)
    await this.#ask('+PONG', 'PING')
    await this.#ask('+OK', 'REPLCONF', 'listening-port', String(this.#socket.localPort ?? 0))
    const capabilities = options.capabilities ?? ['eof', 'psync2']
    await this.#ask('+OK', 'REPLCONF', ...capabilities.flatMap((name) => ['capa', name]))
    const answer = await this.#ask('+', 'PSYNC', options.replid ?? '?', String(options.offset ?? -1))
    const [kind, replid, offset] = answer.slice(1).split(' ')
    this.continued = kind === 'CONTINUE'
    if (this.continued) {
      this.replid = replid ?? options.replid ?? ''
      this.offset = (options.offset ?? 0) - 1
    } else if (kind === 'FULLRESYNC') {
      this.replid = replid!
      this.offset = Number(offset)
      await this.#skipRdb()
    } else {
      throw new Error(`PSYNC was answered ${answer}`)
    }
    this.#acknowledge()
    this.#timer = setInterval(() => this.#acknowledge(), ACK_INTERVAL_MS)
    this.#timer.unref()
    this.#streaming = true
    this.#takeCommands()
  }

  async #ask(expected: string, ...args: string[]): Promise<string> {
    this.#socket.write(encodeCommand(args))
    const line = await this.#line()
    if (!line.startsWith(expected)) throw new Error(`${args.join(' ')} was answered ${line}`)
    return line
  }

  /** The next line that is not one of the empty ones that a primary sends while it prepares. */
  async #line(): Promise<string> {
    await waitUntil(
      () => {
        while (this.#input[0] === 0x0a) this.#input = this.#input.subarray(1)
        return this.#input.includes('\n') || this.#failIfClosed()
      },
      { timeoutMs: 30_000, what: 'a line from the primary' },
    )
    const end = this.#input.indexOf('\n')
    const line = this.#input.toString('latin1', 0, end).trimEnd()
    this.#input = this.#input.subarray(end + 1)
    return line
  }

  async #skipRdb(): Promise<void> {
    const header = await this.#line()
    if (!header.startsWith('$')) throw new Error(`expected the RDB, got ${header}`)
    let mark: Buffer | undefined
    if (header.startsWith('$EOF:')) mark = Buffer.from(header.slice(5), 'latin1')
    const length = mark ? 0 : Number(header.slice(1))
    const end = await waitUntil(
      () => {
        const at = mark ? this.#input.indexOf(mark) : length
        return (at >= 0 && this.#input.length >= at && { at }) || this.#failIfClosed()
      },
      { timeoutMs: 30_000, what: 'the RDB' },
    )
    this.rdb = Buffer.from(this.#input.subarray(0, end.at))
    this.#input = this.#input.subarray(end.at + (mark ? EOF_MARK_BYTES : 0))
  }

  #failIfClosed(): false {
    if (this.#closed) throw new Error('the primary closed the connection')
    return false
  }

  #acknowledge(): void {
    if (!this.#closed) this.#socket.write(encodeCommand(['REPLCONF', 'ACK', this.offset]))
  }

  #takeCommands(): void {
    for (;;) {
      const parsed = parseCommand(this.#input)
      if (parsed === undefined) return
      this.#chunks.push(Buffer.from(this.#input.subarray(0, parsed.end)))
      this.#input = this.#input.subarray(parsed.end)
      this.offset += parsed.end
      const name = parsed.args[0]?.toLowerCase() ?? ''
      const asksAck = name === 'replconf' && parsed.args[1]?.toLowerCase() === 'getack'
      if (this.#keepAlive || (!asksAck && name !== 'ping' && name !== '')) this.commands.push(parsed.args)
      if (asksAck) this.#acknowledge()
    }
  }
}

function parseCommand(input: Buffer): { args: string[]; end: number } | undefined {
  if (input.length === 0) return undefined
  if (input[0] === 0x0a) return { args: [], end: 1 }
  let at = 0
  const line = (): string | undefined => {
    const end = input.indexOf('\r\n', at, 'latin1')
    if (end < 0) return undefined
    const text = input.toString('latin1', at, end)
    at = end + 2
    return text
  }
  const header = line()
  if (header === undefined) return undefined
  if (header[0] !== '*') throw new Error(`not a command in the stream: ${JSON.stringify(header.slice(0, 100))}`)
  const args: string[] = []
  for (let left = Number(header.slice(1)); left > 0; left--) {
    const length = line()
    if (length === undefined) return undefined
    const end = at + Number(length.slice(1))
    if (input.length < end + 2) return undefined
    args.push(input.toString('latin1', at, end))
    at = end + 2
  }
  return { args, end: at }
}

export async function attachReplica(
  port: number,
  options: AttachOptions = {},
  t?: Cleanup,
): Promise<ReplicationStream> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  const stream = new ReplicationStream(socket, options.keepAlive ?? false)
  t?.after(() => stream.close())
  try {
    await stream.attach(options)
  } catch (error) {
    await stream.close()
    throw error
  }
  return stream
}
