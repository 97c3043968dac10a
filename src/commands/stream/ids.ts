/**
 * Ids of stream entries as arguments: "ms-seq", "ms", "-", "+", "ms-*", "(ms-seq". The number parts are read with all the
 * liberty of strtoull (redis 7.0.15 util.c string2ull), up to the first NUL byte. All parsers set `id`; those that take a
 * call reply the error themselves.
 */
import { parseInteger } from '../../bytes/integers.ts'
import type { ReplyWriter } from '../../resp/reply-writer.ts'
import { STREAM_ID_MAX_TEXT, StreamId } from '../../store/values/stream-id.ts'
import type { Call } from '../call.ts'

export const INVALID_STREAM_ID = 'ERR Invalid stream ID specified as stream command argument'

/** What parsing an id of XADD may give. */
export const ID_INVALID = 0
export const ID_GIVEN = 1
/** "ms-*": the sequence is to be made. */
export const ID_MS_GIVEN = 2

const MINUS = 0x2d
const PLUS = 0x2b
const STAR = 0x2a
const OPEN = 0x28
const ZERO = 0x30
const MAX_LENGTH = 127
const MAX_UNSIGNED64 = 0xffff_ffff_ffff_ffffn

const text = Buffer.alloc(STREAM_ID_MAX_TEXT)
const part = new StreamId()

/**
 * Without an error reply: ID_INVALID, ID_GIVEN, or if `mayLeaveSequence`, ID_MS_GIVEN. An id without sequence gets 0, or
 * the greatest one if `lastOfMs`. If `strict`, "-" and "+" are invalid. redis 7.0.15 t_stream.c streamGenericParseIDOrReply
 */
export function parseIdBytes(
  buf: Buffer,
  start: number,
  end: number,
  id: StreamId,
  lastOfMs: boolean,
  strict: boolean,
  mayLeaveSequence = false,
): number {
  if (end - start > MAX_LENGTH) return ID_INVALID
  let stop = start
  let dash = -1
  for (; stop < end && buf[stop] !== 0; stop++) if (dash < 0 && buf[stop] === MINUS) dash = stop
  if (stop - start === 1 && (buf[start] === MINUS || buf[start] === PLUS)) {
    if (strict) return ID_INVALID
    if (buf[start] === MINUS) id.clear()
    else id.assign(MAX_ID)
    return ID_GIVEN
  }
  if (!parsePart(buf, start, dash < 0 ? stop : dash)) return ID_INVALID
  id.msHigh = part.msHigh
  id.msLow = part.msLow
  if (dash < 0) {
    if (lastOfMs) id.setMaxSeq()
    else id.setSeq(0)
    return ID_GIVEN
  }
  if (mayLeaveSequence && stop - dash === 2 && buf[dash + 1] === STAR) {
    id.setSeq(0)
    return ID_MS_GIVEN
  }
  if (!parsePart(buf, dash + 1, stop)) return ID_INVALID
  id.seqHigh = part.msHigh
  id.seqLow = part.msLow
  return ID_GIVEN
}

/** Sets the milliseconds of `part`. */
function parsePart(buf: Buffer, start: number, end: number): boolean {
  const value = parseInteger(buf, start, end)
  if (!Number.isNaN(value)) {
    if (value < 0) return false
    part.setMs(value)
    return true
  }
  return parseLiberally(buf, start, end)
}

/** As strtoull does: spaces in front, a sign, leading zeros; a negative number is taken modulo 2^64. */
function parseLiberally(buf: Buffer, start: number, end: number): boolean {
  let at = start
  while (at < end && (buf[at] === 0x20 || (buf[at]! >= 9 && buf[at]! <= 13))) at++
  const negative = at < end && buf[at] === MINUS
  if (negative || (at < end && buf[at] === PLUS)) at++
  if (at === end) return false
  const first = at
  let value = 0n
  for (; at < end; at++) {
    const digit = buf[at]! - ZERO
    if (digit < 0 || digit > 9) return false
    value = value * 10n + BigInt(digit)
  }
  if (value > MAX_UNSIGNED64) return false
  // What string2ll reads as an integer must not be negative: canonical text, down to the least one.
  if (negative && first === start + 1 && buf[first] !== ZERO && value <= 0x8000_0000_0000_0000n) return false
  if (negative) value = (MAX_UNSIGNED64 + 1n - value) & MAX_UNSIGNED64
  part.msHigh = Number(value >> 32n)
  part.msLow = Number(value & 0xffff_ffffn)
  return true
}

/** "-" and "+" are ids as well. False after the error. redis 7.0.15 t_stream.c streamParseIDOrReply */
export function parseId(call: Call, i: number, id: StreamId, lastOfMs = false): boolean {
  const { args } = call
  if (parseIdBytes(args.buf, args.start(i), args.end(i), id, lastOfMs, false) !== ID_INVALID) return true
  call.error(INVALID_STREAM_ID)
  return false
}

/** redis 7.0.15 t_stream.c streamParseStrictIDOrReply */
export function parseStrictId(call: Call, i: number, id: StreamId, lastOfMs = false): boolean {
  const { args } = call
  if (parseIdBytes(args.buf, args.start(i), args.end(i), id, lastOfMs, true) !== ID_INVALID) return true
  call.error(INVALID_STREAM_ID)
  return false
}

/** The id of an entry to be added: ID_GIVEN or ID_MS_GIVEN, ID_INVALID after the error. */
export function parseNewId(call: Call, i: number, id: StreamId): number {
  const { args } = call
  const given = parseIdBytes(args.buf, args.start(i), args.end(i), id, false, true, true)
  if (given === ID_INVALID) call.error(INVALID_STREAM_ID)
  return given
}

/**
 * An end of a range, exclusive with "(" before it: undefined after the error, else whether it is exclusive.
 * redis 7.0.15 t_stream.c streamParseIntervalIDOrReply
 */
export function parseIntervalId(call: Call, i: number, id: StreamId, lastOfMs: boolean): boolean | undefined {
  const { args } = call
  if (args.length(i) <= 1 || args.buf[args.start(i)] !== OPEN) {
    return parseId(call, i, id, lastOfMs) ? false : undefined
  }
  if (parseIdBytes(args.buf, args.start(i) + 1, args.end(i), id, lastOfMs, true) !== ID_INVALID) return true
  call.error(INVALID_STREAM_ID)
  return undefined
}

/**
 * Both ends of a range as inclusive ids; false after the error. redis 7.0.15 t_stream.c xrangeGenericCommand,
 * xpendingCommand
 */
export function parseInterval(call: Call, from: number, to: number, start: StreamId, end: StreamId): boolean {
  const startExclusive = parseIntervalId(call, from, start, false)
  if (startExclusive === undefined) return false
  if (startExclusive && !start.increment()) {
    call.error('ERR invalid start ID for the interval')
    return false
  }
  const endExclusive = parseIntervalId(call, to, end, true)
  if (endExclusive === undefined) return false
  if (endExclusive && !end.decrement()) {
    call.error('ERR invalid end ID for the interval')
    return false
  }
  return true
}

/** redis 7.0.15 t_stream.c addReplyStreamID */
export function replyStreamId(reply: ReplyWriter, id: StreamId): void {
  reply.bulk(text, 0, id.writeText(text, 0))
}

const MAX_ID = StreamId.max()
