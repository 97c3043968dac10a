/** TLS with redis-cli and redis-server: who is let in, links in both directions, certificates that are exchanged while it runs. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import { tlsArgs, trustedAndStrangers } from '../support/certificates.ts'
import { fileCleanup } from '../support/cleanup.ts'
import { freePort } from '../support/ports.ts'
import { startRedis } from '../support/redis.ts'
import { startRelay } from '../support/relay.ts'
import { field, linkUp, sameData, write, writes } from '../support/replicas.ts'
import { type ServerKind, startServer, startTandem, type TandemPeer } from '../support/tandem.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connectFor, connectTls, isError, type Wire } from '../support/wire.ts'

const file = fileCleanup()
const { trusted, strangers, pair, client, stranger } = trustedAndStrangers(file)

function options(own: { cert: string; key: string } | null): ConnectionOptions {
  const ca = readFileSync(trusted.ca)
  return own === null ? { ca } : { ca, cert: readFileSync(own.cert), key: readFileSync(own.key) }
}

async function secured(port: number, own: { cert: string; key: string } | null = client): Promise<Wire> {
  const wire = await connectTls(port, options(own))
  file.after(() => wire.close())
  return wire
}

/** What TLS 1.3 refuses is told after the client's side of the handshake. */
async function isRefused(port: number, own: { cert: string; key: string } | null): Promise<boolean> {
  try {
    const wire = await secured(port, own)
    await wire.send('PING')
    return false
  } catch {
    return true
  }
}

interface Secured {
  readonly server: TandemPeer
  readonly tlsPort: number
}

async function startSecured(args: string[] = []): Promise<Secured> {
  const tlsPort = await freePort()
  const all = ['--tls-port', String(tlsPort), ...tlsArgs(trusted.ca, pair), ...args]
  return { server: await startTandem(file, { args: all }), tlsPort }
}

