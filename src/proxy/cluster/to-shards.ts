/** Sends one request to several shards at once: what writes everywhere, and reads of all keys. */
import type { Command } from '../../commands/command.ts'
import type { Engine } from '../../engine/engine.ts'
import { DONE, HELD } from '../../engine/execute.ts'
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import { EVENTUAL } from '../consistency.ts'
import type { Held } from '../held.ts'
import { notReadable } from '../refusals.ts'
import type { Session } from '../session.ts'
import type { Settings } from '../settings.ts'
import type { ProxyStats } from '../stats.ts'
import { NOT_SENT, type UpstreamConnection } from '../upstream-connection.ts'
import { Everywhere, type Merge } from './redirected.ts'
import type { Shard } from './shard.ts'

export interface ToShardsSetup {
  readonly engine: Engine
  readonly held: Held
  readonly settings: Settings
  readonly stats: ProxyStats
}

export interface Errand {
  readonly shards: readonly Shard[]
  readonly request: Buffer
  readonly isWrite: boolean
  readonly merge: Merge
}

export class ToShards {
  readonly #setup: ToShardsSetup

  constructor(setup: ToShardsSetup) {
    this.#setup = setup
  }

  /** HELD while it may have to wait for a shard; else DONE: it is on its way, or refused. */
  send(session: Session, command: Command, errand: Errand, reply: ReplyWriter): number {
    const { engine, stats } = this.#setup
    const { shards, request, isWrite, merge } = errand
    if (session.outstanding > 0) return HELD
    const connections: UpstreamConnection[] = []
    for (const shard of shards) {
      const { connection, isDown } = shard.pool.sharedBy(session.client)
      if (connection === null || isDown) return this.#refuse(session, shard, isWrite, reply)
      connections.push(connection)
    }
    const all = new Everywhere(session, connections.length, reply.muted, merge)
    session.outstanding++
    session.connection = null
    for (const [i, connection] of connections.entries()) {
      connection.sendSpecial(all.receiver(i), request, { isWrite, muted: false, skip: 0, take: null })
      if (session.consistency.level !== EVENTUAL) session.note(connection.copy, connection.probe())
    }
    if (isWrite) stats.upstreamWrites++
    else stats.upstreamReads++
    command.calls++
    engine.stats.commandsProcessed++
    session.client.commands++
    return DONE
  }

  #refuse(session: Session, shard: Shard, isWrite: boolean, reply: ReplyWriter): number {
    const { engine, held, settings, stats } = this.#setup
    const { copy, name, pool } = shard
    if (isWrite) {
      if (held.mayWait(session, settings.writeTimeoutMs)) return HELD
      stats.refusedWrites++
      reply.error(`${NOT_SENT} (${name}: ${pool.lastError})`)
    } else {
      stats.refusedReads++
      reply.error(notReadable(copy, session, settings, engine, pool.lastError))
    }
    return DONE
  }
}
