/** A real redis-server of its own for a test. Nothing is saved and DEBUG is allowed, unless `args` says otherwise. */

import type { Cleanup } from './cleanup.ts'
import { freePort } from './ports.ts'
import { type ServerOptions, type ServerProcess, startProcess } from './server-process.ts'

export type RedisPeer = ServerProcess

const DEFAULTS = [
  '--bind',
  '127.0.0.1',
  '--save',
  '',
  '--enable-debug-command',
  'yes',
  '--repl-diskless-sync-delay',
  '0',
]

export async function startRedis(t: Cleanup, options: ServerOptions = {}, given?: number): Promise<RedisPeer> {
  const port = given ?? (await freePort())
  const args = ['--port', String(port), ...DEFAULTS, ...(options.args ?? [])]
  return startProcess(t, { name: 'redis', command: 'redis-server', args, port }, options)
}
