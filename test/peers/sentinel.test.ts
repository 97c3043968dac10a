/** Real redis-sentinels watch Tandem nodes, alone and mixed with redis-server: they find, fail over and reconfigure them. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Redis } from 'ioredis'
import { fileCleanup } from '../support/cleanup.ts'
import { field, follow, sameData, write, writes } from '../support/replicas.ts'
import { failedOver, knowsReplicas, type SentinelGroup, startSentinels } from '../support/sentinel.ts'
import type { ServerProcess } from '../support/server-process.ts'
import { type ServerKind, startServer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connect, connectFor, type Wire } from '../support/wire.ts'

const file = fileCleanup()

/** The first is the primary of the others. */
async function group(kinds: readonly ServerKind[], args: readonly string[][] = []): Promise<ServerProcess[]> {
  const servers: ServerProcess[] = []
  for (const [i, kind] of kinds.entries()) {
    servers.push(await startServer(file, kind, { args: ['--repl-timeout', '10', ...(args[i] ?? [])] }))
  }
  const [primary, ...replicas] = servers
  for (const { port } of replicas) await follow(await connectFor(file, port), primary!.port)
  return servers
}

/** A program with ioredis that finds the primary through the Sentinels: counts up until it is told to stop. */
function counting(sentinels: SentinelGroup): { stop(): Promise<{ last: number; outageMs: number }> } {
  const redis = new Redis({
    sentinels: sentinels.ports.map((port) => ({ host: '127.0.0.1', port })),
    name: 'main',
    sentinelRetryStrategy: () => 100,
    retryStrategy: () => 100,
    maxRetriesPerRequest: 0,
  })
  redis.on('error', () => {})
  let going = true
  let last = 0
  let outageMs = 0
  const done = (async () => {
    let wellAt = Date.now()
    while (going) {
      try {
        last = await redis.incr('counted')
        outageMs = Math.max(outageMs, Date.now() - wellAt)
        wellAt = Date.now()
      } catch {
        // Tried again: what counts is when writes work again.
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    redis.disconnect()
  })()
  return {
    stop: async () => {
      going = false
      await done
      return { last, outageMs }
    },
  }
}

/** Asked on a connection of its own: the Sentinels close all others when they change a server's role. */
async function tells(port: number, name: string): Promise<string> {
  try {
    const wire = await connect(port)
    const value = await field(wire, 'replication', name)
    await wire.close()
    return value
  } catch {
    return ''
  }
}

async function isReplicaOf(server: ServerProcess, port: number): Promise<Wire> {
  const follows = async () =>
    (await tells(server.port, 'master_port')) === String(port) &&
    (await tells(server.port, 'master_link_status')) === 'up'
  await waitUntil(follows, { timeoutMs: 60_000, what: `${server.port} to follow ${port}` })
  return connectFor(file, server.port)
}

describe('redis-sentinel', () => {
  for (const kinds of [
    ['tandem', 'tandem', 'tandem'],
    ['tandem', 'redis', 'tandem'],
    ['redis', 'tandem', 'tandem'],
  ] as const) {
    it(`fails over ${kinds.join(' + ')} when the primary is killed; ioredis goes on, the old primary comes back`, async (t) => {
      const servers = await group(kinds)
      const [primary, ...replicas] = servers as [ServerProcess, ...ServerProcess[]]
      const sentinels = await startSentinels(file, primary.port)
      await knowsReplicas(
        sentinels,
        replicas.map(({ port }) => port),
      )
      await write(await connectFor(file, primary.port), writes(71, 500))
      const program = counting(sentinels)
      await new Promise((resolve) => setTimeout(resolve, 300))
      await primary.kill9()
      const next = await failedOver(sentinels, primary.port)
      const counted = async () => {
        const wire = await connectFor(file, next)
        return Number(await wire.send('GET', 'counted'))
      }
      await waitUntil(async () => (await tells(next, 'role')) === 'master', { what: 'the new primary' })
      const before = await counted()
      await waitUntil(async () => (await counted()) > before, { timeoutMs: 20_000, what: 'writes to the new primary' })
      await primary.start()
      const old = await isReplicaOf(primary, next)
      const { last, outageMs } = await program.stop()
      t.diagnostic(`writes were refused for ${outageMs} ms`)
      const wire = await connectFor(file, next)
      assert.equal(await wire.must('GET', 'counted'), String(last))
      await sameData(wire, old)
      const other = replicas.find(({ port }) => port !== next)!
      await sameData(wire, await isReplicaOf(other, next))
    })
  }

  it('takes a frozen primary for dead; it is a replica when it wakes', async () => {
    const [primary, replica] = (await group(['tandem', 'tandem'])) as [ServerProcess, ServerProcess]
    const sentinels = await startSentinels(file, primary.port)
    await knowsReplicas(sentinels, [replica.port])
    process.kill(primary.pid, 'SIGSTOP')
    assert.equal(await failedOver(sentinels, primary.port), replica.port)
    await waitUntil(async () => (await tells(replica.port, 'role')) === 'master', { what: 'the new primary' })
    const wire = await connectFor(file, replica.port)
    await wire.must('SET', 'while', 'frozen')
    process.kill(primary.pid, 'SIGCONT')
    const old = await isReplicaOf(primary, replica.port)
    await sameData(await connectFor(file, replica.port), old)
    assert.equal(await old.must('GET', 'while'), 'frozen')
  })

  it('fails over by hand to whom replica-priority prefers, never to one of 0, and keeps it in the configuration', async () => {
    const [primary, zero, redis, tandem] = (await group(
      ['tandem', 'tandem', 'redis', 'tandem'],
      [[], ['--replica-priority', '0'], ['--replica-priority', '50'], ['--replica-priority', '10']],
    )) as [ServerProcess, ServerProcess, ServerProcess, ServerProcess]
    const hidden = await startServer(file, 'tandem', { args: ['--replica-announced', 'no'] })
    await follow(await connectFor(file, hidden.port), primary.port)
    const sentinels = await startSentinels(file, primary.port)
    await knowsReplicas(sentinels, [zero.port, redis.port, tandem.port])
    await sentinels.ask('SENTINEL', 'FAILOVER', 'main')
    assert.equal(await failedOver(sentinels, primary.port), tandem.port)
    for (const server of [primary, redis, zero]) {
      await sameData(await connectFor(file, tandem.port), await isReplicaOf(server, tandem.port))
    }
  })

  it('has its changes of role written into the configuration file', async () => {
    const [primary] = await group(['tandem'])
    const second = await startServer(file, 'tandem')
    const config = join(second.dir, 'redis.conf')
    writeFileSync(config, `# kept\nport ${second.port}\nmetrics-port 0\nbind 127.0.0.1\nsave ""\ndir ${second.dir}\n`)
    await second.stop()
    second.configFile = config
    await second.start()
    const wire = await connectFor(file, second.port)
    await follow(wire, primary!.port)
    const sentinels = await startSentinels(file, primary!.port)
    await knowsReplicas(sentinels, [second.port])
    await primary!.kill9()
    assert.equal(await failedOver(sentinels, primary!.port), second.port)
    await primary!.start()
    await isReplicaOf(primary!, second.port)
    await knowsReplicas(sentinels, [primary!.port])
    await sentinels.ask('SENTINEL', 'FAILOVER', 'main')
    assert.equal(await failedOver(sentinels, second.port), primary!.port)
    await isReplicaOf(second, primary!.port)
    await waitUntil(() => readFileSync(config, 'utf8').includes(`replicaof 127.0.0.1 ${primary!.port}`), {
      timeoutMs: 10_000,
      what: 'the rewritten file',
    })
    assert.match(readFileSync(config, 'utf8'), /^# kept$/m)
    await second.stop()
    await second.start()
    await isReplicaOf(second, primary!.port)
  })
})
