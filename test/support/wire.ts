/**
 * A raw RESP connection for tests: sends any bytes, gives back replies and their bytes in order, and keeps RESP3 push
 * messages apart. RESP2 has no push type, so messages of a RESP2 subscriber are read with next().
 */
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTlsSocket } from 'node:tls'
import type { Cleanup } from './cleanup.ts'
import { type ErrorReply, isError, parseReply, type Reply } from './reply.ts'
import { waitUntil, within } from './wait-until.ts'

export { compareReplies, isError, type Order, type Reply } from './reply.ts'

export type Argument = string | Buffer | number
export type Command = Argument[]

export interface RawReply {
  reply: Reply
  raw: Buffer
}

interface Waiter {
  /** Takes what it wants from the input; undefined when there is not enough yet. */
  take: (input: Buffer) => { value: unknown; end: number } | undefined
  resolve: (value: never) => void
  reject: (error: Error) => void
}

const REPLY_TIMEOUT_MS = 20_000
const PUSH = 0x3e

/** A request in its bytes; strings are latin1, as replies are. */
export function encodeCommand(args: Command): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = typeof arg === 'object' ? arg : Buffer.from(String(arg), 'latin1')
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}

/** In RESP3 these are answered by pushes alone. */
const ANSWERED_BY_PUSH = /^[ps]?(un)?subscribe$/i

export class Wire {
  readonly port: number
  readonly pushes: Reply[] = []
  readonly #socket: Socket
  readonly #waiters: Waiter[] = []
  #input: Buffer = Buffer.alloc(0)
  #resp3 = false
  #takesPush = 0
  #closed = false

  constructor(socket: Socket, port: number) {
    this.port = port
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
      this.#serve()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.#closed = true
      this.#serve()
      for (const waiter of this.#waiters.splice(0)) waiter.reject(new Error('the server closed the connection'))
    })
  }

  /** The local port, as CLIENT LIST shows it in addr. */
  get localPort(): number {
    return this.#socket.localPort ?? 0
  }

  get closed(): boolean {
    return this.#closed
  }

  async send(...args: Command): Promise<Reply> {
    return (await this.sendRaw(args)).reply
  }

  /** As send, with the reply's own bytes beside it. */
  async sendRaw(args: Command): Promise<RawReply> {
    const byPush = this.#resp3 && ANSWERED_BY_PUSH.test(String(args[0]))
    this.raw(encodeCommand(args))
    const answer = await this.nextRaw(byPush)
    if (String(args[0]).toLowerCase() === 'hello' && !isError(answer.reply)) this.#resp3 = answer.raw[0] === 0x25
    return answer
  }

  /** As send, but an error reply is thrown: for the steps of a test that are not what it tests. */
  async must(...args: Command): Promise<Exclude<Reply, ErrorReply>> {
    const reply = await this.send(...args)
    if (isError(reply)) throw new Error(`${args.join(' ').slice(0, 200)}: ${reply.error}`)
    return reply
  }

  /** Writes all commands at once and returns their replies. */
  async pipeline(commands: Command[]): Promise<Reply[]> {
    return (await this.pipelineRaw(commands)).map((answer) => answer.reply)
  }

  async pipelineRaw(commands: Command[]): Promise<RawReply[]> {
    this.raw(Buffer.concat(commands.map(encodeCommand)))
    return Promise.all(commands.map(() => this.nextRaw()))
  }

  /** Writes bytes as they are. */
  raw(bytes: Buffer | string): void {
    this.#socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** The next reply that no send() waits for. */
  async next(): Promise<Reply> {
    return (await this.nextRaw()).reply
  }

  nextRaw(takesPush = false): Promise<RawReply> {
    if (takesPush) this.#takesPush++
    return this.#wait('a reply', (input) => {
      const parsed = parseReply(input, 0)
      if (parsed === undefined) return undefined
      if (takesPush) this.#takesPush--
      return { value: { reply: parsed.reply, raw: Buffer.from(input.subarray(0, parsed.end)) }, end: parsed.end }
    })
  }

  /** The next `length` bytes, or with no length all that have come, at least one. */
  readRaw(length?: number): Promise<Buffer> {
    return this.#wait('raw bytes', (input) => {
      if (input.length < (length ?? 1)) return undefined
      const end = length ?? input.length
      return { value: Buffer.from(input.subarray(0, end)), end }
    })
  }

  /** Waits until there are at least `count` pushes. */
  async waitForPushes(count: number): Promise<Reply[]> {
    await waitUntil(() => this.pushes.length >= count, { what: () => `${count} pushes, got ${this.pushes.length}` })
    return this.pushes
  }

  /** Waits until the server has closed the connection. */
  async ended(): Promise<void> {
    await waitUntil(() => this.#closed, { what: 'the server to close the connection' })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    const closed = once(this.#socket, 'close')
    this.#socket.destroy()
    await closed
  }

  #wait<T>(what: string, take: (input: Buffer) => { value: T; end: number } | undefined): Promise<T> {
    const answer = new Promise<T>((resolve, reject) => {
      this.#waiters.push({ take, resolve, reject })
      this.#serve()
      if (this.#closed)
        for (const waiter of this.#waiters.splice(0)) waiter.reject(new Error('the connection is closed'))
    })
    return within(answer, REPLY_TIMEOUT_MS, `${what} from port ${this.port}`)
  }

  #serve(): void {
    for (;;) {
      if (this.#input[0] === PUSH && this.#takesPush === 0) {
        const push = parseReply(this.#input, 0)
        if (push === undefined) return
        this.pushes.push(push.reply)
        this.#input = this.#input.subarray(push.end)
        continue
      }
      const waiter = this.#waiters[0]
      const taken = this.#input.length > 0 ? waiter?.take(this.#input) : undefined
      if (waiter === undefined || taken === undefined) return
      this.#waiters.shift()
      this.#input = this.#input.subarray(taken.end)
      waiter.resolve(taken.value as never)
    }
  }
}

export async function connect(port: number, host = '127.0.0.1'): Promise<Wire> {
  const socket = connectSocket({ port, host })
  await once(socket, 'connect')
  return new Wire(socket, port)
}

/** By TLS, with Node's options; rejects if there is no handshake. */
export async function connectTls(port: number, options: ConnectionOptions): Promise<Wire> {
  const socket = connectTlsSocket({ port, host: '127.0.0.1', ...options })
  await once(socket, 'secureConnect')
  return new Wire(socket, port)
}

/** A connection that the test's end closes; with protocol 3 it has said HELLO 3. */
export async function connectFor(t: Cleanup, port: number, protocol: 2 | 3 = 2): Promise<Wire> {
  const wire = await connect(port)
  t.after(() => wire.close())
  if (protocol === 3) await wire.must('HELLO', 3)
  return wire
}
