/**
 * The HTTP side: /metrics for Prometheus, /healthz and /readyz for whoever decides where clients are sent. It answers
 * three paths and nothing else, and whatever fails here is logged and answered, never thrown.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Log } from '../commands/host.ts'

const PLAIN_TEXT = 'text/plain; charset=utf-8'

export interface Pages {
  readonly log: Log
  readonly contentType: string
  metrics(): Promise<string>
  /** Null when all is well, otherwise the reason why not. */
  whyUnhealthy(): string | null
  whyNotReady(): string | null
}

interface Answer {
  status: number
  text: string
  type?: string
}

export class MetricsServer {
  readonly #pages: Pages
  readonly #server: Server

  constructor(pages: Pages) {
    this.#pages = pages
    this.#server = createServer((request, response) => void this.#serve(request, response))
    this.#server.on('clientError', (_, socket) => socket.destroy())
  }

  /** Port 0 takes any that is free. Rejects when it cannot listen. */
  async listen(host: string, port: number): Promise<void> {
    this.#server.listen(port, host)
    await once(this.#server, 'listening')
    this.#server.on('error', (error) => this.#pages.log('warning', `Metrics server: ${error.message}`))
  }

  /** The port really listened on, 0 when it does not. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { status, text, type } = await this.#answer(request)
      const headers = { 'content-type': type ?? PLAIN_TEXT, 'content-length': Buffer.byteLength(text) }
      response.writeHead(status, status === 405 ? { ...headers, allow: 'GET, HEAD' } : headers)
      response.end(text)
    } catch (error) {
      this.#pages.log('warning', `Metrics request failed: ${error instanceof Error ? error.stack : String(error)}`)
      if (!response.headersSent) response.writeHead(500, { 'content-type': PLAIN_TEXT })
      response.end('internal error, see the log\n')
    }
  }

  async #answer({ method, url }: IncomingMessage): Promise<Answer> {
    const pages = this.#pages
    const answer = PATHS[(url ?? '').split('?', 1)[0]!]
    if (answer === undefined) return { status: 404, text: 'not found: there are /metrics, /healthz and /readyz\n' }
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, text: 'only GET\n' }
    return answer(pages)
  }
}

const PATHS: Record<string, (pages: Pages) => Answer | Promise<Answer>> = {
  '/metrics': async (pages) => ({ status: 200, text: await pages.metrics(), type: pages.contentType }),
  '/healthz': (pages) => state(pages.whyUnhealthy()),
  '/readyz': (pages) => state(pages.whyNotReady()),
}

function state(reason: string | null): Answer {
  return reason === null ? { status: 200, text: 'ok\n' } : { status: 503, text: `${reason}\n` }
}
