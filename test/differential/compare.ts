/**
 * Which replies of both servers count as equal: those of equal bytes, and where Redis leaves something open (the order of a
 * hash table, a draw, the clock) those that agree in all the rest. The rules go by the command's name; the replies of EXEC
 * are compared each by the rule of the command that was queued.
 */
import { compareReplies, parseReply, type Reply } from '../support/reply.ts'
import type { Step } from './generate.ts'
import { replyEnds } from './scan.ts'

type Rule = (left: Buffer, right: Buffer, step: Step) => boolean

const CLOCK_TOLERANCE_SECONDS = 20
const STAR = 0x2a
const COLON = 0x3a

const elements: Rule = (left, right) => compareReplies(left, right, 'elements')
const pairs: Rule = (left, right) => compareReplies(left, right, 'pairs')

/** An error to the letter; else only the type, and of an aggregate the number of elements. */
const shape: Rule = (left, right) => {
  if (left[0] !== right[0] || left[0] === 0x2d) return false
  if (left[0] === 0x24) return (left[1] === 0x2d) === (right[1] === 0x2d)
  if (!isAggregate(left)) return true
  return firstLine(left) === firstLine(right)
}

/** A time or what is left of one: -1, -2 and 0 exactly. */
function clock(unit: number): Rule {
  return (left, right) => {
    if (left[0] !== COLON || right[0] !== COLON) return false
    const [a, b] = [Number(firstLine(left).slice(1)), Number(firstLine(right).slice(1))]
    return a > 0 && b > 0 && Math.abs(a - b) <= CLOCK_TOLERANCE_SECONDS * unit
  }
}

/** A cursor is the server's own; of a call that begins and ends the iteration the elements are told. */
function scan(order: 'elements' | 'pairs', cursorAt: number): Rule {
  return (left, right, step) => {
    if (left[0] !== STAR || right[0] !== STAR) return false
    const [a, b] = [parseReply(left, 0)!.reply as Reply[], parseReply(right, 0)!.reply as Reply[]]
    if (a.length !== 2 || b.length !== 2) return false
    if (step.args[cursorAt] !== '0' || a[0] !== '0' || b[0] !== '0') return true
    const [from, other] = [left.indexOf('\r\n', 4) + 2, right.indexOf('\r\n', 4) + 2]
    return compareReplies(inner(left, from), inner(right, other), order)
  }
}

/** The second element of an array of two, the first of which is a bulk that begins in the first lines. */
function inner(raw: Buffer, from: number): Buffer {
  return raw.subarray(raw.indexOf('\r\n', from) + 2)
}

/** Of an errno that an earlier command left: see the generator. */
const STALE_ERROR = Buffer.from("-ERR One or more scores can't be converted into double\r\n")

/** SORT BY nosort of a set is as the table is ordered; with ALPHA and BY equal weights come in any order. */
const sort: Rule = (left, right, step) => {
  if (left.equals(STALE_ERROR)) return true
  if (left[0] !== STAR || right[0] !== STAR) return false
  const options = step.args.map((arg) => arg.toUpperCase())
  if (!options.includes('BY') && !(options.includes('ALPHA') && options.includes('LIMIT'))) return false
  return options.includes('LIMIT') || options.includes('GET') ? shape(left, right, step) : elements(left, right, step)
}

/** Times of delivery and the nodes of a radix tree are the server's own. */
const streamInfo: Rule = (left, right) => blurred(left) === blurred(right)

