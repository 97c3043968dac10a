/** Numbers in arguments as several groups take them, with Redis's errors. Each gives undefined after the error. */
import { parseDouble, parseLongDouble } from '../bytes/doubles.ts'
import type { Call } from './call.ts'
import { errors } from './errors.ts'

const LONG_MAX = 2n ** 63n - 1n
const LONG_LIMIT = 2 ** 63

/** redis 7.0.15 object.c getPositiveLongFromObjectOrReply */
export function positiveArgument(call: Call, i: number, text: string = errors.notPositive): number | undefined {
  return minimumArgument(call, i, 0, text)
}

/** At least `min`; one text for all that is wrong. redis 7.0.15 object.c getRangeLongFromObjectOrReply */
export function minimumArgument(call: Call, i: number, min: number, text: string): number | undefined {
  const value = call.integer(i, text)
  if (value === undefined || value >= min) return value
  call.error(text)
  return undefined
}

/** A count whose sign has a meaning: any but the least integer, which cannot be negated. */
export function signedCountArgument(call: Call, i: number): number | undefined {
  const value = call.integer(i)
  if (value === undefined || value > -LONG_LIMIT) return value
  const exact = call.args.int64(i)
  if (exact !== undefined && exact >= -LONG_MAX) return value
  call.error(`ERR value is out of range, value must between ${-LONG_MAX} and ${LONG_MAX}`)
  return undefined
}

/** redis 7.0.15 object.c getDoubleFromObjectOrReply */
export function doubleArgument(call: Call, i: number, text: string = errors.notFloat): number | undefined {
  const { args } = call
  const value = parseDouble(args.buf, args.start(i), args.end(i))
  if (!Number.isNaN(value)) return value
  call.error(text)
  return undefined
}

/** Seconds, as milliseconds; 0 waits for ever. redis 7.0.15 timeout.c getTimeoutFromObjectOrReply */
export function timeoutArgument(call: Call, i: number): number | undefined {
  const { args } = call
  let seconds = parseDouble(args.buf, args.start(i), args.end(i))
  if (Number.isNaN(seconds)) {
    // Redis reads a long double, which reaches further.
    const wide = parseLongDouble(args.buf, args.start(i), args.end(i))
    if (wide === undefined) {
      call.error(errors.timeoutNotFloat)
      return undefined
    }
    seconds = wide.exponent > 0 || !wide.isFinite() ? Number.POSITIVE_INFINITY : Number.MIN_VALUE
    if (wide.negative) seconds = -seconds
  }
  const milliseconds = Math.ceil(seconds * 1000)
  // Beyond 64 bits C's conversion gives the least integer.
  if (milliseconds >= 0 && milliseconds < LONG_LIMIT) return milliseconds
  call.error(errors.timeoutNegative)
  return undefined
}
