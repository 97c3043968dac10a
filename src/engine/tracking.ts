/**
 * Client-side caching: which clients were served which keys, so that they hear when a key changes (CLIENT TRACKING). The
 * table maps a key's Latin-1 string to the id of the one client that has it, or to a set of ids; it does not tell
 * databases apart. Ids of clients that are gone are met, and dropped, when the key changes. Clients of BCAST mode are not in
 * the table: they have prefixes, for each of which the changed keys of one turn of the event loop are collected and sent
 * at its end, in one message.
 *
 *     keys      "user:1" → 7          "user:2" → {7, 9}
 *     prefixes  "user:"  → clients {…}, changed keys {"user:3" → by whom}
 *
 * A message to the client whose command changes the key waits until that command has been answered. redis 7.0.15 tracking.c
 */
import type { Client, TrackingState } from '../commands/client.ts'
import type { Command } from '../commands/command.ts'
import { FLAG_PUBSUB, FLAG_READONLY } from '../commands/define.ts'
import type { ClientsHost, TrackingHost, TrackingOptions } from '../commands/host.ts'
import { FoundKeys, findKeys } from '../commands/keys.ts'
import type { Request } from '../resp/request.ts'

const NULL_RESP2 = Buffer.from('$-1\r\n', 'latin1')
const NULL_RESP3 = Buffer.from('_\r\n', 'latin1')
const PUSH_HEADER = Buffer.from('>2\r\n$10\r\ninvalidate\r\n', 'latin1')
const MESSAGE_HEADER = Buffer.from('*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n', 'latin1')
/** Keys that one check of the limit removes at first; each check in a row that was not enough adds as many. */
const EFFORT = 100

/** The clients of one prefix, and the keys below it that changed in this turn with the client that changed each last. */
interface Prefix {
  readonly clients: Set<Client>
  keys: Map<string, Client | null>
}

/** A script, function or other command that runs commands for its client. */
interface Outer {
  readonly client: Client
  readonly command: Command
  readonly args: Request
}

export interface TrackingSetup {
  readonly clients: () => ClientsHost
  /** Keys that the table may hold, 0 for any number. */
  readonly maxKeys: () => number
  /** The client whose command runs just now. */
  readonly running: () => Client | null
  /** `clients` changed. */
  readonly onClients: () => void
}

export class Tracking implements TrackingHost {
  clients = 0
  items = 0
  /** The client whose command is about to run: what is evicted for it does not wait for its reply. */
  preparing: Client | null = null

  readonly #setup: TrackingSetup
  readonly #keys = new Map<string, number | Set<number>>()
  readonly #prefixes = new Map<string, Prefix>()
  readonly #found = new FoundKeys()
  /** Keys that the running client has to hear of after its reply; null stands for all keys. */
  #pending: (string | null)[] = []
  #outer: Outer | null = null
  #broadcasting = false
  /** Goes through the table from its oldest key. Kept while it is in use, since a new one passes all removed keys again. */
  #oldest: Iterator<string> | null = null
  #oldestUsed = false
  #rounds = 0

  constructor(setup: TrackingSetup) {
    this.#setup = setup
  }

  get keys(): number {
    return this.#keys.size
  }

  get prefixes(): number {
    return this.#prefixes.size
  }

  /** While it is not 0, changes of keys must be told to invalidate(). */
  get watchers(): number {
    return this.clients + this.items
  }

  // ---- on and off --------------------------------------------------------------------------------------------------

  /** redis 7.0.15 tracking.c enableTracking */
  enable(client: Client, options: TrackingOptions): void {
    const before = client.tracking
    const state: TrackingState = {
      redirect: options.redirect,
      broadcast: options.broadcast,
      optIn: options.optIn,
      optOut: options.optOut,
      noLoop: options.noLoop,
      caching: before?.caching ?? false,
      broken: false,
      prefixes: before?.prefixes ?? new Set(),
    }
    client.tracking = state
    if (options.broadcast) {
      for (const prefix of options.prefixes.length === 0 ? [''] : options.prefixes) {
        state.prefixes.add(prefix)
        const known = this.#prefixes.get(prefix)
        if (known === undefined) this.#prefixes.set(prefix, { clients: new Set([client]), keys: new Map() })
        else known.clients.add(client)
      }
    }
    if (before !== null) return
    this.clients++
    this.#setup.onClients()
  }

