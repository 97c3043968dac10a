/** Geo commands against redis-server: places, distances, searches and their order, and what is stored. */
import { before, suite, test } from 'node:test'
import fc from 'fast-check'
import { differential, type Step, startPair } from '../support/differential.ts'
import { comparePropagation } from '../support/propagation.ts'
import type { Argument, Command } from '../support/wire.ts'

const LATITUDE_MAX = 85.05112878

const SICILY: Step[] = [
  'GEOADD sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania',
  'GEOADD sicily 12.758489 38.788135 edge1 17.241510 38.788135 edge2',
]

const NEW_YORK: Step[] = [
  ['GEOADD', 'nyc', '-73.9454966', '40.747533', 'lic market'],
  [
    ...[
      'GEOADD',
      'nyc',
      '-73.9733487',
      '40.7648057',
      'central park n/q/r',
      '-73.9903085',
      '40.7362513',
      'union square',
    ],
    ...['-74.0131604', '40.7126674', 'wtc one', '-73.7858139', '40.6428986', 'jfk', '-73.9375699', '40.7498929', 'q4'],
    ...['-73.9564142', '40.7480973', '4545'],
  ],
]

const WITH = ['WITHCOORD', 'WITHDIST', 'WITHHASH']

/** The same draws each time. */
function* randomPlaces(count: number): Iterable<[number, number]> {
  let state = 12345
  const next = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state / 2 ** 32
  }
  for (let i = 0; i < count; i++) yield [next() * 360 - 180, next() * 170 - 85]
}

function scatter(name: string, count: number): Step[] {
  const places = [...randomPlaces(count)]
  const steps: Step[] = []
  for (let i = 0; i < count; i += 50) {
    const batch = places.slice(i, i + 50).flatMap(([longitude, latitude], j) => [longitude, latitude, `p:${i + j}`])
    steps.push(['GEOADD', name, ...batch])
  }
  return steps
}

const degrees = (max: number) => fc.double({ min: -max, max, noNaN: true })
const longitude = fc.oneof(degrees(180), degrees(2), fc.constantFrom(-180, 180, 0, 13.361389))
const latitude = fc.oneof(degrees(LATITUDE_MAX), degrees(2), fc.constantFrom(-LATITUDE_MAX, LATITUDE_MAX, 0, 38.115556))
const place = fc.tuple(longitude, latitude)
const member = fc.oneof(fc.nat({ max: 40 }).map(String), fc.constantFrom('', 'a', 'x'.repeat(65), '\xff\0'))
const key = fc.constantFrom('g1', 'g2')
const unit = fc.constantFrom('m', 'km', 'ft', 'mi', 'M', 'Km')
const radius = fc.oneof(fc.double({ min: 0, max: 3e7, noNaN: true }), fc.constantFrom(0, 1, 50, 500, 5000, 20000))
const options = fc
  .tuple(
    fc.subarray(WITH),
    fc.constantFrom<Argument[]>([], ['ASC'], ['DESC']),
    fc.oneof(
      fc.constant<Argument[]>([]),
      fc.integer({ min: 1, max: 50 }).map((n): Argument[] => ['COUNT', n]),
      fc.integer({ min: 1, max: 50 }).map((n): Argument[] => ['COUNT', n, 'ANY']),
    ),
  )
  .map((parts): Argument[] => parts.flat())
const from = fc.oneof(
  place.map((xy): Argument[] => ['FROMLONLAT', ...xy]),
  member.map((name): Argument[] => ['FROMMEMBER', name]),
)
const by = fc.oneof(
  fc.tuple(radius, unit).map((circle): Argument[] => ['BYRADIUS', ...circle]),
  fc.tuple(radius, radius, unit).map((box): Argument[] => ['BYBOX', ...box]),
)

