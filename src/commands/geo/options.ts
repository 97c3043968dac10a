/**
 * The arguments of GEORADIUS, GEOSEARCH and all that are like them. What is an error, and which of several is told, hangs
 * on whether the key is there: without one, a member is not looked for. redis 7.0.15 geo.c georadiusGeneric
 */
import { TYPE_ZSET } from '../../store/record.ts'
import { sortedSetScore } from '../../store/values/sorted-set.ts'
import { doubleArgument } from '../arguments.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { coordinatesArgument } from './coordinates.ts'
import { unitArgument } from './distance.ts'
import { Shape } from './shape.ts'

/** From where and how far is said in front of the options (GEORADIUS), from a member (GEORADIUSBYMEMBER), or by options. */
export type SearchKind = 'coordinates' | 'member' | 'options'

export interface SearchCommand {
  kind: SearchKind
  /** The argument of the key that is read. */
  source: number
  /** STORE and STOREDIST key may be given (GEORADIUS), or the result is always stored in argument 1 (GEOSEARCHSTORE). */
  stores: 'never' | 'optionally' | 'always'
}

export class Search {
  /** The sorted set, 0 if there is none. */
  ref = 0
  readonly shape = new Shape()
  withDistance = false
  withHash = false
  withCoordinates = false
  order: 'none' | 'ascending' | 'descending' = 'none'
  /** 0: all. */
  count = 0
  /** The first that are found will do. */
  any = false
  /** The argument of the key that gets the result; 0 replies it. */
  storeKey = 0
  storesDistance = false
  from: 'member' | 'coordinates' | undefined
  by: 'radius' | 'box' | undefined
}

/** Undefined after the error. */
export function parseSearch(call: Call, command: SearchCommand): Search | undefined {
  const { args } = call
  const ref = call.typedForRead(command.source, TYPE_ZSET)
  if (ref === WRONG_TYPE) return undefined
  const search = new Search()
  search.ref = ref
  if (command.stores === 'always') search.storeKey = 1
  let i = readCenter(call, command, search)
  if (i === 0) return undefined
  while (i < args.argc) {
    const used = commonOption(call, i, search) || commandOption(call, i, command, search)
    if (used === FAILED) return undefined
    if (used === 0) {
      call.syntaxError()
      return undefined
    }
    i += used
  }
  return isConsistent(call, command, search) ? search : undefined
}

const FAILED = -1

/** What is said in front of the options; where those begin, or 0 after the error. */
function readCenter(call: Call, { kind, source }: SearchCommand, search: Search): number {
  const { shape } = search
  if (kind === 'options') return source + 1
  if (kind === 'member') {
    if (search.ref === 0) return 5
    return memberCenter(call, 2, search) && radiusArguments(call, 3, shape) ? 5 : 0
  }
  return coordinatesArgument(call, 2, shape) && radiusArguments(call, 4, shape) ? 6 : 0
}

/** The place of the member at argument i becomes the center. */
function memberCenter(call: Call, i: number, { ref, shape }: Search): boolean {
  const { args } = call
  const score = sortedSetScore(call.store, ref, args.buf, args.start(i), args.end(i))
  if (Number.isNaN(score)) {
    call.error('ERR could not decode requested zset member')
    return false
  }
  shape.place.decode(score)
  shape.longitude = shape.place.longitude
  shape.latitude = shape.place.latitude
  return true
}

/** redis 7.0.15 geo.c extractDistanceOrReply */
function radiusArguments(call: Call, i: number, shape: Shape): boolean {
  const radius = doubleArgument(call, i, 'ERR need numeric radius')
  if (radius === undefined) return false
  if (radius < 0) {
    call.error('ERR radius cannot be negative')
    return false
  }
  const unit = unitArgument(call, i + 1)
  if (unit === undefined) return false
  shape.isBox = false
  shape.radius = radius
  shape.unit = unit
  return true
}

