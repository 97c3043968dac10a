/**
 * How large the backlog is, and whether there is one. Unless set, `repl-backlog-size` is what the last minute wrote, within
 * 16 MB and 256 MB; a primary that has had no replica for `repl-backlog-ttl` frees it, and with it its name.
 */
import type { ReplicationHost } from '../commands/host.ts'
import type { Replication } from './replication.ts'

const AUTO_SECONDS = 60
const AUTO_MIN = 16 * 1024 * 1024
const AUTO_MAX = 256 * 1024 * 1024

export class BacklogSize {
  #replication: Replication
  #rateAtMs: number
  #rateOffset = 0

  constructor(replication: Replication) {
    this.#replication = replication
    this.#rateAtMs = replication.engine.now
  }

  /** Once a second. */
  cron(): void {
    this.#adapt()
    this.#expire()
  }

  #adapt(): void {
    const { engine, stream, offset } = this.#replication
    const { config, unixMs } = engine
    const elapsed = (unixMs - this.#rateAtMs) / 1000
    if (elapsed < 1) return
    const rate = Math.max(0, offset - this.#rateOffset) / elapsed
    this.#rateAtMs = unixMs
    this.#rateOffset = offset
    const weight = Math.min(1, elapsed / AUTO_SECONDS)
    stream.bytesPerSecond += (rate - stream.bytesPerSecond) * weight
    if (config.isExplicit('repl-backlog-size') || stream.backlog === null) return
    const wanted = Math.ceil((stream.bytesPerSecond * AUTO_SECONDS) / AUTO_MIN) * AUTO_MIN
    const size = Math.min(AUTO_MAX, Math.max(AUTO_MIN, wanted))
    const current = config.get('repl-backlog-size')
    // Grows at once and shrinks only when half would do, so that it does not swing.
    if (size > current || size * 2 <= current) {
      config.setDerived('repl-backlog-size', size)
      stream.backlog.size = size
    }
  }

  #expire(): void {
    const { engine, stream, role, replicaSet } = this.#replication
    const ttl = engine.config.get('repl-backlog-ttl')
    if (this.#replication.syncMode.isWanted) return
    if (stream.backlog === null || role === 'slave' || replicaSet.list.length > 0 || ttl === 0) return
    if (engine.now - replicaSet.noneSinceMs <= ttl * 1000) return
    this.#replication.freeBacklog()
    engine.log('notice', `Replication backlog freed after ${ttl} seconds without connected replicas.`)
  }
}

/** What INFO tells of the backlog. */
export function backlogInfo({ stream, engine }: Replication): ReplicationHost['backlog'] {
  const { backlog } = stream
  stream.flush()
  return {
    active: backlog !== null,
    size: engine.config.get('repl-backlog-size'),
    firstByteOffset: backlog === null ? 0 : backlog.oldest + 1,
    histlen: backlog?.histlen ?? 0,
  }
}
