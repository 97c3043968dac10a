/**
 * Replies for tests: a small parser of RESP2 and RESP3, independent of the one under test, that also tells where a reply ends, so that the
 * raw bytes of two servers can be compared. Texts and bulks are latin1 strings (binary-safe), errors are {error}, a RESP3 map is a
 * Map, a set is a Set.
 */
export type Reply = string | number | bigint | boolean | null | ErrorReply | Reply[] | Map<Reply, Reply> | Set<Reply>

export interface ErrorReply {
  error: string
}

export interface Parsed {
  reply: Reply
  end: number
}

/** The reply that starts at `start`, or undefined when it is not complete yet. */
export function parseReply(buf: Buffer, start: number): Parsed | undefined {
  const lineEnd = buf.indexOf('\r\n', start, 'latin1')
  if (lineEnd < 0) return undefined
  const line = buf.toString('latin1', start + 1, lineEnd)
  const type = String.fromCharCode(buf[start]!)
  const end = lineEnd + 2
  switch (type) {
    case '+':
      return { reply: line, end }
    case '-':
      return { reply: { error: line }, end }
    case ':':
      return { reply: integer(line), end }
    case '(':
      return { reply: BigInt(line), end }
    case ',':
      return { reply: double(line), end }
    case '#':
      return { reply: line === 't', end }
    case '_':
      return { reply: null, end }
    case '$':
    case '=':
    case '!':
      return bulk(buf, type, Number(line), end)
    case '*':
    case '>':
    case '~':
    case '%':
      return aggregate(buf, type, Number(line), end)
    case '|': {
      const attributes = elements(buf, Number(line) * 2, end)
      return attributes && parseReply(buf, attributes.end)
    }
    default:
      throw new Error(`not a reply: ${JSON.stringify(buf.toString('latin1', start, Math.min(buf.length, start + 80)))}`)
  }
}

function integer(line: string): number | bigint {
  const value = Number(line)
  return Number.isSafeInteger(value) ? value : BigInt(line)
}

function double(line: string): number {
  if (line === 'inf') return Number.POSITIVE_INFINITY
  return line === '-inf' ? Number.NEGATIVE_INFINITY : Number(line)
}

function bulk(buf: Buffer, type: string, length: number, start: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: start }
  const end = start + length + 2
  if (buf.length < end) return undefined
  const text = buf.toString('latin1', start, start + length)
  if (type === '!') return { reply: { error: text }, end }
  return { reply: type === '=' ? text.slice(4) : text, end }
}

function aggregate(buf: Buffer, type: string, count: number, start: number): Parsed | undefined {
  if (count < 0) return { reply: null, end: start }
  const parsed = elements(buf, type === '%' ? count * 2 : count, start)
  if (parsed === undefined) return undefined
  const { replies, end } = parsed
  if (type === '~') return { reply: new Set(replies), end }
  if (type !== '%') return { reply: replies, end }
  const map = new Map<Reply, Reply>()
  for (let at = 0; at < replies.length; at += 2) map.set(replies[at]!, replies[at + 1]!)
  return { reply: map, end }
}

function elements(buf: Buffer, count: number, start: number): { replies: Reply[]; end: number } | undefined {
  const replies: Reply[] = []
  let end = start
  for (let n = 0; n < count; n++) {
    const parsed = end < buf.length ? parseReply(buf, end) : undefined
    if (parsed === undefined) return undefined
    replies.push(parsed.reply)
    end = parsed.end
  }
  return { replies, end }
}

export function isError(reply: Reply): reply is ErrorReply {
  return typeof reply === 'object' && reply !== null && 'error' in reply
}

/** How two replies count as equal: to the byte, or whatever the order of their elements, or of their pairs. */
export type Order = 'exact' | 'elements' | 'pairs'

export function compareReplies(left: Buffer, right: Buffer, order: Order = 'exact'): boolean {
  if (left.equals(right)) return true
  if (order === 'exact') return false
  return sortedElements(left, order) === sortedElements(right, order)
}

/** The bytes of an aggregate with its elements (or pairs of them) sorted; other replies as they are. */
function sortedElements(raw: Buffer, order: Order): string {
  const text = raw.toString('latin1')
  if (!'*~%>'.includes(text[0]!)) return text
  const parts: string[] = []
  let at = text.indexOf('\r\n') + 2
  const header = text.slice(0, at)
  const step = order === 'pairs' ? 2 : 1
  while (at < raw.length) {
    const from = at
    for (let n = 0; n < step && at < raw.length; n++) at = parseReply(raw, at)!.end
    parts.push(text.slice(from, at))
  }
  return header + parts.sort().join('')
}
