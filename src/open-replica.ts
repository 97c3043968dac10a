/** A server of this process that follows another one, listens nowhere and saves nothing: what is behind createReplica(). */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { Config } from './config/config.ts'
import { ReadCache } from './embedded/read-cache.ts'
import { Replica } from './embedded/replica.ts'
import { parseUpstream } from './embedded/upstream-client.ts'
import { Tandem } from './tandem.ts'

const SYNC_TIMEOUT_MS = 30_000
const CACHE_ENTRIES = 1 << 17
const CACHE_BYTES = 64 << 20

export interface CreateReplicaOptions {
  /** `redis://[[user:]password@]host[:port][/database]`, or `rediss://` by TLS. */
  from: string
  /** For `rediss://`: options of Node's tls.connect(), for example { ca }. Without them its own authorities are trusted. */
  tls?: ConnectionOptions
  /** How long the first copy may take, milliseconds; 30,000. */
  timeoutMs?: number
  /**
   * Room for the strings that get() returned for keys that are read again and again: so many of them (131,072), of so many
   * bytes in all (67,108,864). 0 of either turns it off.
   */
  readCache?: { maxEntries?: number; maxBytes?: number }
  /** Other directives as in redis.conf, for example { 'repl-timeout': 10 }. */
  directives?: Readonly<Record<string, string | number>>
  /** Gets the lines of the log; without it there is none. */
  log?: (level: 'debug' | 'verbose' | 'notice' | 'warning', text: string) => void
}

/** Resolves when the data is here; rejects as createReplica() does. */
export async function openReplica(options: CreateReplicaOptions): Promise<{ replica: Replica; tandem: Tandem }> {
  const upstream = parseUpstream(options.from, options.tls)
  const { maxEntries = CACHE_ENTRIES, maxBytes = CACHE_BYTES } = options.readCache ?? {}
  const cache = new ReadCache(maxEntries, maxBytes)
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
  const replica = new Replica(tandem, upstream, cache, removeDir)
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
  return { replica, tandem }
}
