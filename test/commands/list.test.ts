/** Commands on lists against redis-server, packed and not: replies to the byte, datasets, blocking, and what is propagated. */
import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import { differential, type Step, startPair } from '../support/differential.ts'
import { comparePropagation } from '../support/propagation.ts'
import { startServer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { type Argument, type Command, connectFor, type Wire } from '../support/wire.ts'
import { LIST_MAKERS } from './makers-list.ts'
import { randomSteps } from './random-steps.ts'

suite('list commands against redis-server', () => {
  before(() => startPair())

  for (const seed of [1, 2, 3, 4]) {
    test(`commands at random, seed ${seed}`, (t) => differential(t, () => randomSteps(seed, 4000, LIST_MAKERS)))
  }

  for (const size of [1, 3, -1]) {
    test(`nodes of list-max-listpack-size ${size}`, async (t) => {
      const set: Step[] = [`CONFIG SET list-max-listpack-size ${size}`]
      const reset: Step[] = ['CONFIG SET list-max-listpack-size -2']
      await differential(t, () => [...set, ...randomSteps(size + 10, 2000, LIST_MAKERS), ...reset])
    })
  }

  test('a long list', async (t) => {
    const steps: Step[] = []
    for (let i = 0; i < 5000; i++) steps.push([i % 3 === 0 ? 'LPUSH' : 'RPUSH', 'long', `element:${i}`, i])
    for (const at of [0, 1, 4999, 5000, 9999, 10_000, -1, -10_000, -10_001]) {
      steps.push(['LINDEX', 'long', at], ['LRANGE', 'long', at, at + 20], ['LSET', 'long', at, `set:${at}`])
      steps.push(['LINSERT', 'long', 'BEFORE', `set:${at}`, 'new'], ['LPOS', 'long', `set:${at}`])
    }
    steps.push('LLEN long', 'LREM long 2 new', 'LREM long -2 new', 'LREM long 0 new', 'LRANGE long 0 -1')
    steps.push('LTRIM long 1000 -1000', 'LRANGE long 0 -1', 'COPY long copy', 'LTRIM long 0 5', 'LRANGE long 0 -1')
    steps.push('LRANGE copy 0 -1', 'LPOP copy 4000', 'RPOP copy 5000', 'EXISTS copy', 'LTRIM long 5 1', 'EXISTS long')
    steps.push(
      ['RPUSH', 'huge', 'x'.repeat(100_000), 'y', 'z'.repeat(70_000)],
      'LRANGE huge 0 -1',
      'LPOP huge',
      'LLEN huge',
    )
    await differential(t, steps)
  })

  test('errors', async (t) => {
    const onString = [
      ...['LPUSH string x', 'RPUSH string x', 'LPUSHX string x', 'LPOP string', 'RPOP string 2', 'LLEN string'],
      ...[
        'LRANGE string 0 1',
        'LINDEX string 0',
        'LSET string 0 x',
        'LREM string 0 x',
        'LTRIM string 0 1',
        'LPOS string x',
      ],
      ...['LINSERT string BEFORE a b', 'LMOVE string l LEFT LEFT', 'LMOVE l string LEFT LEFT', 'RPOPLPUSH string l'],
      ...[
        'RPOPLPUSH l string',
        'LMPOP 1 string LEFT',
        'BLPOP string 1',
        'BLMPOP 1 1 string LEFT',
        'BLPOP missing string 1',
      ],
      ...[
        'BLMOVE string l LEFT LEFT 1',
        'BLMOVE l string LEFT LEFT 1',
        'BRPOPLPUSH string l 1',
        'LPOS string x COUNT 1',
      ],
    ]
    await differential(t, [
      'SET string x',
      'RPUSH l a b c a b c',
      ...onString,
      ...[
        'LPOP l x',
        'LPOP l -1',
        'LPOP l 1 2',
        'LPOP l 0',
        'LPOP missing',
        'LPOP missing 1',
        'LPOP missing 0',
        'RPOP l 9999999999999999999',
      ],
      ...['LRANGE l x 1', 'LRANGE l 0 x', 'LRANGE missing 0 -1', 'LINDEX l x', 'LINDEX missing x', 'LINDEX missing 0'],
      ...[
        'LSET l x y',
        'LSET l 6 y',
        'LSET l -7 y',
        'LSET missing 0 y',
        'LSET missing x y',
        'LREM l x y',
        'LREM missing 0 y',
      ],
      ...[
        'LTRIM l x 1',
        'LTRIM missing 0 1',
        'LINSERT l NEAR a b',
        'LINSERT missing BEFORE a b',
        'LINSERT l BEFORE zz b',
      ],
      ...[
        'LPOS l a RANK 0',
        'LPOS l a RANK x',
        'LPOS l a COUNT -1',
        'LPOS l a MAXLEN -1',
        'LPOS l a NOPE 1',
        'LPOS l a RANK',
      ],
      ...['LPOS missing a', 'LPOS missing a COUNT 1', 'LPOS l zz', 'LPOS l zz COUNT 2'],
      ...[
        'LMOVE l l UP LEFT',
        'LMOVE l l LEFT UP',
        'LMOVE missing l LEFT LEFT',
        'RPOPLPUSH missing l',
        'LMOVE l l LEFT',
      ],
      ...[
        'LMPOP 0 l LEFT',
        'LMPOP x l LEFT',
        'LMPOP 2 l LEFT',
        'LMPOP 1 l UP',
        'LMPOP 1 l LEFT COUNT 0',
        'LMPOP 1 l LEFT COUNT x',
      ],
      ...[
        'LMPOP 1 l LEFT COUNT 1 COUNT 1',
        'LMPOP 1 l LEFT COUNT',
        'LMPOP 1 missing LEFT',
        'LMPOP 3 missing l l RIGHT COUNT 2',
      ],
      ...[
        'BLPOP l x',
        'BLPOP l -1',
        'BLPOP l inf',
        'BLPOP l nan',
        'BLPOP l 1e400',
        'BLPOP l 0x7FFFFFFFFFFFFF',
        'BLPOP missing 0.01',
      ],
      ...[
        'BLMPOP x 1 l LEFT',
        'BLMPOP -1 1 l LEFT',
        'BLMPOP 1 0 l LEFT',
        'BLMPOP 0.01 1 missing LEFT',
        'BLMPOP 1 1 l LEFT COUNT 2',
      ],
      ...[
        'BLMOVE l l LEFT LEFT x',
        'BLMOVE l l UP LEFT 1',
        'BRPOPLPUSH l l -1',
        'BLMOVE missing l LEFT LEFT 0.01',
        'BRPOPLPUSH missing l 0.01',
      ],
      ...[
        'MULTI',
        'BLPOP missing 0',
        'BLMOVE missing l LEFT LEFT 0',
        'BRPOPLPUSH missing l 0',
        'BLMPOP 0 1 missing LEFT',
        'EXEC',
      ],
      'LRANGE l 0 -1',
    ])
  })

  test('propagation', async (t) => {
    await comparePropagation(t, [
      ['RPUSH', 'l', 'a', 'b', 'c', 'd', 'e', 'f', 'g'],
      ['LPUSHX', 'missing', 'a'],
      ['BLPOP', 'l', '0'],
      ['BRPOP', 'missing', 'l', '0'],
      ['BLMOVE', 'l', 'm', 'LEFT', 'RIGHT', '0'],
      ['BRPOPLPUSH', 'l', 'm', '0'],
      ['LMOVE', 'l', 'l', 'LEFT', 'RIGHT'],
      ['LMPOP', '2', 'missing', 'l', 'LEFT', 'COUNT', '2'],
      ['BLMPOP', '0', '2', 'missing', 'm', 'RIGHT', 'COUNT', '9'],
      ['LPOP', 'l', '0'],
      ['LPOP', 'missing'],
      ['LTRIM', 'l', '0', '-1'],
      ['LREM', 'l', '0', 'zz'],
      ['LSET', 'l', '0', 'y'],
      ['RPOP', 'l', '9'],
    ])
  })
})

async function blockedClients(wire: Wire): Promise<number> {
  return Number(/blocked_clients:(\d+)/.exec(String(await wire.must('INFO', 'clients')))![1])
}

for (const kind of ['redis', 'tandem'] as const) {
  suite(`clients that wait for lists (${kind})`, () => {
    test('are served in the order in which they came', async (t) => {
      const server = await startServer(t, kind)
      const wires = await Promise.all([1, 2, 3, 4].map(() => connectFor(t, server.port)))
      const [watcher, a, b, c] = wires as [Wire, Wire, Wire, Wire]
      const answers: unknown[] = []
      for (const [wire, command] of [
        [a, ['BLPOP', 'list', '0']],
        [b, ['BLMOVE', 'list', 'other', 'RIGHT', 'LEFT', '0']],
        [c, ['BLMPOP', '0', '1', 'list', 'LEFT', 'COUNT', '5']],
      ] as [Wire, Command][]) {
        const before = await blockedClients(watcher)
        answers.push(wire.send(...(command as [string, ...Argument[]])))
        await waitUntil(async () => (await blockedClients(watcher)) === before + 1)
      }
      assert.equal(await watcher.must('RPUSH', 'list', '1', '2', '3', '4'), 4)
      assert.deepEqual(await Promise.all(answers), [['list', '1'], '4', ['list', ['2', '3']]])
      assert.deepEqual(await watcher.must('LRANGE', 'other', '0', '-1'), ['4'])
      assert.equal(await watcher.must('EXISTS', 'list'), 0)
    })

    test('wait on when the key becomes something else, and get an error from their destination', async (t) => {
      const server = await startServer(t, kind)
      const [watcher, a] = (await Promise.all([1, 2].map(() => connectFor(t, server.port)))) as [Wire, Wire]
      await watcher.must('SET', 'string', 'x')
      const answer = a.send('BLMOVE', 'list', 'string', 'LEFT', 'LEFT', '0')
      await waitUntil(async () => (await blockedClients(watcher)) === 1)
      await watcher.must('SADD', 'list', 'member')
      await watcher.must('DEL', 'list')
      assert.equal(await blockedClients(watcher), 1)
      await watcher.must('RPUSH', 'list', '1')
      assert.deepEqual(await answer, { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' })
      assert.deepEqual(await watcher.must('LRANGE', 'list', '0', '-1'), ['1'])
    })
  })
}
