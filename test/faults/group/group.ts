/**
 * A replication group as operators have it: three nodes, each reached through a relay of its own (its announced address),
 * and three real Sentinels that fail it over. Nodes can be killed, frozen, cut off and slowed down; heal() ends all that.
 */
import type { Cleanup } from '../../support/cleanup.ts'
import { type Relay, startRelay } from '../../support/relay.ts'
import { field } from '../../support/replicas.ts'
import { knowsReplicas, type SentinelGroup, startSentinels } from '../../support/sentinel.ts'
import type { ServerProcess } from '../../support/server-process.ts'
import { type ServerKind, startServer } from '../../support/tandem.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { connect, type Wire } from '../../support/wire.ts'

const HEAL_TIMEOUT_MS = 60_000

export type Fault = 'kill' | 'freeze' | 'cut' | 'delay'

export class GroupNode {
  readonly server: ServerProcess
  readonly relay: Relay
  #isFrozen = false
  #isCut = false

  constructor(server: ServerProcess, relay: Relay) {
    this.server = server
    this.relay = relay
  }

  /** Where everybody finds it. */
  get port(): number {
    return this.relay.port
  }

  async break(fault: Fault): Promise<void> {
    if (fault === 'kill') await this.server.kill9()
    else if (fault === 'freeze') {
      this.#isFrozen = true
      process.kill(this.server.pid, 'SIGSTOP')
    } else if (fault === 'cut') {
      this.#isCut = true
      await this.relay.stop()
    } else this.relay.delay(40)
  }

  async heal(): Promise<void> {
    this.relay.delay(0)
    if (this.#isFrozen) process.kill(this.server.pid, 'SIGCONT')
    this.#isFrozen = false
    if (this.#isCut) await this.relay.start()
    this.#isCut = false
    if (!this.server.running) await this.server.start()
  }

  /** Asked without the relay. */
  async ask<T>(question: (wire: Wire) => Promise<T>): Promise<T | undefined> {
    try {
      const wire = await connect(this.server.port)
      try {
        return await question(wire)
      } finally {
        await wire.close()
      }
    } catch {
      return undefined
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
    return this.nodes.find((node) => node.port === port)!
  }

  /** Ends all faults and waits until one node is the primary of the others and all have the same data. Gives the digest. */
  async settle(): Promise<string> {
    for (const node of this.nodes) await node.heal()
    let state = ''
    return waitUntil(
      async () => {
        const primary = await this.primary()
        const offset = await primary.ask((wire) => field(wire, 'replication', 'master_repl_offset'))
        const digests: (string | undefined)[] = []
        let linked = 0
        for (const node of this.nodes) {
          const told = await node.ask(async (wire) => ({
            role: await field(wire, 'replication', 'role'),
            link: await field(wire, 'replication', 'master_link_status'),
            port: await field(wire, 'replication', 'master_port'),
            digest: String(await wire.must('DEBUG', 'DIGEST')),
          }))
          const isRight =
            node === primary ? told?.role === 'master' : told?.link === 'up' && told.port === String(primary.port)
          if (isRight) linked++
          digests.push(told?.digest)
        }
        state = `${linked} of ${this.nodes.length} in place, offset ${offset}, ${new Set(digests).size} data sets`
        return linked === this.nodes.length && new Set(digests).size === 1 ? digests[0] : undefined
      },
      { timeoutMs: HEAL_TIMEOUT_MS, intervalMs: 100, what: () => `the group to settle: ${state}\n${this.#logs()}` },
    )
  }
}

/** The first is the primary. What a killed process had written it has again when it comes back, as operators would have it. */
export async function startGroup(t: Cleanup, kinds: readonly ServerKind[], args: readonly string[]): Promise<Group> {
  const nodes: GroupNode[] = []
  for (const kind of kinds) {
    const server = await startServer(t, kind, { args: ['--appendonly', 'yes', '--repl-timeout', '5', ...args] })
    const relay = await startRelay(t, server.port)
    const wire = await connect(server.port)
    await wire.must('CONFIG', 'SET', 'replica-announce-ip', '127.0.0.1', 'replica-announce-port', relay.port)
    const [primary] = nodes
    if (primary !== undefined) await wire.must('REPLICAOF', '127.0.0.1', primary.port)
    await wire.close()
    nodes.push(new GroupNode(server, relay))
  }
  const [primary, ...replicas] = nodes
  const sentinels = await startSentinels(t, primary!.port, { downAfterMs: 1000, failoverTimeoutMs: 4000 })
  await knowsReplicas(
    sentinels,
    replicas.map(({ port }) => port),
  )
  return new Group(nodes, sentinels)
}
