/**
 * Clients that wait: for a key to get elements (BLPOP, BZPOPMIN, XREAD ...), or for something else (WAIT).
 *
 * For each key of a database there is a queue of the clients blocked on it, in the order in which they blocked. A command
 * that adds elements reports the key; when it is done, or all of its transaction is, the reported keys are gone through in
 * the order in which they became ready, each queue from its head, and each client's command is run again. One that blocks
 * once more keeps its place and its deadline. Serving one (BLMOVE) may make further keys ready, so that goes on until there
 * are none. redis 7.0.15 blocked.c handleClientsBlockedOnKeys, which has code of its own for each command where this runs
 * the command; so a client of several keys that became ready at once is served from the first that it named.
 *
 * Queues belong to a database's number: SWAPDB does not move those who wait.
 */
import type { Client } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import type { BlockHost } from '../commands/host.ts'
import { ReplyWriter } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Keyspace } from '../store/keyspace.ts'
import { TYPE_LIST, TYPE_STREAM, TYPE_ZSET } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { Deadlines } from './deadlines.ts'

const KEY_GONE = 'UNBLOCKED the stream key no longer exists'
const ROLE_CHANGED = 'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)'
/** setTimeout takes no more; the timer is then set again. */
const TIMER_MAX_MS = 0x7fffffff

type Answer = (reply: ReplyWriter) => void

interface Waiter {
  readonly client: Client
  /** Empty for onEvent. */
  readonly queues: Queue[]
  readonly request: Request | null
  readonly command: Command | null
  /** Type of value that it waits for. */
  readonly type: number
  /** XREADGROUP, which also has to hear that its key is gone. */
  readonly needsKey: boolean
  readonly onTimeout: Answer
  dueAtMs: number
  heapIndex: number
}

interface Queue {
  readonly database: number
  readonly name: string
  readonly waiters: Set<Waiter>
  /** It is in the list of those to be served. */
  isReady: boolean
  /** The key got elements; else only who needs the key itself may have to hear of something. */
  hasNews: boolean
}

export interface BlockedOptions {
  readonly store: Store
  /** Runs the command of a client again; true when it replied. */
  readonly run: (client: Client, command: Command, request: Request) => boolean
  /** Unix milliseconds. */
  readonly now?: () => number
  /** Hears of the error replies that are written here. */
  readonly countError?: (text: string, count: number) => void
}

export class Blocked implements BlockHost {
  readonly #store: Store
  readonly #run: BlockedOptions['run']
  readonly #now: () => number
  readonly #countError: (text: string, count: number) => void
  readonly #reply = new ReplyWriter()
  readonly #waiters = new Map<Client, Waiter>()
  readonly #databases: (Map<string, Queue> | undefined)[] = []
  readonly #deadlines = new Deadlines<Waiter>()
  #ready: Queue[] = []
  #serving = false
  /** Whose command is being run again. */
  #retrying: Waiter | null = null
  #keyNeeders = 0
  #unblocked: Client[] = []
  #retryKey: string | null = null
  #timer: NodeJS.Timeout | null = null
  #timerAtMs = 0

  constructor(options: BlockedOptions) {
    this.#store = options.store
    this.#run = options.run
    this.#now = options.now ?? Date.now
    this.#countError = options.countError ?? (() => {})
  }

  get count(): number {
    return this.#waiters.size
  }

  /** Those of them that have a deadline. */
  get timeoutCount(): number {
    return this.#deadlines.size
  }

  get retryKey(): string | null {
    return this.#retryKey
  }

  get hasReadyKeys(): boolean {
    return this.#ready.length > 0
  }

  /** While it is not 0, changes and removals of keys must be told to keyChanged() and flushed(). */
  get watchers(): number {
    return this.#keyNeeders
  }

  // ---- blocking ----------------------------------------------------------------------------------------------------

