/**
 * The log of refusals: one entry for equal ones within a minute of each other, the latest first.
 * redis 7.0.15 acl.c addACLLogEntry
 */
import type { AclLogEntry } from '../commands/host.ts'

const GROUPING_MS = 60_000
/** Entries that are looked at for an equal one. */
const SEARCHED = 10

export type LogReason = 'command' | 'key' | 'channel' | 'auth'
export type LogContext = 'toplevel' | 'multi' | 'lua'

export interface Refusal {
  readonly reason: LogReason
  readonly context: LogContext
  readonly object: string
  readonly user: string
  readonly updatedAtMs: number
  readonly clientInfo: string
}

export class AclLog {
  #entries: AclLogEntry[] = []

  get entries(): readonly AclLogEntry[] {
    return this.#entries
  }

  add(refusal: Refusal, maxLength: number): void {
    const index = this.#entries.findIndex((entry, i) => i < SEARCHED && isSame(entry, refusal))
    if (index >= 0) {
      const [entry] = this.#entries.splice(index, 1)
      this.#entries.unshift({ ...refusal, count: entry!.count + 1 })
      return
    }
    this.#entries.unshift({ ...refusal, count: 1 })
    if (this.#entries.length > maxLength) this.#entries.length = maxLength
  }

  reset(): void {
    this.#entries = []
  }
}

function isSame(entry: AclLogEntry, refusal: Refusal): boolean {
  return (
    entry.reason === refusal.reason &&
    entry.context === refusal.context &&
    Math.abs(entry.updatedAtMs - refusal.updatedAtMs) <= GROUPING_MS &&
    entry.object === refusal.object &&
    entry.user === refusal.user
  )
}
