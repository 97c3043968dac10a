/** The library: a server inside this process, for tests and for programs that carry their own, and a live copy of one. */
import { Config } from './config/config.ts'
import type { Replica } from './embedded/replica.ts'
import { type CreateReplicaOptions, openReplica } from './open-replica.ts'
import { Tandem } from './tandem.ts'

export type { Argument } from './embedded/call-request.ts'
export type { Change, ChangeListener } from './embedded/changes.ts'
export type { Replica, ScanOptions, Scored } from './embedded/replica.ts'
export type { Value } from './embedded/reply-value.ts'
export type { CreateReplicaOptions } from './open-replica.ts'

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
  const directives = {
    loglevel: 'warning',
    save: '""',
    'metrics-port': 0,
    // Who attaches a replica in a test does not want to wait for others to come.
    'repl-diskless-sync-delay': 0,
    ...options.directives,
  }
  const lines = Object.entries(directives).map(([name, value]) => `${name} ${value}`)
  config.loadText(lines.join('\n'))
  const tandem = new Tandem({ config, exit: () => {} })
  // A dump that happens to lie in the working directory is none of this server's.
  const loads = (['dir', 'dbfilename', 'appendonly'] as const).some((name) => config.isExplicit(name))
  await tandem.start({ port: options.port ?? 0, loads })
  return {
    port: tandem.port,
    close: () => tandem.stop(),
  }
}

/**
 * A live copy of a Redis server inside this process, which listens nowhere and saves nothing. Resolves when the data is
 * here. Rejects with a TypeError for a wrong address, a ConfigError for a wrong directive, and with an Error that names
 * the last problem when there is no copy in time.
 */
export async function createReplica(options: CreateReplicaOptions): Promise<Replica> {
  const { replica } = await openReplica(options)
  return replica
}
