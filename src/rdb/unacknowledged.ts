/**
 * The end of a replication stream that some replica had not acknowledged when the data set was saved, as it is kept beside
 * the data: in two aux fields of a dump, which other servers pass over, and next to an append-only file.
 *
 *   tandem-unacknowledged:  <replid> <from> <database> <repl-offset of the dump> [<ip:port>=<acknowledged> ...]
 *   tandem-unacknowledged-stream:  the bytes of the stream from offset <from> on, if there are any
 */
export interface Unacknowledged {
  replid: string
  /** Offset of the first byte. */
  from: number
  /** The database that the stream has selected there. */
  database: number
  bytes: Buffer
  /** Offset by replica (ip:port), of all that were known. */
  acknowledged: ReadonlyMap<string, number>
}

export const HEAD_FIELD = 'tandem-unacknowledged'
export const STREAM_FIELD = 'tandem-unacknowledged-stream'

/** As it was found in a dump, not looked at yet. */
export interface FoundUnacknowledged {
  head: string
  stream: string
}

/** An address that a replica announced may be any text; only such a name can be written between spaces. */
export function isPlain(name: string): boolean {
  return /^[!-~]+$/.test(name)
}

export function unacknowledgedHead(tail: Unacknowledged, offset: number): string {
  const replicas = [...tail.acknowledged].filter(([name]) => isPlain(name))
  const pairs = replicas.map(([name, acknowledged]) => ` ${name}=${acknowledged}`)
  return `${tail.replid} ${tail.from} ${tail.database} ${offset}${pairs.join('')}`
}

/** Undefined when it is not one, or belongs to another dump than that with this offset. */
export function readUnacknowledged(found: FoundUnacknowledged, offset: number): Unacknowledged | undefined {
  const match = /^([0-9a-f]{40}) (\d{1,15}) (\d{1,9}) (\d{1,15})((?: \S+=\d{1,15})*)$/.exec(found.head)
  if (match === null || Number(match[4]) !== offset) return undefined
  const acknowledged = new Map<string, number>()
  for (const pair of match[5]!.split(' ').slice(1)) {
    const at = pair.lastIndexOf('=')
    acknowledged.set(pair.slice(0, at), Number(pair.slice(at + 1)))
  }
  const bytes = Buffer.from(found.stream, 'latin1')
  return { replid: match[1]!, from: Number(match[2]), database: Number(match[3]), bytes, acknowledged }
}
