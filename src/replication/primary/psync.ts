/**
 * What a replica asks of its primary: REPLCONF says who it is, PSYNC (or SYNC) attaches it, with what is missing of the
 * stream or with a full synchronisation. redis 7.0.15 replication.c syncCommand, masterTryPartialResynchronization,
 * replconfCommand.
 */

import type { Client } from '../../commands/client.ts'
import { errors } from '../../commands/errors.ts'
import type { CallLike } from '../../commands/host.ts'
import { splitLine } from '../../resp/inline.ts'
import { Filter } from '../filtered/filter.ts'
import type { History } from '../history.ts'
import type { Replication } from '../replication.ts'
import type { ReplicationStream } from '../stream.ts'
import type { FullSync } from './full-sync.ts'
import { type Announced, nothingAnnounced, Replica } from './replica.ts'
import type { Replicas } from './replicas.ts'

const HOST_MAX_BYTES = 256

/** A history that replicas can follow: the whole one, or a filtered one. */
export interface Feed {
  readonly history: History
  readonly stream: ReplicationStream
  readonly replicaSet: Replicas
  readonly fullSync: FullSync
}

export class Psync {
  #replication: Replication
  #announced = new WeakMap<Client, Announced>()

  constructor(replication: Replication) {
    this.#replication = replication
  }

