/** What a node of a cluster says when the keys of a request are elsewhere. The request was not run. */
import type { Endpoint } from './address.ts'

export interface Redirect {
  /** Only this request, behind ASKING: the slot is on its way. Else the slot is there for good. */
  readonly isAsk: boolean
  readonly slot: number
  /** The host is '' if it is that of the node itself. */
  readonly endpoint: Endpoint
}

const MOVED = '-MOVED '
const ASK = '-ASK '

export function isRedirect(line: Buffer): boolean {
  const head = line.latin1Slice(0, MOVED.length)
  return head === MOVED || head.startsWith(ASK)
}

/** `-MOVED 3999 127.0.0.1:6381`, `-ASK …`; undefined for any other reply. */
export function readRedirect(line: Buffer): Redirect | undefined {
  if (!isRedirect(line)) return undefined
  const found = /^-(MOVED|ASK) (\d+) (\S*):(\d+)\r\n$/.exec(line.latin1Slice())
  if (found === null) return undefined
  return { isAsk: found[1] === 'ASK', slot: Number(found[2]), endpoint: { host: found[3]!, port: Number(found[4]) } }
}
