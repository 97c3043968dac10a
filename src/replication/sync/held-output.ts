/** Replies that wait for replicas, and what becomes of them when those do not answer in time. */

export interface Mark {
  /** The reply ends here in the bytes. */
  readonly end: number
  /** What it answers: a write, a read that may show writes of others, or what needs no copies. */
  readonly kind: 'write' | 'read' | 'other'
  /** Of the stream behind it. */
  readonly offset: number
}

export interface HeldOutput {
  bytes: Buffer
  readonly marks: readonly Mark[]
  /** It may leave when this offset is acknowledged by so many. */
  readonly offset: number
  readonly copies: number
  readonly sinceMs: number
  readonly expiresAtMs: number
}

/** Each write's and read's reply is an error now; what was not answered (CLIENT REPLY OFF) still is not. */
export function withErrors({ bytes, marks, copies }: HeldOutput): Buffer {
  const pieces: Buffer[] = []
  let start = 0
  for (const { end, kind } of marks) {
    if (kind === 'other' || end === start || bytes[start] === ERROR) pieces.push(bytes.subarray(start, end))
    else pieces.push(Buffer.from(kind === 'write' ? writeError(copies) : readError(copies), 'latin1'))
    start = end
  }
  pieces.push(bytes.subarray(start))
  return Buffer.concat(pieces)
}

const ERROR = 0x2d

function writeError(copies: number): string {
  return `-NOREPLICAS The write was applied here, but ${copies} replicas did not acknowledge it in time.\r\n`
}

function readError(copies: number): string {
  return `-NOREPLICAS What was read is not acknowledged by ${copies} replicas in time.\r\n`
}
