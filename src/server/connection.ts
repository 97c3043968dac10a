/**
 * One connection: bytes in, requests run, the replies of a read batch out in one write. All connections read into one
 * shared buffer and write into one shared reply buffer; only what a connection leaves unfinished is kept by itself.
 */
import type { Socket } from 'node:net'
import { Client, type Transport } from '../commands/client.ts'
import { clientInfo } from '../commands/connection/client-info.ts'
import { DONE, HELD, POSTPONED } from '../engine/execute.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import { COMPLETE, FAILED, INCOMPLETE, type RequestParser } from '../resp/request-parser.ts'
import { Unfinished } from '../resp/unfinished.ts'
import type { CountedMemory } from './client-memory.ts'
import type { Clients } from './clients.ts'
import { Outlet } from './outlet.ts'
import { SyncOutput } from './sync-output.ts'

/** More than this does not wait for the end of the turn. */
const FLUSH_BYTES = 256 * 1024
/** As many requests of a pipeline have their keys looked up together. */
const BATCH_REQUESTS = 32

export class Connection implements Transport {
  readonly client: Client
  readonly socket: Socket
  readonly remoteAddress: string
  readonly localAddress: string
  readonly fd: number
  /** Since when the output has been above the soft limit, milliseconds; 0 if it is not. */
  softLimitSinceMs = 0
  /** What of its buffers is in the registry's total. */
  countedBytes = 0
  /** Of the request that runs; kept only while clients may be evicted. */
  runningBytes = 0
  readonly memory: CountedMemory = { bytes: 0, bucket: null }

  #clients: Clients
  /** Bytes of an unfinished request, or of requests that wait for a blocked client. */
  #unfinished: Unfinished | null = null
  #postponed: Request | null = null
  #running = false
  #closed = false
  /** What waits for the end of the turn: a text alone, or a text and the buffers behind it. */
  #outText = ''
  #out: Buffer[] | null = null
  #outBytes = 0
  #waits: SyncOutput | null = null
  #outlet: Outlet

