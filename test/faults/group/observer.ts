/**
 * Looks at all nodes as a monitoring system does, several times a second: role, history, offset (the numbers of INFO
 * are those of /metrics). From that it says, for each change of the primary, how far the old one was ahead of where the
 * new one went on, and what it wrote when it was the primary no longer: what may be lost then is that, and what was
 * written between two looks or by a primary that no replica followed.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { info } from '../../support/replicas.ts'
import type { Group, GroupNode } from './group.ts'

const INTERVAL_MS = 150
const ASK_MS = 400

interface Sample {
  readonly atMs: number
  readonly role: string
  readonly replid: string
  readonly replid2: string
  readonly offset: number
  /** 1-based, the first that the old history does not have; -1 when there is none. */
  readonly second: number
  readonly replicas: number
}

export class Observer {
  /** Ports, in the order in which they were the primary by the word of the Sentinels, and since when. */
  readonly primaries: { port: number; atMs: number }[] = []

  #group: Group
  #samples = new Map<number, Sample[]>()
  #going = true
  #done: Promise<unknown>

  constructor(group: Group) {
    this.#group = group
    for (const { port } of group.nodes) this.#samples.set(port, [])
    this.#done = Promise.all([this.#askSentinels(), ...group.nodes.map((node) => this.#look(node))])
  }

  async stop(): Promise<void> {
    this.#going = false
    await this.#done
  }

  get failovers(): number {
    return this.primaries.length - 1
  }

  /**
   * Of each change of the primary: by how many bytes the old one was ahead where the new one took over, and what the old
   * one wrote after that, for clients that were still with it, until it was told or died.
   */
  get losses(): { lagBytes: number; deposedBytes: number } {
    const losses = { lagBytes: 0, deposedBytes: 0 }
    for (const samples of this.#samples.values()) {
      const seen = new Set<string>()
      for (const { atMs, role, replid2, second } of samples) {
        if (role !== 'master' || second <= 0 || seen.has(replid2)) continue
        seen.add(replid2)
        const parted = second - 1
        const atTakeover = Math.max(parted, this.#offsetOf(replid2, atMs))
        losses.lagBytes += atTakeover - parted
        losses.deposedBytes += Math.max(0, this.#offsetOf(replid2, Number.POSITIVE_INFINITY) - atTakeover)
      }
    }
    return losses
  }

  /**
   * What may have been written without being seen: by the fastest rate seen, over some looks, and while a primary was in a
   * history that no other node ever had (it came back before the Sentinels promoted another): without a replica there is no
   * backlog, and the offset does not even grow.
   */
  get unseenBytes(): number {
    let rate = 0
    let aloneMs = 0
    for (const [port, samples] of this.#samples) {
      let wasAlone = false
      for (let i = 1; i < samples.length; i++) {
        const [a, b] = [samples[i - 1]!, samples[i]!]
        if (a.replid === b.replid && b.atMs > a.atMs) rate = Math.max(rate, (b.offset - a.offset) / (b.atMs - a.atMs))
        const isAlone = a.role === 'master' && a.replicas === 0 && !this.#isShared(a.replid)
        const counts = isAlone && this.#primaryAt(a.atMs) === port
        // It was that since some look before, and until one after.
        if (counts) aloneMs += b.atMs - a.atMs + (wasAlone ? 0 : 2 * (INTERVAL_MS + ASK_MS))
        wasAlone = counts
      }
    }
    return Math.ceil(rate * (aloneMs + (INTERVAL_MS + ASK_MS) * Math.max(1, this.failovers)))
  }

  /** To whom clients go. */
  #primaryAt(atMs: number): number | undefined {
    return this.primaries.findLast((primary) => primary.atMs <= atMs)?.port
  }

  #isShared(replid: string): boolean {
    const has = (samples: Sample[]) => samples.some((sample) => sample.replid === replid || sample.replid2 === replid)
    return [...this.#samples.values()].filter(has).length > 1
  }

  /** How far those who wrote the history of this name had come. */
  #offsetOf(replid: string, beforeMs: number): number {
    let last = 0
    for (const samples of this.#samples.values()) {
      for (const sample of samples) {
        if (sample.role !== 'master' || sample.replid !== replid || sample.atMs > beforeMs) continue
        last = Math.max(last, sample.offset)
      }
    }
    return last
  }

  async #look(node: GroupNode): Promise<void> {
    while (this.#going) {
      const told = await node.ask((wire) => info(wire, 'replication'), ASK_MS)
      if (told !== undefined) {
        this.#samples.get(node.port)!.push({
          atMs: performance.now(),
          role: told.get('role') ?? '',
          replid: told.get('master_replid') ?? '',
          replid2: told.get('master_replid2') ?? '',
          offset: Number(told.get('master_repl_offset') ?? 0),
          second: Number(told.get('second_repl_offset') ?? -1),
          replicas: Number(told.get('connected_slaves') ?? 0),
        })
      }
      await pause(INTERVAL_MS)
    }
  }

  async #askSentinels(): Promise<void> {
    while (this.#going) {
      // Undefined when the schedule ends early and its Sentinels with it.
      const port = await this.#group.sentinels.primaryPort().catch(() => undefined)
      if (port !== undefined && this.primaries.at(-1)?.port !== port) {
        this.primaries.push({ port, atMs: performance.now() })
      }
      await pause(INTERVAL_MS)
    }
  }
}
