/** Clients without sockets, and keys without commands, for tests of the engine's parts. */

import { hashBytes } from '../../src/bytes/siphash.ts'
import { Client, type Transport } from '../../src/commands/client.ts'
import type { Command } from '../../src/commands/command.ts'
import { command, group } from '../../src/commands/define.ts'
import { CommandTable } from '../../src/commands/table.ts'
import type { Keyspace } from '../../src/store/keyspace.ts'
import { NO_EXPIRE, TYPE_STRING } from '../../src/store/record.ts'
import type { Store } from '../../src/store/store.ts'

export class FakeTransport implements Transport {
  readonly remoteAddress: string
  readonly localAddress = '127.0.0.1:6379'
  readonly fd = 8
  pendingBytes = 0
  queryBytes = 0
  /** All that was sent, as Latin-1. */
  output = ''
  resumed = 0
  closed: 'after-replies' | 'now' | undefined

  constructor(remoteAddress = '127.0.0.1:50000') {
    this.remoteAddress = remoteAddress
  }

  writeText(latin1: string): void {
    this.output += latin1
  }

  writeBuffers(buffers: Buffer[]): void {
    for (const bytes of buffers) this.output += bytes.toString('latin1')
  }

  resume(): void {
    this.resumed++
  }

  close(when: 'after-replies' | 'now'): void {
    this.closed = when
  }

  /** What was sent since the last time. */
  take(): string {
    const { output } = this
    this.output = ''
    return output
  }
}

let lastId = 0

export function fakeClient(): { client: Client; transport: FakeTransport } {
  const transport = new FakeTransport()
  return { client: new Client(++lastId, transport, 0), transport }
}

export function put(store: Store, database: number, name: string, type = TYPE_STRING, expireAt = NO_EXPIRE): void {
  const key = Buffer.from(name, 'latin1')
  const value = Buffer.from('value')
  const keyspace = store.databases[database]!
  const hash = hashBytes(key, 0, key.length)
  const ref = keyspace.find(hash, key, 0, key.length)
  keyspace.putBytes(hash, key, 0, key.length, ref, type, 0, value, 0, value.length, expireAt)
}

export function remove(keyspace: Keyspace, name: string): void {
  const key = Buffer.from(name, 'latin1')
  keyspace.remove(hashBytes(key, 0, key.length), keyspace.findKey(key))
}

function declared(name: string, flags: 'skip_slowlog'[] = []) {
  return command({ name, arity: -1, since: '1.0.0', summary: 'for tests', flags, run: () => undefined })
}

const table = new CommandTable([
  group('list', [declared('blpop')]),
  group('sorted-set', [declared('bzpopmin')]),
  group('stream', [declared('xread'), declared('xreadgroup')]),
  group('string', [declared('get'), declared('secretly', ['skip_slowlog'])]),
])

/** A command of one of these names, of the group that it has in Redis. */
export function commandNamed(name: string): Command {
  return table.byName(name)!
}
