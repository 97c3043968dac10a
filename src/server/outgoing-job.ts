/** What the main thread and the thread that holds outgoing sockets tell each other. */
import type { ExchangeRequest } from '../commands/outgoing-host.ts'

/** Indexes of the shared words: the last job answered, and the number of open sockets. */
export const ANSWERED = 0
export const SOCKETS = 1

export interface WorkerJob {
  id: number
  host: string
  port: number
  timeoutMs: number
  request: ExchangeRequest
}
