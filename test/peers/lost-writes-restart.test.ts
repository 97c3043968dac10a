/** A former primary that was restarted before it follows its successor keeps its last writes all the same. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { inspect } from 'node:util'
import type { RedisPeer } from '../support/redis.ts'
import { startRedis } from '../support/redis.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { field, follow, linkUp, sameData, wires } from '../support/replicas.ts'
import { type ServerKind, startServer, startTandem, type TandemPeer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connect, encodeCommand, type Wire } from '../support/wire.ts'

type Command = (string | number)[]

interface Group {
  tandem: TandemPeer
  other: RedisPeer
  relay: Relay
  primary: Wire
  replica: Wire
}

/** A primary whose replica has acknowledged the key `shared` in database 3, and hears nothing from then on. */
async function cutGroup(t: TestContext, kind: ServerKind, args: string[] = []): Promise<Group> {
  const tandem = await startTandem(t, { args: ['--shutdown-timeout', '0', ...args] })
  const other = await startServer(t, kind)
  const relay = await startRelay(t, tandem.port)
  const [primary, replica] = (await wires(tandem, other)) as [Wire, Wire]
  await follow(replica, relay.port)
  await primary.must('SELECT', 3)
  await primary.must('SET', 'shared', '1')
  assert.equal(await primary.must('WAIT', 1, 5000), 1)
  await acknowledgedAll(primary)
  relay.freeze()
  return { tandem, other, relay, primary, replica }
}

async function acknowledgedAll(primary: Wire): Promise<void> {
  await waitUntil(
    async () => {
      const offset = /offset=(\d+)/.exec(await field(primary, 'replication', 'slave0'))?.[1]
      return offset === (await field(primary, 'replication', 'master_repl_offset'))
    },
    { what: 'the replica to acknowledge everything' },
  )
}

const LOST: Command[] = [
  ['SET', 'lost:1', 'a value'],
  ['INCR', 'lost:2'],
  ['SELECT', '5'],
  ['RPUSH', 'lost:3', 'x', 'y'],
]

async function loseWrites(primary: Wire): Promise<void> {
  for (const command of LOST) await primary.must(...command)
}

async function shutDown(tandem: TandemPeer, primary: Wire): Promise<void> {
  primary.send('SHUTDOWN', 'SAVE', 'NOW').catch(() => undefined)
  await waitUntil(() => !tandem.running, { what: 'the primary to end' })
}

async function saveInBackground(primary: Wire): Promise<void> {
  const before = await field(primary, 'persistence', 'rdb_saves')
  await primary.must('BGSAVE')
  await waitUntil(
    async () =>
      (await field(primary, 'persistence', 'rdb_saves')) !== before &&
      (await field(primary, 'persistence', 'rdb_bgsave_in_progress')) === '0',
    { what: 'the background save' },
  )
}

function resp(commands: Command[]): string {
  return Buffer.concat(commands.map(encodeCommand)).toString('latin1')
}

function lostFiles(dir: string): string[] {
  return readdirSync(dir).filter((name) => name.startsWith('lost-writes'))
}

/** What the one file has, without the stream's own PINGs and the like. */
function lostIn(tandem: TandemPeer): string {
  const names = lostFiles(tandem.dir)
  assert.equal(names.length, 1, names.join(' '))
  assert.match(names[0]!, /^lost-writes-[0-9a-f]{40}-\d+\.resp$/)
  const text = readFileSync(join(tandem.dir, names[0]!), 'latin1')
  return text
    .replaceAll('*1\r\n$4\r\nPING\r\n', '')
    .replaceAll('*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n', '')
}

/** Where it is noted what each replica has of the append-only file. */
function notedIn(tandem: TandemPeer): string {
  return join(tandem.dir, 'appendonlydir', 'appendonly.aof.acknowledged')
}

async function promote({ replica }: Group): Promise<void> {
  await replica.must('REPLICAOF', 'NO', 'ONE')
  await replica.must('SELECT', 0)
  await replica.must('SET', 'new', '1')
}

/** The primary is started again when its replica has been promoted, does this, and follows it then. */
async function comesBack(group: Group, first: Command[] = []): Promise<Wire> {
  await promote(group)
  await group.tandem.start()
  const primary = await connect(group.tandem.port)
  for (const command of first) await primary.must(...command)
  await follow(primary, group.other.port)
  return primary
}

