/**
 * A connection to the upstream that carries requests of many clients as they came, byte for byte, in one write a turn of
 * the event loop, and hands the replies' bytes back in order. Requests of one client that lie behind each other are one
 * run: one entry in the queue of what is awaited. Behind the requests of a turn follows, where a client needs it, a probe
 * (see copy.ts), so learning the offset of a write costs no round trip of its own.
 *
 * A request is written once. When the connection breaks, what was written and not answered is uncertain, and said to be;
 * what was not written yet is known not to have been applied.
 */
import type { Socket } from 'node:net'
import { Request } from '../resp/request.ts'
import { connectedEvent, dial, type Tls } from '../tls/dial.ts'
import type { Endpoint } from './address.ts'
import { type Copy, Probe } from './copy.ts'
import { BROKEN, FrameScanner, UNFINISHED } from './frames.ts'
import { isRedirect, type Redirect, readRedirect } from './redirect.ts'
import type { Receiver } from './session.ts'

export const UNCERTAIN =
  'UNCERTAIN The upstream was lost before it replied: this write may or may not have been applied, and is not sent again'
export const NOT_SENT = 'MASTERDOWN The upstream is away: this write was not sent'
export const NOT_READ = 'MASTERDOWN The upstream was lost before it replied to this read'

const REPLICA = 'it is a replica'
const BUFFER_BYTES = 64 * 1024
/** Unsent bytes above which clients wait. */
const FULL_BYTES = 8 * 1024 * 1024
const CONNECT_TIMEOUT_MS = 5000
/** Probes that only date the copy: so many at a time. */
const PROBES_MAX = 4
const PUSH = 0x3e
const MINUS = 0x2d
const INFO_REPLICATION = Buffer.from('*2\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n', 'latin1')

export interface ConnectionSetup {
  readonly endpoint: Endpoint
  readonly tls: Tls
  readonly user: string
  readonly password: string
  readonly database: number
  readonly resp: 2 | 3
  readonly unixMs: () => number
  onReady(connection: UpstreamConnection): void
  /** It is closed, and all of its replies are given. */
  onLost(connection: UpstreamConnection, reason: string): void
  onProbe(probe: Probe): void
  /** Replies of a read were handed on; or there is room again. */
  onProgress(connection: UpstreamConnection): void
  /** It has requests whose bytes it has not copied: gather() has to follow in the same turn. */
  onGathering(connection: UpstreamConnection): void
  /** Milliseconds from sending to the last reply of a run. */
  onRoundTrip(milliseconds: number): void
  /** So many writes were lost without a reply. */
  onUncertain(count: number): void
  /** What is read from this upstream. */
  readonly copy: Copy
  /** Requests of the connection itself before any other; one that is refused ends it. */
  readonly greeting?: readonly (readonly string[])[]
  /** A push of the upstream; without it they are dropped. */
  onPush?(frame: Buffer): void
  /**
   * In a cluster: a request was not run, because its keys are elsewhere. True if it is sent there, and the receiver gets
   * that reply; false if it gets this one. Requests are kept until they are answered where this is given.
   */
  onRedirect?(redirect: Redirect, refused: Refused, by: UpstreamConnection): boolean
}

/** A request that was answered by a redirection. */
export interface Refused {
  readonly session: Receiver
  readonly request: Buffer
  readonly how: Special
}

/** Requests of one client behind each other, or one of the proxy itself. */
interface Run {
  readonly session: Receiver | null
  readonly isWrite: boolean
  /** CLIENT REPLY: the replies are dropped. */
  readonly muted: boolean
  /** Replies that nobody is to see, in front. */
  skip: number
  /** How many there were at first. */
  readonly sentSkip: number
  left: number
  sentAt: number
  /** Gets the bytes of the last reply. */
  take: ((reply: Buffer) => void) | null
  /** Called when there will be none. */
  readonly lost?: () => void
  /** Kept while they may be redirected; the first is that of the next reply. */
  requests: Buffer[] | null
  /** What one of the replies in front said. */
  redirect: Buffer | null
}

/** A request that is not simply one of many. */
export interface Special {
  readonly isWrite: boolean
  readonly muted: boolean
  /** Replies in front of its own that nobody is to see. */
  readonly skip: number
  readonly take: ((reply: Buffer) => void) | null
  readonly lost?: () => void
}

