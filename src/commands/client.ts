/**
 * What commands know of a client: its protocol version, database, name, transaction, subscriptions. The socket is
 * behind `Transport`; links to a primary, replicas and the embedded interface are clients as well, with their own.
 */

import type { ReplySink } from '../resp/reply-writer.ts'
import type { Request } from '../resp/request.ts'
import type { Keyspace } from '../store/keyspace.ts'
import type { Command } from './command.ts'

export interface Transport extends ReplySink {
  /** 'ip:port' of either end, or the path of a unix socket with ':0'. */
  readonly remoteAddress: string
  readonly localAddress: string
  readonly fd: number
  /** Reply bytes that the kernel has not taken yet. */
  readonly pendingBytes: number
  /** Bytes of an unfinished request behind those of its arguments that are complete. */
  readonly queryBytes: number
  /** Bytes of the arguments that an unfinished request has so far. */
  readonly argumentBytes?: number
  /** The client is no longer blocked or paused: run what it has sent meanwhile. */
  resume(): void
  /** Calls back once, when the kernel has taken all that is pending; not when the connection closes. */
  onDrained?(callback: () => void): void
  /** Closes after what is pending has been sent, or at once. */
  close(when: 'after-replies' | 'now'): void
}

/** One command in MULTI. */
export interface QueuedCommand {
  command: Command
  request: Request
  /** The command's flags; those of EVAL depend on its script. */
  flagBits: number
}

export interface WatchedKey {
  keyspace: Keyspace
  key: string
  /** The key was past its time already when it was watched: its going does not count as a change. */
  expired: boolean
}

/** Who a client is logged in as; what it may do is acl/'s. */
export interface Account {
  readonly name: string
  /** There are commands, keys or channels that it may not use: each call is checked. */
  readonly isRestricted: boolean
}

/** May do everything and cannot be logged in as: the link to a primary, and clients that nobody gave an account. */
export const SUPERUSER: Account = { name: '(superuser)', isRestricted: false }

/** What CLIENT TRACKING ON said, and what became of it. */
export interface TrackingState {
  /** Id of the client that gets the messages; 0 for the client itself. */
  readonly redirect: number
  readonly broadcast: boolean
  readonly optIn: boolean
  readonly optOut: boolean
  readonly noLoop: boolean
  /** CLIENT CACHING was given for the next command. */
  caching: boolean
  /** The client that should get the messages was gone when there was one. */
  broken: boolean
  /** Latin-1; BCAST mode only. */
  readonly prefixes: Set<string>
}

export type ClientKind = 'normal' | 'replica' | 'pubsub' | 'master'

/** Id of the client that stands for the append-only file while that is loaded. */
export const AOF_CLIENT_ID = -1

export class Client {
  readonly id: number
  readonly transport: Transport
  readonly createdAtMs: number

  db = 0
  resp: 2 | 3 = 2
  name = ''
  account: Account = SUPERUSER
  authenticated = false
  lastInteractionMs: number
  lastCommand: Command | undefined
  commands = 0

  transaction: QueuedCommand[] | null = null
  transactionBytes = 0
  /** A queued command was refused: EXEC aborts. */
  transactionFailed = false
  watched: WatchedKey[] = []
  /** A watched key changed. */
  watchFailed = false

  channels = new Set<string>()
  patterns = new Set<string>()
  shardChannels = new Set<string>()

  /** Null while CLIENT TRACKING is off. */
  tracking: TrackingState | null = null

  isMaster = false
  /** Bookkeeping of the primary for a replica; its type belongs to replication/. */
  replica: object | null = null
  /** What the proxy knows of this connection; null unless it has to know something. The type belongs to proxy/. */
  session: object | null = null
  isMonitor = false
  isUnixSocket = false
  /** It stands for a running script. */
  isScript = false
  isBlocked = false
  noEvict = false
  readonly = false
  /** CLIENT SYNC-REPLICAS; -1 is what sync-replicas says. */
  syncReplicas = -1
  replyMode: 'on' | 'off' | 'skip' | 'skip-next' = 'on'
  closing = false
  /** CLIENT PAUSE holds this command back. */
  paused = false

  /** Replication offset after this client's last command, which WAIT waits for. */
  writeOffset = 0

  constructor(id: number, transport: Transport, nowMs: number) {
    this.id = id
    this.transport = transport
    this.createdAtMs = nowMs
    this.lastInteractionMs = nowMs
  }

  /** Latin-1 of the name's bytes. */
  get user(): string {
    return this.account.name
  }

  get kind(): ClientKind {
    if (this.isMaster) return 'master'
    if (this.replica !== null && !this.isMonitor) return 'replica'
    return this.subscriptions > 0 ? 'pubsub' : 'normal'
  }

  get subscriptions(): number {
    return this.channels.size + this.patterns.size + this.shardChannels.size
  }

  /** Sends a message that is no reply (publish, MONITOR, invalidation). */
  send(bytes: Buffer): void {
    if (!this.closing) this.transport.writeBuffers([bytes])
  }

  close(when: 'after-replies' | 'now' = 'now'): void {
    if (this.closing && when === 'after-replies') return
    this.closing = true
    this.transport.close(when)
  }
}
