/** Replies that wait for replicas, and what becomes of them when those do not answer in time. */
import { valueEnd } from '../../resp/value-end.ts'

export interface Mark {
  /** The reply ends here in the bytes. */
  readonly end: number
  /** What it answers: a write, a read that may show writes of others, or what needs no copies. */
  readonly kind: 'write' | 'read' | 'other'
  /** Of the stream behind it. */
  readonly offset: number
  /** How many replicas have to have that; 0 for `other`. */
  readonly copies: number
}

export interface HeldOutput {
  /** Short output is Latin-1 text, as it leaves. */
  output: Buffer | string
  readonly marks: readonly Mark[]
  /** It may leave when this offset is acknowledged by so many. */
  readonly offset: number
  readonly copies: number
  readonly sinceMs: number
  readonly expiresAtMs: number
}

const ERROR = 0x2d
const PUSH = 0x3e

/** Each write's and read's reply is an error now; what was not answered (CLIENT REPLY OFF) still is not. */
export function withErrors({ output, marks }: HeldOutput): Buffer {
  const bytes = typeof output === 'string' ? Buffer.from(output, 'latin1') : output
  const pieces: Buffer[] = []
  let start = 0
  for (const { end, kind, copies } of marks) {
    if (kind === 'other' || copies === 0) pieces.push(bytes.subarray(start, end))
    else addRefused(pieces, bytes.subarray(start, end), kind === 'write' ? writeError(copies) : readError(copies))
    start = end
  }
  pieces.push(bytes.subarray(start))
  return Buffer.concat(pieces)
}

/** Messages that came between (RESP3 pushes) are no part of the reply, and an error says already what happened. */
function addRefused(pieces: Buffer[], bytes: Buffer, error: string): void {
  for (let start = 0; start < bytes.length; ) {
    const end = valueEnd(bytes, start)
    const isKept = bytes[start] === PUSH || bytes[start] === ERROR
    pieces.push(isKept ? bytes.subarray(start, end) : Buffer.from(error, 'latin1'))
    start = end
  }
}

function writeError(copies: number): string {
  return `-NOREPLICAS The write was applied here, but ${copies} replicas did not acknowledge it in time.\r\n`
}

function readError(copies: number): string {
  return `-NOREPLICAS What was read is not acknowledged by ${copies} replicas in time.\r\n`
}
