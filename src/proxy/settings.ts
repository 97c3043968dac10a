/** The proxy's options as the path of a call reads them. */
import type { Config } from '../config/config.ts'
import { BOUNDED, type Consistency, parseConsistency } from './consistency.ts'

export class Settings {
  consistency: Consistency
  sessionWaitMs = 0
  writeTimeoutMs = 0
  maxAgeMs = 0
  /** Of all bounds that were asked for: the copy has to be dated that often. */
  smallestBoundMs = Number.POSITIVE_INFINITY

  constructor(config: Config) {
    const read = () => {
      this.noteBound(this.consistency)
      this.sessionWaitMs = config.get('session-wait')
      this.writeTimeoutMs = config.get('write-timeout')
      this.maxAgeMs = config.get('stale-reads-max-age')
    }
    const consistency = () => parseConsistency(config.get('proxy-consistency').split(' '))!
    this.consistency = consistency()
    read()
    for (const name of ['session-wait', 'write-timeout', 'stale-reads-max-age'] as const) config.on(name, read)
    config.on('proxy-consistency', () => {
      this.consistency = consistency()
      read()
    })
  }

  noteBound({ level, boundMs }: Consistency): void {
    if (level === BOUNDED) this.smallestBoundMs = Math.min(this.smallestBoundMs, boundMs)
  }
}
