/**
 * Looks for reads that are older than they may be. Clients with a connection each write counters (INCR tells each write's
 * version) and read them, singly and in pipelines; none may read a version below the highest that it has itself written
 * or read. A seed repeats the choice of operations (not their timing).
 */
import { connect, type Socket } from 'node:net'
import { FrameScanner } from '../../src/proxy/frames.ts'

export interface CheckOptions {
  port: number
  seed: number
  clients: number
  /** Of all clients together. */
  operations: number
  keys: number
  /** Sent once by each client before it begins. */
  greeting?: string
  /** Called now and then with the operations done so far. */
  onProgress?: (done: number) => void
}

export interface CheckResult {
  operations: number
  reads: number
  writes: number
  /** Reads that were refused, and writes that were refused or uncertain: answers of a server that is cut off. */
  errors: Map<string, number>
  violations: string[]
}

interface Expected {
  key: number
  isWrite: boolean
}

const BATCH_MAX = 8
const RECONNECT_MS = 20

class Checker {
  readonly #options: CheckOptions
  readonly #result: CheckResult
  readonly #seen: Float64Array
  readonly #name: string
  #state: number
  #left: number
  #socket!: Socket
  #text = ''
  #expected: Expected[] = []
  #greeted = false
  #done!: () => void

  constructor(options: CheckOptions, result: CheckResult, index: number) {
    this.#options = options
    this.#result = result
    this.#name = `client ${index}`
    this.#state = (options.seed * 7919 + index * 104729 + 1) >>> 0
    this.#left = Math.ceil(options.operations / options.clients)
    this.#seen = new Float64Array(options.keys)
  }

  #random(n: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    return Math.floor((this.#state / 0x100000000) * n)
  }

  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve
      this.#connect()
    })
  }

  #connect(): void {
    this.#text = ''
    this.#expected = []
    this.#greeted = this.#options.greeting === undefined
    // A connection that is new has seen nothing.
    this.#seen.fill(0)
    const socket = connect({ port: this.#options.port, host: '127.0.0.1', noDelay: true })
    this.#socket = socket
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#left > 0) setTimeout(() => this.#connect(), RECONNECT_MS)
    })
    if (this.#greeted) this.#send()
    else socket.write(`${this.#options.greeting}\r\n`)
  }

  #send(): void {
    let text = ''
    // Mostly one at a time, as applications do.
    const count = Math.min(this.#left, this.#random(4) === 0 ? 1 + this.#random(BATCH_MAX) : 1)
    for (let i = 0; i < count; i++) {
      const key = this.#random(this.#options.keys)
      const isWrite = this.#random(3) === 0
      this.#expected.push({ key, isWrite })
      const name = `check:${key}`
      text += `*2\r\n$${isWrite ? 4 : 3}\r\n${isWrite ? 'INCR' : 'GET'}\r\n$${name.length}\r\n${name}\r\n`
    }
    this.#socket.write(text)
  }

  #receive(chunk: Buffer): void {
    this.#text += chunk.toString('latin1')
    const bytes = Buffer.from(this.#text, 'latin1')
    const scanner = new FrameScanner()
    let pos = 0
    for (;;) {
      const end = scanner.next(bytes, pos, bytes.length)
      if (end < 0) break
      this.#answer(this.#text.slice(pos, end))
      pos = end
    }
    this.#text = this.#text.slice(pos)
    if (this.#expected.length > 0 || !this.#greeted) return
    if (this.#left > 0) return this.#send()
    this.#socket.destroy()
    this.#done()
  }

  #answer(reply: string): void {
    if (!this.#greeted) {
      this.#greeted = true
      return
    }
    const { key, isWrite } = this.#expected.shift()!
    const result = this.#result
    this.#left--
    result.operations++
    if (result.operations % 1000 === 0) this.#options.onProgress?.(result.operations)
    if (reply.startsWith('-')) {
      const kind = `${isWrite ? 'write' : 'read'} ${reply.slice(1).split(' ', 1)[0]}`
      result.errors.set(kind, (result.errors.get(kind) ?? 0) + 1)
      return
    }
    if (isWrite) result.writes++
    else result.reads++
    const version = isWrite ? Number(reply.slice(1)) : Number(reply === '$-1\r\n' ? 0 : reply.split('\r\n')[1])
    const seen = this.#seen[key]!
    if (version < seen)
      result.violations.push(`${this.#name} ${isWrite ? 'wrote' : 'read'} ${version} of key ${key} after ${seen}`)
    else this.#seen[key] = version
  }
}

export async function check(options: CheckOptions): Promise<CheckResult> {
  const result: CheckResult = { operations: 0, reads: 0, writes: 0, errors: new Map(), violations: [] }
  const clients = Array.from({ length: options.clients }, (_, i) => new Checker(options, result, i))
  await Promise.all(clients.map((client) => client.run()))
  return result
}
