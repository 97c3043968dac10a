/**
 * The append-only file from outside: what was acknowledged survives a kill, redis-server starts from what Tandem wrote and
 * the other way round, rewriting does not disturb writes, and what is wrong with files and disks is told and survived.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import type { RedisPeer } from '../support/redis.ts'
import { field, follow, sameData, wires, write, writes } from '../support/replicas.ts'
import { temporaryDirectory } from '../support/server-process.ts'
import { startServer, startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connect, isError, type Wire } from '../support/wire.ts'

const file = fileCleanup()
const ON = ['--appendonly', 'yes']
const ALWAYS = [...ON, '--appendfsync', 'always']

const digest = (wire: Wire) => wire.must('DEBUG', 'DIGEST')

async function only(server: RedisPeer): Promise<Wire> {
  return ((await wires(server)) as [Wire])[0]
}

function manifest(server: RedisPeer): string {
  return readFileSync(join(server.dir, 'appendonlydir', 'appendonly.aof.manifest'), 'utf8')
}

/** The last increment that is written to. */
function increment(server: RedisPeer): string {
  const name = manifest(server).trim().split('\n').at(-1)!.split(' ')[1]!
  return join(server.dir, 'appendonlydir', name)
}

async function rewritten(wire: Wire): Promise<void> {
  await waitUntil(async () => (await field(wire, 'persistence', 'aof_rewrite_in_progress')) === '0', {
    timeoutMs: 20_000,
    what: 'the end of the rewrite',
  })
}

/** Something of each type, small and large. */
function everything(): (string | number)[][] {
  const commands: (string | number)[][] = [
    ['SELECT', 0],
    ['SET', 'text', 'a value'],
    ['SET', 'expires', 1, 'PX', 3_600_000],
    ['SADD', 'integers', 3, 1, 2],
    ['SADD', 'mixed', 3, 'x'],
    ['HSET', 'hash', 'field', 'value', 'number', 12],
    ['ZADD', 'scores', 1.5, 'a', '-inf', 'b', 3, 'c'],
    ['RPUSH', 'list', 'a', 'b', 7],
    ['SELECT', 5],
    ['SET', 'other', 'database'],
  ]
  for (let i = 0; i < 300; i++) {
    commands.push(['RPUSH', 'long list', `element ${i}`], ['SADD', 'large set', `member ${i}`])
    commands.push(['HSET', 'large hash', `field ${i}`, `value ${'v'.repeat(i)}`])
    commands.push(['ZADD', 'large zset', i / 7, `member ${i}`], ['SADD', 'large intset', i * 1000])
  }
  commands.push(['XADD', 'stream', '1-1', 'f', 'v', 'g', 'w'], ['XADD', 'stream', '2-1', 'f', 'v2'])
  commands.push(['XADD', 'stream', '3-1', 'other', 'x'], ['XDEL', 'stream', '3-1'])
  commands.push(['XGROUP', 'CREATE', 'stream', 'group', '0'], ['XGROUP', 'CREATECONSUMER', 'stream', 'group', 'idle'])
  commands.push(['XREADGROUP', 'GROUP', 'group', 'alice', 'COUNT', 1, 'STREAMS', 'stream', '>'])
  commands.push(['XADD', 'gone', '5-5', 'f', 'v'], ['XDEL', 'gone', '5-5'], ['SELECT', 0])
  return commands
}

describe('what was acknowledged', () => {
  it('survives kill -9 with appendfsync always', async () => {
    const tandem = await startTandem(file, { args: ALWAYS })
    const clients = (await wires(tandem, tandem, tandem)) as Wire[]
    const acknowledged = clients.map(() => 0)
    const load = clients.map(async (wire, i) => {
      for (;;) {
        try {
          const reply = await wire.send('INCR', `counter:${i}`)
          if (typeof reply === 'number' || typeof reply === 'bigint') acknowledged[i] = Number(reply)
        } catch {
          return
        }
      }
    })
    await waitUntil(() => acknowledged.every((n) => n > 100), { timeoutMs: 20_000, what: 'writes' })
    await tandem.kill9()
    await Promise.all(load)
    await tandem.start()
    const wire = await only(tandem)
    for (const [i, n] of acknowledged.entries()) {
      const kept = Number(await wire.must('GET', `counter:${i}`))
      assert.ok(kept >= n && kept <= n + 1, `counter ${i}: ${kept} of ${n}`)
    }
  })

  it('is in the file before the reply, whatever appendfsync says', async () => {
    for (const policy of ['everysec', 'no']) {
      const tandem = await startTandem(file, { args: [...ON, '--appendfsync', policy] })
      const wire = await only(tandem)
      await write(wire, writes(41, 2000))
      const before = await digest(wire)
      await tandem.kill9()
      await tandem.start()
      assert.equal(await digest(await only(tandem)), before)
      await tandem.stop()
    }
  })
})

