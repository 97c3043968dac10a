/** What replication tests ask of two servers, whichever they are: info fields, a link that is up, equal data. */
import assert from 'node:assert/strict'
import type { RedisPeer } from './redis.ts'
import { waitUntil } from './wait-until.ts'
import { connect, type Wire } from './wire.ts'

export async function info(wire: Wire, section: string): Promise<Map<string, string>> {
  const text = String(await wire.must('INFO', section))
  return new Map(
    text.split('\r\n').flatMap((line) => {
      const colon = line.indexOf(':')
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const]
    }),
  )
}

export async function field(wire: Wire, section: string, name: string): Promise<string> {
  return (await info(wire, section)).get(name) ?? ''
}

/** Makes `replica` follow the port and waits until the link is up. */
export async function follow(replica: Wire, port: number): Promise<void> {
  await replica.must('REPLICAOF', '127.0.0.1', port)
  await linkUp(replica)
}

export async function linkUp(replica: Wire): Promise<void> {
  await waitUntil(async () => (await field(replica, 'replication', 'master_link_status')) === 'up', {
    timeoutMs: 20_000,
    what: 'the link to the primary',
  })
}

/** Waits until both have applied the same offset, then compares their data. */
export async function sameData(primary: Wire, replica: Wire): Promise<void> {
  await waitUntil(
    async () => {
      const wanted = await field(primary, 'replication', 'master_repl_offset')
      const reached = await field(replica, 'replication', 'slave_repl_offset')
      return wanted === reached
    },
    { timeoutMs: 20_000, what: 'equal offsets' },
  )
  assert.equal(await replica.must('DEBUG', 'DIGEST'), await primary.must('DEBUG', 'DIGEST'))
}

export async function wires(...servers: RedisPeer[]): Promise<Wire[]> {
  return Promise.all(servers.map((server) => connect(server.port)))
}

/** A seeded mix of writes of one client: strings, counters, expire times, removals, several databases, transactions. */
export function writes(seed: number, count: number): (string | number)[][] {
  let state = seed >>> 0 || 1
  const random = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 0x100000000) * n)
  }
  const commands: (string | number)[][] = []
  for (let i = 0; i < count; i++) {
    const key = `key:${random(5000)}`
    switch (random(14)) {
      case 0:
        commands.push(['INCR', `counter:${random(50)}`])
        break
      case 1:
        commands.push(['DEL', key])
        break
      case 2:
        commands.push(['SET', key, `value ${i}`, 'EX', 3600 + random(1000)])
        break
      case 3:
        commands.push(['APPEND', `text:${random(20)}`, `${i},`])
        break
      case 4:
        commands.push(['SELECT', random(3)])
        break
      case 5:
        commands.push(['MULTI'], ['SET', key, i], ['INCR', 'transactions'], ['EXEC'])
        break
      case 6:
        commands.push(['SETRANGE', `blob:${random(10)}`, random(200), `part ${i}`])
        break
      default:
        commands.push(['SET', key, `value ${i} ${'x'.repeat(random(60))}`])
    }
  }
  return commands
}

export async function write(wire: Wire, commands: (string | number)[][], batch = 500): Promise<void> {
  for (let at = 0; at < commands.length; at += batch) await wire.pipeline(commands.slice(at, at + batch))
}
