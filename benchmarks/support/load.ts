/** Loads: keys by pipeline, a paced client that measures latency, redis-benchmark, light replicas, followers. */
import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { Client, encode, pause } from './servers.ts'

const run = promisify(execFile)

export function keyName(n: number): string {
  return `key:${String(n).padStart(12, '0')}`
}

/** Sets keys from..to to values of `size` bytes. */
export function loadKeys(port: number, from: number, to: number, size: number): Promise<void> {
  const value = 'x'.repeat(size)
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let sent = from
    let replies = from
    const push = () => {
      let text = ''
      for (let i = 0; i < 2000 && sent < to; i++, sent++) text += encode(['SET', keyName(sent), value])
      if (text !== '') socket.write(text, 'latin1')
    }
    socket.on('data', (chunk) => {
      for (const byte of chunk) {
        if (byte === 45) return reject(new Error(chunk.toString('latin1').slice(0, 200)))
        if (byte === 10) replies++
      }
      if (replies >= to) {
        socket.destroy()
        resolve()
      } else if (sent - replies < 20_000) push()
    })
    socket.on('error', reject)
    push()
    push()
  })
}

export interface Latencies {
  p50: number
  p99: number
  p999: number
  max: number
}

/**
 * Sends a SET each millisecond whatever the server does, and measures from when it was due: a stall shows in all requests
 * that it held up. Milliseconds.
 */
export function paceWrites(port: number, keys: number, milliseconds: number): Promise<Latencies> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const due: number[] = []
    const measured: number[] = []
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      const now = performance.now()
      for (const byte of chunk) if (byte === 10) measured.push(now - due.shift()!)
    })
    const start = performance.now()
    let sent = 0
    const timer = setInterval(() => {
      const elapsed = performance.now() - start
      if (elapsed > milliseconds) {
        clearInterval(timer)
        setTimeout(() => {
          socket.destroy()
          resolve(summary(measured))
        }, 500)
        return
      }
      let text = ''
      for (; sent < elapsed; sent++) {
        due.push(start + sent)
        text += encode(['SET', keyName((sent * 7919) % keys), 'y'.repeat(64)])
      }
      if (text !== '') socket.write(text)
    }, 1)
  })
}

export function summary(values: number[]): Latencies {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: sorted.at(-1) ?? Number.NaN }
}

export interface BenchmarkOptions {
  /** One of redis-benchmark's own, or a command with __rand_int__ where it is to differ. */
  test?: 'set' | 'get' | 'incr' | 'mset'
  command?: readonly string[]
  requests: number
  pipeline?: number
  clients?: number
  size?: number
}

/** Requests per second by redis-benchmark. */
export async function redisBenchmark(port: number, options: BenchmarkOptions): Promise<number> {
  const { test, command = [], requests, pipeline = 1, clients = 50, size = 64 } = options
  const keys = Math.max(1, Math.min(1_000_000, Math.floor(256_000_000 / Math.max(size, 64))))
  const what = test === undefined ? [] : ['-t', test]
  const load = ['-n', requests, '-P', pipeline, '-c', clients, '-d', size, '-r', keys, '--csv']
  const args = ['-p', port, ...what, ...load, ...command]
  const { stdout } = await run('redis-benchmark', args.map(String), { maxBuffer: 1 << 24 })
  const row = stdout.trim().split('\n').at(-1)!
  const rate = Number(row.split('","')[1]?.replaceAll('"', ''))
  if (!(rate > 0)) throw new Error(`redis-benchmark said: ${stdout}`)
  return rate
}

/** A replica that reads the stream and acknowledges it, and does nothing else: sixteen of them cost little. */
export async function attachLightReplica(port: number): Promise<() => void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  let received = 0
  let tail = ''
  let online = false
  const ready = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      received += chunk.length
      if (online) return
      tail = (tail + chunk.toString('latin1')).slice(-200_000)
      const mark = /\$EOF:(\w{40})\r\n/.exec(tail)?.[1]
      if (mark !== undefined && tail.endsWith(mark) && tail.length > mark.length + 50) {
        online = true
        socket.write(encode(['REPLCONF', 'ACK', '0']))
        resolve()
      }
    })
  })
  socket.on('error', () => {})
  socket.write(encode(['REPLCONF', 'listening-port', '1', 'capa', 'eof', 'capa', 'psync2']))
  await pause(20)
  socket.write(encode(['PSYNC', '?', '-1']))
  await ready
  const beat = setInterval(() => socket.write(encode(['REPLCONF', 'ACK', String(received)])), 1000)
  return () => {
    clearInterval(beat)
    socket.destroy()
  }
}

/** Makes `replica` follow `primary` and waits until its link is up. Milliseconds that it took. */
export async function follow(replicaPort: number, primaryPort: number): Promise<number> {
  const client = await Client.open(replicaPort)
  const start = performance.now()
  await client.ask('REPLICAOF', '127.0.0.1', primaryPort)
  while ((await client.info('replication', 'master_link_status')) !== 'up') await pause(5)
  client.close()
  return performance.now() - start
}

/** Waits until the replica has applied all that the primary has. Milliseconds. */
export async function caughtUp(replicaPort: number, primaryPort: number): Promise<number> {
  const [replica, primary] = [await Client.open(replicaPort), await Client.open(primaryPort)]
  const start = performance.now()
  const wanted = Number(await primary.info('replication', 'master_repl_offset'))
  while (Number(await replica.info('replication', 'slave_repl_offset')) < wanted) await pause(2)
  replica.close()
  primary.close()
  return performance.now() - start
}
