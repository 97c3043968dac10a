/** GEOPOS, GEOHASH and GEODIST: what is known of members. redis 7.0.15 geo.c geoposCommand, geohashCommand, geodistCommand */
import { Place } from '../../bytes/geohash.ts'
import { TYPE_ZSET } from '../../store/record.ts'
import { sortedSetScore } from '../../store/values/sorted-set.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { replyCoordinate, replyDistance } from './coordinates.ts'
import { distance, unitArgument } from './distance.ts'

const place = new Place()
const other = new Place()

/** Sets `to` to the place of the member at argument i; false if there is none. */
function readPlace(call: Call, ref: number, i: number, to: Place): boolean {
  const { args } = call
  if (ref === 0) return false
  const score = sortedSetScore(call.store, ref, args.buf, args.start(i), args.end(i))
  if (Number.isNaN(score)) return false
  to.decode(score)
  return true
}

function runGeopos(call: Call): void {
  const { args, reply } = call
  const ref = call.typedForRead(1, TYPE_ZSET)
  if (ref === WRONG_TYPE) return
  reply.array(args.argc - 2)
  for (let i = 2; i < args.argc; i++) {
    if (!readPlace(call, ref, i, place)) {
      reply.nullArray()
      continue
    }
    reply.array(2)
    replyCoordinate(call, place.longitude)
    replyCoordinate(call, place.latitude)
  }
}

function runGeohash(call: Call): void {
  const { args, reply } = call
  const ref = call.typedForRead(1, TYPE_ZSET)
  if (ref === WRONG_TYPE) return
  reply.array(args.argc - 2)
  for (let i = 2; i < args.argc; i++) {
    if (readPlace(call, ref, i, place)) reply.bulkString(place.geohash())
    else reply.nullBulk()
  }
}

function runGeodist(call: Call): void {
  const { args, reply } = call
  if (args.argc > 5) return call.syntaxError()
  const unit = args.argc === 5 ? unitArgument(call, 4) : 1
  if (unit === undefined) return
  const ref = call.typedForRead(1, TYPE_ZSET)
  if (ref === WRONG_TYPE) return
  if (!readPlace(call, ref, 2, place) || !readPlace(call, ref, 3, other)) return reply.nullBulk()
  replyDistance(call, distance(place.longitude, place.latitude, other.longitude, other.latitude) / unit)
}

export const geodist = command({
  name: 'geodist',
  arity: -4,
  since: '3.2.0',
  summary: 'Returns the distance between two members of a geospatial index',
  complexity: 'O(log(N))',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [
    arg.key(),
    arg.string('member1'),
    arg.string('member2'),
    arg.oneof('unit', [arg.token('M'), arg.token('KM'), arg.token('FT'), arg.token('MI')], { optional: true }),
  ],
  run: runGeodist,
})

export const geohash = command({
  name: 'geohash',
  arity: -2,
  since: '3.2.0',
  summary: 'Returns members of a geospatial index as standard geohash strings',
  complexity: 'O(log(N)) for each member requested, where N is the number of elements in the sorted set.',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('member', { multiple: true })],
  run: runGeohash,
})

export const geopos = command({
  name: 'geopos',
  arity: -2,
  since: '3.2.0',
  summary: 'Returns longitude and latitude of members of a geospatial index',
  complexity: 'O(N) where N is the number of members requested.',
  flags: ['readonly'],
  keys: [key(1, 'RO', 'ACCESS')],
  args: [arg.key(), arg.string('member', { multiple: true })],
  run: runGeopos,
})
