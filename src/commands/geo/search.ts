/** A search for what is near, and its result, replied or stored. redis 7.0.15 geo.c georadiusGeneric */
import { NOTIFY_GENERIC, NOTIFY_ZSET } from '../../config/units.ts'
import { NO_EXPIRE } from '../../store/record.ts'
import { storeSortedSet } from '../../store/values/build.ts'
import { encodingLimits } from '../../store/values/limits.ts'
import type { Call } from '../call.ts'
import { keyAdded, removeKey } from '../generic/lookup.ts'
import { replyCoordinate, replyDistance, replyScore } from './coordinates.ts'
import { parseSearch, type Search, type SearchCommand } from './options.ts'
import { findPoints, type Point, sortPoints } from './points.ts'

export function runSearch(call: Call, command: SearchCommand): void {
  const search = parseSearch(call, command)
  if (search === undefined) return
  const points = search.ref === 0 ? [] : find(call, search)
  if (search.storeKey === 0) replyPoints(call, search, points)
  else storePoints(call, search, points, command.kind === 'options' ? 'geosearchstore' : 'georadiusstore')
}

/** In order, and no more than were asked for. */
function find(call: Call, { ref, shape, count, any, order }: Search): Point[] {
  const points = findPoints(call.store, ref, shape, any ? count : 0)
  const wanted = count === 0 ? points.length : Math.min(points.length, count)
  // The nearest are meant by COUNT alone.
  if (order !== 'none' || (count > 0 && !any)) sortPoints(points, order === 'descending', wanted)
  points.length = wanted
  return points
}

function replyPoints(call: Call, search: Search, points: readonly Point[]): void {
  const { reply } = call
  const { withDistance, withHash, withCoordinates, shape } = search
  const options = Number(withDistance) + Number(withHash) + Number(withCoordinates)
  reply.array(points.length)
  for (const point of points) {
    if (options > 0) reply.array(options + 1)
    reply.bulk(point.member)
    if (withDistance) replyDistance(call, point.distance / shape.unit)
    if (withHash) replyScore(call, point.score)
    if (withCoordinates) {
      reply.array(2)
      replyCoordinate(call, point.longitude)
      replyCoordinate(call, point.latitude)
    }
  }
}

function storePoints(call: Call, search: Search, points: readonly Point[], event: string): void {
  const { args, db, reply } = call
  const { storeKey, storesDistance, shape } = search
  const old = call.lookupWrite(storeKey)
  const { hash } = call
  if (points.length > 0) {
    const members = points.map((point) => point.member)
    const scores = points.map((point) => (storesDistance ? point.distance / shape.unit : point.score))
    storeSortedSet(db, hash, args.view(storeKey), members, scores, NO_EXPIRE, encodingLimits)
    if (old === 0) keyAdded(call, db, storeKey)
    call.effects.dirty += points.length - 1
    call.changed(storeKey, NOTIFY_ZSET, event)
  } else if (old !== 0) {
    removeKey(call, db, hash, old, storeKey)
    call.changed(storeKey, NOTIFY_GENERIC, 'del')
  }
  reply.integer(points.length)
}
