/** How far this copy is behind its primary, in time: for the metric and for /readyz, which must not disagree. */
import type { Host } from '../commands/host.ts'

/**
 * Milliseconds for which the data here may be old; undefined on a primary. A replica cannot see what its primary has
 * not sent, but a primary is never silent for longer than its ping period: until then, having applied all that was read
 * counts as being level with it. While the link is down, it is the time since it went down.
 */
export function upstreamLagMs(host: Host): number | undefined {
  const { upstream, roleChangedAtMs } = host.replication
  if (upstream === null) return undefined
  if (upstream.linkStatus !== 'up') {
    const downSeconds = upstream.linkDownSinceSeconds
    return downSeconds >= 0 ? downSeconds * 1000 : Math.max(0, host.unixMs - roleChangedAtMs)
  }
  const silenceMs = (host.config.get('repl-ping-replica-period') + 1) * 1000
  const isLevel = upstream.readOffset <= upstream.appliedOffset && upstream.lagMs <= silenceMs
  return isLevel ? 0 : Math.max(0, upstream.lagMs)
}
