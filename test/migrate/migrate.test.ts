/** `tandem migrate` between real servers: into redis-server, a Redis Cluster and Tandem, while the source is written to. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fileCleanup } from '../support/cleanup.ts'
import { startCluster } from '../support/cluster.ts'
import { startRelay } from '../support/relay.ts'
import { write, writes } from '../support/replicas.ts'
import { type ServerKind, startServer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, type Wire } from '../support/wire.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const file = fileCleanup()

class Run {
  readonly child: ChildProcess
  text = ''
  readonly ended: Promise<number>

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [MAIN, 'migrate', ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', (chunk: Buffer) => {
        this.text += chunk.toString()
      })
    }
    this.ended = once(this.child, 'close').then(([code]) => code as number)
    file.after(async () => {
      this.child.kill('SIGKILL')
      await this.ended
    })
  }

  async says(what: RegExp): Promise<void> {
    await waitUntil(() => what.test(this.text), { timeoutMs: 60_000, what: () => `${what} in:\n${this.text}` })
  }

  async isWell(): Promise<void> {
    assert.equal(await this.ended, 0, this.text)
  }
}

function url(port: number): string {
  return `redis://127.0.0.1:${port}`
}

async function pair(
  from: ServerKind,
  to: ServerKind,
): Promise<{ ports: [number, number]; source: Wire; target: Wire }> {
  const [a, b] = [await startServer(file, from), await startServer(file, to)]
  return {
    ports: [a.port, b.port],
    source: await connectFor(file, a.port),
    target: await connectFor(file, b.port),
  }
}

async function sameDigest(source: Wire, target: Wire): Promise<void> {
  const digest = await source.must('DEBUG', 'DIGEST')
  assert.notEqual(digest, '0'.repeat(40))
  assert.equal(await target.must('DEBUG', 'DIGEST'), digest)
}

/** Writes of all kinds until it is told to stop; while they are paused it waits. */
function writing(port: number): { stop(): Promise<void> } {
  let going = true
  const done = (async () => {
    for (let seed = 1; going; seed++) {
      const wire = await connectFor(file, port)
      await write(wire, writes(seed, 200)).catch(() => undefined)
    }
  })()
  return {
    stop: async () => {
      going = false
      await done
    },
  }
}