  onKeys(
    client: Client,
    keyspace: Keyspace,
    keys: readonly Buffer[],
    request: Request,
    command: Command,
    timeoutMs: number,
    onTimeout: Answer,
  ): void {
    client.isBlocked = true
    if (this.#retrying?.client === client) return
    const queues: Queue[] = []
    for (const key of keys) {
      const queue = this.#queue(keyspace.id, latin1(key))
      if (!queues.includes(queue)) queues.push(queue)
    }
    const waiter: Waiter = {
      client,
      queues,
      // Its bytes are still in the read buffer of all connections.
      request: request.detach(),
      command,
      type: command.group === 'list' ? TYPE_LIST : command.group === 'sorted-set' ? TYPE_ZSET : TYPE_STREAM,
      needsKey: command.name === 'xreadgroup',
      onTimeout,
      dueAtMs: 0,
      heapIndex: -1,
    }
    for (const queue of queues) queue.waiters.add(waiter)
    if (waiter.needsKey) this.#keyNeeders++
    this.#add(waiter, timeoutMs)
  }

  onEvent(client: Client, timeoutMs: number, onTimeout: Answer): void {
    client.isBlocked = true
    const rest = { request: null, command: null, type: -1, needsKey: false, dueAtMs: 0, heapIndex: -1 }
    this.#add({ client, queues: [], onTimeout, ...rest }, timeoutMs)
  }

  #add(waiter: Waiter, timeoutMs: number): void {
    this.#waiters.set(waiter.client, waiter)
    if (timeoutMs <= 0) return
    waiter.dueAtMs = this.#now() + timeoutMs
    this.#deadlines.add(waiter)
    this.#arm()
  }