/** redis 7.0.15 geo.c extractBoxOrReply */
function boxArguments(call: Call, i: number, shape: Shape): boolean {
  const width = doubleArgument(call, i, 'ERR need numeric width')
  if (width === undefined) return false
  const height = doubleArgument(call, i + 1, 'ERR need numeric height')
  if (height === undefined) return false
  if (width < 0 || height < 0) {
    call.error('ERR height or width cannot be negative')
    return false
  }
  const unit = unitArgument(call, i + 2)
  if (unit === undefined) return false
  shape.isBox = true
  shape.width = width
  shape.height = height
  shape.unit = unit
  return true
}

/** How many arguments from i on are an option that all commands have: 0 if none, FAILED after an error. */
function commonOption(call: Call, i: number, search: Search): number {
  const { args } = call
  if (args.is(i, 'WITHDIST')) search.withDistance = true
  else if (args.is(i, 'WITHHASH')) search.withHash = true
  else if (args.is(i, 'WITHCOORD')) search.withCoordinates = true
  else if (args.is(i, 'ANY')) search.any = true
  else if (args.is(i, 'ASC')) search.order = 'ascending'
  else if (args.is(i, 'DESC')) search.order = 'descending'
  else if (args.is(i, 'COUNT') && i + 1 < args.argc) return countOption(call, i, search)
  else return 0
  return 1
}

function countOption(call: Call, i: number, search: Search): number {
  const count = call.integer(i + 1)
  if (count === undefined) return FAILED
  if (count <= 0) {
    call.error('ERR COUNT must be > 0')
    return FAILED
  }
  search.count = count
  return 2
}

function commandOption(call: Call, i: number, { kind, stores }: SearchCommand, search: Search): number {
  if (kind === 'options') {
    if (stores !== 'always' || !call.args.is(i, 'STOREDIST')) return areaOption(call, i, search)
    search.storesDistance = true
    return 1
  }
  const { args } = call
  if (stores === 'never' || i + 1 >= args.argc) return 0
  const isDistance = args.is(i, 'STOREDIST')
  if (!isDistance && !args.is(i, 'STORE')) return 0
  search.storeKey = i + 1
  search.storesDistance = isDistance
  return 2
}

function areaOption(call: Call, i: number, search: Search): number {
  const { args } = call
  const { shape, from, by } = search
  const left = args.argc - i - 1
  if (left >= 1 && from !== 'coordinates' && args.is(i, 'FROMMEMBER')) {
    if (search.ref !== 0 && !memberCenter(call, i + 1, search)) return FAILED
    search.from = 'member'
    return 2
  }
  if (left >= 2 && from !== 'member' && args.is(i, 'FROMLONLAT')) {
    if (!coordinatesArgument(call, i + 1, shape)) return FAILED
    search.from = 'coordinates'
    return 3
  }
  if (left >= 2 && by !== 'box' && args.is(i, 'BYRADIUS')) {
    if (!radiusArguments(call, i + 1, shape)) return FAILED
    search.by = 'radius'
    return 3
  }
  if (left >= 3 && by !== 'radius' && args.is(i, 'BYBOX')) {
    if (!boxArguments(call, i + 1, shape)) return FAILED
    search.by = 'box'
    return 4
  }
  return 0
}

function isConsistent(call: Call, { kind, stores }: SearchCommand, search: Search): boolean {
  const { storeKey, withDistance, withHash, withCoordinates, from, by, any, count } = search
  const name = call.args.latin1(0)
  if (storeKey !== 0 && (withDistance || withHash || withCoordinates)) {
    const what = stores === 'always' ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS'
    call.error(`ERR ${what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`)
  } else if (kind === 'options' && from === undefined) {
    call.error(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${name}`)
  } else if (kind === 'options' && by === undefined) {
    call.error(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${name}`)
  } else if (any && count === 0) {
    call.error('ERR the ANY argument requires COUNT argument')
  } else {
    return true
  }
  return false
}
