/**
 * Values that change while a snapshot of them is under way: a redis-server that becomes a replica in the middle of many
 * commands, of which half are in its RDB and half in the stream, must end with the same data.
 */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startRedis } from '../support/redis.ts'
import { startTandem } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'
import { HASH_MAKERS } from './makers-hash.ts'
import { LIST_MAKERS } from './makers-list.ts'
import { SET_MAKERS } from './makers-set.ts'
import { SORTED_SET_MAKERS } from './makers-sorted-set.ts'
import { randomSteps } from './random-steps.ts'

const WRITES = /^([hl]|r|s|z)(set|push|rem|add|incr|del|trim|pop|move|insert|store|inter|union|diff)/i

suite('a replica that comes while values change', () => {
  for (const seed of [1]) {
    test(`has the same data in the end, seed ${seed}`, async (t) => {
      const tandem = await startTandem(t, { args: ['--rdb-key-save-delay', '200'] })
      const redis = await startRedis(t)
      const wire = await connectFor(t, tandem.port)
      const replica = await connectFor(t, redis.port)
      // Tables and long lists, and enough of them that the snapshot takes a while.
      for (let i = 0; i < 300; i++) {
        const many = Array.from({ length: 700 }, (_, j) => `m:${j}`)
        await wire.pipeline([
          ['RPUSH', `list:${i % 50}`, ...many],
          ['SADD', `set:${i}`, ...many],
          ['HSET', `hash:${i}`, ...many.flatMap((name) => [name, i])],
          // Packed, but too long for a record.
          ['HSET', `wide:${i}`, ...many.slice(0, 400).flatMap((name) => [`a field of the name ${name}`, i])],
          ['ZADD', `zset:${i}`, ...many.flatMap((name, j) => [j % 5, name])],
        ])
      }
      await replica.must('REPLICAOF', '127.0.0.1', tandem.port)
      const makers = [...HASH_MAKERS, ...LIST_MAKERS, ...SET_MAKERS, ...SORTED_SET_MAKERS]
      let batch: (string | Buffer | number)[][] = []
      let n = 0
      for (const command of randomSteps(seed, 30_000, makers)) {
        if (!WRITES.test(String(command[0]))) continue
        n++
        // Commands of which one too many or too few shows.
        const member = `m:${n % 700}`
        batch.push(command, ['ZINCRBY', `zset:${n % 300}`, 1, member], ['SREM', `set:${n % 300}`, member])
        batch.push(
          ['HINCRBY', `wide:${n % 300}`, `a field of the name m:${n % 400}`, 1],
          ['HINCRBY', `hash:${n % 300}`, member, 1],
          ['LPOP', `list:${n % 50}`],
          ['RPUSH', `list:${n % 50}`, n],
        )
        if (batch.length < 300) continue
        await wire.pipeline(batch)
        batch = []
      }
      const offset = async () => /master_repl_offset:(\d+)/.exec(String(await wire.must('INFO', 'replication')))![1]
      await waitUntil(async () => String(await replica.must('INFO', 'replication')).includes('master_link_status:up'), {
        timeoutMs: 60_000,
      })
      await waitUntil(
        async () => String(await replica.must('INFO', 'replication')).includes(`slave_repl_offset:${await offset()}`),
        { timeoutMs: 60_000 },
      )
      assert.equal(await replica.must('DEBUG', 'DIGEST'), await wire.must('DEBUG', 'DIGEST'))
    })
  }
})
