/**
 * The stream of one shard, applied to the merged copy. The streams of shards arrive in no order towards each other, so
 * what one of them says counts only for keys whose holder that shard is (ownership.ts):
 *
 * - All keys are its own: applied.
 * - RESTORE-ASKING (MIGRATE brings a key), or a write to a key of a slot that is not its own (ASKING: the key was nowhere
 *   before): the key arrives here. Whatever the former holder did to it before is in that one's stream up to where it is
 *   now, so this stream stops until that much is applied (a fence: INFO replication asked after the arrival was read).
 *   Then the arrival is applied, replacing what is there, and the key is this shard's.
 * - A removal of its own keys may be the end of a MIGRATE, after the keys have arrived at their new place, and then they
 *   are not to be missing here in between. So it waits until what the others had at that time has been read, and if that
 *   holds the arrival of one of its keys, until the arrival is applied: the removal is old then. The arrival does not wait
 *   for this stream meanwhile: all that was done here before it is applied when the removal's turn has come.
 * - Anything else of a key that another shard holds is old: dropped. Of a command with several keys the shard's own are
 *   left in (DEL, UNLINK, MSET), and others are dropped whole: their keys lie in one slot, and the former owner changes
 *   several of them only while it has them all.
 *
 * While no slot is known to be under way, one question counts for all that was read by then, not more often than QUESTION_MS
 * says; removals of keys that are not there, or past their time, cost none, and a silent node is not waited for.
 *
 * A fence that is not answered in time is passed: then a command with several keys of a slot under way may be computed from
 * values that are too new, or a key be missing until it arrives, which a wait for ever would not make better.
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
import type { Kept } from '../../replication/filtered/kept.ts'
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import { Request } from '../../resp/request.ts'
import type { Fence, Until, Wait } from './fences.ts'
import { removeHeld } from './merge.ts'
import type { Shard } from './shard.ts'

const FENCE_LIMIT_MS = 3000
const UNSETTLED_MS = 5000
/** A node that says nothing for so long does not hold back the removals of others. */
const SILENCE_MS = 200
/** So often is each of the others asked, for each of them: a node gets as many questions in a cluster of any size. */
const QUESTION_MS = 0.25
const RESTORE = Buffer.from('RESTORE-ASKING\r\n$', 'latin1')
const CR = 13

/** Adds the keys that MIGRATE brings in these requests. */
export function addArrivals(requests: Buffer, keys: Set<string>): void {
  for (let at = requests.indexOf(RESTORE); at >= 0; at = requests.indexOf(RESTORE, at)) {
    at += RESTORE.length
    const line = requests.indexOf(CR, at)
    const start = line + 2
    const end = start + Number(requests.latin1Slice(at, Math.max(at, line)))
    if (line >= 0 && end <= requests.length) keys.add(requests.latin1Slice(start, end))
  }
}

export class ShardStream {
  readonly #shard: Shard
  readonly #found = new FoundKeys()
  /** Bytes read so far, and those of requests that are done with. */
  #readBytes = 0
  #doneBytes = 0
  /** Where the request that is looked at ends. */
  #end = 0
  /** What another shard had done up to a moment when so many bytes were read here is applied, or at least read. */
  readonly #passed = { applied: new Map<Shard, number>(), received: new Map<Shard, number>() }
  /** When the others were asked before a removal while no key was known to be under way, performance.now(). */
  #askedAt = 0
  /** So far removals have been let through. */
  #settled = 0
  /** A request waits, and all behind it. */
  #isWaiting = false
  #fence: Fence | null = null
  /** Of the wait under way; what an earlier one brings late is nothing to this. */
  #waitId = 0
  /** Those that the fence need not be passed by any more. */
  readonly #waived = new Set<Shard>()
  /** Keys that the removal which waits would take away before they arrive, and who brings them. */
  readonly #expected = new Map<string, Shard>()
  /** Keys that arrive in what waits, as of so many bytes read and done with. */
  #arrivals: { readonly keys: Set<string>; readonly read: number; readonly done: number } | null = null

  constructor(shard: Shard) {
    this.#shard = shard
  }

