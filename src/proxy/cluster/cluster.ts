/**
 * The cluster that the proxy follows: its shards, which slots belong to whom, and how that changes. The map is asked for
 * once a second, and at once when a node redirects a request or a link is lost. A primary that nobody knew is a new shard;
 * one that was the replica of a shard's former primary has taken that shard over. Then the former one is a primary without
 * slots for a moment, though its stream is that of the shard by now: to follow both would apply it twice. So one without
 * slots is a shard only when it stays one, or a request is sent on to it, and never if it has the history of another.
 * Requests go by the newest map; what the copy believes of a slot changes hands later, when both sides' streams are applied
 * up to then (ownership.ts).
 */
import { SLOTS } from '../../bytes/key-slot.ts'
import type { Engine } from '../../engine/engine.ts'
import type { Part } from '../../replication/filtered/part.ts'
import type { Merged, Replication } from '../../replication/replication.ts'
import type { Endpoint, UpstreamAddress } from '../address.ts'
import type { PartReads } from '../near/part-reads.ts'
import type { Pool } from '../pool.ts'
import type { Settings } from '../settings.ts'
import { Fences } from './fences.ts'
import { removeStrays } from './merge.ts'
import { Ownership } from './ownership.ts'
import { Shard } from './shard.ts'
import { type Node, view } from './topology.ts'

const REFRESH_MS = 1000
const REFRESH_SOON_MS = 30
const FENCE_LIMIT_MS = 3000
const UNSETTLED_MS = 5000
/** A primary without slots for so long is not one that is about to be a replica. */
const SETTLED_EMPTY_MS = 3000
const ASKED_MAX = 6

/** A slot that changes hands. */
export interface SlotChange {
  readonly from: Shard
  readonly to: Shard
}

export interface ClusterSetup {
  readonly engine: Engine
  readonly replication: Replication
  readonly settings: Settings
  readonly address: UpstreamAddress
  /** Connections to a shard. */
  pool(endpoint: Endpoint, shard: () => Shard): Pool
  /** Reads of what is not kept of it; null if everything is. */
  reads(shard: Shard): PartReads | null
  /** More of a shard's stream was applied. */
  onApplied(): void
  onLink(): void
  /** The map was read; `moved`: slots are elsewhere than before. */
  onMap(moved: boolean): void
}

type Counts = Omit<NonNullable<Merged['replicaFilter']>, 'text'>

const NO_COUNTS: Counts = { seenBytes: 0, droppedBytes: 0, fetched: 0, fetchedBytes: 0, pending: 0 }

function sumOf(all: readonly Counts[]): Counts {
  return all.reduce((sum, counts) => ({
    seenBytes: sum.seenBytes + counts.seenBytes,
    droppedBytes: sum.droppedBytes + counts.droppedBytes,
    fetched: sum.fetched + counts.fetched,
    fetchedBytes: sum.fetchedBytes + counts.fetchedBytes,
    pending: sum.pending + counts.pending,
  }))
}

export class Cluster implements Merged {
  readonly engine: Engine
  readonly replication: Replication
  /** What is kept of the data; null: everything. */
  readonly part: Part | null
  readonly ownership = new Ownership()
  readonly fences = new Fences()
  shards: Shard[] = []
  /** Why the map could not be had last; '' while it can. */
  lastError = ''
  counts = { refreshes: 0, handedOver: 0, strays: 0, takenOver: 0 }

  readonly #setup: ClusterSetup
  #nodes: Node[] = []
  /** Primaries without slots, and since when they are that, performance.now(). */
  readonly #emptySince = new Map<string, number>()
  /** `host:port` of nodes to which a slot is on its way, as a redirection said, and which are no shards yet. */
  readonly #named = new Set<string>()
  /** By the newest map. */
  #wanted: (Shard | null)[] = new Array(SLOTS).fill(null)
  /** What shards that are gone have counted. */
  #retiredCounts = NO_COUNTS
  #refreshing = false
  #again = false
  #handingOver = false
  #timer: NodeJS.Timeout | null = null
  #stopped = false

  constructor(setup: ClusterSetup) {
    this.#setup = setup
    this.engine = setup.engine
    this.replication = setup.replication
    this.part = setup.replication.part?.kept.part ?? null
  }

  /** Asks until the map is there for the first time. */
  start(): void {
    void this.#refresh()
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.fences.stop()
    for (const shard of this.shards) shard.stop()
  }

  /** Whose functions count. */
  isFirst(shard: Shard): boolean {
    return (this.ownership.owner(0) ?? this.shards[0]) === shard
  }

  /** Whether all slots are covered, and everything of them is in the copy. */
  get isComplete(): boolean {
    return this.shards.length > 0 && this.shards.every((shard) => shard.copy.isReady)
  }

