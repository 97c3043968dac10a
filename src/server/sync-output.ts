/**
 * The output of one connection while replies may have to wait for replicas (sync-replicas): where each reply of the running
 * batch ends, and what is held back. Once something is held, everything later waits behind it.
 */
import type { Client } from '../commands/client.ts'
import type { HeldOutput, Mark } from '../replication/sync/held-output.ts'
import type { Holder, SyncMode } from '../replication/sync/sync-mode.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Clients } from './clients.ts'
import type { Connection } from './connection.ts'

const PUSH = 0x3e
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
    for (const { output } of this.held) bytes += output.length
    return bytes
  }

  /** A request is about to run; the replies of the batch so far end at `end`. */
  runs(end: number): void {
    this.#before = this.#clients.sync?.offset ?? 0
    const last = this.#marks.at(-1)?.end ?? 0
    // Of requests that ran before the setting was turned on.
    if (end > last) this.#marks.push({ end, kind: 'other', offset: 0, copies: 0 })
  }

  /** It ran; the replies of the batch now end at `end`. */
  ran(request: Request, end: number): void {
    const { sync } = this.#clients
    if (sync === null) return
    this.#mark(end, sync.kindOf(this.client, request, this.#before), sync)
  }

  #mark(end: number, kind: Mark['kind'], sync: SyncMode): void {
    const copies = kind === 'other' ? 0 : sync.copiesFor(this.client)
    this.#marks.push({ end, kind, offset: sync.offset, copies })
  }

  /** The batch is over. */
  drain(reply: ReplyWriter): void {
    const marks = this.#marks
    this.#marks = []
    const { sync } = this.#clients
    if (sync !== null && (this.isHolding || sync.mustHold(marks))) {
      sync.hold(this, reply.takeOutput(), marks)
      return
    }
    this.isPassing = true
    reply.drain(this.#connection)
    this.isPassing = false
  }

  /** Nothing was answered (CLIENT REPLY OFF). */
  forget(): void {
    this.#marks = []
  }

  /** Output outside of a batch: messages, and what a client that was blocked is given. True if it is held. */
  takesMessage(buffers: readonly Buffer[]): boolean {
    const { sync } = this.#clients
    if (this.isPassing || sync === null || this.client.kind === 'replica') return false
    const bytes = Buffer.concat(buffers)
    const isReply = this.client.resp === 3 ? bytes[0] !== PUSH : this.client.kind === 'normal'
    const isNull = bytes.length <= 5 && NULLS.includes(bytes.latin1Slice(0, bytes.length))
    this.#mark(bytes.length, isReply && !isNull ? sync.servedKind(this.client) : 'other', sync)
    const marks = this.#marks
    this.#marks = []
    if (!this.isHolding && !sync.mustHold(marks)) return false
    sync.hold(this, bytes, marks)
    return true
  }

  /** The first may leave. */
  release(): void {
    const first = this.held.shift()
    if (first === undefined || this.#connection.isClosed) return
    this.isPassing = true
    if (typeof first.output === 'string') this.#connection.writeText(first.output)
    else this.#connection.writeBuffers([first.output])
    this.isPassing = false
    // Not through the client, which is closing already.
    if (this.held.length === 0 && this.client.closing) this.#connection.close('after-replies')
  }

  gone(): void {
    this.held.length = 0
    this.#clients.sync?.gone(this)
  }
}
