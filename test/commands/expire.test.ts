/** EXPIRE and its kin against redis-server: replies, overflow checks and conditions, and what is propagated. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { differential, type Step } from '../support/differential.ts'
import { attachReplica } from '../support/stream.ts'
import { startTandem } from '../support/tandem.ts'
import { type Command, connectFor } from '../support/wire.ts'

const COMMANDS = ['EXPIRE', 'PEXPIRE', 'EXPIREAT', 'PEXPIREAT']
/** Far enough that neither server's clock matters. */
const FAR_S = 9_999_999_999
const FAR_MS = FAR_S * 1000

/** Sent by a client of its own, so that what follows is a new batch and sees a later time. */
const PAUSE: Step = { client: 'pause', args: 'DEBUG SLEEP 0.005' }

suite('EXPIRE and its kin against redis-server', () => {
  test('times that are no times', async (t) => {
    const times = ['', 'x', '1.5', ' 1', '+1', '01', '9223372036854775808', '-9223372036854775809']
    const steps: Step[] = [['SET', 'key', 'value']]
    for (const name of COMMANDS) {
      for (const time of times) steps.push([name, 'key', time], [name, 'missing', time])
      steps.push([name, 'key'], [name, 'key', '1', 'NOPE'], [name, 'key', 'x', 'NOPE'])
    }
    steps.push(['TTL', 'key'])
    await differential(t, steps)
  })

  test('times at the limits of 64 bits', async (t) => {
    const limits = [
      '9223372036854775807',
      '9223372036854770000',
      '9223370399119966',
      '9223372036854776',
      '9223372036854775',
      '-9223372036854775808',
      '-9223372036854776',
      '-9223372036854775',
      '-9999999999999999',
      '-1',
      '0',
    ]
    const steps: Step[] = []
    for (const name of COMMANDS) {
      for (const time of limits) steps.push(['SET', 'key', 'value'], [name, 'key', time], ['EXISTS', 'key'])
    }
    await differential(t, steps)
  })

  test('absolute times are told as they were set', async (t) => {
    const steps: Step[] = []
    for (const time of [FAR_S, 4_102_444_800, 8_640_000_000_000]) {
      steps.push(['SET', 'key', 'value'], ['EXPIREAT', 'key', time], ['EXPIRETIME', 'key'], ['PEXPIRETIME', 'key'])
      steps.push(['PEXPIREAT', 'key', time * 1000 + 499], ['EXPIRETIME', 'key'], ['PEXPIRETIME', 'key'])
      steps.push(['PEXPIREAT', 'key', time * 1000 + 500], ['EXPIRETIME', 'key'], ['PERSIST', 'key'], ['PERSIST', 'key'])
    }
    for (const name of ['TTL', 'PTTL', 'EXPIRETIME', 'PEXPIRETIME', 'PERSIST']) {
      steps.push([name, 'key'], [name, 'missing'], [name])
    }
    await differential(t, steps)
  })

  test('times to live', async (t) => {
    const isNear = (expected: number, slack: number) => (answer: { reply: unknown }) => {
      const reply = Number(answer.reply)
      return reply <= expected && reply >= expected - slack ? 'near' : reply
    }
    await differential(t, ['SET key value', 'EXPIRE key 100', 'TTL key', 'PEXPIRE key 100000', 'PTTL key'], {
      normalise: { ttl: isNear(100, 1), pttl: isNear(100_000, 1000) },
    })
  })

  test('conditions', async (t) => {
    const conditions = ['NX', 'XX', 'GT', 'LT', 'nx', 'XX GT', 'XX LT', 'GT XX GT', 'NX NX']
    const refused = ['NX XX', 'NX GT', 'LT NX', 'GT LT', 'XX GT LT', 'NX NOPE', 'NOPE NX XX']
    const steps: Step[] = []
    for (const condition of [...conditions, ...refused]) {
      const options = condition.split(' ')
      for (const start of [0, FAR_MS - 5000, FAR_MS, FAR_MS + 5000]) {
        steps.push(['SET', 'key', 'value'])
        if (start > 0) steps.push(['PEXPIREAT', 'key', start])
        steps.push(['PEXPIREAT', 'key', FAR_MS, ...options], ['PEXPIRETIME', 'key'])
        steps.push(['EXPIREAT', 'key', FAR_S + 1, ...options], ['PEXPIRETIME', 'key'])
      }
      steps.push(['PEXPIREAT', 'missing', FAR_MS, ...options])
      steps.push(['SET', 'key', 'value'], ['EXPIRE', 'key', -10, ...options], ['EXISTS', 'key'])
      steps.push(['SET', 'key', 'value', 'PXAT', FAR_MS], ['EXPIRE', 'key', -10, ...options], ['EXISTS', 'key'])
    }
    await differential(t, steps)
  })

  test('keys past their time are gone for every command', async (t) => {
    const steps: Step[] = ['DEBUG SET-ACTIVE-EXPIRE 0']
    const asks: Command[] = [
      ['EXISTS', 'key'],
      ['TYPE', 'key'],
      ['TTL', 'key'],
      ['PERSIST', 'key'],
      ['EXPIRE', 'key', '100'],
      ['DEL', 'key'],
      ['RENAME', 'key', 'other'],
      ['COPY', 'key', 'other'],
      ['MOVE', 'key', '1'],
      ['DUMP', 'key'],
      ['OBJECT', 'ENCODING', 'key'],
      ['KEYS', '*'],
      ['SCAN', '0'],
      ['RANDOMKEY'],
      ['SORT', 'key'],
      ['TOUCH', 'key'],
    ]
    for (const ask of asks) steps.push(['SET', 'key', 'value', 'PX', 1], PAUSE, ask, 'DBSIZE')
    steps.push('DEBUG SET-ACTIVE-EXPIRE 1')
    await differential(t, steps, {
      // KEYS and SCAN look at what is there; whether the periodic work is faster is not the question.
      normalise: { scan: (answer) => (answer.reply as unknown[])[1] },
    })
  })
})

