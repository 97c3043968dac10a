/**
 * The link to the primary: connect, shake hands, synchronise, follow; and again from the start, after a pause that grows
 * from 50 ms to a second, when it breaks. States are ROLE's words. redis 7.0.15 replication.c syncWithMaster,
 * slaveTryPartialResynchronization, readSyncBulkPayload.
 */
import type { Socket } from 'node:net'
import type { Transport } from '../../commands/client.ts'
import { strerror } from '../../config/strerror.ts'
import { Request } from '../../resp/request.ts'
import { connectedEvent, dial } from '../../tls/dial.ts'
import type { Applier } from './apply.ts'
import { type HandshakeStep, handshakeSteps, readPsyncAnswer } from './handshake.ts'
import { type LoadTarget, type Payload, readFraming } from './load.ts'
import type { LinkOwner } from './owner.ts'

export type LinkState = 'connect' | 'connecting' | 'handshake' | 'sync' | 'connected'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1000
/** Each time the primary makes a snapshot of it all. */
const REFUSED_PAUSE_MS = 30_000
const LINE_MAX_BYTES = 4096
const NEWLINE = Buffer.from('\n', 'latin1')

export class UpstreamLink implements Transport {
  readonly host: string
  readonly port: number
  state: LinkState = 'connect'
  applier: Applier | null = null
  /** Unix ms of the last bytes from the primary. */
  lastIoMs: number
  /** Unix ms since when the link is down, 0 while it is up or has never been. */
  downSinceMs = 0
  payload: Payload | null = null
  payloadTotalBytes = -1

  #replication: LinkOwner
  #socket: Socket | null = null
  #retry: NodeJS.Timeout | null = null
  #attempts = 0
  #stopped = false
  /** Bytes of an unfinished line of the handshake. */
  #line: Buffer = Buffer.alloc(0)
  #expected: HandshakeStep[] = []
  #phase: 'steps' | 'psync' | 'framing' | 'payload' | 'loading' | 'stream' = 'steps'
  #full: { replid: string; offset: number; startedAtMs: number; why: string } | null = null
  #asked = ''
  #beat: NodeJS.Timeout | null = null
  #ackTimer: NodeJS.Timeout | null = null
  #acknowledged = -1
  /** What the primary was told to be on disk, and what it had asked for. */
  #syncedTold = -1
  #syncedWanted = 0
  /** The data set that is being filled. */
  #loading: LoadTarget | null = null

  constructor(replication: LinkOwner, host: string, port: number) {
    this.#replication = replication
    this.host = host
    this.port = port
    this.lastIoMs = replication.engine.now
  }

