/**
 * Full synchronisation: one snapshot for all replicas that wait for it, streamed to their sockets as it is made
 * (`$EOF:` framing), or written to the RDB file first and sent with its length to replicas that do not know that.
 * The snapshot is a walk in slices (store/walk.ts): writes go on, and stay in the backlog from the snapshot's offset on.
 * What has to wait for what: one walk at a time, so a BGSAVE and a full sync follow each other.
 */
import { randomBytes } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine } from '../../engine/engine.ts'
import { Attendant } from '../../persistence/attendant.ts'
import type { ChunkSink } from '../../rdb/output.ts'
import { type RecordWriter, Snapshot, SnapshotRunner, writerOptions } from '../../rdb/snapshot.ts'
import type { RdbWriterOptions } from '../../rdb/writer.ts'
import type { History } from '../history.ts'
import type { ReplicationStream } from '../stream.ts'
import { Payload } from './payload.ts'
import type { Replica } from './replica.ts'
import { NEWLINE, type Replicas } from './replicas.ts'
import { SyncPace, TokenBucket } from './sync-pace.ts'

/** The file is not read on while a replica's socket holds more than this. */
const SOCKET_BYTES = 8 * 1024 * 1024
/** The walk looks again after so long whether a replica takes more. */
const SOCKET_WAIT_MS = 2

export interface FullSyncEvent {
  replica: Replica
  why: string
  bytes: number
  durationMs: number
  ok: boolean
}

export interface SnapshotFile {
  /** A snapshot walk for a file is under way, or the file is being saved. */
  readonly saving: boolean
  /** Saves to the RDB file and calls back when it is complete or failed. */
  saveForReplication(done: (error: Error | null) => void): void
  /** Ends the save under way, which has failed then. */
  abort(): void
  /** The data of a primary is being loaded; `async`: meanwhile the old data, of the same history, is served. */
  beginLoading(totalBytes: number, async: boolean): void
  endLoading(): void
}

interface Running {
  replicas: Replica[]
  snapshot: Snapshot | null
  runner: SnapshotRunner | null
  mark: Buffer
  /** What goes to the sockets as it is made. */
  payload: Payload | null
  bytes: number
  startedAtMs: number
  toDisk: boolean
  attendant: Attendant | null
  /** Of what goes to the sockets as it is made. */
  pace: SyncPace
  bucket: TokenBucket
}

const LAST_DROPPED = 'Diskless rdb transfer, last replica dropped, killing fork child.'

export class FullSync {
  /** Called for each replica when its payload has been sent, or failed. */
  onDone: (event: FullSyncEvent) => void = () => {}
  lastDurationMs = 0
  lastBytes = 0
  /** Writes a part of the data only; then nothing goes through the RDB file. */
  writer: ((options: RdbWriterOptions, sink: ChunkSink) => RecordWriter) | null = null

  #engine: Engine
  #history: History
  #stream: ReplicationStream
  #replicas: Replicas
  #file: SnapshotFile
  #running: Running | null = null
  /** Of which some replica has not got all yet. */
  #payloads = new Set<Payload>()
  #startTimer: NodeJS.Timeout | null = null
  #waitingSinceMs = new Map<Replica, number>()
  #reasons = new Map<Replica, string>()

  constructor(engine: Engine, history: History, stream: ReplicationStream, replicas: Replicas, file: SnapshotFile) {
    this.#engine = engine
    this.#history = history
    this.#stream = stream
    this.#replicas = replicas
    this.#file = file
  }

  get active(): boolean {
    return this.#running !== null
  }

  /** Replicas are being sent a payload, if only what one of them has not read of it. */
  get isDelivering(): boolean {
    return this.#payloads.size > 0
  }

