/**
 * One replica as its primary knows it: what it said in REPLCONF, how far it has been sent the stream, how far it has
 * acknowledged it.
 */
import { hostPort } from '../../bytes/host-port.ts'
import type { Client } from '../../commands/client.ts'
import type { Filter } from '../filtered/filter.ts'

export type ReplicaState = 'wait_bgsave' | 'send_bulk' | 'online'

/** What a connection has announced before PSYNC. */
export interface Announced {
  listeningPort: number
  ip: string
  capaEof: boolean
  capaPsync2: boolean
  /** It acknowledges what it applied within its repl-ack-period: Tandem. */
  capaAck: boolean
  rdbOnly: boolean
  /** REPLCONF rdb-filter-only: data and functions left out of the snapshot. */
  excludeData: boolean
  excludeFunctions: boolean
  version: string
  /** REPLCONF tandem-filter-keys: it keeps these keys only; null without. */
  filter: Filter | null
}

export function nothingAnnounced(): Announced {
  return {
    listeningPort: 0,
    ip: '',
    capaEof: false,
    capaPsync2: false,
    capaAck: false,
    rdbOnly: false,
    excludeData: false,
    excludeFunctions: false,
    version: '',
    filter: null,
  }
}

export class Replica {
  readonly client: Client
  readonly announced: Announced
  state: ReplicaState
  /** Offset up to which the stream has been handed to the socket. */
  sent = 0
  /** Its payload comes from a file, which is being sent. */
  isSentFile = false
  /** More of the stream follows when its socket has taken what it was given. */
  isFull = false
  /** What comes next is being read from the spill file. */
  isReading = false
  /** Offset that it has acknowledged, and when (Unix ms). */
  acknowledged = 0
  acknowledgedAtMs: number
  /** Offset that its append-only file has on disk (FACK of Redis 7.2); -1 if it does not say. */
  synced = -1
  /** After a diskless payload the stream waits for the first ACK, which says that the payload's end was recognised. */
  streamWaitsForAck = false
  /** SYNC without PSYNC: never acknowledges. */
  isLegacy = false
  /** When its socket last took bytes of a payload. */
  progressAtMs: number

  constructor(client: Client, announced: Announced, state: ReplicaState, nowMs: number) {
    this.client = client
    this.announced = announced
    this.state = state
    this.acknowledgedAtMs = nowMs
    this.progressAtMs = nowMs
  }

  get ip(): string {
    if (this.announced.ip !== '') return this.announced.ip
    const address = this.client.transport.remoteAddress
    return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  }

  /** 'ip:port', as log lines and metrics call it. redis 7.0.15 replication.c replicationGetSlaveName */
  get name(): string {
    const { listeningPort } = this.announced
    if (listeningPort > 0) return hostPort(this.ip, listeningPort)
    return `client id #${this.client.id}`
  }

  /** As INFO tells it: Redis says wait_bgsave also while a snapshot goes straight to the socket. */
  get shownState(): ReplicaState {
    return this.state === 'send_bulk' && !this.isSentFile ? 'wait_bgsave' : this.state
  }

  /** Receives the stream (not only a snapshot). */
  get wantsStream(): boolean {
    return !this.announced.rdbOnly
  }

  sameNeeds(other: Replica): boolean {
    const a = this.announced
    const b = other.announced
    return a.excludeData === b.excludeData && a.excludeFunctions === b.excludeFunctions
  }
}
