/** TIME. The host's clock ticks in milliseconds; what is below is measured since the last tick that was seen. */
import type { Call } from '../call.ts'
import { command } from '../define.ts'

let tickMs = 0
let tickSeenAt = 0

function runTime(call: Call): void {
  const { host, reply } = call
  const nowMs = Math.floor(host.unixMs)
  const seenAt = performance.now()
  if (nowMs !== tickMs) {
    tickMs = nowMs
    tickSeenAt = seenAt
  }
  // Never into the next millisecond, so that two calls are in order whatever is done to the clock.
  const below = Math.min(999, Math.floor((seenAt - tickSeenAt) * 1000))
  reply.array(2)
  reply.bulkInteger(Math.floor(nowMs / 1000))
  reply.bulkInteger((nowMs % 1000) * 1000 + below)
}

export const time = command({
  name: 'time',
  arity: 1,
  since: '2.6.0',
  summary: 'Return the current server time',
  complexity: 'O(1)',
  flags: ['loading', 'stale', 'fast'],
  hints: ['nondeterministic_output'],
  run: runTime,
})
