/** Why a request cannot be answered, in words for the client. */
import type { Engine } from '../engine/engine.ts'
import { BOUNDED, LINEARIZABLE } from './consistency.ts'
import type { Copy } from './copy.ts'
import type { Session } from './session.ts'
import type { Settings } from './settings.ts'

export const NO_HELLO_WHILE_WATCHING = 'ERR the protocol cannot be changed while keys are watched through the proxy'
export const CURSOR_NOT_HERE =
  'TRYAGAIN the copy has not caught up with this connection, and a cursor cannot be taken to another server'
export const SPREAD_NOT_HERE =
  'TRYAGAIN the copy cannot be read as this connection wants it, and no shard has all of the keys'
export const CROSSES = "CROSSSLOT Keys in request don't hash to the same slot"

export function ageText({ ageMs }: Copy): string {
  return Number.isFinite(ageMs) ? `${Math.round(ageMs)} ms old` : 'of unknown age'
}

/** Why a read is refused while the upstream is away. */
export function notReadable(
  copy: Copy,
  session: Session,
  settings: Settings,
  engine: Engine,
  lastError: string,
): string {
  const { level, boundMs } = session.consistency
  const away = `MASTERDOWN The upstream is away (${lastError}) and `
  if (!copy.isReady || engine.loading !== 'no') return `${away}there is no copy of it yet`
  if (level === LINEARIZABLE) return `${away}this connection reads only there (linearizable)`
  if (!copy.isUsable) {
    return `${away}the copy is ${ageText(copy)}: more than stale-reads-max-age (${settings.maxAgeMs} ms)`
  }
  if (level === BOUNDED && copy.ageMs > boundMs) return `${away}the copy is ${ageText(copy)}: more than ${boundMs} ms`
  return `${away}the copy does not have what this connection last wrote or read (session)`
}
