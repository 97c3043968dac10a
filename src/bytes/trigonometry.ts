/**
 * sin, cos and asin rounded correctly. JavaScript leaves their last bit to the engine, and V8's differ there from the C
 * library's, which is right but for one result in hundreds: distances that are stored as scores would differ from Redis's.
 * So each is computed with about 75 bits, as an unevaluated sum of two doubles (T. J. Dekker, "A floating-point technique
 * for extending the available precision", 1971), and rounded once.
 */
const SPLITTER = 2 ** 27 + 1

/** π/2 as the sum of three doubles. */
const HALF_PI = 1.5707963267948966
const HALF_PI_2 = 6.123233995736766e-17
const HALF_PI_3 = -1.4973849048591833e-33

/** Beyond this, multiples of π/2 are not exact here; no coordinate is. */
const ANGLE_MAX = 3.5

/** high + low, where low is less than half of high's last bit. */
class Pair {
  high = 0
  low = 0

  set(high: number, low: number): void {
    this.high = high
    this.low = low
  }

  add(high: number, low: number): void {
    const sum = this.high + high
    const part = sum - this.high
    const error = this.high - (sum - part) + (high - part) + this.low + low
    this.high = sum + error
    this.low = error - (this.high - sum)
  }

  multiply(high: number, low: number): void {
    const own = this.high
    const product = own * high
    const ownScaled = SPLITTER * own
    const ownTop = ownScaled - (ownScaled - own)
    const ownRest = own - ownTop
    const scaled = SPLITTER * high
    const top = scaled - (scaled - high)
    const rest = high - top
    const exact = ownRest * rest - (product - ownTop * top - ownRest * top - ownTop * rest)
    const error = exact + (own * low + this.low * high)
    this.high = product + error
    this.low = error - (this.high - product)
  }
}

/** The first terms of a series as pairs; of the others a double says enough. */
const PAIRED_TERMS = 4
const TERMS = 11

interface Series {
  readonly high: readonly number[]
  readonly low: readonly number[]
}

/** -1/n!, 1/(n+2)!, -1/(n+4)! and so on. Factorials are exact up to 22!; those of the later terms need not be. */
function alternatingSeries(n: number): Series {
  const high: number[] = []
  const low: number[] = []
  const product = new Pair()
  for (let term = 0; term < TERMS; term++) {
    let factorial = 1
    for (let factor = 2; factor <= n + 2 * term; factor++) factorial *= factor
    const inverse = 1 / factorial
    product.set(inverse, 0)
    product.multiply(factorial, 0)
    const sign = term % 2 === 0 ? -1 : 1
    high.push(sign * inverse)
    low.push((sign * (1 - product.high - product.low)) / factorial)
  }
  return { high, low }
}

const SINE = alternatingSeries(3)
const COSINE = alternatingSeries(2)

const angle = new Pair()
const square = new Pair()
const result = new Pair()

/** Sets angle to x less a multiple of π/2, and returns which multiple. */
function reduce(x: number): number {
  const multiple = Math.round(x / HALF_PI)
  angle.set(x, 0)
  if (multiple !== 0) {
    angle.add(-multiple * HALF_PI, 0)
    angle.add(-multiple * HALF_PI_2, -multiple * HALF_PI_3)
  }
  return multiple
}

/** Sets result to the value of the series for angle², times angle². */
function sumSeries({ high, low }: Series): void {
  square.set(angle.high, angle.low)
  square.multiply(angle.high, angle.low)
  let rest = 0
  for (let term = TERMS - 1; term >= PAIRED_TERMS; term--) rest = rest * square.high + high[term]!
  result.set(rest, 0)
  for (let term = PAIRED_TERMS - 1; term >= 0; term--) {
    result.multiply(square.high, square.low)
    result.add(high[term]!, low[term]!)
  }
  result.multiply(square.high, square.low)
}

/** Sets result to the sine of angle + quadrant × π/2, but for the sign, which it returns. */
function sineIn(quadrant: number): number {
  if ((quadrant & 1) === 0) {
    sumSeries(SINE)
    result.multiply(angle.high, angle.low)
    result.add(angle.high, angle.low)
  } else {
    sumSeries(COSINE)
    result.add(1, 0)
  }
  return (quadrant & 2) === 0 ? 1 : -1
}

export function sin(x: number): number {
  if (!(Math.abs(x) <= ANGLE_MAX)) return Math.sin(x)
  return sineIn(reduce(x)) * result.high
}

export function cos(x: number): number {
  if (!(Math.abs(x) <= ANGLE_MAX)) return Math.cos(x)
  return sineIn(reduce(x) + 1) * result.high
}

/** One step of Newton's method, from a result that is nearly right. For x in [0, 1]; beyond 1 it is NaN. */
export function asin(x: number): number {
  const near = Math.asin(x)
  if (!(x > 0 && x < 1)) return near
  sineIn(reduce(near))
  const missing = x - result.high - result.low
  return near + missing / Math.cos(near)
}
