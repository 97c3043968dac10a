/**
 * Connects to another server, by TLS or without. Bytes of either come through the same callback; `onConnected` is called
 * when requests can be sent, which by TLS is after the handshake.
 */
import { connect, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type SecureContext } from 'node:tls'

const KEEP_ALIVE_MS = 15_000
const READ_BYTES = 256 * 1024

export interface Destination {
  readonly host: string
  readonly port: number
  readonly localAddress?: string
  readonly keepAlive?: boolean
  /**
   * `received` gets the one buffer that all connections read into, and must be done with it when it returns. Otherwise
   * Node allocates 64 KiB for each read.
   */
  readonly sharesBuffer?: boolean
}

const shared = Buffer.allocUnsafeSlow(READ_BYTES)

/** Node's options of a TLS connection; null is plain TCP. */
export type Tls = ConnectionOptions | null

export function dial(to: Destination, tls: Tls, received: (bytes: Buffer, length: number) => void): Socket {
  const { host, port, localAddress, sharesBuffer } = to
  const options = {
    host,
    port,
    noDelay: true,
    ...(localAddress ? { localAddress } : {}),
    ...(to.keepAlive ? { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS } : {}),
    ...(sharesBuffer === true
      ? { onread: { buffer: shared, callback: (length: number) => taken(received, length) } }
      : {}),
  }
  const socket = tls === null ? connect(options) : connectTls({ ...options, ...nameOf(host, tls), ...tls })
  if (sharesBuffer !== true) socket.on('data', (chunk: Buffer) => received(chunk, chunk.length))
  return socket
}

function taken(received: (bytes: Buffer, length: number) => void, length: number): boolean {
  received(shared, length)
  return true
}

/** The event that says that requests can be sent. */
export function connectedEvent(tls: Tls): 'connect' | 'secureConnect' {
  return tls === null ? 'connect' : 'secureConnect'
}

/** Servers behind one address tell each other apart by the name asked for; an address is no name. */
function nameOf(host: string, tls: ConnectionOptions): ConnectionOptions {
  return tls.servername !== undefined || isIP(host) !== 0 ? {} : { servername: host }
}

/** The peer's certificate has to come from an authority of the context, under whatever name: as between Redis servers. */
export function anyName(secureContext: SecureContext): ConnectionOptions {
  return { secureContext, rejectUnauthorized: true, checkServerIdentity: () => undefined }
}

/** Certificates of public authorities are worth nothing without the name in them. */
export function ownName(secureContext: SecureContext): ConnectionOptions {
  return { secureContext, rejectUnauthorized: true }
}
