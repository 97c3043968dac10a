/** `daemonize yes` gives the prompt back and goes on in the background, for Tandem as for redis-server. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/ports.ts'
import { removeDirectory, temporaryDirectory } from '../support/server-process.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connect } from '../support/wire.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const PROGRAMS = {
  redis: { command: 'redis-server', args: [], extra: '' },
  tandem: { command: process.execPath, args: [MAIN], extra: 'metrics-port 0\n' },
}

for (const [name, { command, args, extra }] of Object.entries(PROGRAMS)) {
  test(`${name}: goes on in the background, with the configuration from stdin`, async (t) => {
    const dir = temporaryDirectory('daemonize')
    t.after(() => removeDirectory(dir))
    const port = await freePort()
    const pidfile = join(dir, 'server.pid')
    const input = `port ${port}\nbind 127.0.0.1\nsave ""\n${extra}`
    const options = ['-', '--daemonize', 'yes', '--dir', dir, '--pidfile', pidfile]
    const first = spawnSync(command, [...args, ...options], { input, encoding: 'utf8', timeout: 20_000 })
    assert.equal(first.status, 0)
    assert.equal(first.stderr, '')
    const wire = await waitUntil(() => connect(port).catch(() => undefined))
    t.after(() => wire.close())
    assert.deepEqual(await wire.send('CONFIG', 'GET', 'daemonize'), ['daemonize', 'yes'])
    const pid = Number(readFileSync(pidfile, 'utf8'))
    t.after(() => spawnSync('kill', ['-9', String(pid)]))
    assert.notEqual(pid, first.pid)
    assert.match(String(await wire.send('INFO', 'server')), new RegExp(`process_id:${pid}\r`))
    await wire.send('SHUTDOWN', 'NOSAVE').catch(() => undefined)
    await waitUntil(() => !existsSync(pidfile))
  })

  test(`${name}: what is wrong in the configuration is said before that`, () => {
    const result = spawnSync(command, [...args, '--daemonize', 'yes', '--port', 'x'], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    assert.equal(result.status, 1)
    assert.match(result.stderr, /FATAL CONFIG FILE ERROR/)
  })

  test(`${name}: scripts find the version they expect`, () => {
    const { stdout } = spawnSync(command, [...args, '--version'], { encoding: 'utf8' })
    assert.match(stdout, /^\w+ server v=7\.0\.\d+ sha=00000000:0 malloc=\S+ bits=64 build=\S+\n$/)
  })
}
