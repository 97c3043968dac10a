/**
 * The output of one connection while replies may have to wait for replicas (sync-replicas): where each reply of the running
 * batch ends, and what is held back. Once something is held, everything later waits behind it.
 */
import type { Client } from '../commands/client.ts'
import { FLAG_BLOCKING, FLAG_WRITE } from '../commands/define.ts'
import type { HeldOutput, Mark } from '../replication/sync/held-output.ts'
import type { Holder } from '../replication/sync/sync-mode.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Clients } from './clients.ts'
import type { Connection } from './connection.ts'

const NULLS: readonly string[] = ['$-1\r\n', '*-1\r\n', '_\r\n']

export class SyncOutput implements Holder {
  readonly client: Client
  readonly held: HeldOutput[] = []
  /** What is written now has waited, or need not. */
  isPassing = false

  #connection: Connection
  #clients: Clients
  #marks: Mark[] = []
  #before = 0

  constructor(connection: Connection, clients: Clients) {
    this.#connection = connection
    this.#clients = clients
    this.client = connection.client
  }

  get isHolding(): boolean {
    return this.held.length > 0
  }

  get bytes(): number {
    let bytes = 0
    for (const held of this.held) bytes += held.bytes.length
    return bytes
  }

  /** A request is about to run. */
  runs(): void {
    this.#before = this.#clients.sync?.offset ?? 0
  }

  /** It ran; the replies of the batch now end at `end`. */
  ran(request: Request, end: number): void {
    const { sync } = this.#clients
    if (sync === null) return
    this.#marks.push({ end, kind: sync.kindOf(this.client, request, this.#before), offset: sync.offset })
  }

  /** The batch is over. */
  drain(reply: ReplyWriter): void {
    const marks = this.#marks
    this.#marks = []
    const { sync } = this.#clients
    if (sync !== null) {
      const copies = sync.copiesFor(this.client)
      if (this.isHolding || sync.mustHold(marks, copies)) {
        sync.hold(this, reply.takeBytes(), marks, copies)
        return
      }
    }
    this.isPassing = true
    reply.drain(this.#connection)
    this.isPassing = false
  }

  /** Output outside of a batch: messages, and what a client that was blocked is given. True if it is held. */
  takesMessage(buffers: readonly Buffer[]): boolean {
    const { sync } = this.#clients
    if (this.isPassing || sync === null || this.client.kind === 'replica') return false
    const bytes = Buffer.concat(buffers)
    const flags = this.client.lastCommand?.flagBits ?? 0
    const isServed = (flags & FLAG_WRITE) !== 0 && (flags & FLAG_BLOCKING) !== 0 && this.client.kind === 'normal'
    const isWrite = isServed && !(bytes.length <= 5 && NULLS.includes(bytes.latin1Slice(0, bytes.length)))
    const marks: Mark[] = [{ end: bytes.length, kind: isWrite ? 'write' : 'other', offset: sync.offset }]
    const copies = sync.copiesFor(this.client)
    if (!this.isHolding && !sync.mustHold(marks, copies)) return false
    sync.hold(this, bytes, marks, copies)
    return true
  }

  /** The first may leave. */
  release(): void {
    const first = this.held.shift()
    if (first === undefined || this.#connection.isClosed) return
    this.isPassing = true
    this.#connection.writeBuffers([first.bytes])
    this.isPassing = false
    if (this.held.length === 0 && this.client.closing) this.client.close('after-replies')
  }

  gone(): void {
    this.held.length = 0
    this.#clients.sync?.gone(this)
  }
}