/** The data is the successor's, the lost writes are counted, and sent again they are there. */
async function checkKept(server: TandemPeer, primary: Wire, { other, replica }: Group, count: number): Promise<void> {
  await linkUp(primary)
  await sameData(replica, primary)
  assert.equal(await field(primary, 'replication', 'lost_writes'), String(count))
  const path = await field(primary, 'replication', 'lost_writes_last_file')
  assert.ok(existsSync(path), path)
  const metrics = await (await fetch(`http://127.0.0.1:${server.metricsPort}/metrics`)).text()
  assert.match(metrics, new RegExp(`^tandem_lost_writes_total ${count}$`, 'm'))
  execFileSync('redis-cli', ['-p', String(other.port), '--pipe'], { input: readFileSync(path) })
  await replica.must('SELECT', 3)
  assert.equal(await replica.must('GET', 'shared'), '1')
  assert.equal(await replica.must('GET', 'lost:1'), 'a value')
  await replica.must('SELECT', 5)
  assert.deepEqual(await replica.must('LRANGE', 'lost:3', 0, -1), ['x', 'y'])
}

for (const kind of ['redis', 'tandem'] as const) {
  describe(`a primary that was restarted before it follows a ${kind} server`, () => {
    it('has its last writes from its dump after SHUTDOWN', async (t) => {
      const group = await cutGroup(t, kind)
      await loseWrites(group.primary)
      await shutDown(group.tandem, group.primary)
      const primary = await comesBack(group)
      await checkKept(group.tandem, primary, group, 3)
      assert.equal(lostIn(group.tandem), resp([['SELECT', '3'], ...LOST]))
    })

    it('has those up to BGSAVE after kill -9, and those since the restart', async (t) => {
      const group = await cutGroup(t, kind)
      await loseWrites(group.primary)
      await saveInBackground(group.primary)
      await group.primary.must('SET', 'not saved', '1')
      await group.tandem.kill9()
      await group.tandem.start()
      const primary = await connect(group.tandem.port)
      await primary.must('SET', 'since', '1')
      // What was restored is saved again.
      await saveInBackground(primary)
      await group.tandem.kill9()
      const again = await comesBack(group, [['SET', 'since then', '1']])
      await checkKept(group.tandem, again, group, 5)
      const since: Command[] = [
        ['SELECT', '0'],
        ['SET', 'since', '1'],
        ['SELECT', '0'],
        ['SET', 'since then', '1'],
      ]
      assert.equal(lostIn(group.tandem), resp([['SELECT', '3'], ...LOST, ...since]))
    })

    it('has those of its second life, when its replica had all of the first and did not come back', async (t) => {
      const group = await cutGroup(t, kind)
      await saveInBackground(group.primary)
      await group.tandem.kill9()
      await group.tandem.start()
      const primary = await connect(group.tandem.port)
      await primary.must('SELECT', 3)
      await loseWrites(primary)
      await shutDown(group.tandem, primary)
      const again = await comesBack(group)
      await checkKept(group.tandem, again, group, 3)
      assert.equal(lostIn(group.tandem), resp([['SELECT', '3'], ...LOST]))
    })

    it('has them when it starts as a replica at once', async (t) => {
      const group = await cutGroup(t, kind, ['--sync-reads', 'yes'])
      await loseWrites(group.primary)
      await shutDown(group.tandem, group.primary)
      group.relay.cutAll()
      await promote(group)
      const { dir } = group.tandem
      const blocked = await startRelay(t, group.other.port)
      blocked.freeze()
      const args = ['--sync-reads', 'yes', '--replicaof', `127.0.0.1 ${blocked.port}`]
      const tandem = await startTandem(t, { dir, args })
      const primary = await connect(tandem.port)
      // What may be lost is not shown.
      await primary.must('SELECT', 3)
      assert.match(inspect(await primary.send('GET', 'lost:1')), /MASTERDOWN/)
      blocked.thaw()
      await checkKept(tandem, primary, group, 3)
      assert.equal(lostIn(tandem), resp([['SELECT', '3'], ...LOST]))
    })

    it('keeps nothing when all was acknowledged', async (t) => {
      const group = await cutGroup(t, kind)
      await shutDown(group.tandem, group.primary)
      const primary = await comesBack(group)
      await sameData(group.replica, primary)
      assert.deepEqual(lostFiles(group.tandem.dir), [])
      assert.equal(await field(primary, 'replication', 'lost_writes'), '')
    })
  })
}

