/** Coordinates and distances as arguments and in replies. */
import { doubleToLongDouble, formatLongDoubleHuman } from '../../bytes/doubles.ts'
import { LATITUDE_MAX, LONGITUDE_MAX } from '../../bytes/geohash.ts'
import { doubleArgument } from '../arguments.ts'
import type { Call } from '../call.ts'

const LONG_LIMIT = 2 ** 63
const LONG_MIN = -(2n ** 63n)

export interface Coordinates {
  longitude: number
  latitude: number
}

/** Longitude and latitude at arguments i and i + 1; false after the error. redis 7.0.15 geo.c extractLongLatOrReply */
export function coordinatesArgument(call: Call, i: number, to: Coordinates): boolean {
  const longitude = doubleArgument(call, i)
  if (longitude === undefined) return false
  const latitude = doubleArgument(call, i + 1)
  if (latitude === undefined) return false
  if (Math.abs(longitude) > LONGITUDE_MAX || Math.abs(latitude) > LATITUDE_MAX) {
    call.error(`ERR invalid longitude,latitude pair ${formatFixed6(longitude)},${formatFixed6(latitude)}`)
    return false
  }
  to.longitude = longitude
  to.latitude = latitude
  return true
}

/** printf("%f", x): six decimals, ties to even, where toFixed rounds them up and ends at 10^21. */
function formatFixed6(x: number): string {
  if (!Number.isFinite(x)) return x < 0 ? '-inf' : 'inf'
  if (Math.abs(x) >= 1e21) return `${BigInt(x)}.000000`
  if (Object.is(x, -0)) return '-0.000000'
  // Halfway between two with six decimals are odd multiples of 1/128 only: seven decimals are all they have.
  const isTie = Number.isInteger(x * 128) && !Number.isInteger(x * 64)
  const exact = isTie ? x.toFixed(7) : ''
  return isTie && exact.charCodeAt(exact.length - 2) % 2 === 0 ? exact.slice(0, -1) : x.toFixed(6)
}

/** A coordinate, of which each has 17 decimals at most. redis 7.0.15 networking.c addReplyHumanLongDouble */
export function replyCoordinate(call: Call, x: number): void {
  const { reply } = call
  const text = formatHuman(x)
  if (reply.resp === 2) reply.bulkString(text)
  else reply.raw(Buffer.from(`,${text}\r\n`, 'latin1'))
}

function formatHuman(x: number): string {
  // Halfway between two with 17 decimals: toFixed would round up.
  if (Number.isInteger(x * 2 ** 18)) return formatLongDoubleHuman(doubleToLongDouble(x))
  const text = x.toFixed(17)
  let end = text.length
  while (text.charCodeAt(end - 1) === 0x30) end--
  const trimmed = text.slice(0, text.charCodeAt(end - 1) === 0x2e ? end - 1 : end)
  return trimmed === '-0' ? '0' : trimmed
}

/** A distance, with four decimals. redis 7.0.15 geo.c addReplyDoubleDistance, util.c fixedpoint_d2string */
export function replyDistance(call: Call, distance: number): void {
  call.reply.bulkString(formatDistance(distance))
}

function formatDistance(distance: number): string {
  const scaled = roundTiesToEven(distance * 10000)
  // Places opposite each other on the earth may have no distance: rounding makes the sine more than 1.
  if (!(Math.abs(scaled) < LONG_LIMIT)) return '-922337203685477.5808'
  const digits = (Number.isSafeInteger(scaled) ? String(scaled) : String(BigInt(scaled))).padStart(5, '0')
  return `${digits.slice(0, -4)}.${digits.slice(-4)}`
}

function roundTiesToEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1
  return floor % 2 === 0 ? floor : floor + 1
}

/** A score as C converts it to an integer of 64 bits. */
export function replyScore(call: Call, score: number): void {
  const integer = Math.trunc(score)
  if (Number.isSafeInteger(integer)) call.reply.integer(integer === 0 ? 0 : integer)
  else if (integer >= -LONG_LIMIT && integer < LONG_LIMIT) call.reply.integer(BigInt(integer))
  else call.reply.integer(LONG_MIN)
}
