/**
 * WAIT and WAITAOF: clients that wait until replicas, or disks, have what they wrote. redis 7.0.15 replication.c waitCommand,
 * processClientsWaitingReplicas; WAITAOF is that of 7.2. Without a backlog writes have no offsets: what is on this server's
 * disk is then told by how much was fed to the append-only file.
 */
import type { Client } from '../commands/client.ts'
import { errors } from '../commands/errors.ts'
import type { CallLike } from '../commands/host.ts'
import type { Engine } from '../engine/engine.ts'
import type { ReplyWriter } from '../resp/reply-writer.ts'
import type { Replicas } from './primary/replicas.ts'
import type { ReplicationStream } from './stream.ts'

const NO_AOF = 'ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.'

interface Waiting {
  readonly client: Client
  readonly offset: number
  readonly replicas: number
  /** WAITAOF: copies on disks are counted. */
  readonly disk: boolean
  readonly local: number
  /** Bytes fed to the append-only file so far. */
  readonly fed: number
}

export class Waits {
  #engine: Engine
  #replicas: Replicas
  #stream: ReplicationStream
  #waiting: Waiting[] = []

  constructor(engine: Engine, replicas: Replicas, stream: ReplicationStream) {
    this.#engine = engine
    this.#replicas = replicas
    this.#stream = stream
  }

  wait({ args, reply, client }: CallLike): void {
    if (this.#engine.isReplica) {
      return reply.error(
        'ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.',
      )
    }
    const replicas = args.integer(1)
    if (Number.isNaN(replicas)) return reply.error(errors.notInteger)
    const timeout = timeoutOf(args.integer(2), reply)
    if (timeout < 0) return
    this.#begin({ client, offset: client.writeOffset, replicas, disk: false, local: 0, fed: 0 }, timeout, reply)
  }

  waitAof({ args, reply, client }: CallLike): void {
    const local = args.integer(1)
    if (Number.isNaN(local)) return reply.error(errors.notInteger)
    if (local < 0 || local > 1) return reply.error('ERR value is out of range, value must between 0 and 1')
    const replicas = args.integer(2)
    if (Number.isNaN(replicas)) return reply.error(errors.notInteger)
    if (replicas < 0) return reply.error('ERR value is out of range, must be positive')
    const timeout = timeoutOf(args.integer(3), reply)
    if (timeout < 0) return
    if (this.#engine.isReplica) {
      return reply.error(
        'ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.',
      )
    }
    const { aof } = this.#engine
    if (local > 0 && !aof.isOn) return reply.error(NO_AOF)
    const waiting = { client, offset: client.writeOffset, replicas, disk: true, local, fed: aof.file.fedBytes }
    this.#begin(waiting, timeout, reply)
  }

  #begin(waiting: Waiting, timeoutMs: number, reply: ReplyWriter): void {
    if (this.#isServed(waiting) || this.#engine.inExec) return this.#answer(waiting, reply)
    this.#waiting.push(waiting)
    this.#engine.blocked.onEvent(waiting.client, timeoutMs, (late) => {
      this.clientGone(waiting.client)
      this.#answer(waiting, late)
    })
    this.#replicas.requestAcks()
  }

  #isServed({ offset, replicas, disk, local, fed }: Waiting): boolean {
    if (!disk) return this.#replicas.acknowledgedCount(offset) >= replicas
    return this.#onDisk(offset, fed) >= local && this.#replicas.syncedCount(offset) >= replicas
  }

  /** 1 if this server's own disk has it. */
  #onDisk(offset: number, fed: number): number {
    const { aof } = this.#engine
    if (aof.syncedOffset < 0) return 0
    return (this.#stream.backlog === null ? aof.file.syncedBytes >= fed : aof.syncedOffset >= offset) ? 1 : 0
  }

  #answer({ offset, disk, fed }: Waiting, reply: ReplyWriter): void {
    if (!disk) return reply.integer(this.#replicas.acknowledgedCount(offset))
    reply.array(2)
    reply.integer(this.#onDisk(offset, fed))
    reply.integer(this.#replicas.syncedCount(offset))
  }

  /** A replica acknowledged something, a disk has something, or the append-only file was turned off. */
  serve(): void {
    if (this.#waiting.length === 0) return
    for (const waiting of [...this.#waiting]) {
      const isHopeless = waiting.local > 0 && !this.#engine.aof.isOn
      if (!isHopeless && !this.#isServed(waiting)) continue
      this.clientGone(waiting.client)
      this.#engine.blocked.unblock(waiting.client, (reply) => {
        if (isHopeless) reply.error(NO_AOF)
        else this.#answer(waiting, reply)
      })
    }
  }

  clientGone(client: Client): void {
    if (this.#waiting.length > 0) this.#waiting = this.#waiting.filter((waiting) => waiting.client !== client)
  }
}

/** Milliseconds; negative when an error was replied. */
function timeoutOf(timeout: number, reply: ReplyWriter): number {
  if (Number.isNaN(timeout)) reply.error('ERR timeout is not an integer or out of range')
  else if (timeout < 0) reply.error(errors.timeoutNegative)
  return Number.isNaN(timeout) ? -1 : timeout
}