describe('a TLS port', () => {
  it('serves redis-cli, without a TCP port beside it', async () => {
    const tlsPort = await freePort()
    await startTandem(file, {
      args: ['--port', '0', '--tls-port', String(tlsPort), ...tlsArgs(trusted.ca, pair), '--tls-auth-clients', 'no'],
    })
    const cli = (...args: string[]) =>
      execFileSync('redis-cli', ['--tls', '--cacert', trusted.ca, '-p', String(tlsPort), ...args], { encoding: 'utf8' })
    assert.equal(cli('set', 'hello', 'world'), 'OK\n')
    assert.equal(cli('get', 'hello'), 'world\n')
    assert.match(cli('info', 'server'), new RegExp(`tcp_port:${tlsPort}\r\n`))
    const large = 'x'.repeat(3_000_000)
    const wire = await secured(tlsPort, null)
    await wire.must('SET', 'large', large)
    assert.equal(await wire.must('GET', 'large'), large)
    const replies = await wire.pipeline(Array.from({ length: 5000 }, () => ['INCR', 'n']))
    assert.equal(replies.at(-1), 5000)
  })

  it('lets in who shows a certificate, who does not have to, and nobody with a wrong one', async () => {
    const { server, tlsPort } = await startSecured()
    const plain = await connectFor(file, server.port)
    const outcomes: Record<string, boolean[]> = {}
    for (const demand of ['yes', 'optional', 'no']) {
      await plain.must('CONFIG', 'SET', 'tls-auth-clients', demand)
      outcomes[demand] = [
        await isRefused(tlsPort, client),
        await isRefused(tlsPort, null),
        await isRefused(tlsPort, stranger),
      ]
    }
    assert.deepEqual(outcomes, {
      yes: [false, true, true],
      optional: [false, false, true],
      no: [false, false, false],
    })
    assert.match(server.logs(), /Error accepting a client connection: .*peer did not return a certificate/)
    assert.match(String(await plain.must('CLIENT', 'LIST')), /addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ fd=\d+/)
  })

  it('takes other certificates without a restart, and keeps the old ones when a file is bad', async () => {
    const { server, tlsPort } = await startSecured(['--tls-auth-clients', 'no'])
    const plain = await connectFor(file, server.port)
    const before = await secured(tlsPort, null)
    const next = trusted.issue('next', { password: 'secret' })
    const bad = join(trusted.dir, 'bad.crt')
    writeFileSync(bad, 'no certificate\n')
    const failed = (name: string) => ({
      error: `ERR CONFIG SET failed (possibly related to argument '${name}') - Unable to update TLS configuration. Check server logs.`,
    })
    assert.deepEqual(await plain.send('CONFIG', 'SET', 'tls-cert-file', bad), failed('tls-cert-file'))
    assert.deepEqual(await plain.send('CONFIG', 'SET', 'tls-cert-file', next.cert), failed('tls-cert-file'))
    assert.deepEqual(await plain.must('CONFIG', 'GET', 'tls-cert-file'), ['tls-cert-file', pair.cert])
    assert.match(server.logs(), /Failed to load certificate: .*bad\.crt: error:/)
    assert.match(server.logs(), /Failed to load private key: .*server\.key: error:.*key values mismatch/)
    assert.equal(await isRefused(tlsPort, null), false)
    const set = ['tls-cert-file', next.cert, 'tls-key-file', next.key, 'tls-key-file-pass', 'secret']
    await plain.must('CONFIG', 'SET', ...set)
    assert.equal(await subjectOf(tlsPort), 'next')
    assert.equal(await before.must('PING'), 'PONG', 'who is connected stays')
    // The same name with other contents, as renewal leaves it.
    const renewed = trusted.issue('renewed')
    copyFileSync(renewed.cert, next.cert)
    copyFileSync(renewed.key, next.key)
    await plain.must('CONFIG', 'SET', ...set)
    assert.equal(await subjectOf(tlsPort), 'renewed')
  })

  it('can be opened, moved and closed while it runs, and starts only with what it needs', async () => {
    const server = await startTandem(file)
    const plain = await connectFor(file, server.port)
    const tlsPort = await freePort()
    const other = await freePort()
    const refused = await plain.send('CONFIG', 'SET', 'tls-port', tlsPort)
    assert.ok(isError(refused) && refused.error.includes('Unable to update TLS configuration'))
    assert.match(server.logs(), /No tls-cert-file configured!/)
    await plain.must('CONFIG', 'SET', ...tlsArgs(trusted.ca, pair).map((word) => word.replace(/^--/, '')))
    await plain.must('CONFIG', 'SET', 'tls-port', tlsPort)
    assert.equal(await isRefused(tlsPort, client), false)
    await plain.must('CONFIG', 'SET', 'tls-port', other)
    assert.equal(await isRefused(tlsPort, client), true)
    assert.equal(await isRefused(other, client), false)
    const taken = await plain.send('CONFIG', 'SET', 'tls-port', server.port)
    assert.ok(isError(taken) && taken.error.includes('Unable to listen on this port'))
    assert.equal(await isRefused(other, client), false)
    await plain.must('CONFIG', 'SET', 'tls-port', 0)
    assert.equal(await isRefused(other, client), true)
    const args = ['--tls-port', String(tlsPort), '--tls-cert-file', pair.cert, '--tls-key-file', pair.key]
    await assert.rejects(startTandem(file, { args }), /Either tls-ca-cert-file or tls-ca-cert-dir must be specified/)
  })

  it('speaks the versions and ciphers that it is told to, and trusts a directory of authorities', async () => {
    const hashed = join(trusted.dir, 'hashed')
    const hash = execFileSync('openssl', ['x509', '-hash', '-noout', '-in', trusted.ca], { encoding: 'utf8' }).trim()
    mkdirSync(hashed)
    copyFileSync(trusted.ca, join(hashed, `${hash}.0`))
    const { server, tlsPort } = await startSecured([
      ...['--tls-protocols', 'TLSv1.2', '--tls-ca-cert-file', '', '--tls-ca-cert-dir', hashed],
      ...['--tls-ciphers', 'ECDHE-ECDSA-AES256-GCM-SHA384', '--tls-session-cache-size', '5'],
    ])
    const plain = await connectFor(file, server.port)
    assert.deepEqual(await spokenOn(tlsPort), ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384'])
    await plain.must('CONFIG', 'SET', 'tls-protocols', 'TLSv1.3', 'tls-ciphersuites', 'TLS_CHACHA20_POLY1305_SHA256')
    assert.deepEqual(await spokenOn(tlsPort), ['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256'])
    for (const [name, value] of [
      ['tls-protocols', 'TLSv9'],
      ['tls-ciphers', 'nonsense'],
      ['tls-ciphersuites', 'nonsense'],
      ['tls-dh-params-file', pair.cert],
      ['tls-ca-cert-file', pair.key],
    ] as const) {
      assert.ok(isError(await plain.send('CONFIG', 'SET', name, value)), name)
    }
    assert.deepEqual(await spokenOn(tlsPort), ['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256'])
  })
})

async function subjectOf(port: number): Promise<string> {
  return (await peerOf(port, (socket) => socket.getPeerCertificate().subject.CN)) as string
}

function spokenOn(port: number): Promise<unknown> {
  return peerOf(port, (socket) => [
    socket.getProtocol(),
    socket.getCipher().standardName.startsWith('TLS_CHACHA') ? 'TLS_CHACHA20_POLY1305_SHA256' : socket.getCipher().name,
  ])
}

async function peerOf(port: number, ask: (socket: import('node:tls').TLSSocket) => unknown): Promise<unknown> {
  const { connect } = await import('node:tls')
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', ...options(client) }, () => {
      resolve(ask(socket))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

describe('replication by TLS', () => {
  for (const [primaryKind, replicaKind] of [
    ['tandem', 'redis'],
    ['redis', 'tandem'],
  ] as const) {
    it(`goes from ${primaryKind} to ${replicaKind}, and resumes after a cut`, async () => {
      const primaryTls = await freePort()
      const replicaTls = await freePort()
      const start = (kind: ServerKind, port: number, more: string[]) =>
        startServer(file, kind, { args: ['--tls-port', String(port), ...tlsArgs(trusted.ca, pair), ...more] })
      const primary = await start(primaryKind, primaryTls, ['--requirepass', 'secret', '--repl-backlog-size', '32mb'])
      const relay = await startRelay(file, primaryTls)
      const replica = await start(replicaKind, replicaTls, [
        ...['--tls-replication', 'yes', '--masterauth', 'secret'],
        ...['--tls-client-cert-file', client.cert, '--tls-client-key-file', client.key],
        ...['--replicaof', '127.0.0.1', String(relay.port)],
      ])
      const up = await connectFor(file, primary.port)
      await up.must('AUTH', 'secret')
      const down = await connectFor(file, replica.port)
      await linkUp(down)
      await write(up, writes(21, 3000))
      relay.cutAll()
      await write(up, writes(22, 3000))
      await linkUp(down)
      await sameData(up, down)
      assert.equal(await field(up, 'stats', 'sync_full'), '1')
      assert.equal(await field(up, 'stats', 'sync_partial_ok'), '1')
      assert.match(await field(up, 'replication', 'slave0'), new RegExp(`port=${replicaTls},`), 'it is found by TLS')
    })
  }

  it('does not follow who shows a certificate of another authority', async () => {
    const tlsPort = await freePort()
    await startRedis(file, {
      args: ['--tls-port', String(tlsPort), ...tlsArgs(trusted.ca, stranger), '--tls-auth-clients', 'no'],
    })
    const replica = await startTandem(file, {
      args: [...tlsArgs(trusted.ca, pair), '--tls-replication', 'yes', '--replicaof', '127.0.0.1', String(tlsPort)],
    })
    await waitUntil(() => /Error condition on socket for SYNC: .*certificate/.test(replica.logs()), {
      what: 'the certificate to be refused',
    })
    const wire = await connectFor(file, replica.port)
    assert.equal(await field(wire, 'replication', 'master_link_status'), 'down')
    // With the right authority it does, without a restart.
    const both = join(trusted.dir, 'both.crt')
    writeFileSync(both, `${readFileSync(trusted.ca, 'utf8')}${readFileSync(strangers.ca, 'utf8')}`)
    await wire.must('CONFIG', 'SET', 'tls-ca-cert-file', both)
    await linkUp(wire)
  })
})
