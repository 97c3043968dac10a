/** A signal while the data set is loaded ends the server at once, and no file of its Unix socket stays behind. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePort } from '../support/ports.ts'
import { removeDirectory, temporaryDirectory } from '../support/server-process.ts'
import { waitUntil } from '../support/wait-until.ts'
import { connect } from '../support/wire.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

test('SIGTERM while loading leaves no Unix socket behind', async (t) => {
  const dir = temporaryDirectory('exit-while-loading')
  t.after(() => removeDirectory(dir))
  const port = await freePort()
  const socket = join(dir, 'server.sock')
  const options = ['--port', `${port}`, '--metrics-port', '0', '--dir', dir, '--unixsocket', socket, '--save', '']
  mkdirSync(join(dir, 'appendonlydir'))
  const log = join(dir, 'appendonlydir', 'appendonly.aof')
  writeFileSync(`${log}.manifest`, 'file appendonly.aof.1.incr.aof seq 1 type i\n')
  writeFileSync(`${log}.1.incr.aof`, '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n'.repeat(1000))
  const slow = ['--appendonly', 'yes', '--key-load-delay', '100000']
  const server = spawn(process.execPath, [MAIN, ...options, ...slow], { stdio: 'ignore' })
  t.after(() => server.kill('SIGKILL'))
  const wire = await waitUntil(() => connect(port).catch(() => undefined))
  t.after(() => wire.close())
  await waitUntil(async () => /loading:1/.test(String(await wire.send('INFO', 'persistence'))))
  assert.ok(existsSync(socket))
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  assert.equal(await ended, 0)
  assert.ok(!existsSync(socket))
})