  /** The client turned it off, starts anew or is gone. redis 7.0.15 tracking.c disableTracking */
  disable(client: Client): void {
    const state = client.tracking
    if (state === null) return
    for (const name of state.prefixes) {
      const prefix = this.#prefixes.get(name)!
      prefix.clients.delete(client)
      if (prefix.clients.size === 0) this.#prefixes.delete(name)
    }
    client.tracking = null
    if (--this.clients === 0) this.#pending = []
    this.#setup.onClients()
  }

  // ---- what clients read -------------------------------------------------------------------------------------------

  /** A command will run others for its client (a script): a read among them stands for all keys that it declares. */
  enter(client: Client, command: Command, args: Request): void {
    this.#outer = { client, command, args }
  }

  leave(): void {
    this.#outer = null
  }

  /** A command was run, also inside EXEC or a script. Called while there are clients that track. */
  ran(client: Client, command: Command, args: Request): void {
    // EVAL_RO and its like read nothing themselves.
    if ((command.flagBits & FLAG_READONLY) !== 0 && command.group !== 'scripting') {
      const outer = this.#outer
      if (outer === null) this.#remember(client, command, args)
      else this.#remember(outer.client, outer.command, outer.args)
    }
  }

  /** The outermost command is done: CLIENT CACHING held for it. redis 7.0.15 networking.c resetClient */
  done(client: Client, command: Command | undefined): void {
    const state = client.tracking
    if (state === null || !state.caching || client.transaction !== null) return
    if (command?.parent?.name !== 'client') state.caching = false
  }