  #queue(database: number, name: string): Queue {
    this.#databases[database] ??= new Map()
    const queues = this.#databases[database]!
    let queue = queues.get(name)
    if (queue === undefined) {
      queue = { database, name, waiters: new Set(), isReady: false, hasNews: false }
      queues.set(name, queue)
    }
    return queue
  }

  // ---- keys --------------------------------------------------------------------------------------------------------

  /** A key got elements. redis 7.0.15 blocked.c signalKeyAsReady */
  keyReady(keyspace: Keyspace, key: Uint8Array): void {
    const queue = this.#databases[keyspace.id]?.get(latin1(key))
    if (queue !== undefined) this.#signal(queue, true)
  }

  /** A key was changed, replaced or removed. redis 7.0.15 blocked.c signalDeletedKeyAsReady */
  keyChanged(keyspace: Keyspace, key: Uint8Array): void {
    const queue = this.#databases[keyspace.id]?.get(latin1(key))
    if (queue !== undefined && needsKey(queue)) this.#signal(queue, false)
  }

  /** All keys of a database are gone. */
  flushed(keyspace: Keyspace): void {
    for (const queue of this.#databases[keyspace.id]?.values() ?? []) if (needsKey(queue)) this.#signal(queue, false)
  }

  /** Two databases were exchanged. redis 7.0.15 db.c scanDatabaseForReadyKeys, scanDatabaseForDeletedStreams */
  swapped(first: Keyspace, second: Keyspace): void {
    for (const keyspace of [first, second]) {
      for (const queue of this.#databases[keyspace.id]?.values() ?? []) {
        const exists = keyspace.findKey(Buffer.from(queue.name, 'latin1')) !== 0
        if (exists || needsKey(queue)) this.#signal(queue, exists)
      }
    }
  }

  #signal(queue: Queue, hasNews: boolean): void {
    if (hasNews) queue.hasNews = true
    if (queue.isReady) return
    queue.isReady = true
    this.#ready.push(queue)
  }

  /** Serves the clients of all keys that are ready; to be called after each command, transaction or script. */
  serveReady(): void {
    if (this.#serving) return
    this.#serving = true
    while (this.#ready.length > 0) {
      const ready = this.#ready
      this.#ready = []
      for (const queue of ready) {
        queue.isReady = false
        this.#serve(queue)
      }
    }
    this.#serving = false
  }

  #serve(queue: Queue): void {
    const key = Buffer.from(queue.name, 'latin1')
    const { hasNews } = queue
    queue.hasNews = false
    for (const waiter of queue.waiters) {
      // Looked up anew each time: serving the one before may have emptied or replaced the value.
      const ref = this.#store.databases[queue.database]!.findKey(key)
      const type = ref === 0 ? -1 : this.#store.type(ref)
      if (type === waiter.type) {
        if (hasNews) this.#retry(waiter, queue.name)
      } else if (waiter.needsKey) this.#answer(waiter, (reply) => reply.error(KEY_GONE))
      else if (ref === 0 && this.#keyNeeders === 0) return
    }
  }

  #retry(waiter: Waiter, key: string): void {
    const { client } = waiter
    this.#retrying = waiter
    this.#retryKey = key
    const served = this.#run(client, waiter.command!, waiter.request!)
    this.#retrying = null
    this.#retryKey = null
    if (served) this.#release(waiter)
    else client.isBlocked = this.#waiters.has(client)
  }

  // ---- going on ----------------------------------------------------------------------------------------------------

  unblock(client: Client, answer: Answer): boolean {
    const waiter = this.#waiters.get(client)
    if (waiter === undefined) return false
    this.#answer(waiter, answer)
    return true
  }

  /** Answers as if the client's time were up. False if it is not blocked. */
  timeOut(client: Client): boolean {
    const waiter = this.#waiters.get(client)
    if (waiter === undefined) return false
    this.#answer(waiter, waiter.onTimeout)
    return true
  }

  /** The connection is closed: nothing is answered. */
  disconnected(client: Client): void {
    const waiter = this.#waiters.get(client)
    if (waiter !== undefined) this.#forget(waiter)
  }

  /** This server became a replica: nobody can be served any more. redis 7.0.15 blocked.c disconnectAllBlockedClients */
  roleChanged(): void {
    for (const waiter of [...this.#waiters.values()]) {
      this.#answer(waiter, (reply) => reply.error(ROLE_CHANGED))
      waiter.client.close('after-replies')
    }
  }

  /** Answers those whose time is up. redis 7.0.15 timeout.c handleBlockedClientsTimeout */
  expire(nowMs: number): void {
    for (;;) {
      const waiter = this.#deadlines.first
      if (waiter === undefined || waiter.dueAtMs > nowMs) break
      this.#answer(waiter, waiter.onTimeout)
    }
    this.#arm()
  }

  /** The server ends: no timer stays. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #answer(waiter: Waiter, answer: Answer): void {
    const { client } = waiter
    const reply = this.#reply
    reply.resp = client.resp
    reply.muted = client.replyMode === 'off'
    const before = reply.errors
    this.#release(waiter)
    answer(reply)
    const errors = reply.errors - before
    if (errors > 0) {
      if (client.lastCommand !== undefined) client.lastCommand.failedCalls++
      this.#countError(reply.lastError, errors)
    }
    if (reply.muted) reply.clear()
    else reply.drain(client.transport)
  }

  /** The client goes on, but not before the batch that is being run is done. */
  #release(waiter: Waiter): void {
    this.#forget(waiter)
    if (this.#unblocked.push(waiter.client) === 1) setImmediate(() => this.#resume())
  }

  #resume(): void {
    const clients = this.#unblocked
    this.#unblocked = []
    for (const client of clients) if (!client.isBlocked && !client.closing) client.transport.resume()
  }

  #forget(waiter: Waiter): void {
    waiter.client.isBlocked = false
    if (!this.#waiters.delete(waiter.client)) return
    this.#deadlines.remove(waiter)
    if (waiter.needsKey) this.#keyNeeders--
    for (const queue of waiter.queues) {
      queue.waiters.delete(waiter)
      if (queue.waiters.size === 0) this.#databases[queue.database]!.delete(queue.name)
    }
  }

  /** One timer, for the next deadline. One that fires too early costs less than moving it each time. */
  #arm(): void {
    const due = this.#deadlines.first?.dueAtMs
    if (due === undefined || (this.#timer !== null && this.#timerAtMs <= due)) return
    this.stop()
    this.#timerAtMs = due
    const wait = Math.min(Math.max(1, due - this.#now()), TIMER_MAX_MS)
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.expire(this.#now())
    }, wait)
    this.#timer.unref()
  }
}

function needsKey(queue: Queue): boolean {
  for (const waiter of queue.waiters) if (waiter.needsKey) return true
  return false
}

function latin1(key: Uint8Array): string {
  return Buffer.prototype.latin1Slice.call(key, 0, key.length)
}
