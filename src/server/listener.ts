/**
 * Listens on TCP addresses and a unix socket and hands each accepted handle to a socket that reads into the one shared
 * buffer (`onread`: without it Node allocates 64 KiB a read, which costs a quarter of the throughput). Where the handle
 * cannot be had, and by TLS, a plain 'data' listener serves.
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, Socket } from 'node:net'
import { hostPort } from '../bytes/host-port.ts'
import type { TlsAcceptor } from '../tls/acceptor.ts'
import type { Clients } from './clients.ts'
import { Connection } from './connection.ts'

const READ_BUFFER_BYTES = 256 * 1024

const DENIED =
  "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n"

interface RawHandle {
  fd?: number
  reading?: boolean
}

export class Listener {
  #clients: Clients
  #servers: Server[] = []
  #buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)
  #socketPath = ''
  /** Who does the handshakes; null without TLS. */
  #tls: TlsAcceptor | null

  constructor(clients: Clients, tls: TlsAcceptor | null = null) {
    this.#clients = clients
    this.#tls = tls
    if (tls === null) return
    tls.onSecured = (socket) => this.#secured(socket)
    tls.onFailed = (reason) => clients.engine.log('warning', `Error accepting a client connection: ${reason}`)
  }

  /**
   * Listens on each address; one with a leading '-' may be missing on this machine. Rejects with the error of the first
   * that cannot be had, its `address` among the error's properties.
   */
  async listen(addresses: readonly string[], port: number): Promise<void> {
    for (const entry of addresses) {
      const optional = entry.startsWith('-')
      const address = optional ? entry.slice(1) : entry
      try {
        await this.#open({ host: address === '*' ? '0.0.0.0' : address === '::*' ? '::' : address, port })
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code
        if (optional && (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT' || code === 'EINVAL')) continue
        throw error
      }
    }
  }

  async listenUnix(path: string, mode: number): Promise<void> {
    rmSync(path, { force: true })
    await this.#open({ path })
    this.#socketPath = path
    if (mode !== 0) chmodSync(path, mode)
  }

  /** The TCP port really bound, for port 0 in embedded use. */
  get port(): number {
    for (const server of this.#servers) {
      const address = server.address()
      if (address !== null && typeof address === 'object') return address.port
    }
    return 0
  }

  async close(): Promise<void> {
    const servers = this.#servers
    this.#servers = []
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
    if (this.#socketPath !== '') rmSync(this.#socketPath, { force: true })
  }

  /** Stops accepting at once, without waiting for connections to end. */
  stop(): void {
    for (const server of this.#servers) server.close()
    this.#servers = []
    if (this.#socketPath !== '') rmSync(this.#socketPath, { force: true })
  }

  #open(where: { host?: string; port?: number; path?: string }): Promise<void> {
    const tls = this.#tls
    const server = createServer({ pauseOnConnect: tls === null, noDelay: true }, (socket) => {
      if (tls === null) this.#accept(socket)
      else this.#shakeHands(socket, tls)
    })
    const backlog = this.#clients.engine.config.get('tcp-backlog')
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ ...where, backlog, ipv6Only: where.host?.includes(':') ?? false }, () => {
        server.off('error', reject)
        server.on('error', (error) => this.#clients.engine.log('warning', `Accepting client connection: ${error}`))
        this.#servers.push(server)
        resolve()
      })
    })
  }

  /** The limit is on who is let in and who wants to be; a refusal could not be read yet. */
  #shakeHands(accepted: Socket, tls: TlsAcceptor): void {
    const { engine } = this.#clients
    accepted.on('error', () => {})
    if (this.#clients.count + tls.pending < engine.config.get('maxclients')) return tls.accept(accepted)
    engine.stats.rejectedConnections++
    accepted.destroy()
  }

  #secured(socket: Socket): void {
    if (socket.remoteAddress === undefined) socket.destroy()
    else this.#accept(socket)
  }

  #accept(accepted: Socket): void {
    const { engine } = this.#clients
    const isUnix = accepted.remoteAddress === undefined
    const unixPath = engine.config.get('unixsocket') ?? ''
    const addresses = {
      remote: isUnix ? `${unixPath}:0` : endpoint(accepted.remoteAddress!, accepted.remotePort!),
      local: isUnix ? `${unixPath}:0` : endpoint(accepted.localAddress ?? '', accepted.localPort ?? 0),
      fd: (accepted as unknown as { _handle?: RawHandle })._handle?.fd ?? -1,
    }
    const refusal = this.#refusal(isUnix, accepted.remoteAddress ?? '')
    if (refusal !== null) {
      engine.stats.rejectedConnections++
      accepted.on('error', () => {})
      accepted.end(refusal)
      return
    }
    let connection: Connection
    const received = (length: number) => connection.receive(this.#buffer, length)
    const socket = this.#tls === null ? this.#rehandle(accepted, received) : accepted
    connection = new Connection(this.#clients, socket, addresses, socket !== accepted)
    connection.client.isUnixSocket = isUnix
    if (socket === accepted) {
      socket.on('data', (chunk) => connection.receive(chunk, chunk.length))
      socket.resume()
    }
    const keepAlive = engine.config.get('tcp-keepalive')
    if (!isUnix) {
      socket.setNoDelay(true)
      if (keepAlive > 0) socket.setKeepAlive(true, keepAlive * 1000)
    }
    this.#clients.add(connection)
  }

  /** The same connection in a socket that reads into the shared buffer; the accepted one if its handle is hidden. */
  #rehandle(accepted: Socket, received: (length: number) => void): Socket {
    const holder = accepted as unknown as { _handle: RawHandle | null; _server?: unknown; server?: unknown }
    const handle = holder._handle
    if (handle === null || handle === undefined) return accepted
    holder._handle = null
    const onread = {
      buffer: this.#buffer,
      callback: (length: number) => {
        received(length)
        return true
      },
    }
    const options = { handle, onread, readable: true, writable: true }
    const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0])
    const owner = socket as unknown as { _server?: unknown; server?: unknown }
    owner._server = holder._server
    owner.server = holder.server
    holder._server = null
    holder.server = null
    return socket
  }

  #refusal(isUnix: boolean, address: string): string | null {
    const { engine } = this.#clients
    if (this.#clients.count >= engine.config.get('maxclients')) return '-ERR max number of clients reached\r\n'
    const isLoopback = isUnix || /^(127\.|::1$|::ffff:127\.)/.test(address)
    if (engine.config.get('protected-mode') && engine.acl.defaultTakesAnyPassword && !isLoopback) return DENIED
    return null
  }
}

function endpoint(address: string, port: number): string {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address
  return hostPort(plain, port)
}
