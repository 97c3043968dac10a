/**
 * The thread that holds the sockets of outgoing.ts: one job at a time, sockets kept open for the next (redis 7.0.15
 * cluster.c migrateGetSocket: 64 of them). It knows no replies but lines, which is all that AUTH, SELECT and RESTORE answer.
 */
import type { Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { type MessagePort, workerData } from 'node:worker_threads'
import type { Exchange } from '../commands/outgoing-host.ts'
import { anyName, connectedEvent, dial, type Tls } from '../tls/dial.ts'
import { ANSWERED, SOCKETS, type WorkerJob } from './outgoing-job.ts'

const MAX_SOCKETS = 64
const CHUNK_BYTES = 64 * 1024

interface Target {
  socket: Socket
  /** The database that the other side has selected, -1 if unknown. */
  database: number
  /** Who waits for what comes. */
  received: (bytes: Buffer) => void
}

const { port, signal } = workerData as { port: MessagePort; signal: Int32Array }
const targets = new Map<string, Target>()

function count(): void {
  Atomics.store(signal, SOCKETS, targets.size)
}

function drop(name: string): void {
  const target = targets.get(name)
  if (target === undefined) return
  targets.delete(name)
  target.socket.destroy()
  count()
}

/**
 * What failed instead of a socket, when there is none in time. That nobody listens is noticed by Redis when it writes:
 * it only waits until the socket is writable. By TLS it notices in the handshake (tls.c connTLSBlockingConnect).
 */
function open(job: WorkerJob, name: string): Promise<Target | 'connecting' | 'writing'> {
  const kept = targets.get(name)
  if (kept !== undefined) return Promise.resolve(kept)
  return new Promise((resolve) => {
    const tls: Tls = job.tls === null ? null : anyName(createSecureContext(job.tls))
    const socket = dial(job, tls, (bytes) => target.received(bytes))
    const target: Target = { socket, database: -1, received: () => {} }
    const settle = (found: Target | 'connecting' | 'writing') => {
      clearTimeout(timer)
      if (typeof found === 'string') socket.destroy()
      resolve(found)
    }
    const timer = setTimeout(() => settle('connecting'), job.timeoutMs)
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const isRefused = error.syscall === 'connect' && error.code === 'ECONNREFUSED'
      settle(isRefused && tls === null ? 'writing' : 'connecting')
    })
    socket.once(connectedEvent(tls), () => {
      if (targets.size === MAX_SOCKETS) drop(targets.keys().next().value!)
      targets.set(name, target)
      count()
      socket.removeAllListeners('error')
      // While idle: the next job finds the socket gone and opens another.
      socket.on('error', () => drop(name))
      socket.on('close', () => {
        if (targets.get(name) === target) drop(name)
      })
      settle(target)
    })
  })
}

/** Writes everything and reads `lines` lines; each step may take `timeoutMs`. */
function converse(target: Target, bytes: Uint8Array, lines: number, timeoutMs: number): Promise<Exchange> {
  const { socket } = target
  return new Promise((resolve) => {
    const found: string[] = []
    let text = ''
    let written = false
    const settle = (failure: Exchange['failure'], timedOut: boolean) => {
      clearTimeout(timer)
      target.received = () => {}
      socket.off('close', onClose)
      resolve({ lines: found, selected: false, failure, timedOut })
    }
    const failure = () => (written ? 'reading' : 'writing')
    const timer = setTimeout(() => settle(failure(), true), timeoutMs)
    const onClose = () => settle(failure(), false)
    target.received = (chunk) => {
      timer.refresh()
      text += chunk.toString('latin1')
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        found.push(text.slice(0, end).replace(/\r$/, ''))
        text = text.slice(end + 1)
      }
      if (found.length >= lines) settle('', false)
    }
    socket.on('close', onClose)
    const writeFrom = (at: number) => {
      const end = Math.min(at + CHUNK_BYTES, bytes.length)
      socket.write(bytes.subarray(at, end), (error) => {
        if (error) return
        timer.refresh()
        if (end < bytes.length) writeFrom(end)
        else written = true
      })
    }
    writeFrom(0)
  })
}

async function run(job: WorkerJob): Promise<Exchange> {
  const { request } = job
  const name = `${job.tls === null ? '' : 'tls '}${job.host}:${job.port}`
  const target = await open(job, name)
  if (typeof target === 'string') return { lines: [], selected: false, failure: target, timedOut: true }
  const selects = target.database !== request.database
  const parts = selects ? [request.auth, request.select, request.body] : [request.auth, request.body]
  const lines = request.lines + (request.auth.length > 0 ? 1 : 0) + (selects ? 1 : 0)
  target.database = -1
  const exchange = await converse(target, Buffer.concat(parts), lines, job.timeoutMs)
  exchange.selected = selects
  if (exchange.failure !== '') drop(name)
  else if (!exchange.lines.some((line) => line.startsWith('-'))) target.database = request.database
  return exchange
}

port.on('message', (job: WorkerJob) => {
  void run(job).then((exchange) => {
    port.postMessage(exchange)
    Atomics.store(signal, ANSWERED, job.id)
    Atomics.notify(signal, ANSWERED)
  })
})