  /** A replica (state wait_bgsave, in the list) wants a snapshot, for this reason. */
  request(replica: Replica, why: string): void {
    const { config, log } = this.#engine
    this.#waitingSinceMs.set(replica, this.#engine.now)
    this.#reasons.set(replica, why)
    if (this.#running !== null) {
      if (this.#attach(replica)) return
      log('notice', "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC")
      return
    }
    const delay = config.get('repl-diskless-sync-delay')
    if (config.get('repl-diskless-sync') && replica.announced.capaEof && delay > 0) {
      log('notice', 'Delay next BGSAVE for diskless SYNC')
      const most = config.get('repl-diskless-sync-max-replicas')
      if (most > 0 && this.#waiting().length >= most) this.#startSoon(0)
      else this.#startSoon(delay * 1000)
      return
    }
    this.#startSoon(0)
  }

  /** Joins a disk snapshot that is being made and whose stream other replicas are waiting for. */
  #attach(replica: Replica): boolean {
    const running = this.#running!
    const first = running.replicas[0]
    if (!running.toDisk || isSending(running) || first === undefined) return false
    if (!first.sameNeeds(replica) || !this.#stream.backlog) return false
    if (first.sent < this.#stream.backlog.oldest) return false
    const most = this.#engine.config.get('repl-max-concurrent-syncs')
    if (most > 0 && running.replicas.length >= most) return false
    this.#announce(replica, first.sent)
    running.replicas.push(replica)
    this.#engine.log('notice', 'Waiting for end of BGSAVE for SYNC')
    return true
  }

  #waiting(): Replica[] {
    return this.#replicas.list.filter((replica) => replica.state === 'wait_bgsave')
  }

  #startSoon(milliseconds: number): void {
    if (this.#startTimer !== null) {
      if (milliseconds > 0) return
      clearTimeout(this.#startTimer)
    }
    this.#startTimer = setTimeout(() => {
      this.#startTimer = null
      this.#start()
    }, milliseconds)
  }