  /** `isPlain`: the socket's handle is one of the operating system's, without TLS. */
  constructor(
    clients: Clients,
    socket: Socket,
    addresses: { remote: string; local: string; fd: number },
    isPlain: boolean,
  ) {
    this.#clients = clients
    this.socket = socket
    this.#outlet = new Outlet(socket, isPlain)
    this.remoteAddress = addresses.remote
    this.localAddress = addresses.local
    this.fd = addresses.fd
    this.client = new Client(clients.nextId(), this, clients.engine.now)
    clients.engine.acl.welcome(this.client)
    socket.on('error', (error) => this.#failed(error))
    // At its end already: until 'close' it takes turns of the event loop in which others would serve a blocked client.
    socket.on('end', () => this.#gone())
    socket.on('close', () => this.#gone())
  }

  get pendingBytes(): number {
    const held = this.#waits === null ? 0 : this.#waits.bytes
    return this.#outlet.pendingBytes + this.#outBytes + this.#outText.length + held
  }

  /** Replies that wait for replicas; made when the first may have to. */
  get #waiting(): SyncOutput {
    this.#waits ??= new SyncOutput(this, this.#clients)
    return this.#waits
  }

  get queryBytes(): number {
    return this.#unfinished === null ? 0 : this.#unfinished.unreadBytes
  }

  get argumentBytes(): number {
    return this.#unfinished === null ? 0 : this.#unfinished.bytes - this.#unfinished.unreadBytes
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Bytes arrived in chunk[0, length). The chunk is the shared buffer: nothing of it may be kept. */
  receive(chunk: Buffer, length: number): void {
    const { engine } = this.#clients
    const { client } = this
    engine.stats.netInputBytes += length
    engine.stats.readsProcessed++
    client.lastInteractionMs = engine.tick()
    if (client.closing || this.#closed) return
    if (this.#unfinished === null) {
      const parser = this.#clients.parser
      parser.begin(chunk, 0, length)
      if (client.isBlocked || this.#postponed !== null) this.#keep(parser, chunk, length)
      else this.#runAll(parser, chunk, length)
      return
    }
    this.#unfinished.append(chunk, length)
    this.#clients.recount(this)
    this.#checkQueryLimit()
    if (client.isBlocked || this.#postponed !== null || this.#running) return
    this.#runPending()
  }

  resume(): void {
    if (this.#running || this.#closed || this.client.closing) return
    if (this.#postponed !== null) {
      const request = this.#postponed
      this.#postponed = null
      this.#batch((reply) => this.#runOne(request, reply))
    }
    if (this.#unfinished !== null && !this.client.isBlocked && this.#postponed === null) this.#runPending()
  }

  /** Replies leave together at the end of the turn: see Clients.flushSoon. */
  writeText(latin1: string): void {
    if (this.#closed) return
    if (this.#waits !== null && !this.#waits.isPassing) {
      this.writeBuffers([Buffer.from(latin1, 'latin1')])
      return
    }
    if (this.#outText === '' && this.#out === null) {
      this.#outText = latin1
      this.#clients.flushSoon(this)
    } else {
      this.writeBuffers([Buffer.from(latin1, 'latin1')])
    }
  }

  writeBuffers(buffers: Buffer[]): void {
    if (this.#closed) return
    // A message to the client whose batch is running goes between its replies.
    if (this.#running) {
      this.#interject(buffers)
      return
    }
    if (this.#clients.sync !== null && this.#waiting.takesMessage(buffers)) return
    if (this.#out === null) {
      this.#out = []
      if (this.#outText === '') this.#clients.flushSoon(this)
    }
    for (const bytes of buffers) {
      this.#out.push(bytes)
      this.#outBytes += bytes.length
    }
    if (this.#outBytes <= FLUSH_BYTES) return
    // Before the kernel takes some of it: the limit is on what is answered without having been read.
    this.#clients.checkOutput(this)
    this.flush()
  }

  /** Messages are no replies: CLIENT REPLY does not drop them. */
  #interject(buffers: Buffer[]): void {
    const { reply } = this.#clients
    const { muted } = reply
    reply.muted = false
    for (const bytes of buffers) reply.raw(bytes)
    reply.muted = muted
  }

  onDrained(callback: () => void): void {
    this.flush()
    this.#outlet.onDrained(callback)
  }

  /** Hands everything to the socket. */
  flush(): void {
    const text = this.#outText
    const buffers = this.#out
    this.#outText = ''
    this.#out = null
    this.#outBytes = 0
    if (this.#closed) return
    this.#clients.beforeReplies()
    const { stats } = this.#clients.engine
    const outlet = this.#outlet
    if (buffers === null) {
      if (text === '') return
      stats.netOutputBytes += text.length
      outlet.writeText(text)
    } else {
      if (text !== '') buffers.unshift(Buffer.from(text, 'latin1'))
      for (const bytes of buffers) stats.netOutputBytes += bytes.length
      outlet.writeBuffers(buffers)
    }
    if (outlet.pendingBytes > 0) {
      this.#clients.checkOutput(this)
      this.#clients.recount(this)
    } else if (this.countedBytes > 0) {
      this.#clients.recount(this)
    }
  }

  /** Bytes that this connection holds: what it has not sent, and room for what it has not read to the end. */
  get bufferBytes(): number {
    // What a replica has not been sent yet lies in the backlog, where it is counted.
    const output = this.client.kind === 'replica' ? 0 : this.pendingBytes
    return output + (this.#unfinished?.capacity ?? 0)
  }

  close(when: 'after-replies' | 'now'): void {
    if (this.#closed) return
    if (when === 'now') {
      this.#closed = true
      this.#waits?.gone()
      this.socket.destroy()
      this.#clients.removed(this)
      return
    }
    if (this.#running || (this.#waits?.isHolding ?? false)) return
    this.flush()
    this.#outlet.end()
  }

  #runPending(): void {
    const { parser } = this.#unfinished!
    this.#runAll(parser, null, 0)
    if (this.client.closing || parser.midRequest) return
    this.#unfinished?.release()
    this.#unfinished = null
    this.#clients.recount(this)
  }

  /** Runs what is complete; what is left of a chunk (null: the bytes are kept already) is copied out of it. */
  #runAll(parser: RequestParser, chunk: Buffer | null, length: number): void {
    const { client } = this
    this.#batch((reply) => {
      const { engine } = this.#clients
      const { batch } = parser
      do {
        parser.unauthenticated = engine.requiresAuth && !client.authenticated
        const count = parser.nextBatch(parser.unauthenticated ? 1 : BATCH_REQUESTS)
        if (count > 1 && !engine.proxy?.passesOn(client))
          this.#clients.lookAhead.run(engine.store.databases[client.db]!, batch, count)
        for (let i = 0; i < count; i++) {
          const request = batch[i]!
          if (request.argc === 0 || this.#runOne(request, reply)) continue
          if (i + 1 < count) parser.rewind(batch[i + 1]!)
          else parser.status = INCOMPLETE
          return
        }
      } while (parser.status === COMPLETE)
      if (parser.status === FAILED) this.#protocolError(parser, reply)
    })
    if (chunk !== null && !client.closing && parser.midRequest) this.#keep(parser, chunk, length)
  }

  /** Runs what writes replies, then sends them. */
  #batch(run: (reply: ReplyWriter) => void): void {
    const { reply, engine } = this.#clients
    const { client } = this
    reply.resp = client.resp
    reply.muted = false
    reply.limit = this.#clients.replyLimit(this)
    this.#running = true
    this.#clients.beginBatch(client)
    engine.executor.beginBatch()
    this.#clients.memory.running = this
    try {
      run(reply)
    } finally {
      engine.executor.endRun()
      this.#clients.endBatch()
      this.#clients.memory.running = null
      this.#running = false
      reply.muted = false
    }
    if (reply.overflowed || reply.length > reply.limit) this.#clients.closeForOutput(this)
    reply.limit = Number.POSITIVE_INFINITY
    if (this.#closed) {
      reply.clear()
      return
    }
    if (reply.length > 0) {
      engine.stats.writesProcessed++
      if (this.#clients.sync === null && this.#waits === null) reply.drain(this)
      else this.#waiting.drain(reply)
    } else {
      this.#waits?.forget()
    }
    if (client.closing) this.close('after-replies')
    else if (engine.evictsClients) this.#clients.memory.count(this)
  }

  /** False when nothing further of this client may run now. */
  #runOne(request: Request, reply: ReplyWriter): boolean {
    const { client } = this
    const { engine } = this.#clients
    if (client.replyMode !== 'on') reply.muted = client.replyMode !== 'skip-next'
    if (this.#clients.sync !== null) this.#waiting.runs(reply.length)
    if (engine.evictsClients) this.runningBytes = request.rawEnd - request.rawStart
    const before = client.kind === 'replica' ? reply.length : -1
    const outcome = engine.executor.process(client, request, reply)
    if (before >= 0 && reply.length > before) return this.#repliedToReplica(reply)
    if (this.#clients.sync !== null) this.#waiting.ran(request, reply.length)
    this.runningBytes = 0
    if (reply.muted) reply.muted = false
    if (outcome === POSTPONED || outcome === HELD) {
      this.#postponed = request.detach()
      if (outcome === POSTPONED) this.#clients.postponed(this)
      return false
    }
    if (client.replyMode === 'skip') client.replyMode = 'on'
    else if (client.replyMode === 'skip-next') client.replyMode = 'skip'
    return outcome === DONE && !client.closing && !reply.overflowed
  }

  /** It would be a part of the stream to the replica. redis 7.0.15 networking.c _addReplyToBufferOrList */
  #repliedToReplica(reply: ReplyWriter): boolean {
    const { client } = this
    const { log, unixMs } = this.#clients.engine
    const name = client.lastCommand?.fullName ?? ''
    log(
      'notice',
      `Replica generated a reply to command '${name}', disconnecting it: ${clientInfo(client, unixMs, null)}`,
    )
    reply.clear()
    client.close('now')
    return false
  }

  #protocolError(parser: RequestParser, reply: ReplyWriter): void {
    const { client } = this
    const { log } = this.#clients.engine
    reply.error(`ERR ${parser.error}`)
    log('verbose', `Protocol error (${parser.error}) from client: id=${client.id} addr=${this.remoteAddress}.`)
    client.closing = true
  }

  #keep(parser: RequestParser, chunk: Buffer, length: number): void {
    this.#unfinished = new Unfinished(this.#clients.limits, parser, chunk, length)
    this.#clients.recount(this)
    this.#checkQueryLimit()
  }

  #checkQueryLimit(): void {
    const limit = this.#clients.engine.config.get('client-query-buffer-limit')
    if (this.queryBytes <= limit) return
    const { engine } = this.#clients
    engine.stats.queryBufferLimitDisconnections++
    engine.log(
      'warning',
      `Closing client that reached max query buffer length: ${clientInfo(this.client, engine.unixMs, null)}`,
    )
    this.client.close('now')
  }

  #failed(error: Error): void {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ECONNRESET' && code !== 'EPIPE') {
      this.#clients.engine.log('verbose', `Error on connection ${this.remoteAddress}: ${error.message}`)
    }
  }

  #gone(): void {
    this.#waits?.gone()
    if (this.#closed) return
    this.#closed = true
    this.client.closing = true
    this.#clients.removed(this)
  }
}
