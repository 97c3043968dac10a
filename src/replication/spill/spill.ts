/**
 * What slow replicas have not read, in a file instead of memory.
 *
 *     segments.start      backlog.start                              backlog.end
 *       |   in the file     |   in memory: repl-spill-memory   |  the backlog  |
 *
 * When more than `repl-spill-memory` is kept for them beyond the backlog, the oldest of it is written behind what the file
 * holds, and its blocks are let go once they are written. A replica that is further back reads from the file, later from
 * memory again. Nothing waits for the disk but the replica that needs it.
 *
 * How this goes together with `client-output-buffer-limit replica`: that limit counts what a replica keeps in memory. One
 * below `repl-spill-memory` is met before anything is written, and closes the replica as Redis does; a greater one (the
 * default) is met only when the disk does not keep up. When the file is full (`repl-spill-max-size`) or cannot be written,
 * the slowest replica is closed, and with it what was kept for it goes; unless the limit is 0, which means never:
 * then memory grows as in Redis.
 */
import { readdirSync, unlinkSync } from 'node:fs'
import { strerror } from '../../config/strerror.ts'
import type { Engine } from '../../engine/engine.ts'
import type { Backlog } from '../backlog.ts'
import { Segments } from './segments.ts'

const WRITE_BYTES = 4 * 1024 * 1024
const RETRY_MS = 1000
const NAME = /^temp-repl-(\d+)-\d+-\d+\.spill$/

/** Files of processes that are gone: a crash leaves them behind. */
export function removeLeftSpills(engine: Engine): void {
  const { config, log } = engine
  let names: string[]
  try {
    names = readdirSync(config.resolvePath('.'))
  } catch {
    return
  }
  for (const name of names) {
    const pid = Number(NAME.exec(name)?.[1] ?? Number.NaN)
    if (Number.isNaN(pid) || paths.has(config.resolvePath(name)) || (pid !== process.pid && isAlive(pid))) continue
    try {
      unlinkSync(config.resolvePath(name))
      log('notice', `Removed ${name}, left by a former process`)
    } catch (error) {
      log('warning', `Cannot remove ${name}: ${strerror(error)}`)
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

let spills = 0
/** Of this process, by all servers in it. */
const paths = new Set<string>()

/** What all files of a server may hold together, and what became of them since the start. */
export class SpillBudget {
  readonly spills = new Set<Spill>()
  writtenBytes = 0
  closedReplicas = 0

  get fileBytes(): number {
    let bytes = 0
    for (const spill of this.spills) bytes += spill.fileBytes
    return bytes
  }

  /** At the end of the process. */
  stop(): void {
    for (const spill of this.spills) spill.stop()
  }
}

export class Spill {
  /** More was written and memory let go. */
  onWritten: () => void = () => {}
  /** Nothing more can be kept: closes who is furthest back. False if nobody may be closed. */
  onFull: (why: string) => boolean = () => false

  #engine: Engine
  #budget: SpillBudget
  #segments: Segments
  #backlog: Backlog | null = null
  #isWriting = false
  #retryAtMs = 0
  #isTold = false

  constructor(engine: Engine, budget: SpillBudget) {
    this.#engine = engine
    this.#budget = budget
    budget.spills.add(this)
    const number = spills++
    this.#segments = new Segments((start) => {
      const path = engine.config.resolvePath(`temp-repl-${process.pid}-${number}-${start}.spill`)
      paths.add(path)
      return path
    })
  }

  get fileBytes(): number {
    return this.#segments.bytes
  }

  /** Writes what has to be written, lets go of what nobody needs. `slowest` is the offset from which on it is needed. */
  look(backlog: Backlog | null, slowest: number): void {
    if (backlog !== this.#backlog) {
      this.#segments.clear()
      this.#backlog = backlog
    }
    if (backlog === null) return
    this.#segments.dropBefore(slowest)
    this.#join(backlog)
    if (this.#segments.bytes === 0) this.#isTold = false
    const { config, now } = this.#engine
    const keepFrom = backlog.end - backlog.size - config.get('repl-spill-memory')
    if (backlog.start >= keepFrom || this.#isWriting || config.get('repl-spill-max-size') === 0) return
    if (now >= this.#retryAtMs) void this.#write(backlog, keepFrom)
  }

  /** Some bytes from `offset` on, which is before the backlog's start. */
  read(offset: number): Promise<Buffer> {
    return this.#segments.read(offset)
  }

  /** It is over. */
  drop(): void {
    this.look(null, 0)
    this.#budget.spills.delete(this)
  }

  stop(): void {
    this.#segments.clearNow()
  }

  async #write(backlog: Backlog, keepFrom: number): Promise<void> {
    const { config } = this.#engine
    const most = config.get('repl-spill-max-size')
    const from = backlog.start
    const buffers = backlog.wholeBlocks(from, Math.min(keepFrom, from + WRITE_BYTES))
    const length = buffers.reduce((sum, bytes) => sum + bytes.length, 0)
    if (length === 0) return
    if (this.#budget.fileBytes + length > most) {
      this.#cannot(`it does not fit into the spill file (repl-spill-max-size ${most})`)
      return
    }
    this.#isWriting = true
    try {
      await this.#segments.append(from, buffers, length, most)
    } catch (error) {
      this.#isWriting = false
      this.#cannot(`the spill file cannot be written (${strerror(error)})`)
      return
    }
    this.#isWriting = false
    if (this.#backlog === backlog) {
      this.#budget.writtenBytes += length
      backlog.letGo(from + length)
      this.#join(backlog)
    } else {
      // Another history has begun meanwhile.
      this.#segments.clear()
    }
    this.onWritten()
  }

  /** While something is written for a replica that is gone, the file may end before memory begins. */
  #join(backlog: Backlog): void {
    const { start, end } = this.#segments
    backlog.spilledFrom = end !== undefined && end >= backlog.start ? start : undefined
  }

  #cannot(why: string): void {
    this.#retryAtMs = this.#engine.now + RETRY_MS
    if (this.onFull(why)) {
      this.#budget.closedReplicas++
      this.#retryAtMs = 0
      return
    }
    if (!this.#isTold) this.#engine.log('warning', `What replicas have not read stays in memory: ${why}`)
    this.#isTold = true
  }
}