  /** The link begins anew. */
  reset(): void {
    this.#endWait()
    this.#readBytes = 0
    this.#doneBytes = 0
    this.#settled = 0
    this.#passed.applied.clear()
    this.#passed.received.clear()
    this.#arrivals = null
  }

  /** More was read. */
  received(chunk: Buffer): void {
    this.#readBytes += chunk.length
  }

  run(client: Client, request: Request, reply: ReplyWriter): number {
    if (this.#isWaiting) return POSTPONED
    if (!this.#shard.mayWrite) {
      const id = this.#begin()
      this.#shard.whenWritable(() => this.#goOn(id))
      return POSTPONED
    }
    this.#end = this.#doneBytes + request.rawEnd - request.rawStart
    this.#shard.kept?.reached(this.#doneBytes)
    const outcome = this.#run(client, request, reply)
    if (outcome !== POSTPONED) this.#doneBytes = this.#end
    return outcome
  }

  #run(client: Client, request: Request, reply: ReplyWriter): number {
    const { engine, kept } = this.#shard
    const { table } = engine
    const command = table.lookup(request.buf, request.start(0), request.end(0))
    if (command === undefined || !command.takes(request.argc)) return this.#apply(client, request, reply)
    const count = command.subcommands === undefined ? findKeys(command, request, this.#found) : 0
    if (count > 0) return this.#withKeys(client, command, request, reply)
    switch (command.name) {
      case 'flushall':
      case 'flushdb':
        // What is known already is of a later moment.
        if (kept?.missing.isAsking === true) return POSTPONED
        kept?.arrival.hidden?.everything()
        removeHeld(this.#shard, client)
        return DONE
      case 'function':
        return this.#shard.cluster.isFirst(this.#shard) ? this.#apply(client, request, reply) : DONE
      default:
        return this.#apply(client, request, reply)
    }
  }

  #apply(client: Client, request: Request, reply: ReplyWriter): number {
    const { engine, kept } = this.#shard
    if (kept === null) return engine.executor.process(client, request, reply)
    return kept.arrival.run(client, request, reply)
  }

  #withKeys(client: Client, command: Command, request: Request, reply: ReplyWriter): number {
    const shard = this.#shard
    const { ownership } = shard.cluster
    const found = this.#found
    if (shard.kept !== null) {
      const outcome = this.#hidden(shard.kept, client, request, reply)
      if (outcome !== SHOWN) return outcome
    }
    const first = request.view(found.index(0))
    const slot = keySlot(first, 0, first.length)
    const arrives = command.name === 'restore-asking'
    let own = 0
    for (let i = 0; i < found.count; i++) if (ownership.holder(slot, request.view(found.index(i))) === shard) own++
    if (isRemoval(command)) return own === 0 ? DONE : this.#remove(client, request, reply, slot, own)
    if (own === found.count && !arrives) return this.#apply(client, request, reply)
    if (arrives || this.#isImporting(slot, request)) return this.#arrive(client, request, reply, slot, arrives)
    return own > 0 && command.name === 'mset' ? this.#ownPart(client, request, reply, slot, 2) : DONE
  }

  /** What of this request concerns the part that is kept: SHOWN if it is to be looked at like any. */
  #hidden(kept: Kept, client: Client, request: Request, reply: ReplyWriter): number {
    const { missing, part } = kept
    const found = this.#found
    let shown = 0
    for (let i = 0; i < found.count; i++) {
      const at = found.index(i)
      if (!part.showsKey(0, request.buf, request.start(at), request.end(at))) continue
      shown++
      // Before anything is noted of its holder.
      if (missing.size > 0 && missing.stateOf(0, request.view(at)) === 'asked') return POSTPONED
    }
    return shown > 0 ? SHOWN : kept.arrival.run(client, request, reply)
  }

  /** The slot is another's, and none of the keys that are there has come to a third. */
  #isImporting(slot: number, request: Request): boolean {
    const { cluster, engine } = this.#shard
    const owner = cluster.ownership.owner(slot)
    if (owner === this.#shard) return false
    for (let i = 0; i < this.#found.count; i++) {
      const key = request.view(this.#found.index(i))
      const holder = cluster.ownership.holder(slot, key)
      if (holder === owner || holder === this.#shard) continue
      if (engine.store.databases[0]!.findKey(key) !== 0) return false
    }
    return true
  }

  // ---- waiting -----------------------------------------------------------------------------------------------------

  get #others(): Shard[] {
    return this.#shard.cluster.shards.filter((one) => one !== this.#shard)
  }

  /** A wait of the request that is looked at; ends with #goOn of what it returns. */
  #begin(): number {
    this.#isWaiting = true
    return ++this.#waitId
  }

