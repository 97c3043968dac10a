/**
 * Reads of all keys in a proxy that keeps a part of a cluster: no node has all of them, and neither has the copy, so every
 * shard is asked. SCAN goes from one to the next: its cursor here tells the shard and the cursor there.
 */
import { Request } from '../../resp/request.ts'
import { type Merge, unlessError } from './redirected.ts'

const CR = 13
/** More shards than a cluster can have: each has a slot. */
const SHARDS_MAX = 16384n
const END = '*2\r\n$1\r\n0\r\n*0\r\n'

/** What is asked, of which of the shards, and what is made of the replies. */
export interface Question {
  readonly shards: readonly number[]
  readonly request: Buffer
  readonly merge: Merge
}

/** An answer that needs no question. */
export type Answer = Buffer

/** For KEYS, DBSIZE, RANDOMKEY, SCAN. */
export function askAllKeys(name: string, args: Request, shards: number): Question | Answer {
  const all = Array.from({ length: shards }, (_, i) => i)
  const request = Buffer.from(args.encoded())
  switch (name) {
    case 'dbsize':
      return { shards: all, request, merge: unlessError(sum) }
    case 'keys':
      return { shards: all, request, merge: unlessError(concatenated) }
    case 'randomkey':
      return { shards: all, request, merge: unlessError(anyKey) }
    default:
      return scan(args, shards)
  }
}

/** The number in the first line: `:5`, `*2`, `$-1`; NaN for the null of RESP3. */
function head(reply: Buffer): number {
  return Number.parseInt(reply.latin1Slice(1, reply.indexOf(CR)), 10)
}

function sum(replies: readonly Buffer[]): Buffer {
  return Buffer.from(`:${replies.reduce((total, reply) => total + head(reply), 0)}\r\n`)
}

function concatenated(replies: readonly Buffer[]): Buffer {
  const count = replies.reduce((total, reply) => total + head(reply), 0)
  return Buffer.concat([Buffer.from(`*${count}\r\n`), ...replies.map((reply) => reply.subarray(reply.indexOf(CR) + 2))])
}

/** Every shard that has keys is as likely as the others, however many it has. */
function anyKey(replies: readonly Buffer[]): Buffer {
  const keys = replies.filter((reply) => head(reply) >= 0)
  return keys[Math.floor(Math.random() * keys.length)] ?? replies[0]!
}

function scan(args: Request, shards: number): Question | Answer {
  const text = args.argc > 1 ? args.latin1(1) : ''
  // What is no cursor is refused by any of them.
  if (!/^\d{1,20}$/.test(text)) return { shards: [0], request: Buffer.from(args.encoded()), merge: first }
  const cursor = BigInt(text)
  const shard = Number(cursor % SHARDS_MAX)
  if (shard >= shards) return Buffer.from(END)
  const words = args.toArguments().map((word) => Buffer.from(word))
  words[1] = Buffer.from(String(cursor / SHARDS_MAX))
  const request = Buffer.from(Request.of(words).buf)
  return { shards: [shard], request, merge: unlessError(([reply]) => nextCursor(reply!, shard, shards)) }
}

function first(replies: readonly Buffer[]): Buffer {
  return replies[0]!
}

/** `*2`, `$<length>`, `<cursor>`, keys: with the cursor that goes on here. */
function nextCursor(reply: Buffer, shard: number, shards: number): Buffer {
  const lengthLine = reply.indexOf(CR) + 2
  const start = reply.indexOf(CR, lengthLine) + 2
  const end = reply.indexOf(CR, start)
  const cursor = BigInt(reply.latin1Slice(start, end))
  let next = cursor * SHARDS_MAX + BigInt(shard)
  if (cursor === 0n) next = shard + 1 < shards ? BigInt(shard + 1) : 0n
  const digits = String(next)
  return Buffer.concat([Buffer.from(`*2\r\n$${digits.length}\r\n${digits}`), reply.subarray(end)])
}
