/**
 * The stream of one shard, applied to the merged copy. The streams of shards arrive in no order towards each other, so
 * what one of them says counts only for keys whose holder that shard is (ownership.ts):
 *
 * - All keys are its own: applied.
 * - RESTORE-ASKING (MIGRATE brings a key), or a write to a key of a slot that is not its own (ASKING: the key was nowhere
 *   before): the key arrives here. Whatever the former holder did to it before is in that one's stream up to where it is
 *   now, so this stream stops until that much is applied (a fence: INFO replication asked after the arrival was read).
 *   Then the arrival is applied, replacing what is there, and the key is this shard's. MIGRATE deletes the key at its old
 *   place after it has arrived: that deletion proves the same, and lets the waiting stream go on at once.
 * - Anything else of a key that another shard holds is old, or that deletion: dropped. Of a command with several keys the
 *   shard's own are left in (DEL, UNLINK, MSET), and others are dropped whole: their keys lie in one slot, and the former
 *   owner changes several of them only while it has them all.
 *
 * A fence that is not answered in time is passed: then a command with several keys of a slot under way may be computed
 * from values that are too new, which a wait for ever would not make better. A deletion waits for a turn of the event
 * loop, and while slots are under way until what the others had at that time has been read: the arrival at the new place
 * came first, and the key is not to be missing in between. A stream that waits and has read of the key goes on before it.
 *
 * Not covered: a slot that goes away and comes back faster than the streams are apart.
 *
 * FLUSHALL empties what this shard holds. Functions are the same everywhere or nowhere: those of one shard count.
 */
import { keySlot } from '../../bytes/key-slot.ts'
import type { Client } from '../../commands/client.ts'
import type { Command } from '../../commands/command.ts'
import { FoundKeys, findKeys } from '../../commands/keys.ts'
import { DONE, POSTPONED } from '../../engine/execute.ts'
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import { Request } from '../../resp/request.ts'
import { removeHeld } from './merge.ts'
import type { Shard } from './shard.ts'

const FENCE_LIMIT_MS = 500
const UNSETTLED_MS = 5000

export class ShardStream {
  readonly #shard: Shard
  readonly #found = new FoundKeys()
  /** The first key that arrives in the request that waits. */
  #awaited: string | null = null
  /** What is waited for is over. */
  #mayPass = false
  /** All that was read when the fence was asked for has passed it. */
  #fencedBytes = -1
  /** Bytes read so far; the request that is looked at is among them. */
  #readBytes = 0
  #turnBytes = -1
  /** A request waits, and all behind it. */
  #isWaiting = false
  /** The chunk that is gone through; while a request waits, also what came behind it. */
  #recent: Buffer[] = []
  /** Of the wait under way; what an earlier one brings late is nothing to this. */
  #waitId = 0

  constructor(shard: Shard) {
    this.#shard = shard
  }

  /** The link begins anew. */
  reset(): void {
    this.#waitId++
    this.#isWaiting = false
    this.#awaited = null
    this.#mayPass = false
    this.#readBytes = 0
    this.#fencedBytes = -1
    this.#turnBytes = -1
  }