describe('a directory', () => {
  for (const [writer, reader] of [
    ['tandem', 'redis'],
    ['redis', 'tandem'],
  ] as const) {
    for (const preamble of ['yes', 'no']) {
      it(`that ${writer} wrote starts ${reader} (aof-use-rdb-preamble ${preamble})`, async () => {
        const dir = temporaryDirectory('aof')
        const args = [...ON, '--aof-use-rdb-preamble', preamble]
        const first = await startServer(file, writer, { args, dir })
        let wire = await only(first)
        await write(wire, [...writes(42, 2000), ...everything()])
        await wire.must('BGREWRITEAOF')
        await rewritten(wire)
        await write(wire, writes(43, 500))
        const wanted = await digest(wire)
        await first.stop()
        const second = await startServer(file, reader, { args, dir })
        wire = await only(second)
        assert.equal(await digest(wire), wanted)
        await wire.must('SET', 'of the second', 1)
        await wire.must('BGREWRITEAOF')
        await rewritten(wire)
        const again = await digest(wire)
        await second.stop()
        await first.start()
        assert.equal(await digest(await only(first)), again)
        await first.stop()
      })
    }
  }

  it('with a file of before there were parts is taken over', async () => {
    const dir = temporaryDirectory('aof')
    appendFileSync(join(dir, 'appendonly.aof'), '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n')
    const tandem = await startTandem(file, { args: ON, dir })
    assert.equal(await (await only(tandem)).must('GET', 'a'), '1')
    assert.ok(!existsSync(join(dir, 'appendonly.aof')))
    assert.match(
      manifest(tandem),
      /^file appendonly\.aof seq 1 type b\nfile appendonly\.aof\.1\.incr\.aof seq 1 type i\n$/,
    )
  })
})

