/**
 * What a primary had that its successor lacks. When a former primary has to take a full synchronisation from the server
 * that was promoted in its place, its own last writes are about to go: those that the other had not acknowledged are written
 * to `lost-writes-<replid>-<offset>.resp` in `dir` first, as the commands that they were, for an operator to look at or to
 * send again (`redis-cli --pipe < file`). The other may have received some of them without having said so.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { strerror } from '../config/strerror.ts'
import { COMPLETE, RequestParser } from '../resp/request-parser.ts'
import type { Replication } from './replication.ts'

interface Pending {
  replid: string
  from: number
  to: number
}

export class LostWrites {
  /** Commands written to such files since the start. */
  commands = 0
  files = 0
  lastFile = ''

  #replication: Replication
  #pending: Pending | null = null

  constructor(replication: Replication) {
    this.#replication = replication
  }

  /** This primary is about to follow a server that had acknowledged so much of its stream. */
  demoted(acknowledged: number): void {
    const { history, stream } = this.#replication
    stream.flush()
    const isBehind = acknowledged < history.offset && stream.backlog !== null
    this.#pending = isBehind ? { replid: history.replid, from: acknowledged, to: history.offset } : null
  }

  /** The new primary goes on with this history: nothing is lost. */
  continued(): void {
    this.#pending = null
  }

  /** The new primary has another history: its data is about to take the place of this one's. */
  save(): void {
    const pending = this.#pending
    const { backlog } = this.#replication.stream
    this.#pending = null
    if (pending === null || backlog === null) return
    const { log, config } = this.#replication.engine
    const from = Math.max(pending.from, backlog.start)
    const pieces: Buffer[] = []
    for (let at = from; at < pending.to; ) {
      const bytes = backlog.read(at)
      if (bytes.length === 0) break
      pieces.push(bytes.subarray(0, pending.to - at))
      at += bytes.length
    }
    const bytes = Buffer.concat(pieces)
    const writes = countWrites(bytes)
    if (writes === 0) return
    const path = join(config.get('dir'), `lost-writes-${pending.replid}-${from + 1}.resp`)
    try {
      const file = openSync(path, 'wx', 0o600)
      writeSync(file, bytes)
      closeSync(file)
    } catch (error) {
      log('warning', `${writes} writes that the new primary lacks could not be kept in ${path}: ${strerror(error)}`)
      return
    }
    this.commands += writes
    this.files++
    this.lastFile = path
    const cut = from > pending.from ? ', the oldest are no longer known' : ''
    log('warning', `${writes} writes that the new primary did not acknowledge are kept in ${path}${cut}`)
  }
}

/** Commands that change data: not the stream's own. */
function countWrites(bytes: Buffer): number {
  const parser = new RequestParser({ maxBulkBytes: Number.MAX_SAFE_INTEGER })
  parser.begin(bytes, 0, bytes.length)
  let writes = 0
  do {
    const count = parser.nextBatch(1)
    if (count === 0) break
    const request = parser.batch[0]!
    const isOwn = ['PING', 'REPLCONF', 'SELECT', 'MULTI', 'EXEC', 'PUBLISH'].some((name) => request.is(0, name))
    if (request.argc > 0 && !isOwn) writes++
  } while (parser.status === COMPLETE)
  return writes
}
