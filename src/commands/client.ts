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
  /** Bytes of an unfinished request. */
  readonly queryBytes: number
  /** The client is no longer blocked or paused: run what it has sent meanwhile. */
  resume(): void
  /** Closes after what is pending has been sent, or at once. */
  close(when: 'after-replies' | 'now'): void
}

/** One command in MULTI. */
export interface QueuedCommand {
  command: Command
  request: Request
}

export interface WatchedKey {
  keyspace: Keyspace
  key: string
  /** The key was past its time already when it was watched: its going does not count as a change. */
  expired: boolean
}

export type ClientKind = 'normal' | 'replica' | 'pubsub' | 'master'

export class Client {
  readonly id: number
  readonly transport: Transport
  readonly createdAtMs: number

  db = 0
  resp: 2 | 3 = 2
  name = ''
  user = 'default'
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

  isMaster = false
  /** Bookkeeping of the primary for a replica; its type belongs to replication/. */
  replica: object | null = null
  isMonitor = false
  isUnixSocket = false
  isBlocked = false
  noEvict = false
  readonly = false
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
