/** What MIGRATE may ask of the running server: an exchange with another one. */

/** What MIGRATE asks of another server: requests, of which each is answered with one line. */
export interface ExchangeRequest {
  /** An AUTH request, or nothing. */
  auth: Uint8Array
  /** A SELECT request, sent if the connection is not at `database` already. */
  select: Uint8Array
  database: number
  body: Uint8Array
  /** Number of requests in `body`. */
  lines: number
}

export interface Exchange {
  /** The answers of AUTH, of SELECT if `selected`, and of the body, as far as they came. */
  lines: string[]
  selected: boolean
  /** What it was doing when it failed, '' if it did not. */
  failure: '' | 'connecting' | 'writing' | 'reading'
  timedOut: boolean
}

export interface OutgoingHost {
  /** Sends the request and waits for the answer; everything else waits as well. */
  exchange(host: string, port: number, timeoutMs: number, request: ExchangeRequest): Exchange
  /** Connections kept open. */
  readonly sockets: number
}