describe('a primary with an append-only file that was killed before it follows its successor', () => {
  const AOF = ['--appendonly', 'yes']

  it('has its last writes from that file', async (t) => {
    const group = await cutGroup(t, 'redis', [...AOF, '--aof-timestamp-enabled', 'yes'])
    await loseWrites(group.primary)
    await group.tandem.kill9()
    const primary = await comesBack(group, [['SET', 'since', '1']])
    const lost = lostIn(group.tandem)
    // It may begin a little too early.
    assert.ok(lost.includes(resp(LOST)), lost)
    assert.ok(
      lost.endsWith(
        resp([
          ['SELECT', '0'],
          ['SET', 'since', '1'],
        ]),
      ),
      lost,
    )
    await checkKept(group.tandem, primary, group, Number(await field(primary, 'replication', 'lost_writes')))
  })

  it('has them when it starts as a replica at once, after one restart and another', async (t) => {
    const group = await cutGroup(t, 'tandem', AOF)
    const { dir } = group.tandem
    await loseWrites(group.primary)
    await group.tandem.kill9()
    await group.tandem.start()
    const primary = await connect(group.tandem.port)
    await primary.must('SET', 'since', '1')
    await group.tandem.kill9()
    group.relay.cutAll()
    await promote(group)
    const blocked = await startRelay(t, group.other.port)
    blocked.freeze()
    const args = [...AOF, '--sync-reads', 'yes', '--replicaof', `127.0.0.1 ${blocked.port}`]
    const tandem = await startTandem(t, { dir, args })
    const again = await connect(tandem.port)
    await again.must('SELECT', 3)
    assert.match(inspect(await again.send('GET', 'lost:1')), /MASTERDOWN/)
    blocked.thaw()
    await linkUp(again)
    const lost = lostIn(tandem)
    assert.ok(lost.includes(resp(LOST)), lost)
    assert.ok(
      lost.endsWith(
        resp([
          ['SELECT', '0'],
          ['SET', 'since', '1'],
        ]),
      ),
      lost,
    )
    await checkKept(tandem, again, group, Number(await field(again, 'replication', 'lost_writes')))
  })

  it('has what a rewrite took into its base', async (t) => {
    const group = await cutGroup(t, 'redis', AOF)
    await loseWrites(group.primary)
    await group.primary.must('BGREWRITEAOF')
    await waitUntil(async () => (await field(group.primary, 'persistence', 'aof_rewrite_in_progress')) === '0', {
      what: 'the rewrite',
    })
    await group.primary.must('SET', 'after', '1')
    await group.tandem.kill9()
    const primary = await comesBack(group)
    await checkKept(group.tandem, primary, group, 4)
    const after: Command[] = [
      ['SELECT', '5'],
      ['SET', 'after', '1'],
    ]
    assert.equal(lostIn(group.tandem), resp([['SELECT', '3'], ...LOST, ...after]))
  })

  it('has them from several parts when a rewrite was under way', async (t) => {
    const group = await cutGroup(t, 'tandem', AOF)
    await loseWrites(group.primary)
    await group.primary.must('CONFIG', 'SET', 'rdb-key-save-delay', '10000000')
    await group.primary.must('BGREWRITEAOF')
    await group.primary.must('SET', 'after', '1')
    assert.equal(await field(group.primary, 'persistence', 'aof_rewrite_in_progress'), '1')
    await group.tandem.kill9()
    const primary = await comesBack(group)
    const lost = lostIn(group.tandem)
    const after: Command[] = [
      ['SELECT', '5'],
      ['SET', 'after', '1'],
    ]
    assert.ok(lost.endsWith(resp([...LOST, ...after])), lost)
    await checkKept(group.tandem, primary, group, Number(await field(primary, 'replication', 'lost_writes')))
  })

  it('keeps nothing when all was acknowledged', async (t) => {
    const group = await cutGroup(t, 'redis', AOF)
    const noted = notedIn(group.tandem)
    const increment = join(group.tandem.dir, 'appendonlydir', 'appendonly.aof.1.incr.aof')
    await waitUntil(
      () => existsSync(noted) && readFileSync(noted, 'latin1').includes(` ${statSync(increment).size} `),
      {
        what: 'it to be noted that the replica has everything',
      },
    )
    await group.tandem.kill9()
    const primary = await comesBack(group)
    await sameData(group.replica, primary)
    assert.deepEqual(lostFiles(group.tandem.dir), [])
    await waitUntil(() => !existsSync(noted), { what: 'a replica to note nothing' })
  })
})

