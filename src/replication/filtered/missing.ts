/**
 * Shown keys whose value only the primary knows: hidden data was brought to them. Each is asked for on a connection beside
 * the link, with the offset at which the answer is true (DUMP, PEXPIRETIME and INFO in one transaction), and takes its place
 * when the stream has come that far. Until then the key is as it was before; a command that touches it waits for the
 * answer, and is passed over if the answer has its effect already. All others go on.
 */
import type { Socket } from 'node:net'
import Parser from 'redis-parser'
import type { Config } from '../../config/config.ts'
import { strerror } from '../../config/strerror.ts'
import { Request } from '../../resp/request.ts'
import { connectedEvent, dial, type Tls } from '../../tls/dial.ts'
import type { History } from '../history.ts'

const RETRY_MS = 100
const SILENCE_MAX_MS = 10_000
const BATCH_MAX = 128
const NO_ARRAY = 'EXEC gave no replies'

export interface MissingKey {
  readonly database: number
  readonly key: Buffer
  /** Of the stream: its value is of this moment; -1 while it is asked for. */
  offset: number
  /** As DUMP has it; null when there is no such key. */
  payload: Buffer | null
  /** Unix milliseconds, 0 for ever. */
  expireAt: number
}

export interface MissingSetup {
  readonly config: Config
  readonly history: History
  tls(): Tls
  /** Where the link goes. */
  endpoint(): { host: string; port: number } | null
  log(text: string): void
  /** An answer is here: what waits may go on. */
  onAnswer(): void
  /** The primary does not answer such questions: the copy cannot be kept as it is. */
  onRefused(why: string): void
  /** In a cluster: a node says MOVED or ASK. Whether the key is not with this shard any more, or may be asked for again. */
  isElsewhere?(key: Buffer, isAsk: boolean): boolean
}

export class Missing {
  /** Keys that were asked for since the start, and the bytes of their values. */
  fetched = 0
  fetchedBytes = 0

  readonly #setup: MissingSetup
  readonly #keys = new Map<string, MissingKey>()
  #toAsk: MissingKey[] = []
  /** Asked in this order. */
  #asked: MissingKey[][] = []
  #socket: Socket | null = null
  #isConnected = false
  #timer: NodeJS.Timeout | null = null
  #askSoon = false
  #waitingSince = 0
  #lastError = ''
  /** Replies of the log-in that are to come. */
  #greetings = 0
  /** Replies to the first of what was asked that have come, and the first error among them. */
  #replies = 0
  #error = ''

  constructor(setup: MissingSetup) {
    this.#setup = setup
  }

  get size(): number {
    return this.#keys.size
  }

