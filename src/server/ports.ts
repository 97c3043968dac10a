/**
 * Where the server listens: TCP, TLS and a Unix socket, from the start and as CONFIG SET changes it. Connections stay when
 * ports change; the old sockets come back if the new ones cannot be had. redis 7.0.15 config.c applyTLSPort, applyTlsCfg
 */

import type { Log } from '../commands/host.ts'
import type { Config } from '../config/config.ts'
import { TlsAcceptor } from '../tls/acceptor.ts'
import { NO_TLS, TLS_OPTIONS, type TlsContexts } from '../tls/contexts.ts'
import type { Clients } from './clients.ts'
import { Listener } from './listener.ts'

const NO_PORT = 'Unable to listen on this port. Check server logs.'
const NO_ADDRESS = 'Failed to bind to specified addresses.'

export class Ports {
  readonly #config: Config
  readonly #log: Log
  readonly #clients: Clients
  readonly #contexts: TlsContexts
  readonly #acceptor: TlsAcceptor
  #plain: Listener
  #tls: Listener
  #boundTo: readonly string[] = []
  #tlsBoundTo: readonly string[] = []

  constructor(clients: Clients, contexts: TlsContexts) {
    const { config, log } = clients.engine
    this.#config = config
    this.#log = log
    this.#clients = clients
    this.#contexts = contexts
    this.#acceptor = new TlsAcceptor(config, contexts)
    this.#plain = new Listener(clients)
    this.#tls = new Listener(clients, this.#acceptor)
    config.onApply(TLS_OPTIONS, () => (contexts.isWanted && !contexts.configure() ? NO_TLS : undefined))
    config.onApply(['tls-port', 'bind'], () => this.#listenAgainTls())
  }

  /** The port really listened on, that of TLS if there is no other. */
  get port(): number {
    return this.#plain.port || this.#tls.port
  }

  get tlsPort(): number {
    return this.#tls.port
  }

  /** `given` 0 takes a free one, which the option port 0 does not: there it means not to listen. */
  async listen(given?: number): Promise<void> {
    const config = this.#config
    if (this.#contexts.isWanted && !this.#contexts.configure()) {
      throw new Error('Failed to configure TLS. Check logs for more info.')
    }
    const port = given ?? config.get('port')
    const tlsPort = config.get('tls-port')
    const bind = config.get('bind')
    this.#boundTo = bind
    this.#tlsBoundTo = bind
    if (port > 0 || given === 0) await this.#open(this.#plain, port, 'TCP')
    if (tlsPort > 0) await this.#open(this.#tls, tlsPort, 'TLS')
    const path = config.get('unixsocket')
    if (path !== '') await this.#plain.listenUnix(path, config.get('unixsocketperm'))
  }

  async #open(listener: Listener, port: number, kind: 'TCP' | 'TLS'): Promise<void> {
    try {
      await listener.listen(this.#config.get('bind'), port)
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'Address already in use' : String(error)
      this.#log('warning', `Warning: Could not create server TCP listening socket *:${port}: bind: ${reason}`)
      throw new Error(`Failed listening on port ${port} (${kind}), aborting.`)
    }
  }

  /** CONFIG SET port or bind. */
  async listenAgain(): Promise<string | undefined> {
    const config = this.#config
    this.#plain.stop()
    this.#plain = new Listener(this.#clients)
    try {
      if (config.get('port') > 0) await this.#plain.listen(config.get('bind'), config.get('port'))
      this.#boundTo = config.get('bind')
      return undefined
    } catch {
      this.#plain.stop()
      return config.get('bind') === this.#boundTo ? NO_PORT : NO_ADDRESS
    }
  }

  /** CONFIG SET tls-port or bind. */
  async #listenAgainTls(): Promise<string | undefined> {
    const config = this.#config
    const port = config.get('tls-port')
    if (port > 0 && this.#contexts.server === null && !this.#contexts.configure()) return NO_TLS
    this.#tls.stop()
    this.#tls = new Listener(this.#clients, this.#acceptor)
    try {
      if (port > 0) await this.#tls.listen(config.get('bind'), port)
      this.#tlsBoundTo = config.get('bind')
      return undefined
    } catch {
      this.#tls.stop()
      return config.get('bind') === this.#tlsBoundTo ? NO_PORT : NO_ADDRESS
    }
  }

  stop(): void {
    this.#plain.stop()
    this.#tls.stop()
  }
}
