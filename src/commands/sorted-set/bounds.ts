/**
 * Ranges of a sorted set by rank, score or bytes. All three become ranks [from, to), because both ways of keeping a sorted
 * set count members below a limit fast. redis 7.0.15 t_zset.c zslParseRange, zslParseLexRange
 */
import { parseDouble, parseLongDouble } from '../../bytes/doubles.ts'
import { countBefore, countBelow, sortedSetSize } from '../../store/values/sorted-set.ts'
import type { Call } from '../call.ts'
import { errors } from '../errors.ts'

export type RangeKind = 'rank' | 'score' | 'lex'

/** Finds the ranks of a sorted set; what it found is then in `from` and `to`, where `to` is never less. */
export interface Range {
  from: number
  to: number
  resolve(call: Call, ref: number): void
}

const INVALID_LEX = 'ERR min or max not valid string range item'
const OPEN_PARENTHESIS = 0x28
const OPEN_BRACKET = 0x5b
const PLUS = 0x2b
const MINUS = 0x2d

class RankRange implements Range {
  from = 0
  to = 0
  readonly #first: number
  readonly #last: number
  readonly #fromTop: boolean

  constructor(first: number, last: number, fromTop: boolean) {
    this.#first = first
    this.#last = last
    this.#fromTop = fromTop
  }

  resolve(call: Call, ref: number): void {
    const size = sortedSetSize(call.store, ref)
    const first = Math.max(0, this.#first < 0 ? this.#first + size : this.#first)
    const end = Math.min(size, (this.#last < 0 ? this.#last + size : this.#last) + 1)
    this.from = this.#fromTop ? size - end : first
    this.to = this.#fromTop ? size - first : end
    if (first >= end) this.to = this.from
  }
}

interface ScoreBound {
  score: number
  isExclusive: boolean
}

class ScoreRange implements Range {
  from = 0
  to = 0
  readonly #min: ScoreBound
  readonly #max: ScoreBound

  constructor(min: ScoreBound, max: ScoreBound) {
    this.#min = min
    this.#max = max
  }

  resolve(call: Call, ref: number): void {
    const { store } = call
    this.from = countBelow(store, ref, this.#min.score, this.#min.isExclusive)
    this.to = Math.max(this.from, countBelow(store, ref, this.#max.score, !this.#max.isExclusive))
  }
}

interface LexBound {
  /** '-' and '+' are before and behind all members. */
  end: 'first' | 'last' | null
  bytes: Buffer
  isExclusive: boolean
}

class LexRange implements Range {
  from = 0
  to = 0
  readonly #min: LexBound
  readonly #max: LexBound

  constructor(min: LexBound, max: LexBound) {
    this.#min = min
    this.#max = max
  }

  resolve(call: Call, ref: number): void {
    this.from = this.#count(call, ref, this.#min, this.#min.isExclusive)
    this.to = Math.max(this.from, this.#count(call, ref, this.#max, !this.#max.isExclusive))
  }

  #count(call: Call, ref: number, bound: LexBound, inclusive: boolean): number {
    if (bound.end === 'first') return 0
    if (bound.end === 'last') return sortedSetSize(call.store, ref)
    return countBefore(call.store, ref, bound.bytes, inclusive)
  }
}

/**
 * A score as C's strtod() reads a string: up to a NUL byte, space in front is fine, no text at all is 0, and beyond the
 * range of doubles is infinite or 0. NaN if it is no number.
 */
function boundScore(buf: Buffer, start: number, end: number): number {
  let last = start
  while (last < end && buf[last] !== 0) last++
  if (last === start) return 0
  let first = start
  while (first < last && (buf[first] === 0x20 || (buf[first]! >= 9 && buf[first]! <= 13))) first++
  const score = parseDouble(buf, first, last)
  if (!Number.isNaN(score)) return score
  const wide = parseLongDouble(buf, first, last)
  if (wide === undefined) return Number.NaN
  const magnitude = wide.exponent > 0 ? Number.POSITIVE_INFINITY : 0
  return wide.negative ? -magnitude : magnitude
}

function scoreBound(call: Call, i: number): ScoreBound | undefined {
  const { args } = call
  const start = args.start(i)
  const isExclusive = args.length(i) > 0 && args.buf[start] === OPEN_PARENTHESIS
  const score = boundScore(args.buf, isExclusive ? start + 1 : start, args.end(i))
  return Number.isNaN(score) ? undefined : { score, isExclusive }
}

function lexBound(call: Call, i: number): LexBound | undefined {
  const bytes = call.args.view(i)
  const rest = bytes.subarray(1)
  switch (bytes[0]) {
    case PLUS:
      return rest.length === 0 ? { end: 'last', bytes: rest, isExclusive: true } : undefined
    case MINUS:
      return rest.length === 0 ? { end: 'first', bytes: rest, isExclusive: true } : undefined
    case OPEN_PARENTHESIS:
      return { end: null, bytes: rest, isExclusive: true }
    case OPEN_BRACKET:
      return { end: null, bytes: rest, isExclusive: false }
    default:
      return undefined
  }
}

/** The range between arguments `min` and `max`; undefined after the error. `fromTop` is for ranks only. */
export function rangeArguments(
  call: Call,
  kind: RangeKind,
  min: number,
  max: number,
  fromTop = false,
): Range | undefined {
  if (kind === 'rank') {
    const first = call.integer(min)
    const last = first === undefined ? undefined : call.integer(max)
    return first === undefined || last === undefined ? undefined : new RankRange(first, last, fromTop)
  }
  if (kind === 'score') {
    const low = scoreBound(call, min)
    const high = scoreBound(call, max)
    if (low !== undefined && high !== undefined) return new ScoreRange(low, high)
    call.error(errors.minMaxNotFloat)
    return undefined
  }
  const low = lexBound(call, min)
  const high = lexBound(call, max)
  if (low !== undefined && high !== undefined) return new LexRange(low, high)
  call.error(INVALID_LEX)
  return undefined
}
