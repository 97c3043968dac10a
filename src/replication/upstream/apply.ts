/**
 * The primary's stream, applied: the same path of a call as clients' requests, from a client that is the link. Bytes
 * count as applied, and are passed on to replicas of this server, when their command is done; inside MULTI only at EXEC,
 * so that the offset never stands between parts of a transaction (redis 7.0.15 networking.c commandProcessed).
 */
import { Client, type Transport } from '../../commands/client.ts'
import type { Engine } from '../../engine/engine.ts'
import { POSTPONED } from '../../engine/execute.ts'
import { ReplyWriter } from '../../resp/reply-writer.ts'
import type { Request } from '../../resp/request.ts'
import { COMPLETE, FAILED, RequestParser } from '../../resp/request-parser.ts'
import { Unfinished } from '../../resp/unfinished.ts'
import { LookAhead } from '../../store/look-ahead.ts'

const LIMITS = { maxBulkBytes: Number.MAX_SAFE_INTEGER }
const EMPTY = Buffer.alloc(0)
/** As many commands have their keys looked up together. */
const BATCH_REQUESTS = 32

/** Where applied bytes go on to: the stream of this server, or the account of one shard. */
export interface AppliedBytes {
  feedVerbatim(bytes: Buffer, start: number, end: number): void
  onApplied(): void
}

/** Runs a request of the stream. POSTPONED: it, and all behind it, waits for resume(). */
export type RunApplied = (client: Client, request: Request, reply: ReplyWriter) => number

export class Applier {
  readonly client: Client
  /** Unix ms of the last command applied. */
  lastAppliedMs: number

  #engine: Engine
  #stream: AppliedBytes
  #execute: RunApplied
  #parser = new RequestParser(LIMITS)
  #reply = new ReplyWriter()
  #lookAhead: LookAhead
  #unfinished: Unfinished | null = null
  /** CLIENT PAUSE holds this one back, and all behind it. */
  #postponed: Request | null = null
  /** Applied commands that lie behind each other, not yet passed on. */
  #run: Buffer = EMPTY
  #runStart = 0
  #runEnd = 0
  /** Commands of a transaction whose EXEC has not come yet. */
  #held: Buffer[] = []

  constructor(
    engine: Engine,
    stream: AppliedBytes,
    transport: Transport,
    database: number,
    id: number,
    execute: RunApplied = (client, request, reply) => engine.executor.process(client, request, reply),
  ) {
    this.#engine = engine
    this.#execute = execute
    this.#stream = stream
    this.#lookAhead = new LookAhead(engine.store)
    this.client = new Client(id, transport, engine.now)
    this.client.isMaster = true
    this.client.authenticated = true
    this.client.db = database
    this.lastAppliedMs = engine.now
    this.#reply.muted = true
  }

  /** Bytes read from the link and not applied yet. */
  get pendingBytes(): number {
    let bytes = this.#unfinished?.bytes ?? 0
    for (const held of this.#held) bytes += held.length
    if (this.#postponed !== null) bytes += this.#postponed.rawEnd - this.#postponed.rawStart
    return bytes
  }

  /** The requests that wait to be applied, in pieces; the last may be incomplete. Valid until more is read or applied. */
  get pending(): Buffer[] {
    const pieces: Buffer[] = []
    if (this.#postponed !== null) pieces.push(this.#postponed.encoded())
    if (this.#unfinished !== null) pieces.push(this.#unfinished.unconsumed)
    return pieces
  }

  /** Applies what is complete. Returns an error text when the stream cannot be followed any further. */
  receive(chunk: Buffer): string | null {
    const engine = this.#engine
    engine.stats.replInputBytes += chunk.length
    this.client.lastInteractionMs = engine.tick()
    this.#unfinished?.append(chunk, chunk.length)
    const parser = this.#unfinished?.parser ?? this.#parser
    if (this.#unfinished === null) parser.begin(chunk, 0, chunk.length)
    const error = this.#postponed === null ? this.#applyBatch(parser) : null
    if (!parser.midRequest) this.#unfinished = null
    else if (this.#unfinished === null) this.#unfinished = new Unfinished(LIMITS, parser, chunk, chunk.length)
    return error
  }

  /** The pause is over. Returns what receive() does. */
  resume(): string | null {
    const request = this.#postponed
    if (request === null || this.client.closing) return null
    this.#postponed = null
    this.#engine.tick()
    if (!this.#apply(request)) return null
    const unfinished = this.#unfinished
    const error = this.#applyBatch(unfinished?.parser ?? null)
    if (unfinished !== null && !unfinished.parser.midRequest) this.#unfinished = null
    return error
  }

  #applyBatch(parser: RequestParser | null): string | null {
    const engine = this.#engine
    const error = parser === null ? null : this.#applyAll(parser)
    engine.executor.endRun()
    this.passOn()
    this.lastAppliedMs = engine.now
    this.#stream.onApplied()
    return error
  }

  #applyAll(parser: RequestParser): string | null {
    const { batch } = parser
    do {
      const count = parser.nextBatch(BATCH_REQUESTS)
      if (count > 1) this.#lookAhead.run(this.#engine.store.databases[this.client.db]!, batch, count)
      for (let i = 0; i < count; i++) {
        const request = batch[i]!
        // A bare newline keeps the link alive and is no part of the stream.
        if (request.argc === 0) continue
        if (request.rawEnd === request.rawStart) return 'the master sent an inline command'
        if (this.#apply(request)) continue
        if (i + 1 < count) parser.rewind(batch[i + 1]!)
        return null
      }
    } while (parser.status === COMPLETE)
    return parser.status === FAILED ? `Protocol error (${parser.error}) in the stream of the master` : null
  }

  /** False when nothing behind it may be applied now. */
  #apply(request: Request): boolean {
    if (this.#execute(this.client, request, this.#reply) === POSTPONED) {
      this.#postponed = request.detach()
      this.client.paused = true
      return false
    }
    if (this.client.closing) return false
    this.#applied(request)
    return true
  }

  #applied(request: Request): void {
    if (this.client.transaction !== null) {
      this.#held.push(Buffer.from(request.encoded()))
      return
    }
    for (const held of this.#held) {
      this.passOn()
      this.#stream.feedVerbatim(held, 0, held.length)
    }
    this.#held.length = 0
    if (request.buf !== this.#run || request.rawStart !== this.#runEnd) {
      this.passOn()
      this.#run = request.buf
      this.#runStart = request.rawStart
    }
    this.#runEnd = request.rawEnd
  }

  /** Counts everything applied so far; the offset is right only after this. */
  passOn(): void {
    if (this.#runEnd > this.#runStart) this.#stream.feedVerbatim(this.#run, this.#runStart, this.#runEnd)
    this.#run = EMPTY
    this.#runStart = 0
    this.#runEnd = 0
  }
}
