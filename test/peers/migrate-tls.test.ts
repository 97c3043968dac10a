/**
 * MIGRATE by TLS (tls-cluster, as in Redis): the same migrations with redis-server and with Tandem as the source, to a
 * redis-server and to a Tandem; certificates that are not accepted on either side.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { tlsArgs, trustedAndStrangers } from '../support/certificates.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { freePort } from '../support/ports.ts'
import { field } from '../support/replicas.ts'
import { type ServerKind, startServer } from '../support/tandem.ts'
import { type Command, connect, type Wire } from '../support/wire.ts'

const file = fileCleanup()
const { trusted, strangers, pair, client, stranger } = trustedAndStrangers(file)

interface Secured {
  readonly plain: Wire
  readonly tlsPort: number
}

async function start(kind: ServerKind, ...args: string[]): Promise<Secured> {
  const tlsPort = await freePort()
  const server = await startServer(file, kind, { args: ['--tls-port', String(tlsPort), ...args] })
  return { plain: await connect(server.port), tlsPort }
}

const ownArgs = tlsArgs(trusted.ca, pair)
const CLUSTER = ['--tls-cluster', 'yes']
const CLIENT = ['--tls-client-cert-file', client.cert, '--tls-client-key-file', client.key]

/** All replies, with the data that the target has in the end. */
async function migrations(sourceKind: ServerKind, targetKind: ServerKind): Promise<unknown[]> {
  const { plain: source } = await start(sourceKind, ...ownArgs, ...CLUSTER, ...CLIENT)
  const { plain: target, tlsPort } = await start(targetKind, ...ownArgs)
  const told: unknown[] = []
  const run = async (...args: Command) => told.push(await source.send(...args))
  for (const n of [1, 2, 3]) await source.must('SET', `key:${n}`, 'x'.repeat(n * 100_000))
  await run('MIGRATE', '127.0.0.1', tlsPort, 'key:1', 0, 5000)
  await run('MIGRATE', '127.0.0.1', tlsPort, '', 3, 5000, 'COPY', 'KEYS', 'key:2', 'key:3')
  await run('MIGRATE', '127.0.0.1', tlsPort, 'key:2', 3, 5000)
  await run('MIGRATE', '127.0.0.1', tlsPort, 'key:2', 3, 5000, 'REPLACE')
  told.push(await field(source, 'stats', 'migrate_cached_sockets'))
  // A port that speaks no TLS, and one where nobody is.
  await run('MIGRATE', '127.0.0.1', target.port, 'key:3', 0, 300)
  await run('MIGRATE', '127.0.0.1', await freePort(), 'key:3', 0, 300)
  told.push(await source.send('KEYS', '*'), await target.send('DEBUG', 'DIGEST'))
  return told
}

describe('MIGRATE by TLS', () => {
  it('does what redis-server does, to both', async () => {
    for (const target of ['redis', 'tandem'] as const) {
      const [own, theirs] = await Promise.all([migrations('tandem', target), migrations('redis', target)])
      assert.deepEqual(own, theirs, target)
      assert.deepEqual(own.slice(0, 2), ['OK', 'OK'])
    }
  })

  it('is refused where a certificate comes from strangers, on either side, and keeps the key', async () => {
    const { tlsPort } = await start('redis', ...ownArgs)
    const strange = await start('redis', ...tlsArgs(strangers.ca, stranger))
    const replies: unknown[] = []
    for (const kind of ['tandem', 'redis'] as const) {
      const unknown = ['--tls-client-cert-file', stranger.cert, '--tls-client-key-file', stranger.key]
      const rejected = (await start(kind, ...ownArgs, ...CLUSTER, ...unknown)).plain
      const rejecting = (await start(kind, ...ownArgs, ...CLUSTER, ...CLIENT)).plain
      const found: unknown[] = []
      for (const [source, port] of [
        [rejected, tlsPort],
        [rejecting, strange.tlsPort],
      ] as const) {
        await source.must('SET', 'key', 'value')
        const reply = await source.send('MIGRATE', '127.0.0.1', port, 'key', 0, 2000)
        found.push(
          JSON.stringify(reply).replace(/(writ|read)ing (to|from)/, 'talking to'),
          await source.send('GET', 'key'),
        )
      }
      replies.push(found)
    }
    assert.deepEqual(replies[0], replies[1])
    assert.match(String((replies[0] as unknown[])[0]), /IOERR error or timeout/)
  })

  it('follows tls-cluster and renewed certificates while it runs', async () => {
    const { tlsPort, plain: target } = await start('redis', ...ownArgs)
    const { plain: source } = await start('tandem', ...ownArgs)
    for (const n of [1, 2, 3]) await source.must('SET', `key:${n}`, 'x')
    assert.equal(await source.send('MIGRATE', '127.0.0.1', target.port, 'key:1', 0, 2000), 'OK')
    await source.must('CONFIG', 'SET', 'tls-cluster', 'yes')
    assert.equal(await source.send('MIGRATE', '127.0.0.1', tlsPort, 'key:2', 0, 2000), 'OK')
    await source.must('CONFIG', 'SET', 'tls-cluster', 'no')
    assert.equal(await source.send('MIGRATE', '127.0.0.1', target.port, 'key:3', 0, 2000), 'OK')
    assert.deepEqual(await target.send('MGET', 'key:1', 'key:2', 'key:3'), ['x', 'x', 'x'])
  })
})
