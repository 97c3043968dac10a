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
  /** Bytes of this server's stream that its successors had not acknowledged and did not take over, since the start. */
  bytes = 0

  #replication: Replication
  #pending: Pending | null = null
  #isUndecided = false

  constructor(replication: Replication) {
    this.#replication = replication
  }

  /** There may be lost writes in the data set, and reads are promised not to show any. */
  get hides(): boolean {
    return this.#isUndecided && this.#replication.engine.config.get('sync-reads')
  }

  /** This primary is about to follow a server that had acknowledged so much of its stream. */
  demoted(acknowledged: number): void {
    const { history, stream } = this.#replication
    stream.flush()
    const isBehind = acknowledged < history.offset && stream.backlog !== null
    this.#pending = isBehind ? { replid: history.replid, from: acknowledged, to: history.offset } : null
    this.#isUndecided = acknowledged < history.offset
  }

  /** The new primary goes on with this history, or its data is here, or this server is a primary again. */
  decided(): void {
    this.#pending = null
    this.#isUndecided = false
  }

  /** The new primary has another history: its data is about to take the place of this one's. */
  save(): void {
    const pending = this.#pending
    const { backlog } = this.#replication.stream
    this.#pending = null
    if (pending === null || backlog === null) return
    const { log, config } = this.#replication.engine
    this.bytes += pending.to - pending.from
    const known = this.#bytesOf(Math.max(pending.from, backlog.start), pending.to)
    // The backlog may begin in the middle of a command.
    const bytes = backlog.start > pending.from ? known.subarray(commandStart(known)) : known
    const from = pending.to - bytes.length
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

  /** Of the backlog, from one offset to another. */
  #bytesOf(from: number, to: number): Buffer {
    const { backlog } = this.#replication.stream
    const pieces: Buffer[] = []
    for (let at = from; at < to; ) {
      const bytes = backlog!.read(at)
      if (bytes.length === 0) break
      pieces.push(bytes.subarray(0, to - at))
      at += bytes.length
    }
    return Buffer.concat(pieces)
  }
}

/** Where the first command starts from which on all of the bytes are commands; their length if there is none. */
function commandStart(bytes: Buffer): number {
  for (let at = bytes.indexOf('*'); at >= 0; at = bytes.indexOf('*', at + 1)) {
    if (/^\*[1-9]\d*\r\n\$\d+\r\n/.test(bytes.latin1Slice(at, at + 32)) && areCommands(bytes.subarray(at))) return at
  }
  return bytes.length
}

function areCommands(bytes: Buffer): boolean {
  const parser = new RequestParser({ maxBulkBytes: Number.MAX_SAFE_INTEGER })
  parser.begin(bytes, 0, bytes.length)
  let end = 0
  do {
    if (parser.nextBatch(1) === 0) break
    end = parser.batch[0]!.rawEnd
  } while (parser.status === COMPLETE)
  return end === bytes.length
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
