/** The library: a server inside this process, for tests and for programs that carry their own, and a live copy of one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { Config } from './config/config.ts'
import { Replica } from './embedded/replica.ts'
import { parseUpstream } from './embedded/upstream-client.ts'
import { Tandem } from './tandem.ts'

export type { Change, ChangeListener } from './embedded/changes.ts'
export type { Argument, Value } from './embedded/reader.ts'
export type { Replica, ScanOptions, Scored } from './embedded/replica.ts'

const SYNC_TIMEOUT_MS = 30_000

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

export interface CreateReplicaOptions {
  /** `redis://[[user:]password@]host[:port][/database]`, or `rediss://` by TLS. */
  from: string
  /** For `rediss://`: options of Node's tls.connect(), for example { ca }. Without them its own authorities are trusted. */
  tls?: ConnectionOptions
  /** How long the first copy may take, milliseconds; 30,000. */
  timeoutMs?: number
  /** Other directives as in redis.conf, for example { 'repl-timeout': 10 }. */
  directives?: Readonly<Record<string, string | number>>
  /** Gets the lines of the log; without it there is none. */
  log?: (level: 'debug' | 'verbose' | 'notice' | 'warning', text: string) => void
}

/**
 * A live copy of a Redis server inside this process, which listens nowhere and saves nothing. Resolves when the data is
 * here. Rejects with a TypeError for a wrong address, a ConfigError for a wrong directive, and with an Error that names
 * the last problem when there is no copy in time.
 */
export async function createReplica(options: CreateReplicaOptions): Promise<Replica> {
  const upstream = parseUpstream(options.from, options.tls)
  const config = new Config()
  // What cannot be loaded as it comes is kept here meanwhile.
  const dir = mkdtempSync(join(tmpdir(), 'tandem-replica-'))
  const directives = {
    dir,
    save: '',
    port: 0,
    'metrics-port': 0,
    'repl-diskless-load': 'swapdb',
    masteruser: upstream.username,
    masterauth: upstream.password,
    databases: Math.max(16, upstream.database + 1),
    ...options.directives,
  }
  const removeDir = () => rmSync(dir, { recursive: true, force: true })
  try {
    config.loadArguments(Object.entries(directives).flatMap(([name, value]) => [`--${name}`, String(value)]))
  } catch (error) {
    removeDir()
    throw error
  }
  let problem = 'it did not answer'
  const tandem = new Tandem({
    config,
    exit: () => {},
    log: (level, text) => {
      if (level === 'warning') problem = text
      options.log?.(level, text)
    },
  })
  const replica = new Replica(tandem, upstream, removeDir)
  const { replication } = tandem
  const { onNewHistory } = replication
  replication.onNewHistory = () => {
    onNewHistory()
    replica.resynchronised()
  }
  try {
    await tandem.start()
    await replica.start(options.timeoutMs ?? SYNC_TIMEOUT_MS, () => problem)
  } catch (error) {
    await replica.close()
    throw error
  }
  return replica
}
