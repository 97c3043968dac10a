/**
 * Tandem itself for a test: dist/main.js, as built by `npm test`, in a child process with the options that redis.ts gives
 * to redis-server, so that a test can take either by name.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Cleanup } from './cleanup.ts'
import { freePort } from './ports.ts'
import { type RedisPeer, startRedis } from './redis.ts'
import { type ServerOptions, ServerProcess, temporaryDirectory } from './server-process.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
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

export interface TandemPeer extends RedisPeer {
  readonly metricsPort: number
}

export type ServerKind = 'redis' | 'tandem'

class TandemProcess extends ServerProcess implements TandemPeer {
  readonly metricsPort: number

  constructor(port: number, metricsPort: number, dir: string, options: ServerOptions) {
    const ports = ['--port', String(port), '--metrics-port', String(metricsPort), '--dir', dir]
    const args = [MAIN, ...ports, ...DEFAULTS, ...(options.args ?? [])]
    const argsWith = (configFile: string) => (configFile === '' ? undefined : [MAIN, configFile])
    super({ name: 'tandem', command: process.execPath, args, port, argsWith }, { ...options, dir })
    this.metricsPort = metricsPort
  }
}

export async function startTandem(t: Cleanup, options: ServerOptions = {}): Promise<TandemPeer> {
  if (!existsSync(MAIN)) throw new Error('dist/main.js is missing: npm run build')
  const port = await freePort()
  const metricsPort = await freePort()
  const dir = options.dir ?? temporaryDirectory('tandem')
  const server = new TandemProcess(port, metricsPort, dir, options)
  t.after(() => server.dispose())
  await server.start()
  return server
}

export async function startServer(t: Cleanup, kind: ServerKind, options: ServerOptions = {}): Promise<RedisPeer> {
  return kind === 'redis' ? startRedis(t, options) : startTandem(t, options)
}