suite('what EXPIRE and its kin propagate', () => {
  test('one absolute time in milliseconds, with the conditions', async (t) => {
    const server = await startTandem(t)
    const wire = await connectFor(t, server.port)
    const stream = await attachReplica(server.port, {}, t)
    await wire.must('SET', 'key', 'value')
    await wire.must('EXPIRE', 'key', '100')
    await wire.must('PEXPIRE', 'key', '200000', 'GT')
    await wire.must('EXPIREAT', 'key', String(FAR_S), 'xx', 'gt')
    await wire.must('PEXPIREAT', 'key', String(FAR_MS + 1))
    await wire.must('EXPIRE', 'key', '1', 'NX')
    await wire.must('PERSIST', 'key')
    await wire.must('PERSIST', 'key')
    await wire.must('SET', 'end', '1')
    const seen = (await stream.waitForCommand('SET', 'end')).filter((args) => args[0] !== 'SELECT')
    const near = Date.now()
    const times = seen.splice(1, 2)
    assert.deepEqual(
      times.map((args) => args.toSpliced(2, 1)),
      [
        ['PEXPIREAT', 'key'],
        ['PEXPIREAT', 'key', 'GT'],
      ],
    )
    assert.ok(Math.abs(Number(times[0]![2]) - near - 100_000) < 10_000)
    assert.ok(Math.abs(Number(times[1]![2]) - near - 200_000) < 10_000)
    assert.deepEqual(seen, [
      ['SET', 'key', 'value'],
      ['PEXPIREAT', 'key', String(FAR_MS), 'xx', 'gt'],
      ['PEXPIREAT', 'key', String(FAR_MS + 1)],
      ['PERSIST', 'key'],
      ['SET', 'end', '1'],
    ])
  })

  test('a time in the past as DEL, or UNLINK if values are freed later', async (t) => {
    const server = await startTandem(t)
    const wire = await connectFor(t, server.port)
    const stream = await attachReplica(server.port, {}, t)
    await wire.must('SET', 'a', 'value')
    await wire.must('EXPIRE', 'a', '-1')
    await wire.must('CONFIG', 'SET', 'lazyfree-lazy-expire', 'yes')
    await wire.must('SET', 'b', 'value')
    await wire.must('PEXPIREAT', 'b', '1')
    await wire.must('SET', 'end', '1')
    const seen = (await stream.waitForCommand('SET', 'end')).filter((args) => args[0] !== 'SELECT')
    assert.deepEqual(seen, [
      ['SET', 'a', 'value'],
      ['DEL', 'a'],
      ['SET', 'b', 'value'],
      ['UNLINK', 'b'],
      ['SET', 'end', '1'],
    ])
  })

  test('a key past its time that is looked at, as DEL', async (t) => {
    const server = await startTandem(t)
    const wire = await connectFor(t, server.port)
    const stream = await attachReplica(server.port, {}, t)
    await wire.must('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
    for (const key of ['a', 'b', 'c']) await wire.must('SET', key, 'value', 'PX', '1')
    await wire.must('DEBUG', 'SLEEP', '0.01')
    stream.clear()
    assert.equal(await wire.must('GET', 'a'), null)
    // KEYS only passes them over; SCAN removes what it would have returned.
    assert.deepEqual(await wire.must('KEYS', '*'), [])
    assert.deepEqual(await wire.must('SCAN', '0'), ['0', []])
    await wire.must('SET', 'end', '1')
    const seen = (await stream.waitForCommand('SET', 'end')).filter((args) => args[0] !== 'SELECT' && args[0] !== 'SET')
    assert.deepEqual(seen.slice(0, 1), [['DEL', 'a']])
    assert.deepEqual(seen.slice(1).toSorted(), [
      ['DEL', 'b'],
      ['DEL', 'c'],
    ])
  })
})