  get replicaFilter(): Merged['replicaFilter'] {
    if (this.part === null) return null
    const counts = this.shards.map(({ kept }) => kept!.counts)
    return { text: this.part.text, ...sumOf([this.#retiredCounts, ...counts]) }
  }

  /** Where requests for this slot go. */
  routeOf(slot: number): Shard | null {
    return this.#wanted[slot] ?? this.ownership.owner(slot)
  }

  at(endpoint: Endpoint): Shard | undefined {
    return this.shards.find((shard) => shard.endpoint.port === endpoint.port && shard.endpoint.host === endpoint.host)
  }

  linkChanged(): void {
    this.fences.check()
    this.#setup.onLink()
    if (this.shards.some((shard) => !shard.linkUp && !shard.isGone)) this.refreshSoon()
  }

  applied(shard: Shard): void {
    shard.copy.settle()
    this.fences.check()
    this.#setup.onApplied()
  }

  /** Another shard has this history: whose stream it is, a replica of that shard. */
  hasHistory(except: Shard, replid: string): boolean {
    return this.shards.some(
      (shard) => shard !== except && (shard.history.replid === replid || shard.history.replid2 === replid),
    )
  }

  /** A node answered that this slot, or these keys of it, are there. */
  redirected(slot: number, isAsk: boolean, to: Endpoint): void {
    this.ownership.unsettle(slot, this.engine.unixMs + UNSETTLED_MS)
    if (isAsk && this.at(to) === undefined) this.#named.add(`${to.host}:${to.port}`)
    this.refreshSoon()
  }

  /** A node said that it is there for good; the map will say so too. */
  moved(slot: number, shard: Shard): void {
    this.#wanted[slot] = shard
  }

  // ---- the map -----------------------------------------------------------------------------------------------------

  refreshSoon(): void {
    if (this.#refreshing) {
      this.#again = true
      return
    }
    this.#schedule(REFRESH_SOON_MS)
  }

  #schedule(milliseconds: number): void {
    if (this.#stopped) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#refresh(), milliseconds)
  }

  async #refresh(): Promise<void> {
    if (this.#refreshing || this.#stopped) return
    this.#refreshing = true
    this.#timer = null
    this.#again = false
    let problem = ''
    const nodes = await view(this.#askable(), this.replication.tls(), this.#setup.address, (reason) => {
      problem = reason
    })
    this.#refreshing = false
    if (this.#stopped) return
    if (nodes === undefined) {
      if (problem !== this.lastError) this.engine.log('warning', `No node of the cluster tells its map: ${problem}`)
      this.lastError = problem === '' ? 'no node knows the slots' : problem
    } else {
      this.lastError = ''
      this.counts.refreshes++
      this.#take(nodes)
    }
    this.#schedule(this.#again ? REFRESH_SOON_MS : REFRESH_MS)
  }

  /** Primaries, then others, then those that the URL names. */
  #askable(): Endpoint[] {
    const alive = this.#nodes.filter((node) => !node.isFailed)
    const known = [...alive.filter((node) => node.isPrimary), ...alive.filter((node) => !node.isPrimary)]
    const chosen = known.slice(0, ASKED_MAX)
    if (chosen.length === 0 || this.lastError !== '') chosen.push(...(this.#setup.address.nodes as Node[]))
    return chosen
  }

  #take(nodes: Node[]): void {
    const before = new Map(this.#nodes.map((node) => [node.id, node]))
    this.#nodes = nodes
    this.#noteEmpty(nodes)
    for (const node of nodes) if (node.isPrimary && !node.isFailed) this.#shardOf(node, before)
    this.#named.clear()
    const wanted: (Shard | null)[] = new Array(SLOTS).fill(null)
    for (const node of nodes) {
      const shard = node.isPrimary ? this.shards.find((one) => one.nodeId === node.id) : undefined
      if (shard === undefined) continue
      for (const [first, last] of node.slots) wanted.fill(shard, first, last + 1)
    }
    const moved = wanted.some((shard, slot) => shard !== this.#wanted[slot])
    this.#wanted = wanted
    for (let slot = 0; slot < SLOTS; slot++) {
      if (wanted[slot] !== null && this.ownership.owner(slot) === null) this.ownership.setOwner(slot, wanted[slot]!)
    }
    void this.#handOver()
    this.#retire()
    this.#setup.onMap(moved)
  }

  #noteEmpty(nodes: readonly Node[]): void {
    const empty = nodes.filter((node) => node.isPrimary && node.slots.length === 0).map(({ id }) => id)
    for (const id of this.#emptySince.keys()) if (!empty.includes(id)) this.#emptySince.delete(id)
    for (const id of empty) if (!this.#emptySince.has(id)) this.#emptySince.set(id, performance.now())
  }

  /** It has slots, or keys may come to it. */
  #isShard({ id, host, port, slots }: Node): boolean {
    if (slots.length > 0 || this.#named.has(`${host}:${port}`)) return true
    return performance.now() - this.#emptySince.get(id)! >= SETTLED_EMPTY_MS
  }

  #shardOf(node: Node, before: ReadonlyMap<string, Node>): void {
    const { host, port } = node
    let shard = this.shards.find((one) => one.nodeId === node.id)
    if (shard === undefined && node.slots.length > 0) {
      shard = this.#takenOver(node, before)
      if (shard !== undefined) this.counts.takenOver++
    }
    if (shard !== undefined) return shard.moveTo(node.id, { host, port })
    if (!this.#isShard(node)) return
    this.engine.log('notice', `A shard of the cluster: ${host}:${port}`)
    const made: Shard = new Shard(
      this,
      node.id,
      this.#setup.pool({ host, port }, () => made),
      this.#setup.settings,
    )
    made.part = this.#setup.reads(made)
    this.shards.push(made)
    made.start()
  }

  /** The shard whose primary this node was a replica of, or that has its slots, if that primary is none any more. */
  #takenOver(node: Node, before: ReadonlyMap<string, Node>): Shard | undefined {
    const isLed = (shard: Shard) =>
      this.#nodes.some((one) => one.id === shard.nodeId && one.isPrimary && one.slots.length > 0)
    const former = before.get(node.id)?.primaryId ?? ''
    const byReplica = former === '' ? undefined : this.shards.find((shard) => shard.nodeId === former)
    if (byReplica !== undefined && !isLed(byReplica)) return byReplica
    const bySlot = this.ownership.owner(node.slots[0]![0])
    return bySlot !== null && !isLed(bySlot) ? bySlot : undefined
  }

  // ---- slots that change hands -------------------------------------------------------------------------------------

  async #handOver(): Promise<void> {
    if (this.#handingOver || this.#stopped) return
    const changes = new Map<number, SlotChange>()
    const involved = new Set<Shard>()
    for (let slot = 0; slot < SLOTS; slot++) {
      const to = this.#wanted[slot]!
      const from = this.ownership.owner(slot)
      if (to === null || to === from || from === null || !to.linkUp) continue
      changes.set(slot, { from, to })
      for (const shard of [from, to, ...this.ownership.hosts(slot)]) involved.add(shard)
      this.ownership.unsettle(slot, this.engine.unixMs + UNSETTLED_MS)
    }
    if (changes.size === 0) return
    this.#handingOver = true
    try {
      const behind = await this.#applied([...involved])
      // Not all that it has got may be here yet: at the next look at the map.
      for (const [slot, { to }] of changes) if (behind.has(to)) changes.delete(slot)
      const [first] = involved
      const strays = await removeStrays(first!, first!.maintenanceClient(), changes, () => this.#stopped)
      const database = this.engine.store.databases[0]!
      for (const [slot, { to }] of changes) {
        this.ownership.setOwner(slot, to)
        this.ownership.prune(slot, (key) => database.findKey(key) !== 0)
      }
      this.counts.handedOver += changes.size
      this.counts.strays += strays
      if (strays > 0) this.engine.log('warning', `${strays} keys of slots that changed hands were left nowhere`)
    } catch (error) {
      if (!this.#stopped) this.engine.log('warning', `Handing over slots: ${error}`)
    } finally {
      this.#handingOver = false
    }
  }

  /** Resolves when what these shards have done by now is applied, with those of which that is not known. */
  #applied(shards: readonly Shard[]): Promise<ReadonlySet<Shard>> {
    const places = this.fences.ask(shards)
    const silent = shards.filter((shard) => !places.has(shard))
    if (places.size === 0) return Promise.resolve(new Set(silent))
    return new Promise((resolve) => {
      this.fences.pass({
        left: places,
        until: 'applied',
        limitMs: FENCE_LIMIT_MS,
        silenceMs: 0,
        passed: (lost) => resolve(new Set([...silent, ...lost])),
      })
    })
  }

  /** Shards that are no primaries any more and have nothing. */
  #retire(): void {
    for (const shard of [...this.shards]) {
      const node = this.#nodes.find((one) => one.id === shard.nodeId)
      if (node?.isPrimary === true || this.ownership.slotsOf(shard) > 0) continue
      this.engine.log('notice', `No shard of the cluster any more: ${shard.name}`)
      this.shards.splice(this.shards.indexOf(shard), 1)
      this.ownership.forget(shard)
      if (shard.kept !== null) this.#retiredCounts = { ...sumOf([this.#retiredCounts, shard.kept.counts]), pending: 0 }
      shard.stop()
    }
  }

  cron(silenceMs: number): void {
    for (const shard of this.shards) shard.cron(silenceMs)
  }
}
