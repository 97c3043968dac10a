/**
 * The circle or box around a place that is searched, and the cells of the grid that cover it: the one of its center and
 * those around that, as small as they may be and without those that it does not reach. redis 7.0.15 geohash_helper.c
 * geohashCalculateAreasByShapeWGS84
 */
import { Cell, Place, STEPS_MAX } from '../../bytes/geohash.ts'
import { cos } from '../../bytes/trigonometry.ts'
import type { Coordinates } from './coordinates.ts'
import { degrees, distance, EARTH_RADIUS, latitudeDistance, radians, roughDistance } from './distance.ts'

const MERCATOR_MAX = 20037726.37
/** How much a rough distance may be wrong, and more. */
const MARGIN = 1

export class Shape implements Coordinates {
  longitude = 0
  latitude = 0
  isBox = false
  /** Of a circle; of a box, width and height. In units. */
  radius = 0
  width = 0
  height = 0
  /** Meters of a unit. */
  unit = 1

  /** Set by contains(): the place of the score, and its distance from the center in meters. */
  readonly place = new Place()
  distance = 0

  contains(score: number): boolean {
    const { place } = this
    place.decode(score)
    return this.isBox ? this.#isInBox(place) : this.#isInCircle(place)
  }

  #isInCircle({ longitude, latitude }: Place): boolean {
    const radius = this.radius * this.unit
    if (roughDistance(this.longitude, this.latitude, longitude, latitude) > radius + MARGIN) return false
    this.distance = distance(this.longitude, this.latitude, longitude, latitude)
    return !(this.distance > radius)
  }

  /** redis 7.0.15 geohash_helper.c geohashGetDistanceIfInRectangle */
  #isInBox({ longitude, latitude }: Place): boolean {
    const width = this.width * this.unit
    const height = this.height * this.unit
    if (latitudeDistance(latitude, this.latitude) > height / 2) return false
    if (roughDistance(longitude, latitude, this.longitude, latitude) > width / 2 + MARGIN) return false
    if (distance(longitude, latitude, this.longitude, latitude) > width / 2) return false
    this.distance = distance(this.longitude, this.latitude, longitude, latitude)
    return true
  }

  /** In the order in which they are searched; null is a cell that is not. */
  cells(): (Cell | null)[] {
    const bounds = this.#bounds()
    let steps = this.#estimateSteps()
    let center = Cell.at(this.longitude, this.latitude, steps)
    if (steps > 1 && !isCoveredAround(center, bounds)) {
      steps--
      center = Cell.at(this.longitude, this.latitude, steps)
    }
    const isFine = steps >= 2
    const north = !(isFine && center.north > bounds.north)
    const south = !(isFine && center.south < bounds.south)
    const east = !(isFine && center.east > bounds.east)
    const west = !(isFine && center.west < bounds.west)
    return [
      center,
      north ? center.neighbour(0, 1) : null,
      south ? center.neighbour(0, -1) : null,
      east ? center.neighbour(1, 0) : null,
      west ? center.neighbour(-1, 0) : null,
      north && east ? center.neighbour(1, 1) : null,
      north && west ? center.neighbour(-1, 1) : null,
      south && east ? center.neighbour(1, -1) : null,
      south && west ? center.neighbour(-1, -1) : null,
    ]
  }

  /** redis 7.0.15 geohash_helper.c geohashBoundingBox */
  #bounds(): Bounds {
    const { longitude, latitude, isBox, unit } = this
    const height = unit * (isBox ? this.height / 2 : this.radius)
    const width = unit * (isBox ? this.width / 2 : this.radius)
    const north = degrees(height / EARTH_RADIUS)
    const widest = latitude < 0 ? latitude - north : latitude + north
    const east = degrees(width / EARTH_RADIUS / cos(radians(widest)))
    return { west: longitude - east, south: latitude - north, east: longitude + east, north: latitude + north }
  }

  /** redis 7.0.15 geohash_helper.c geohashEstimateStepsByRadius */
  #estimateSteps(): number {
    const { latitude, isBox, width, height } = this
    const radius = isBox ? Math.sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2)) : this.radius
    let meters = radius * this.unit
    if (meters === 0) return STEPS_MAX
    let steps = 1
    while (meters < MERCATOR_MAX) {
      meters *= 2
      steps++
    }
    steps -= 2
    // Cells are narrower towards the poles.
    if (latitude > 66 || latitude < -66) {
      steps--
      if (latitude > 80 || latitude < -80) steps--
    }
    return Math.max(1, Math.min(STEPS_MAX, steps))
  }
}

interface Bounds {
  west: number
  south: number
  east: number
  north: number
}

/** Whether the cells around this one reach beyond the bounds. */
function isCoveredAround(center: Cell, bounds: Bounds): boolean {
  const isTooSmall =
    center.neighbour(0, 1).north < bounds.north ||
    center.neighbour(0, -1).south > bounds.south ||
    center.neighbour(1, 0).east < bounds.east ||
    center.neighbour(-1, 0).west > bounds.west
  return !isTooSmall
}