  /** Whether any key's value is not here yet. */
  get isAsking(): boolean {
    for (const { offset } of this.#keys.values()) if (offset < 0) return true
    return false
  }

  stateOf(database: number, key: Buffer): 'asked' | 'known' | undefined {
    const found = this.#keys.get(nameOf(database, key))
    return found === undefined ? undefined : found.offset < 0 ? 'asked' : 'known'
  }

  /** The stream has come to a change of this key that only the primary can tell. */
  ask(database: number, key: Buffer): void {
    const missing: MissingKey = { database, key, offset: -1, payload: null, expireAt: 0 }
    this.#keys.set(nameOf(database, key), missing)
    this.#toAsk.push(missing)
    this.fetched++
    this.#flushSoon()
  }

  /** Its value comes from elsewhere. */
  forget(database: number, key: Buffer): void {
    this.#keys.delete(nameOf(database, key))
  }

  /** Those whose moment has come, which are forgotten here. */
  due(offset: number): MissingKey[] {
    const due: MissingKey[] = []
    for (const [name, missing] of this.#keys) {
      if (missing.offset < 0 || missing.offset > offset) continue
      due.push(missing)
      this.#keys.delete(name)
    }
    return due
  }

  /**
   * Databases were exchanged. What a key that is missing here was until then has gone to the other database, where its
   * value is not known either; the answers that are here are of a later moment.
   */
  exchanged(a: number, b: number): void {
    for (const { database, key } of [...this.#keys.values()]) {
      if (database !== a && database !== b) continue
      const other = database === a ? b : a
      if (this.stateOf(other, key) === undefined) this.ask(other, key)
    }
  }

  /** The link goes to another server now, perhaps: that one is asked what has not been answered. */
  moved(): void {
    this.#close()
    this.#flushSoon()
  }

  /** Another data set, or none: nothing is missing. */
  clear(): void {
    this.#keys.clear()
    this.#toAsk = []
    this.#close()
  }

  #flushSoon(): void {
    if (this.#askSoon) return
    this.#askSoon = true
    setImmediate(() => {
      this.#askSoon = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#toAsk.length === 0) return
    if (this.#socket === null) this.#connect()
    if (!this.#isConnected) return
    while (this.#toAsk.length > 0) {
      // In a cluster one key may be refused alone.
      const batch = this.#toAsk.splice(0, this.#setup.isElsewhere === undefined ? BATCH_MAX : 1)
      if (this.#asked.length === 0) this.#waitingSince = performance.now()
      this.#asked.push(batch)
      this.#socket!.write(questions(batch))
    }
  }

  // ---- the connection ----------------------------------------------------------------------------------------------

  #connect(): void {
    const endpoint = this.#setup.endpoint()
    if (endpoint === null || this.#timer !== null) return
    const { config } = this.#setup
    const password = config.get('masterauth')
    const user = config.get('masteruser')
    const parser = new Parser({
      returnBuffers: true,
      returnReply: (reply) => this.#take(socket, reply),
      returnError: (error) => this.#take(socket, error),
      returnFatalError: (error) => this.#lost(socket, error.message),
    })
    const tls = this.#setup.tls()
    const to = { ...endpoint, localAddress: config.get('bind-source-addr'), keepAlive: true }
    const socket = dial(to, tls, (chunk) => parser.execute(Buffer.from(chunk)))
    this.#socket = socket
    this.#greetings = 0
    socket.on(connectedEvent(tls), () => {
      if (password !== '') {
        this.#greetings = 1
        socket.write(Request.of(user === '' ? ['AUTH', password] : ['AUTH', user, password]).buf)
      }
      this.#isConnected = true
      this.#flush()
    })
    socket.on('error', (error) => this.#lost(socket, strerror(error)))
    socket.on('close', () => this.#lost(socket, 'the connection was closed'))
  }

  #lost(socket: Socket, reason: string): void {
    if (socket !== this.#socket) return
    const isNeeded = this.#asked.length > 0 || this.#toAsk.length > 0
    this.#close()
    if (!isNeeded) return
    if (reason !== this.#lastError) this.#setup.log(`Values that cross the filter cannot be asked for: ${reason}`)
    this.#lastError = reason
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#flush()
    }, RETRY_MS)
  }

  /** What was not answered is asked again. */
  #close(): void {
    const socket = this.#socket
    this.#socket = null
    this.#isConnected = false
    socket?.destroy()
    this.#toAsk = [...this.#asked.flat(), ...this.#toAsk].filter((missing) => this.#isWanted(missing))
    this.#asked = []
    this.#replies = 0
    this.#error = ''
  }

  #isWanted(missing: MissingKey): boolean {
    return this.#keys.get(nameOf(missing.database, missing.key)) === missing
  }

  /** Once a second. */
  cron(): void {
    if (this.#asked.length > 0 && performance.now() - this.#waitingSince > SILENCE_MAX_MS) {
      this.#lost(this.#socket!, 'it does not answer')
    }
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.clear()
  }

  // ---- answers -----------------------------------------------------------------------------------------------------

  #take(socket: Socket, reply: unknown): void {
    if (socket !== this.#socket) return
    if (this.#greetings > 0) {
      this.#greetings--
      if (reply instanceof Error) this.#refused(reply.message)
      return
    }
    const batch = this.#asked[0]
    if (batch === undefined) return this.#lost(socket, 'it does not answer as expected')
    if (reply instanceof Error) this.#error ||= reply.message
    if (++this.#replies < repliesTo(batch)) return
    const error =
      this.#error || (Array.isArray(reply) ? reply.find((part) => part instanceof Error)?.message : NO_ARRAY)
    this.#replies = 0
    this.#error = ''
    this.#asked.shift()
    this.#waitingSince = performance.now()
    if (error === undefined) return this.#answered(socket, batch, reply as unknown[])
    if (this.#setup.isElsewhere === undefined || !/^(MOVED|ASK) /.test(error)) return this.#refused(error, batch)
    if (!this.#setup.isElsewhere(batch[0]!.key, error.startsWith('ASK'))) {
      this.#toAsk.unshift(...batch)
      return this.#lost(socket, error)
    }
    // As if it had been removed: it comes from where it is now.
    batch[0]!.offset = 0
    this.#setup.onAnswer()
  }

  #answered(socket: Socket, batch: readonly MissingKey[], reply: readonly unknown[]): void {
    const replication = String(reply.at(-1))
    const replid = /master_replid:([0-9a-f]{40})/.exec(replication)?.[1]
    const offset = Number(/master_repl_offset:(\d+)/.exec(replication)?.[1])
    const { history } = this.#setup
    if (Number.isNaN(offset)) return this.#lost(socket, 'it does not answer as expected')
    const isFormer = replid === history.replid2 && offset < history.secondOffset
    if (replid !== history.replid && !isFormer) {
      // Another primary, or this one under a name that the link has not heard of.
      this.#toAsk.unshift(...batch)
      return this.#lost(socket, 'it is in another history')
    }
    batch.forEach((missing, i) => {
      const payload = reply[i * 3 + 1] as Buffer | null
      const expireAt = Number(reply[i * 3 + 2])
      missing.payload = payload
      missing.expireAt = Math.max(0, expireAt)
      missing.offset = offset
      this.fetchedBytes += payload?.length ?? 0
    })
    this.#lastError = ''
    this.#setup.onAnswer()
  }

  #refused(why: string, batch: readonly MissingKey[] = []): void {
    // Starting up, or changing roles.
    if (/^(LOADING|MASTERDOWN|BUSY|CLUSTERDOWN)/.test(why) && this.#socket !== null) {
      this.#toAsk.unshift(...batch)
      return this.#lost(this.#socket, why)
    }
    this.#keys.clear()
    this.#toAsk = []
    this.#asked = []
    this.#close()
    this.#setup.onRefused(why)
  }
}

function nameOf(database: number, key: Buffer): string {
  return `${database} ${key.latin1Slice()}`
}

/** MULTI, INFO and EXEC besides SELECT, DUMP and PEXPIRETIME for each. */
function repliesTo(batch: readonly MissingKey[]): number {
  return batch.length * 3 + 3
}

/** One transaction: three replies a key, and the offset that they are of. */
function questions(batch: readonly MissingKey[]): Buffer {
  const requests: Buffer[] = [Request.of(['MULTI']).buf]
  for (const { database, key } of batch) {
    requests.push(
      Request.of(['SELECT', String(database)]).buf,
      Request.of(['DUMP', key]).buf,
      Request.of(['PEXPIRETIME', key]).buf,
    )
  }
  requests.push(Request.of(['INFO', 'replication']).buf, Request.of(['EXEC']).buf)
  return Buffer.concat(requests)
}
