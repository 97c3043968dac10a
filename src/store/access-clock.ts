/**
 * What the 24 bits of a record's access clock mean, as pure functions of the value and the time (redis 7.0.15 evict.c):
 *
 *   LRU   [ seconds 24 ]                 when the key was last used; the clock comes round after 194 days
 *   LFU   [ minutes 16 | counter 8 ]     when the counter was last brought up to date, and a logarithmic count of uses
 *
 * The counter grows by one with a probability that falls as it grows, and shrinks by one for every lfu-decay-time minutes.
 * Which of the two a record holds is not stored: it follows from maxmemory-policy, and takes time to adjust to a new one.
 */

/** Counter of a new key: high enough not to be evicted before it could be used. */
export const LFU_INIT_VAL = 5

const CLOCK_MAX = 0xffffff
const MINUTES_MAX = 0xffff
const COUNTER_MAX = 255
/** LRU_CLOCK_RESOLUTION. */
const RESOLUTION_MS = 1000

/** The LRU clock of a moment. redis 7.0.15 evict.c getLRUClock */
export function lruClock(nowMs: number): number {
  // Division first: milliseconds do not fit into the 32 bits of an integer operation.
  return Math.floor(nowMs / RESOLUTION_MS) & CLOCK_MAX
}

/** Milliseconds since the last use. redis 7.0.15 evict.c estimateObjectIdleTime */
export function idleMilliseconds(clock: number, nowMs: number): number {
  const now = lruClock(nowMs)
  return (now >= clock ? now - clock : now + (CLOCK_MAX - clock)) * RESOLUTION_MS
}

/** OBJECT IDLETIME: seconds since the last use. */
export function idleSeconds(clock: number, nowMs: number): number {
  return Math.floor(idleMilliseconds(clock, nowMs) / 1000)
}

/** The LRU clock of a key that has not been used for so long. redis 7.0.15 object.c objectSetLRUOrLFU */
export function clockOfIdle(seconds: number, nowMs: number): number {
  const clock = lruClock(nowMs) - Math.floor((seconds * 1000) / RESOLUTION_MS)
  return (clock < 0 ? clock + CLOCK_MAX : clock) & CLOCK_MAX
}

/** redis 7.0.15 evict.c LFUGetTimeInMinutes */
export function lfuMinutes(nowMs: number): number {
  return Math.floor(nowMs / 60_000) & MINUTES_MAX
}

/** OBJECT FREQ: the counter as it has become by now. `decayMinutes` is lfu-decay-time. redis 7.0.15 evict.c LFUDecrAndReturn */
export function frequency(clock: number, nowMs: number, decayMinutes: number): number {
  const counter = clock & COUNTER_MAX
  if (decayMinutes === 0) return counter
  const since = clock >>> 8
  const now = lfuMinutes(nowMs)
  const elapsed = now >= since ? now - since : MINUTES_MAX - since + now
  const periods = Math.floor(elapsed / decayMinutes)
  return periods > counter ? 0 : counter - periods
}

/** `logFactor` is lfu-log-factor; `random` gives numbers in [0, 1). redis 7.0.15 evict.c LFULogIncr */
export function incremented(counter: number, logFactor: number, random: () => number): number {
  if (counter >= COUNTER_MAX) return COUNTER_MAX
  const base = Math.max(0, counter - LFU_INIT_VAL)
  return random() < 1 / (base * logFactor + 1) ? counter + 1 : counter
}

/** The LFU clock of a key whose counter is this now. */
export function clockOfFrequency(counter: number, nowMs: number): number {
  return (lfuMinutes(nowMs) << 8) | counter
}

/** The LFU clock of a new key. */
export function initialClock(nowMs: number): number {
  return clockOfFrequency(LFU_INIT_VAL, nowMs)
}

/** The LFU clock after one more use. redis 7.0.15 db.c updateLFU */
export function touchedClock(
  clock: number,
  nowMs: number,
  logFactor: number,
  decayMinutes: number,
  random: () => number,
): number {
  return clockOfFrequency(incremented(frequency(clock, nowMs, decayMinutes), logFactor, random), nowMs)
}
