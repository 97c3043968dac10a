/**
 * Plays a sequence on both servers: they are emptied, the commands are sent in batches, the next batch while the last one is
 * answered, and the replies are compared as bytes, one by one only where they differ. At the end DEBUG DIGEST.
 */
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import type { Pair } from '../support/differential.ts'
import type { ServerProcess } from '../support/server-process.ts'
import { firstDifference, split } from './compare.ts'
import type { Step } from './generate.ts'
import { ReplyScanner } from './scan.ts'

export interface Difference {
  /** 'broken': no reply, or no connection any more. */
  kind: 'reply' | 'digest' | 'broken'
  /** Place in the sequence of the command that was answered differently. */
  at: number
  redis: string
  tandem: string
}

const BATCH = 50
const REPLY_TIMEOUT_MS = 15_000
/** While shrinking a hang: less patience. */
const SHRINKING_TIMEOUT_MS = 1500

function encode(commands: readonly (readonly string[])[]): Buffer {
  let text = ''
  for (const args of commands) {
    text += `*${args.length}\r\n`
    for (const arg of args) text += `$${arg.length}\r\n${arg}\r\n`
  }
  return Buffer.from(text, 'latin1')
}

/** A connection on which batches are answered in order. */
class Channel {
  readonly #socket: Socket
  #input = Buffer.allocUnsafe(1 << 16)
  #length = 0
  #scanner = new ReplyScanner()
  #waiting: { count: number; resolve: (raw: Buffer) => void; reject: (error: Error) => void } | undefined
  #failed: Error | undefined

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the server closed the connection')))
  }

  get usable(): boolean {
    return this.#failed === undefined
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** Complete replies that are there. */
  get received(): number {
    return this.#scanner.ends.length
  }

  /** The bytes of the next `count` replies. */
  read(count: number, timeoutMs = REPLY_TIMEOUT_MS): Promise<Buffer> {
    if (this.#failed) return Promise.reject(this.#failed)
    const timer = setTimeout(() => this.fail(new Error(`no reply in ${timeoutMs} ms`)), timeoutMs)
    const answer = new Promise<Buffer>((resolve, reject) => {
      this.#waiting = { count, resolve, reject }
      this.#serve()
    })
    return answer.finally(() => clearTimeout(timer))
  }

  fail(error: Error): void {
    this.#failed ??= error
    this.#waiting?.reject(this.#failed)
    this.#waiting = undefined
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    if (this.#length + chunk.length > this.#input.length) {
      const larger = Buffer.allocUnsafe((this.#length + chunk.length) * 2)
      this.#input.copy(larger, 0, 0, this.#length)
      this.#input = larger
    }
    chunk.copy(this.#input, this.#length)
    this.#length += chunk.length
    this.#scanner.scan(this.#input, this.#length)
    this.#serve()
  }

  #serve(): void {
    const waiting = this.#waiting
    if (waiting === undefined || this.#scanner.ends.length < waiting.count) return
    this.#waiting = undefined
    const end = waiting.count === 0 ? 0 : this.#scanner.ends[waiting.count - 1]!
    const raw = Buffer.from(this.#input.subarray(0, end))
    this.#input.copy(this.#input, 0, end, this.#length)
    this.#length -= end
    this.#scanner = new ReplyScanner()
    this.#scanner.scan(this.#input, this.#length)
    waiting.resolve(raw)
  }
}

export class Player {
  readonly #servers: Pair
  #channels: [redis: Channel, tandem: Channel] | undefined
  /** Commands sent so far to each, for whoever measures. */
  count = 0
  /** Someone is making a hang smaller. */
  impatient = false

  constructor(servers: Pair) {
    this.#servers = servers
  }

  /** The first difference, or undefined when there is none. */
  async play(steps: readonly Step[], protocol: 2 | 3): Promise<Difference | undefined> {
    const batches = inBatches(steps)
    const timeoutMs = this.impatient ? SHRINKING_TIMEOUT_MS : REPLY_TIMEOUT_MS
    let at = 0
    try {
      const channels = await this.#open()
      await exchange(channels, prologue(protocol))
      let next = batches[0]
      if (next) send(channels, next)
      for (let n = 0; n < batches.length; n++) {
        const batch = batches[n]!
        const [redis, tandem] = await Promise.all(channels.map((channel) => channel.read(batch.length, timeoutMs)))
        next = batches[n + 1]
        if (next) send(channels, next)
        this.count += batch.length
        if (!redis!.equals(tandem!)) {
          const found = difference(batch, redis!, tandem!)
          if (found) {
            if (next) await Promise.all(channels.map((channel) => channel.read(next!.length)))
            return { ...found, at: at + found.at }
          }
        }
        at += batch.length
      }
      const [redis, tandem] = await exchange(channels, [['RESET'], ['DEBUG', 'DIGEST']])
      if (redis!.equals(tandem!)) return undefined
      return {
        kind: 'digest',
        at: steps.length - 1,
        redis: redis!.toString('latin1'),
        tandem: tandem!.toString('latin1'),
      }
    } catch (error) {
      at += Math.min(...(this.#channels ?? []).map((channel) => channel.received))
      const states = await this.#revive()
      return {
        kind: 'broken',
        at: Math.min(at, steps.length - 1),
        redis: states[0],
        tandem: `${states[1]} (${(error as Error).message})`,
      }
    }
  }

  close(): void {
    for (const channel of this.#channels ?? []) channel.fail(new Error('closed'))
    this.#channels = undefined
  }

  async #open(): Promise<[Channel, Channel]> {
    if (this.#channels?.every((channel) => channel.usable)) return this.#channels
    this.close()
    const { redis, tandem } = this.#servers
    this.#channels = [await channelTo(redis), await channelTo(tandem)]
    await exchange(this.#channels, [['DEBUG', 'SET-ACTIVE-EXPIRE', '0']])
    return this.#channels
  }

  /** Tells of each server whether it still answers, and starts it again if not. */
  async #revive(): Promise<[string, string]> {
    this.close()
    const states: string[] = []
    for (const server of [this.#servers.redis, this.#servers.tandem]) {
      const state = await stateOf(server)
      states.push(state)
      if (state === 'answers') continue
      await server.kill9()
      await server.start()
    }
    return states as [string, string]
  }
}

async function stateOf(server: ServerProcess): Promise<string> {
  if (!server.running) return `ended: ${server.logs().slice(-1500)}`
  try {
    const channel = await channelTo(server)
    channel.write(encode([['PING']]))
    await channel.read(1, SHRINKING_TIMEOUT_MS)
    channel.fail(new Error('closed'))
    return 'answers'
  } catch (error) {
    return server.running ? `hangs: ${(error as Error).message}` : `ended: ${server.logs().slice(-1500)}`
  }
}

async function channelTo(server: ServerProcess): Promise<Channel> {
  const socket = connectSocket({ port: server.port, host: '127.0.0.1' })
  await once(socket, 'connect')
  return new Channel(socket)
}

function prologue(protocol: 2 | 3): string[][] {
  return [['RESET'], ['HELLO', String(protocol)], ['FLUSHALL'], ['SCRIPT', 'FLUSH'], ['FUNCTION', 'FLUSH']]
}

/** None ends inside of a MULTI, so that replies of EXEC and what was queued are seen together. */
function inBatches(steps: readonly Step[]): Step[][] {
  const batches: Step[][] = []
  let batch: Step[] = []
  let inMulti = false
  for (const step of steps) {
    batch.push(step)
    if (step.name === 'multi') inMulti = true
    if (step.name === 'exec' || step.name === 'discard' || step.name === 'reset') inMulti = false
    if (batch.length < BATCH || inMulti) continue
    batches.push(batch)
    batch = []
  }
  if (batch.length > 0) batches.push(batch)
  return batches
}

function send(channels: readonly Channel[], batch: readonly Step[]): void {
  const bytes = encode(batch.map((step) => step.args))
  for (const channel of channels) channel.write(bytes)
}

async function exchange(channels: readonly Channel[], commands: string[][]): Promise<Buffer[]> {
  const bytes = encode(commands)
  for (const channel of channels) channel.write(bytes)
  return Promise.all(channels.map((channel) => channel.read(commands.length)))
}

function difference(batch: readonly Step[], redis: Buffer, tandem: Buffer): Difference | undefined {
  const [left, right] = [split(redis), split(tandem)]
  const at = firstDifference(batch, left, right)
  if (at < 0) return undefined
  return { kind: 'reply', at, redis: left[at]!.toString('latin1'), tandem: right[at]!.toString('latin1') }
}
