/**
 * A server under test as a child process: started in a directory of its own, ready when its log says so, stopped and removed when the
 * test ends. redis.ts and tandem.ts say which program and arguments; everything else is the same for both, so that a
 * test can be run against either.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'
import { waitUntil, within } from './wait-until.ts'

const READY = 'Ready to accept connections'
const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 20_000

export interface ServerOptions {
  /** Command-line options as redis-server takes them, added after the defaults, so they override. */
  args?: string[]
  /** A directory to start in, which is then not removed; by default a new temporary one. */
  dir?: string
  env?: Record<string, string>
  /** Added to the environment's defaults: how long to wait for readiness, for a large file to load. */
  startTimeoutMs?: number
}

export interface Launch {
  name: string
  command: string
  args: string[]
  port: number
  /** The arguments when a configuration file takes the options' place; without it there can be none. */
  argsWith?: (configFile: string) => string[] | undefined
}

/** Processes alive now; killed should the test process end without its hooks. */
const alive = new Set<ChildProcess>()
const temporary = new Set<string>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
  for (const dir of temporary) rmSync(dir, { recursive: true, force: true })
})
process.once('SIGTERM', () => process.exit(143))

export function temporaryDirectory(name: string): string {
  const dir = mkdtempSync(join(tmpdir(), `tandem-test-${name}-`))
  temporary.add(dir)
  return dir
}

export function removeDirectory(dir: string): void {
  if (!temporary.delete(dir)) return
  rmSync(dir, { recursive: true, force: true })
}

export class ServerProcess {
  readonly name: string
  readonly port: number
  readonly dir: string
  /** What it is started with next instead of its options; empty for those. */
  configFile = ''
  readonly #launch: Launch
  readonly #options: ServerOptions
  #child: ChildProcess | undefined
  #logs = ''
  #logsAtStart = 0

  constructor(launch: Launch, options: ServerOptions) {
    this.name = launch.name
    this.port = launch.port
    this.dir = options.dir ?? temporaryDirectory(launch.name)
    this.#launch = launch
    this.#options = options
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`${this.name} is not running`)
    return pid
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  /** Everything that it wrote, over all restarts. */
  logs(): string {
    return this.#logs
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.name} is already running`)
    const { command } = this.#launch
    const args = this.#launch.argsWith?.(this.configFile) ?? this.#launch.args
    this.#logsAtStart = this.#logs.length
    const child = spawn(command, args, {
      cwd: this.dir,
      env: { ...process.env, ...this.#options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    alive.add(child)
    const ended = once(child, 'close').catch(() => undefined)
    const collect = (chunk: Buffer) => {
      this.#logs += chunk.toString('latin1')
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    child.once('error', (error) => {
      this.#logs += `\n${error.message}`
    })
    void ended.then(() => {
      alive.delete(child)
      if (this.#child === child) this.#child = undefined
    })
    await waitUntil(() => this.#logs.includes(READY, this.#logsAtStart) || this.#child !== child, {
      timeoutMs: this.#options.startTimeoutMs ?? START_TIMEOUT_MS,
      what: () => `${this.name} to be ready; its log:\n${this.#logs}`,
    })
    if (this.#child !== child) throw new Error(`${this.name} ended before it was ready; its log:\n${this.#logs}`)
  }

  /** Asks it to end (SIGTERM) and waits until it has. */
  async stop(): Promise<void> {
    await this.signal('SIGTERM')
  }

  /** Ends it at once, as a crash does. */
  async kill9(): Promise<void> {
    await this.signal('SIGKILL')
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const closed = once(child, 'close')
    child.kill(signal)
    await within(closed, STOP_TIMEOUT_MS, `${this.name} to end after ${signal}; its log:\n${this.#logs}`)
  }

  /** Ends it and starts it again in the same directory, on the same port. */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Lets the test process end while this still runs; it is then killed. */
  unref(): void {
    this.#child?.unref()
    for (const pipe of [this.#child?.stdout, this.#child?.stderr]) (pipe as Socket | null | undefined)?.unref()
  }

  async dispose(): Promise<void> {
    await this.kill9()
    removeDirectory(this.dir)
  }
}

export async function startProcess(t: Cleanup, launch: Launch, options: ServerOptions): Promise<ServerProcess> {
  const server = new ServerProcess(launch, options)
  t.after(() => server.dispose())
  await server.start()
  return server
}
