/** The library: a server inside this process, for tests and for programs that carry their own. */
import { Config } from './config/config.ts'
import { Tandem } from './tandem.ts'

export interface ServerHandle {
  /** The TCP port that was given or found free. */
  readonly port: number
  /** Closes connections and listeners; resolves when nothing of the server is left. Nothing is saved. */
  close(): Promise<void>
}

export interface CreateServerOptions {
  /** 0, the default, takes a free one. */
  port?: number
  /** Other directives as in redis.conf, for example { maxmemory: '100mb', requirepass: 'secret' }. */
  directives?: Readonly<Record<string, string | number>>
}

/**
 * Starts a server on loopback, without metrics and without a dump file unless directives say otherwise. Rejects with a
 * ConfigError for a wrong directive and with `Failed listening on port …` when the port is taken.
 */
export async function createServer(options: CreateServerOptions = {}): Promise<ServerHandle> {
  const config = new Config()
  const directives = { loglevel: 'warning', save: '""', 'metrics-port': 0, ...options.directives }
  const lines = Object.entries(directives).map(([name, value]) => `${name} ${value}`)
  config.loadText(lines.join('\n'))
  const tandem = new Tandem({ config, exit: () => {} })
  await tandem.start({ port: options.port ?? 0 })
  return {
    port: tandem.port,
    close: () => tandem.stop(),
  }
}