  /** Once a second: newlines keep those that wait alive, and a start that had to wait is tried again. */
  cron(): void {
    for (const payload of this.#payloads) payload.look()
    const onDisk = this.#running?.toDisk ?? false
    for (const replica of this.#replicas.list) {
      const presync =
        replica.state === 'wait_bgsave' || (onDisk && replica.state === 'send_bulk' && replica.progressAtMs === 0)
      if (presync) replica.client.send(NEWLINE)
    }
    if (this.#running === null && this.#startTimer === null && this.#waiting().length > 0) this.#start()
  }

  #start(): void {
    const engine = this.#engine
    if (this.#running !== null || engine.store.walk !== null || this.#file.saving || engine.busy !== null) return
    const waiting = this.#waiting()
    const first = waiting[0]
    if (first === undefined) return
    engine.tick()
    const partly = first.announced.excludeData || this.writer !== null
    const diskless = engine.config.get('repl-diskless-sync') || partly
    const toSockets = diskless && first.announced.capaEof
    const alike = waiting.filter((replica) => replica.sameNeeds(first) && (!toSockets || replica.announced.capaEof))
    const most = engine.config.get('repl-max-concurrent-syncs')
    let free = most > 0 ? most : alike.length
    for (const { replicas } of this.#payloads) free -= most > 0 ? replicas.length : 0
    const group = alike.slice(0, free)
    if (free <= 0) return
    engine.log('notice', `Starting BGSAVE for SYNC with target: ${toSockets ? 'replicas sockets' : 'disk'}`)
    this.#stream.flush()
    // All start from this offset, and the stream says its database anew behind it.
    this.#stream.forgetDatabase()
    for (const replica of group) this.#announce(replica, this.#history.offset)
    this.#running = {
      replicas: group,
      snapshot: null,
      runner: null,
      mark: Buffer.from(randomBytes(20).toString('hex'), 'latin1'),
      payload: toSockets ? new Payload(engine, group, this.#replicas.budget) : null,
      bytes: 0,
      startedAtMs: engine.unixMs,
      toDisk: !toSockets,
      pace: new SyncPace(() => engine.config.get('repl-sync-latency-target')),
      bucket: this.#bucket(),
      attendant: toSockets ? new Attendant(engine, 'tandem-rdb-to-slaves', (signal) => this.#killed(signal)) : null,
    }
    const { attendant } = this.#running
    if (attendant !== null) engine.log('notice', `Background RDB transfer started by pid ${attendant.pid}`)
    if (toSockets) this.#startSockets(this.#running)
    else this.#startDisk(this.#running)
  }

  #announce(replica: Replica, offset: number): void {
    replica.state = 'send_bulk'
    replica.sent = offset
    replica.progressAtMs = this.#engine.now
    if (replica.isLegacy) return
    replica.client.send(Buffer.from(`+FULLRESYNC ${this.#history.replid} ${offset}\r\n`, 'latin1'))
  }

  // ---- straight to the sockets --------------------------------------------------------------------------------------

  #startSockets(running: Running): void {
    const engine = this.#engine
    const { config } = engine
    const payload = running.payload!
    this.#payloads.add(payload)
    payload.onDelivered = (replica) => this.#delivered(running, replica)
    payload.onGone = (replica) => {
      if (this.#running === running) return
      this.#report(replica, running, false)
      this.#whenAllHaveIt(payload)
    }
    payload.append(Buffer.from(`$EOF:${running.mark.toString('latin1')}\r\n`, 'latin1'))
    const about = {
      config,
      now: engine.unixMs,
      // The stream selects its database anew behind the snapshot.
      aux: { replid: this.#history.replid, offset: this.#history.offset, streamDb: 0 },
      excludeData: running.replicas[0]!.announced.excludeData,
      usedMemory: engine.memoryUsed(),
    }
    const { writer } = this
    running.snapshot = new Snapshot(engine.store, {
      ...about,
      ...(writer === null ? {} : { writer: (sink) => writer(writerOptions(about, engine.store), sink) }),
      onChunk: (chunk) => {
        running.bytes += chunk.length
        running.bucket.take(chunk.length)
        payload.append(chunk)
      },
      onEnd: () => this.#sent(running),
      onError: (error) => {
        engine.log('warning', `Background transfer error: ${error}`)
        for (const replica of running.replicas) replica.client.close('now')
        this.#finish(running, false)
      },
    })
    engine.stats.snapshots++
    running.runner = new SnapshotRunner(running.snapshot, {
      get sliceMs() {
        return running.pace.sliceMs
      },
      ready: () => this.#ready(running),
      keyDelayMicroseconds: () => config.get('rdb-key-save-delay'),
    })
  }

  /** Whether all sockets can take more; looks again soon if not. A group without replicas ends. */
  #ready(running: Running): boolean {
    if (this.#running !== running) return false
    running.replicas = running.replicas.filter((replica) => !replica.client.closing)
    if (running.replicas.length === 0) {
      this.#engine.log('warning', LAST_DROPPED)
      running.runner?.stop()
      running.snapshot!.abort()
      this.#finish(running, false)
      return false
    }
    for (const replica of running.replicas) {
      if (replica.client.transport.pendingBytes === 0) replica.progressAtMs = this.#engine.now
    }
    const payload = running.payload!
    payload.look()
    const heldMs = Math.max(running.bucket.waitMs(), payload.wantsMore ? 0 : SOCKET_WAIT_MS)
    if (heldMs > 0) running.pace.waits()
    const pauseMs = heldMs > 0 ? heldMs : running.pace.rest()
    if (pauseMs > 0) setTimeout(() => running.runner?.resume(), pauseMs)
    return pauseMs === 0
  }

  /** repl-sync-max-rate, for one payload. */
  #bucket(): TokenBucket {
    return new TokenBucket(() => this.#engine.config.get('repl-sync-max-rate'))
  }

  #sent(running: Running): void {
    const payload = running.payload!
    payload.append(running.mark)
    this.#finish(running, true)
    payload.end()
    this.#whenAllHaveIt(payload)
  }

  /** Its socket has been given the whole payload. */
  #delivered(running: Running, replica: Replica): void {
    this.#online(replica, true)
    this.#report(replica, running, true)
    this.#whenAllHaveIt(running.payload!)
  }

  /** Redis's child ends when the slowest replica has read it all, or is gone. */
  #whenAllHaveIt(payload: Payload): void {
    if (payload.replicas.length > 0 || !this.#payloads.has(payload)) return
    const { delivered } = payload
    const { log } = this.#engine
    this.#drop(payload)
    if (delivered === 0) {
      log('warning', LAST_DROPPED)
      return
    }
    log('warning', `Diskless rdb transfer, done reading from pipe, ${delivered} replicas still up.`)
    log('notice', 'Background RDB transfer terminated with success')
  }

  /** Bytes of payloads that replicas have not taken. */
  get memoryBytes(): number {
    let bytes = 0
    for (const payload of this.#payloads) bytes += payload.memoryBytes
    return bytes
  }

  /** FLUSHALL or shutdown: the data that the snapshot stands for is gone. Replicas will ask again. */
  abort(): void {
    const running = this.#running
    if (running === null || running.toDisk) return
    this.#giveUp(running)
  }

  /** Without configured saves, nobody wants a file that no replica waits for. redis 7.0.15 networking.c freeClient */
  clientGone(): void {
    const running = this.#running
    if (running === null || !running.toDisk || isSending(running)) return
    if (running.replicas.some(({ client }) => !client.closing)) return
    if (this.#engine.config.get('save').length === 0) this.#file.abort()
  }

  /** redis 7.0.15 rdb.c backgroundSaveDoneHandlerSocket */
  #killed(signal: number): void {
    this.#engine.log('warning', `Background transfer terminated by signal ${signal}`)
    this.abort()
  }

  #giveUp(running: Running): void {
    running.runner?.stop()
    running.snapshot?.abort()
    for (const replica of running.replicas) replica.client.close('now')
    this.#finish(running, false)
  }

  #finish(running: Running, ok: boolean): void {
    this.#running = null
    running.attendant?.release()
    this.lastDurationMs = this.#engine.unixMs - running.startedAtMs
    this.lastBytes = running.bytes
    // Of a payload that is complete, replicas are reported as they get its end.
    const isUnderWay = ok && running.payload !== null
    if (!isUnderWay) for (const replica of running.replicas) this.#report(replica, running, ok)
    if (!isUnderWay) this.#drop(running.payload)
    if (this.#waiting().length > 0) this.#startSoon(0)
  }

  #drop(payload: Payload | null): void {
    if (payload === null || !this.#payloads.delete(payload)) return
    payload.drop()
  }

  #report(replica: Replica, running: Running, ok: boolean): void {
    const why = this.#reasons.get(replica) ?? ''
    this.#reasons.delete(replica)
    this.#waitingSinceMs.delete(replica)
    this.onDone({ replica, why, bytes: running.bytes, durationMs: this.lastDurationMs, ok })
  }

  #online(replica: Replica, waitForAck: boolean): void {
    if (replica.client.closing) return
    if (!replica.wantsStream) {
      this.#engine.log(
        'notice',
        `RDB transfer completed, rdb only replica (${replica.name}) should be disconnected asap`,
      )
      replica.client.close('after-replies')
      return
    }
    replica.state = 'online'
    replica.acknowledgedAtMs = this.#engine.now
    replica.streamWaitsForAck = waitForAck && !replica.isLegacy
    if (waitForAck) {
      this.#engine.log(
        'notice',
        `Streamed replica with replica ${replica.name} succeeded (socket). Waiting for REPLCONF ACK from replica to enable streaming`,
      )
      return
    }
    this.#engine.log('notice', `Synchronization with replica ${replica.name} succeeded`)
    this.#replicas.feed(replica)
  }

  // ---- through the RDB file ----------------------------------------------------------------------------------------

  #startDisk(running: Running): void {
    for (const replica of running.replicas) replica.progressAtMs = 0
    this.#file.saveForReplication((error) => {
      if (error !== null) {
        for (const replica of running.replicas) replica.client.close('now')
        this.#finish(running, false)
        return
      }
      const { config } = this.#engine
      const path = join(config.get('dir'), config.get('dbfilename'))
      let left = 0
      for (const replica of running.replicas) {
        if (replica.client.closing) continue
        left++
        this.#sendFile(replica, path, running, () => {
          if (--left === 0) this.#finish(running, true)
        })
      }
      if (left === 0) this.#finish(running, false)
    })
  }

  #sendFile(replica: Replica, path: string, running: Running, done: () => void): void {
    const size = statSync(path).size
    running.bytes = size
    replica.isSentFile = true
    const bucket = this.#bucket()
    replica.client.send(Buffer.from(`$${size}\r\n`, 'latin1'))
    const file = createReadStream(path, { highWaterMark: 256 * 1024, end: size - 1 })
    file.on('data', (chunk) => {
      if (replica.client.closing) {
        file.destroy()
        return
      }
      replica.progressAtMs = this.#engine.now
      replica.client.send(chunk as Buffer)
      bucket.take(chunk.length)
      const isTooMuch = () => replica.client.transport.pendingBytes > SOCKET_BYTES || bucket.waitMs() > 0
      if (!isTooMuch()) return
      file.pause()
      const resume = setInterval(() => {
        if (!replica.client.closing && isTooMuch()) {
          if (replica.client.transport.pendingBytes <= SOCKET_BYTES) replica.progressAtMs = this.#engine.now
          return
        }
        clearInterval(resume)
        file.resume()
      }, 5)
    })
    file.on('error', (error) => {
      this.#engine.log('warning', `Error sending DB to replica: ${error.message}`)
      replica.client.close('now')
    })
    file.on('close', () => {
      if (!replica.client.closing) this.#online(replica, false)
      done()
    })
  }
}

/** The file is complete: who comes now is too late for it. */
function isSending({ replicas }: Running): boolean {
  return replicas.some(({ isSentFile }) => isSentFile)
}
