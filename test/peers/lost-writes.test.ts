/** A former primary keeps what its successor lacks in a file before it takes the successor's data. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, it } from 'node:test'
import { fileCleanup } from '../support/cleanup.ts'
import { startRedis } from '../support/redis.ts'
import { startRelay } from '../support/relay.ts'
import { field, linkUp, sameData, wires } from '../support/replicas.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { Wire } from '../support/wire.ts'

const file = fileCleanup()

describe('a primary that was replaced', () => {
  it('keeps its last writes as commands, and serves the data of its successor', async () => {
    const tandem = await startTandem(file)
    const redis = await startRedis(file)
    const relay = await startRelay(file, tandem.port)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await replica.must('REPLICAOF', '127.0.0.1', relay.port)
    await linkUp(replica)
    await primary.must('SET', 'shared', '1')
    assert.equal(await primary.must('WAIT', 1, 5000), 1)
    await waitUntil(async () => (await field(primary, 'replication', 'slave0')).includes('state=online'), {
      what: 'it',
    })
    relay.freeze()
    await primary.must('SET', 'lost:1', 'a value')
    await primary.must('INCR', 'lost:2')
    await primary.must('SELECT', 2)
    await primary.must('RPUSH', 'lost:3', 'x', 'y')
    await replica.must('REPLICAOF', 'NO', 'ONE')
    await replica.must('SET', 'new', '1')
    await primary.must('REPLICAOF', '127.0.0.1', redis.port)
    await linkUp(primary)
    await sameData(replica, primary)
    await primary.must('SELECT', 0)
    assert.equal(await primary.must('GET', 'lost:1'), null)
    assert.equal(await primary.must('GET', 'shared'), '1')
    assert.equal(await field(primary, 'replication', 'lost_writes'), '3')
    const path = await field(primary, 'replication', 'lost_writes_last_file')
    assert.match(basename(path), /^lost-writes-[0-9a-f]{40}-\d+\.resp$/)
    assert.match(readFileSync(path, 'latin1'), /lost:1\r\n\$7\r\na value/)
    const metrics = await (await fetch(`http://127.0.0.1:${tandem.metricsPort}/metrics`)).text()
    assert.match(metrics, /^tandem_lost_writes_total 3$/m)
    // As the log says, it can be sent again.
    execFileSync('redis-cli', ['-p', String(redis.port), '--pipe'], { input: readFileSync(path) })
    assert.equal(await replica.must('GET', 'lost:1'), 'a value')
    await replica.must('SELECT', 2)
    assert.equal(await replica.must('LLEN', 'lost:3'), 2)
  })

  it('keeps nothing when its successor has everything', async () => {
    const tandem = await startTandem(file)
    const redis = await startRedis(file)
    const [primary, replica] = (await wires(tandem, redis)) as [Wire, Wire]
    await replica.must('REPLICAOF', '127.0.0.1', tandem.port)
    await linkUp(replica)
    await primary.must('SET', 'a', '1')
    await sameData(primary, replica)
    // What it has without having said so would be kept.
    assert.equal(await primary.must('WAIT', 1, 5000), 1)
    await replica.must('REPLICAOF', 'NO', 'ONE')
    await primary.must('REPLICAOF', '127.0.0.1', redis.port)
    await linkUp(primary)
    assert.equal(await field(primary, 'replication', 'lost_writes'), '')
  })
})
