/**
 * A replication group as operators have it: three to five nodes, each on a small disk of its own and reached through a relay
 * of its own (its announced address), and three real Sentinels that fail it over. Nodes can be killed, frozen, cut off,
 * slowed down, parted from some of the others only, find their disk full or their clock set; heal() ends all that.
 */
import type { Cleanup } from '../../support/cleanup.ts'
import { type FakeClock, fakeClock } from '../../support/faketime.ts'
import { type Relay, startRelay } from '../../support/relay.ts'
import { field } from '../../support/replicas.ts'
import { knowsReplicas, type SentinelGroup, startSentinels } from '../../support/sentinel.ts'
import type { ServerProcess } from '../../support/server-process.ts'
import { type SmallDisk, smallDisk } from '../../support/small-disk.ts'
import { type ServerKind, startServer } from '../../support/tandem.ts'
import { waitUntil, within } from '../../support/wait-until.ts'
import { connect, type Wire } from '../../support/wire.ts'

const HEAL_TIMEOUT_MS = 60_000
const ASK_TIMEOUT_MS = 5000
const DISK_MB = 24
const DELAY_MS = 40
const START_TIMEOUT_MS = 60_000
/** Of all groups: a dozen processes that start at once would keep those that run from what they have to do. */
const STARTS_AT_ONCE = 2

/**
 * `cut` is from everybody; `replication` parts a replica from its primary, or a primary from all its replicas, while clients
 * and Sentinels reach it; `sentinels` parts a node from those alone.
 */
export const FAULTS = ['kill', 'freeze', 'cut', 'delay', 'replication', 'sentinels', 'clock', 'disk'] as const
export type Fault = (typeof FAULTS)[number]

export class GroupNode {
  readonly server: ServerProcess
  readonly relay: Relay
  readonly disk: SmallDisk
  readonly clock: FakeClock
  isFrozen = false
  isCut = false

  constructor(server: ServerProcess, relay: Relay, disk: SmallDisk, clock: FakeClock) {
    this.server = server
    this.relay = relay
    this.disk = disk
    this.clock = clock
  }

  /** Where everybody finds it. */
  get port(): number {
    return this.relay.port
  }

  async heal(): Promise<void> {
    this.relay.delay(0)
    this.relay.unblockAll()
    this.disk.empty()
    this.clock.shift(0)
    if (this.isFrozen) process.kill(this.server.pid, 'SIGCONT')
    this.isFrozen = false
    if (this.isCut) await this.relay.start()
    this.isCut = false
    if (!this.server.running) await this.server.start()
  }

  /** Asked without the relay; undefined when there is no answer. */
  async ask<T>(question: (wire: Wire) => Promise<T>, timeoutMs = ASK_TIMEOUT_MS): Promise<T | undefined> {
    let wire: Wire | undefined
    try {
      wire = await within(connect(this.server.port), timeoutMs, 'a connection')
      const answer = question(wire)
      answer.catch(() => undefined)
      return await within(answer, timeoutMs, 'an answer')
    } catch {
      return undefined
    } finally {
      void wire?.close().catch(() => undefined)
    }
  }
}

export class Group {
  readonly nodes: readonly GroupNode[]
  readonly sentinels: SentinelGroup

  constructor(nodes: readonly GroupNode[], sentinels: SentinelGroup) {
    this.nodes = nodes
    this.sentinels = sentinels
  }

