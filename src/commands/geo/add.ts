/** GEOADD: a ZADD whose scores are places, and that is what replicas are told. redis 7.0.15 geo.c geoaddCommand */
import { Cell, STEPS_MAX } from '../../bytes/geohash.ts'
import { NOTIFY_ZSET } from '../../config/units.ts'
import { type Call, WRONG_TYPE } from '../call.ts'
import { arg, command, key } from '../define.ts'
import { target } from '../sorted-set/target.ts'
import { type Coordinates, coordinatesArgument } from './coordinates.ts'

interface Options {
  /** Where the places begin. */
  first: number
  nx: boolean
  xx: boolean
  ch: boolean
}

const place: Coordinates = { longitude: 0, latitude: 0 }

/** Undefined after the error. */
function parseOptions(call: Call): Options | undefined {
  const { args } = call
  const options: Options = { first: 2, nx: false, xx: false, ch: false }
  for (; options.first < args.argc; options.first++) {
    if (args.is(options.first, 'NX')) options.nx = true
    else if (args.is(options.first, 'XX')) options.xx = true
    else if (args.is(options.first, 'CH')) options.ch = true
    else break
  }
  const count = args.argc - options.first
  if (count > 0 && count % 3 === 0 && !(options.nx && options.xx)) return options
  call.syntaxError()
  return undefined
}

/** The cells of all places, before anything is changed; undefined after the error. */
function readCells(call: Call, first: number): Cell[] | undefined {
  const cells: Cell[] = []
  for (let i = first; i < call.args.argc; i += 3) {
    if (!coordinatesArgument(call, i, place)) return undefined
    cells.push(Cell.at(place.longitude, place.latitude, STEPS_MAX))
  }
  return cells
}

function runGeoadd(call: Call): void {
  const { args, reply } = call
  const options = parseOptions(call)
  if (options === undefined) return
  const { first, nx, xx, ch } = options
  const cells = readCells(call, first)
  if (cells === undefined) return
  const ref = target.open(call, 1)
  if (ref === WRONG_TYPE) return
  if (ref === 0 && xx) return reply.integer(0)
  let added = 0
  let updated = 0
  for (let i = 0; i < cells.length; i++) {
    const score = cells[i]!.minScore
    const start = args.start(first + i * 3 + 2)
    const end = args.end(first + i * 3 + 2)
    if (!target.find(args.buf, start, end)) {
      if (xx) continue
      target.insert(args.buf, start, end, score)
      added++
    } else if (!nx && target.score !== score) {
      target.update(args.buf, start, end, score)
      updated++
    }
  }
  const changed = added + updated
  if (changed > 0) {
    target.close()
    call.effects.dirty += changed - 1
    if (call.host.propagates) propagate(call, first, cells)
    call.changed(1, NOTIFY_ZSET, 'zadd')
  }
  reply.integer(ch ? changed : added)
}

function propagate(call: Call, first: number, cells: readonly Cell[]): void {
  const { args } = call
  const zadd: (string | Buffer)[] = ['zadd']
  for (let i = 1; i < first; i++) zadd.push(args.view(i))
  for (let i = 0; i < cells.length; i++) zadd.push(cells[i]!.scoreText(), args.view(first + i * 3 + 2))
  call.propagateAs(...zadd)
}

export const geoadd = command({
  name: 'geoadd',
  arity: -5,
  since: '3.2.0',
  summary: 'Add one or more geospatial items in the geospatial index represented using a sorted set',
  complexity: 'O(log(N)) for each item added, where N is the number of elements in the sorted set.',
  history: [['6.2.0', 'Added the `CH`, `NX` and `XX` options.']],
  flags: ['write', 'denyoom'],
  keys: [key(1, 'RW', 'UPDATE')],
  args: [
    arg.key(),
    arg.oneof('condition', [arg.token('NX'), arg.token('XX')], { since: '6.2.0', optional: true }),
    arg.token('CH', { name: 'change', since: '6.2.0', optional: true }),
    arg.block('longitude_latitude_member', [arg.double('longitude'), arg.double('latitude'), arg.string('member')], {
      multiple: true,
    }),
  ],
  run: runGeoadd,
})