describe('rewriting', () => {
  for (const preamble of ['yes', 'no']) {
    it(`goes on while writes come (aof-use-rdb-preamble ${preamble}), and what it leaves is all of the data`, async () => {
      const tandem = await startTandem(file, { args: [...ON, '--aof-use-rdb-preamble', preamble] })
      const [wire, writer] = (await wires(tandem, tandem)) as [Wire, Wire]
      await write(wire, [...writes(44, 5000), ...everything()])
      await wire.must('CONFIG', 'SET', 'rdb-key-save-delay', 100)
      assert.match(String(await wire.must('BGREWRITEAOF')), /started/)
      assert.equal(await field(wire, 'persistence', 'aof_rewrite_in_progress'), '1')
      await write(writer, writes(45, 5000))
      assert.ok(isError(await wire.send('BGREWRITEAOF')))
      await wire.must('CONFIG', 'SET', 'rdb-key-save-delay', 0)
      await rewritten(wire)
      await write(writer, writes(46, 500))
      const wanted = await digest(wire)
      await wire.must('DEBUG', 'LOADAOF')
      assert.equal(await digest(wire), wanted)
      assert.match(manifest(tandem), /^file .*\.2\.base\.(rdb|aof) seq 2 type b\nfile .*\.2\.incr\.aof seq 2 type i\n$/)
      await waitUntil(() => readdirSync(join(tandem.dir, 'appendonlydir')).length === 3, {
        timeoutMs: 5000,
        what: 'the history to go',
      })
      await tandem.kill9()
      await tandem.start()
      assert.equal(await digest(await only(tandem)), wanted)
    })
  }

  it('keeps the data set of its instant when FLUSHALL comes in between', async () => {
    const tandem = await startTandem(file, { args: ON })
    const wire = await only(tandem)
    await write(wire, [...writes(47, 3000), ...everything()])
    await wire.must('CONFIG', 'SET', 'rdb-key-save-delay', 1000)
    await wire.must('BGREWRITEAOF')
    await wire.must('FLUSHALL')
    await write(wire, writes(48, 300))
    await wire.must('CONFIG', 'SET', 'rdb-key-save-delay', 0)
    await rewritten(wire)
    assert.equal(await field(wire, 'persistence', 'aof_last_bgrewrite_status'), 'ok')
    const wanted = await digest(wire)
    await tandem.kill9()
    await tandem.start()
    assert.equal(await digest(await only(tandem)), wanted)
  })

  it('starts by itself when the file has grown', async () => {
    const args = [...ON, '--auto-aof-rewrite-min-size', '10kb', '--auto-aof-rewrite-percentage', '100']
    const tandem = await startTandem(file, { args })
    const wire = await only(tandem)
    await write(wire, writes(49, 3000))
    await waitUntil(async () => Number(await field(wire, 'persistence', 'aof_rewrites')) > 0, {
      timeoutMs: 10_000,
      what: 'a rewrite',
    })
    assert.match(tandem.logs(), /Starting automatic rewriting of AOF on \d+% growth/)
    await rewritten(wire)
    assert.ok(Number(await field(wire, 'persistence', 'aof_base_size')) > 0)
  })

  it('that fails leaves a chain of increments, which loads', async () => {
    const tandem = await startTandem(file, { args: ON })
    const wire = await only(tandem)
    const inTheWay = join(tandem.dir, 'appendonlydir', 'appendonly.aof.2.base.rdb')
    mkdirSync(inTheWay)
    for (let i = 0; i < 2; i++) {
      await wire.must('INCR', 'rounds')
      await wire.must('BGREWRITEAOF')
      await rewritten(wire)
    }
    await wire.must('INCR', 'rounds')
    assert.equal(await field(wire, 'persistence', 'aof_last_bgrewrite_status'), 'err')
    assert.equal(await field(wire, 'persistence', 'aof_rewrites_consecutive_failures'), '2')
    assert.equal(manifest(tandem).split('\n').length, 5)
    await wire.must('DEBUG', 'LOADAOF')
    assert.equal(await wire.must('GET', 'rounds'), '3')
    rmdirSync(inTheWay)
    await wire.must('BGREWRITEAOF')
    await rewritten(wire)
    assert.equal(manifest(tandem).split('\n').length, 3)
    assert.equal(await field(wire, 'persistence', 'aof_last_bgrewrite_status'), 'ok')
  })

  it('is what CONFIG SET appendonly yes begins with', async () => {
    const tandem = await startTandem(file)
    const wire = await only(tandem)
    await write(wire, [...writes(50, 3000), ...everything()])
    await wire.must('CONFIG', 'SET', 'rdb-key-save-delay', 500)
    await wire.must('CONFIG', 'SET', 'appendonly', 'yes')
    await write(wire, writes(51, 1000))
    assert.ok(!existsSync(join(tandem.dir, 'appendonlydir', 'appendonly.aof.manifest')))
    assert.ok(isError(await wire.send('SHUTDOWN')), 'the first base is not there yet')
    await wire.must('CONFIG', 'SET', 'rdb-key-save-delay', 0)
    await rewritten(wire)
    const wanted = await digest(wire)
    await wire.must('CONFIG', 'SET', 'appendonly', 'no')
    assert.equal(await field(wire, 'persistence', 'aof_enabled'), '0')
    await wire.must('FLUSHALL')
    await wire.must('DEBUG', 'LOADAOF')
    assert.equal(await digest(wire), wanted)
  })
})

describe('a file that is cut off', () => {
  async function cut(args: string[]) {
    const tandem = await startTandem(file, { args: [...ON, ...args] })
    const wire = await only(tandem)
    await wire.must('SET', 'whole', 1)
    await tandem.stop()
    const size = statSync(increment(tandem)).size
    appendFileSync(increment(tandem), '*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$5\r\n12')
    return { tandem, size }
  }

  it('is loaded up to there, and goes on from there', async () => {
    const { tandem, size } = await cut([])
    await tandem.start()
    assert.equal(statSync(increment(tandem)).size, size)
    assert.match(tandem.logs(), /!!! Warning: short read while loading the AOF file appendonly\.aof\.1\.incr\.aof!!!/)
    await (await only(tandem)).must('INCR', 'whole')
    await tandem.restart()
    assert.equal(await (await only(tandem)).must('GET', 'whole'), '2')
  })

  it('is refused without aof-load-truncated', async () => {
    const { tandem } = await cut(['--aof-load-truncated', 'no'])
    await assert.rejects(tandem.start(), /Unexpected end of file reading the append only file/)
  })

  it('is refused when it is not the end that is wrong', async () => {
    const { tandem } = await cut([])
    appendFileSync(increment(tandem), '3xx!!!!\r\n')
    await assert.rejects(tandem.start(), /Bad file format reading the append only file/)
  })
})

describe('a replica', () => {
  for (const primary of ['redis', 'tandem'] as const) {
    it(`of ${primary} writes its primary's data set and what comes after it into its own file`, async () => {
      const first = await startServer(file, primary)
      const tandem = await startTandem(file, { args: ON })
      const [source, replica] = (await wires(first, tandem)) as [Wire, Wire]
      await replica.must('SET', 'old', 1)
      await write(source, [...writes(52, 2000), ...everything()])
      await follow(replica, first.port)
      await rewritten(replica)
      await write(source, [...writes(53, 1000), ['PUBLISH', 'channel', 'message']])
      await sameData(source, replica)
      const wanted = await digest(replica)
      assert.doesNotMatch(readFileSync(increment(tandem), 'latin1'), /PUBLISH|PING|REPLCONF/)
      await replica.must('REPLICAOF', 'NO', 'ONE')
      await tandem.kill9()
      await tandem.start()
      assert.equal(await digest(await only(tandem)), wanted)
    })
  }
})

