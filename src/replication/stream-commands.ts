/** What is in a piece of a replication stream: where its commands begin, how many change data, which database is selected. */

import { Request } from '../resp/request.ts'
import { COMPLETE, RequestParser } from '../resp/request-parser.ts'

const SELECT = Buffer.from('*2\r\n$6\r\nSELECT\r\n$', 'latin1')

/** Where the first command starts from which on all of the bytes are commands; their length if there is none. */
export function commandStart(bytes: Buffer): number {
  for (let at = bytes.indexOf('*'); at >= 0; at = bytes.indexOf('*', at + 1)) {
    if (/^\*[1-9]\d*\r\n\$\d+\r\n/.test(bytes.latin1Slice(at, at + 32)) && areCommands(bytes.subarray(at))) return at
  }
  return bytes.length
}

/** The whole commands at the beginning; each is valid until the next. */
function* commandsOf(bytes: Buffer): Generator<Request, void> {
  const parser = new RequestParser({ maxBulkBytes: Number.MAX_SAFE_INTEGER })
  parser.begin(bytes, 0, bytes.length)
  do {
    if (parser.nextBatch(1) === 0) return
    yield parser.batch[0]!
  } while (parser.status === COMPLETE)
}

export function areCommands(bytes: Buffer): boolean {
  let end = 0
  for (const { rawEnd } of commandsOf(bytes)) end = rawEnd
  return end === bytes.length
}

/** Commands that change data: not the stream's own. */
export function countWrites(bytes: Buffer): number {
  let writes = 0
  for (const request of commandsOf(bytes)) {
    const isOwn = ['PING', 'REPLCONF', 'SELECT', 'MULTI', 'EXEC', 'PUBLISH'].some((name) => request.is(0, name))
    if (request.argc > 0 && !isOwn) writes++
  }
  return writes
}

/** The database that is selected behind these bytes; undefined when they say nothing of it. */
export function lastSelected(bytes: Buffer): number | undefined {
  const at = bytes.lastIndexOf(SELECT)
  if (at < 0) return undefined
  const found = /^\d+\r\n(\d+)\r\n/.exec(bytes.latin1Slice(at + SELECT.length, at + SELECT.length + 32))
  return found === null ? undefined : Number(found[1])
}

/** Whether they say themselves for which database they are. */
export function selectsFirst(bytes: Buffer): boolean {
  return bytes.subarray(0, SELECT.length).equals(SELECT)
}

export function select(database: number): Buffer {
  return Request.of(['SELECT', String(database)]).buf
}
