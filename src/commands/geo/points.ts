/**
 * What a search has found, and its order. Members at the same distance have an order too, which clients see: a full sort is
 * stable, as the C library's is, and the first few of many are found by the same steps that Redis takes for it.
 * redis 7.0.15 geo.c membersOfAllNeighbors, pqsort.c
 */
import type { Cell } from '../../bytes/geohash.ts'
import type { Store } from '../../store/store.ts'
import { countBelow, sortedSetSize, visitSortedSet } from '../../store/values/sorted-set.ts'
import type { Shape } from './shape.ts'

export interface Point {
  member: Buffer
  score: number
  longitude: number
  latitude: number
  /** In meters. */
  distance: number
}

/** The members within the shape, cell by cell; with a limit above 0, the first so many. */
export function findPoints(store: Store, ref: number, shape: Shape, limit: number): Point[] {
  const points: Point[] = []
  const cells = shape.cells()
  let last = 0
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]!
    // Of a huge area, cells next to each other in the list may be the same.
    if (cell === null || (last > 0 && cell.equals(cells[last]!))) continue
    if (limit > 0 && points.length >= limit) break
    findInCell(store, ref, cell, shape, limit, points)
    last = i
  }
  return points
}

function findInCell(store: Store, ref: number, cell: Cell, shape: Shape, limit: number, points: Point[]): void {
  const { endScore } = cell
  const from = countBelow(store, ref, cell.minScore, false)
  const count = sortedSetSize(store, ref) - from
  visitSortedSet(store, ref, from, count, false, (bytes, start, end, score) => {
    if (score >= endScore) return false
    if (shape.contains(score)) {
      const { longitude, latitude } = shape.place
      points.push({
        member: Buffer.from(bytes.subarray(start, end)),
        score,
        longitude,
        latitude,
        distance: shape.distance,
      })
    }
    return limit === 0 || points.length < limit
  })
}

type Compare = (a: Point, b: Point) => number

function ascending(a: Point, b: Point): number {
  if (a.distance > b.distance) return 1
  return a.distance === b.distance ? 0 : -1
}

function descending(a: Point, b: Point): number {
  return -ascending(a, b)
}

/** Sorts so that the first `wanted` are right. */
export function sortPoints(points: Point[], isDescending: boolean, wanted: number): void {
  const compare = isDescending ? descending : ascending
  if (wanted >= points.length) points.sort(compare)
  else sortFirst(points, 0, points.length, wanted, compare)
}

function swap(points: Point[], i: number, j: number): void {
  const point = points[i]!
  points[i] = points[j]!
  points[j] = point
}

function swapRanges(points: Point[], i: number, j: number, count: number): void {
  for (let k = 0; k < count; k++) swap(points, i + k, j + k)
}

function median(points: Point[], a: number, b: number, c: number, compare: Compare): number {
  const left = points[a]!
  const middle = points[b]!
  const right = points[c]!
  if (compare(left, middle) < 0) {
    if (compare(middle, right) < 0) return b
    return compare(left, right) < 0 ? c : a
  }
  if (compare(middle, right) > 0) return b
  return compare(left, right) < 0 ? a : c
}

function pivot(points: Point[], from: number, count: number, compare: Compare): number {
  let middle = from + Math.floor(count / 2)
  if (count === 7) return middle
  let left = from
  let right = from + count - 1
  if (count > 40) {
    const step = Math.floor(count / 8)
    left = median(points, left, left + step, left + 2 * step, compare)
    middle = median(points, middle - step, middle, middle + step, compare)
    right = median(points, right - 2 * step, right - step, right, compare)
  }
  return median(points, left, middle, right, compare)
}

function insertionSort(points: Point[], from: number, end: number, compare: Compare): void {
  for (let i = from + 1; i < end; i++) {
    for (let j = i; j > from && compare(points[j - 1]!, points[j]!) > 0; j--) swap(points, j, j - 1)
  }
}

/**
 * Quicksort of [start, start + length) by J. L. Bentley and M. D. McIlroy, "Engineering a sort function" (1993), which leaves
 * out the parts in which none of the first `wanted` of the array is. Elements equal to the pivot are gathered at both
 * ends and brought to the middle afterwards.
 */
function sortFirst(points: Point[], start: number, length: number, wanted: number, compare: Compare): void {
  let from = start
  let count = length
  for (;;) {
    const end = from + count
    if (count < 7) return insertionSort(points, from, end, compare)
    swap(points, from, pivot(points, from, count, compare))
    let equalLeft = from + 1
    let left = equalLeft
    let right = end - 1
    let equalRight = right
    for (;;) {
      let order = 0
      while (left <= right && (order = compare(points[left]!, points[from]!)) <= 0) {
        if (order === 0) swap(points, equalLeft++, left)
        left++
      }
      while (left <= right && (order = compare(points[right]!, points[from]!)) >= 0) {
        if (order === 0) swap(points, right, equalRight--)
        right--
      }
      if (left > right) break
      swap(points, left++, right--)
    }
    const less = left - equalLeft
    const greater = equalRight - right
    const before = Math.min(equalLeft - from, less)
    swapRanges(points, from, left - before, before)
    const behind = Math.min(greater, end - 1 - equalRight)
    swapRanges(points, left, end - behind, behind)
    if (less > 1) sortFirst(points, from, less, wanted, compare)
    if (greater <= 1 || end - greater >= wanted) return
    from = end - greater
    count = greater
  }
}