function blurred(raw: Buffer): string {
  return JSON.stringify(blur(parseReply(raw, 0)!.reply), (_key, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
}

const OWN_FIELDS = new Set<Reply>(['idle', 'seen-time', 'radix-tree-keys', 'radix-tree-nodes'])

function blur(reply: Reply): Reply {
  if (reply instanceof Map) {
    return [...reply].map(([name, value]) => [name, OWN_FIELDS.has(name) ? '?' : blur(value)])
  }
  if (!Array.isArray(reply)) return reply
  // An entry pending: id, consumer, time, deliveries; or without the consumer.
  const isPending = typeof reply[0] === 'string' && /^\d+-\d+$/.test(reply[0])
  return reply.map((value, at) => {
    if (isPending && typeof value === 'number' && at === reply.length - 2) return '?'
    return at > 0 && OWN_FIELDS.has(reply[at - 1]!) ? '?' : blur(value)
  })
}

/** A reply each of an argument's own, of which one rule holds for both protocols. */
const RULES: Readonly<Record<string, Rule>> = {
  smembers: elements,
  sinter: elements,
  sunion: elements,
  sdiff: elements,
  spop: elements,
  keys: elements,
  hkeys: elements,
  hvals: elements,
  hgetall: pairs,
  'pubsub|channels': elements,
  'acl|cat': elements,
  'command|info': shape,
  'function|list': elements,
  randomkey: shape,
  srandmember: shape,
  hrandfield: shape,
  zrandmember: shape,
  dump: shape,
  'memory|usage': shape,
  'object|idletime': shape,
  // A command that EXEC has just run still holds its arguments there.
  'object|refcount': shape,
  ttl: clock(1),
  expiretime: clock(1),
  pttl: clock(1000),
  pexpiretime: clock(1000),
  scan: scan('elements', 1),
  sscan: scan('elements', 2),
  hscan: scan('pairs', 2),
  zscan: scan('pairs', 2),
  sort,
  sort_ro: sort,
  xpending: streamInfo,
  'xinfo|stream': streamInfo,
  'xinfo|consumers': streamInfo,
}

/** The place of the first reply that differs, or -1. The first step stands outside of MULTI. */
export function firstDifference(steps: readonly Step[], left: readonly Buffer[], right: readonly Buffer[]): number {
  let queued: Step[] | undefined
  for (let at = 0; at < steps.length; at++) {
    const step = steps[at]!
    const [a, b] = [left[at]!, right[at]!]
    const isQueued = queued !== undefined && a.equals(QUEUED)
    const equal =
      a.equals(b) || (isQueued ? false : queued && step.name === 'exec' ? sameExec(queued, a, b) : same(step, a, b))
    if (!equal) return at
    queued = nextQueue(queued, step, a)
  }
  return -1
}

const QUEUED = Buffer.from('+QUEUED\r\n')

function nextQueue(queued: Step[] | undefined, step: Step, reply: Buffer): Step[] | undefined {
  if (queued !== undefined && reply.equals(QUEUED)) {
    queued.push(step)
    return queued
  }
  const text = reply.toString('latin1', 0, 16)
  if (step.name === 'multi' && text.startsWith('+OK')) return []
  const ends =
    (step.name === 'exec' && /^([*_]|\$-1|-EXECABORT)/.test(text)) ||
    (step.name === 'discard' && text.startsWith('+OK')) ||
    (step.name === 'reset' && text.startsWith('+RESET'))
  return ends ? undefined : queued
}

function sameExec(queued: readonly Step[], left: Buffer, right: Buffer): boolean {
  if (left[0] !== STAR || right[0] !== STAR || firstLine(left) !== firstLine(right)) return false
  const [a, b] = [parts(left), parts(right)]
  return a.length === queued.length && queued.every((step, at) => a[at]!.equals(b[at]!) || same(step, a[at]!, b[at]!))
}

function same(step: Step, left: Buffer, right: Buffer): boolean {
  return RULES[step.name]?.(left, right, step) ?? false
}

function parts(raw: Buffer): Buffer[] {
  const from = raw.indexOf('\r\n') + 2
  return split(raw.subarray(from))
}

/** Each reply's bytes. */
export function split(raw: Buffer): Buffer[] {
  let from = 0
  return replyEnds(raw).map((end) => raw.subarray(from, (from = end)))
}

function isAggregate(raw: Buffer): boolean {
  return raw[0] === STAR || raw[0] === 0x7e || raw[0] === 0x25 || raw[0] === 0x3e
}

function firstLine(raw: Buffer): string {
  return raw.toString('latin1', 0, raw.indexOf('\r\n'))
}