const added = fc.array(fc.tuple(longitude, latitude, member), { minLength: 1, maxLength: 30 })
const step: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(key, fc.constantFrom([], [], [], ['NX'], ['XX'], ['CH'], ['XX', 'CH']), added)
      .map(([name, flags, places]): Command => ['GEOADD', name, ...flags, ...places.flat()]),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(key, from, by, options)
      .map(([name, center, shape, rest]): Command => ['GEOSEARCH', name, ...center, ...shape, ...rest]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('GEORADIUS', 'GEORADIUS_RO'), key, place, radius, unit, options)
      .map(([name, of, xy, size, meters, rest]): Command => [name, of, ...xy, size, meters, ...rest]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('GEORADIUSBYMEMBER', 'GEORADIUSBYMEMBER_RO'), key, member, radius, unit, options)
      .map(([name, of, center, size, meters, rest]): Command => [name, of, center, size, meters, ...rest]),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        key,
        key,
        from,
        by,
        fc.constantFrom<Argument[]>([], ['COUNT', 3], ['ASC', 'COUNT', 7], ['COUNT', 5, 'ANY']),
      )
      .map(([to, of, center, shape, rest]): Command => ['GEOSEARCHSTORE', to, of, ...center, ...shape, ...rest]),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(key, place, radius, unit)
      .map(([of, xy, size, meters]): Command => ['GEORADIUS', of, ...xy, size, meters, 'STORE', 'g2']),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('GEOPOS', 'GEOHASH'), key, fc.array(member, { maxLength: 4 }))
      .map(([name, of, members]): Command => [name, of, ...members]),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(key, member, member, unit).map(([of, a, b, meters]): Command => ['GEODIST', of, a, b, meters]),
  },
  { weight: 1, arbitrary: fc.tuple(key, member).map(([of, name]): Command => ['ZREM', of, name]) },
)

