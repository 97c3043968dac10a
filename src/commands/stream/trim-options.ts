/**
 * The options that XADD and XTRIM share: how the stream is trimmed, and how that is told to replicas. Trimming that stops
 * where it likes ("~") must end at the same place there, so it is propagated as an exact one to where it ended.
 * redis 7.0.15 t_stream.c streamParseAddOrTrimArgsOrReply, streamRewriteTrimArgument
 */
import { encodingLimits } from '../../store/values/limits.ts'
import type { StreamValue } from '../../store/values/stream.ts'
import { StreamId } from '../../store/values/stream-id.ts'
import type { Call } from '../call.ts'
import { ID_GIVEN, parseNewId, parseStrictId } from './ids.ts'

export const TRIM_NONE = 0
const TRIM_MAXLEN = 1
const TRIM_MINID = 2

const NODES_PER_TRIM = 100
const DEFAULT_LIMIT = 10000
const MAX_LIMIT = 1000000

const edge = new StreamId()

/** One object for all calls. */
export class TrimOptions {
  /** XADD: the id that was given, and how: ID_GIVEN, ID_MS_GIVEN, or 0 for "*". */
  readonly id = new StreamId()
  idGiven = 0
  noMkstream = false
  strategy = TRIM_NONE
  approximate = false

  /** The argument that says how far; one before it is the "~", if it is approximate. */
  #argument = 0
  #limit = 0
  #maxLength = 0
  readonly #minId = new StreamId()

  /** The argument where the id of XADD is, or where options end; -1 after the error. */
  parse(call: Call, isAdd: boolean): number {
    const { args } = call
    this.idGiven = 0
    this.noMkstream = false
    this.strategy = TRIM_NONE
    this.approximate = false
    this.#limit = 0
    let limitGiven = false
    let i = 2
    for (; i < args.argc; i++) {
      const hasMore = i + 1 < args.argc
      if (isAdd && args.length(i) === 1 && args.is(i, '*')) break
      if (hasMore && args.is(i, 'MAXLEN')) {
        i = this.#parseThreshold(call, i, TRIM_MAXLEN)
        if (i < 0) return -1
      } else if (hasMore && args.is(i, 'MINID')) {
        i = this.#parseThreshold(call, i, TRIM_MINID)
        if (i < 0) return -1
      } else if (hasMore && args.is(i, 'LIMIT')) {
        if (!this.#parseLimit(call, ++i)) return -1
        limitGiven = true
      } else if (isAdd && args.is(i, 'NOMKSTREAM')) {
        this.noMkstream = true
      } else if (isAdd) {
        this.idGiven = parseNewId(call, i, this.id)
        if (this.idGiven === 0) return -1
        break
      } else {
        call.syntaxError()
        return -1
      }
    }
    return this.#check(call, isAdd, limitGiven) ? i : -1
  }

  /** The position of the threshold, -1 after the error. */
  #parseThreshold(call: Call, i: number, strategy: number): number {
    const { args } = call
    if (this.strategy !== TRIM_NONE) {
      call.error('ERR syntax error, MAXLEN and MINID options at the same time are not compatible')
      return -1
    }
    let at = i + 1
    this.approximate = false
    if (at + 1 < args.argc && (args.is(at, '~') || args.is(at, '='))) {
      this.approximate = args.is(at, '~')
      at++
    }
    if (strategy === TRIM_MAXLEN) {
      const length = call.integer(at)
      if (length === undefined) return -1
      if (length < 0) {
        call.error('ERR The MAXLEN argument must be >= 0.')
        return -1
      }
      this.#maxLength = length
    } else if (!parseStrictId(call, at, this.#minId)) {
      return -1
    }
    this.strategy = strategy
    this.#argument = at
    return at
  }

  #parseLimit(call: Call, i: number): boolean {
    const limit = call.integer(i)
    if (limit === undefined) return false
    if (limit < 0) {
      call.error('ERR The LIMIT argument must be >= 0.')
      return false
    }
    this.#limit = limit
    return true
  }

  #check(call: Call, isAdd: boolean, limitGiven: boolean): boolean {
    if (this.#limit !== 0 && this.strategy === TRIM_NONE) {
      call.error('ERR syntax error, LIMIT cannot be used without specifying a trimming strategy')
      return false
    }
    if (!isAdd && this.strategy === TRIM_NONE) {
      call.error('ERR syntax error, XTRIM must be called with a trimming strategy')
      return false
    }
    if (call.fromPrimary) {
      this.#limit = 0
    } else if (limitGiven) {
      if (!this.approximate) {
        call.error('ERR syntax error, LIMIT cannot be used without the special ~ option')
        return false
      }
    } else if (this.approximate) {
      const limit = NODES_PER_TRIM * encodingLimits.streamNodeMaxEntries
      this.#limit = limit <= 0 ? DEFAULT_LIMIT : Math.min(limit, MAX_LIMIT)
    }
    return true
  }

  /** How many entries were removed. */
  trim(stream: StreamValue): number {
    if (this.strategy === TRIM_MAXLEN) return stream.trimByLength(this.#maxLength, this.approximate, this.#limit)
    if (this.strategy === TRIM_MINID) return stream.trimById(this.#minId, this.approximate, this.#limit)
    return 0
  }

  /** Writes into the arguments to be propagated what the trimming, which was approximate, came to. */
  rewrite(stream: StreamValue, args: (string | Uint8Array)[]): void {
    args[this.#argument - 1] = '='
    if (this.strategy === TRIM_MAXLEN) {
      args[this.#argument] = String(stream.length)
    } else {
      stream.edgeId(true, false, edge)
      args[this.#argument] = edge.toString()
    }
  }

  /** Whether the id was said in full. */
  get isIdComplete(): boolean {
    return this.idGiven === ID_GIVEN
  }
}

export const options = new TrimOptions()