/** Of a request of the connection's own, whose reply no client waits for. */
function ownRun(sentAt: number, take: (reply: Buffer) => void): Run {
  const requests = null
  return {
    session: null,
    isWrite: false,
    muted: false,
    skip: 0,
    sentSkip: 0,
    left: 1,
    sentAt,
    take,
    requests,
    redirect: null,
  }
}

export class UpstreamConnection {
  readonly database: number
  readonly resp: 2 | 3
  /** Its id among the upstream's clients; 0 if that is not known. */
  upstreamId = 0
  isReady = false
  isClosed = false
  /** It was ready once. */
  wasReady = false
  /** It is in another database than it began in. */
  isMoved = false
  /** One client has it for itself, or had. */
  isOwn = false
  isWatching = false
  /** When all is answered: back into the pool, or closed. */
  retire: 'no' | 'reuse' | 'close' = 'no'

  #setup: ConnectionSetup
  #socket: Socket
  #scanner = new FrameScanner()
  #runs: Run[] = []
  #head = 0
  /** Runs from here on have not been written. */
  #unsent = 0
  /** The run that the next request of the same client may join. */
  #open: Run | null = null
  #out: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  #outBytes = 0
  #flushing = false
  /** Requests that lie behind each other, not yet copied. */
  #from: Buffer | null = null
  #fromStart = 0
  #fromEnd = 0
  /** That of this turn, and those sent and not answered. */
  #probe: Probe | null = null
  #probes: Probe[] = []
  /** Bytes of a reply that has not come to its end. */
  #pieces: Buffer[] = []
  #greetings: Buffer[] = []
  #timer: NodeJS.Timeout

