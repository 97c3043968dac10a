/**
 * How many servers the group has, for `sync-replicas quorum`: sync-group-size says it, or else those count that are known
 * here, which are this server, its replicas, and replicas that left less than repl-backlog-ttl ago (as long as the backlog
 * waits for them; 0 for ever). A server that was just started or promoted knows of nobody yet: one copy at least is
 * always wanted then, which is a majority of three. Larger groups say their size.
 */
import type { Config } from '../../config/config.ts'
import type { Replicas } from '../primary/replicas.ts'

export class GroupSize {
  #config: Config
  #replicas: Replicas

  constructor(config: Config, replicas: Replicas) {
    this.#config = config
    this.#replicas = replicas
  }

  get servers(): number {
    const said = this.#config.get('sync-group-size')
    return said > 0 ? said : 1 + this.#replicas.knownSince(this.#config.get('repl-backlog-ttl') * 1000)
  }

  /** Replicas that make a majority together with the primary. */
  get copies(): number {
    return Math.max(1, Math.floor(this.servers / 2))
  }
}