  get #engine() {
    return this.#replication.engine
  }

  start(): void {
    this.#connect()
  }

  /** Ends the link for good. */
  stop(): void {
    this.#stopped = true
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#drop()
  }

  #setState(state: LinkState): void {
    this.state = state
    this.#replication.linkChanged()
  }

  #connect(): void {
    const { config, log } = this.#engine
    this.#retry = null
    log('notice', `Connecting to MASTER ${this.host}:${this.port}`)
    const localAddress = config.get('bind-source-addr')
    const tls = this.#replication.tls()
    const to = { host: this.host, port: this.port, localAddress, sharesBuffer: true }
    const socket: Socket = dial(to, tls, (buffer, length) => this.#received(socket, buffer.subarray(0, length)))
    this.#socket = socket
    this.#phase = 'steps'
    this.#line = Buffer.alloc(0)
    this.#setState('connecting')
    this.lastIoMs = this.#engine.now
    log('notice', 'MASTER <-> REPLICA sync started')
    socket.on(connectedEvent(tls), () => this.#greet())
    socket.on('error', (error) => this.#broken(socket, strerror(error)))
    // Not some turns later, when the socket is closed.
    socket.on('end', () => this.#broken(socket, 'connection lost'))
    socket.on('close', () => this.#broken(socket, 'connection lost'))
  }

  #greet(): void {
    this.#engine.log('notice', 'Non blocking connect for SYNC fired the event.')
    this.#setState('handshake')
    this.#sendSteps([handshakeSteps[0]!])
  }

  #sendSteps(steps: readonly HandshakeStep[]): void {
    const requests: Buffer[] = []
    const { config } = this.#engine
    // redis 7.0.15 replication.c syncWithMaster: who comes by TLS is found by TLS.
    const isTls = this.#replication.tls() !== null && config.get('tls-port') > 0
    const port = isTls ? config.get('tls-port') : this.#replication.listeningPort
    for (const step of steps) {
      const request = step.request(config, port)
      if (request === null) continue
      this.#expected.push(step)
      requests.push(Request.of(request).buf)
    }
    this.#socket?.write(Buffer.concat(requests))
  }

  /** The attempt or the link is over; another one follows. */
  #broken(socket: Socket, reason: string): void {
    if (socket !== this.#socket || this.#stopped) return
    const { log } = this.#engine
    const wasUp = this.state === 'connected'
    if (wasUp) log('warning', 'Connection with master lost.')
    else if (this.state === 'sync') log('warning', `I/O error trying to sync with MASTER: ${reason}`)
    else log('warning', `Error condition on socket for SYNC: ${reason}`)
    this.#drop()
    if (wasUp) this.downSinceMs = this.#engine.unixMs
    this.#setState('connect')
    this.#again(wasUp)
  }

  #fail(text: string): void {
    this.#engine.log('warning', text)
    this.#drop()
    this.#setState('connect')
    this.#again(false)
  }

  #again(atOnce: boolean): void {
    if (this.#stopped || this.#retry !== null) return
    if (atOnce) this.#attempts = 0
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempts++)
    const jittered = atOnce ? 0 : pause * (0.5 + this.#engine.random() / 2)
    if (atOnce) this.#engine.log('notice', `Reconnecting to MASTER ${this.host}:${this.port}`)
    this.#retry = setTimeout(() => this.#connect(), jittered)
  }

  #drop(): void {
    const socket = this.#socket
    this.#socket = null
    socket?.destroy()
    this.payload?.abandon()
    this.payload = null
    this.#expected = []
    this.#full = null
    if (this.#beat !== null) clearInterval(this.#beat)
    this.#beat = null
    if (this.#ackTimer !== null) clearTimeout(this.#ackTimer)
    this.#ackTimer = null
    if (this.applier !== null) {
      this.applier.passOn()
      this.applier.client.closing = true
      this.#replication.lastDatabase = this.applier.client.db
      this.applier = null
    }
    this.#endLoading(false)
    this.#phase = 'steps'
  }

  /** What is read of the stream is applied, or copied, before the next is read; all else is kept for a while. */
  #received(socket: Socket, chunk: Buffer): void {
    this.#receive(socket, this.#phase === 'stream' ? chunk : Buffer.from(chunk))
  }

  #receive(socket: Socket, chunk: Buffer): void {
    if (socket !== this.#socket) return
    this.lastIoMs = this.#engine.tick()
    let rest = chunk
    while (rest.length > 0 && socket === this.#socket) {
      if (this.#phase === 'stream') {
        const error = this.applier!.receive(rest)
        if (error !== null && socket === this.#socket) this.#broken(socket, `Error: ${error}`)
        this.#ackLater()
        return
      }
      if (this.#phase === 'payload') return this.#receivePayload(rest)
      if (this.#phase === 'loading') {
        this.payload!.rest = Buffer.concat([this.payload!.rest, rest])
        return
      }
      rest = this.#receiveLine(rest)
    }
  }

  /** Takes one line of the handshake; returns what is behind it. */
  #receiveLine(chunk: Buffer): Buffer {
    const newline = chunk.indexOf(10)
    const piece = newline < 0 ? chunk : chunk.subarray(0, newline)
    this.#line = this.#line.length === 0 ? piece : Buffer.concat([this.#line, piece])
    if (newline < 0) {
      if (this.#line.length > LINE_MAX_BYTES) this.#fail('Bad protocol from MASTER, a line is too long')
      return Buffer.alloc(0)
    }
    const line = this.#line.toString('latin1').replace(/\r$/, '')
    this.#line = Buffer.alloc(0)
    // A bare newline only says that the primary is alive.
    if (line !== '') this.#handleLine(line)
    return chunk.subarray(newline + 1)
  }

  #handleLine(line: string): void {
    if (this.#phase === 'steps') this.#handleStep(line)
    else if (this.#phase === 'psync') this.#handlePsync(line)
    else this.#handleFraming(line)
  }

  #handleStep(line: string): void {
    const step = this.#expected.shift()
    if (step === undefined) return this.#fail(`Unexpected reply from MASTER: ${line}`)
    const { error, warning } = step.judge(line)
    if (error !== undefined) return this.#fail(error)
    if (warning !== undefined) this.#engine.log('notice', warning)
    if (step.name === 'ping') {
      this.#engine.log('notice', 'Master replied to PING, replication can continue...')
      this.#sendSteps(handshakeSteps.slice(1))
      return
    }
    if (this.#expected.length === 0) this.#sendPsync()
  }

  #sendPsync(): void {
    const { history } = this.#replication
    const { log } = this.#engine
    let request = ['PSYNC', '?', '-1']
    this.#asked = 'this replica has no history'
    if (this.#replication.canResume) {
      request = ['PSYNC', history.replid, String(history.offset + 1)]
      this.#asked = `asked for ${history.replid}:${history.offset + 1}`
      log('notice', `Trying a partial resynchronization (request ${history.replid}:${history.offset + 1}).`)
    } else {
      log('notice', 'Partial resynchronization not possible (no cached master)')
    }
    if (this.#replication.handover.isHandingOver) request.push('FAILOVER')
    this.#phase = 'psync'
    this.#socket?.write(Request.of(request).buf)
  }

  #handlePsync(line: string): void {
    const { log } = this.#engine
    const answer = readPsyncAnswer(line)
    const { handover } = this.#replication
    if (handover.isHandingOver) {
      if (answer.kind !== 'continue' && answer.kind !== 'full') {
        // Ends this link.
        return handover.abort('Failover target rejected psync request')
      }
      handover.completed()
    }
    switch (answer.kind) {
      case 'continue':
        return this.#continue(answer.replid)
      case 'full':
        log('notice', `Full resync from master: ${answer.replid}:${answer.offset}`)
        this.#replication.lostWrites.save()
        this.#expectPayload(answer.replid, answer.offset)
        return
      case 'later':
        return this.#fail(`Master is currently unable to PSYNC but should be in the future: ${answer.reply}`)
      case 'wrong':
        this.#replication.forgetHistory()
        return this.#fail('Master replied with wrong +FULLRESYNC syntax.')
      case 'unsupported':
        log('notice', `Master does not support PSYNC or is in error state (reply: ${answer.reply})`)
        log('notice', 'Retrying with SYNC...')
        this.#expectPayload('', -1)
        this.#socket?.write('SYNC\r\n')
    }
  }

  #expectPayload(replid: string, offset: number): void {
    this.#full = { replid, offset, startedAtMs: this.#engine.unixMs, why: this.#asked }
    this.#phase = 'framing'
    this.#setState('sync')
  }

  #continue(replid: string): void {
    const replication = this.#replication
    this.#engine.log('notice', 'Successful partial resynchronization with master.')
    replication.continued(replid)
    replication.recordResync(`${this.host}:${this.port}`, 'from-primary', 'partial', this.#asked, 0, 0)
    this.#follow(replication.lastDatabase)
    this.#engine.log('notice', 'MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.')
  }

  #follow(database: number): void {
    this.applier = this.#replication.applier(this, Math.max(0, database))
    this.#phase = 'stream'
    this.#attempts = 0
    this.downSinceMs = 0
    this.#setState('connected')
  }

  #handleFraming(line: string): void {
    const { log } = this.#engine
    if (line.startsWith('-')) return this.#fail(`MASTER aborted replication with an error: ${line.slice(1)}`)
    const framing = readFraming(line)
    if (framing === undefined) {
      return this.#fail(
        `Bad protocol from MASTER, the first byte is not '$' (we received '${line}'), are you sure the host and port are right?`,
      )
    }
    let payload: Payload
    try {
      payload = this.#replication.payload(framing)
    } catch (error) {
      return this.#fail(`Opening the temp file needed for MASTER <-> REPLICA synchronization: ${error}`)
    }
    const { target } = payload
    const where = target === 'file' ? 'to disk' : 'to parser'
    const length = framing.kind === 'length' ? `${framing.length} bytes` : 'streamed RDB'
    const suffix = framing.kind === 'mark' ? `from master with EOF ${where}` : `from master ${where}`
    log('notice', `MASTER <-> REPLICA sync: receiving ${length} ${suffix}`)
    this.payloadTotalBytes = framing.kind === 'length' ? framing.length : -1
    this.payload = payload
    this.#phase = 'payload'
    if (target !== 'file') this.#beginLoading(target)
  }

  #beginLoading(target: LoadTarget): void {
    if (this.#loading !== null) return
    this.#loading = target
    // The old data is another moment of what comes: it is served meanwhile.
    const async = target === 'staged' && this.#full?.replid === this.#replication.history.replid
    if (target === 'staged') {
      this.#engine.log(
        'notice',
        `MASTER <-> REPLICA sync: ${async ? 'Async loading' : 'Loading'} into a second data set`,
      )
    }
    this.#engine.log('notice', 'MASTER <-> REPLICA sync: Loading DB in memory')
    this.#replication.loadingBegan(Math.max(0, this.payloadTotalBytes), async)
  }

  /** What was loaded only in part goes. */
  #endLoading(ok: boolean): void {
    const target = this.#loading
    if (target === null) return
    this.#loading = null
    this.#replication.loadingEnded(!ok && target !== 'staged')
  }

  #receivePayload(chunk: Buffer): void {
    const payload = this.payload!
    this.#engine.stats.replInputBytes += chunk.length
    try {
      payload.feed(chunk)
    } catch (error) {
      return this.#loadFailed(error)
    }
    if (payload.complete) void this.#load(payload)
    else if (payload.pauseMs >= 1) this.#pause(payload.pauseMs)
  }

  /** Reads on after a while. */
  #pause(milliseconds: number): void {
    const socket = this.#socket
    socket?.pause()
    setTimeout(() => {
      if (socket === this.#socket) socket?.resume()
    }, milliseconds)
  }

  async #load(payload: Payload): Promise<void> {
    const replication = this.#replication
    const socket = this.#socket!
    const full = this.#full!
    this.#phase = 'loading'
    socket.pause()
    // The primary must see that this replica is alive while it loads.
    this.#beat = setInterval(() => socket.write(NEWLINE), 1000)
    try {
      if (payload.target !== 'store' && replication.guard.isWatching && full.replid !== replication.history.replid) {
        const keys = await payload.countKeys()
        if (socket !== this.#socket) return
        if (replication.guard.refuses(keys, full.replid)) return this.#refuse()
      }
      this.#beginLoading(payload.target)
      const loaded = await payload.load()
      if (socket !== this.#socket) return
      clearInterval(this.#beat)
      this.#beat = null
      this.#endLoading(true)
      replication.synchronised(full.replid, full.offset, loaded.streamDb)
      this.payload = null
      this.#follow(loaded.streamDb)
      replication.recordResync(
        `${this.host}:${this.port}`,
        'from-primary',
        'full',
        full.why,
        loaded.bytes,
        this.#engine.unixMs - full.startedAtMs,
      )
      this.#engine.log('notice', 'MASTER <-> REPLICA sync: Finished with success')
      if (full.offset >= 0) this.sendAck()
      socket.resume()
      if (payload.rest.length > 0) this.#receive(socket, payload.rest)
    } catch (error) {
      if (socket === this.#socket) this.#loadFailed(error)
    }
  }

  /** The old data stays. Asked again after a while: the primary may have got its data back. */
  #refuse(): void {
    this.#phase = 'steps'
    this.#drop()
    this.#setState('connect')
    this.#retry = setTimeout(() => this.#connect(), REFUSED_PAUSE_MS)
  }

  #loadFailed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    this.#phase = 'steps'
    this.#endLoading(false)
    this.#fail(`Failed trying to load the MASTER synchronization DB: ${text}`)
  }

  /** Once a second: acknowledge, and give up on a primary that is silent. */
  cron(): void {
    const { config, log, now } = this.#engine
    if (this.state === 'connected') this.sendAck()
    if (this.#socket === null || this.#phase === 'loading') return
    if (now - this.lastIoMs <= config.get('repl-timeout') * 1000) return
    if (this.state === 'connected') log('warning', 'MASTER timeout: no data nor PING received...')
    else if (this.state === 'sync') {
      log(
        'warning',
        "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' parameter in redis.conf to a larger value.",
      )
    } else log('warning', 'Timeout connecting to the MASTER...')
    this.#broken(this.#socket, 'time-out')
  }

  /** With what the append-only file has on disk, as Redis 7.2 does; 7.0 takes no notice of that. */
  sendAck(isAsked = false): void {
    if (this.#socket === null || this.applier === null) return
    this.applier.passOn()
    const { syncedOffset, history } = this.#replication
    const { offset } = history
    const words = ['REPLCONF', 'ACK', String(offset)]
    if (syncedOffset >= 0) words.push('FACK', String(syncedOffset))
    this.#socket.write(Request.of(words).buf)
    this.#acknowledged = offset
    this.#syncedTold = syncedOffset
    if (isAsked) this.#syncedWanted = offset
  }

  /** So that the primary knows how far this copy is behind in time (repl-ack-period). */
  #ackLater(): void {
    if (this.#ackTimer !== null || this.#socket === null) return
    const period = this.#engine.config.get('repl-ack-period')
    if (period === 0) return
    this.#ackTimer = setTimeout(() => {
      this.#ackTimer = null
      if (this.state === 'connected' && this.#replication.history.offset !== this.#acknowledged) this.sendAck()
    }, period)
  }

  /** Tells it at once if the primary has asked for what was not on disk yet. */
  diskSynced(): void {
    const { syncedOffset } = this.#replication
    if (this.#syncedTold < this.#syncedWanted && syncedOffset > this.#syncedTold) this.sendAck()
  }

  // ---- the link as the applying client's transport: replies to the primary are never sent --------------------------

  get remoteAddress(): string {
    return `${this.host}:${this.port}`
  }
  get localAddress(): string {
    return `${this.#socket?.localAddress ?? ''}:${this.#socket?.localPort ?? 0}`
  }
  readonly fd = -1
  get pendingBytes(): number {
    return this.#socket?.writableLength ?? 0
  }
  get queryBytes(): number {
    return this.applier?.pendingBytes ?? 0
  }
  writeText(): void {}
  writeBuffers(): void {}
  resume(): void {
    const error = this.applier?.resume() ?? null
    if (error !== null && this.#socket !== null) this.#broken(this.#socket, `Error: ${error}`)
  }
  close(): void {
    if (this.#socket !== null) this.#broken(this.#socket, 'closed')
  }
}
