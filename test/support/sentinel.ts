/** Real redis-sentinels, each with a file of its own, that watch one primary under the name `main`. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'
import { freePort } from './ports.ts'
import { removeDirectory, ServerProcess, temporaryDirectory } from './server-process.ts'
import { waitUntil } from './wait-until.ts'
import { connect, type Wire } from './wire.ts'

export interface SentinelGroup {
  readonly ports: readonly number[]
  readonly sentinels: readonly ServerProcess[]
  /** What the first one says is the primary. */
  primaryPort(): Promise<number>
  ask(...command: [string, ...(string | number)[]]): Promise<unknown>
}

export interface SentinelOptions {
  count?: number
  downAfterMs?: number
  failoverTimeoutMs?: number
}

/** One with these lines in its file; `port` is the one that they name. Resolves when it watches its primary. */
export async function launchSentinel(t: Cleanup, port: number, lines: readonly string[]): Promise<ServerProcess> {
  const dir = temporaryDirectory('sentinel')
  const config = join(dir, 'sentinel.conf')
  writeFileSync(config, `${[`dir ${dir}`, ...lines].join('\n')}\n`)
  const launch = { name: 'sentinel', command: 'redis-sentinel', args: [config], port }
  const sentinel = new ServerProcess(launch, { dir, startTimeoutMs: 10_000 })
  t.after(async () => {
    await sentinel.dispose()
    removeDirectory(dir)
  })
  // Its log has no line that says it is ready.
  void sentinel.start().catch(() => {})
  await waitUntil(() => sentinel.logs().includes('+monitor master main'), { timeoutMs: 10_000, what: 'a Sentinel' })
  return sentinel
}

/** Resolves when all of them know each other. */
export async function startSentinels(
  t: Cleanup,
  primaryPort: number,
  { count = 3, downAfterMs = 700, failoverTimeoutMs = 4000 }: SentinelOptions = {},
): Promise<SentinelGroup> {
  const sentinels: ServerProcess[] = []
  for (let i = 0; i < count; i++) {
    const port = await freePort()
    const quorum = Math.floor(count / 2) + 1
    const sentinel = await launchSentinel(t, port, [
      `port ${port}`,
      'bind 127.0.0.1',
      `sentinel monitor main 127.0.0.1 ${primaryPort} ${quorum}`,
      `sentinel down-after-milliseconds main ${downAfterMs}`,
      `sentinel failover-timeout main ${failoverTimeoutMs}`,
      'sentinel parallel-syncs main 2',
    ])
    const wire = await connect(port)
    // Its usual ten seconds between two looks at INFO would be the test's.
    await wire.must(
      'SENTINEL',
      'DEBUG',
      'PING-PERIOD',
      200,
      'INFO-PERIOD',
      500,
      'PUBLISH-PERIOD',
      300,
      'ASK-PERIOD',
      200,
    )
    await wire.close()
    sentinels.push(sentinel)
  }
  const first: Wire = await connect(sentinels[0]!.port)
  t.after(() => first.close())
  const group: SentinelGroup = {
    ports: sentinels.map(({ port }) => port),
    sentinels,
    async primaryPort() {
      const [, port] = (await first.must('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main')) as string[]
      return Number(port)
    },
    ask: (...command) => first.must(...command),
  }
  await waitUntil(async () => ((await first.must('SENTINEL', 'SENTINELS', 'main')) as unknown[]).length === count - 1, {
    timeoutMs: 20_000,
    what: 'the Sentinels to know each other',
  })
  return group
}

/** Resolves when the Sentinel knows exactly these as replicas of the primary, and that they are well. */
export async function knowsReplicas(group: SentinelGroup, ports: readonly number[]): Promise<void> {
  await waitUntil(
    async () => {
      const replicas = (await group.ask('SENTINEL', 'REPLICAS', 'main')) as string[][]
      const well = replicas.filter((fields) => {
        const of = (name: string) => fields[fields.indexOf(name) + 1]
        return of('flags') === 'slave' && of('master-link-status') === 'ok'
      })
      const known = well.map((fields) => Number(fields[fields.indexOf('port') + 1])).sort()
      return JSON.stringify(known) === JSON.stringify([...ports].sort())
    },
    { timeoutMs: 30_000, what: `replicas ${ports.join(', ')} in the eyes of the Sentinel` },
  )
}

/** Resolves with the port of the new primary when it is another one than before and says so itself. */
export async function failedOver(group: SentinelGroup, before: number): Promise<number> {
  await waitUntil(async () => (await group.primaryPort()) !== before, { timeoutMs: 30_000, what: 'the failover' })
  return group.primaryPort()
}