  /** More was read. */
  received(chunk: Buffer): void {
    this.#readBytes += chunk.length
    if (!this.#isWaiting) this.#recent = []
    this.#recent.push(chunk)
  }

  run(client: Client, request: Request, reply: ReplyWriter): number {
    const { engine } = this.#shard
    const { table, executor } = engine
    const command = table.lookup(request.buf, request.start(0), request.end(0))
    if (command === undefined || !command.takes(request.argc)) return executor.process(client, request, reply)
    const count = command.subcommands === undefined ? findKeys(command, request, this.#found) : 0
    if (count > 0) return this.#withKeys(client, command, request, reply)
    switch (command.name) {
      case 'flushall':
      case 'flushdb':
        removeHeld(this.#shard, client)
        return DONE
      case 'function':
        return this.#shard.cluster.isFirst(this.#shard) ? executor.process(client, request, reply) : DONE
      default:
        return executor.process(client, request, reply)
    }
  }

  #withKeys(client: Client, command: Command, request: Request, reply: ReplyWriter): number {
    const shard = this.#shard
    const { ownership } = shard.cluster
    const found = this.#found
    const first = request.view(found.index(0))
    const slot = keySlot(first, 0, first.length)
    const arrives = command.name === 'restore-asking'
    let own = 0
    for (let i = 0; i < found.count; i++) if (ownership.holder(slot, request.view(found.index(i))) === shard) own++
    if (own === found.count && !arrives) {
      if (!isRemoval(command)) return shard.engine.executor.process(client, request, reply)
      return this.#remove(client, request, reply, slot)
    }
    if (arrives || (!isRemoval(command) && this.#isImporting(slot, request))) {
      return this.#arrive(client, request, reply, slot, arrives)
    }
    if (isRemoval(command)) this.#departed(request)
    if (own === 0) return DONE
    return this.#ownPart(client, command, request, reply, slot)
  }

  /** The slot is another's, and none of the keys has come to a third. */
  #isImporting(slot: number, request: Request): boolean {
    const { ownership } = this.#shard.cluster
    const owner = ownership.owner(slot)
    if (owner === this.#shard) return false
    for (let i = 0; i < this.#found.count; i++) {
      const holder = ownership.holder(slot, request.view(this.#found.index(i)))
      if (holder !== owner && holder !== this.#shard) return false
    }
    return true
  }

  // ---- arrivals ----------------------------------------------------------------------------------------------------

  #arrive(client: Client, request: Request, reply: ReplyWriter, slot: number, isRestore: boolean): number {
    const shard = this.#shard
    const { ownership } = shard.cluster
    if (!this.#mayPass && this.#fencedBytes < this.#readBytes) {
      const holder = ownership.holder(slot, request.view(this.#found.index(0)))
      // Back at its owner: from wherever it was.
      const others = holder === shard ? null : holder
      if (this.#wait(others, 'applied')) {
        this.#awaited = request.latin1(this.#found.index(0))
        return POSTPONED
      }
    }
    this.#mayPass = false
    this.#awaited = null
    ownership.unsettle(slot, shard.engine.now + UNSETTLED_MS)
    const keyspace = shard.engine.store.databases[0]!
    let replaces = false
    for (let i = 0; i < this.#found.count; i++) {
      const key = request.view(this.#found.index(i))
      if (ownership.holder(slot, key) !== shard && keyspace.findKey(key) !== 0) {
        // Created at its new place: it was gone from the old one.
        if (isRestore) replaces = true
        else shard.execute(client, ['UNLINK', Buffer.from(key)])
      }
      ownership.took(slot, key, shard)
    }
    if (isRestore && (replaces || keyspace.findKey(request.view(1)) !== 0)) {
      const args = request.toArguments().map((arg) => Buffer.from(arg))
      if (!args.slice(4).some((arg) => /^replace$/i.test(arg.toString('latin1')))) args.push(Buffer.from('REPLACE'))
      return shard.engine.executor.process(client, Request.of(args), reply)
    }
    return shard.engine.executor.process(client, request, reply)
  }

  /** Whether there is anybody whose stream has to be waited for; `from` null: all others. */
  #wait(from: Shard | null, until: 'applied' | 'received'): boolean {
    const shard = this.#shard
    const others = from === null ? shard.cluster.shards.filter((one) => one !== shard) : [from]
    const readBytes = this.#readBytes
    const id = ++this.#waitId
    this.#isWaiting = shard.cluster.fences.pass(others, until, FENCE_LIMIT_MS, () => {
      if (id !== this.#waitId) return
      this.#fencedBytes = readBytes
      this.#goOn()
    })
    return this.#isWaiting
  }

  #goOn(): void {
    this.#waitId++
    this.#isWaiting = false
    this.#mayPass = true
    this.#awaited = null
    this.#shard.resume()
  }

  /**
   * A key is about to go at another shard. If it is what this stream waits with, or if it may have arrived behind that, the
   * wait is over: the key is not to be missing, and what the other shard still says of what arrives here is dropped.
   */
  otherDeparted(key: Buffer): void {
    if (!this.#isWaiting) return
    if (this.#awaited !== key.latin1Slice() && !Buffer.concat(this.#recent).includes(key)) return
    this.#fencedBytes = this.#readBytes
    this.#goOn()
  }

  // ---- removals ----------------------------------------------------------------------------------------------------

  #departed(request: Request): void {
    for (let i = 0; i < this.#found.count; i++) {
      const key = request.view(this.#found.index(i))
      for (const other of this.#shard.cluster.shards) if (other !== this.#shard) other.stream.otherDeparted(key)
    }
  }

  #remove(client: Client, request: Request, reply: ReplyWriter, slot: number): number {
    const shard = this.#shard
    const { cluster } = shard
    const isMoving = cluster.ownership.isMoving(shard.engine.now)
    if (!this.#mayPass && isMoving && this.#fencedBytes < this.#readBytes) {
      if (this.#wait(null, 'received')) return POSTPONED
    } else if (!this.#mayPass && this.#turnBytes < this.#readBytes && cluster.shards.length > 1) {
      const readBytes = this.#readBytes
      const id = ++this.#waitId
      this.#isWaiting = true
      setImmediate(() => {
        if (id !== this.#waitId) return
        this.#turnBytes = readBytes
        this.#goOn()
      })
      return POSTPONED
    }
    this.#mayPass = false
    // Where it arrived, it may be waiting for this.
    this.#departed(request)
    findKeys(shard.engine.table.lookup(request.buf, request.start(0), request.end(0))!, request, this.#found)
    let own = 0
    for (let i = 0; i < this.#found.count; i++) {
      const key = request.view(this.#found.index(i))
      if (cluster.ownership.holder(slot, key) !== shard) continue
      own++
      cluster.ownership.left(slot, key)
    }
    if (own === this.#found.count) return shard.engine.executor.process(client, request, reply)
    return own === 0 ? DONE : this.#ownPart(client, shard.engine.table.original('unlink')!, request, reply, slot)
  }

  /** The shard's own keys of a command that treats each for itself. */
  #ownPart(client: Client, command: Command, request: Request, reply: ReplyWriter, slot: number): number {
    const shard = this.#shard
    const { ownership } = shard.cluster
    const isSet = command.name === 'mset'
    if (!isSet && !isRemoval(command)) return DONE
    const args: Buffer[] = [request.copy(0)]
    for (let i = 0; i < this.#found.count; i++) {
      const at = this.#found.index(i)
      if (ownership.holder(slot, request.view(at)) !== shard) continue
      args.push(request.copy(at))
      if (isSet) args.push(request.copy(at + 1))
    }
    return args.length === 1 ? DONE : shard.engine.executor.process(client, Request.of(args), reply)
  }
}

function isRemoval(command: Command): boolean {
  return command.name === 'del' || command.name === 'unlink'
}
