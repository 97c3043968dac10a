/** Three redis-sentinels over one primary, with the same settings whoever is watched. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, freePort, pause } from './servers.ts'

export const DOWN_AFTER_MS = 1000
const COUNT = 3
const READY_MS = 20_000

export interface Sentinels {
  readonly ports: readonly number[]
  stop(): void
}

/** Resolves when all know each other and the replicas. */
export async function startSentinels(primaryPort: number, replicas: number): Promise<Sentinels> {
  const ports: number[] = []
  const ends: (() => void)[] = []
  for (let i = 0; i < COUNT; i++) {
    const port = await freePort()
    const dir = mkdtempSync(join(tmpdir(), 'bench-sentinel-'))
    const file = join(dir, 'sentinel.conf')
    const lines = [
      `port ${port}`,
      'bind 127.0.0.1',
      `dir ${dir}`,
      `sentinel monitor main 127.0.0.1 ${primaryPort} 2`,
      `sentinel down-after-milliseconds main ${DOWN_AFTER_MS}`,
      'sentinel failover-timeout main 10000',
    ]
    writeFileSync(file, `${lines.join('\n')}\n`)
    const child = spawn('redis-sentinel', [file], { stdio: 'ignore' })
    ports.push(port)
    ends.push(() => {
      child.once('exit', () => rmSync(dir, { recursive: true, force: true }))
      child.kill('SIGKILL')
    })
  }
  const sentinels = { ports, stop: () => ends.forEach((end) => void end()) }
  const until = performance.now() + READY_MS
  for (const port of ports) {
    while (!(await knows(port, replicas))) {
      if (performance.now() > until) throw new Error('the Sentinels did not find each other and the replicas')
      await pause(100)
    }
  }
  return sentinels
}

async function knows(port: number, replicas: number): Promise<boolean> {
  try {
    const client = await Client.open(port)
    const text = await client.ask('INFO', 'sentinel')
    client.close()
    return text.includes(`slaves=${replicas},sentinels=${COUNT}`)
  } catch {
    return false
  }
}