describe('a primary', () => {
  it('feeds its file and its replica, and each only what is for it', async () => {
    const tandem = await startTandem(file, { args: ALWAYS })
    const redis = await startServer(file, 'redis')
    const [wire, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await write(wire, writes(54, 500))
    await follow(replica, tandem.port)
    await write(wire, [...writes(55, 1000), ...everything(), ['PUBLISH', 'channel', 'message']])
    await sameData(wire, replica)
    const script = `
      redis.set_repl(redis.REPL_AOF)
      redis.call('SET', 'for the file', 1)
      redis.set_repl(redis.REPL_REPLICA)
      redis.call('SET', 'for the replica', 1)
      redis.set_repl(redis.REPL_NONE)
      redis.call('SET', 'for nobody', 1)
      redis.set_repl(redis.REPL_ALL)
      redis.call('SET', 'for both', 1)`
    await wire.must('EVAL', script, 0)
    await waitUntil(async () => (await replica.must('EXISTS', 'for both')) === 1, {
      timeoutMs: 5000,
      what: 'the script',
    })
    const keys = ['for the file', 'for the replica', 'for nobody', 'for both']
    const has = async (on: Wire) => Promise.all(keys.map((key) => on.must('EXISTS', key)))
    assert.deepEqual(await has(wire), [1, 1, 1, 1])
    assert.deepEqual(await has(replica), [0, 1, 0, 1])
    assert.doesNotMatch(readFileSync(increment(tandem), 'latin1'), /PUBLISH/)
    await wire.must('DEL', ...keys)
    const wanted = await digest(wire)
    await wire.must('EVAL', script, 0)
    await tandem.kill9()
    await tandem.start()
    const again = await only(tandem)
    assert.deepEqual(await has(again), [1, 0, 0, 1])
    await again.must('DEL', ...keys)
    assert.equal(await digest(again), wanted)
  })
})

describe('a full disk', () => {
  function smallDisk(): string {
    const dir = mkdtempSync(join(tmpdir(), 'tandem-full-aof-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', dir])
    file.after(async () => {
      execFileSync('umount', ['-l', dir])
    })
    return dir
  }

  it('makes writes refused until there is room again', async () => {
    const dir = smallDisk()
    const tandem = await startTandem(file, { args: ON, dir })
    const wire = await only(tandem)
    const ballast = join(dir, 'ballast')
    await wire.must('SET', 'kept', 1)
    appendFileSync(ballast, Buffer.alloc(90 * 1024))
    // The write that finds the disk full is acknowledged, and still in memory.
    await wire.send('SET', 'big', 'x'.repeat(60_000))
    await waitUntil(async () => (await field(wire, 'persistence', 'aof_last_write_status')) === 'err', {
      timeoutMs: 5000,
      what: 'a failed write',
    })
    assert.match(
      JSON.stringify(await wire.send('SET', 'a', 1)),
      /MISCONF Errors writing to the AOF file: No space left/,
    )
    assert.equal(await wire.must('GET', 'kept'), '1')
    execFileSync('rm', [ballast])
    await waitUntil(async () => !isError(await wire.send('SET', 'b', 1)), { timeoutMs: 5000, what: 'writes again' })
    assert.match(tandem.logs(), /AOF write error looks solved, Redis can write again\./)
    const wanted = await digest(wire)
    await tandem.kill9()
    await tandem.start()
    assert.equal(await digest(await only(tandem)), wanted)
  })

  it('ends the server with appendfsync always, and what was acknowledged is there', async () => {
    const dir = smallDisk()
    const tandem = await startTandem(file, { args: ALWAYS, dir })
    const wire = await connect(tandem.port)
    await wire.must('SET', 'kept', 1)
    await assert.rejects(wire.send('SET', 'big', 'x'.repeat(200_000)))
    await waitUntil(() => !tandem.running, { timeoutMs: 5000, what: 'the server to end' })
    assert.match(tandem.logs(), /Can't recover from AOF write error when the AOF fsync policy is 'always'\. Exiting/)
    await tandem.start()
    const again = await only(tandem)
    assert.equal(await again.must('GET', 'kept'), '1')
    assert.equal(await again.must('EXISTS', 'big'), 0)
  })
})
