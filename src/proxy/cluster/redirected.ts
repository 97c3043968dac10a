/**
 * Requests that a node did not run because their keys are elsewhere, and requests that every shard gets. A client's replies
 * stay in order: the reply that comes later has its place, and what is behind it waits (session.ts).
 */

import type { Late, Receiver, Session } from '../session.ts'
import type { Special } from '../upstream-connection.ts'

const NOTHING = Buffer.alloc(0)
const MINUS = 0x2d

/** The one reply of a request that is sent once more. */
export class Redirected implements Receiver {
  readonly session: Session
  readonly request: Buffer
  readonly how: Special
  readonly startedAt = performance.now()
  hops = 0
  readonly #late: Late
  #bytes: Buffer = NOTHING

  constructor(session: Session, request: Buffer, how: Special) {
    this.session = session
    this.request = request
    this.how = how
    this.#late = session.late()
  }

  deliver(pieces: readonly Buffer[], chunk: Buffer, start: number, end: number): void {
    this.#bytes = Buffer.concat([...pieces, chunk.subarray(start, end)])
  }

  refuse(text: string): void {
    this.#bytes = Buffer.from(`-${text}\r\n`, 'latin1')
  }

  answered(): void {
    this.session.fill(this.#late, this.#bytes)
    this.session.answered(1)
  }
}

/** What is said to the client when all shards have replied, in their order. */
export type Merge = (replies: readonly Buffer[]) => Buffer

/** The first error, if there is one. */
export function unlessError(merge: Merge): Merge {
  return (replies) => replies.find((reply) => reply[0] === MINUS) ?? merge(replies)
}

/** The first error, else what the last of them said. */
export const oneOfAll = unlessError((replies) => replies.at(-1)!)

/** A request that several shards get. */
export class Everywhere {
  readonly #session: Session
  readonly #late: Late
  readonly #muted: boolean
  readonly #merge: Merge
  readonly #replies: Buffer[]
  #left: number

  constructor(session: Session, shards: number, muted: boolean, merge: Merge = oneOfAll) {
    this.#session = session
    this.#left = shards
    this.#replies = new Array(shards).fill(NOTHING)
    this.#muted = muted
    this.#merge = merge
    this.#late = session.late()
  }

  /** For the reply of the shard at this place. */
  receiver(at: number): Receiver {
    return {
      deliver: (pieces, chunk, start, end) => {
        this.#replies[at] = Buffer.concat([...pieces, chunk.subarray(start, end)])
      },
      refuse: (text) => {
        this.#replies[at] = Buffer.from(`-${text}\r\n`, 'latin1')
      },
      answered: () => this.#answered(),
    }
  }

  #answered(): void {
    if (--this.#left > 0) return
    this.#session.fill(this.#late, this.#muted ? NOTHING : this.#merge(this.#replies))
    this.#session.answered(1)
  }
}
