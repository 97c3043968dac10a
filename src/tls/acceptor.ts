/**
 * Does the server's side of TLS handshakes on sockets that were accepted elsewhere. Which certificate and which demand for
 * the client's hold is looked up for each connection, so CONFIG SET counts from the next one on.
 * redis 7.0.15 tls.c connCreateAcceptedTLS
 */
import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import type { Config } from '../config/config.ts'
import type { TlsContexts } from './contexts.ts'
import { tlsErrorText } from './error-text.ts'
import { SessionCache } from './session-cache.ts'

export class TlsAcceptor {
  /** Handshakes under way. */
  pending = 0
  onSecured: (socket: TLSSocket) => void = () => {}
  /** The socket is gone. */
  onFailed: (reason: string) => void = () => {}

  readonly #config: Config
  readonly #contexts: TlsContexts
  readonly #sessions: SessionCache
  #server: Server | null = null
  #options: SecureContextOptions | null = null
  #demand = ''

  constructor(config: Config, contexts: TlsContexts) {
    this.#config = config
    this.#contexts = contexts
    this.#sessions = new SessionCache(config)
  }

  accept(socket: Socket): void {
    const server = this.#current()
    if (server === null) {
      socket.destroy()
      return
    }
    this.pending++
    // Once: also when it ends before the handshake does.
    socket.once('close', () => this.pending--)
    server.emit('connection', socket)
  }

  #current(): Server | null {
    const options = this.#contexts.server
    if (options === null) return null
    const demand = this.#config.get('tls-auth-clients')
    if (this.#server === null || options !== this.#options || demand !== this.#demand) {
      this.#options = options
      this.#demand = demand
      this.#server = this.#create(options, demand)
    }
    return this.#server
  }

  #create(options: SecureContextOptions, demand: string): Server {
    const server = createServer({ ...options, requestCert: demand !== 'no', rejectUnauthorized: demand === 'yes' })
    server.on('secureConnection', (socket) => {
      // Whoever shows one has to show a good one.
      if (demand === 'optional' && !socket.authorized && socket.getPeerX509Certificate() !== undefined) {
        this.onFailed(`certificate verify failed: ${socket.authorizationError}`)
        socket.destroy()
        return
      }
      this.onSecured(socket)
    })
    server.on('tlsClientError', (error, socket) => {
      this.onFailed(tlsErrorText(error))
      socket.destroy()
    })
    this.#sessions.serve(server)
    return server
  }
}
