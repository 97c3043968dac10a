/** The two servers under comparison, as child processes in temporary directories. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Kind = 'tandem' | 'redis'
export const KINDS: readonly Kind[] = ['redis', 'tandem']

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const running = new Set<Server>()

export class Server {
  readonly kind: Kind
  readonly port: number
  #child: ChildProcess
  #dir: string

  constructor(kind: Kind, port: number, child: ChildProcess, dir: string) {
    this.kind = kind
    this.port = port
    this.#child = child
    this.#dir = dir
    running.add(this)
  }

  /** Resident memory, bytes. */
  get rss(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024
  }

  async stop(): Promise<void> {
    running.delete(this)
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await ended
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

export async function startServer(kind: Kind, args: readonly string[] = []): Promise<Server> {
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), `bench-${kind}-`))
  const common = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    dir,
    '--enable-debug-command',
    'yes',
  ]
  const own = ['--repl-diskless-sync-delay', '0', ...args]
  // Metrics stay on, as in use.
  const metrics = kind === 'tandem' ? ['--metrics-port', String(await freePort())] : []
  const [command, first] = kind === 'tandem' ? [process.execPath, [MAIN]] : ['redis-server', []]
  const child = spawn(command, [...first, ...common, ...own, ...metrics], { stdio: 'ignore' })
  const server = new Server(kind, port, child, dir)
  for (let tries = 0; tries < 200; tries++) {
    try {
      const client = await Client.open(port)
      await client.ask('PING')
      client.close()
      return server
    } catch {
      await pause(25)
    }
  }
  throw new Error(`${kind} did not start`)
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()))
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** A client for set-up and checks: one request at a time, the reply's first line or its bulk text. */
export class Client {
  readonly socket: Socket
  #text = ''
  #waiting: (() => void) | null = null

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1')
      this.#waiting?.()
    })
    socket.on('error', () => {})
  }

  static async open(port: number): Promise<Client> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new Client(socket)
  }

  async ask(...args: (string | number)[]): Promise<string> {
    this.socket.write(encode(args))
    for (;;) {
      const end = this.#text.indexOf('\r\n')
      if (end >= 0) {
        const line = this.#text.slice(0, end)
        if (!line.startsWith('$') || line === '$-1') {
          this.#text = this.#text.slice(end + 2)
          return line
        }
        const length = Number(line.slice(1))
        if (this.#text.length >= end + 2 + length + 2) {
          const bulk = this.#text.slice(end + 2, end + 2 + length)
          this.#text = this.#text.slice(end + 2 + length + 2)
          return bulk
        }
      }
      await new Promise<void>((resolve) => {
        this.#waiting = resolve
      })
    }
  }

  async info(section: string, name: string): Promise<string> {
    const text = await this.ask('INFO', section)
    return new RegExp(`^${name}:(.*)\r?$`, 'm').exec(text)?.[1]?.trim() ?? ''
  }

  close(): void {
    this.socket.destroy()
  }
}

export function encode(args: readonly (string | number)[]): string {
  let text = `*${args.length}\r\n`
  for (const arg of args) text += `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`
  return text
}