describe('tandem migrate', () => {
  for (const [from, to] of [
    ['redis', 'tandem'],
    ['tandem', 'redis'],
    ['redis', 'redis'],
  ] as const) {
    it(`moves ${from} to ${to} under writes and cuts over on the word`, async () => {
      const { ports, source, target } = await pair(from, to)
      await write(source, writes(7, 3000))
      await source.must('SELECT', 3)
      await source.must('SET', 'in three', 'x', 'PX', 3_600_000)
      await source.must('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 7 end)")
      const program = writing(ports[0])
      const run = new Run(['--from', url(ports[0]), '--to', url(ports[1]), '--verify', 'all', '--pause', '60000'])
      await run.says(/Type "cutover"/)
      await waitUntil(async () => Number(await target.must('DBSIZE')) > 0, { what: 'the first keys' })
      run.child.stdin!.write('cutover\n')
      await run.isWell()
      assert.match(run.text, /Compared \d+ keys: all are equal\.[\s\S]*Done in \d+ ms/)
      // Writes are paused still.
      await sameDigest(source, target)
      assert.equal(await target.must('FCALL', 'f', 0), 7)
      await source.must('CLIENT', 'UNPAUSE')
      await program.stop()
    })
  }

  it('goes on through cut links on both sides, FLUSHALL and SWAPDB', async () => {
    const { ports, source, target } = await pair('redis', 'redis')
    await write(source, writes(11, 2000))
    const [near, far] = [await startRelay(file, ports[0]), await startRelay(file, ports[1])]
    const run = new Run(['--from', url(near.port), '--to', url(far.port), '--verify', 'all'])
    await run.says(/Type "cutover"/)
    far.cutAll()
    await write(source, writes(12, 500))
    near.cutAll()
    await write(source, writes(13, 500))
    await source.must('FLUSHALL')
    await write(source, writes(14, 500))
    await source.must('SELECT', 1)
    await source.must('SET', 'of one', 1)
    await source.must('SWAPDB', 0, 1)
    far.cutAll()
    await waitUntil(async () => (await target.must('GET', 'of one')) === '1', { timeoutMs: 30_000, what: 'the swap' })
    run.child.kill('SIGUSR2')
    await run.isWell()
    await sameDigest(source, target)
  })

  it('takes the chosen keys alone into a cluster', async () => {
    const source = await startServer(file, 'redis')
    const cluster = await startCluster(file, 3)
    const wire = await connectFor(file, source.port)
    for (let i = 0; i < 300; i++) {
      await wire.must('SET', `eu:${i}`, i)
      await wire.must('RPUSH', `eu:list:${i}`, i)
      await wire.must('SET', `us:${i}`, i)
    }
    const to = `cluster://127.0.0.1:${cluster.nodes[0]!.port}`
    const chosen = ['--keys', 'eu:*', '--type', 'string']
    const run = new Run(['--from', url(source.port), '--to', to, ...chosen, '--verify', 'all'])
    await run.says(/Type "cutover"/)
    await wire.must('DEL', 'eu:7')
    await wire.must('RENAME', 'us:1', 'eu:new')
    await wire.must('RENAME', 'eu:2', 'us:new')
    run.child.kill('SIGUSR2')
    await run.isWell()
    const found: string[] = []
    for (const node of cluster.nodes) found.push(...((await (await cluster.wire(node)).must('KEYS', '*')) as string[]))
    const expected = Array.from({ length: 300 }, (_, i) => `eu:${i}`).filter((key) => key !== 'eu:7' && key !== 'eu:2')
    assert.deepEqual(found.sort(), [...expected, 'eu:new'].sort())
  })

  it('goes on after kill -9 with --resume: what is right stays, what is gone goes', async () => {
    const { ports, source, target } = await pair('redis', 'tandem')
    await write(source, writes(21, 3000))
    const args = ['--from', url(ports[0]), '--to', url(ports[1])]
    const first = new Run(args)
    await waitUntil(async () => Number(await target.must('DBSIZE')) > 0, { timeoutMs: 30_000, what: 'the first keys' })
    first.child.kill('SIGKILL')
    await first.ended
    const gone = String(await target.must('RANDOMKEY'))
    await source.must('SELECT', 0)
    assert.equal(await source.must('DEL', gone), 1)
    const refused = new Run(args)
    assert.equal(await refused.ended, 1)
    assert.match(refused.text, /holds \d+ keys: --flush empties it, --resume goes on/)
    const second = new Run([...args, '--resume', '--cutover', '--verify', 'all'])
    await second.isWell()
    assert.equal(await target.must('EXISTS', gone), 0)
    await sameDigest(source, target)
  })

  // Many are compared before writes are paused.
  for (const [kind, keys] of [
    ['few', 100],
    ['many', 12_000],
  ] as const) {
    it(`does not cut over when one of ${kind} keys is not equal at the target, and writes at the source go on`, async () => {
      const { ports, source, target } = await pair('redis', 'redis')
      await write(source, writes(31, 500))
      await source.must('MSET', ...Array.from({ length: keys }, (_, i) => [`key:${i}`, i]).flat())
      await source.must('SET', 'tampered', 'right')
      const run = new Run(['--from', url(ports[0]), '--to', url(ports[1]), '--verify', 'all'])
      await waitUntil(async () => (await target.must('GET', 'tampered')) === 'right', {
        timeoutMs: 30_000,
        what: 'the key',
      })
      await run.says(/Type "cutover"/)
      await target.must('SET', 'tampered', 'wrong')
      await target.must('SET', 'foreign', 1)
      run.child.kill('SIGUSR2')
      assert.equal(await run.ended, 1)
      assert.match(run.text, /1 are different, 1 should not be there/)
      assert.match(run.text, /"tampered" of database 0 is different/)
      assert.equal(await source.must('SET', 'after', 1), 'OK')
    })
  }

  it('says what is wrong with its arguments, and when a server cannot be used', async () => {
    const { ports, source } = await pair('redis', 'redis')
    const [from, to] = [url(ports[0]), url(ports[1])]
    await source.must('CONFIG', 'SET', 'requirepass', 'secret')
    const cases: [string[], RegExp][] = [
      [[], /--from and --to are needed/],
      [['--from', from], /--from and --to are needed/],
      [['--from', 'http://x', '--to', to], /--from: the upstream must be redis:/],
      [['--from', from, '--to', to, '--type', 'tree'], /--type 'tree' is none of string, list/],
      [['--from', from, '--to', to, '--pause', '-1'], /pause/],
      [['--from', from, '--to', to, '--nonsense'], /nonsense/],
      [['--from', from, '--to', to, '--flush', '--resume'], /exclude each other/],
      [['--from', `redis://:wrong@127.0.0.1:${ports[0]}`, '--to', to], /cannot be used: WRONGPASS/],
    ]
    for (const [args, words] of cases) {
      const run = new Run(args)
      assert.equal(await run.ended, 1, args.join(' '))
      assert.match(run.text, words)
      assert.doesNotMatch(run.text, /\n {4}at /, 'a stack')
    }
  })
})
