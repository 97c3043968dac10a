/**
 * Whom a link to a primary belongs to: the server that follows one primary (Replication), or one shard of a cluster that
 * the proxy follows (proxy/cluster/shard.ts). It holds the history that PSYNC asks to continue and takes what arrives.
 */
import type { Engine } from '../../engine/engine.ts'
import type { Tls } from '../../tls/dial.ts'
import type { History } from '../history.ts'
import type { Applier } from './apply.ts'
import type { UpstreamLink } from './link.ts'
import type { Framing, Payload } from './load.ts'

export interface LinkOwner {
  readonly engine: Engine
  readonly history: History
  /** A prefix of some primary's history is held, so PSYNC can ask to go on. */
  readonly canResume: boolean
  readonly listeningPort: number
  /** What of the primary's stream is on disk here; -1 if that is not known. */
  readonly syncedOffset: number
  /** Database in which the primary's stream was left. */
  lastDatabase: number
  readonly handover: { readonly isHandingOver: boolean; abort(why: string): void; completed(): void }
  readonly lostWrites: { save(): void }
  readonly guard: { readonly isWatching: boolean; refuses(keysThere: number, replid: string): boolean }
  /** How the primary is reached; null without TLS. */
  tls(): Tls
  linkChanged(): void
  forgetHistory(): void
  /** The primary continues the history, perhaps under a new name. */
  continued(replid: string): void
  /** A full synchronisation was loaded. */
  synchronised(replid: string, offset: number, streamDb: number): void
  loadingBegan(totalBytes: number, async: boolean): void
  /** `isLost`: what is held is a part of what was to be loaded. */
  loadingEnded(isLost: boolean): void
  /** Where a payload of this framing goes. Throws when its file cannot be made. */
  payload(framing: Framing): Payload
  applier(link: UpstreamLink, database: number): Applier
  recordResync(
    peer: string,
    direction: 'from-primary',
    kind: string,
    why: string,
    bytes: number,
    durationMs: number,
  ): void
}
