/** CONFIG over the wire, against redis-server: replies and error texts, what a SET of several takes back, and the rewritten file. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { differential } from '../support/differential.ts'
import { freePort } from '../support/ports.ts'
import { startProcess, temporaryDirectory } from '../support/server-process.ts'
import { startTandem } from '../support/tandem.ts'
import { connectFor } from '../support/wire.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

suite('CONFIG', () => {
  test('GET answers names, patterns and several of them as Redis does', async (t) => {
    await differential(t, [
      'CONFIG GET maxmemory',
      'CONFIG GET MAXMEMORY',
      'CONFIG GET maxmemory*',
      'CONFIG GET *listpack*',
      'CONFIG GET *ziplist*',
      'CONFIG GET slave-priority replica-priority',
      'CONFIG GET save appendonly save',
      'CONFIG GET nosuch',
      'CONFIG GET nosuch*',
      'CONFIG GET client-output-buffer-limit',
      'CONFIG GET notify-keyspace-events',
      'CONFIG GET latency-tracking-info-percentiles',
      'CONFIG GET',
    ])
  })

  test('SET changes all of its options or none', async (t) => {
    await differential(t, [
      'CONFIG SET maxmemory 100mb',
      'CONFIG GET maxmemory',
      'CONFIG SET maxmemory 1gb hz 50',
      'CONFIG GET maxmemory hz',
      'CONFIG SET maxmemory 2gb hz nonsense',
      'CONFIG GET maxmemory hz',
      'CONFIG SET maxmemory-policy allkeys-lru',
      'CONFIG GET maxmemory-policy',
      'CONFIG SET maxmemory-policy nosuch',
      ['CONFIG', 'SET', 'save', '3600 1 300 100'],
      'CONFIG GET save',
      ['CONFIG', 'SET', 'save', ''],
      'CONFIG GET save',
      'CONFIG SET notify-keyspace-events KEA',
      'CONFIG GET notify-keyspace-events',
      ['CONFIG', 'SET', 'notify-keyspace-events', ''],
      ['CONFIG', 'SET', 'client-output-buffer-limit', 'slave 1mb 2mb 60'],
      'CONFIG GET client-output-buffer-limit',
      ['CONFIG', 'SET', 'client-output-buffer-limit', 'replica 256mb 64mb 60'],
      'CONFIG SET maxmemory 0 hz 10 maxmemory-policy noeviction',
    ])
  })

  test('SET refuses what Redis refuses, in its words', async (t) => {
    await differential(t, [
      'CONFIG SET maxmemory',
      'CONFIG SET maxmemory 1 hz',
      'CONFIG SET nosuch 1',
      'CONFIG SET hz 20 nosuch 1',
      'CONFIG SET databases 32',
      'CONFIG SET hz 20 hz 30',
      'CONFIG SET port notanumber',
      'CONFIG SET port 70000',
      'CONFIG SET appendonly maybe',
      'CONFIG SET latency-tracking-info-percentiles 101',
      'CONFIG SET dbfilename a/b',
      'CONFIG SET enable-debug-command no',
      'CONFIG GET hz',
      'CONFIG nosuch',
      'CONFIG',
      'CONFIG HELP',
      'CONFIG REWRITE',
    ])
  })

  test('RESETSTAT forgets what INFO counted', async (t) => {
    const tandem = await startTandem(t)
    const wire = await connectFor(t, tandem.port)
    await wire.must('SET', 'a', 'b')
    await wire.must('GET', 'a')
    await wire.must('CONFIG', 'RESETSTAT')
    const text = String(await wire.must('INFO', 'all'))
    assert.match(text, /keyspace_hits:0\r\n/)
    assert.doesNotMatch(text, /cmdstat_set:/)
    assert.match(text, /cmdstat_config\|resetstat:calls=1,/)
  })

  test('REWRITE writes what was set into the file that the server was started with', async (t) => {
    const dir = temporaryDirectory('config')
    const file = join(dir, 'tandem.conf')
    const port = await freePort()
    const metricsPort = await freePort()
    writeFileSync(file, `# kept\nport ${port}\nmetrics-port ${metricsPort}\nbind 127.0.0.1\nmaxmemory 1mb\n`)
    const args = [MAIN, file, '--dir', dir]
    const server = await startProcess(t, { name: 'tandem', command: process.execPath, args, port }, { dir })
    const wire = await connectFor(t, server.port)
    await wire.must('CONFIG', 'SET', 'maxmemory', '3mb', 'hz', '25')
    assert.equal(await wire.must('CONFIG', 'REWRITE'), 'OK')
    const lines = readFileSync(file, 'utf8').split('\n')
    assert.equal(lines[0], '# kept')
    assert.ok(lines.includes('maxmemory 3mb'), lines.join('\n'))
    assert.ok(lines.includes('hz 25'), lines.join('\n'))
    assert.ok(!lines.includes('maxmemory 1mb'))
  })
})