  #of(client: Client): Announced {
    let announced = this.#announced.get(client)
    if (announced === undefined) {
      announced = nothingAnnounced()
      this.#announced.set(client, announced)
    }
    return announced
  }

  sync(call: CallLike): void {
    const { args, reply, client } = call
    const replication = this.#replication
    const { engine } = replication
    if (client.replica !== null) return
    const isPsync = args.is(0, 'PSYNC')
    if (isPsync && args.argc > 3 && args.is(3, 'FAILOVER')) {
      const refused = replication.handover.takeOver(args.latin1(1), client)
      if (refused !== null) return reply.error(refused)
    }
    if (replication.handover.isActive) {
      return reply.error("NOMASTERLINK Can't SYNC while failing over")
    }
    if (engine.isReplica && !replication.linkUp) {
      return reply.error("NOMASTERLINK Can't SYNC while not connected with my master")
    }
    const announced = this.#of(client)
    const feed = replication.feedFor(client, announced.filter)
    if (feed === undefined) return reply.error('ERR Too many different filters of replicas')
    if (feed !== replication && !announced.capaEof) {
      return reply.error('ERR Filtered replica requires EOF capability')
    }
    if ((announced.excludeData || announced.excludeFunctions) && !announced.capaEof) {
      return reply.error('ERR Filtered replica requires EOF capability')
    }
    const replica = new Replica(client, announced, 'wait_bgsave', engine.now)
    engine.log('notice', `Replica ${replica.name} asks for synchronization`)
    let why = 'SYNC asks for a snapshot'
    if (isPsync) {
      const wanted = args.integer(2)
      if (Number.isNaN(wanted)) {
        engine.log('warning', `Replica ${replica.name} asks for synchronization but with a wrong offset`)
        return reply.error(errors.notInteger)
      }
      const refused = this.#continues(feed, replica, args.latin1(1), wanted)
      if (refused === null) return this.#continue(feed, call, replica, wanted)
      why = refused
      if (!args.latin1(1).startsWith('?')) {
        engine.stats.syncPartialErr++
        replication.counters.partialRefused('to-replica')
      }
    } else {
      replica.isLegacy = true
    }
    engine.stats.syncFull++
    if (feed === replication) replication.ensureBacklog()
    feed.replicaSet.add(replica)
    feed.fullSync.request(replica, why)
  }

  /** Null if the replica can continue at the 1-based offset it wants; otherwise why not. */
  #continues({ history, stream }: Feed, replica: Replica, replid: string, wanted: number): string | null {
    const { log } = this.#replication.engine
    stream.flush()
    if (replid.startsWith('?')) {
      log('notice', `Full resync requested by replica ${replica.name}`)
      return 'the replica has no history'
    }
    if (!history.shares(replid, wanted)) {
      const id = replid.toLowerCase()
      if (id !== history.replid && id !== history.replid2) {
        log(
          'notice',
          `Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '${replid}', my replication IDs are '${history.replid}' and '${history.replid2}')`,
        )
        return 'the replica has another history'
      }
      log(
        'notice',
        `Partial resynchronization not accepted: Requested offset for second ID was ${wanted}, but I can reply up to ${history.secondOffset}`,
      )
      return 'the histories parted before the offset of the replica'
    }
    const { backlog } = stream
    if (backlog !== null && wanted - 1 >= backlog.oldest && wanted - 1 <= backlog.end) return null
    log(
      'notice',
      `Unable to partial resync with replica ${replica.name} for lack of backlog (Replica request was: ${wanted}).`,
    )
    if (wanted > history.offset) {
      log(
        'warning',
        `Warning: replica ${replica.name} tried to PSYNC with an offset that is greater than the master replication offset.`,
      )
    }
    return 'the backlog does not reach back to the offset of the replica'
  }

  #continue({ history, replicaSet: replicas }: Feed, call: CallLike, replica: Replica, wanted: number): void {
    const { engine } = this.#replication
    engine.stats.syncPartialOk++
    replica.state = 'online'
    replica.sent = wanted - 1
    replica.acknowledged = wanted - 1
    call.reply.simple(replica.announced.capaPsync2 ? `CONTINUE ${history.replid}` : 'CONTINUE')
    replicas.add(replica)
    const missing = history.offset - replica.sent
    engine.log(
      'notice',
      `Partial resynchronization request from ${replica.name} accepted. Sending ${missing} bytes of backlog starting from offset ${wanted}.`,
    )
    this.#replication.recordResync(replica.name, 'to-replica', 'partial', `continues at ${wanted}`, missing, 0)
    // Behind the reply, which leaves at the end of this batch.
    setImmediate(() => replicas.feed(replica))
  }

  replconf(call: CallLike): void {
    const { args, reply, client } = call
    if (args.argc % 2 === 0) return reply.error(errors.syntax)
    for (let i = 1; i < args.argc; i += 2) {
      if (args.is(i, 'ACK')) {
        const synced = args.argc > i + 3 && args.is(i + 2, 'FACK') ? args.integer(i + 3) : -1
        return this.#acknowledge(client, args.integer(i + 1), synced)
      }
      if (args.is(i, 'GETACK')) {
        if (client.isMaster) this.#replication.sendAck()
        return
      }
      const refused = this.#option(this.#of(client), args.lower(i), args.latin1(i), args.latin1(i + 1))
      if (refused !== null) return reply.error(refused)
    }
    reply.ok()
  }

  #acknowledge(client: Client, offset: number, synced: number): void {
    if (Number.isNaN(offset)) return
    const { replicaSet, filtered } = this.#replication
    const replica = replicaSet.of(client)
    if (replica !== undefined) return replicaSet.acknowledge(replica, offset, synced)
    const found = filtered.find(client)
    found?.feed.replicaSet.acknowledge(found.replica, offset, synced)
  }

  #option(announced: Announced, option: string, text: string, value: string): string | null {
    switch (option) {
      case 'listening-port':
        if (!/^(0|[1-9]\d{0,9})$/.test(value)) return errors.notInteger
        announced.listeningPort = Number(value)
        return null
      case 'ip-address':
        if (value.length >= HOST_MAX_BYTES) {
          return `ERR REPLCONF ip-address provided by replica instance is too long: ${value.length} bytes`
        }
        announced.ip = value
        return null
      case 'capa':
        if (value.toLowerCase() === 'eof') announced.capaEof = true
        if (value.toLowerCase() === 'psync2') announced.capaPsync2 = true
        if (value.toLowerCase() === 'ack') announced.capaAck = true
        return null
      case 'rdb-only':
        if (value !== '0' && value !== '1') return 'ERR value is out of range, value must between 0 and 1'
        announced.rdbOnly = value === '1'
        return null
      case 'rdb-filter-only':
        return filterOnly(announced, value)
      case 'tandem-filter-keys':
        // A Tandem that keeps a part: it need not be sent the rest.
        announced.filter = new Filter(value.split(' '), null)
        return null
      case 'version':
        // Valkey 8 says its version and expects OK.
        announced.version = value
        return null
      default:
        return `ERR Unrecognized REPLCONF option: ${text}`
    }
  }
}

function filterOnly(announced: Announced, value: string): string | null {
  const filters = splitLine(Buffer.from(value, 'latin1'))
  if (filters === undefined) return 'ERR Missing rdb-filter-only values'
  announced.excludeData = true
  announced.excludeFunctions = true
  for (const filter of filters) {
    const name = filter.toString('latin1')
    if (name.toLowerCase() !== 'functions') return `ERR Unsupported rdb-filter-only option: ${name}`
    announced.excludeFunctions = false
  }
  return null
}
