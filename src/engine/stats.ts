/**
 * The counters of INFO stats. They are plain fields that whoever does the thing increments; nothing here is called for a
 * command. Ten times a second `sample()` turns five of them into rates per second, each the mean of the last 16 samples
 * (redis 7.0.15 server.c trackInstantaneousMetric, getInstantaneousMetric).
 */
import type { Stats } from '../commands/host.ts'

const SAMPLES = 16
/** Redis 7.0 counts any number of error codes, which scripts may invent; later versions stop here as well. */
const ERROR_CODES_MAX = 128
const OTHER_ERRORS = 'ERRORSTATS_OVERFLOW'

/** The rate of one growing counter. */
class Rate {
  readonly #samples = new Float64Array(SAMPLES)
  #next = 0
  #lastReading = 0

  /** `elapsedMs` since the last sample; 0 for none yet. */
  sample(reading: number, elapsedMs: number): number {
    const perSecond = elapsedMs > 0 ? Math.floor(((reading - this.#lastReading) * 1000) / elapsedMs) : 0
    this.#samples[this.#next] = perSecond
    this.#next = (this.#next + 1) % SAMPLES
    this.#lastReading = reading
    let sum = 0
    for (let i = 0; i < SAMPLES; i++) sum += this.#samples[i]!
    return Math.floor(sum / SAMPLES)
  }

  reset(): void {
    this.#samples.fill(0)
    this.#next = 0
    this.#lastReading = 0
  }
}

export class ServerStats implements Stats {
  startedAtMs = 0
  connectionsReceived = 0
  rejectedConnections = 0
  commandsProcessed = 0
  keyspaceHits = 0
  keyspaceMisses = 0
  expiredKeys = 0
  expiredStalePercent = 0
  expiredTimeCapReached = 0
  expireCycleMilliseconds = 0
  evictedKeys = 0
  evictedClients = 0
  evictionExceededMilliseconds = 0
  netInputBytes = 0
  netOutputBytes = 0
  replInputBytes = 0
  replOutputBytes = 0
  syncFull = 0
  syncPartialOk = 0
  syncPartialErr = 0
  readsProcessed = 0
  writesProcessed = 0
  errorReplies = 0
  unexpectedErrorReplies = 0
  dumpPayloadSanitizations = 0
  peakMemoryBytes = 0
  queryBufferLimitDisconnections = 0
  outputBufferLimitDisconnections = 0
  activeDefragHits = 0
  snapshots = 0
  lazyFreedObjects = 0
  readonly errorCounts = new Map<string, number>()
  /** Per second. inputBytes and outputBytes are of all links, those of replication included. */
  readonly instantaneous = { commands: 0, inputBytes: 0, outputBytes: 0, replInputBytes: 0, replOutputBytes: 0 }

  #lastSampleMs = 0
  readonly #commands = new Rate()
  readonly #input = new Rate()
  readonly #output = new Rate()
  readonly #replInput = new Rate()
  readonly #replOutput = new Rate()

  /** Takes a sample of all rates; called every 100 ms. */
  sample(nowMs: number): void {
    const elapsedMs = this.#lastSampleMs === 0 ? 0 : nowMs - this.#lastSampleMs
    this.#lastSampleMs = nowMs
    const rates = this.instantaneous
    rates.commands = this.#commands.sample(this.commandsProcessed, elapsedMs)
    rates.inputBytes = this.#input.sample(this.netInputBytes + this.replInputBytes, elapsedMs)
    rates.outputBytes = this.#output.sample(this.netOutputBytes + this.replOutputBytes, elapsedMs)
    rates.replInputBytes = this.#replInput.sample(this.replInputBytes, elapsedMs)
    rates.replOutputBytes = this.#replOutput.sample(this.replOutputBytes, elapsedMs)
  }

  /** Counts replies with this error code; codes beyond a limit count as one. */
  countError(code: string, count = 1): void {
    const counts = this.errorCounts
    const known = counts.get(code)
    if (known === undefined && counts.size >= ERROR_CODES_MAX && code !== OTHER_ERRORS) {
      this.countError(OTHER_ERRORS, count)
      return
    }
    counts.set(code, (known ?? 0) + count)
  }

  /** CONFIG RESETSTAT: everything but the start and the memory peak. redis 7.0.15 server.c resetServerStats */
  reset(): void {
    this.connectionsReceived = 0
    this.rejectedConnections = 0
    this.commandsProcessed = 0
    this.keyspaceHits = 0
    this.keyspaceMisses = 0
    this.expiredKeys = 0
    this.expiredStalePercent = 0
    this.lazyFreedObjects = 0
    this.expiredTimeCapReached = 0
    this.expireCycleMilliseconds = 0
    this.evictedKeys = 0
    this.evictedClients = 0
    this.evictionExceededMilliseconds = 0
    this.netInputBytes = 0
    this.netOutputBytes = 0
    this.replInputBytes = 0
    this.replOutputBytes = 0
    this.syncFull = 0
    this.syncPartialOk = 0
    this.syncPartialErr = 0
    this.readsProcessed = 0
    this.writesProcessed = 0
    this.errorReplies = 0
    this.unexpectedErrorReplies = 0
    this.dumpPayloadSanitizations = 0
    this.queryBufferLimitDisconnections = 0
    this.outputBufferLimitDisconnections = 0
    this.activeDefragHits = 0
    this.snapshots = 0
    this.errorCounts.clear()
    for (const rate of [this.#commands, this.#input, this.#output, this.#replInput, this.#replOutput]) rate.reset()
    for (const name of Object.keys(this.instantaneous)) this.instantaneous[name as keyof Stats['instantaneous']] = 0
  }
}