  constructor(setup: ConnectionSetup) {
    this.#setup = setup
    this.database = setup.database
    this.resp = setup.resp
    const { endpoint, tls } = setup
    this.#socket = dial({ ...endpoint, keepAlive: true, sharesBuffer: true }, tls, (buffer, length) =>
      this.#receive(buffer, length),
    )
    this.#timer = setTimeout(() => this.close('connecting took too long'), CONNECT_TIMEOUT_MS)
    this.#greet()
    this.#socket.on(connectedEvent(tls), () => this.#socket.write(Buffer.concat(this.#greetings)))
    this.#socket.on('error', (error) => this.close(error.message))
    this.#socket.on('close', () => this.close('the connection was closed'))
    this.#socket.on('drain', () => this.#setup.onProgress(this))
  }

  /** Requests that have not been answered. */
  get awaited(): number {
    return this.#runs.length - this.#head
  }

  get copy(): Copy {
    return this.#setup.copy
  }

  get isFull(): boolean {
    return this.#socket.writableLength + this.#outBytes > FULL_BYTES
  }

  /** When what is awaited longest was sent, performance.now(); undefined if nothing is. */
  get waitingSince(): number | undefined {
    const run = this.#runs[this.#head]
    return run === undefined || run.sentAt === 0 ? undefined : run.sentAt
  }

  #greet(): void {
    const { user, password, resp, database, greeting } = this.#setup
    const login = password === '' ? [] : ['AUTH', user === '' ? 'default' : user, password]
    if (resp === 3) this.#ask(['HELLO', '3', ...login])
    else if (login.length > 0) this.#ask(user === '' ? ['AUTH', password] : login)
    if (database !== 0) this.#ask(['SELECT', String(database)])
    this.#ask(['CLIENT', 'ID'], (reply) => {
      this.upstreamId = Number(reply.latin1Slice(1, reply.length - 2))
    })
    for (const request of greeting ?? []) this.#ask(request)
    const probe = new Probe()
    probe.sentAtMs = this.#setup.unixMs()
    this.#ask(['INFO', 'replication'], (reply) => {
      probe.take(reply)
      // It takes no writes, and what it has may be old.
      if (!probe.isPrimary) return this.close(REPLICA)
      clearTimeout(this.#timer)
      this.isReady = true
      this.wasReady = true
      this.#setup.onProbe(probe)
      this.#setup.onReady(this)
      this.flush()
    })
  }

  #ask(request: readonly string[], take?: (reply: Buffer) => void): void {
    this.#greetings.push(Request.of(request).buf)
    const judge = (reply: Buffer) => {
      if (reply[0] === MINUS) this.close(`${request[0]}: ${reply.latin1Slice(1, reply.length - 2)}`)
      else take?.(reply)
    }
    this.#runs.push(ownRun(0, judge))
    this.#unsent = this.#runs.length
  }

  // ---- requests ----------------------------------------------------------------------------------------------------

  /** Sends bytes[start, end), a request with one reply to the session, with the others of this turn. */
  send(session: Receiver, bytes: Buffer, start: number, end: number, isWrite: boolean, muted: boolean): void {
    let run = this.#open
    if (run === null || run.session !== session || run.isWrite !== isWrite || run.muted !== muted) {
      const requests = this.#setup.onRedirect === undefined ? null : []
      run = { session, isWrite, muted, skip: 0, sentSkip: 0, left: 0, sentAt: 0, take: null, requests, redirect: null }
      this.#runs.push(run)
      this.#open = run
    }
    run.left++
    run.requests?.push(Buffer.from(bytes.subarray(start, end)))
    if (bytes === this.#from && start === this.#fromEnd) {
      this.#fromEnd = end
      return
    }
    this.gather()
    this.#from = bytes
    this.#fromStart = start
    this.#fromEnd = end
    this.#setup.onGathering(this)
    this.#flushSoon()
  }

  /** Copies what was sent out of the buffers that it lies in, before these are used again. */
  gather(): void {
    if (this.#from === null) return
    this.#append(this.#from, this.#fromStart, this.#fromEnd)
    this.#from = null
  }

  /** Sends requests of which the last one's reply goes to the session, if there is one. */
  sendSpecial(session: Receiver | null, bytes: Buffer, how: Special): void {
    const requests = this.#setup.onRedirect === undefined || session === null ? null : [Buffer.from(bytes)]
    this.#runs.push({ session, ...how, sentSkip: how.skip, left: 1, sentAt: 0, requests, redirect: null })
    this.#open = null
    this.gather()
    this.#append(bytes, 0, bytes.length)
    this.#flushSoon()
  }

  #flushSoon(): void {
    if (this.#flushing) return
    this.#flushing = true
    setImmediate(() => this.flush())
  }

  /** A probe without any request, unless the ones before were not answered. */
  date(): void {
    if (this.#probes.length < PROBES_MAX) this.probe()
  }

  /** What covers all requests of this turn. */
  probe(): Probe {
    if (this.#probe !== null) return this.#probe
    this.#probe = new Probe()
    this.#flushSoon()
    return this.#probe
  }

  #append(bytes: Buffer, start: number, end: number): void {
    const length = end - start
    if (this.#outBytes + length > this.#out.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#out.length * 2, this.#outBytes + length))
      this.#out.copy(grown, 0, 0, this.#outBytes)
      this.#out = grown
    }
    bytes.copy(this.#out, this.#outBytes, start, end)
    this.#outBytes += length
  }

  flush(): void {
    this.#flushing = false
    this.gather()
    if (!this.isReady || this.isClosed) return
    const now = performance.now()
    const probe = this.#probe
    if (probe !== null) {
      this.#probe = null
      probe.sentAtMs = this.#setup.unixMs()
      this.#append(INFO_REPLICATION, 0, INFO_REPLICATION.length)
      const take = (reply: Buffer) => {
        this.#probes.shift()
        probe.take(reply)
        if (!probe.isPrimary) return this.close(REPLICA)
        this.#setup.onProbe(probe)
      }
      this.#runs.push(ownRun(now, take))
      this.#probes.push(probe)
    }
    for (let i = this.#unsent; i < this.#runs.length; i++) this.#runs[i]!.sentAt = now
    this.#unsent = this.#runs.length
    this.#open = null
    if (this.#outBytes === 0) return
    const bytes = this.#out.subarray(0, this.#outBytes)
    this.#outBytes = 0
    this.#socket.write(bytes)
    // What the kernel has not taken still refers to the buffer.
    if (this.#socket.writableLength > 0) this.#out = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  }

  // ---- replies -----------------------------------------------------------------------------------------------------

  #receive(buffer: Buffer, length: number): void {
    if (this.isClosed) return
    const scanner = this.#scanner
    /** Whole replies of the run in front that have not been handed on begin here. */
    let start = 0
    let pos = 0
    let frames = 0
    while (pos < length) {
      const end = scanner.next(buffer, pos, length)
      if (end === UNFINISHED) break
      const run = this.#runs[this.#head]
      if (end === BROKEN || (run === undefined && scanner.type !== PUSH)) return this.close('it does not speak RESP')
      if (scanner.type === PUSH || run!.skip > 0) {
        if (scanner.type !== PUSH) run!.skip--
        if (scanner.type === MINUS && run!.requests !== null) this.#noteRedirect(run!, buffer, pos, end)
        if (frames > 0) this.#handOn(run!, buffer, start, pos, frames)
        if (scanner.type === PUSH) this.#setup.onPush?.(Buffer.concat([...this.#pieces, buffer.subarray(pos, end)]))
        if (this.isClosed) return
        this.#pieces.length = 0
        frames = 0
        pos = end
        start = end
        continue
      }
      if (run!.requests !== null && (scanner.type === MINUS || run!.redirect !== null)) {
        if (frames > 0) this.#handOn(run!, buffer, start, pos, frames)
        const isRedirected = this.#redirected(run!, buffer, pos, end)
        if (this.isClosed) return
        start = isRedirected ? end : pos
        frames = isRedirected ? 0 : 1
        pos = end
        if (isRedirected || run!.left > 1) continue
      } else {
        pos = end
        frames++
      }
      if (frames < run!.left) continue
      this.#handOn(run!, buffer, start, pos, frames)
      if (this.isClosed) return
      start = pos
      frames = 0
    }
    if (frames > 0) this.#handOn(this.#runs[this.#head]!, buffer, start, pos, frames)
    if (pos < length) this.#pieces.push(Buffer.from(buffer.subarray(pos, length)))
    if (this.#head === this.#runs.length || this.#head > 1024) {
      this.#runs.splice(0, this.#head)
      this.#unsent -= this.#head
      this.#head = 0
    }
    this.#setup.onProgress(this)
  }

  /** One of the commands of a transaction was refused: so was all of it. */
  #noteRedirect(run: Run, buffer: Buffer, start: number, end: number): void {
    const line = Buffer.concat([...this.#pieces, buffer.subarray(start, end)])
    if (isRedirect(line)) run.redirect ??= line
  }

  /** Whether the reply at buffer[start, end), perhaps begun before, sends its request elsewhere, where it has gone then. */
  #redirected(run: Run, buffer: Buffer, start: number, end: number): boolean {
    const line = run.redirect ?? Buffer.concat([...this.#pieces, buffer.subarray(start, end)])
    run.redirect = null
    const redirect = readRedirect(line)
    if (redirect === undefined) return false
    const { session, isWrite, muted, take, lost } = run
    const how = { isWrite, muted, skip: run.sentSkip, take, ...(lost === undefined ? {} : { lost }) }
    const refused = { session: session!, request: run.requests![0]!, how }
    if (!this.#setup.onRedirect!(redirect, refused, this)) return false
    this.#pieces = []
    run.requests!.shift()
    if (--run.left === 0) this.#head++
    return true
  }

  /** Whole replies of the run in front: what came before, and buffer[start, end). */
  #handOn(run: Run, buffer: Buffer, start: number, end: number, frames: number): void {
    const pieces = this.#pieces
    if (pieces.length > 0) this.#pieces = []
    run.left -= frames
    run.requests?.splice(0, frames)
    if (run.left === 0) this.#head++
    if (run.take !== null) {
      const last = buffer.subarray(start, end)
      run.take(pieces.length === 0 ? last : Buffer.concat([...pieces, last]))
    }
    const { session } = run
    if (session === null) return
    if (!run.muted) session.deliver(pieces, buffer, start, end)
    if (run.left === 0) this.#setup.onRoundTrip(performance.now() - run.sentAt)
    session.answered(frames)
  }

  /** Ends it: everybody who waits for a reply hears why there will be none. */
  close(reason: string): void {
    if (this.isClosed) return
    this.isClosed = true
    this.isReady = false
    clearTimeout(this.#timer)
    this.#socket.destroy()
    let uncertain = 0
    for (let i = this.#head; i < this.#runs.length; i++) {
      const { session, isWrite, left, muted, lost } = this.#runs[i]!
      lost?.()
      if (session === null) continue
      const isSent = i < this.#unsent
      if (isWrite && isSent) uncertain += left
      if (!muted) session.refuse(isWrite ? (isSent ? UNCERTAIN : NOT_SENT) : NOT_READ, left)
      session.answered(left)
    }
    for (const probe of [this.#probe, ...this.#probes]) if (probe?.state === 'asked') probe.state = 'failed'
    this.#runs = []
    this.#head = 0
    if (uncertain > 0) this.#setup.onUncertain(uncertain)
    this.#setup.onLost(this, reason)
  }
}
