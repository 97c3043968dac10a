/** What INFO, ROLE and metrics tell of the link to the primary. */
import type { UpstreamInfo } from '../../commands/host.ts'
import type { Engine } from '../../engine/engine.ts'
import type { UpstreamLink } from './link.ts'

export function upstreamInfo(link: UpstreamLink, engine: Engine, offset: number): UpstreamInfo {
  const up = link.state === 'connected'
  const pending = link.applier?.pendingBytes ?? 0
  return {
    host: link.host,
    port: link.port,
    linkStatus: up ? 'up' : 'down',
    state: link.state,
    lastIoSecondsAgo: up ? Math.floor((engine.unixMs - link.lastIoMs) / 1000) : -1,
    syncInProgress: link.state === 'sync',
    syncTotalBytes: link.payload === null ? 0 : link.payloadTotalBytes,
    syncReadBytes: link.payload?.bytes ?? 0,
    syncLastIoSecondsAgo: Math.floor((engine.unixMs - link.lastIoMs) / 1000),
    linkDownSinceSeconds: link.downSinceMs === 0 ? -1 : Math.floor((engine.unixMs - link.downSinceMs) / 1000),
    readOffset: offset + pending,
    appliedOffset: offset,
    lagMs: up ? engine.unixMs - (link.applier?.lastAppliedMs ?? engine.unixMs) : -1,
  }
}