describe('what is saved of writes that were not acknowledged', () => {
  for (const args of [[], ['--appendonly', 'yes']]) {
    const where = args.length === 0 ? 'a dump' : 'an append-only file'
    it(`is their end when they are many, beside ${where}`, async (t) => {
      const group = await cutGroup(t, 'redis', args)
      const value = 'v'.repeat(1000)
      const noted = notedIn(group.tandem)
      let written = 0
      const writeSome = async () => {
        const keys = Array.from({ length: 500 }, (_, i) => ['SET', `many:${written + i}`, value])
        await group.primary.pipeline(keys)
        written += keys.length
        return written >= 2500 && (args.length === 0 || readFileSync(noted, 'latin1').endsWith(' 1\n'))
      }
      await waitUntil(writeSome, { what: 'more to be written than is kept' })
      await shutDown(group.tandem, group.primary)
      const primary = await comesBack(group)
      const count = Number(await field(primary, 'replication', 'lost_writes'))
      assert.ok(count > 500 && count < written, `${count} writes`)
      assert.match(group.tandem.logs(), /the oldest are no longer known/)
      const lost = lostIn(group.tandem)
      assert.ok(
        lost.startsWith(
          resp([
            ['SELECT', '3'],
            ['SET', `many:${written - count}`, value],
          ]),
        ),
        lost.slice(0, 200),
      )
      assert.ok(lost.endsWith(resp([['SET', `many:${written - 1}`, value]])))
    })
  }

  it('is ignored when it is damaged, and the data is there', async (t) => {
    const args = ['--rdbchecksum', 'no', '--rdbcompression', 'no']
    const group = await cutGroup(t, 'redis', args)
    await loseWrites(group.primary)
    await shutDown(group.tandem, group.primary)
    const dump = join(group.tandem.dir, 'dump.rdb')
    const bytes = readFileSync(dump)
    // The id that it begins with.
    const at = bytes.lastIndexOf('tandem-unacknowledged', bytes.indexOf('tandem-unacknowledged-stream') - 1)
    bytes.write('zzzz', at + 'tandem-unacknowledged'.length + 2, 'latin1')
    writeFileSync(dump, bytes)
    await group.tandem.start()
    assert.match(group.tandem.logs(), /not acknowledged is ignored/)
    const primary = await connect(group.tandem.port)
    await primary.must('SELECT', 3)
    assert.equal(await primary.must('GET', 'lost:1'), 'a value')
  })

  it('is ignored beside an append-only file when it is damaged', async (t) => {
    const group = await cutGroup(t, 'redis', ['--appendonly', 'yes'])
    await loseWrites(group.primary)
    await group.tandem.kill9()
    writeFileSync(notedIn(group.tandem), 'tandem what\n')
    await group.tandem.start()
    assert.match(group.tandem.logs(), /before the restart is not known/)
    const primary = await connect(group.tandem.port)
    await primary.must('SELECT', 3)
    assert.equal(await primary.must('GET', 'lost:1'), 'a value')
  })
})

describe('a dump with what was not acknowledged', () => {
  it('is read by redis-server and passes redis-check-rdb', async (t) => {
    const group = await cutGroup(t, 'redis')
    await loseWrites(group.primary)
    await group.primary.must('SET', 'large', 'x'.repeat(100_000))
    await group.primary.must('SAVE')
    const digest = await group.primary.must('DEBUG', 'DIGEST')
    const dump = join(group.tandem.dir, 'dump.rdb')
    assert.match(readFileSync(dump, 'latin1'), /tandem-unacknowledged/)
    assert.match(execFileSync('redis-check-rdb', [dump], { encoding: 'latin1' }), /RDB looks OK/)
    await group.tandem.kill9()
    const redis = await startRedis(t, { dir: group.tandem.dir })
    const wire = await connect(redis.port)
    assert.equal(await wire.must('DEBUG', 'DIGEST'), digest)
  })

  it('has nothing of it without a replica, and no commands when all have everything', async (t) => {
    const tandem = await startTandem(t)
    const [primary] = (await wires(tandem)) as [Wire]
    const dump = join(tandem.dir, 'dump.rdb')
    await primary.must('SET', 'a', '1')
    await primary.must('SAVE')
    assert.doesNotMatch(readFileSync(dump, 'latin1'), /tandem-/)
    const redis = await startRedis(t)
    const replica = await connect(redis.port)
    await follow(replica, tandem.port)
    await primary.must('SET', 'b', '1')
    assert.equal(await primary.must('WAIT', 1, 5000), 1)
    await primary.must('SAVE')
    assert.match(readFileSync(dump, 'latin1'), /tandem-unacknowledged/)
    assert.doesNotMatch(readFileSync(dump, 'latin1'), /tandem-unacknowledged-stream/)
  })
})
