import assert from 'node:assert/strict'
import { test } from 'node:test'
import { monitorLine } from '../../src/engine/monitor.ts'
import { secretArguments } from '../../src/engine/redact.ts'
import { SlowLog } from '../../src/engine/slowlog.ts'
import { Request } from '../../src/resp/request.ts'
import { commandNamed, fakeClient } from './helpers.ts'

function logged(...args: string[]): string[] {
  const slowlog = new SlowLog()
  slowlog.push(fakeClient().client, commandNamed('get'), Request.of(args), 12.7, 5999)
  return slowlog.entries[0]!.args.map((argument) => argument.toString('latin1'))
}

test('an entry keeps 32 arguments of 128 bytes', () => {
  assert.deepEqual(logged('get', 'a'), ['get', 'a'])
  const numbers = Array.from({ length: 31 }, (_, i) => String(i))
  assert.deepEqual(logged('get', ...numbers), ['get', ...numbers])
  assert.deepEqual(logged('get', ...numbers, '31'), ['get', ...numbers.slice(0, 30), '... (2 more arguments)'])
  assert.deepEqual(logged('get', 'A'.repeat(128)), ['get', 'A'.repeat(128)])
  assert.deepEqual(logged('get', 'A'.repeat(129)), ['get', `${'A'.repeat(128)}... (1 more bytes)`])
})

test('the oldest entries go first, and ids go on after a reset', () => {
  const slowlog = new SlowLog()
  const { client } = fakeClient()
  client.name = 'me'
  slowlog.setMaxLength(3)
  for (let i = 0; i < 5; i++) slowlog.push(client, commandNamed('get'), Request.of(['get', `${i}`]), 10.9, 1999)
  assert.deepEqual(
    slowlog.entries.map(({ id }) => id),
    [2, 3, 4],
  )
  const { unixSeconds, microseconds, address, clientName } = slowlog.entries[0]!
  assert.deepEqual([unixSeconds, microseconds, address, clientName], [1, 10, '127.0.0.1:50000', 'me'])
  slowlog.reset()
  slowlog.push(client, commandNamed('secretly'), Request.of(['secretly']), 10, 0)
  assert.equal(slowlog.entries.length, 0)
  slowlog.push(client, commandNamed('get'), Request.of(['get']), 10, 0)
  assert.equal(slowlog.entries[0]!.id, 5)
})

test('secrets are hidden', () => {
  const hidden = (...args: string[]) => [...(secretArguments(Request.of(args)) ?? [])]
  assert.deepEqual(hidden('get', 'auth'), [])
  assert.deepEqual(hidden('AUTH', 'password'), [1])
  assert.deepEqual(hidden('auth', 'user', 'password'), [1, 2])
  assert.deepEqual(hidden('hello', '3', 'SETNAME', 'x', 'auth', 'user', 'password'), [5, 6])
  assert.deepEqual(hidden('hello', '3'), [])
  assert.deepEqual(hidden('config', 'set', 'maxmemory', '1', 'RequirePass', 'x', 'masterauth', 'y'), [5, 7])
  assert.deepEqual(hidden('config', 'get', 'requirepass'), [])
  assert.deepEqual(hidden('acl', 'setuser', 'u', 'on', '>p'), [2, 3, 4])
  assert.deepEqual(hidden('migrate', 'h', '1', 'k', '0', '5', 'AUTH', 'p'), [7])
  assert.deepEqual(hidden('migrate', 'h', '1', 'k', '0', '5', 'copy', 'AUTH2', 'u', 'p'), [8, 9])
  assert.deepEqual(logged('auth', 'secret'), ['auth', '(redacted)'])
})

test('MONITOR shows time, database, address and quoted arguments', () => {
  const { client } = fakeClient()
  client.db = 9
  const line = monitorLine(client, Request.of(['set', 'a"\\', Buffer.from([0, 10, 13, 9, 7, 8, 0x7f, 0xff])]), 1500.25)
  assert.equal(
    line.toString('latin1'),
    '+1.500250 [9 127.0.0.1:50000] "set" "a\\"\\\\" "\\x00\\n\\r\\t\\a\\b\\x7f\\xff"\r\n',
  )
  assert.match(
    monitorLine(client, Request.of(['auth', 'x']), 0).toString(),
    /^\+0\.000000 .* "auth" "\(redacted\)"\r\n$/,
  )
})
