/** MULTI, EXEC and WATCH over the wire, against redis-server. */
import { suite, test } from 'node:test'
import { differential } from '../support/differential.ts'
import { waitUntil } from '../support/wait-until.ts'
import type { Wire } from '../support/wire.ts'
import { sameScene } from './transcript.ts'

/** Waits until the key's time is over, without touching it: nothing removes it while active expiry is off. */
async function afterExpiry(wire: Wire, milliseconds: number): Promise<void> {
  const started = await time(wire)
  await waitUntil(async () => (await time(wire)) > started + milliseconds)
}

async function time(wire: Wire): Promise<number> {
  const [seconds, microseconds] = (await wire.must('TIME')) as string[]
  return Number(seconds) * 1000 + Number(microseconds) / 1000
}

suite('transactions', () => {
  test('queueing, running and discarding', async (t) => {
    await differential(t, [
      'EXEC',
      'DISCARD',
      'MULTI',
      'MULTI',
      'SET a 1',
      'INCR a',
      'GET a',
      'WATCH a',
      'EXEC',
      'GET a',
      'MULTI',
      'SET a 9',
      'DISCARD',
      'GET a',
      'MULTI',
      'EXEC',
      'MULTI',
      'PING',
      'ECHO x',
      'SELECT 3',
      'SET there 1',
      'EXEC',
      'GET there',
      'SELECT 0',
      'UNWATCH',
      'MULTI x',
      'WATCH',
    ])
  })

  test('a command that fails while running does not stop the others', async (t) => {
    await differential(t, ['SET a x', 'MULTI', 'INCR a', 'SET b 1', 'LPUSH a x', 'GET b', 'EXEC', 'GET b'])
  })

  test('a command that is refused while queueing aborts EXEC', async (t) => {
    const refused = ['NOSUCH x', 'GET', 'CLIENT NOSUCH', 'CONFIG', 'EXEC x']
    for (const command of refused) {
      await differential(t, ['MULTI', 'SET a 1', command, 'SET a 2', 'EXEC', 'EXEC', 'GET a'])
    }
  })

  test('commands of a connection within a transaction', async (t) => {
    await differential(t, [
      'MULTI',
      'CLIENT SETNAME me',
      'CLIENT GETNAME',
      'CLIENT REPLY ON',
      'UNWATCH',
      'HELLO',
      'MONITOR',
      'RESET',
      'EXEC',
    ])
  })

  test('EXEC answers nil when a watched key has changed', async (t) => {
    const other = (args: string) => ({ client: 'other', args })
    await differential(t, [
      'SET a 1',
      'WATCH a b',
      other('SET b 2'),
      'MULTI',
      'GET a',
      'EXEC',
      'MULTI',
      'GET a',
      'EXEC',
      'WATCH a',
      other('SET a 2'),
      'UNWATCH',
      'MULTI',
      'GET a',
      'EXEC',
      'WATCH a',
      other('DEL nosuch'),
      other('EXPIRE a 100'),
      'MULTI',
      'EXEC',
      'WATCH a',
      'SET a own',
      'MULTI',
      'EXEC',
      'WATCH a',
      'MULTI',
      'DISCARD',
      other('SET a 3'),
      'MULTI',
      'EXEC',
    ])
  })

  test('flushes and swaps touch watched keys that exist', async (t) => {
    const other = (args: string) => ({ client: 'other', args })
    const steps = (key: string, change: string) => [
      'SET here 1',
      other('SELECT 1'),
      other('SET there 1'),
      `WATCH ${key}`,
      other(change),
      'MULTI',
      'PING',
      'EXEC',
      other('FLUSHALL'),
    ]
    for (const change of ['FLUSHALL', 'FLUSHDB', 'SWAPDB 0 1']) {
      for (const key of ['here', 'there', 'nowhere']) await differential(t, steps(key, change))
    }
  })

  test('a watched key that expires fails EXEC, one that had expired before does not', (t) =>
    sameScene(t, async (open) => {
      const wire = await open()
      await wire.must('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
      const seen: unknown[] = []
      await wire.must('SET', 'x', 'foo')
      await wire.must('PEXPIRE', 'x', 200)
      await wire.must('WATCH', 'x')
      await afterExpiry(wire, 200)
      await wire.pipeline([['MULTI'], ['PING']])
      seen.push(await wire.send('EXEC'))
      await wire.must('SET', 'y', 'foo', 'PX', 1)
      await afterExpiry(wire, 5)
      await wire.must('WATCH', 'y')
      await wire.pipeline([['MULTI'], ['PING']])
      seen.push(await wire.send('EXEC'))
      await wire.must('SET', 'z', 'foo', 'PX', 1)
      await afterExpiry(wire, 5)
      await wire.must('WATCH', 'z')
      seen.push(await wire.send('GET', 'z'))
      await wire.pipeline([['MULTI'], ['PING']])
      seen.push(await wire.send('EXEC'))
      await wire.must('DEBUG', 'SET-ACTIVE-EXPIRE', '1')
      return seen
    }))

  test('a blocking command within a transaction does not block', async (t) => {
    await differential(t, ['MULTI', 'BLPOP nosuch 0', 'BZPOPMIN nosuch 0', 'EXEC'])
  })
})