  #endWait(): void {
    this.#waitId++
    this.#isWaiting = false
    if (this.#fence !== null) this.#shard.cluster.fences.cancel(this.#fence)
    this.#fence = null
    this.#expected.clear()
    this.#waived.clear()
  }

  readonly #goOn = (id: number): void => {
    if (id !== this.#waitId) return
    this.#endWait()
    this.#shard.resume()
  }

  /** True if the streams of these shards have to be waited for: then the request is postponed. */
  #mustWait(shards: readonly Shard[], until: Until, silenceMs = 0): boolean {
    const passed = this.#passed[until]
    const behind = shards.filter((one) => (passed.get(one) ?? 0) < this.#end)
    const { fences } = this.#shard.cluster
    const probes = fences.ask(behind)
    if (probes.size === 0) return false
    const readBytes = this.#readBytes
    const asked = [...probes.keys()]
    this.#waitAt({ left: probes, until, silenceMs }, () => {
      // What was waived counts for this arrival, not for all that was read.
      for (const one of asked) if (!this.#waived.has(one)) passed.set(one, readBytes)
    })
    return true
  }

  #waitAt(wait: Pick<Wait, 'left' | 'until' | 'silenceMs'>, passed: () => void): void {
    const id = this.#begin()
    this.#fence = this.#shard.cluster.fences.pass({
      ...wait,
      limitMs: FENCE_LIMIT_MS,
      passed: () => {
        if (id !== this.#waitId) return
        passed()
        this.#goOn(id)
      },
    })
  }

  // ---- arrivals ----------------------------------------------------------------------------------------------------

  #arrive(client: Client, request: Request, reply: ReplyWriter, slot: number, isRestore: boolean): number {
    const shard = this.#shard
    const { ownership } = shard.cluster
    ownership.unsettle(slot, shard.engine.now + UNSETTLED_MS)
    const holder = ownership.holder(slot, request.view(this.#found.index(0)))
    // Back at its owner: from wherever it was.
    const others = holder === shard || holder === null ? this.#others : [holder]
    const awaited = others.filter((one) => !one.stream.#isExpecting(shard))
    if (this.#mustWait(awaited, 'applied')) return POSTPONED
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
      for (const other of this.#others) {
        other.kept?.missing.forget(0, key)
        other.stream.#arrived(key, shard)
      }
    }
    if (isRestore && (replaces || keyspace.findKey(request.view(1)) !== 0)) {
      const args = request.toArguments().map((arg) => Buffer.from(arg))
      if (!args.slice(4).some((arg) => /^replace$/i.test(arg.toString('latin1')))) args.push(Buffer.from('REPLACE'))
      return this.#apply(client, Request.of(args), reply)
    }
    return this.#apply(client, request, reply)
  }

  /** Keys that MIGRATE has brought in what was read here and waits. */
  get #arriving(): ReadonlySet<string> {
    if (!this.#isWaiting) return NOTHING
    const now = { read: this.#readBytes, done: this.#doneBytes }
    if (this.#arrivals?.read !== now.read || this.#arrivals.done !== now.done) {
      this.#arrivals = { keys: new Set(), ...now }
      for (const requests of this.#shard.pending) addArrivals(requests, this.#arrivals.keys)
    }
    return this.#arrivals.keys
  }

  // ---- removals ----------------------------------------------------------------------------------------------------

  #remove(client: Client, request: Request, reply: ReplyWriter, slot: number, own: number): number {
    if (this.#settled < this.#end && this.#mayArrive(request, slot)) return POSTPONED
    const { cluster } = this.#shard
    if (own < this.#found.count) return this.#ownPart(client, request, reply, slot, 1)
    for (let i = 0; i < this.#found.count; i++) cluster.ownership.left(slot, request.view(this.#found.index(i)))
    return this.#apply(client, request, reply)
  }

  /** Whether the request has to wait, because a key that it removes may be on its way to another shard. */
  #mayArrive(request: Request, slot: number): boolean {
    const shard = this.#shard
    const others = this.#others
    if (others.length === 0) return false
    if (this.#expect(request, slot, others)) return true
    if (shard.cluster.ownership.isMoving(shard.engine.now)) return this.#mustWait(others, 'received')
    // UNLINK is no part of MIGRATE, and who reads a key past its time finds none already.
    if (request.is(0, 'UNLINK') || !this.#isAnyThere(request)) return false
    return this.#mayBeFirst(others)
  }

  #isAnyThere(request: Request): boolean {
    const { store, unixMs } = this.#shard.engine
    for (let i = 0; i < this.#found.count; i++) {
      const ref = store.databases[0]!.findKey(request.view(this.#found.index(i)))
      if (ref !== 0 && !store.isExpired(ref, unixMs)) return true
    }
    return false
  }

  /** No key is known to be on its way, but the first has to be somewhere: now and then the others are asked. */
  #mayBeFirst(others: readonly Shard[]): boolean {
    const awaited = others.filter((one) => !one.isSilent(SILENCE_MS))
    if (awaited.every((one) => (this.#passed.received.get(one) ?? 0) >= this.#end)) return false
    const now = performance.now()
    const pause = this.#askedAt + QUESTION_MS * others.length - now
    if (pause > 0) {
      setTimeout(this.#goOn, pause, this.#begin())
      return true
    }
    this.#askedAt = now
    return this.#mustWait(awaited, 'received', SILENCE_MS)
  }

  /** Whether keys of the request arrive in what others have read; then it waits until they are there. */
  #expect(request: Request, slot: number, others: readonly Shard[]): boolean {
    const shard = this.#shard
    const { ownership } = shard.cluster
    for (let i = 0; i < this.#found.count; i++) {
      const key = request.view(this.#found.index(i))
      if (ownership.holder(slot, key) !== shard) continue
      const name = key.latin1Slice()
      const bringer = others.find((one) => one.stream.#arriving.has(name))
      if (bringer !== undefined) this.#expected.set(name, bringer)
    }
    if (this.#expected.size === 0) return false
    const bringers = new Set(this.#expected.values())
    const end = this.#end
    const left = new Map([...bringers].map((one) => [one, one.received()]))
    this.#waitAt({ left, until: 'applied', silenceMs: 0 }, () => {
      // They were read, but do not come: it is not to be waited for again.
      this.#settled = end
    })
    for (const { stream } of bringers) stream.#waive(shard)
    return true
  }

  #isExpecting(shard: Shard): boolean {
    for (const bringer of this.#expected.values()) if (bringer === shard) return true
    return false
  }

  /** What that shard has done before the arrival that it waits for is applied. */
  #waive(shard: Shard): void {
    if (this.#expected.size > 0 || this.#fence?.until !== 'applied') return
    this.#waived.add(shard)
    this.#shard.cluster.fences.waive(this.#fence, shard)
  }

  /** The key has come to that shard. */
  #arrived(key: Buffer, shard: Shard): void {
    if (this.#expected.size === 0 || this.#expected.get(key.latin1Slice()) !== shard) return
    this.#expected.delete(key.latin1Slice())
    // Not inside the other stream.
    if (this.#expected.size === 0) setImmediate(this.#goOn, this.#waitId)
  }

  /** The shard's own keys of a command that treats each for itself; a key and `width` - 1 arguments behind it. */
  #ownPart(client: Client, request: Request, reply: ReplyWriter, slot: number, width: number): number {
    const shard = this.#shard
    const { ownership } = shard.cluster
    const args: Buffer[] = [request.copy(0)]
    for (let i = 0; i < this.#found.count; i++) {
      const at = this.#found.index(i)
      const key = request.view(at)
      if (ownership.holder(slot, key) !== shard) continue
      if (width === 1) ownership.left(slot, key)
      for (let j = 0; j < width; j++) args.push(request.copy(at + j))
    }
    return this.#apply(client, Request.of(args), reply)
  }
}

/** No outcome. */
const SHOWN = -1
const NOTHING: ReadonlySet<string> = new Set()

function isRemoval(command: Command): boolean {
  return command.name === 'del' || command.name === 'unlink'
}
