/** A server inside the test's own process, through the library. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createServer } from '../../src/index.ts'
import { connect } from '../support/wire.ts'

describe('createServer', () => {
  it('serves on a free port, twice in one process, and closes clean', async () => {
    const first = await createServer({ directives: { requirepass: 'secret' } })
    const second = await createServer()
    assert.notEqual(first.port, second.port)
    const one = await connect(first.port)
    const two = await connect(second.port)
    assert.deepEqual(await one.send('GET', 'a'), { error: 'NOAUTH Authentication required.' })
    assert.equal(await one.send('AUTH', 'secret'), 'OK')
    assert.equal(await one.send('SET', 'a', 1), 'OK')
    assert.equal(await two.send('GET', 'a'), null)
    await one.close()
    await two.close()
    await first.close()
    await second.close()
    await assert.rejects(connect(first.port), /ECONNREFUSED/)
  })

  it('says what is wrong with a directive', async () => {
    await assert.rejects(createServer({ directives: { maxmemory: 'much' } }), /maxmemory/)
  })
})
