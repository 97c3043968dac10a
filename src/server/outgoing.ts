/**
 * Requests that a command sends to another server and waits for, as MIGRATE does: the command and everybody else wait,
 * which is what makes a migration atomic, inside MULTI too. Node has no blocking sockets, so a worker thread holds the
 * sockets and this thread sleeps until it answers. The thread is started by the first request and ends with the last
 * socket that it keeps open.
 */
import { extname } from 'node:path'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { Exchange, OutgoingHost } from '../commands/outgoing-host.ts'
import { ANSWERED, SOCKETS, type WorkerJob } from './outgoing-job.ts'

/** How long the thread stays after its last request; sockets that are used less often than this are of no use. */
const IDLE_MS = 10_000
/** The worker keeps the time itself; this is for one that died. */
const GRACE_MS = 5000

export class Outgoing implements OutgoingHost {
  #worker: Worker | null = null
  #port: MessagePort | null = null
  #signal = new Int32Array(new SharedArrayBuffer(8))
  #jobs = 0
  #idle: NodeJS.Timeout | null = null
  #tls: () => WorkerJob['tls']

  /** `tls`: what connections are made with, null without TLS. */
  constructor(tls: () => WorkerJob['tls']) {
    this.#tls = tls
  }

  get sockets(): number {
    return this.#worker === null ? 0 : Atomics.load(this.#signal, SOCKETS)
  }

  exchange(host: string, port: number, timeoutMs: number, request: WorkerJob['request']): Exchange {
    this.#stayAwake()
    const id = ++this.#jobs
    this.#port!.postMessage({ id, host, port, timeoutMs, tls: this.#tls(), request } satisfies WorkerJob)
    while (Atomics.load(this.#signal, ANSWERED) !== id) {
      const seen = Atomics.load(this.#signal, ANSWERED)
      if (seen === id) break
      // Each step (connecting, writing, a line of the answer) may take this long, so a step is what is waited for.
      if (Atomics.wait(this.#signal, ANSWERED, seen, (timeoutMs + GRACE_MS) * (request.lines + 3)) === 'timed-out') {
        this.stop()
        return { lines: [], selected: true, failure: 'reading', timedOut: true }
      }
    }
    return receiveMessageOnPort(this.#port!)!.message as Exchange
  }

  stop(): void {
    if (this.#idle !== null) clearTimeout(this.#idle)
    this.#idle = null
    this.#port?.close()
    this.#port = null
    void this.#worker?.terminate()
    this.#worker = null
    this.#signal = new Int32Array(new SharedArrayBuffer(8))
  }

  #stayAwake(): void {
    if (this.#idle === null) this.#idle = setTimeout(() => this.stop(), IDLE_MS).unref()
    else this.#idle.refresh()
    if (this.#worker !== null) return
    const { port1, port2 } = new MessageChannel()
    port1.unref()
    this.#port = port1
    // Beside this file, as source or compiled.
    this.#worker = new Worker(new URL(`./outgoing-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData: { port: port2, signal: this.#signal },
      transferList: [port2],
    })
    this.#worker.unref()
    // The next request starts another; the one under way runs into its time limit.
    this.#worker.on('error', () => this.stop())
    Atomics.store(this.#signal, ANSWERED, 0)
    this.#jobs = 0
  }
}
