/**
 * Places on the earth as integers of 52 bits, which the scores of sorted sets hold exactly: 26 bits of latitude and 26 of
 * longitude in turn, so that places near each other mostly have numbers near each other, and all that begin with the same
 * bits are in one cell of a grid.
 *
 *    bit 51 50 49 48 ... 1 0
 *        lo la lo la ... lo la
 *
 * Nothing here needs a BigInt: latitude and longitude are numbers of their own, put together from halves of 26 bits.
 * redis 7.0.15 geohash.c
 */
export const STEPS_MAX = 26

/** Limits of EPSG:900913: the poles are not on the map. */
export const LONGITUDE_MAX = 180
export const LATITUDE_MAX = 85.05112878
const LATITUDE_MAX_STANDARD = 90

const HALF = 2 ** 26
const HALF_BITS = 13
const HALF_MASK = 2 ** HALF_BITS - 1
const WORD = 2 ** 32
const LONG_LIMIT = 2 ** 63
const ULONG_LIMIT = 2 ** 64

const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz'

/** Bits 0..15 to bits 0, 2, ..30. */
function spread(bits: number): number {
  let x = bits
  x = (x | (x << 8)) & 0x00ff00ff
  x = (x | (x << 4)) & 0x0f0f0f0f
  x = (x | (x << 2)) & 0x33333333
  return (x | (x << 1)) & 0x55555555
}

/** The opposite; odd bits are ignored. */
function gather(bits: number): number {
  let x = bits & 0x55555555
  x = (x | (x >>> 1)) & 0x33333333
  x = (x | (x >>> 2)) & 0x0f0f0f0f
  x = (x | (x >>> 4)) & 0x00ff00ff
  return (x | (x >>> 8)) & 0x0000ffff
}

/** Which of 2^steps equal parts of [-max, max] a coordinate is in; max itself is in one more. */
function part(coordinate: number, max: number, steps: number): number {
  return Math.floor(((coordinate + max) / (max + max)) * 2 ** steps)
}

/** A cell of the grid of 2^steps by 2^steps. */
export class Cell {
  readonly longitude: number
  readonly latitude: number
  readonly steps: number

  constructor(longitude: number, latitude: number, steps: number) {
    this.longitude = longitude
    this.latitude = latitude
    this.steps = steps
  }

  static at(longitude: number, latitude: number, steps: number): Cell {
    return new Cell(part(longitude, LONGITUDE_MAX, steps), part(latitude, LATITUDE_MAX, steps), steps)
  }

  /** The cell so many to the east and to the north, round the world. */
  neighbour(east: number, north: number): Cell {
    const mask = 2 ** this.steps - 1
    const longitude = east === 0 ? this.longitude : (this.longitude + east) & mask
    const latitude = north === 0 ? this.latitude : (this.latitude + north) & mask
    return new Cell(longitude, latitude, this.steps)
  }

  equals(other: Cell): boolean {
    return this.longitude === other.longitude && this.latitude === other.latitude && this.steps === other.steps
  }

  get west(): number {
    return edge(this.longitude, LONGITUDE_MAX, this.steps)
  }

  get east(): number {
    return edge(this.longitude + 1, LONGITUDE_MAX, this.steps)
  }

  get south(): number {
    return edge(this.latitude, LATITUDE_MAX, this.steps)
  }

  get north(): number {
    return edge(this.latitude + 1, LATITUDE_MAX, this.steps)
  }

  /** The least score in the cell. */
  get minScore(): number {
    return this.#score(0)
  }

  /** The least score above all of the cell. */
  get endScore(): number {
    return this.#score(1)
  }

  #score(more: number): number {
    const { longitude, latitude } = this
    return (
      (upperHalf(longitude, latitude) * HALF + (lowerHalf(longitude, latitude) + more)) * 4 ** (STEPS_MAX - this.steps)
    )
  }

  /** minScore in decimals. At 180 degrees it has more than 53 bits. */
  scoreText(): string {
    const score = this.minScore
    if (Number.isSafeInteger(score)) return String(score)
    const { longitude, latitude } = this
    const bits = BigInt(upperHalf(longitude, latitude)) * BigInt(HALF) + BigInt(lowerHalf(longitude, latitude))
    return String(bits << BigInt(2 * (STEPS_MAX - this.steps)))
  }
}

function edge(index: number, max: number, steps: number): number {
  return -max + (index / 2 ** steps) * (max + max)
}

function upperHalf(longitude: number, latitude: number): number {
  return spread(latitude >>> HALF_BITS) | (spread(longitude >>> HALF_BITS) << 1)
}

function lowerHalf(longitude: number, latitude: number): number {
  return spread(latitude & HALF_MASK) | (spread(longitude & HALF_MASK) << 1)
}

/** The place that a score stands for: the middle of its cell. */
export class Place {
  longitude = 0
  latitude = 0

  /** Any score gives a place; one that is no integer of 64 bits is what C makes of it. */
  decode(score: number): void {
    const bits = Math.trunc(score)
    let low = bits >>> 0
    let high = Math.floor(bits / WORD) >>> 0
    if (bits >= ULONG_LIMIT) {
      low = 0
      high = 0
    } else if (bits < -LONG_LIMIT) {
      low = 0
      high = WORD / 2
    }
    const longitude = gather(low >>> 1) + gather(high >>> 1) * 65536
    const latitude = gather(low) + gather(high) * 65536
    this.longitude = middle(longitude, LONGITUDE_MAX)
    this.latitude = middle(latitude, LATITUDE_MAX)
  }

  /** As others write it: latitudes reach to the poles, and eleven characters, of which the last is always 0. */
  geohash(): string {
    const longitude = part(this.longitude, LONGITUDE_MAX, STEPS_MAX)
    const latitude = part(this.latitude, LATITUDE_MAX_STANDARD, STEPS_MAX)
    const upper = upperHalf(longitude, latitude)
    const lower = lowerHalf(longitude, latitude)
    let text = ''
    for (let shift = 47; shift >= 2; shift -= 5) {
      const bits = shift >= 26 ? upper >>> (shift - 26) : (lower >>> shift) | (upper << (26 - shift))
      text += ALPHABET[bits & 31]
    }
    return `${text}0`
  }
}

function middle(index: number, max: number): number {
  const center = (edge(index, max, STEPS_MAX) + edge((index + 1) >>> 0, max, STEPS_MAX)) / 2
  return Math.max(-max, Math.min(max, center))
}
