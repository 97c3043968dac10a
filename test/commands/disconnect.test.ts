/** Who hung up is served nothing any more: a queue's job must not go to the dead. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as dial } from 'node:net'
import { test } from 'node:test'
import { startServer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor } from '../support/wire.ts'

const ROUNDS = 20

for (const kind of ['redis', 'tandem'] as const) {
  test(`${kind}: a blocked client and a subscriber are gone with their connection`, async (t) => {
    const { port } = await startServer(t, kind)
    const wire = await connectFor(t, port)
    for (let round = 0; round < ROUNDS; round++) {
      await wire.send('DEL', 'queue', 'taken')
      const waiting = dial(port, '127.0.0.1')
      const listening = dial(port, '127.0.0.1')
      waiting.write('BRPOPLPUSH queue taken 0\r\n')
      listening.write('SUBSCRIBE news\r\n')
      await once(listening, 'data')
      await waitUntil(async () => /blocked_clients:1\r/.test(String(await wire.send('INFO', 'clients'))))
      const closed = Promise.all([once(waiting, 'close'), once(listening, 'close')])
      waiting.destroy()
      listening.destroy()
      await closed
      // Both ends have reached the server before this is answered.
      await wire.send('PING')
      const replies = await wire.pipeline([
        ['LPUSH', 'queue', 'job'],
        ['LLEN', 'queue'],
        ['PUBLISH', 'news', 'x'],
      ])
      assert.deepEqual(replies, [1, 1, 0], `round ${round}`)
    }
  })
}