  /** redis 7.0.15 tracking.c trackingRememberKeys */
  #remember(client: Client, command: Command, args: Request): void {
    const state = client.tracking
    if (state === null || state.broadcast) return
    if ((state.optIn && !state.caching) || (state.optOut && state.caching)) return
    if ((command.flagBits & FLAG_PUBSUB) !== 0) return
    const found = this.#found
    const count = findKeys(command, args, found)
    const { id } = client
    for (let i = 0; i < count; i++) {
      const key = args.latin1(found.index(i))
      const ids = this.#keys.get(key)
      if (ids === undefined) this.#keys.set(key, id)
      else if (typeof ids !== 'number') {
        if (ids.has(id)) continue
        ids.add(id)
      } else {
        if (ids === id) continue
        this.#keys.set(key, new Set([ids, id]))
      }
      this.items++
    }
  }

  // ---- what changes ------------------------------------------------------------------------------------------------

  /** A key was changed by a client, or removed by nobody (null). redis 7.0.15 tracking.c trackingInvalidateKey */
  invalidate(key: Uint8Array, by: Client | null): void {
    const name = Buffer.prototype.latin1Slice.call(key, 0, key.length)
    if (this.#prefixes.size > 0) this.#collect(name, by)
    this.#invalidate(name)
  }

  #invalidate(key: string): void {
    const ids = this.#keys.get(key)
    if (ids === undefined) return
    this.#keys.delete(key)
    if (typeof ids === 'number') {
      this.items--
      this.#tell(ids, key)
      return
    }
    this.items -= ids.size
    for (const id of ids) this.#tell(id, key)
  }

  #tell(id: number, key: string): void {
    const client = this.#setup.clients().byId(id)
    const state = client?.tracking
    // Keys that were remembered before the client went over to BCAST are none of its own any more.
    if (client === undefined || state === null || state === undefined || state.broadcast) return
    const running = this.#setup.running()
    if (state.noLoop && (client === running || client === this.preparing)) return
    if (client === running) this.#pending.push(key)
    else this.#send(client, state, oneKey(key))
  }

  /** Databases were emptied: all keys of everybody. redis 7.0.15 tracking.c trackingInvalidateKeysOnFlush */
  flushed(): void {
    if (this.clients > 0) {
      const running = this.#setup.running()
      for (const client of this.#setup.clients().all()) {
        if (client.tracking === null) continue
        if (client === running) this.#pending.push(null)
        else this.#send(client, client.tracking, nullOf(client))
      }
    }
    this.#keys.clear()
    this.#oldest = null
    this.items = 0
  }

  /** What the client's own command invalidated; after its reply. redis 7.0.15 trackingHandlePendingKeyInvalidations */
  sendPending(client: Client): void {
    const pending = this.#pending
    if (pending.length === 0) return
    this.#pending = []
    for (const key of pending) {
      const state = client.tracking
      if (state !== null) this.#send(client, state, key === null ? nullOf(client) : oneKey(key))
    }
  }

  // ---- BCAST -------------------------------------------------------------------------------------------------------

  #collect(key: string, by: Client | null): void {
    for (const [prefix, { keys }] of this.#prefixes) {
      if (!key.startsWith(prefix)) continue
      keys.set(key, by)
      if (this.#broadcasting) continue
      this.#broadcasting = true
      setImmediate(() => this.broadcast())
    }
  }

  /** At the end of a turn of the event loop. redis 7.0.15 tracking.c trackingBroadcastInvalidationMessages */
  broadcast(): void {
    this.#broadcasting = false
    for (const name of [...this.#prefixes.keys()].sort()) {
      const prefix = this.#prefixes.get(name)
      if (prefix === undefined || prefix.keys.size === 0) continue
      const { keys } = prefix
      prefix.keys = new Map()
      const names = [...keys.keys()].sort()
      const all = manyKeys(names)
      for (const client of prefix.clients) {
        const state = client.tracking!
        if (!state.noLoop) {
          this.#send(client, state, all)
          continue
        }
        const others = names.filter((key) => keys.get(key) !== client)
        if (others.length > 0) this.#send(client, state, manyKeys(others))
      }
    }
  }

  // ---- messages ----------------------------------------------------------------------------------------------------

  /** `keys` is an array of keys or a null, encoded. redis 7.0.15 tracking.c sendTrackingMessage */
  #send(client: Client, state: TrackingState, keys: Buffer): void {
    if (state.redirect === 0) {
      // RESP2 has no messages between replies.
      if (client.resp === 3) client.send(Buffer.concat([PUSH_HEADER, keys]))
      return
    }
    const target = this.#setup.clients().byId(state.redirect)
    if (target === undefined || target.closing) {
      state.broken = true
      if (client.resp === 3) client.send(redirectionBroken(state.redirect))
    } else if (target.resp === 3) {
      target.send(Buffer.concat([PUSH_HEADER, keys]))
    } else if (target.subscriptions > 0) {
      target.send(Buffer.concat([MESSAGE_HEADER, keys]))
    }
  }

  // ---- the size of the table ---------------------------------------------------------------------------------------

  /** Forgets keys above tracking-table-max-keys, oldest first, and says so. redis 7.0.15 tracking.c trackingLimitUsedSlots */
  limit(): void {
    const max = this.#setup.maxKeys()
    if (max === 0) return
    if (this.#keys.size <= max) {
      this.#rounds = 0
      return
    }
    this.#oldestUsed = true
    for (let effort = EFFORT * (this.#rounds + 1); effort > 0; effort--) {
      this.#oldest ??= this.#keys.keys()
      const next = this.#oldest.next()
      if (next.done === true) this.#oldest = null
      else this.#invalidate(next.value)
      if (this.#keys.size > max) continue
      this.#rounds = 0
      return
    }
    this.#rounds++
  }

  /** Called hz times a second. */
  cron(): void {
    // An iterator that rests holds on to each table that the map has grown out of.
    if (!this.#oldestUsed) this.#oldest = null
    this.#oldestUsed = false
    if (this.clients > 0) this.limit()
  }
}

function nullOf(client: Client): Buffer {
  return client.resp === 3 ? NULL_RESP3 : NULL_RESP2
}

function oneKey(key: string): Buffer {
  return Buffer.from(`*1\r\n$${key.length}\r\n${key}\r\n`, 'latin1')
}

function manyKeys(keys: readonly string[]): Buffer {
  let text = `*${keys.length}\r\n`
  for (const key of keys) text += `$${key.length}\r\n${key}\r\n`
  return Buffer.from(text, 'latin1')
}

function redirectionBroken(id: number): Buffer {
  return Buffer.from(`>2\r\n$21\r\ntracking-redir-broken\r\n:${id}\r\n`, 'latin1')
}
