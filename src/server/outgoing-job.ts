/** What the main thread and the thread that holds outgoing sockets tell each other. */
import type { SecureContextOptions } from 'node:tls'
import type { ExchangeRequest } from '../commands/outgoing-host.ts'

/** Indexes of the shared words: the last job answered, and the number of open sockets. */
export const ANSWERED = 0
export const SOCKETS = 1

export interface WorkerJob {
  id: number
  host: string
  port: number
  timeoutMs: number
  /** Certificates and the like of a connection by TLS; null without. */
  tls: SecureContextOptions | null
  request: ExchangeRequest
}