suite('geo commands against redis-server', () => {
  before(() => startPair())

  test('adding', (t) =>
    differential(t, [
      ...NEW_YORK,
      'ZRANGE nyc 0 -1 WITHSCORES',
      'GEOADD nyc CH 40.747533 -73.9454966 q4',
      'GEOADD nyc NX -73.9454966 40.747533 q4',
      'GEOADD nyc XX -83.9454966 40.747533 q4',
      'GEOADD nyc CH NX -73.9454966 40.747533 q4',
      'GEOADD nyc ch xx -73.9454966 40.747533 q4',
      'GEOADD nyc ch xx -73.9454966 40.747533 q4 1 1 new',
      'GEOADD nyc xx nx -73.9454966 40.747533 q4',
      'GEOADD nyc ch xx foo -73.9454966 40.747533 q4',
      'GEOADD nyc -73.9454966 40.747533 q4 foo bar luck',
      'GEOADD nyc 1 1 a 2 2 a',
      'GEOADD missing XX 1 1 a',
      'EXISTS missing',
      'GEOADD nyc NX XX CH',
      'GEOADD nyc NX CH CH',
      'GEOADD nyc 1 2',
      'GEOADD nyc 1 1 a 2',
      'GEOADD nyc inf 1 a',
      'GEOADD nyc -inf nan a',
      'GEOADD nyc 181 0 a',
      'GEOADD nyc 180.0078125 -0 a',
      'GEOADD nyc 180.0234375 1e-9 a',
      'GEOADD nyc -0 86 a',
      'GEOADD nyc -1e-9 -85.05112879 a',
      'GEOADD nyc 1e300 -1e22 a',
      'GEOADD nyc 123456789.123456789 0x10 a',
      'SET string x',
      'GEOADD string 1 1 a',
      'GEOADD string 1 x a',
      'ZRANGE nyc 0 -1 WITHSCORES',
    ]))

  test('places at the edges of the map', (t) => {
    const steps: Step[] = []
    // Without distances of places opposite each other: there the last bit of a sine is a decimeter.
    for (const x of [-180, -179.9999999, -0, 0, 1e-320, 179.9999999, 180]) {
      for (const y of [-LATITUDE_MAX, -85, -1e-12, 0, 66, 85, LATITUDE_MAX]) {
        const name = `${x},${y}`
        steps.push(['GEOADD', 'edges', x, y, name], ['ZSCORE', 'edges', name])
        steps.push(['GEOPOS', 'edges', name], ['GEOHASH', 'edges', name])
        for (const size of [0, 1, 1000, 1e6, 2e7, 1e300]) {
          steps.push([
            'GEOSEARCH',
            'edges',
            'FROMLONLAT',
            x,
            y,
            'BYRADIUS',
            size,
            'm',
            ...(size < 1e7 ? WITH : ['WITHHASH']),
          ])
          steps.push(['GEOSEARCH', 'edges', 'FROMMEMBER', name, 'BYBOX', size, size / 2, 'km', 'WITHHASH'])
        }
        steps.push(['GEODIST', 'edges', name, '-180,0'], ['GEODIST', 'edges', name, '0,66', 'MI'])
      }
    }
    return differential(t, [...steps, 'ZRANGE edges 0 -1 WITHSCORES'])
  })

  test('scores that are no places', (t) => {
    const scores = ['-1', '1.5', '-0.5', '-0', 'inf', '-inf', '1e300', '-1e300', '9007199254740993', '4503599627370496']
    scores.push('9223372036854775808', '18446744073709551615', '1.7e19', '-9223372036854775808', '5e-324')
    const steps: Step[] = scores.flatMap((score): Step[] => [
      ['ZADD', 'odd', score, score],
      ['GEOPOS', 'odd', score],
      ['GEOHASH', 'odd', score],
      ['GEODIST', 'odd', score, '-1'],
      ['GEORADIUSBYMEMBER', 'odd', score, 1000, 'km', ...WITH],
      ['GEOSEARCH', 'odd', 'FROMLONLAT', 0, 0, 'BYRADIUS', 30000, 'km', ...WITH],
    ])
    return differential(t, [...steps, 'GEOSEARCHSTORE copy odd FROMLONLAT 0 0 BYRADIUS 30000 km'])
  })

  test('positions, hashes, distances', (t) =>
    differential(t, [
      ...SICILY,
      'GEOPOS sicily Palermo x Catania',
      'GEOPOS sicily',
      'GEOPOS missing',
      'GEOPOS missing a b',
      'GEOHASH sicily Palermo x Catania',
      'GEOHASH sicily',
      'GEOHASH missing a b',
      ['GEOADD', 'points', '-5.6', '42.6', 'test'],
      'GEOHASH points test',
      ...['', ' m', ' km', ' ft', ' mi', ' KM', ' yd', ' m m'].map((end) => `GEODIST sicily Palermo Catania${end}`),
      'GEODIST sicily Palermo Palermo',
      'GEODIST sicily Palermo x',
      'GEODIST sicily x y',
      'GEODIST missing a b',
      'GEODIST missing a b yd',
      'SET string x',
      'GEOPOS string a',
      'GEOHASH string a',
      'GEODIST string a b',
      'GEODIST string a b yd',
    ]))

  test('searches and their options', (t) => {
    const around = 'GEORADIUS nyc -73.9798091 40.7598464'
    const search = 'GEOSEARCH nyc FROMLONLAT -73.9798091 40.7598464'
    const ends = [
      '',
      ' ASC',
      ' DESC',
      ' WITHDIST',
      ' WITHCOORD WITHHASH DESC',
      ' COUNT 3',
      ' COUNT 3 ANY',
      ' count 2 desc',
    ]
    ends.push(
      ' COUNT 3 ANY ASC',
      ' ANY COUNT 1 WITHDIST WITHHASH',
      ' asc desc asc withdist withcoord withhash',
      ' COUNT 100',
    )
    const steps: Step[] = [...NEW_YORK]
    for (const end of ends) {
      steps.push(`${around} 10 km${end}`, `GEORADIUS_RO${around.slice(9)} 10 mi${end}`, `${search} BYBOX 6 8 km${end}`)
      steps.push(`GEORADIUSBYMEMBER nyc q4 7 km${end}`, `GEORADIUSBYMEMBER_RO nyc 4545 20000 ft${end}`)
      steps.push(
        `GEOSEARCH nyc FROMMEMBER jfk BYRADIUS 30 km${end}`,
        `GEOSEARCH nyc BYBOX 40 40 km FROMMEMBER jfk${end}`,
      )
    }
    return differential(t, steps)
  })

  test('errors of searches', (t) => {
    const radius = [
      'GEORADIUS KEY 1 1',
      'GEORADIUS_RO KEY 1 1',
      'GEORADIUSBYMEMBER KEY Palermo',
      'GEORADIUSBYMEMBER_RO KEY x',
    ]
    const ends = [
      '1',
      '1 km',
      '-1 km',
      '-0 m',
      'x km',
      '1 yd',
      'nan m',
      'inf m',
      '1 km COUNT',
      '1 km COUNT 0',
      '1 km COUNT x',
    ]
    ends.push(
      '1 km COUNT -1',
      '1 km COUNT 9223372036854775807',
      '1 km COUNT 9223372036854775808',
      '1 km ANY',
      '1 km NOPE',
    )
    ends.push(
      '1 km STORE',
      '1 km STORE d',
      '1 km STOREDIST',
      '1 km STOREDIST d',
      '1 km STORE d WITHDIST',
      '1 km STORE a STOREDIST d',
    )
    ends.push(
      '1 km ANY STORE d',
      '1 km STORE d ANY COUNT 1',
      '1 km FROMMEMBER a',
      '1 km BYBOX 1 1 m',
      '1 km ASC ASC COUNT 1 2',
    )
    const areas = [
      'FROMMEMBER Palermo',
      'FROMMEMBER x',
      'FROMLONLAT 15 37',
      'FROMLONLAT 15 x',
      'FROMLONLAT 200 0',
      'ASC',
    ]
    areas.push(
      'FROMMEMBER Palermo FROMLONLAT 15 37',
      'FROMLONLAT 15 37 FROMMEMBER Palermo',
      'FROMMEMBER x FROMMEMBER Palermo',
    )
    const shapes = [
      'BYRADIUS 200 km',
      'BYRADIUS -1 km',
      'BYRADIUS x km',
      'BYRADIUS 1 yd',
      'BYRADIUS 1',
      'BYBOX 400 400 km',
    ]
    shapes.push(
      'BYBOX -1 1 m',
      'BYBOX 1 -1 yd',
      'BYBOX x y yd',
      'BYBOX 1 y yd',
      'BYBOX 1 1',
      'BYBOX 1 1 yd',
      'BYBOX 0 inf m',
    )
    shapes.push('BYRADIUS 1 m BYBOX 1 1 m', 'BYBOX 1 1 m BYRADIUS 1 m', 'BYRADIUS 1 m BYRADIUS 200 km', 'DESC WITHDIST')
    const tails = ['', ' STOREDIST', ' STORE d', ' WITHDIST', ' ANY', ' COUNT 1 ANY', ' COUNT']
    const steps: Step[] = [...SICILY, 'SET string x', 'SET d x']
    for (const name of ['sicily', 'missing', 'string']) {
      for (const command of radius) for (const end of ends) steps.push(`${command.replace('KEY', name)} ${end}`)
      for (const area of areas) {
        for (const shape of shapes) {
          for (const tail of tails) steps.push(`GEOSEARCH ${name} ${area} ${shape}${tail}`)
          for (const tail of tails) steps.push(`GeoSearchStore d ${name} ${area} ${shape}${tail}`)
        }
      }
    }
    return differential(t, steps)
  })

  test('storing', (t) => {
    const steps: Step[] = [...SICILY, ...scatter('many', 400)]
    const results = [
      'GEORADIUS sicily 15 37 200 km STORE d',
      'GEORADIUS sicily 15 37 200 km STOREDIST d',
      'GEORADIUS sicily 15 37 200 km COUNT 1 STORE x STOREDIST d',
      'GEORADIUSBYMEMBER sicily Palermo 500 km STOREDIST d',
      'GEOSEARCHSTORE d sicily FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST',
      'GEOSEARCHSTORE d sicily FROMLONLAT 15 37 BYRADIUS 1 m',
      'GEOSEARCHSTORE d many FROMLONLAT 0 0 BYRADIUS 8000 km',
      'GEOSEARCHSTORE d many FROMLONLAT 0 0 BYRADIUS 20000 km COUNT 200',
      'GEOSEARCHSTORE many many FROMLONLAT 0 0 BYRADIUS 15000 km COUNT 128 DESC',
      'GEORADIUS missing 15 37 200 km STORE d',
      'GEORADIUS missing 15 37 200 km STORE d',
      'GEOSEARCHSTORE d missing FROMLONLAT 15 37 BYRADIUS 1 m',
    ]
    for (const command of results) {
      steps.push(command, 'ZRANGE d 0 -1 WITHSCORES', 'OBJECT ENCODING d', 'TTL d', 'EXPIRE d 10000')
    }
    return differential(t, [...steps, 'SET d x', 'GEORADIUS sicily 15 37 200 km STORE d', 'TYPE d'])
  })

  test('members at the same distance', (t) => {
    const steps: Step[] = []
    for (const count of [5, 6, 7, 8, 20, 41, 90, 300]) {
      const name = `same:${count}`
      for (let i = 0; i < count; i++) steps.push(['GEOADD', name, (i % 5) * 0.01, 0, `m:${(i * 7919) % count}`])
      for (const most of [1, 2, 3, 5, 6, 7, 10, 39, 40, 41, 89, 150, 299, 300]) {
        for (const order of ['', ' DESC']) {
          steps.push(`GEOSEARCH ${name} FROMLONLAT 0 0 BYRADIUS 100 km COUNT ${most}${order}`)
        }
      }
      steps.push(`GEOSEARCH ${name} FROMLONLAT 0 0 BYRADIUS 100 km ASC`, `GEORADIUS ${name} 0 0 100 km DESC WITHDIST`)
    }
    return differential(t, steps)
  })

  test('a large sorted set', (t) => {
    const steps: Step[] = scatter('large', 5000)
    let i = 0
    for (const [x, y] of randomPlaces(60)) {
      const size = [10, 100, 300, 1000, 3000, 6000][i % 6]!
      const count = 1 + ((i * 37) % 200)
      steps.push(['GEOSEARCH', 'large', 'FROMLONLAT', x, y, 'BYRADIUS', size, 'km', ...WITH])
      steps.push(['GEOSEARCH', 'large', 'FROMLONLAT', x, y, 'BYBOX', size, size * 2, 'km', 'ASC', 'WITHDIST'])
      steps.push(['GEOSEARCH', 'large', 'FROMMEMBER', `p:${i}`, 'BYRADIUS', size, 'km', 'COUNT', count, 'WITHDIST'])
      steps.push(['GEORADIUS', 'large', x, y, size, 'mi', 'COUNT', count, 'ANY', 'DESC'])
      steps.push(['GEODIST', 'large', `p:${i}`, `p:${i + 100}`, 'ft'], ['GEOHASH', 'large', `p:${i}`])
      i++
    }
    return differential(t, steps)
  })

  test('anything, in any order', () =>
    fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 120, size: 'max' }), (commands) =>
        differential(undefined, commands),
      ),
      { numRuns: 25 },
    ))

  test('what replicas are told', async (t) => {
    await comparePropagation(t, [
      ['GEOADD', 'g', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania'],
      ['GEOADD', 'g', 'CH', 'nx', '1', '1', 'a', '180', '85.05112878', 'corner', '180', '0', 'edge'],
      ['GEOADD', 'g', '1', '1', 'a'],
      ['GEOADD', 'g', 'XX', '2', '2', 'a', '3', '3', 'new'],
      ['GEOADD', 'g', '1', 'x', 'a'],
      ['GEOSEARCH', 'g', 'FROMLONLAT', '1', '1', 'BYRADIUS', '1', 'km'],
      ['GEORADIUS', 'g', '1', '1', '5000', 'km'],
      ['GEORADIUS', 'g', '1', '1', '5000', 'km', 'STORE', 'd'],
      ['GEOSEARCHSTORE', 'd', 'g', 'FROMLONLAT', '1', '1', 'BYRADIUS', '5000', 'km', 'STOREDIST'],
      ['GEOSEARCHSTORE', 'd', 'g', 'FROMLONLAT', '80', '1', 'BYRADIUS', '1', 'm'],
      ['GEOSEARCHSTORE', 'd', 'g', 'FROMLONLAT', '80', '1', 'BYRADIUS', '1', 'm'],
      ['GEORADIUS', 'missing', '1', '1', '5', 'km', 'STORE', 'g'],
    ])
  })
})