  #logs(): string {
    const tail = (name: string, logs: string) => `${name}:\n${logs.split('\n').slice(-25).join('\n')}`
    const nodes = this.nodes.map(({ server, port }) => tail(`${server.name} ${server.port} as ${port}`, server.logs()))
    return [...nodes, tail('a sentinel', this.sentinels.sentinels[0]!.logs())].join('\n')
  }

  /** The node that the Sentinels say is the primary. */
  async primary(): Promise<GroupNode> {
    const port = await this.sentinels.primaryPort()
    // One that was started again announces its relay only when the group has said so again.
    return this.nodes.find((node) => node.port === port || node.server.port === port)!
  }

  /** `seconds` is how far a clock is set. */
  async break(node: GroupNode, fault: Fault, isPrimary: boolean, seconds: number): Promise<void> {
    const others = this.nodes.filter((other) => other !== node)
    const fromOthers = () => {
      for (const other of others) other.relay.block(`replica ${node.port}`)
    }
    switch (fault) {
      case 'kill':
        return node.server.kill9()
      case 'freeze':
        node.isFrozen = true
        process.kill(node.server.pid, 'SIGSTOP')
        return
      case 'cut':
        node.isCut = true
        await node.relay.stop()
        return fromOthers()
      case 'delay':
        return node.relay.delay(DELAY_MS)
      case 'replication':
        if (isPrimary) node.relay.block('replica')
        return fromOthers()
      case 'sentinels':
        return node.relay.block('sentinel')
      case 'clock':
        return node.clock.shift(seconds)
      case 'disk':
        return node.disk.fill()
    }
  }

  async heal(): Promise<void> {
    for (const node of this.nodes) await node.heal()
  }

  /** Ends all faults and waits until one node is the primary of the others and all have the same data. */
  async settle(): Promise<void> {
    await this.heal()
    let state = ''
    await waitUntil(
      async () => {
        const primary = await this.primary()
        const digests: (string | undefined)[] = []
        const offsets: string[] = []
        let linked = 0
        for (const node of this.nodes) {
          const told = await node.ask(async (wire) => ({
            role: await field(wire, 'replication', 'role'),
            link: await field(wire, 'replication', 'master_link_status'),
            port: await field(wire, 'replication', 'master_port'),
            offset: await field(wire, 'replication', 'master_repl_offset'),
            digest: String(await wire.must('DEBUG', 'DIGEST')),
          }))
          const isRight =
            node === primary ? told?.role === 'master' : told?.link === 'up' && told.port === String(primary.port)
          if (isRight) linked++
          digests.push(told?.digest)
          offsets.push(`${node.port}:${told?.offset}:${told?.digest.slice(0, 6)}`)
        }
        state = `${linked} of ${this.nodes.length} in place, ${offsets.join(' ')}`
        return linked === this.nodes.length && digests[0] !== undefined && new Set(digests).size === 1
      },
      { timeoutMs: HEAL_TIMEOUT_MS, intervalMs: 100, what: () => `the group to settle: ${state}\n${this.#logs()}` },
    )
  }
}

let starting = 0
const waiting: (() => void)[] = []

async function oneOfFew<T>(start: () => Promise<T>): Promise<T> {
  if (starting >= STARTS_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  else starting++
  try {
    return await start()
  } finally {
    const next = waiting.shift()
    if (next === undefined) starting--
    else next()
  }
}

async function startNode(t: Cleanup, kind: ServerKind, args: readonly string[], isClockSet: boolean) {
  const disk = smallDisk(t, DISK_MB)
  const clock = fakeClock(disk.dir)
  const server = await oneOfFew(() =>
    startServer(t, kind, {
      args: ['--appendonly', 'yes', '--repl-timeout', '5', ...args],
      dir: disk.dir,
      env: isClockSet ? clock.env : {},
      startTimeoutMs: START_TIMEOUT_MS,
    }),
  )
  const relay = await startRelay(t, server.port)
  const wire = await connect(server.port)
  await wire.must('CONFIG', 'SET', 'replica-announce-ip', '127.0.0.1', 'replica-announce-port', relay.port)
  await wire.close()
  return new GroupNode(server, relay, disk, clock)
}

/**
 * The first is the primary. What a killed process had written it has again when it comes back, as operators would have it.
 * `clocks` are the nodes whose clock will be set.
 */
export async function startGroup(
  t: Cleanup,
  kinds: readonly ServerKind[],
  args: readonly string[],
  clocks: ReadonlySet<number>,
): Promise<Group> {
  const nodes = await Promise.all(kinds.map((kind, i) => startNode(t, kind, args, clocks.has(i))))
  const [primary, ...replicas] = nodes
  for (const { server } of replicas) {
    const wire = await connect(server.port)
    await wire.must('REPLICAOF', '127.0.0.1', primary!.port)
    await wire.close()
  }
  const sentinels = await startSentinels(t, primary!.port, { downAfterMs: 1000, failoverTimeoutMs: 4000 })
  await knowsReplicas(
    sentinels,
    replicas.map(({ port }) => port),
  )
  return new Group(nodes, sentinels)
}
