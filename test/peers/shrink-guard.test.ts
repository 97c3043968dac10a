/** An empty or shrunken primary does not wipe its replica; what an operator asks for is taken. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { field, follow, linkUp, sameData, wires, write, writes } from '../support/replicas.ts'
import { startServer, startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connect, type Wire } from '../support/wire.ts'

const file = fileCleanup()

describe('a replica whose primary comes back without its data', () => {
  for (const kind of ['redis', 'tandem'] as const) {
    it(`keeps its own (${kind}), says so, and takes the new data when REPLICAOF is repeated`, async () => {
      const server = await startServer(file, kind)
      const tandem = await startTandem(file, { args: ['--repl-timeout', '10'] })
      const [primary, replica] = (await wires(server, tandem)) as [Wire, Wire]
      await write(primary, writes(81, 3000))
      await follow(replica, server.port)
      await sameData(primary, replica)
      await replica.must('SELECT', 0)
      const digest = await replica.must('DEBUG', 'DIGEST')
      await server.kill9()
      await server.start()
      const empty = await connect(server.port)
      await empty.must('SET', 'only', 'key')
      await waitUntil(async () => (await field(replica, 'replication', 'master_sync_refused')) !== '', {
        timeoutMs: 20_000,
        what: 'the refusal',
      })
      assert.match(await field(replica, 'replication', 'master_sync_refused'), /^keys_here=\d{3,},keys_there=1,replid=/)
      assert.equal(await replica.must('DEBUG', 'DIGEST'), digest)
      assert.notEqual(await replica.must('DBSIZE'), 1)
      assert.match(tandem.logs(), /sync refused: the primary has 1 keys of a new history/)
      const metrics = await (await fetch(`http://127.0.0.1:${tandem.metricsPort}/metrics`)).text()
      assert.match(metrics, /^tandem_sync_refused 1$/m)
      await replica.must('REPLICAOF', '127.0.0.1', server.port)
      await linkUp(replica)
      await sameData(empty, replica)
      assert.equal(await field(replica, 'replication', 'master_sync_refused'), '')
    })
  }

  it('takes what has not shrunk that much, and everything with repl-guard-shrink 0', async () => {
    const server = await startTandem(file)
    const tandem = await startTandem(file)
    const [primary, replica] = (await wires(server, tandem)) as [Wire, Wire]
    for (let i = 0; i < 20; i++) await primary.must('SET', `key:${i}`, i)
    await follow(replica, server.port)
    await server.kill9()
    await server.start()
    let again = await connect(server.port)
    for (let i = 0; i < 3; i++) await again.must('SET', `key:${i}`, i)
    await linkUp(replica)
    await sameData(again, replica)
    await replica.must('CONFIG', 'SET', 'repl-guard-shrink', 0)
    await server.kill9()
    await server.start()
    again = await connect(server.port)
    await waitUntil(async () => (await replica.must('DBSIZE')) === 0, { timeoutMs: 20_000, what: 'the empty data set' })
    await linkUp(replica)
    await sameData(again, replica)
  })

  it('takes another primary that an operator names, however little it has', async () => {
    const large = await startTandem(file)
    const small = await startTandem(file)
    const tandem = await startTandem(file)
    const [first, second, replica] = (await wires(large, small, tandem)) as [Wire, Wire, Wire]
    await write(first, writes(82, 500))
    await follow(replica, large.port)
    await sameData(first, replica)
    await follow(replica, small.port)
    await sameData(second, replica)
    assert.equal(await replica.must('DBSIZE'), 0)
  })
})
