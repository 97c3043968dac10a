/**
 * Clients whose next request is held back. They are looked at again whenever something happened that may let them go on:
 * replies, a probe's answer, bytes applied, a connection that is up or lost, a limit of their own. The transport then runs
 * the same request once more, and it is decided anew.
 */
import type { Client } from '../commands/client.ts'
import type { Engine } from '../engine/engine.ts'
import type { Session } from './session.ts'
import type { Settings } from './settings.ts'
import type { ProxyStats } from './stats.ts'

/** The longest wait for the messages of a shard channel. */
export const SUBSCRIBE_WAIT_MS = 2000

export class Held {
  #engine: Engine
  #settings: Settings
  #stats: ProxyStats
  #sessions = new Set<Session>()
  #waking = false

  constructor(engine: Engine, settings: Settings, stats: ProxyStats) {
    this.#engine = engine
    this.#settings = settings
    this.#stats = stats
  }

  get count(): number {
    return this.#sessions.size
  }

  hold(session: Session): void {
    const now = this.#engine.unixMs
    if (session.heldSinceMs === 0) {
      session.heldSinceMs = now
      this.#sessions.add(session)
      this.#stats.waits++
    }
    if (session.outstanding > 0 || session.limitSinceMs !== 0) return
    session.limitSinceMs = now
    this.#limit(session)
  }

  /** Whether it may wait for so long for what it waits for now. */
  mayWait(session: Session, limitMs: number): boolean {
    if (limitMs === 0) return false
    return session.limitSinceMs === 0 || this.#engine.unixMs - session.limitSinceMs < limitMs
  }

  /** Its limits are few and short: it is looked at again at each of them. */
  #limit(session: Session): void {
    const { sessionWaitMs, writeTimeoutMs } = this.#settings
    const waited = this.#engine.unixMs - session.limitSinceMs
    let next = SUBSCRIBE_WAIT_MS > waited ? SUBSCRIBE_WAIT_MS : Number.POSITIVE_INFINITY
    if (sessionWaitMs > waited) next = Math.min(next, sessionWaitMs)
    if (writeTimeoutMs > waited) next = Math.min(next, writeTimeoutMs)
    if (!Number.isFinite(next)) return
    session.timer = setTimeout(() => {
      this.#limit(session)
      this.#wake(session)
    }, next - waited)
  }

  /** A client of the proxy is gone, with what was kept of it. */
  clientGone(client: Client): void {
    const session = client.session as Session | null
    if (session === null) return
    this.release(session)
    session.gone()
  }

  release(session: Session): void {
    if (session.heldSinceMs === 0) return
    this.#stats.waitedMs += this.#engine.unixMs - session.heldSinceMs
    session.heldSinceMs = 0
    session.limitSinceMs = 0
    this.#sessions.delete(session)
    if (session.timer !== null) clearTimeout(session.timer)
    session.timer = null
  }

  /** After the event that lets them go on has been dealt with. */
  wakeSoon(): void {
    if (this.#waking || this.#sessions.size === 0) return
    this.#waking = true
    setImmediate(() => {
      this.#waking = false
      this.wakeAll()
    })
  }

  wakeAll(): void {
    if (this.#sessions.size === 0) return
    for (const session of [...this.#sessions]) {
      if (session.outstanding > 0) continue
      const { probe, copy } = session
      // Most of them wait for the copy: no need to decide anew for nothing.
      const waits = probe !== null && probe.state === 'known' && !copy.covers(probe)
      if (waits && copy.isUsable && this.mayWait(session, this.#settings.sessionWaitMs)) continue
      this.#wake(session)
    }
  }

  #wake(session: Session): void {
    if (session.heldSinceMs === 0 || session.isGone) return
    this.#engine.tick()
    session.client.transport.resume()
  }

  stop(): void {
    for (const session of [...this.#sessions]) this.release(session)
  }
}
