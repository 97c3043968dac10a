/** A session store for Express, on node-redis. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { RedisStore } from 'connect-redis'
import type { SessionData } from 'express-session'
import { createClient } from 'redis'
import { fileCleanup } from '../support/cleanup.ts'
import { startTandem } from '../support/tandem.ts'

const file = fileCleanup()

it('connect-redis keeps, touches, lists and destroys sessions', async () => {
  const { port } = await startTandem(file)
  const client = await createClient({ socket: { port, host: '127.0.0.1' } }).connect()
  file.after(async () => client.destroy())
  const store = new RedisStore({ client, prefix: 'app:', ttl: 60 })
  const session = (user: string) => ({ cookie: { originalMaxAge: 60_000 }, user }) as unknown as SessionData
  const set = promisify(store.set.bind(store) as (sid: string, data: SessionData, done: () => void) => void)
  const get = (sid: string) =>
    new Promise<unknown>((resolve, reject) => {
      void store.get(sid, (error: unknown, data: unknown) => (error ? reject(error) : resolve(data)))
    })
  await set('one', session('ada'))
  await set('two', session('grace'))
  assert.deepEqual(await get('one'), session('ada'))
  assert.equal((await get('none')) ?? null, null)
  const left = await client.ttl('app:one')
  assert.ok(left > 50 && left <= 60, `ttl ${left}`)
  const ids = await new Promise<string[]>((resolve, reject) => {
    void store.ids((error: unknown, found: unknown) => (error ? reject(error) : resolve(found as string[])))
  })
  assert.deepEqual(ids.toSorted(), ['one', 'two'])
  await promisify(store.touch.bind(store) as (sid: string, data: SessionData, done: () => void) => void)(
    'one',
    session('ada'),
  )
  await promisify(store.destroy.bind(store) as (sid: string, done: () => void) => void)('one')
  assert.equal((await get('one')) ?? null, null)
  await promisify(store.clear.bind(store) as (done: () => void) => void)()
  assert.equal(await client.dbSize(), 0)
})
