/** What /healthz and /readyz answer: null, or the reason why not. */
import type { Host } from '../commands/host.ts'
import { upstreamLagMs } from './lag.ts'

/** A server that loads or ends is alive, but nobody should be sent to it. */
export function whyUnhealthy(host: Host): string | null {
  if (host.shutdownAtMs !== 0) return 'shutting down'
  const { loading, asyncLoading, loadedBytes, loadTotalBytes } = host.persistence
  if (loading && !asyncLoading) return `loading the data set: ${loadedBytes} of ${loadTotalBytes} bytes`
  return null
}

/** Besides, a replica is ready when its copy is recent enough. */
export function whyNotReady(host: Host): string | null {
  const unhealthy = whyUnhealthy(host)
  if (unhealthy !== null) return unhealthy
  const { upstream } = host.replication
  if (upstream === null) return null
  const address = `${upstream.host}:${upstream.port}`
  if (upstream.linkStatus !== 'up') return `the link to ${address} is down (${upstream.state})`
  const lagMs = upstreamLagMs(host) ?? 0
  const maxLagMs = host.config.get('ready-max-lag')
  return lagMs > maxLagMs ? `${lagMs} ms behind ${address}, ready-max-lag is ${maxLagMs}` : null
}
